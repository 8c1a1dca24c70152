//! What the machine tells of itself and of processes.

use anyhow::{Context, Result};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

pub(crate) fn describe() -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("");
    format!("{cores} cores, {}", model.trim_start_matches([' ', '\t', ':']))
}

/// What a process has in memory; `self` is this one.
pub(crate) fn resident_mb(process: &str) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).context("read a process's memory")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kib / 1024.0)
}

/// How many other programs wanted the processors in the last minute: figures of a busy machine are worth less.
pub(crate) fn load_average() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0.0)
}

pub(crate) fn bytes_below(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        // What a running store removes meanwhile counts no more.
        let Ok(meta) = entry.as_ref().map_err(|_| ()).and_then(|entry| entry.metadata().map_err(|_| ()))
        else {
            continue;
        };
        bytes += if meta.is_dir() { bytes_below(&entry?.path())? } else { meta.len() };
    }
    Ok(bytes)
}

/// Processor time of this process so far, all threads together.
pub(crate) fn cpu_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.try_into().unwrap_or_default(), now.tv_nsec.try_into().unwrap_or_default())
}

/// What the disk does by itself.
pub(crate) struct Disk {
    pub(crate) flushes_per_second: f64,
    /// Half of the flushes were faster.
    pub(crate) p50: Duration,
}

impl Disk {
    pub(crate) fn or_better(self, other: Self) -> Self {
        if other.flushes_per_second > self.flushes_per_second { other } else { self }
    }
}

/// One append of so many bytes after another, each followed by a flush.
pub(crate) fn disk(folder: &Path, bytes: usize, time: Duration) -> Result<Disk> {
    let path = folder.join("flushes");
    let mut file = File::create(&path)?;
    let (block, begin, mut times) = (vec![1; bytes], Instant::now(), Vec::new());
    while begin.elapsed() < time {
        let flush = Instant::now();
        file.write_all(&block)?;
        file.sync_data()?;
        times.push(flush.elapsed());
    }
    let flushes_per_second = times.len() as f64 / begin.elapsed().as_secs_f64();
    fs::remove_file(path)?;
    times.sort_unstable();
    let p50 = times.get(times.len() / 2).copied().unwrap_or_default();
    Ok(Disk { flushes_per_second, p50 })
}
