//! The host under measurement.

use crate::Until;
use anyhow::{Result, ensure};
use async_trait::async_trait;
use lockstep_ports::{
    ActivateRequest, BacktestCandidate, BacktestRequest, BacktestService, CheckOrder, Checks,
    ComponentService, Observer, RunService, StartRequest, StepExecutor,
};
use lockstep_runtime::{Drive, Outside, Runtime, SystemClock, Waker};
use lockstep_sandbox::{Sandbox, SandboxOptions};
use lockstep_store::SledStore;
use lockstep_testkit::{
    FakeChangeSource, FakeCredentials, FakeEffects, FakeJobs, FakeMergeability, FakeObservations,
    FakeWorkspace,
};
use lockstep_types::{
    CheckReport, Digest, Grant, ObservationAnswer, ObservationRequest, ObserveFailure, Outcome, RunId,
    RunStatus, StepInput,
};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const PIPELINE: &str = r#"
name = "bench"
[[steps]]
name = "one"
kind = "probe"
[[steps]]
name = "two"
kind = "probe"
[[steps]]
name = "three"
kind = "probe"
[[steps]]
name = "four"
kind = "probe"
[[steps]]
name = "five"
kind = "probe"
"#;

pub(crate) struct Host {
    runtime: Runtime,
    executor: Arc<Sandbox>,
    store: Arc<SledStore>,
    digest: Digest,
    grant: Grant,
    started: Arc<AtomicU32>,
}

struct NoChecks;

#[async_trait]
impl Checks for NoChecks {
    async fn read(&self, _: CheckOrder<'_>) -> Result<CheckReport, ObserveFailure> {
        Err(ObserveFailure::NotConfigured)
    }

    async fn forget(&self, _: &RunId) {}
}

struct Unasked;

#[async_trait]
impl Observer for Unasked {
    async fn observe(&self, _: &ObservationRequest) -> ObservationAnswer {
        ObservationAnswer::Failed(ObserveFailure::NotConfigured)
    }
}

impl Host {
    pub(crate) async fn open(folder: &Path, probe: &[u8]) -> Result<Self> {
        let store = Arc::new(SledStore::open(folder)?);
        let options = SandboxOptions { cache_dir: Some(folder.join("cache")), ..SandboxOptions::default() };
        let executor = Arc::new(Sandbox::new(Arc::clone(&store) as _, options)?);
        let outside = Outside {
            journal: Arc::clone(&store) as _,
            components: Arc::clone(&store) as _,
            executor: Arc::clone(&executor) as _,
            checks: Arc::new(NoChecks),
            mergeability: Arc::new(FakeMergeability::new([])),
            workspace: Arc::new(FakeWorkspace::default()),
            credentials: Arc::new(FakeCredentials::default()),
            observations: Arc::new(FakeObservations::default()),
            jobs: Arc::new(FakeJobs::new()),
            effects: Arc::new(FakeEffects::new()),
            changes: Arc::new(FakeChangeSource::default()),
            clock: Arc::new(SystemClock::default()),
        };
        let runtime = Runtime::open(outside, Waker::default(), Drive::Runs).await?;
        let info = runtime.add_component(probe.to_vec().into()).await?.info;
        let grant = Grant {
            imports: info.imports.clone(),
            jobs: info.descriptor.jobs,
            effects: info.descriptor.effects,
            dirs: Vec::new(),
        };
        let request = ActivateRequest {
            kind: "probe".to_owned(),
            digest: info.digest.to_string(),
            grant: Some(grant.clone()),
            ..ActivateRequest::default()
        };
        runtime.activate(request).await?;
        Ok(Self { runtime, executor, store, digest: info.digest, grant, started: Arc::default() })
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    pub(crate) async fn close(self) {
        self.runtime.close().await;
        self.store.close();
    }

    /// Starts runs, so many at a time, and gives how long each took until it was durably done.
    pub(crate) async fn runs(&self, in_flight: u32, until: Until) -> Result<Vec<Duration>> {
        let left = Arc::new(AtomicU32::new(match until {
            Until::Count(count) => count,
            Until::Time(_) => u32::MAX,
        }));
        let tasks: Vec<_> = (0..in_flight)
            .map(|_| {
                let (runtime, started, left) =
                    (self.runtime.clone(), Arc::clone(&self.started), Arc::clone(&left));
                tokio::spawn(async move { worker(&runtime, &started, &left, until).await })
            })
            .collect();
        let mut latencies = Vec::new();
        for task in tasks {
            latencies.extend(task.await??);
        }
        Ok(latencies)
    }

    /// Makes every recorded call again, from the journal, with the component that made it; gives how many there were.
    pub(crate) async fn backtest(&self) -> Result<u64> {
        let candidate = BacktestCandidate::Digest(self.digest.to_string());
        let mut request = BacktestRequest::new("probe", candidate);
        request.last = Some(usize::MAX);
        let report = self.runtime.backtest(request, &|_| ()).await?;
        ensure!(report.counts.different() == 0, "the same component answers otherwise: {:?}", report.cases);
        Ok(report.counts.identical)
    }

    /// Mean time of a call of the sandbox alone.
    pub(crate) async fn time_calls(&self, count: u32) -> Duration {
        let input = self.input().await;
        let mut begin = Instant::now();
        for call in 0..2 * count {
            if call == count {
                begin = Instant::now();
            }
            let invocation = self.executor.invoke(self.digest, &self.grant, input.clone(), &Unasked).await;
            assert!(matches!(invocation.outcome, Outcome::Transition(_)), "{:?}", invocation.outcome);
        }
        begin.elapsed() / count
    }

    /// The input of a real call.
    async fn input(&self) -> StepInput {
        let started = start(&self.runtime, "input").await.expect("a run starts on an empty store");
        let views = self.runtime.invocations(&started, None).await.expect("its journal can be read");
        views.into_iter().next().expect("it called a component").invocation.input
    }
}

async fn worker(
    runtime: &Runtime,
    started: &AtomicU32,
    left: &AtomicU32,
    until: Until,
) -> Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    let take = || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
    while take() {
        if let Until::Time(end) = until
            && Instant::now() >= end
        {
            break;
        }
        let item = format!("item-{}", started.fetch_add(1, Ordering::Relaxed));
        let begin = Instant::now();
        start(runtime, &item).await?;
        latencies.push(begin.elapsed());
    }
    Ok(latencies)
}

async fn start(runtime: &Runtime, item: &str) -> Result<RunId> {
    let summary = runtime.start(request(PIPELINE, item)).await?;
    ensure!(summary.status == RunStatus::Done, "a run ended as {:?}: {:?}", summary.status, summary.failure);
    Ok(summary.id)
}

/// To run `pipeline` for `item`, on repositories that are fakes.
pub(crate) fn request(pipeline: &str, item: &str) -> StartRequest {
    StartRequest {
        pipeline: pipeline.to_owned(),
        pipeline_file: None,
        repository: "/repository".to_owned(),
        branch: "work".to_owned(),
        base: None,
        title: None,
        description: None,
        pin: None,
        item: Some(item.to_owned()),
        by: None,
        token: None,
    }
}
