//! The one thread that writes. It takes all that waits, writes it as one batch, flushes once, then answers everybody.

use crate::error::{Failure, Shared};
use crate::open::{self, Database, panic_text};
use crate::registry::{self, RegistryRow};
use crate::values::{Changes, ReadError, Undo, batch_of};
use crate::{Access, Inner, keys};
use lockstep_ports::JournalError;
use lockstep_types::{AuditEntry, RunId};
use serde::Deserialize;
use sled::Batch;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// Writes that may wait for the committer; more wait at the door. A few batches: enough to fill the next one while one
/// is being flushed, and little to hold in memory.
pub(crate) const QUEUE_MAX: usize = 1024;
/// Most writes of one batch: beyond this a flush is a small part of its cost, and readers wait for a batch to end.
const BATCH_WRITES_MAX: usize = 256;
/// Most bytes of one batch, for the same reason; one larger write goes alone.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How often a batch is tried: the second time on a database opened anew, since sled also tells of failures that are past.
const ATTEMPTS: usize = 2;
/// How long a closed database may take to let go of its lock: its last background tasks are short.
const RELEASE_LIMIT: Duration = Duration::from_secs(5);
/// How often the lock is tried meanwhile.
const RELEASE_INTERVAL: Duration = Duration::from_millis(1);

/// One write, and who waits for it.
pub(crate) struct Request {
    pub(crate) write: Write,
    pub(crate) reply: Reply,
}

/// A row of a board under its key; without a value it goes.
pub(crate) type RowWrite = (Vec<u8>, Option<Vec<u8>>);

pub(crate) enum Write {
    /// A turn; the row is encoded by whoever asks, so that the one committer need not.
    Turn {
        run: RunId,
        seq: u64,
        is_live: bool,
        has_cards: bool,
        row: Vec<u8>,
        record: Vec<u8>,
        token: Option<String>,
        board: Vec<RowWrite>,
    },
    /// Rows of a board, encoded likewise.
    Board(Vec<RowWrite>),
    /// Changes of the registry, and the entry that tells of them.
    Registry { rows: Vec<RegistryRow>, entry: Box<AuditEntry> },
    /// Nothing, but try to open a database that failed.
    Recover,
}

impl Write {
    fn bytes(&self) -> usize {
        match self {
            Self::Turn { row, record, board, .. } => row.len() + record.len() + rows_bytes(board),
            Self::Board(rows) => rows_bytes(rows),
            _ => 0,
        }
    }
}

fn rows_bytes(rows: &[RowWrite]) -> usize {
    rows.iter().filter_map(|(_, value)| value.as_ref()).map(Vec::len).sum()
}

/// Why a write is not added to a batch.
pub(crate) enum Refused {
    /// It is left out, and nothing of it was added.
    Because(JournalError),
    /// The batch cannot be made.
    Failed(Failure),
}

impl From<sled::Error> for Refused {
    fn from(error: sled::Error) -> Self {
        Self::Failed(Failure::of_sled("read", error))
    }
}

impl From<ReadError> for Refused {
    fn from(error: ReadError) -> Self {
        Self::Failed(Failure::of_read("read", error))
    }
}

pub(crate) type Reply = oneshot::Sender<Result<u64, JournalError>>;

/// For each request of a batch, in order.
type Answers = Vec<Result<u64, JournalError>>;

pub(crate) struct Committer {
    inner: Arc<Inner>,
    queue: mpsc::Receiver<Request>,
    /// What undoes the batch that failed, until the database is open again.
    failed: Option<Undo>,
}

impl Committer {
    pub(crate) fn new(inner: Arc<Inner>, queue: mpsc::Receiver<Request>) -> Self {
        Self { inner, queue, failed: None }
    }

    /// Serves until nobody can ask any more, then closes the database.
    pub(crate) fn run(mut self) {
        while let Some(first) = self.queue.blocking_recv() {
            let mut bytes = first.write.bytes();
            let mut requests = vec![first];
            while requests.len() < BATCH_WRITES_MAX && bytes < BATCH_BYTES_MAX {
                let Ok(next) = self.queue.try_recv() else { break };
                bytes += next.write.bytes();
                requests.push(next);
            }
            self.serve(requests);
        }
        let mut access = self.inner.access.write().unwrap_or_else(PoisonError::into_inner);
        if let Access::Open(database) = std::mem::replace(&mut *access, Access::Closed) {
            if let Err(error) = database.flush() {
                tracing::error!(folder = %self.inner.folder.display(), %error, "cannot flush the store while closing it");
            }
            release(database);
        }
    }

    /// Readers are kept out from the first change of a page until it is durable: nobody sees what may yet be lost.
    fn serve(&mut self, requests: Vec<Request>) {
        let inner = Arc::clone(&self.inner);
        let mut access = inner.access.write().unwrap_or_else(PoisonError::into_inner);
        let mut outcome = self.attempt(&mut access, &requests);
        for _ in 1..ATTEMPTS {
            if outcome.is_err() {
                outcome = self.attempt(&mut access, &requests);
            }
        }
        drop(access);
        let answers = match outcome {
            Ok(answers) => answers,
            Err(failure) => {
                // Whoever asked is told, and knows whether it is news.
                tracing::debug!(folder = %inner.folder.display(), ?failure, "writes were refused");
                requests.iter().map(|_| Err(failure.journal(&inner.shown()))).collect()
            }
        };
        for (request, answer) in requests.into_iter().zip(answers) {
            // Whoever asked may have gone; what was written stays written.
            drop(request.reply.send(answer));
        }
    }

    /// Writes what can be written of a batch, and gives the answer for each request. On failure nothing of it is stored.
    fn attempt(&mut self, access: &mut Access, requests: &[Request]) -> Result<Answers, Failure> {
        self.ensure_open(access)?;
        let Access::Open(database) = &*access else {
            return Err(Failure::Io("write", Shared::new("the store is closed")));
        };
        let mut feed_end = self.inner.feed_end.load(Ordering::Acquire);
        let mut changes = Changes::new(&database.db);
        let mut answers = Answers::new();
        let at = self.inner.shown();
        for request in requests {
            match stage(&mut changes, &request.write, feed_end, &at) {
                Ok(position) => {
                    feed_end = position;
                    answers.push(Ok(position));
                }
                Err(Refused::Because(error)) => answers.push(Err(error)),
                Err(Refused::Failed(failure)) => return Err(failure),
            }
        }
        let (batch, undo) = changes.finish();
        if let Some(batch) = batch {
            if let Err(failure) = write(database, batch) {
                self.failed = Some(undo);
                close(std::mem::replace(access, Access::Failed(failure.clone())));
                return Err(failure);
            }
            self.inner.feed_end.store(feed_end, Ordering::Release);
        }
        Ok(answers)
    }

    /// Opens the database anew if it failed. sled splits pages while it reads and writes in the background; once one such
    /// write has failed it refuses everything, whether or not there is space again.
    fn ensure_open(&mut self, access: &mut Access) -> Result<(), Failure> {
        let failure = match &*access {
            Access::Open(database) => match database.db.context.global_error() {
                Ok(()) => return Ok(()),
                Err(error) => Failure::of_sled("write", error),
            },
            Access::Failed(failure) => failure.clone(),
            Access::Closed => return Ok(()),
        };
        close(std::mem::replace(access, Access::Failed(failure)));
        match self.recover() {
            Ok(database) => *access = Access::Open(database),
            Err(failure) => {
                *access = Access::Failed(failure.clone());
                return Err(failure);
            }
        }
        tracing::info!(folder = %self.inner.folder.display(), "the store is open again");
        Ok(())
    }

    /// Opens the folder. The pages of the failed database held what nobody was told is stored; some of it may even have
    /// reached the log, and is taken back.
    fn recover(&mut self) -> Result<Database, Failure> {
        let database = open::open(&self.inner.folder).map_err(|error| match error {
            open::OpenError::Io { operation, source, .. } => Failure::of_io(operation, source),
            error => Failure::Io("open", Shared::new(error)),
        })?;
        if let Some(undo) = self.failed.clone()
            && let Err(failure) = write(&database, batch_of(undo))
        {
            release(database);
            return Err(failure);
        }
        self.failed = None;
        Ok(database)
    }
}

/// Applies a batch and makes it durable.
fn write(database: &Database, batch: Batch) -> Result<(), Failure> {
    // A panic inside sled must not take the committer with it: everybody would wait for good.
    let written = catch_unwind(AssertUnwindSafe(|| {
        database.db.apply_batch(batch)?;
        database.flush()
    }));
    match written {
        Ok(result) => result.map_err(|error| Failure::of_sled("write", error)),
        Err(panic) => Err(Failure::Io("write", Shared::new(panic_text(panic.as_ref())))),
    }
}

/// Adds a write to the batch, and gives the end of the feed after it.
fn stage(changes: &mut Changes<'_>, write: &Write, feed_end: u64, at: &str) -> Result<u64, Refused> {
    match write {
        Write::Turn { run, seq, is_live, has_cards, row, record, token, board } => {
            let stored = stored_seq(changes, run).map_err(|error| refused(error, at))?;
            let seq = *seq;
            if seq.checked_sub(1) != Some(stored) {
                return Err(Refused::Because(JournalError::Conflict { run: run.clone(), seq, stored }));
            }
            if let Some(token) = token.as_deref().map(keys::token) {
                if let Some(used) = changes.get(&token)? {
                    let run = run_id(used).map_err(|failure| refused(failure, at))?;
                    return Err(Refused::Because(JournalError::TokenUsed { run }));
                }
                changes.put(token, run.as_str().as_bytes())?;
            }
            mark(changes, keys::live(run), *is_live)?;
            mark(changes, keys::cards(run), *has_cards)?;
            put_rows(changes, board)?;
            changes.put(keys::row(run), row)?;
            changes.put(keys::record(run, seq), record)?;
            changes.put(keys::feed(feed_end + 1), &feed_value(run, seq))?;
            Ok(feed_end + 1)
        }
        Write::Board(rows) => {
            put_rows(changes, rows)?;
            Ok(feed_end)
        }
        Write::Registry { rows, entry } => {
            registry::stage(changes, rows, entry)?;
            Ok(feed_end)
        }
        Write::Recover => Ok(feed_end),
    }
}

/// Keeps a run in an index, or out of it.
fn mark(changes: &mut Changes<'_>, key: Vec<u8>, is_in: bool) -> Result<(), ReadError> {
    match (changes.contains(&key)?, is_in) {
        (false, true) => changes.put(key, &[]),
        (true, false) => changes.remove(key),
        _ => Ok(()),
    }
}

fn put_rows(changes: &mut Changes<'_>, rows: &[RowWrite]) -> Result<(), ReadError> {
    rows.iter().try_for_each(|(key, value)| match value {
        Some(value) => changes.put(key.clone(), value),
        None => changes.remove(key.clone()),
    })
}

/// A value of one run that is damaged must not hold up the others.
fn refused(failure: Failure, at: &str) -> Refused {
    match failure {
        Failure::Damaged(..) => Refused::Because(failure.journal(at)),
        failure => Refused::Failed(failure),
    }
}

/// Position of the last record of a run, 0 if it has none.
fn stored_seq(changes: &Changes<'_>, run: &RunId) -> Result<u64, Failure> {
    #[derive(Deserialize)]
    struct Probe {
        seq: u64,
    }
    let row = changes.get(&keys::row(run)).map_err(|error| Failure::of_read("read", error))?;
    let Some(row) = row else { return Ok(0) };
    let probe = serde_json::from_slice::<Probe>(&row);
    probe.map(|row| row.seq).map_err(|error| Failure::Damaged("a row", Shared::new(error)))
}

/// What the feed keeps of a record: its position in the run, then the run.
fn feed_value(run: &RunId, seq: u64) -> Vec<u8> {
    [seq.to_be_bytes().as_slice(), run.as_str().as_bytes()].concat()
}

/// A run id as it is stored.
pub(crate) fn run_id(bytes: Vec<u8>) -> Result<RunId, Failure> {
    let text = String::from_utf8(bytes).map_err(|error| Failure::Damaged("a run id", Shared::new(error)))?;
    RunId::try_from(text).map_err(|error| Failure::Damaged("a run id", Shared::new(error)))
}

pub(crate) fn json<T: serde::Serialize>(value: &T) -> Result<Vec<u8>, Refused> {
    serde_json::to_vec(value).map_err(|error| Refused::Failed(Failure::Io("encode", Shared::new(error))))
}

/// Closes what is open.
fn close(access: Access) {
    if let Access::Open(database) = access {
        release(database);
    }
}

/// Closes a database, and waits until the tasks sled left behind have let go of it: the folder can be opened again.
fn release(database: Database) {
    let Database { db, file } = database;
    // Closing flushes, and sled panics when that fails; the flush before it has already been reported.
    if catch_unwind(AssertUnwindSafe(|| drop(db))).is_err() {
        tracing::error!("sled panicked while it was closed");
    }
    let begun = Instant::now();
    while file.try_lock().is_err() {
        if begun.elapsed() > RELEASE_LIMIT {
            tracing::error!("sled did not let go of its lock");
            return;
        }
        thread::sleep(RELEASE_INTERVAL);
    }
}

#[cfg(test)]
mod tests;
