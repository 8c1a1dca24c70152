//! Requests that come again. A request with an `Idempotency-Key` is noted before it is carried out, and its answer
//! before it is sent; both durably, where the host has a store.

use crate::problem::{self, Problem};
use async_trait::async_trait;
use lockstep_ports::{JournalError, Replies, Reply, ReplyAnswer};
use lockstep_types::{Digest, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::OnceCell;

/// Keys kept at once: a client that sends one a second comes back within an hour, or not at all.
const KEYS_MAX: usize = 4096;

/// How long a key is kept.
const KEPT_MS: u64 = 24 * 60 * 60 * 1000;

/// Longest body of an answer that is kept, far above that of any row: with `KEYS_MAX` a bound on what all of them take.
pub(crate) const BODY_MAX: usize = 256 * 1024;

/// The keys of requests, and what they were answered.
pub(crate) struct Repeats {
    store: Arc<dyn Replies>,
    known: OnceCell<Mutex<Known>>,
}

/// What is in memory of them.
#[derive(Default)]
struct Known {
    /// Every key that is kept, the oldest first.
    by_age: BTreeSet<(Timestamp, Digest)>,
    under_way: BTreeMap<Digest, Digest>,
}

/// What to do about a request.
pub(crate) enum Begun {
    /// It is new: carry it out.
    New(Repeat),
    /// It was answered before.
    Answered(ReplyAnswer),
}

/// A request that is being carried out under its key.
pub(crate) struct Repeat {
    key: Digest,
    reply: Reply,
    of: Arc<Repeats>,
}

impl Repeats {
    pub(crate) fn new(store: Option<Arc<dyn Replies>>) -> Self {
        let store = store.unwrap_or_else(|| Arc::new(InMemory::default()));
        Self { store, known: OnceCell::new() }
    }

    /// Notes a request. `is_repeatable`: carrying it out twice under its key does no harm, even if the first time was
    /// cut off.
    pub(crate) async fn begin(
        self: Arc<Self>,
        key: Digest,
        request: Digest,
        is_repeatable: bool,
    ) -> Result<Begun, Problem> {
        let known = self.known().await?;
        let at = now();
        let old = {
            let mut known = locked(known);
            match known.under_way.get(&key) {
                Some(first) if *first == request => return Err(in_use()),
                Some(_) => return Err(reused()),
                None => {}
            }
            known.under_way.insert(key, request);
            known.outdated(at)
        };
        // From here on the key is under way, and has to be let go of again whatever happens.
        let mut repeat = Repeat { key, reply: Reply { request, at, answer: None }, of: Arc::clone(&self) };
        if !old.is_empty() {
            self.store.forget(&old).await.map_err(failed)?;
        }
        let stored = self.store.reply(&key).await.map_err(failed)?;
        if let Some(stored) = stored {
            return match stored.answer {
                _ if stored.request != request => Err(reused()),
                Some(answer) => Ok(Begun::Answered(answer)),
                None if is_repeatable => {
                    repeat.reply.at = stored.at;
                    Ok(Begun::New(repeat))
                }
                None => Err(Problem::new(problem::KEY_UNSETTLED, problem::KEY_UNSETTLED.meaning())),
            };
        }
        self.store.keep(&key, &repeat.reply).await.map_err(failed)?;
        locked(known).by_age.insert((at, key));
        Ok(Begun::New(repeat))
    }

    async fn known(&self) -> Result<&Mutex<Known>, Problem> {
        let read = async || {
            let keys = self.store.keys().await.map_err(failed)?;
            let by_age = keys.into_iter().map(|(key, at)| (at, key)).collect();
            Ok(Mutex::new(Known { by_age, ..Known::default() }))
        };
        self.known.get_or_try_init(read).await
    }
}

impl Known {
    /// Takes out those that are too old, or too many once there is another one.
    fn outdated(&mut self, now: Timestamp) -> Vec<(Digest, Timestamp)> {
        let mut old = Vec::new();
        while let Some(&(at, key)) = self.by_age.first() {
            if self.by_age.len() < KEYS_MAX && now.ms_since(at) < KEPT_MS {
                break;
            }
            self.by_age.pop_first();
            old.push((key, at));
        }
        old
    }
}

impl Repeat {
    /// Keeps the answer.
    pub(crate) async fn settle(mut self, answer: ReplyAnswer) {
        self.reply.answer = Some(answer);
        if let Err(error) = self.of.store.keep(&self.key, &self.reply).await {
            tracing::error!(%error, "the answer to a request with an idempotency key could not be kept");
        }
    }

    /// Forgets the request: nothing was done, and it may be tried again.
    pub(crate) async fn release(self) {
        let (key, at) = (self.key, self.reply.at);
        match self.of.store.forget(&[(key, at)]).await {
            Ok(()) => {
                if let Some(known) = self.of.known.get() {
                    locked(known).by_age.remove(&(at, key));
                }
            }
            Err(error) => tracing::error!(%error, "an idempotency key could not be let go of"),
        }
    }
}

impl Drop for Repeat {
    fn drop(&mut self) {
        if let Some(known) = self.of.known.get() {
            locked(known).under_way.remove(&self.key);
        }
    }
}

fn in_use() -> Problem {
    Problem::new(problem::KEY_IN_USE, problem::KEY_IN_USE.meaning())
}

fn reused() -> Problem {
    Problem::new(problem::KEY_REUSED, problem::KEY_REUSED.meaning())
}

fn failed(error: JournalError) -> Problem {
    let kind = if error.is_retryable() { problem::UNAVAILABLE } else { problem::INTERNAL };
    tracing::error!(%error, "the answers to requests cannot be read or kept");
    Problem::new(kind, format!("the idempotency key cannot be kept: {error}"))
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind it is whole between any two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answers of a host that has nowhere to keep them.
#[derive(Default)]
struct InMemory(Mutex<HashMap<Digest, Reply>>);

#[async_trait]
impl Replies for InMemory {
    async fn keys(&self) -> Result<Vec<(Digest, Timestamp)>, JournalError> {
        Ok(locked(&self.0).iter().map(|(key, reply)| (*key, reply.at)).collect())
    }

    async fn reply(&self, key: &Digest) -> Result<Option<Reply>, JournalError> {
        Ok(locked(&self.0).get(key).cloned())
    }

    async fn keep(&self, key: &Digest, reply: &Reply) -> Result<(), JournalError> {
        locked(&self.0).insert(*key, reply.clone());
        Ok(())
    }

    async fn forget(&self, keys: &[(Digest, Timestamp)]) -> Result<(), JournalError> {
        let mut kept = locked(&self.0);
        keys.iter().for_each(|(key, _)| drop(kept.remove(key)));
        Ok(())
    }
}
