use super::RunArg;
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Subcommand)]
pub(crate) enum CapsuleCommand {
    /// Write the recorded calls of a step to files, one a call
    Export(ExportArgs),
}

#[derive(Args)]
#[command(after_help = "\
A capsule holds everything a component was given, what it asked and was told, and what came
of it: titles, descriptions, outputs of earlier steps, contents of files it read. Credentials
are never in it, unless somebody wrote one into those texts. Look at it before you share it.

`lockstep step test COMPONENT CAPSULE` makes the call again, with any component of the kind.

Examples:
  lockstep capsule export latest ci --call 3 --out red-check.json
  lockstep capsule export latest ci --out cases/")]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub(crate) run: RunArg,
    /// Name of the step
    pub(crate) step: String,
    /// Only this call, by its number in `lockstep step show`
    #[arg(long, value_name = "N")]
    pub(crate) call: Option<u32>,
    /// File for a single call, or a folder [default: the current folder]
    #[arg(long, value_name = "FILE | DIR")]
    pub(crate) out: Option<PathBuf>,
}
