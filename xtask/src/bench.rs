//! `cargo xtask bench`: builds everything for release and measures it.

use anyhow::{Context, Result};
use std::process::Command;

use crate::demo::cargo_target;
use crate::guests;
use crate::workspace::{cargo, root, run};

/// Longest measurement asked for by number: it takes hours.
const LONG_MAX: u64 = 1_000_000;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Seconds for each number of runs in flight
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Measure less of everything, in about a minute
    #[arg(long)]
    quick: bool,
    /// Also finish so many runs in one host and watch its memory and disk
    #[arg(long, value_name = "RUNS", value_parser = clap::value_parser!(u64).range(1..=LONG_MAX))]
    long: Option<u64>,
    /// Keep only so many runs during the long run
    #[arg(long, value_name = "RUNS", requires = "long")]
    retain: Option<u64>,
    /// Keep the result in benches/, in place of the last kept one
    #[arg(long)]
    keep: bool,
}

pub(crate) fn bench(args: &Args) -> Result<()> {
    let root = root();
    guests::run(&guests::Args::default())?;
    let packages = ["--package", "lockstep", "--package", "lockstep-bench"];
    run(cargo(&root).args(["build", "--release", "--locked"]).args(packages))?;
    let target = cargo_target(&root);
    let mut bench = Command::new(target.join("release/lockstep-bench"));
    bench.arg("--probe").arg(root.join("target/probes/probe.wasm"));
    bench.arg("--lockstep").arg(target.join("release/lockstep"));
    bench.arg("--dir").arg(&target).arg("--kept").arg(root.join("benches")).arg("--commit").arg(commit()?);
    bench.arg("--seconds").arg(args.seconds.to_string());
    if let Some(runs) = args.long {
        bench.arg("--long").arg(runs.to_string());
    }
    if let Some(runs) = args.retain {
        bench.arg("--retain").arg(runs.to_string());
    }
    bench.args(args.quick.then_some("--quick")).args(args.keep.then_some("--keep"));
    run(&mut bench)
}

/// What is measured, with a mark if files differ from it.
fn commit() -> Result<String> {
    let git = |args: &[&str]| -> Result<String> {
        let output = Command::new("git").args(args).current_dir(root()).output().context("run git")?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let changed = !git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    Ok(git(&["rev-parse", "--short=12", "HEAD"])? + if changed { "+" } else { "" })
}
