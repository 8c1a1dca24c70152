//! Wires the rooms together: store, sandbox, providers and runtime become one [`RunService`]. Nothing else in the
//! workspace knows all of them.

mod forge;
mod hooks;
pub(crate) mod outside;
pub(crate) mod ready;

use self::forge::Asked;
use crate::config::{FILE, HostConfig, ModelConfig};
use crate::exit::Refused;
use crate::standard;
use anyhow::Context;
use lockstep_access::{Access, Identity, Offered};
use lockstep_ports::{
    BacktestService, BoardService, Bookmarks, Checks, Clock, ComponentService, Credentials, Distribution,
    DoneBeside, Effects, Forge, Label, Meter, Observations, Readiness, Replies, RunService, Secret,
    StepExecutor as _, WorkerQueue,
};
use lockstep_providers::http::{HttpError, HttpFault};
use lockstep_providers::{
    BookmarkFiles, CheckOptions, CommandOptions, ComponentDistribution, DistributionOptions, GitOptions,
    JobOptions, LocalChecks, LocalCredentials, LocalEffects, LocalGit, LocalJobs, LocalObservations,
    LocalWorkers, ModelOptions, Models, PlainHttp, WorkerOptions,
};
use lockstep_runtime::{Outside, Runtime, StandardComponent, SystemClock, Waker};
use lockstep_sandbox::{Sandbox, SandboxOptions};
use lockstep_simulator::{Kinds, MemoryComponents};
use lockstep_store::SledStore;
use lockstep_telemetry::{Metrics, WatchedEffects, WatchedExecutor, WatchedJobs, WatchedJournal};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use lockstep_runtime::{Drive, Retention};

/// Compiled components within a cache folder; it can be deleted at any time.
const COMPILED: &str = "compiled";

/// The host in this process. The caller holds the lock of the data folder for as long as this lives.
pub struct Local {
    runtime: Runtime,
    store: Arc<SledStore>,
    workers: LocalWorkers,
    forge: Option<Arc<dyn Forge>>,
    checks: Arc<dyn Checks>,
    clock: Arc<dyn Clock>,
    access: Arc<Access>,
    metrics: Arc<Metrics>,
    config: HostConfig,
    folder: PathBuf,
}

impl Local {
    /// The host's service.
    #[must_use]
    pub fn service(&self) -> Arc<dyn RunService> {
        Arc::new(self.runtime.clone())
    }

    /// The host's boards.
    #[must_use]
    pub fn board(&self) -> Arc<dyn BoardService> {
        Arc::new(self.runtime.clone())
    }

    /// The host's components.
    #[must_use]
    pub fn components(&self) -> Arc<dyn ComponentService> {
        Arc::new(self.runtime.clone())
    }

    /// The host's backtests.
    #[must_use]
    pub fn backtests(&self) -> Arc<dyn BacktestService> {
        Arc::new(self.runtime.clone())
    }

    /// The queue for workers.
    #[must_use]
    pub fn workers(&self) -> Arc<dyn WorkerQueue> {
        Arc::new(self.workers.clone())
    }

    /// The forge that repositories of this host are on, if the operator named one.
    #[must_use]
    pub fn forge(&self) -> Option<Arc<dyn Forge>> {
        self.forge.clone()
    }

    /// All of them, as they are behind whoever guards them.
    #[must_use]
    pub fn offered(&self) -> Offered {
        Offered {
            runs: self.service(),
            board: self.board(),
            components: self.components(),
            backtests: self.backtests(),
        }
    }

    /// Who may speak to the host.
    #[must_use]
    pub fn access(&self) -> Arc<Access> {
        Arc::clone(&self.access)
    }

    /// Where answers to requests are kept.
    #[must_use]
    pub fn replies(&self) -> Arc<dyn Replies> {
        Arc::clone(&self.store) as _
    }

    /// Removes runs that need not be kept any more, for as long as the host is up.
    pub fn retain(&self, retention: Retention) {
        self.runtime.retain(retention);
    }

    /// Counts what the host does, and shows it.
    pub(crate) fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.metrics)
    }

    /// Says whether the host can do what it is there for.
    pub(crate) fn readiness(&self) -> Arc<dyn Readiness> {
        Arc::new(ready::Ready::new(&self.folder, self.components()))
    }

    /// What the operator wired.
    pub(crate) fn config(&self) -> &HostConfig {
        &self.config
    }

    /// Tells those outside what happens in runs, for as long as the host is up; people reach it at `origin`.
    ///
    /// # Errors
    /// Somebody cannot be told as `config.toml` says.
    pub(crate) fn follow(&self, origin: &str) -> anyhow::Result<()> {
        let meter: Arc<dyn Meter> = Arc::clone(&self.metrics) as _;
        let listeners = outside::listeners(&self.config, self.board(), &self.folder, origin, &meter)?;
        let bookmarks: Arc<dyn Bookmarks> = Arc::new(BookmarkFiles::new(&self.folder));
        self.runtime.follow(listeners, &bookmarks, &meter);
        Ok(())
    }

    /// Ends the host in order: no new work, what is being written becomes durable, files are closed. Jobs go on by
    /// themselves and are found again.
    pub async fn close(self) {
        self.runtime.close().await;
        let store = self.store;
        if tokio::task::spawn_blocking(move || store.close()).await.is_err() {
            tracing::error!("the store did not close in order; what was acknowledged is safe");
        }
    }
}

/// Opens the host over the data folder `folder`; `is_server` if workers can reach it.
///
/// # Errors
/// The folder cannot be read, or was written by a newer lockstep.
pub async fn open_local(folder: &Path, drive: Drive, is_server: bool) -> anyhow::Result<Local> {
    let mut config = HostConfig::read(folder)?;
    let metrics = Arc::new(Metrics::new(folder.to_owned(), env!("CARGO_PKG_VERSION")));
    let meter: Arc<dyn Meter> = Arc::clone(&metrics) as _;
    let path = folder.to_owned();
    let store = Arc::new(tokio::task::spawn_blocking(move || SledStore::open(path)).await??);
    let options = SandboxOptions { cache_dir: Some(cache_dir(folder)), ..SandboxOptions::default() };
    let executor = Sandbox::new(Arc::clone(&store) as _, options)?;
    let git = LocalGit::new(GitOptions::new(folder))?;
    let waker = Waker::default();
    let supervisor = supervisor()?;
    let checks =
        LocalChecks::new(git.clone(), CheckOptions::new(supervisor.clone()), Arc::clone(&waker.wake))?;
    let effects = LocalEffects::new(git.clone(), CommandOptions::for_effects(supervisor.clone()));
    let observations = LocalObservations::new(&git, CommandOptions::for_observations(supervisor.clone()))?;
    let (mut effects, mut observations): (Arc<dyn Effects>, Arc<dyn Observations>) =
        (Arc::new(effects), Arc::new(observations));
    let mut forge = None;
    // A host that drives nothing asks nobody outside, and needs no secret.
    if drive == Drive::Runs {
        forge = forge::open(&config, &git)?;
        effects = outside::effects(&config, effects, folder, &meter)?;
        observations = outside::observations(&config, observations, &meter)?;
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let credentials = Arc::new(LocalCredentials::new(folder, Arc::clone(&clock))?);
    credentials.sweep().await;
    let jobs = LocalJobs::new(git.clone(), JobOptions::new(supervisor))?;
    let options = WorkerOptions { lease: config.workers.lease(), is_reachable: is_server };
    let workers = LocalWorkers::new(git.clone(), Arc::clone(&clock), options);
    let jobs = jobs.with_credentials(Arc::<LocalCredentials>::clone(&credentials));
    let jobs =
        jobs.with_workers(workers.clone()).with_models(models(std::mem::take(&mut config.models), &meter)?);
    let git = Arc::new(git);
    let journal = WatchedJournal::open(Arc::clone(&store) as _, Arc::clone(&meter)).await?;
    let asked = Asked { checks: Arc::new(checks), mergeability: Arc::clone(&git) as _, effects };
    let asked = asked.of(forge.as_ref());
    let outside = Outside {
        journal: Arc::new(journal),
        components: Arc::clone(&store) as _,
        executor: Arc::new(WatchedExecutor::new(executor, Arc::clone(&meter))),
        checks: Arc::clone(&asked.checks),
        mergeability: asked.mergeability,
        workspace: Arc::clone(&git) as _,
        effects: Arc::new(WatchedEffects::new(asked.effects, Arc::clone(&meter))),
        observations,
        credentials,
        changes: git,
        jobs: Arc::new(WatchedJobs::new(Arc::new(jobs), Arc::clone(&meter))),
        clock: Arc::clone(&clock),
    };
    let runtime = Runtime::open(outside, waker, drive).await?;
    let standard: Vec<StandardComponent<'_>> =
        standard::STANDARD_COMPONENTS.iter().map(|(name, bytes)| StandardComponent { name, bytes }).collect();
    runtime.install(&standard).await?;
    let access = Arc::new(Access::open(Arc::clone(&store) as _).await?);
    let (forge, checks) = (forge.map(|forge| Arc::new(forge) as _), asked.checks);
    Ok(Local {
        runtime,
        store,
        forge,
        checks,
        clock,
        access,
        metrics,
        config,
        workers,
        folder: folder.to_owned(),
    })
}

/// The models that jobs name.
fn models(configured: BTreeMap<String, ModelConfig>, meter: &Arc<dyn Meter>) -> anyhow::Result<Models> {
    let mut models = Models::default();
    for (name, config) in configured {
        let wrong = |error: HttpError| {
            let is_plain = error.fault == HttpFault::Unencrypted;
            let or = if is_plain { ", or say allow_plain = true if that is meant" } else { "" };
            format!("[models.{name}] of {FILE}: {error}{or}")
        };
        let options = ModelOptions { meter: Arc::clone(meter), ..config.options() };
        models.add(&name, options).map_err(wrong).or_else(Refused::because)?;
    }
    Ok(models)
}

/// Gives back the space of what a data folder no longer needs; how many bytes came back.
///
/// # Errors
/// The folder cannot be read or written.
pub(crate) fn compact_store(folder: &Path) -> anyhow::Result<u64> {
    let store = SledStore::open(folder)?;
    let freed = store.compact()?;
    store.close();
    Ok(freed)
}

/// Writes into the audit of a data folder, which no host has open, what was done beside it.
///
/// # Errors
/// The folder cannot be read or written.
pub(crate) async fn note(folder: &Path, done: DoneBeside, subject: &str, by: &str) -> anyhow::Result<()> {
    let path = folder.to_owned();
    let store = Arc::new(tokio::task::spawn_blocking(move || SledStore::open(path)).await??);
    let access = Access::open(Arc::clone(&store) as _).await?;
    let who = Arc::new(Identity::at_terminal(by));
    let noted = access.audited(Some(&who), done.word(), subject, async { Ok(()) }).await;
    tokio::task::spawn_blocking(move || store.close()).await?;
    Ok(noted?)
}

/// The credentials of a data folder.
///
/// # Errors
/// Their folder cannot be used.
pub(crate) fn open_credentials(folder: &Path) -> anyhow::Result<impl Credentials> {
    Ok(LocalCredentials::new(folder, Arc::new(SystemClock::default()))?)
}

/// What components are shipped with.
///
/// # Errors
/// Only one of name and password is given.
pub(crate) fn distribution(insecure_http: bool) -> anyhow::Result<impl Distribution> {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let login = match (set("LOCKSTEP_OCI_USER"), set("LOCKSTEP_OCI_PASSWORD")) {
        (Some(user), Some(password)) => Some((user, Secret::new(password))),
        (None, None) => None,
        _ => {
            anyhow::bail!("of LOCKSTEP_OCI_USER and LOCKSTEP_OCI_PASSWORD only one is set: set both or none")
        }
    };
    let docker = set("DOCKER_CONFIG").map(PathBuf::from);
    let docker = docker.or_else(|| set("HOME").map(|home| Path::new(&home).join(".docker")));
    Ok(ComponentDistribution::new(DistributionOptions {
        plain_http: if insecure_http { PlainHttp::Anywhere } else { PlainHttp::Loopback },
        login,
        docker_config: docker.map(|folder| folder.join("config.json")),
        ..DistributionOptions::default()
    }))
}

/// What a step component says of itself. It is loaded without being stored; `folder` as for `open_simulator`.
///
/// # Errors
/// It is no step component.
pub(crate) async fn label(folder: &Path, component: &[u8]) -> anyhow::Result<Label> {
    let options = SandboxOptions { cache_dir: Some(cache_dir(folder)), ..SandboxOptions::default() };
    let sandbox = Sandbox::new(Arc::new(MemoryComponents::default()), options)?;
    let inspected = sandbox.inspect(component).await?;
    let world = inspected.world;
    let (package, version) = world.split_once("/step@").unwrap_or((world.as_str(), ""));
    let imports = inspected.imports.iter().map(|name| format!("{package}/{name}@{version}"));
    let imports = imports.collect();
    Ok(Label {
        kind: inspected.descriptor.kind,
        version: inspected.descriptor.version,
        summary: inspected.descriptor.summary,
        world,
        imports,
    })
}

/// What simulations call components with: the standard ones, kept in memory, and whatever is added to them.
pub(crate) struct Simulator {
    pub(crate) executor: Sandbox,
    pub(crate) store: Arc<MemoryComponents>,
    pub(crate) kinds: Kinds,
}

/// Brings up the standard components for a simulation; `folder` is used only to keep compiled code where no user has a
/// cache.
pub(crate) async fn open_simulator(folder: &Path) -> anyhow::Result<Simulator> {
    let store = Arc::new(MemoryComponents::default());
    let options = SandboxOptions { cache_dir: Some(cache_dir(folder)), ..SandboxOptions::default() };
    let executor = Sandbox::new(Arc::clone(&store) as _, options)?;
    let mut kinds = Kinds::default();
    for (name, bytes) in standard::STANDARD_COMPONENTS {
        store.add(&executor, &mut kinds, None, name, bytes.to_vec()).await?;
    }
    Ok(Simulator { executor, store, kinds })
}

/// A sandbox that keeps no component, for one that is looked at and called at once.
pub(crate) fn open_bench(folder: &Path) -> anyhow::Result<Sandbox> {
    let options = SandboxOptions { cache_dir: Some(cache_dir(folder)), ..SandboxOptions::default() };
    Ok(Sandbox::new(Arc::new(MemoryComponents::default()), options)?)
}

/// Compiled code depends on the component and the host alone, so all data folders of a user share it.
pub(crate) fn cache_dir(folder: &Path) -> PathBuf {
    let set = |name| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    let user = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    set("LOCKSTEP_CACHE")
        .or_else(|| user.map(|cache| cache.join("lockstep")))
        .unwrap_or_else(|| folder.join("cache"))
        .join(COMPILED)
}

/// The program that carries out one job: this one.
fn supervisor() -> anyhow::Result<Vec<OsString>> {
    let program = std::env::current_exe().context("cannot find the program that is running")?;
    Ok(vec![program.into(), "job-supervisor".into()])
}

/// Carries out the job in `dir` as a process of its own and returns its exit status.
#[must_use]
pub(crate) fn supervise(dir: &Path) -> i32 {
    lockstep_providers::supervise(dir)
}
