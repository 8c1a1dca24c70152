use clap::{Args, Subcommand};
use lockstep_types::board::{Month, WorkspaceId};

#[derive(Subcommand)]
pub(crate) enum WorkspacesCommand {
    /// List workspaces
    List,
    /// Add a workspace, with the default preset and the built-in pipelines
    Add {
        /// Its id, with which the ids of its items begin
        id: WorkspaceId,
        /// Its name for people [default: its id]
        name: Option<String>,
    },
}

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct SpendArgs {
    /// Another month, such as 2026-11
    #[arg(long, value_name = "MONTH")]
    pub(crate) month: Option<Month>,
    #[command(subcommand)]
    pub(crate) command: Option<SpendCommand>,
}

#[derive(Subcommand)]
pub(crate) enum SpendCommand {
    /// Let every run go on that waits for a budget
    Resume,
}

#[derive(Subcommand)]
pub(crate) enum SettingsCommand {
    /// Show the settings of the workspace
    Show,
    /// Change settings of the workspace
    Set(Box<SetArgs>),
}

#[derive(Args, Default, PartialEq)]
#[command(after_help = "\
Examples:
  lockstep settings set --monthly-limit 250 --price openai:gpt-5=1.1/8.8
  lockstep settings set --task-limit bug=2,feature=4")]
pub(crate) struct SetArgs {
    /// Tasks of a service that may run at once: `off`, a number, or numbers by type such as bug=2,feature=4
    #[arg(long, value_name = "LIMIT", value_parser = crate::commands::task_limit)]
    pub(crate) task_limit: Option<lockstep_types::board::TaskLimit>,
    /// Minutes until an open card becomes urgent
    #[arg(long, value_name = "MINUTES")]
    pub(crate) escalation_minutes: Option<u32>,
    /// What amounts are in, such as EUR; nothing is converted
    #[arg(long, value_name = "CODE")]
    pub(crate) currency: Option<String>,
    /// What may be spent in a month: an amount, or `none` for no limit
    #[arg(long, value_name = "AMOUNT", value_parser = crate::commands::spend_limit)]
    pub(crate) monthly_limit: Option<lockstep_types::board::SpendLimit>,
    /// Price of a million tokens read and written, by `provider:model` or `provider`; may be repeated
    #[arg(long, value_name = "MODEL=IN/OUT", value_parser = crate::commands::model_price)]
    pub(crate) price: Vec<(String, lockstep_types::board::Price)>,
    /// Forget the price of a model; may be repeated
    #[arg(long, value_name = "MODEL")]
    pub(crate) no_price: Vec<String>,
    /// Price of everything else
    #[arg(long, value_name = "IN/OUT", value_parser = crate::commands::price)]
    pub(crate) default_price: Option<lockstep_types::board::Price>,
}

#[derive(Args)]
pub(crate) struct NoticesArgs {
    #[command(subcommand)]
    pub(crate) command: Option<NoticesCommand>,
}

#[derive(Subcommand)]
pub(crate) enum NoticesCommand {
    /// List open cards, the oldest first; of all workspaces unless one is given
    List,
    /// Do what a card asks for
    Act {
        /// Its id in `lockstep notices`
        id: String,
    },
    /// Close a card
    Dismiss {
        /// Its id in `lockstep notices`
        id: String,
    },
}
