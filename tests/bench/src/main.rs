//! The project's yardstick: durable steps a second, latency, the parts of a call, recovery, start, memory and disk, each
//! beside what the machine does by itself. Run as `cargo xtask bench`.
//!
//! Store, flushes, engine and components are the real ones; only repositories and whoever carries out jobs are fakes.
#![allow(clippy::print_stdout, reason = "printing figures is its job")]

mod calls;
mod host;
mod hostile;
mod load;
mod long;
mod machine;
mod metered;
mod plot;
mod report;
mod scenarios;
mod starts;

use anyhow::{Context, Result};
use clap::Parser;
use host::{Host, Shape, Storage};
use load::{Load, Until};
use lockstep_runtime::Retention;
use machine::Disk;
use report::{Better, Report};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Runs in flight at a time.
const IN_FLIGHT: [u32; 4] = [1, 16, 64, 256];
/// Groups of figures, and figures that are looked up again.
const PER_RUN: &str = "five steps, one commit";
const PER_STEP: &str = "a commit after every step";
const IN_MEMORY: &str = "five steps, one commit, journal in memory";
const MEMORY: &str = "memory and disk";
const STARTING: &str = "start and recovery";
const RATE: &str = "steps a second";
const RAW_RATE: &str = "the disk alone, same bytes";
const CPU: &str = "processor time of a run";

#[derive(Parser)]
#[command(about = "Measures the host")]
struct Args {
    /// The probe component
    #[arg(long)]
    probe: PathBuf,
    /// The `lockstep` binary, for the time until it is ready; without it that is left out
    #[arg(long)]
    lockstep: Option<PathBuf>,
    /// Folder on the disk to measure; a new one inside it is used and removed
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// The commit that is measured
    #[arg(long, default_value = "unknown")]
    commit: String,
    /// Where measurements are kept
    #[arg(long)]
    kept: PathBuf,
    #[command(flatten)]
    asked: Asked,
}

#[derive(clap::Args)]
struct Asked {
    /// Seconds for each number of runs in flight
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Measure less of everything, in under a minute
    #[arg(long)]
    quick: bool,
    /// Also finish so many runs in one host and watch its memory and disk
    #[arg(long, value_name = "RUNS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=long::RUNS_MAX))]
    long: u64,
    /// Keep only so many runs during the long run
    #[arg(long, value_name = "RUNS")]
    retain: Option<u64>,
    /// Keep the result in place of the last kept one
    #[arg(long)]
    keep: bool,
}

/// How much is measured.
struct Scale {
    time: Duration,
    calls: u32,
    /// Runs finished before memory and disk are looked at.
    finished: u64,
    /// Runs stored before the binary is started.
    stored: u64,
    recovered: usize,
}

impl Scale {
    fn of(asked: &Asked) -> Self {
        if asked.quick {
            let time = Duration::from_secs(1);
            return Self { time, calls: 2_000, finished: 2_000, stored: 5_000, recovered: 200 };
        }
        let time = Duration::from_secs(asked.seconds);
        Self { time, calls: 20_000, finished: 10_000, stored: 100_000, recovered: 1_000 }
    }
}

/// What all measurements need.
struct Bench<'a> {
    args: &'a Args,
    scale: Scale,
    probe: Vec<u8>,
    folder: &'a Path,
    report: Report,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let folder = tempfile::tempdir_in(&args.dir).context("make a folder for the measurement")?;
    let probe = std::fs::read(&args.probe)
        .with_context(|| format!("read {}: run `cargo xtask guests`", args.probe.display()))?;
    let scale = Scale::of(&args.asked);
    let settings =
        if args.asked.quick { "quick".to_owned() } else { format!("{} s each", args.asked.seconds) };
    let busy = machine::load_average();
    let report = Report {
        commit: args.commit.clone(),
        at: lockstep_ports::Clock::now(&lockstep_runtime::SystemClock::default()).to_string(),
        machine: machine::describe(),
        settings,
        busy,
        ..Report::default()
    };
    println!("{} · {} · load average {busy:.1}", report.machine, report.settings);
    let mut bench = Bench { args: &args, scale, probe, folder: folder.path(), report };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(bench.measure())?;
    drop(runtime);
    bench.starts()?;
    finish(&args, &bench.report)
}

/// Compares with what is kept, and keeps what is to be kept.
fn finish(args: &Args, report: &Report) -> Result<()> {
    let json = args.kept.join("latest.json");
    report.sum_up();
    if let Some(kept) = Report::read(&json)? {
        report.compare(&kept);
    }
    if args.asked.keep {
        std::fs::create_dir_all(&args.kept).with_context(|| format!("make {}", args.kept.display()))?;
        report.write(&json)?;
        plot::write(report, &args.kept.join("latest.svg"))?;
        println!("\nkept in {}", json.display());
    }
    Ok(())
}

impl Bench<'_> {
    async fn measure(&mut self) -> Result<()> {
        self.memory_and_disk().await?;
        if self.args.asked.long > 0 {
            let folder = tempfile::tempdir_in(self.folder)?;
            let host = self.host(Storage::Disk(folder.path())).await?;
            let runs = self.args.asked.retain;
            host.runtime.retain(Retention { runs, ..Retention::default() });
            self.report.long = long::measure(host, folder.path(), self.args.asked.long).await?;
        }
        self.load(IN_MEMORY, Shape::CommitPerRun, true).await?;
        self.load(PER_RUN, Shape::CommitPerRun, false).await?;
        self.load(PER_STEP, Shape::CommitPerStep, false).await?;
        self.scenarios().await?;
        let folder = tempfile::tempdir_in(self.folder)?;
        let (runs, cache) = (self.scale.recovered, self.cache());
        let recovered = starts::recovery(folder.path(), &self.probe, &cache, runs).await?;
        let name = format!("{runs} runs in flight go on");
        self.report.add_aimed(STARTING, &name, "s", recovered.as_secs_f64(), Better::Less, 2.0);
        Ok(())
    }

    async fn host(&self, storage: Storage<'_>) -> Result<Arc<Host>> {
        Ok(Arc::new(Host::open(storage, &self.probe, &self.cache()).await?))
    }

    /// Compiled components are shared by all hosts, as they are by those of a user.
    fn cache(&self) -> PathBuf {
        self.folder.join("compiled")
    }

    async fn memory_and_disk(&mut self) -> Result<()> {
        let folder = tempfile::tempdir_in(self.folder)?;
        let host = self.host(Storage::Disk(folder.path())).await?;
        let (idle, runs) = (machine::resident_mb("self")?, self.scale.finished);
        let load = load::measure(&host, Shape::CommitPerRun, 64, Until::Count(runs)).await?;
        let resident = machine::resident_mb("self")?;
        let report = &mut self.report;
        report.add(MEMORY, "resident, no run yet, within this bench", "MB", idle, Better::Less);
        let name = format!("resident, {runs} finished runs, within this bench");
        report.add_aimed(MEMORY, &name, "MB", resident, Better::Less, 200.0);
        let kept = (resident - idle).max(0.0) * 1024.0 / runs as f64;
        report.add(MEMORY, "memory kept of a finished run", "kB", kept, Better::Less);
        let stored = machine::bytes_below(folder.path())? as f64 / runs as f64 / 1e3;
        report.add(MEMORY, "on disk, a run", "kB", stored, Better::Less);
        let record = load.record_bytes_per_commit() as f64 * load.commits_per_run() / 1e3;
        report.add(MEMORY, "of that its record as text", "kB", record, Better::Less);
        let alone = load::measure(&host, Shape::CommitPerRun, 1, Until::Count(runs / 10)).await?;
        calls::measure(&host, self.scale.calls, alone.commit_us(), report).await?;
        let (begin, calls) = (Instant::now(), host.backtest().await?);
        let rate = calls as f64 / begin.elapsed().as_secs_f64();
        report.add_aimed("backtest", "recorded calls a second", "", rate, Better::More, 5_000.0);
        hostile::measure(&host, self.scale.time, report).await?;
        close(host).await
    }

    /// Runs of a shape at all numbers in flight, each on a store of its own.
    async fn load(&mut self, group: &str, shape: Shape, in_memory: bool) -> Result<()> {
        for in_flight in IN_FLIGHT {
            let folder = tempfile::tempdir_in(self.folder)?;
            let storage = if in_memory { Storage::Memory } else { Storage::Disk(folder.path()) };
            let host = self.host(storage).await?;
            let warm = Until::Count(u64::from(in_flight) + 50);
            let warm = load::measure(&host, shape, in_flight, warm).await?;
            // As many commits as are in flight could share a flush: so many bytes at once. The disk is not the same at
            // all times: what it does by itself is looked at before and after.
            let bytes = warm.record_bytes_per_commit() * in_flight as usize;
            let time = self.scale.time.min(Duration::from_secs(1));
            let before = (!in_memory).then(|| machine::disk(folder.path(), bytes, time)).transpose()?;
            let until = Until::Time(Instant::now() + self.scale.time);
            let load = load::measure(&host, shape, in_flight, until).await?;
            close(host).await?;
            let disk = match before {
                Some(before) => Some(before.or_better(machine::disk(folder.path(), bytes, time)?)),
                None => None,
            };
            self.add_load(group, shape, in_flight, &load, disk.as_ref());
        }
        Ok(())
    }

    fn add_load(&mut self, group: &str, shape: Shape, in_flight: u32, load: &Load, disk: Option<&Disk>) {
        let report = &mut self.report;
        let named = |what: &str| format!("{what}, {in_flight} in flight");
        let (rate, p50) = (load.steps_per_second(), load.latency_ms(0.5));
        match (in_flight, shape, disk) {
            (256, Shape::CommitPerRun, Some(_)) => {
                report.add_aimed(group, &named(RATE), "", rate, Better::More, 30_000.0);
            }
            (256, Shape::CommitPerStep, Some(_)) => {
                report.add_aimed(group, &named(RATE), "", rate, Better::More, 15_000.0);
            }
            _ => report.add(group, &named(RATE), "", rate, Better::More),
        }
        if let Some(raw) = disk {
            let steps = raw.flushes_per_second * f64::from(in_flight) * f64::from(host::STEPS);
            let raw_rate = steps / load.commits_per_run();
            report.add(group, &named(RAW_RATE), "", raw_rate, Better::Neither);
            let flush = raw.p50.as_secs_f64() * 1e3;
            report.add(group, &named("one such flush"), "ms", flush, Better::Neither);
            if (in_flight, shape) == (1, Shape::CommitPerRun) {
                report.add_aimed(group, &named("p50"), "ms", p50, Better::Less, 3.0 * flush + 0.5);
            } else {
                report.add(group, &named("p50"), "ms", p50, Better::Less);
            }
            report.add(group, &named("p99"), "ms", load.latency_ms(0.99), Better::Less);
        }
        report.add(group, &named(CPU), "µs", load.cpu_us(), Better::Less);
    }

    async fn scenarios(&mut self) -> Result<()> {
        let rates = scenarios::measure(self.scale.time).await?;
        let group = "conformance scenarios";
        let once = format!("{} with the real components, once", rates.scenarios);
        self.report.add(group, &once, "s", rates.once.as_secs_f64(), Better::Less);
        self.report.add(group, "loading those components", "s", rates.load.as_secs_f64(), Better::Less);
        self.report.add(group, "a second, with recorded components", "", rates.scripted, Better::More);
        Ok(())
    }

    /// A host over many stored runs: within this bench, then the real binary.
    fn starts(&mut self) -> Result<()> {
        let (stored, runs) = (tempfile::tempdir_in(self.folder)?, self.scale.stored);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let up = runtime.block_on(async {
            let host = self.host(Storage::Disk(stored.path())).await?;
            load::measure(&host, Shape::CommitPerRun, 64, Until::Count(runs)).await?;
            close(host).await?;
            let begin = Instant::now();
            let host = Host::bring_up(Storage::Disk(stored.path()), &self.cache()).await?;
            let up = begin.elapsed();
            host.close().await;
            anyhow::Ok(up)
        })?;
        drop(runtime);
        let named = |what: &str| format!("{what}, {runs} runs stored");
        let report = &mut self.report;
        report.add(STARTING, &named("store and runtime open"), "ms", millis(up), Better::Less);
        let Some(lockstep) = &self.args.lockstep else {
            println!("  without --lockstep the binary is not started");
            return Ok(());
        };
        let empty = tempfile::tempdir_in(self.folder)?;
        let idle = starts::measure(lockstep, empty.path())?;
        let many = starts::measure(lockstep, stored.path())?;
        report.add(STARTING, "ready, nothing stored, first start", "ms", millis(idle.first), Better::Less);
        report.add(STARTING, "ready, nothing stored", "ms", millis(idle.again), Better::Less);
        report.add(STARTING, &named("ready, first start"), "ms", millis(many.first), Better::Less);
        report.add_aimed(STARTING, &named("ready"), "ms", millis(many.again), Better::Less, 500.0);
        let killed = millis(many.after_kill);
        report.add_aimed(STARTING, &named("ready after kill -9"), "ms", killed, Better::Less, 500.0);
        let idle = idle.resident_mb;
        report.add_aimed(MEMORY, "resident, `lockstep serve`, idle", "MB", idle, Better::Less, 80.0);
        report.add(MEMORY, &named("resident, `lockstep serve`"), "MB", many.resident_mb, Better::Less);
        Ok(())
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

async fn close(host: Arc<Host>) -> Result<()> {
    Arc::into_inner(host).context("nothing uses the host any more")?.close().await;
    Ok(())
}
