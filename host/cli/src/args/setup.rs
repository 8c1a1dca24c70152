use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Args)]
#[command(after_help = "\
Requests need the bearer token in the file `token` of the data folder; the address
and the process id are in `server.json` beside it. Ctrl-C or SIGTERM ends the server,
with exit status 0; live runs go on when it starts again.")]
pub(crate) struct ServeArgs {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7420")]
    pub(crate) listen: String,
    /// Accept an address that other machines can reach; the token is then all that protects the host
    #[arg(long)]
    pub(crate) allow_remote: bool,
}

#[derive(Subcommand)]
pub(crate) enum ComponentCommand {
    /// List components and the kinds that use them
    List,
    /// Add a component; nothing uses it until it is activated
    Add {
        /// The component, a .wasm file
        file: PathBuf,
    },
    /// Let a kind use a component from now on; live runs keep the one they began with
    Activate(ActivateArgs),
    /// Show which components a kind has used
    History {
        /// Step kind
        kind: String,
    },
}

#[derive(Args)]
#[command(after_help = "\
The kind keeps what it was granted before; the --grant options add to it.
To go back: activate the digest before, see `lockstep component history KIND`.")]
pub(crate) struct ActivateArgs {
    /// Step kind
    pub(crate) kind: String,
    /// Digest of the component, or an unambiguous beginning of it
    pub(crate) digest: String,
    /// Also allow the import of an interface, such as checks
    #[arg(long, value_name = "INTERFACE")]
    pub(crate) grant_import: Vec<String>,
    /// Also allow a job kind; {role} stands for the role of the step
    #[arg(long, value_name = "JOB")]
    pub(crate) grant_job: Vec<String>,
    /// Also allow an effect, such as merge
    #[arg(long, value_name = "EFFECT")]
    pub(crate) grant_effect: Vec<String>,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}
