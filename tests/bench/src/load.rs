//! Runs in flight: how many a second, how long each takes, and what each costs.

use crate::host::{Host, STEPS, Shape};
use crate::machine::cpu_time;
use crate::metered::Written;
use anyhow::Result;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// When starting runs ends.
#[derive(Clone, Copy)]
pub(crate) enum Until {
    Count(u64),
    Time(Instant),
}

/// What was seen of runs in flight.
pub(crate) struct Load {
    pub(crate) runs: u64,
    time: Duration,
    cpu: Duration,
    written: Written,
    /// Sorted.
    latencies: Vec<Duration>,
}

impl Load {
    pub(crate) fn runs_per_second(&self) -> f64 {
        self.runs as f64 / self.time.as_secs_f64()
    }

    pub(crate) fn steps_per_second(&self) -> f64 {
        self.runs_per_second() * f64::from(STEPS)
    }

    /// Processor time of one run, on all cores.
    pub(crate) fn cpu_us(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.runs as f64
    }

    pub(crate) fn record_bytes_per_commit(&self) -> usize {
        usize::try_from(self.written.record_bytes / self.written.commits.max(1)).unwrap_or(usize::MAX)
    }

    pub(crate) fn commits_per_run(&self) -> f64 {
        self.written.commits as f64 / self.runs as f64
    }

    /// Mean wait for one commit.
    pub(crate) fn commit_us(&self) -> f64 {
        self.written.waited_ns as f64 / 1e3 / self.written.commits.max(1) as f64
    }

    /// How long a run took that is slower than this share of all.
    pub(crate) fn latency_ms(&self, share: f64) -> f64 {
        let at = (self.latencies.len().saturating_sub(1) as f64 * share) as usize;
        self.latencies.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e3)
    }
}

/// Starts runs, so many at a time.
pub(crate) async fn measure(host: &Arc<Host>, shape: Shape, in_flight: u32, until: Until) -> Result<Load> {
    let left = Arc::new(AtomicU64::new(match until {
        Until::Count(count) => count,
        Until::Time(_) => u64::MAX,
    }));
    let (begin, cpu, written) = (Instant::now(), cpu_time(), host.journal.written());
    let tasks: Vec<_> = (0..in_flight)
        .map(|_| tokio::spawn(worker(Arc::clone(host), shape, Arc::clone(&left), until)))
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await??);
    }
    let (time, cpu, written) = (begin.elapsed(), cpu_time() - cpu, host.journal.written().since(written));
    latencies.sort_unstable();
    Ok(Load { runs: latencies.len() as u64, time, cpu, written, latencies })
}

async fn worker(host: Arc<Host>, shape: Shape, left: Arc<AtomicU64>, until: Until) -> Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    let take = || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
    while take() {
        if let Until::Time(end) = until
            && Instant::now() >= end
        {
            break;
        }
        let begin = Instant::now();
        host.run(shape).await?;
        latencies.push(begin.elapsed());
    }
    Ok(latencies)
}
