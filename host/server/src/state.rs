use crate::problem::{self, Problem};
use lockstep_ports::{BacktestService, BoardService, ComponentService, RunService, WorkerQueue};
use std::sync::Arc;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, watch};

/// Event streams and long polls open at once: each holds a connection and reads every record of the feed, and a local
/// service has a handful of readers.
const STREAMS_MAX: usize = 64;

/// Replays and verifications at once: each keeps a processor busy, and runs must go on beside them.
const REPLAYS_MAX: usize = 2;

/// Component uploads at once: each may hold 64 MiB in memory.
const UPLOADS_MAX: usize = 2;

/// Backtests at once: one takes every processor there is.
const BACKTESTS_MAX: usize = 1;

/// How the server is to be reached.
#[derive(Clone)]
pub struct Options {
    /// The bearer token every request under `/v1` must carry.
    pub token: String,
    /// Whether it may listen beyond this machine; the `Host` header is then not checked.
    pub allow_remote: bool,
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
        }
    }
}

/// What the handlers share. Cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<Shared>);

struct Shared {
    services: Services,
    dependencies: Mutex<()>,
    options: Options,
    streams: Arc<Semaphore>,
    replays: Arc<Semaphore>,
    uploads: Arc<Semaphore>,
    backtesting: Arc<Semaphore>,
    stopping: watch::Sender<bool>,
}

impl AppState {
    /// The state of a server in front of the services of a host.
    #[must_use]
    pub fn new(services: Services, options: Options) -> Self {
        Self(Arc::new(Shared {
            services,
            dependencies: Mutex::default(),
            options,
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            replays: Arc::new(Semaphore::new(REPLAYS_MAX)),
            uploads: Arc::new(Semaphore::new(UPLOADS_MAX)),
            backtesting: Arc::new(Semaphore::new(BACKTESTS_MAX)),
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

    pub(crate) fn workers(&self) -> Result<&Arc<dyn WorkerQueue>, Problem> {
        let none = || Problem::new(problem::UNAVAILABLE, "this host has no queue for workers");
        self.0.services.workers.as_ref().ok_or_else(none)
    }

    /// Held while a dependency is looked at and then toggled: two requests at once must not undo each other.
    pub(crate) fn dependencies(&self) -> &Mutex<()> {
        &self.0.dependencies
    }

    pub(crate) fn options(&self) -> &Options {
        &self.0.options
    }

    pub(crate) fn stream_permit(&self) -> Result<OwnedSemaphorePermit, Problem> {
        permit(&self.0.streams, || format!("{STREAMS_MAX} event streams are open already: close one"))
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

    pub(crate) fn backtest_permit(&self) -> Result<OwnedSemaphorePermit, Problem> {
        permit(&self.0.backtesting, || "a backtest is under way: try again when it has ended".to_owned())
    }
}

fn permit(of: &Arc<Semaphore>, full: impl FnOnce() -> String) -> Result<OwnedSemaphorePermit, Problem> {
    Arc::clone(of).try_acquire_owned().map_err(|_| Problem::new(problem::BUSY, full()))
}
