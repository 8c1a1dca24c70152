//! What a hundred hostile runs cost all others: the latency of ordinary runs without them and beside them.

use crate::host::{Host, request};
use crate::{Until, millis};
use anyhow::{Result, ensure};
use lockstep_ports::RunService;
use lockstep_runtime::Runtime;
use lockstep_types::RunStatus;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Hostile runs at the same time. When one has failed, the next of its kind is started.
const HOSTILE: usize = 100;

/// What they do, in turn: compute until their fuel ends, take all the memory there is, ask the host without end.
const CONFIGS: [&str; 3] =
    ["{ do = \"loop\" }", "{ do = \"eat-memory\" }", "{ do = \"host-calls\", n = 1000000 }"];

/// Ordinary runs in flight at a time.
const IN_FLIGHT: [u32; 3] = [1, 16, 64];

/// Prints a line for each number of ordinary runs.
pub(crate) async fn measure(folder: &Path, probe: &[u8], time: Duration) -> Result<()> {
    println!("beside {HOSTILE} hostile runs that are started again whenever they have failed:");
    println!(
        "{:>9} {:>10} {:>10} {:>9} {:>10} {:>10} {:>9} {:>9} {:>9}",
        "in flight",
        "p50 alone",
        "p99 alone",
        "runs/s",
        "p50 beside",
        "p99 beside",
        "runs/s",
        "p99 times",
        "hostile/s"
    );
    for in_flight in IN_FLIGHT {
        let folder = tempfile::tempdir_in(folder)?;
        let host = Host::open(folder.path(), probe).await?;
        host.runs(in_flight, Until::Count(in_flight)).await?;
        let alone = ordinary(&host, in_flight, time).await?;
        let hostile = Hostile::start(host.runtime());
        let beside = ordinary(&host, in_flight, time).await?;
        let failed = hostile.stop().await?;
        println!(
            "{in_flight:>9} {:>10.2} {:>10.2} {:>9.0} {:>10.2} {:>10.2} {:>9.0} {:>9.2} {:>9.1}",
            alone.p50,
            alone.p99,
            alone.rate,
            beside.p50,
            beside.p99,
            beside.rate,
            beside.p99 / alone.p99,
            f64::from(failed) / time.as_secs_f64()
        );
        host.close().await;
    }
    println!();
    Ok(())
}

/// Latencies in milliseconds, and runs a second.
struct Figures {
    p50: f64,
    p99: f64,
    rate: f64,
}

async fn ordinary(host: &Host, in_flight: u32, time: Duration) -> Result<Figures> {
    let begin = Instant::now();
    let mut latencies = host.runs(in_flight, Until::Time(begin + time)).await?;
    let rate = latencies.len() as f64 / begin.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let at = |share: f64| millis(latencies[((latencies.len() - 1) as f64 * share) as usize]);
    Ok(Figures { p50: at(0.5), p99: at(0.99), rate })
}

struct Hostile {
    is_over: Arc<AtomicBool>,
    failed: Arc<AtomicU32>,
    workers: Vec<tokio::task::JoinHandle<Result<()>>>,
}

impl Hostile {
    fn start(runtime: &Runtime) -> Self {
        let (is_over, failed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let workers = (0..HOSTILE)
            .map(|number| {
                let (runtime, is_over, failed) = (runtime.clone(), Arc::clone(&is_over), Arc::clone(&failed));
                tokio::spawn(async move {
                    let config = CONFIGS[number % CONFIGS.len()];
                    let pipeline = format!(
                        "name = \"hostile\"\n[[steps]]\nname = \"one\"\nkind = \"probe\"\nconfig = {config}\n"
                    );
                    let mut round = 0_u32;
                    while !is_over.load(Ordering::Relaxed) {
                        round += 1;
                        let item = format!("hostile-{number}-{round}");
                        let summary = runtime.start(request(&pipeline, &item)).await?;
                        ensure!(
                            summary.status == RunStatus::Failed,
                            "{config} ended as {:?}",
                            summary.status
                        );
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(())
                })
            })
            .collect();
        Self { is_over, failed, workers }
    }

    /// Lets the last ones end, and gives how many had failed before.
    async fn stop(self) -> Result<u32> {
        let failed = self.failed.load(Ordering::Relaxed);
        self.is_over.store(true, Ordering::Relaxed);
        for worker in self.workers {
            worker.await??;
        }
        Ok(failed)
    }
}
