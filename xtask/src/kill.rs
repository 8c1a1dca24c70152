//! `cargo xtask kill`: kills the real binary under load, over and over, and checks from outside what came of it.

use anyhow::Result;

use crate::{guests, workspace};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How often the server is killed
    #[arg(long, default_value_t = 200)]
    cycles: u32,
    /// Build for speed: more happens between two kills
    #[arg(long)]
    release: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let root = workspace::root();
    guests::run(&guests::Args::default())?;
    let profile: &[&str] = if args.release { &["--release"] } else { &[] };
    workspace::run(
        workspace::cargo(&root).args(["build", "--locked", "--package", "lockstep"]).args(profile),
    )?;
    let mut test = workspace::cargo(&root);
    test.args(["test", "--locked", "--package", "lockstep-e2e", "--test", "it"]).args(profile);
    test.args(["--", "--nocapture", "--exact", "kill::kills_under_load_lose_nothing_and_repeat_nothing"]);
    test.env("LOCKSTEP_KILL_CYCLES", args.cycles.to_string());
    workspace::run(&mut test)
}
