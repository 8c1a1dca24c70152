//! Measures the host: durable steps a second, latency, cost of a call, memory, disk, start. Run as `cargo xtask bench`.
//!
//! A run has five steps that complete at once, on the real store with a real flush before each acknowledgement and real
//! components in the sandbox; only repositories and jobs are fakes.
#![allow(clippy::print_stdout, reason = "printing figures is its job")]

mod host;
mod hostile;
mod machine;
mod scenarios;

use anyhow::{Context, Result};
use clap::Parser;
use host::Host;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Steps of a run, as in `PIPELINE`.
const STEPS: u32 = 5;
/// Runs finished before memory, disk and start are looked at.
const RUNS_STORED: u32 = 10_000;
/// Calls timed one by one.
const CALLS: u32 = 20_000;
/// Runs in flight at a time.
const IN_FLIGHT: [u32; 4] = [1, 16, 64, 256];

#[derive(Parser)]
#[command(about = "Measures the host")]
struct Args {
    /// Seconds for each number of runs in flight
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// The probe component
    #[arg(long)]
    probe: PathBuf,
    /// The `lockstep` binary, for the time until it is ready
    #[arg(long)]
    lockstep: PathBuf,
    /// Folder on the disk to measure; a new one inside it is used and removed
    #[arg(long, default_value = ".")]
    dir: PathBuf,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let folder = tempfile::tempdir_in(&args.dir).context("make a folder for the measurement")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure_scenarios(args.seconds))?;
    runtime.block_on(measure(&args, folder.path()))?;
    drop(runtime);
    let (first, ready) = machine::time_to_ready(&args.lockstep, folder.path())?;
    println!(
        "start to ready, {RUNS_STORED} finished runs stored: first {:.0} ms, then {:.0} ms",
        millis(first),
        millis(ready)
    );
    Ok(())
}

async fn measure_scenarios(seconds: u64) -> Result<()> {
    let rates = scenarios::measure(Duration::from_secs(seconds)).await?;
    println!(
        "{} scenarios with the real components: {:.2} s, and {:.2} s to load those; \
         with recorded ones {:.0} scenarios a second\n",
        rates.scenarios,
        rates.once.as_secs_f64(),
        rates.load.as_secs_f64(),
        rates.scripted
    );
    Ok(())
}

async fn measure(args: &Args, folder: &std::path::Path) -> Result<()> {
    println!("{}", machine::describe());
    let flushes = machine::flushes_per_second(folder, Duration::from_secs(args.seconds.min(3)))?;
    println!("raw disk: {flushes:.0} appends of 4 KiB with fdatasync a second\n");
    let probe = std::fs::read(&args.probe)
        .with_context(|| format!("read {}: run `cargo xtask guests`", args.probe.display()))?;
    let host = Host::open(folder, &probe).await?;
    println!("resident memory, 0 finished runs: {:.0} MB", machine::resident_mb()?);

    let call = host.time_calls(CALLS).await;
    println!("one call (fresh instance, call, record): {:.1} us mean of {CALLS}", call.as_secs_f64() * 1e6);

    let mut finished = 0;
    finished += host.runs(64, Until::Count(1000)).await?.len();
    println!("resident memory, {finished} finished runs: {:.0} MB", machine::resident_mb()?);
    let left = RUNS_STORED.saturating_sub(u32::try_from(finished)?);
    finished += host.runs(64, Until::Count(left)).await?.len();
    println!("resident memory, {finished} finished runs: {:.0} MB", machine::resident_mb()?);
    let bytes = machine::bytes_below(folder)?;
    println!(
        "on disk, {finished} runs: {:.1} MB, {:.0} bytes a run\n",
        bytes as f64 / 1e6,
        bytes as f64 / finished as f64
    );
    let begun = Instant::now();
    let calls = host.backtest().await?;
    println!(
        "backtest of {calls} recorded calls: {:.0} a second; resident memory after it: {:.0} MB\n",
        calls as f64 / begun.elapsed().as_secs_f64(),
        machine::resident_mb()?
    );
    host.close().await;

    println!("{:>9} {:>9} {:>9} {:>10} {:>10}", "in flight", "runs/s", "steps/s", "p50 ms", "p99 ms");
    for in_flight in IN_FLIGHT {
        let folder = tempfile::tempdir_in(folder)?;
        let host = Host::open(folder.path(), &probe).await?;
        host.runs(in_flight, Until::Count(in_flight)).await?;
        let begin = Instant::now();
        let mut latencies =
            host.runs(in_flight, Until::Time(begin + Duration::from_secs(args.seconds))).await?;
        let rate = latencies.len() as f64 / begin.elapsed().as_secs_f64();
        latencies.sort_unstable();
        let at = |share: f64| millis(latencies[((latencies.len() - 1) as f64 * share) as usize]);
        let (p50, p99) = (at(0.5), at(0.99));
        println!("{in_flight:>9} {rate:>9.0} {:>9.0} {p50:>10.2} {p99:>10.2}", rate * f64::from(STEPS));
        host.close().await;
    }
    println!();
    hostile::measure(folder, &probe, Duration::from_secs(args.seconds)).await
}

/// When starting runs ends.
#[derive(Clone, Copy)]
enum Until {
    Count(u32),
    Time(Instant),
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
