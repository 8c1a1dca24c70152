use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Subcommand)]
pub(crate) enum PresetsCommand {
    /// List presets
    List,
    /// Add a preset; what is left out is as in Balanced
    Add {
        /// Its name
        name: String,
        #[command(flatten)]
        fields: PresetFields,
    },
    /// Change a preset
    Edit {
        /// An id or a name
        preset: String,
        /// Its new name
        #[arg(long, value_name = "TEXT")]
        name: Option<String>,
        #[command(flatten)]
        fields: PresetFields,
    },
    /// Remove a preset that is not the default
    Rm {
        /// An id or a name
        preset: String,
    },
}

/// What is given of a preset.
#[derive(Args)]
pub(crate) struct PresetFields {
    /// It holds for items that chose none
    #[arg(long)]
    pub(crate) default: bool,
    /// Ceiling of an assessment's complexity, 0 to 1
    #[arg(long, value_name = "N")]
    pub(crate) max_complexity: Option<f64>,
    /// Ceiling of its risk, 0 to 1
    #[arg(long, value_name = "N")]
    pub(crate) max_risk: Option<f64>,
    /// Ceiling of its impact, 0 to 1
    #[arg(long, value_name = "N")]
    pub(crate) max_impact: Option<f64>,
    /// Repairs a CI gate or a tester may ask for
    #[arg(long, value_name = "N")]
    pub(crate) ci_max_attempts: Option<u32>,
    /// Reviews before a person decides
    #[arg(long, value_name = "N")]
    pub(crate) max_review_iterations: Option<u32>,
    /// The worst finding that may stay open
    #[arg(long, value_parser = ["none", "low", "medium", "high"])]
    pub(crate) tolerated_severity: Option<String>,
    /// Minutes a release is watched
    #[arg(long, value_name = "MINUTES")]
    pub(crate) release_watch_minutes: Option<u32>,
    /// Investigations of a regression
    #[arg(long, value_name = "N")]
    pub(crate) release_max_attempts: Option<u32>,
}

#[derive(Subcommand)]
pub(crate) enum PipelinesCommand {
    /// Say everything that is wrong with a pipeline file, without starting anything
    Check {
        /// Pipeline file
        file: PathBuf,
    },
    /// List the pipelines of the workspace
    List {
        /// Only those with this label
        #[arg(long, value_name = "WORD")]
        label: Option<String>,
        /// With those that are archived
        #[arg(long)]
        all: bool,
    },
    /// Show a pipeline with its steps
    Show {
        /// An id or a name
        pipeline: String,
    },
    /// Store the steps of a pipeline file as a pipeline of the workspace
    #[command(after_help = "\
The commands of its checks and jobs are not stored: a run of an item takes them from the
repository: .lockstep/commands.toml, else .lockstep/pipeline.toml, at the base branch.")]
    Add {
        /// Pipeline file
        file: PathBuf,
        /// Its name [default: the file's]
        #[arg(long, value_name = "TEXT")]
        name: Option<String>,
        /// What it is for
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        /// Word to find it by; may be repeated
        #[arg(long = "label", value_name = "WORD")]
        labels: Vec<String>,
    },
    /// Change a pipeline that is not built in
    Edit {
        /// An id or a name
        pipeline: String,
        /// Its new name
        #[arg(long, value_name = "TEXT")]
        name: Option<String>,
        /// What it is for
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        /// Pipeline file whose steps it has from now on
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Make a pipeline like another, which can be changed
    Clone {
        /// An id or a name
        pipeline: String,
        /// Its name [default: the other's with (copy)]
        #[arg(long, value_name = "TEXT")]
        name: Option<String>,
    },
    /// Remove a pipeline that is not built in
    Rm {
        /// An id or a name
        pipeline: String,
    },
    /// Give a pipeline these labels, in place of those it had
    Label {
        /// An id or a name
        pipeline: String,
        /// The labels; none takes all away
        labels: Vec<String>,
    },
    /// Leave a pipeline out of lists; it can still run
    Archive {
        /// An id or a name
        pipeline: String,
        /// Show it in lists again
        #[arg(long)]
        undo: bool,
    },
}
