use crate::actor::{self, LiveRun};
use crate::board::Boards;
use crate::components::Kinds;
use lockstep_engine::{Recorded, ReplayError};
use lockstep_ports::{
    ChangeSource, Checks, Clock, ComponentStore, ComponentStoreError, Credentials, Effects, FEED_PAGE_MAX,
    Jobs, Journal, JournalError, LoadError, Mergeability, Observations, StepExecutor, Wake, Workspace,
};
use lockstep_types::{Digest, EffectKey, JobKey, RunId, RunSpec};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// Runs that may wait to be woken: a lost wake-up only costs a poll interval.
const WAKES_MAX: usize = 4096;
/// Starts under client tokens that go on at the same time; two tokens that share a place wait for each other.
pub(crate) const STARTING_MAX: usize = 64;
/// Runs whose specification is kept to describe their records in the feed.
const SPECS_KEPT_MAX: usize = 1024;

/// The adapters a host is made of.
#[derive(Clone)]
pub struct Outside {
    /// The journal.
    pub journal: Arc<dyn Journal>,
    /// Components.
    pub components: Arc<dyn ComponentStore>,
    /// What calls them.
    pub executor: Arc<dyn StepExecutor>,
    /// Checks.
    pub checks: Arc<dyn Checks>,
    /// Mergeability.
    pub mergeability: Arc<dyn Mergeability>,
    /// Files of a change.
    pub workspace: Arc<dyn Workspace>,
    /// Releases and environments.
    pub observations: Arc<dyn Observations>,
    /// What jobs need of those who start runs.
    pub credentials: Arc<dyn Credentials>,
    /// Jobs.
    pub jobs: Arc<dyn Jobs>,
    /// Effects.
    pub effects: Arc<dyn Effects>,
    /// Repositories and branches.
    pub changes: Arc<dyn ChangeSource>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// Why the host could not begin.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The journal failed.
    #[error("cannot read the journal")]
    Journal(#[from] JournalError),
    /// The component store failed.
    #[error("cannot read the component store")]
    Components(#[from] ComponentStoreError),
    /// A standard component does not load.
    #[error("standard component {name} does not load")]
    Standard {
        /// Its file name.
        name: String,
        /// Why.
        #[source]
        source: LoadError,
    },
}

/// What a host is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drive {
    /// To let all live runs go on.
    Runs,
    /// To read, or to write down an action; nothing is dispatched, no run goes on by itself.
    Nothing,
}

/// The host: every live run has a task of its own, all share one journal. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) outside: Outside,
    pub(crate) kinds: tokio::sync::RwLock<Arc<Kinds>>,
    /// Held while the registry of components changes: what a change rests on must still hold when it is stored.
    pub(crate) registry: tokio::sync::Mutex<()>,
    /// The components the binary carries.
    pub(crate) carried: OnceLock<BTreeSet<Digest>>,
    /// Live runs by id. Locked over loading a run that is not live, so that no run has two tasks.
    pub(crate) live: tokio::sync::Mutex<BTreeMap<RunId, LiveRun>>,
    /// Runs that are stored or about to be, and have no task yet: whoever takes one out gives it its task.
    pub(crate) launched: Mutex<BTreeSet<RunId>>,
    /// The boards.
    pub(crate) boards: Boards,
    /// Repository and item of each live run of no board: a second run over the same item is a conflict (DEVIATIONS
    /// D-11). Boards keep their own.
    pub(crate) items: Mutex<BTreeMap<(String, String), RunId>>,
    /// Held while a run is started under a client token.
    pub(crate) starting: [tokio::sync::Mutex<()>; STARTING_MAX],
    /// Runs whose journal cannot be folded, and why.
    pub(crate) damaged: Mutex<BTreeMap<RunId, String>>,
    pub(crate) feed_end: watch::Sender<u64>,
    pub(crate) specs: Mutex<HashMap<RunId, Arc<RunSpec>>>,
    pub(crate) stopping: watch::Sender<bool>,
    /// Jobs being stopped that no run waits for any more: the host does not go down before they are gone.
    pub(crate) ending: Mutex<JoinSet<()>>,
    pub(crate) drive: Drive,
}

/// A way for providers to wake runs, made before the runtime they wake.
pub struct Waker {
    /// To be given to providers.
    pub wake: Wake,
    wakes: mpsc::Receiver<RunId>,
}

impl Default for Waker {
    fn default() -> Self {
        let (sender, wakes) = mpsc::channel(WAKES_MAX);
        let wake: Wake = Arc::new(move |run: &RunId| {
            if sender.try_send(run.clone()).is_err() {
                tracing::debug!(%run, "a wake-up was dropped");
            }
        });
        Self { wake, wakes }
    }
}

impl Runtime {
    /// Brings up a host over its adapters. To drive runs it recovers every live one and goes on with what it was in the
    /// middle of.
    ///
    /// # Errors
    /// If a store cannot be read. A single damaged run is reported and left alone.
    pub async fn open(outside: Outside, waker: Waker, drive: Drive) -> Result<Self, RuntimeError> {
        let kinds = Kinds::load(&outside).await?;
        let end = outside.journal.feed_end();
        let shared = Arc::new(Shared {
            outside,
            kinds: tokio::sync::RwLock::new(Arc::new(kinds)),
            registry: tokio::sync::Mutex::default(),
            carried: OnceLock::new(),
            live: tokio::sync::Mutex::default(),
            launched: Mutex::default(),
            boards: Boards::default(),
            items: Mutex::default(),
            starting: std::array::from_fn(|_| tokio::sync::Mutex::default()),
            damaged: Mutex::default(),
            feed_end: watch::Sender::new(end),
            specs: Mutex::default(),
            stopping: watch::Sender::new(false),
            ending: Mutex::default(),
            drive,
        });
        shared.load_boards().await?;
        match drive {
            Drive::Runs => shared.recover().await?,
            Drive::Nothing => shared.claim_items().await?,
        }
        tokio::spawn(forward_wakes(Arc::clone(&shared), waker.wakes));
        let runtime = Self { shared };
        if drive == Drive::Runs {
            runtime.create_default_workspace().await?;
            tokio::spawn(runtime.clone().watch_the_clock());
        }
        Ok(runtime)
    }

    /// Lets every run finish the turn it is in and start no other. Jobs under way go on outside and are found again; those
    /// that no run wants any more are gone when this returns.
    pub async fn close(&self) {
        self.shared.stopping.send_replace(true);
        let tasks = std::mem::take(&mut *self.shared.live.lock().await);
        for run in tasks.into_values() {
            run.ended().await;
        }
        let ending = std::mem::take(&mut *lock(&self.shared.ending));
        ending.join_all().await;
    }
}

async fn forward_wakes(shared: Arc<Shared>, mut wakes: mpsc::Receiver<RunId>) {
    while let Some(run) = wakes.recv().await {
        let sender = shared.live.lock().await.get(&run).map(LiveRun::sender);
        if let Some(sender) = sender {
            actor::poke(&sender);
        }
    }
}

impl Shared {
    /// Replays every live run and dispatches what was outstanding: recovery is not a second code path.
    async fn recover(self: &Arc<Self>) -> Result<(), JournalError> {
        let mut wanted: BTreeSet<JobKey> = BTreeSet::new();
        let mut effects: BTreeSet<EffectKey> = BTreeSet::new();
        let mut recovered = Vec::new();
        for id in self.outside.journal.live().await? {
            let problem = match self.load(&id).await {
                Ok(Ok(recorded)) => {
                    wanted.extend(actor::jobs_wanted(&recorded.run));
                    effects.extend(actor::effects_wanted(&recorded.run));
                    recovered.push(recorded);
                    continue;
                }
                Ok(Err(error)) => error.to_string(),
                Err(error @ JournalError::Damaged { .. }) => crate::service::chain(&error),
                Err(error) => return Err(error),
            };
            tracing::error!(run = %id, problem, "a run cannot be recovered and is left alone");
            lock(&self.damaged).insert(id, problem);
        }
        self.outside.jobs.sweep(&wanted).await;
        self.outside.effects.sweep(&effects).await;
        let mut live = self.live.lock().await;
        for recorded in recovered {
            let spec = recorded.run.spec();
            if recorded.run.status().is_live() {
                self.recover_claim(&recorded.run.summary()).await?;
            }
            live.insert(spec.id.clone(), actor::spawn(Arc::clone(self), recorded));
        }
        Ok(())
    }

    /// Learns which items have a live run, and which of the runs wait for a budget.
    async fn claim_items(&self) -> Result<(), JournalError> {
        for id in self.outside.journal.live().await? {
            let Some(row) = self.outside.journal.row(&id).await? else { continue };
            if row.summary.status.is_live() {
                self.recover_claim(&row.summary).await?;
            }
        }
        Ok(())
    }

    /// Folds a run's journal.
    pub(crate) async fn load(&self, id: &RunId) -> Result<Result<Recorded, ReplayError>, JournalError> {
        let records = self.outside.journal.records(id, 1).await?;
        Ok(Recorded::replay(id, records.iter().map(Vec::as_slice)))
    }

    /// Tells whoever follows the feed that it has grown. Only once the new state can be read: a follower that looks
    /// before would see nothing new and wait again.
    pub(crate) fn announce(&self, position: u64) {
        self.feed_end.send_if_modified(|end| {
            let newer = position > *end;
            *end = position.max(*end);
            newer
        });
    }

    /// The specification of a run, for describing its records.
    pub(crate) async fn spec(&self, id: &RunId) -> Result<Option<Arc<RunSpec>>, JournalError> {
        if let Some(spec) = lock(&self.specs).get(id) {
            return Ok(Some(Arc::clone(spec)));
        }
        let records = self.outside.journal.records(id, 1).await?;
        let first = records.first().map(Vec::as_slice);
        let Ok(recorded) = Recorded::replay(id, first) else {
            return Ok(None);
        };
        let spec = Arc::clone(recorded.run.spec());
        let mut specs = lock(&self.specs);
        if specs.len() >= SPECS_KEPT_MAX {
            specs.clear();
        }
        specs.insert(id.clone(), Arc::clone(&spec));
        Ok(Some(spec))
    }

    /// Ends a job that no run wants any more.
    pub(crate) fn stop_job(&self, key: JobKey) {
        let jobs = Arc::clone(&self.outside.jobs);
        let mut ending = lock(&self.ending);
        while ending.try_join_next().is_some() {}
        ending.spawn(async move { jobs.stop(&key).await });
    }

    pub(crate) fn feed_page(limit: usize) -> usize {
        limit.clamp(1, FEED_PAGE_MAX)
    }
}

/// Locks a mutex whose holder cannot leave it half-changed, so that a panic elsewhere does not spread.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
