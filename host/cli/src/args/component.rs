use clap::{Args, Subcommand};
use std::path::PathBuf;

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
    /// Also if it cannot take over the states of live runs, which keep the component they have
    #[arg(long)]
    pub(crate) skip_migration: bool,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}
