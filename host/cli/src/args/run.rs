use clap::{Args, Subcommand, ValueEnum};
use lockstep_types::Pinning;
use std::path::PathBuf;

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
    /// When steps take the components that are active: when the run starts, or each step [default: the pipeline's]
    #[arg(long, value_name = "WHEN")]
    pub(crate) pin: Option<PinWhen>,
    /// Watch a run that exists, and let it go on
    #[arg(long, value_name = "RUN", conflicts_with_all = ["pipeline", "repo", "branch", "base", "title", "description", "pin"])]
    pub(crate) resume: Option<String>,
}

/// When the components of a run's steps are chosen.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum PinWhen {
    Run,
    Step,
}

impl From<PinWhen> for Pinning {
    fn from(when: PinWhen) -> Self {
        match when {
            PinWhen::Run => Self::Run,
            PinWhen::Step => Self::Step,
        }
    }
}

#[derive(Args)]
pub(crate) struct RunArg {
    /// An id, a beginning or end of one, or `latest`
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
}

fn kind_and_digest(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((kind, digest)) if !kind.is_empty() && !digest.is_empty() => {
            Ok((kind.to_owned(), digest.to_owned()))
        }
        _ => Err("give a step kind and a digest, such as ci-gate=3f9a1c20".to_owned()),
    }
}

#[derive(Args)]
pub(crate) struct ListArgs {
    /// Only those in this state
    #[arg(long, value_name = "STATE", value_parser = ["running", "blocked", "paused", "done", "failed"])]
    pub(crate) status: Option<String>,
    /// Only those that wait for this: `person`, or one of `approval`, `decision`, `cap`, `review`, `human-test`, `job`,
    /// `timer`, `effect`, `pause`, `budget`, `component`
    #[arg(long, value_name = "WHAT")]
    pub(crate) waits: Option<String>,
    /// Only those of this item
    #[arg(long, value_name = "ITEM")]
    pub(crate) item: Option<String>,
    /// Only those of the pipeline of this name
    #[arg(long, value_name = "PIPELINE")]
    pub(crate) pipeline: Option<String>,
    /// Only those with these words in id, title, item, pipeline or branch
    #[arg(long, value_name = "WORDS")]
    pub(crate) text: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=500))]
    pub(crate) limit: u16,
    /// Only those older than this one
    #[arg(long, value_name = "RUN")]
    pub(crate) before: Option<String>,
}

#[derive(Subcommand)]
pub(crate) enum RunsCommand {
    /// List runs, the newest first
    List(ListArgs),
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
        /// Component for the step's kind from now on: a digest or a beginning of one [default: the pinned one]
        #[arg(long, value_name = "DIGEST")]
        digest: Option<String>,
    },
    /// Give a run other components, with the states of its steps
    #[command(after_help = "\
A component whose states have another version takes them over by its `migrate`; if it
refuses one, nothing changes. Finished steps keep the component they had.

Example: lockstep runs repin latest ci-gate=3f9a1c20 --reason 'counts skipped checks'")]
    Repin {
        #[command(flatten)]
        run: RunArg,
        /// The component for a kind: a digest or a beginning of one
        #[arg(value_name = "KIND=DIGEST", required = true, value_parser = kind_and_digest)]
        pins: Vec<(String, String)>,
        /// Why, for the journal
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        reason: String,
    },
    /// Start nothing new of a run
    Pause(RunArg),
    /// Let a paused run go on
    Resume(RunArg),
    /// Act on a step that waits for a person, as `why` says
    Act(ActArgs),
    /// Tear the environments of a run down
    Teardown(RunArg),
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

#[derive(Args)]
#[command(after_help = "\
What an action takes, its step kind says; `lockstep why RUN` names the actions there are.

Examples:
  lockstep runs act latest confirm
  lockstep runs act latest request-fix --step try findings='the total is wrong'
  lockstep runs act 9c3f21ab reply '{\"item\": 0, \"text\": \"in euros\"}'")]
pub(crate) struct ActArgs {
    #[command(flatten)]
    pub(crate) run: RunArg,
    /// Name of the action
    pub(crate) action: String,
    /// Name of the step; may be left out if only one takes actions
    #[arg(long, value_name = "STEP")]
    pub(crate) step: Option<String>,
    /// What it takes: one JSON object, or fields
    #[arg(value_name = "JSON | KEY=VALUE")]
    pub(crate) input: Vec<String>,
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
    /// Run a component over cases, without a server or a data folder
    Test(StepTestArgs),
}

#[derive(Args)]
#[command(after_help = "\
Cases are tables in TOML or JSON: what the component is given, what it sees when it asks, and
what has to come out; what is left out has a default, and only what is named must be so.
Capsules of recorded calls (`lockstep capsule export`) are cases too, and compared exactly.
guests/README.md explains both.

Examples:
  lockstep step test my-gate.wasm cases.toml
  lockstep step test my-gate.wasm cases/ --kind ci-gate
  lockstep step test my-gate.wasm cases.toml --bless

Exit status: 0 all as expected, 3 a case differs, 5 the component or a case is wrong.")]
pub(crate) struct StepTestArgs {
    /// The component
    pub(crate) component: PathBuf,
    /// File with cases, or a folder of such files
    #[arg(required_unless_present = "kind")]
    pub(crate) cases: Option<PathBuf>,
    /// Run the cases too that every component of this standard kind must pass
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<String>,
    /// Write what came out into the cases as what has to come out
    #[arg(long)]
    pub(crate) bless: bool,
}
