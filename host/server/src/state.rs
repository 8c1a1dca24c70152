use crate::hooks::Hooks;
use crate::limits::{Budget, Limits, StreamPermit};
use crate::observe::Watch;
use crate::origin::Origin;
use crate::problem::{self, Problem};
use crate::replies::Repeats;
use lockstep_access::{Access, Guarded, Offered};
use lockstep_ports::{
    AccessService, BacktestService, BoardService, ComponentService, Replies, RunService, SimulationService,
    WorkerQueue,
};
use lockstep_types::Digest;
use std::sync::Arc;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, watch};

/// Replays and verifications at once: each keeps a processor busy, and runs must go on beside them.
const REPLAYS_MAX: usize = 2;

/// Component uploads at once: each may hold 64 MiB in memory.
const UPLOADS_MAX: usize = 2;

/// Backtests at once: one takes every processor there is.
const BACKTESTS_MAX: usize = 1;

/// Payloads of webhooks in memory at once: each may have 25 MB.
const PAYLOADS_MAX: usize = 8;

/// How the server is to be reached.
#[derive(Clone, Default)]
pub struct Options {
    /// The bearer token of the user of the data folder.
    pub token: String,
    /// Whether it may listen beyond this machine; without an origin it then answers to any `Host`.
    pub allow_remote: bool,
    /// The address browsers know it by, where a proxy stands before it.
    pub origin: Option<Origin>,
    /// How much may be asked at once.
    pub limits: Limits,
}

/// The services of the host that a server stands in front of.
#[derive(Clone)]
pub struct Services {
    /// Runs.
    pub runs: Arc<dyn RunService>,
    /// Boards.
    pub board: Arc<dyn BoardService>,
    /// Components.
    pub components: Arc<dyn ComponentService>,
    /// Backtests.
    pub backtests: Arc<dyn BacktestService>,
    /// Jobs for workers; none if this host has no workers.
    pub workers: Option<Arc<dyn WorkerQueue>>,
    /// Webhooks; none: this server takes none.
    pub hooks: Option<Hooks>,
    /// Tokens, sessions and the audit; none: only the token of the data folder is accepted, and nothing is written down.
    pub access: Option<Arc<Access>>,
    /// Where answers to requests with an idempotency key are kept; none: in memory, until the server ends.
    pub replies: Option<Arc<dyn Replies>>,
    /// What is counted, and who says whether the host is ready.
    pub watch: Watch,
    /// Simulations; none: a draft of a pipeline can only be checked.
    pub simulations: Option<Arc<dyn SimulationService>>,
}

impl Services {
    /// Those of a host that offers them all.
    #[must_use]
    pub fn of<H>(host: &Arc<H>) -> Self
    where
        H: RunService + BoardService + ComponentService + BacktestService + 'static,
    {
        Self {
            runs: Arc::<H>::clone(host),
            board: Arc::<H>::clone(host),
            components: Arc::<H>::clone(host),
            backtests: Arc::<H>::clone(host),
            workers: None,
            hooks: None,
            access: None,
            replies: None,
            watch: Watch::default(),
            simulations: None,
        }
    }
}

/// What the handlers share. Cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<Shared>);

struct Shared {
    /// Each behind a guard that asks who a request comes from.
    services: Services,
    access: Arc<Access>,
    tokens: Arc<dyn AccessService>,
    budget: Budget,
    repeats: Arc<Repeats>,
    edits: Mutex<()>,
    options: Options,
    replays: Arc<Semaphore>,
    uploads: Arc<Semaphore>,
    backtesting: Arc<Semaphore>,
    payloads: Arc<Semaphore>,
    stopping: watch::Sender<bool>,
}

impl AppState {
    /// The state of a server in front of the services of a host.
    #[must_use]
    pub fn new(mut services: Services, options: Options) -> Self {
        let access = services.access.clone().unwrap_or_else(|| Arc::new(Access::unkept()));
        let Services { runs, board, components, backtests, .. } = services.clone();
        let guarded = Guarded::new(Offered { runs, board, components, backtests }, Arc::clone(&access));
        let tokens = guarded.access();
        let Offered { runs, board, components, backtests } = guarded.offered();
        (services.runs, services.board) = (runs, board);
        (services.components, services.backtests) = (components, backtests);
        Self(Arc::new(Shared {
            repeats: Arc::new(Repeats::new(services.replies.clone())),
            services,
            access,
            tokens,
            budget: Budget::new(options.limits),
            edits: Mutex::default(),
            options,
            replays: Arc::new(Semaphore::new(REPLAYS_MAX)),
            uploads: Arc::new(Semaphore::new(UPLOADS_MAX)),
            backtesting: Arc::new(Semaphore::new(BACKTESTS_MAX)),
            payloads: Arc::new(Semaphore::new(PAYLOADS_MAX)),
            stopping: watch::Sender::new(false),
        }))
    }

    /// Ends every event stream and long poll, those open now and those to come.
    pub fn stop(&self) {
        self.0.stopping.send_replace(true);
    }

    /// Returns once [`AppState::stop`] was called.
    pub(crate) async fn stopped(&self) {
        let mut stopping = self.0.stopping.subscribe();
        // The sender lives in the state that is borrowed here, so waiting cannot fail.
        stopping.wait_for(|stopping| *stopping).await.map(drop).unwrap_or_default();
    }

    pub(crate) fn service(&self) -> &Arc<dyn RunService> {
        &self.0.services.runs
    }

    pub(crate) fn board(&self) -> &Arc<dyn BoardService> {
        &self.0.services.board
    }

    pub(crate) fn components(&self) -> &Arc<dyn ComponentService> {
        &self.0.services.components
    }

    pub(crate) fn backtests(&self) -> &Arc<dyn BacktestService> {
        &self.0.services.backtests
    }

    pub(crate) fn simulations(&self) -> Option<&Arc<dyn SimulationService>> {
        self.0.services.simulations.as_ref()
    }

    pub(crate) fn workers(&self) -> Result<&Arc<dyn WorkerQueue>, Problem> {
        let none = || Problem::new(problem::UNAVAILABLE, "this host has no queue for workers");
        self.0.services.workers.as_ref().ok_or_else(none)
    }

    pub(crate) fn watch(&self) -> &Watch {
        &self.0.services.watch
    }

    pub(crate) fn repeats(&self) -> Arc<Repeats> {
        Arc::clone(&self.0.repeats)
    }

    /// Held while something is looked at and then changed: two requests at once must not undo each other.
    pub(crate) fn edits(&self) -> &Mutex<()> {
        &self.0.edits
    }

    pub(crate) fn options(&self) -> &Options {
        &self.0.options
    }

    /// Who may speak to the host, for the guards.
    pub(crate) fn access(&self) -> &Arc<Access> {
        &self.0.access
    }

    /// The same for whoever asks.
    pub(crate) fn tokens(&self) -> &Arc<dyn AccessService> {
        &self.0.tokens
    }

    pub(crate) fn budget(&self) -> &Budget {
        &self.0.budget
    }

    /// The digest of the data folder's token: sessions that were begun with another one are over.
    pub(crate) fn local_digest(&self) -> Digest {
        Digest::of(self.0.options.token.as_bytes())
    }

    /// Held for as long as a stream of whoever asks is open.
    pub(crate) fn stream_permit(&self) -> Result<StreamPermit, Problem> {
        self.0.budget.stream()
    }

    pub(crate) fn replay_permit(&self) -> Result<OwnedSemaphorePermit, Problem> {
        permit(&self.0.replays, || {
            format!("{REPLAYS_MAX} replays are under way: try again when one has ended")
        })
    }

    pub(crate) fn upload_permit(&self) -> Result<OwnedSemaphorePermit, Problem> {
        permit(&self.0.uploads, || {
            format!("{UPLOADS_MAX} uploads are under way: try again when one has ended")
        })
    }

    pub(crate) fn hooks(&self) -> Option<&Hooks> {
        self.0.services.hooks.as_ref()
    }

    pub(crate) fn payload_permit(&self) -> Result<OwnedSemaphorePermit, Problem> {
        permit(&self.0.payloads, || {
            format!("{PAYLOADS_MAX} deliveries arrive at this moment: deliver it again")
        })
    }

    pub(crate) fn backtest_permit(&self) -> Result<OwnedSemaphorePermit, Problem> {
        permit(&self.0.backtesting, || "a backtest is under way: try again when it has ended".to_owned())
    }
}

fn permit(of: &Arc<Semaphore>, full: impl FnOnce() -> String) -> Result<OwnedSemaphorePermit, Problem> {
    Arc::clone(of).try_acquire_owned().map_err(|_| Problem::new(problem::BUSY, full()))
}
