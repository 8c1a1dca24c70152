//! The command line.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Clap lists commands in one block; they are easier to find in three.
const HELP: &str = "\
{about}

{usage-heading} {usage}

Work:
  run        Take a branch through a pipeline; watch until it ends or needs you
  serve      Keep the host running as a service on this machine
  runs       List, show, watch, answer, stop, retry, restart, pause and resume runs
  why        Say what a run waits for, since when, and who can act

Look closer:
  step       Show a step of a run: its calls, what it saw, its state, its log
  replay     Make every recorded call of a run again and compare
  verify     Replay, and check the journal of a run against the stored run

Set up:
  pipeline   Check a pipeline file
  simulate   Run a scenario: your pipeline and components, everybody outside played from a script
  component  List, add and activate step components

Options:
{options}{after-help}";

const AFTER: &str = "\
Examples:
  lockstep run --pipeline pipeline.toml --branch fix-login
  lockstep runs answer latest --approve
  lockstep serve --listen 127.0.0.1:7420
  lockstep component activate ci-gate 3fa1 --reason 'counts skipped checks'

A RUN is an id, an unambiguous beginning or end of one (4 characters or more), or `latest`.
Commands go to the server that has the data folder, or open the folder themselves if none has.

Exit status:
  0    done; for a run: all its steps are done
  1    a fault of lockstep or of the machine
  2    the command line is wrong
  3    the run failed, or a replay found a difference
  4    the run waits for a person
  5    refused: an invalid input, pipeline or repository, or not possible now
  130  interrupted; a run goes on with `lockstep run --resume RUN`
  141  whoever read the output went away

Environment:
  LOCKSTEP_DATA  the data folder        LOCKSTEP_LOG  what to log to stderr (default: warn)
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

    /// Write JSON: one document, or one line per event
    #[arg(long, global = true, display_order = 101)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Take a branch through a pipeline; watch until it ends or needs you
    Run(RunArgs),
    /// Keep the host running as a service on this machine
    Serve(ServeArgs),
    /// List, show, watch, answer, stop, retry, restart, pause and resume runs
    #[command(subcommand)]
    Runs(RunsCommand),
    /// Look at a step of a run
    #[command(subcommand)]
    Step(StepCommand),
    /// List, add and activate step components
    #[command(subcommand)]
    Component(ComponentCommand),
    /// Check a pipeline file
    #[command(subcommand)]
    Pipeline(PipelineCommand),
    /// Run a scenario: the real engine and components, everybody outside played from a script
    Simulate(SimulateArgs),
    /// Make every recorded call of a run again and compare
    Replay(RunArg),
    /// Replay, and check the journal of a run against the stored run
    Verify(RunArg),
    /// Say what a run waits for, since when, and who can act
    Why(RunArg),
    /// Carry out one job; started by the host itself
    #[command(hide = true)]
    JobSupervisor {
        /// Folder of the job
        dir: PathBuf,
    },
}

#[derive(Args)]
#[command(after_help = "\
A scenario is a JSON file: a board, pipelines, what agents and services reply, and a script of
actions. tests/conformance/FORMAT.md explains it and has hundreds of examples. Time is simulated,
nothing outside is touched, and the same scenario always tells the same story.

Exit status: 0 done, 3 the trace differs from --expect, 5 the scenario is wrong.")]
pub(crate) struct SimulateArgs {
    /// The scenario, or `-` for standard input
    pub(crate) file: PathBuf,

    /// Print the reduced trace as JSON instead of the story
    #[arg(long)]
    pub(crate) reduced: bool,

    /// Use this pipeline file where the scenario's `start` names no pipeline
    #[arg(long, value_name = "FILE")]
    pub(crate) pipeline: Option<PathBuf>,

    /// Use this component for a step kind; may be given several times
    #[arg(long, value_name = "KIND=FILE")]
    pub(crate) component: Vec<String>,

    /// Compare the reduced trace with this file
    #[arg(long, value_name = "FILE")]
    pub(crate) expect: Option<PathBuf>,
}

#[derive(Args)]
#[command(after_help = "\
The run is durable before anything of it happens. After Ctrl-C, a crash or a reboot
it goes on with `lockstep run --resume RUN`, as do all other live runs of the folder.
If a server has the data folder, the run is the server's and this command watches it.

Exit status: 0 done, 3 failed, 4 waits for a person, 5 refused, 130 interrupted;
all of them are in `lockstep --help`.")]
pub(crate) struct RunArgs {
    /// Pipeline file
    #[arg(long, value_name = "FILE", required_unless_present = "resume")]
    pub(crate) pipeline: Option<PathBuf>,
    /// Repository
    #[arg(long, value_name = "PATH", default_value = ".")]
    pub(crate) repo: PathBuf,
    /// Branch that carries the change
    #[arg(long, value_name = "NAME", required_unless_present = "resume")]
    pub(crate) branch: Option<String>,
    /// Branch that receives it [default: the pipeline's, else the repository's default]
    #[arg(long, value_name = "NAME")]
    pub(crate) base: Option<String>,
    /// Title of the work [default: the subject of the head commit]
    #[arg(long, value_name = "TEXT")]
    pub(crate) title: Option<String>,
    /// Description of the work, for the agents that do it
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// Watch a run that exists, and let it go on
    #[arg(long, value_name = "RUN", conflicts_with_all = ["pipeline", "repo", "branch", "base", "title", "description"])]
    pub(crate) resume: Option<String>,
}

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

#[derive(Args)]
pub(crate) struct RunArg {
    /// An id, a beginning or end of one, or `latest`
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
}

#[derive(Subcommand)]
pub(crate) enum RunsCommand {
    /// List runs, the newest first
    List {
        /// Only those in this state
        #[arg(long, value_name = "STATE", value_parser = ["running", "blocked", "paused", "done", "failed"])]
        status: Option<String>,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=500))]
        limit: u16,
        /// Only those older than this one
        #[arg(long, value_name = "RUN")]
        before: Option<String>,
    },
    /// Show a run with its steps
    Show {
        #[command(flatten)]
        run: RunArg,
        /// With everything that happened
        #[arg(long)]
        timeline: bool,
    },
    /// Watch a run until it ends or needs somebody, or all runs
    Watch {
        /// An id, a beginning or end of one, or `latest`; without it: all runs, until Ctrl-C
        #[arg(value_name = "RUN")]
        run: Option<String>,
    },
    /// Answer the question a run waits on
    Answer(AnswerArgs),
    /// End a run
    Stop {
        #[command(flatten)]
        run: RunArg,
        /// Why, for the journal
        #[arg(long, value_name = "TEXT", default_value = "stopped by hand")]
        reason: String,
    },
    /// Let a failed run go on from where it failed
    Retry(RunArg),
    /// Send a run back to one of its steps
    Restart {
        #[command(flatten)]
        run: RunArg,
        /// Name of the step
        #[arg(long, value_name = "STEP")]
        step: String,
    },
    /// Start nothing new of a run
    Pause(RunArg),
    /// Let a paused run go on
    Resume(RunArg),
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  lockstep runs answer latest --approve
  lockstep runs answer 9c3f21ab q2 --choose 'merge anyway'
  lockstep runs answer 9c3f21ab --request-changes 'keep the old flag working'")]
pub(crate) struct AnswerArgs {
    #[command(flatten)]
    pub(crate) run: RunArg,
    /// Number of the question, such as q1; may be left out if only one is open
    #[arg(value_name = "QUESTION", value_parser = crate::ids::question)]
    pub(crate) question: Option<lockstep_types::QuestionId>,
    #[command(flatten)]
    pub(crate) answer: AnswerChoice,
    /// Words to go with --choose
    #[arg(long, value_name = "TEXT", requires = "choose", conflicts_with_all = ["approve", "request_changes", "reject"])]
    pub(crate) text: Option<String>,
    /// File with the text to take in place of the proposal
    #[arg(long, value_name = "FILE", requires = "approve", conflicts_with_all = ["choose", "request_changes", "reject"])]
    pub(crate) proposal: Option<PathBuf>,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub(crate) struct AnswerChoice {
    /// One of the options, or free text where there are none
    #[arg(long, value_name = "OPTION")]
    pub(crate) choose: Option<String>,
    /// Consent
    #[arg(long)]
    pub(crate) approve: bool,
    /// Have it done again
    #[arg(long, value_name = "TEXT")]
    pub(crate) request_changes: Option<String>,
    /// End the run
    #[arg(long, value_name = "REASON")]
    pub(crate) reject: Option<String>,
}

#[derive(Subcommand)]
pub(crate) enum StepCommand {
    /// Show a step: its calls, what it saw and decided, its state, its output, the end of its log
    Show {
        #[command(flatten)]
        run: RunArg,
        /// Name of the step
        step: String,
        /// At most so many of the last calls
        #[arg(long, value_name = "N", default_value_t = 10)]
        calls: usize,
    },
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

#[derive(Subcommand)]
pub(crate) enum PipelineCommand {
    /// Say everything that is wrong with a pipeline file, without starting anything
    Check {
        /// Pipeline file
        file: PathBuf,
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
        assert_eq!(refused("lockstep sing"), ErrorKind::InvalidSubcommand);
    }
}
