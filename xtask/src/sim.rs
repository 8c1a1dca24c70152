//! `cargo xtask sim`: lives through many simulated histories, built for speed.

use anyhow::Result;

use crate::workspace;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many seeds
    #[arg(long, default_value_t = 1000)]
    seeds: u32,
    /// The first of them
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Instead, live through so many runs in peace and while every kind is swapped, and compare
    #[arg(long, value_name = "RUNS")]
    swap: Option<u64>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let mut cargo = workspace::cargo(&workspace::root());
    cargo.args(["run", "--locked", "--release", "--package", "lockstep-sim", "--"]);
    cargo.args(["--seeds", &args.seeds.to_string(), "--from", &args.from.to_string()]);
    if let Some(runs) = args.swap {
        cargo.args(["--swap", &runs.to_string()]);
    }
    workspace::run(&mut cargo)
}
