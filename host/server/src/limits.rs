//! How much somebody may ask at once.

use crate::problem::{self, Problem};
use lockstep_access::{Access, Buckets, Identity, current};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Requests a minute of the user of the data folder, by its token: terminals and programs of this machine, which are only
/// to be kept from locking everybody else out.
const LOCAL_PER_MINUTE: u32 = 600_000;
/// The same at once.
const LOCAL_BURST: u32 = 20_000;
/// Wrong tokens a minute from one address: typing errors are rarer, and guessing is hopeless anyway.
const FAILURES_PER_MINUTE: u32 = 10;
/// The same at once.
const FAILURES_BURST: u32 = 20;

/// What an operator may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests a minute of one token, one session, or one address where nobody is known.
    pub requests_per_minute: u32,
    /// The same at once, before that counts.
    pub request_burst: u32,
    /// Event streams and long polls open at once: each holds a connection and reads every record of the feed.
    pub streams: usize,
    /// The same of one token or one session.
    pub streams_each: usize,
}

impl Default for Limits {
    /// Enough for a browser with a dozen pages open, and for a script in a loop with a pause in it.
    fn default() -> Self {
        Self { requests_per_minute: 1200, request_burst: 300, streams: 64, streams_each: 16 }
    }
}

/// Open streams, by whose they are.
type OpenStreams = Mutex<HashMap<String, usize>>;

/// The limits, and what is used of them.
pub(crate) struct Budget {
    limits: Limits,
    requests: Buckets,
    local: Buckets,
    failures: Buckets,
    streams: Arc<Semaphore>,
    each: Arc<OpenStreams>,
}

/// Held for as long as a stream is open.
pub(crate) struct StreamPermit {
    _of_all: OwnedSemaphorePermit,
    own: Option<(Arc<OpenStreams>, String)>,
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        let Some((each, key)) = &self.own else { return };
        let mut each = each.lock().unwrap_or_else(PoisonError::into_inner);
        match each.get_mut(key) {
            Some(open) if *open > 1 => *open -= 1,
            _ => drop(each.remove(key)),
        }
    }
}

impl Budget {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            requests: Buckets::new(limits.requests_per_minute, limits.request_burst),
            local: Buckets::new(LOCAL_PER_MINUTE, LOCAL_BURST),
            failures: Buckets::new(FAILURES_PER_MINUTE, FAILURES_BURST),
            streams: Arc::new(Semaphore::new(limits.streams)),
            each: Arc::default(),
        }
    }

    /// Streams that are open, of everybody.
    pub(crate) fn open_streams(&self) -> usize {
        self.limits.streams - self.streams.available_permits()
    }

    /// Counts a request of somebody, or of an address where nobody is known.
    pub(crate) fn request(
        &self,
        access: &Access,
        identity: Option<&Identity>,
        address: &str,
    ) -> Result<(), Problem> {
        let now = access.now();
        let taken = match identity {
            Some(identity) if identity.via == "local" => self.local.take("local", now),
            Some(identity) => self.requests.take(&identity.key(), now),
            None => self.requests.take(&format!("address {address}"), now),
        };
        taken.map_err(|seconds| too_many("this is more than may be asked in so short a time", seconds))
    }

    /// Counts a wrong token. The right one is taken whatever was tried before, so that nobody locks others out.
    pub(crate) fn failure(&self, access: &Access, address: &str) -> Result<(), Problem> {
        let taken = self.failures.take(address, access.now());
        taken.map_err(|seconds| too_many("too many wrong tokens came from this address", seconds))
    }

    pub(crate) fn stream(&self) -> Result<StreamPermit, Problem> {
        let Limits { streams, streams_each, .. } = self.limits;
        let own = match current().flatten() {
            Some(identity) if identity.via != "local" => Some((Arc::clone(&self.each), identity.key())),
            _ => None,
        };
        let full = || {
            let detail = format!("{streams} event streams are open already: close one");
            Problem::new(problem::BUSY, detail)
        };
        let of_all = Arc::clone(&self.streams).try_acquire_owned().map_err(|_| full())?;
        if let Some((each, key)) = &own {
            let mut each = each.lock().unwrap_or_else(PoisonError::into_inner);
            let open = each.entry(key.clone()).or_default();
            if *open >= streams_each {
                let detail = format!("{streams_each} event streams of yours are open already: close one");
                return Err(Problem::new(problem::BUSY, detail));
            }
            *open += 1;
        }
        Ok(StreamPermit { _of_all: of_all, own })
    }
}

fn too_many(what: &str, seconds: u64) -> Problem {
    Problem::new(problem::TOO_MANY, format!("{what}: try again in {seconds} s")).retry_after(seconds)
}
