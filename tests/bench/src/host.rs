//! The host under measurement: everything of it is real but the repositories and whoever carries out jobs.

use crate::metered::Metered;
use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use lockstep_ports::{
    ActivateRequest, BacktestCandidate, BacktestRequest, BacktestService, CheckOrder, Checks,
    ComponentService, ComponentStore, Journal, RunService, StartRequest,
};
use lockstep_runtime::{Drive, Outside, Runtime, SystemClock, Waker};
use lockstep_sandbox::{Sandbox, SandboxOptions};
use lockstep_store::SledStore;
use lockstep_testkit::{
    FakeChangeSource, FakeCredentials, FakeEffects, FakeJobs, FakeMergeability, FakeObservations,
    FakeWorkspace, MemComponents, MemJournal,
};
use lockstep_types::{CheckReport, Digest, Grant, Invocation, ObserveFailure, RunId, RunStatus, RunSummary};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Steps of a run.
pub(crate) const STEPS: u32 = 5;
/// What a step dispatches in `Shape::Held`: its role, which is its name.
const HELD_JOB: &str = "held";

/// What the five steps of a run do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Each completes at once: all five are one turn, and one commit.
    CommitPerRun,
    /// Each waits for a time that has come already, and so ends its turn: it is called twice, and a run has six commits.
    CommitPerStep,
    /// The first asks for a job that nobody carries out: the run stays in flight.
    Held,
}

impl Shape {
    fn pipeline(self) -> String {
        let step = |at: u32| {
            let (name, config) = match self {
                Self::CommitPerRun => (format!("step-{at}"), "{}"),
                Self::CommitPerStep => (format!("step-{at}"), "{ do = \"wait\", n = 0 }"),
                Self::Held if at == 1 => (HELD_JOB.to_owned(), "{ do = \"dispatch\" }"),
                Self::Held => (format!("step-{at}"), "{}"),
            };
            format!("[[steps]]\nname = \"{name}\"\nkind = \"probe\"\nrole = \"{name}\"\nconfig = {config}\n")
        };
        (1..=STEPS).map(step).fold("name = \"bench\"\n".to_owned(), |text, step| text + &step)
    }
}

/// Where a host keeps its runs.
#[derive(Clone, Copy)]
pub(crate) enum Storage<'a> {
    Disk(&'a Path),
    /// Nowhere: what everything but the store costs.
    Memory,
}

pub(crate) struct Host {
    pub(crate) runtime: Runtime,
    pub(crate) executor: Arc<Sandbox>,
    pub(crate) journal: Arc<Metered>,
    pub(crate) jobs: Arc<FakeJobs>,
    store: Option<Arc<SledStore>>,
    pub(crate) digest: Digest,
    pub(crate) grant: Grant,
    started: AtomicU64,
}

struct NoChecks;

#[async_trait]
impl Checks for NoChecks {
    async fn read(&self, _: CheckOrder<'_>) -> Result<CheckReport, ObserveFailure> {
        Err(ObserveFailure::NotConfigured)
    }

    async fn forget(&self, _: &RunId) {}
}

impl Host {
    /// A host with the probe as the component of its kind.
    pub(crate) async fn open(storage: Storage<'_>, probe: &[u8], cache: &Path) -> Result<Self> {
        let mut host = Self::bring_up(storage, cache).await?;
        (host.digest, host.grant) = activate(&host.runtime, probe).await?;
        Ok(host)
    }

    /// A host with what is stored.
    pub(crate) async fn bring_up(storage: Storage<'_>, cache: &Path) -> Result<Self> {
        let store = match storage {
            Storage::Disk(folder) => Some(Arc::new(SledStore::open(folder)?)),
            Storage::Memory => None,
        };
        let (journal, components): (Arc<dyn Journal>, Arc<dyn ComponentStore>) = match &store {
            Some(store) => (Arc::clone(store) as _, Arc::clone(store) as _),
            None => (Arc::new(MemJournal::new()), Arc::new(MemComponents::default())),
        };
        let options = SandboxOptions { cache_dir: Some(cache.to_owned()), ..SandboxOptions::default() };
        let executor = Arc::new(Sandbox::new(Arc::clone(&components), options)?);
        let (journal, jobs) = (Arc::new(Metered::new(journal)), Arc::new(FakeJobs::new()));
        jobs.hold(HELD_JOB);
        let outside = Outside {
            journal: Arc::clone(&journal) as _,
            components,
            executor: Arc::clone(&executor) as _,
            checks: Arc::new(NoChecks),
            mergeability: Arc::new(FakeMergeability::new([])),
            workspace: Arc::new(FakeWorkspace::default()),
            credentials: Arc::new(FakeCredentials::default()),
            observations: Arc::new(FakeObservations::default()),
            jobs: Arc::clone(&jobs) as _,
            effects: Arc::new(FakeEffects::new()),
            changes: Arc::new(FakeChangeSource::default()),
            clock: Arc::new(SystemClock::default()),
        };
        let runtime = Runtime::open(outside, Waker::default(), Drive::Runs).await?;
        let (digest, grant, started) = (Digest::zero(), Grant::default(), AtomicU64::default());
        Ok(Self { runtime, executor, journal, jobs, store, digest, grant, started })
    }

    pub(crate) async fn close(self) {
        self.runtime.close().await;
        if let Some(store) = self.store {
            store.close();
        }
    }

    /// Starts a run and waits until its end is durable.
    pub(crate) async fn run(&self, shape: Shape) -> Result<RunId> {
        let item = self.next_item();
        let end = self.journal.end_of(&item);
        let started = self.start_for(shape.pipeline(), item).await?;
        let summary = if started.status.is_live() { end.await? } else { started };
        let (status, failure) = (summary.status, summary.failure);
        ensure!(status == RunStatus::Done, "a run ended as {status:?}: {failure:?}");
        Ok(summary.id)
    }

    /// Starts a run that does not end.
    pub(crate) async fn hold(&self) -> Result<()> {
        let started = self.start(Shape::Held.pipeline()).await?;
        ensure!(started.status.is_live(), "a run that was to be held ended as {:?}", started.status);
        Ok(())
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

    /// The calls of a real run.
    pub(crate) async fn invocations(&self, shape: Shape) -> Result<Vec<Invocation>> {
        let run = self.run(shape).await?;
        let views = self.runtime.invocations(&run, None).await.context("read what a run called")?;
        Ok(views.into_iter().map(|view| view.invocation).collect())
    }

    /// The stored records of a run.
    pub(crate) async fn records(&self, run: &RunId) -> Result<Vec<Vec<u8>>> {
        Ok(self.journal.records(run, 1).await?)
    }

    fn next_item(&self) -> String {
        format!("item-{}", self.started.fetch_add(1, Ordering::Relaxed))
    }

    /// Starts a run for an item of its own.
    pub(crate) async fn start(&self, pipeline: String) -> Result<RunSummary> {
        self.start_for(pipeline, self.next_item()).await
    }

    async fn start_for(&self, pipeline: String, item: String) -> Result<RunSummary> {
        let request = StartRequest {
            pipeline,
            pipeline_file: None,
            repository: "/repository".to_owned(),
            branch: "work".to_owned(),
            base: None,
            title: None,
            description: None,
            pin: None,
            item: Some(item),
            by: None,
            token: None,
        };
        Ok(self.runtime.start(request).await?)
    }
}

/// Lets the kind `probe` do all that its component asks for.
async fn activate(runtime: &Runtime, probe: &[u8]) -> Result<(Digest, Grant)> {
    let info = runtime.add_component(probe.to_vec().into()).await?.info;
    let grant = Grant {
        imports: info.imports,
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
    Ok((info.digest, grant))
}
