use clap::{Args, Subcommand};
use lockstep_types::Role;
use lockstep_types::board::WorkspaceId;

#[derive(Subcommand)]
#[command(after_help = "\
A viewer looks; an operator also starts, stops, answers and changes boards; an admin also changes components,
grants, trust and tokens. A token that is limited to workspaces sees and touches those alone.

The commands of `lockstep` itself need none of these: they use the token of the data folder.")]
pub(crate) enum TokenCommand {
    /// Make a token; it is shown once and kept nowhere
    Add {
        /// What whoever sends it is called, in runs and in the audit
        name: String,
        /// What it allows: viewer, operator or admin
        #[arg(long, value_name = "ROLE")]
        role: Role,
        /// Limit it to a workspace, as LOCKSTEP_WORKSPACE does; may be repeated [default: all, and what is of none]
        #[arg(long, value_name = "ID")]
        workspace: Vec<WorkspaceId>,
        /// Accept it for so many days [default: until it is revoked]
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3650))]
        expires: Option<u32>,
    },
    /// List tokens, with their last use; nobody is ever shown a secret
    List,
    /// End a token, and all sessions that were begun with it
    Revoke {
        /// Its name or id
        name: String,
    },
}

#[derive(Args)]
#[command(after_help = "\
Every request that changes something is written down before it is done, and how it ended after. The last 100,000
requests are kept, and every change of components.")]
pub(crate) struct AuditArgs {
    /// Show at most so many
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = crate::args::audit_count)]
    pub(crate) last: usize,
    /// Show those before: what the line below the last page said
    #[arg(long, value_name = "CURSOR")]
    pub(crate) before: Option<String>,
}

/// `--last` of the audit.
pub(crate) fn audit_count(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=1000).contains(count));
    count.ok_or_else(|| "write a number from 1 to 1000".to_owned())
}

#[derive(Args)]
pub(crate) struct OpenArgs {
    /// Only print the link; it is good once, for two minutes
    #[arg(long)]
    pub(crate) print: bool,
}
