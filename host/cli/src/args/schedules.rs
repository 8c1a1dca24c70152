use clap::{Args, Subcommand};
use lockstep_types::board::ItemId;

#[derive(Subcommand)]
pub(crate) enum SchedulesCommand {
    /// List schedules
    List,
    /// Add a schedule and the task it starts
    #[command(after_help = "\
Examples:
  lockstep schedules add 'Weekly updates' --service 14 --pipeline Quick --every 168 \\
      --template dep-update --on sunday --from 3 --to 4 --timezone Europe/Berlin")]
    Add {
        /// Its name, also the title of its task
        name: String,
        /// Service the task belongs to
        #[arg(long, value_name = "ITEM")]
        service: ItemId,
        /// Pipeline it starts
        #[arg(long, value_name = "PIPELINE")]
        pipeline: String,
        /// What it is for; gives the task its description
        #[arg(long, value_parser = ["dep-update", "tech-debt", "custom"], default_value = "custom")]
        template: String,
        /// Description of the task [default: the template's]
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        /// Do not start it when it is due
        #[arg(long)]
        disabled: bool,
        #[command(flatten)]
        recurrence: Box<RecurrenceFields>,
    },
    /// Change a schedule; a new recurrence counts from now
    Edit {
        /// An id or a name
        schedule: String,
        /// Its new name
        #[arg(long, value_name = "TEXT")]
        name: Option<String>,
        /// Pipeline it starts
        #[arg(long, value_name = "PIPELINE")]
        pipeline: Option<String>,
        /// Description of its task
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        /// Whether it is started when it is due
        #[arg(long, value_name = "BOOL")]
        enabled: Option<bool>,
        #[command(flatten)]
        recurrence: Box<RecurrenceFields>,
    },
    /// Remove a schedule, its task and the task's run
    Rm {
        /// An id or a name
        schedule: String,
    },
    /// Start a schedule's task now, whatever its time
    Run {
        /// An id or a name
        schedule: String,
    },
    /// Show what a schedule started, the newest first
    History {
        /// An id or a name
        schedule: String,
    },
}

/// When a schedule is due.
#[derive(Args)]
pub(crate) struct RecurrenceFields {
    /// Hours from one time to the next
    #[arg(long, value_name = "HOURS")]
    pub(crate) every: Option<u32>,
    /// Days on which it may be due, separated by commas; `any` for all
    #[arg(long, value_name = "DAY", value_delimiter = ',', value_parser = ["any", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"])]
    pub(crate) on: Vec<String>,
    /// First hour at which it may be due, 0 to 23
    #[arg(long, value_name = "HOUR")]
    pub(crate) from: Option<u8>,
    /// Hour before which it is due, 0 to 23
    #[arg(long, value_name = "HOUR")]
    pub(crate) to: Option<u8>,
    /// IANA name of the zone whose clocks count [default: UTC]
    #[arg(long, value_name = "ZONE")]
    pub(crate) timezone: Option<String>,
}
