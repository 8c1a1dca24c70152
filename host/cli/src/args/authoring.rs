use clap::{Args, Subcommand};
use lockstep_authoring::Language;
use std::path::PathBuf;

#[derive(Subcommand)]
pub(crate) enum NewCommand {
    /// Write the project of a step: sources, contract, test cases, and what to type
    Step(NewStepArgs),
}

#[derive(Args)]
#[command(after_help = "\
rust    with the SDK, which comes along; tested natively too; the smallest risk and the most help
js      one file, run by QuickJS inside the component; needs node and npm to build
python  one file, run by CPython inside the component; needs python3 and pip to build
c       the smallest and fastest components; needs clang and lld, or zig, to build

Nothing is overwritten. The commands it prints are in the project's README too.")]
pub(crate) struct NewStepArgs {
    /// Name of the project and of its component's file
    pub(crate) name: String,
    /// Language: rust, js, python or c
    #[arg(long, value_name = "LANGUAGE")]
    pub(crate) lang: Language,
    /// Step kind the component implements [default: NAME]
    #[arg(long)]
    pub(crate) kind: Option<String>,
    /// Folder of the project [default: NAME]
    #[arg(long)]
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct WrapArgs {
    /// The module, a .wasm file of a compiler
    pub(crate) module: PathBuf,
    /// Where to write the component; a file that is there is replaced
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: PathBuf,
}

#[derive(Args)]
pub(crate) struct BindingsArgs {
    /// Folder with the WIT of the component's world and its dependencies in `deps`
    pub(crate) wit: PathBuf,
    /// The world, where there are several
    #[arg(long)]
    pub(crate) world: Option<String>,
    /// Folder for the header, the source and the object file; files that are there are replaced
    #[arg(long, short, value_name = "DIR")]
    pub(crate) output: PathBuf,
}
