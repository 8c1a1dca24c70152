//! The command line, one file per subject.

mod access;
mod authoring;
mod capsule;
mod component;
mod credentials;
mod deliveries;
mod items;
mod library;
mod reviews;
mod run;
mod schedules;
mod setup;
mod shipping;
mod simulate;
mod store;
mod workspace;

pub(crate) use access::{AuditArgs, OpenArgs, TokenCommand, audit_count};
pub(crate) use authoring::{BindingsArgs, NewCommand, NewStepArgs, WrapArgs};
pub(crate) use capsule::{CapsuleCommand, ExportArgs};
pub(crate) use component::{
    ActivateArgs, AddArgs, BacktestArgs, CanaryArgs, ComponentCommand, GateArgs, GrantArgs, KindArgs,
    TrustCommand,
};
pub(crate) use credentials::CredentialsCommand;
pub(crate) use deliveries::DeliveriesCommand;
pub(crate) use items::{AddItem, EditItem, ItemFields, ItemsCommand, ListItems, StartArgs};
pub(crate) use library::{PipelinesCommand, PresetFields, PresetsCommand};
pub(crate) use reviews::{ReviewArg, ReviewsCommand};
pub(crate) use run::{
    ActArgs, AnswerArgs, ListArgs, PinWhen, RunArg, RunArgs, RunsCommand, StepCommand, StepTestArgs,
};
pub(crate) use schedules::{RecurrenceFields, SchedulesCommand};
pub(crate) use setup::ServeArgs;
pub(crate) use shipping::{PullArgs, PushArgs};
pub(crate) use simulate::SimulateArgs;
pub(crate) use store::StoreCommand;
pub(crate) use workspace::{
    NoticesArgs, NoticesCommand, SetArgs, SettingsCommand, SpendArgs, SpendCommand, WorkspacesCommand,
};

use crate::logging::LogFormat;
use clap::{Parser, Subcommand};
use lockstep_types::board::WorkspaceId;
use std::path::PathBuf;

/// Clap lists commands in one block; they are easier to find in four.
const HELP: &str = "\
{about}

{usage-heading} {usage}

Work:
  run        Take a branch through a pipeline; watch until it ends or needs you
  serve      Keep the host running as a service on this machine
  open       Open the pages of the server in a browser, signed in
  runs       List, show, watch, answer, act on, stop, retry, restart, repin, pause and resume runs
  why        Say what a run waits for, since when, and who can act

Plan:
  items      Services, modules and tasks: list, add, edit, start, merge
  reviews    Answer what a reviewer found unclear in an item
  deliveries What a forge's webhook delivered, and what became of it: list, show, replay
  notices    Cards that wait for somebody: list, act on, dismiss
  schedules  Start a pipeline again and again
  spend      What agents cost this month, against the limit

Look closer:
  step       Show a step of a run: its calls, what it saw, its state, its log; test a component
  capsule    Export recorded calls to files, for tests of a component
  replay     Make every recorded call of a run again and compare
  verify     Replay, and check the journal of a run against the stored run

Set up:
  new        Write the project of a step, in Rust, JavaScript, Python or C
  pipelines  Check pipeline files; list, add and change the pipelines of a workspace
  simulate   Run a scenario of a pipeline, with everybody outside played from a script
  presets    Ceilings and budgets under a name
  settings   Task limit, escalation, prices and budget of a workspace
  workspaces List and add workspaces
  component  Step components: add, inspect, grant, activate, try out, roll back, stop, sign, ship
  credentials Keep keys that jobs need, encrypted
  token      Who else may speak to the server: add, list, revoke
  audit      What was asked of the host: who, when, what, to what, from where
  doctor     Look at everything the host depends on; say what is wrong and what to do
  store      Check, repair, back up, restore, export, import and compact what is stored

Options:
{options}{after-help}";

const AFTER: &str = "\
Examples:
  lockstep run --pipeline pipeline.toml --branch fix-login
  lockstep runs answer latest --approve
  lockstep items add 'Fix the login' --in 14 && lockstep items start 15 --pipeline Quick
  lockstep serve --listen 127.0.0.1:7420
  lockstep component activate ci-gate 3fa1 --reason 'counts skipped checks'

A RUN is an id, an unambiguous beginning or end of one (4 characters or more), or `latest`.
An ITEM is an id or the number at its end; pipelines, presets and schedules go by their names too.
Commands go to the server that has the data folder, or open the folder themselves if none has.

Exit status:
  0    done; for a run: all its steps are done
  1    a fault of lockstep or of the machine
  2    the command line is wrong
  3    the run failed, a replay found a difference, or a check of `doctor` failed
  4    the run waits for a person
  5    refused: an invalid input, pipeline or repository, or not possible now
  130  interrupted; a run goes on with `lockstep run --resume RUN`
  141  whoever read the output went away

Environment:
  LOCKSTEP_DATA  the data folder        LOCKSTEP_LOG  what to log to stderr (default: warn)
  LOCKSTEP_WORKSPACE  the workspace (default: default)
  LOCKSTEP_LOG_FORMAT  text or json
  LOCKSTEP_CACHE where compiled components are kept [default: lockstep in $XDG_CACHE_HOME or ~/.cache]
  NO_COLOR       no colours";

/// Takes changes through pipelines whose steps are sandboxed components
#[derive(Parser)]
#[command(name = "lockstep", version, help_template = HELP, after_help = AFTER, disable_help_subcommand = true)]
pub(crate) struct Cli {
    /// Data folder [default: lockstep in $XDG_DATA_HOME or ~/.local/share]
    #[arg(
        long,
        global = true,
        env = "LOCKSTEP_DATA",
        value_name = "DIR",
        hide_env = true,
        display_order = 100
    )]
    pub(crate) data: Option<PathBuf>,

    /// Workspace whose items, pipelines and the like are meant [default: default]
    #[arg(
        long,
        global = true,
        env = "LOCKSTEP_WORKSPACE",
        value_name = "ID",
        hide_env = true,
        display_order = 102
    )]
    pub(crate) workspace: Option<WorkspaceId>,

    /// Write JSON: one document, or one line per event
    #[arg(long, global = true, display_order = 101)]
    pub(crate) json: bool,

    /// How the log on stderr is written; LOCKSTEP_LOG says what of it
    #[arg(
        long,
        global = true,
        env = "LOCKSTEP_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text",
        hide_env = true,
        hide_default_value = true,
        hide_possible_values = true,
        display_order = 103
    )]
    pub(crate) log_format: LogFormat,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Take a branch through a pipeline; watch until it ends or needs you
    Run(RunArgs),
    /// Keep the host running as a service on this machine
    Serve(ServeArgs),
    /// Open the pages of the server in a browser, signed in
    Open(OpenArgs),
    /// List, show, watch, answer, act on, stop, retry, restart, repin, pause and resume runs
    #[command(subcommand)]
    Runs(RunsCommand),
    /// Services, modules and tasks: list, add, edit, start, merge
    #[command(subcommand)]
    Items(ItemsCommand),
    /// Answer what a reviewer found unclear in an item
    #[command(subcommand)]
    Reviews(ReviewsCommand),
    /// Cards that wait for somebody: list, act on, dismiss
    Notices(NoticesArgs),
    /// What a forge's webhook delivered, and what became of it: list, show, replay
    #[command(subcommand)]
    Deliveries(DeliveriesCommand),
    /// Start a pipeline again and again
    #[command(subcommand)]
    Schedules(SchedulesCommand),
    /// What agents cost this month, against the limit
    Spend(SpendArgs),
    /// Ceilings and budgets under a name
    #[command(subcommand)]
    Presets(PresetsCommand),
    /// Task limit, escalation, prices and budget of a workspace
    #[command(subcommand)]
    Settings(SettingsCommand),
    /// List and add workspaces
    #[command(subcommand)]
    Workspaces(WorkspacesCommand),
    /// Look at a step of a run, or test a component of one
    #[command(subcommand)]
    Step(StepCommand),
    /// Export recorded calls to files, for tests of a component
    #[command(subcommand)]
    Capsule(CapsuleCommand),
    /// Step components: add, inspect, grant, activate, try out, roll back, stop, sign, ship
    #[command(subcommand)]
    Component(ComponentCommand),
    /// Write the project of a step, in Rust, JavaScript, Python or C
    #[command(subcommand)]
    New(NewCommand),
    /// Keep keys that jobs need, encrypted
    #[command(subcommand)]
    Credentials(CredentialsCommand),
    /// Who else may speak to the server: add, list, revoke
    #[command(subcommand)]
    Token(TokenCommand),
    /// What was asked of the host: who, when, what, to what, from where
    Audit(AuditArgs),
    /// Check, repair, back up, restore, export, import and compact what is stored
    #[command(subcommand)]
    Store(StoreCommand),
    /// Check pipeline files; list, add and change the pipelines of a workspace
    #[command(subcommand, alias = "pipeline")]
    Pipelines(PipelinesCommand),
    /// Run a scenario of a pipeline, with everybody outside played from a script
    Simulate(SimulateArgs),
    /// Make every recorded call of a run again and compare
    Replay(RunArg),
    /// Replay, and check the journal of a run against the stored run
    Verify(RunArg),
    /// Say what a run waits for, since when, and who can act
    Why(RunArg),
    /// Look at everything the host depends on, and say what to do about what is wrong
    Doctor,
    /// Carry out one job; started by the host itself
    #[command(hide = true)]
    JobSupervisor {
        /// Folder of the job
        dir: PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use super::{Cli, Command};
    use clap::error::ErrorKind;
    use clap::{CommandFactory, Parser};

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_first_page_of_help_names_every_command() {
        let mut command = Cli::command();
        let help = command.render_help().to_string();
        for name in command.get_subcommands().filter(|c| !c.is_hide_set()).map(clap::Command::get_name) {
            assert!(help.contains(&format!("\n  {name} ")), "{name} is missing in\n{help}");
        }
        assert!(!help.contains("job-supervisor"));
        assert!(help.lines().all(|line| line.chars().count() <= 100), "too wide:\n{help}");
    }

    fn refused(line: &str) -> ErrorKind {
        Cli::try_parse_from(line.split(' ')).map(drop).unwrap_err().kind()
    }

    #[test]
    fn a_run_is_started_or_resumed() {
        assert_eq!(refused("lockstep run"), ErrorKind::MissingRequiredArgument);
        assert_eq!(refused("lockstep run --pipeline p.toml"), ErrorKind::MissingRequiredArgument);
        assert_eq!(refused("lockstep run --resume r --branch b"), ErrorKind::ArgumentConflict);
        let cli = Cli::try_parse_from("lockstep run --resume latest".split(' ')).unwrap();
        assert!(matches!(cli.command, Command::Run(args) if args.resume.as_deref() == Some("latest")));
        let cli =
            Cli::try_parse_from("lockstep run --pipeline p --branch b --json --data d".split(' ')).unwrap();
        assert!(cli.json && cli.data.is_some());
    }

    #[test]
    fn wrong_words_are_usage_errors() {
        assert_eq!(refused("lockstep runs list --status asleep"), ErrorKind::InvalidValue);
        assert_eq!(refused("lockstep runs list --limit 0"), ErrorKind::ValueValidation);
        assert_eq!(refused("lockstep runs restart r"), ErrorKind::MissingRequiredArgument);
        assert_eq!(refused("lockstep runs repin r"), ErrorKind::MissingRequiredArgument);
        assert_eq!(refused("lockstep runs repin r ci-gate"), ErrorKind::ValueValidation);
        assert_eq!(refused("lockstep run --pipeline p --branch b --pin never"), ErrorKind::InvalidValue);
        assert_eq!(refused("lockstep sing"), ErrorKind::InvalidSubcommand);
    }
}
