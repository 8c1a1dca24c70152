//! `cargo xtask bench`: builds everything for release and measures it.

use anyhow::Result;

use crate::demo::cargo_target;
use crate::guests;
use crate::workspace::{cargo, root, run};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Seconds for each number of runs in flight
    #[arg(long, default_value_t = 5)]
    seconds: u64,
}

pub(crate) fn bench(args: &Args) -> Result<()> {
    let root = root();
    guests::run(&guests::Args::default())?;
    let packages = ["--package", "lockstep", "--package", "lockstep-bench"];
    run(cargo(&root).args(["build", "--release", "--locked"]).args(packages))?;
    let target = cargo_target(&root);
    let mut bench = std::process::Command::new(target.join("release/lockstep-bench"));
    bench.arg("--probe").arg(root.join("target/probes/probe.wasm"));
    bench.arg("--lockstep").arg(target.join("release/lockstep"));
    bench.arg("--dir").arg(&target).arg("--seconds").arg(args.seconds.to_string());
    run(&mut bench)
}
