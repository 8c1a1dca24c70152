use clap::Subcommand;

#[derive(Subcommand)]
#[command(after_help = "\
A job command that says `credentials = [\"github-token\"]` finds the one of whoever started its run in the
variable GITHUB_TOKEN. A run gets a copy of its own when it starts, which is deleted when it has ended.")]
pub(crate) enum CredentialsCommand {
    /// List the names of credentials; nobody is ever shown a value
    List {
        /// Whose [default: whoever types this]
        #[arg(long, value_name = "NAME")]
        owner: Option<String>,
    },
    /// Keep a credential, encrypted; its value is read from standard input
    Set {
        /// Its name, such as github-token
        name: String,
        /// Whose [default: whoever types this]
        #[arg(long, value_name = "NAME")]
        owner: Option<String>,
    },
    /// Forget a credential
    Rm {
        /// Its name
        name: String,
        /// Whose [default: whoever types this]
        #[arg(long, value_name = "NAME")]
        owner: Option<String>,
    },
}
