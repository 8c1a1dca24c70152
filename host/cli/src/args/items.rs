use super::PinWhen;
use clap::{Args, Subcommand};
use lockstep_types::board::ItemId;

#[derive(Subcommand)]
pub(crate) enum ItemsCommand {
    /// List items, each below what it belongs to
    List(ListItems),
    /// Show an item with its run, its documents and its cards
    Show {
        /// An id, or the number at its end
        item: ItemId,
    },
    /// Add a task, a module or a service
    Add(Box<AddItem>),
    /// Change fields of an item
    Edit(Box<EditItem>),
    /// Put an item below another one
    Move {
        /// An id, or the number at its end
        item: ItemId,
        /// The service or module it is to belong to
        parent: ItemId,
    },
    /// Remove an item; its run is stopped first
    Rm {
        /// An id, or the number at its end
        item: ItemId,
        /// With all below it
        #[arg(long, short)]
        recursive: bool,
    },
    /// Start a run of a task
    Start(StartArgs),
    /// Drop the run of an item, which is planned again
    Cancel {
        /// An id, or the number at its end
        item: ItemId,
    },
    /// Merge the change of an item that awaits it
    Merge {
        /// An id, or the number at its end
        item: ItemId,
    },
    /// Let a task wait for others before it starts
    Depends {
        /// The task that waits
        item: ItemId,
        /// The tasks it waits for
        #[arg(value_name = "ON", required = true)]
        on: Vec<ItemId>,
        /// It no longer waits for them
        #[arg(long)]
        remove: bool,
    },
}

#[derive(Args)]
pub(crate) struct ListItems {
    /// Only those in this state
    #[arg(long, value_name = "STATE", value_parser = ["planned", "ready", "in-progress", "blocked", "pr-ready", "done"])]
    pub(crate) status: Option<String>,
    /// Only those of this level
    #[arg(long, value_parser = ["service", "module", "task"])]
    pub(crate) level: Option<String>,
    /// Only those below this one
    #[arg(long, value_name = "ITEM")]
    pub(crate) r#in: Option<ItemId>,
    /// With those that are archived
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  lockstep items add Shop --level service --repo .
  lockstep items add 'Fix the login' --in 14 --task-type bug --description 'It ends in a 500.'")]
pub(crate) struct AddItem {
    /// Its title
    pub(crate) title: String,
    /// What it is
    #[arg(long, value_parser = ["service", "module", "task"], default_value = "task")]
    pub(crate) level: String,
    /// The service or module it belongs to
    #[arg(long, value_name = "ITEM")]
    pub(crate) r#in: Option<ItemId>,
    #[command(flatten)]
    pub(crate) fields: ItemFields,
}

#[derive(Args)]
pub(crate) struct EditItem {
    /// An id, or the number at its end
    pub(crate) item: ItemId,
    /// Its title
    #[arg(long, value_name = "TEXT")]
    pub(crate) title: Option<String>,
    #[command(flatten)]
    pub(crate) fields: ItemFields,
    /// Fields that are to have no value, separated by commas
    #[arg(long, value_name = "FIELD", value_delimiter = ',', value_parser = ["preset", "pipeline", "module", "responsible", "repo", "directory", "base", "branch", "labels"])]
    pub(crate) clear: Vec<String>,
}

/// What is given of an item.
#[derive(Args, Default)]
pub(crate) struct ItemFields {
    /// What is to be done, or what it is
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// What the task is
    #[arg(long, value_parser = ["feature", "bug", "document", "spike"])]
    pub(crate) task_type: Option<String>,
    /// What the service is
    #[arg(long, value_parser = ["frontend", "service", "api", "database", "queue", "integration", "external", "environment"])]
    pub(crate) service_type: Option<String>,
    /// Pipeline its runs use unless told otherwise
    #[arg(long, value_name = "PIPELINE")]
    pub(crate) pipeline: Option<String>,
    /// Preset its runs use instead of the default one
    #[arg(long, value_name = "PRESET")]
    pub(crate) preset: Option<String>,
    /// Path or address of its repository
    #[arg(long, value_name = "PATH")]
    pub(crate) repo: Option<String>,
    /// Folder of the service in its repository
    #[arg(long, value_name = "PATH")]
    pub(crate) directory: Option<String>,
    /// Branch that receives its changes
    #[arg(long, value_name = "NAME")]
    pub(crate) base: Option<String>,
    /// Branch that carries the change
    #[arg(long, value_name = "NAME")]
    pub(crate) branch: Option<String>,
    /// Title of the module it moves into when it is merged
    #[arg(long, value_name = "TEXT")]
    pub(crate) module: Option<String>,
    /// Whether its merge starts the tasks that wait for it
    #[arg(long, value_name = "BOOL")]
    pub(crate) auto_start_dependents: Option<bool>,
    /// Word to find it by; all of them, one option each
    #[arg(long = "label", value_name = "WORD")]
    pub(crate) labels: Vec<String>,
    /// Who is asked about it
    #[arg(long, value_name = "NAME")]
    pub(crate) responsible: Option<String>,
    /// Whether lists leave it out
    #[arg(long, value_name = "BOOL")]
    pub(crate) archived: Option<bool>,
    /// Compose file that starts what tests of the service need
    #[arg(long, value_name = "PATH")]
    pub(crate) compose_path: Option<String>,
    /// Whether tests of the service need nothing to be started
    #[arg(long, value_name = "BOOL")]
    pub(crate) no_infra_dependencies: Option<bool>,
    /// Where it is tested
    #[arg(long, value_parser = ["local", "ephemeral"])]
    pub(crate) test_environment: Option<String>,
}

#[derive(Args)]
pub(crate) struct StartArgs {
    /// An id, or the number at its end
    pub(crate) item: ItemId,
    /// Pipeline [default: the item's, else the workspace's first]
    #[arg(long, value_name = "PIPELINE")]
    pub(crate) pipeline: Option<String>,
    /// Branch that carries the change [default: the item's, else a new one]
    #[arg(long, value_name = "NAME")]
    pub(crate) branch: Option<String>,
    /// When steps take the components that are active: when the run starts, or each step [default: the pipeline's]
    #[arg(long, value_name = "WHEN")]
    pub(crate) pin: Option<PinWhen>,
    /// Stop its live run first
    #[arg(long)]
    pub(crate) replace: bool,
}
