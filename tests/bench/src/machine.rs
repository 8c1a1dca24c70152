//! What the machine tells of itself and of this process.

use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A start that takes longer is broken.
const READY_MAX: Duration = Duration::from_secs(60);

pub(crate) fn describe() -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("");
    format!("{cores} cores, {}", model.trim_start_matches([' ', '\t', ':']))
}

pub(crate) fn resident_mb() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status").context("read this process's memory")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kib / 1024.0)
}

pub(crate) fn bytes_below(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        bytes += if meta.is_dir() { bytes_below(&entry.path())? } else { meta.len() };
    }
    Ok(bytes)
}

/// What the disk does at best: one append and one flush after another.
pub(crate) fn flushes_per_second(folder: &Path, time: Duration) -> Result<f64> {
    let path = folder.join("flushes");
    let mut file = File::create(&path)?;
    let (begin, mut count) = (Instant::now(), 0_u32);
    while begin.elapsed() < time {
        file.write_all(&[1; 4096])?;
        file.sync_data()?;
        count += 1;
    }
    let rate = f64::from(count) / begin.elapsed().as_secs_f64();
    fs::remove_file(path)?;
    Ok(rate)
}

/// Time from starting the binary to its server being bound: the first start, which tidies up after all that was written
/// and adds the standard components, and the best of the three that follow.
pub(crate) fn time_to_ready(lockstep: &Path, folder: &Path) -> Result<(Duration, Duration)> {
    let first = one_start(lockstep, folder)?;
    let mut best = READY_MAX;
    for _ in 0..3 {
        best = best.min(one_start(lockstep, folder)?);
    }
    Ok((first, best))
}

fn one_start(lockstep: &Path, folder: &Path) -> Result<Duration> {
    let up = folder.join("server.json");
    drop(fs::remove_file(&up));
    let begin = Instant::now();
    let mut serve = Command::new(lockstep);
    serve.arg("--data").arg(folder).args(["serve", "--listen", "127.0.0.1:0"]);
    let mut child =
        serve.stdout(Stdio::null()).spawn().with_context(|| format!("start {}", lockstep.display()))?;
    while !up.exists() {
        if begin.elapsed() > READY_MAX || child.try_wait()?.is_some() {
            drop(child.kill());
            bail!("the server did not become ready");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let ready = begin.elapsed();
    Command::new("kill").arg(child.id().to_string()).status()?;
    child.wait()?;
    Ok(ready)
}
