//! What a hundred hostile runs cost all others: the latency of ordinary runs without them and beside them.

use crate::host::{Host, Shape};
use crate::load::{self, Until};
use crate::report::{Better, Report};
use anyhow::{Result, ensure};
use lockstep_types::RunStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const GROUP: &str = "beside 100 hostile runs";
/// Hostile runs at the same time. When one has failed, the next of its kind is started.
const HOSTILE: usize = 100;
/// Compute until the fuel ends, take all the memory there is, ask the host without end.
const CONFIGS: [&str; 3] =
    ["{ do = \"loop\" }", "{ do = \"eat-memory\" }", "{ do = \"host-calls\", n = 1000000 }"];
/// Ordinary runs in flight at a time.
const IN_FLIGHT: u32 = 16;

/// Measures on a warm host.
pub(crate) async fn measure(host: &Arc<Host>, time: Duration, report: &mut Report) -> Result<()> {
    let ordinary = async || {
        load::measure(host, Shape::CommitPerRun, IN_FLIGHT, Until::Time(Instant::now() + time)).await
    };
    let alone = ordinary().await?;
    let is_over = Arc::new(AtomicBool::new(false));
    let mut hostile = JoinSet::new();
    for number in 0..HOSTILE {
        hostile.spawn(keep_failing(Arc::clone(host), CONFIGS[number % CONFIGS.len()], Arc::clone(&is_over)));
    }
    let beside = ordinary().await?;
    is_over.store(true, Ordering::Relaxed);
    while let Some(ended) = hostile.join_next().await {
        ended??;
    }
    let named = |what: &str| format!("{what}, {IN_FLIGHT} in flight");
    report.add(GROUP, &named("p99 without them"), "ms", alone.latency_ms(0.99), Better::Less);
    report.add(GROUP, &named("p99"), "ms", beside.latency_ms(0.99), Better::Less);
    let times = beside.latency_ms(0.99) / alone.latency_ms(0.99);
    report.add_aimed(GROUP, &named("p99, times as long"), "", times, Better::Less, 2.0);
    Ok(())
}

async fn keep_failing(host: Arc<Host>, config: &str, is_over: Arc<AtomicBool>) -> Result<()> {
    let pipeline =
        format!("name = \"hostile\"\n[[steps]]\nname = \"one\"\nkind = \"probe\"\nconfig = {config}\n");
    while !is_over.load(Ordering::Relaxed) {
        let ended = host.start(pipeline.clone()).await?;
        ensure!(ended.status == RunStatus::Failed, "{config} ended as {:?}", ended.status);
    }
    Ok(())
}
