use clap::Args;
use std::path::PathBuf;

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
