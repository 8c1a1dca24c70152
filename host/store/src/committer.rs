//! The one thread that writes. It takes all that waits, writes it as one batch, flushes once, then answers everybody.

use crate::Inner;
use crate::access;
use crate::error::{Failure, Shared};
use crate::index::Flush;
use crate::log::{Log, Placed, Writer};
use crate::registry::{self, RegistryRow};
use crate::staging::Staging;
use crate::turn::{self, Turn};
use bytes::Bytes;
use lockstep_ports::JournalError;
use lockstep_types::{AuditEnd, AuditEntry, AuditRecord, RunId};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::{mpsc, oneshot};

/// Writes that may wait for the committer; more wait at the door. A few batches: enough to fill the next one while one
/// is being flushed, and little to hold in memory.
pub(crate) const QUEUE_MAX: usize = 1024;
/// Most writes of one batch: beyond this a flush is a small part of its cost.
const BATCH_WRITES_MAX: usize = 512;
/// Most bytes of one batch, for the same reason; one larger write goes alone.
const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How often a batch is tried: the second time with an index opened anew, since sled also tells of failures that are past.
const ATTEMPTS: usize = 2;

/// One write, and who waits for it.
pub(crate) struct Request {
    pub(crate) write: Write,
    pub(crate) reply: Reply,
}

/// A row of a board under its key; without a value it goes.
pub(crate) type RowWrite = (Vec<u8>, Option<Bytes>);

pub(crate) enum Write {
    /// A turn, encoded by whoever asks, so that the one committer need not.
    Turn(Turn),
    /// Rows of a board, encoded likewise.
    Board(Vec<RowWrite>),
    /// Changes of the registry, and the entry that tells of them.
    Registry { rows: Vec<RegistryRow>, entry: Box<AuditEntry> },
    /// A record of the audit, which is answered with its number.
    Audit(Box<AuditRecord>),
    /// The end of one.
    EndAudit(Box<AuditEnd>),
    /// Everything of these runs goes, of those that have ended.
    Forget(Vec<RunId>),
    /// Everything of these runs goes whatever their state, and these keys.
    Discard { runs: Vec<RunId>, keys: Vec<Vec<u8>> },
    /// The segment that is written to is closed, and a new one begun.
    Roll,
    /// Values of a segment that is to go, written again unless they changed in the meantime.
    Carry(Vec<Placed>),
    /// Keys and values as they were exported; keys that have a value already are left alone.
    Import(Vec<(Vec<u8>, Bytes)>),
    /// Nothing, but try to open an index that failed.
    Recover,
}

impl Write {
    fn bytes(&self) -> usize {
        match self {
            Self::Turn(turn) => turn.bytes(),
            Self::Board(rows) => rows_bytes(rows),
            Self::Carry(values) => {
                values.iter().filter_map(|(_, place)| *place).map(|place| place.len as usize).sum()
            }
            Self::Import(values) => values.iter().map(|(_, value)| value.len()).sum(),
            _ => 0,
        }
    }
}

pub(crate) fn rows_bytes(rows: &[RowWrite]) -> usize {
    rows.iter().filter_map(|(_, value)| value.as_ref()).map(Bytes::len).sum()
}

/// Why a write is not added to a batch.
pub(crate) enum Refused {
    /// It is left out, and nothing of it was added.
    Because(JournalError),
    /// The batch cannot be made.
    Failed(Failure),
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

pub(crate) type Reply = oneshot::Sender<Result<u64, JournalError>>;

/// For each request of a batch, in order.
type Answers = Vec<Result<u64, JournalError>>;

pub(crate) struct Committer {
    inner: Arc<Inner>,
    writer: Writer,
    queue: mpsc::Receiver<Request>,
}

impl Committer {
    pub(crate) fn new(inner: Arc<Inner>, writer: Writer, queue: mpsc::Receiver<Request>) -> Self {
        Self { inner, writer, queue }
    }

    /// Serves until nobody can ask any more.
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
        self.seal();
    }

    /// Writes an empty frame, which says that all before it is on the device: damage to the last batch can be told from a
    /// batch that was being written.
    fn seal(&mut self) {
        let sealed = self.writer.batch().and_then(|mut batch| {
            batch.add(&[]);
            self.writer.write(&batch)
        });
        match sealed {
            Ok(()) => {
                _ = self.inner.view.index.take_in(Vec::new(), (self.writer.end(), self.writer.number()));
            }
            Err(error) => tracing::debug!(folder = %self.inner.shown(), %error, "the log was not sealed"),
        }
    }

    fn serve(&mut self, requests: Vec<Request>) {
        let mut outcome = self.attempt(&requests);
        for _ in 1..ATTEMPTS {
            if outcome.is_err() {
                outcome = self.attempt(&requests);
            }
        }
        let answers = match outcome {
            Ok(answers) => answers,
            Err(failure) => {
                // Whoever asked is told, and knows whether it is news.
                tracing::debug!(folder = %self.inner.folder.display(), ?failure, "writes were refused");
                requests.iter().map(|_| Err(failure.journal(&self.inner.shown()))).collect()
            }
        };
        for (request, answer) in requests.into_iter().zip(answers) {
            // Whoever asked may have gone; what was written stays written.
            drop(request.reply.send(answer));
        }
    }

    /// Writes what can be written of a batch, and gives the answer for each request. On failure nothing of it is stored.
    fn attempt(&mut self, requests: &[Request]) -> Result<Answers, Failure> {
        let view = &self.inner.view;
        view.index.ensure_open()?;
        if view.index.is_full() {
            view.index.settle(Flush::WhenDue)?;
        }
        let mut feed_end = self.inner.feed_end.load(Ordering::Acquire);
        if requests.iter().any(|request| matches!(request.write, Write::Roll)) {
            self.writer.roll().map_err(|error| Failure::of_io("write", error))?;
            view.index.take_in(Vec::new(), (self.writer.end(), self.writer.number()));
        }
        let batch = self.writer.batch().map_err(|error| Failure::of_io("write", error))?;
        let mut staging = Staging::new(view, batch);
        let mut answers = Answers::new();
        let at = self.inner.shown();
        for request in requests {
            match stage(&mut staging, &view.log, &request.write, feed_end, &at) {
                Ok(staged) => {
                    staging.end_write();
                    feed_end = staged.feed_end;
                    answers.push(Ok(staged.answer));
                }
                Err(Refused::Because(error)) => {
                    staging.drop_write();
                    answers.push(Err(error));
                }
                Err(Refused::Failed(failure)) => return Err(failure),
            }
        }
        let (batch, placed) = staging.finish();
        if !batch.is_empty() {
            if let Err(error) = self.writer.write(&batch) {
                // What reached the file must not be found by the next start: it was refused.
                if let Err(error) = self.writer.mend() {
                    tracing::warn!(folder = %at, %error, "a write that failed could not be taken back yet");
                }
                return Err(Failure::of_io("write", error));
            }
            if view.index.take_in(placed, (self.writer.end(), self.writer.number())) {
                self.inner.wake_keeper();
            }
            self.inner.feed_end.store(feed_end, Ordering::Release);
        }
        Ok(answers)
    }
}

/// What came of a write that was added to a batch.
struct Staged {
    /// The end of the feed after it.
    feed_end: u64,
    /// What whoever asked is told: that end, or the number of a record.
    answer: u64,
}

/// Adds a write to the batch.
fn stage(
    staging: &mut Staging<'_>,
    log: &Log,
    write: &Write,
    feed_end: u64,
    at: &str,
) -> Result<Staged, Refused> {
    let mut staged = Staged { feed_end, answer: feed_end };
    match write {
        Write::Turn(turn) => {
            turn::stage(staging, turn, feed_end + 1).map_err(|refused| told(refused, at))?;
            staged = Staged { feed_end: feed_end + 1, answer: feed_end + 1 };
        }
        Write::Board(rows) => put_rows(staging, rows),
        Write::Registry { rows, entry } => registry::stage(staging, rows, entry)?,
        Write::Audit(record) => {
            staged.answer = access::begin(staging, record).map_err(|refused| told(refused, at))?;
        }
        Write::EndAudit(end) => access::end(staging, end).map_err(|refused| told(refused, at))?,
        Write::Discard { runs, keys } => {
            runs.iter().try_for_each(|run| turn::discard(staging, run, feed_end))?;
            keys.iter().for_each(|key| staging.remove(key.clone()));
        }
        Write::Forget(runs) => runs.iter().try_for_each(|run| turn::forget(staging, run, feed_end))?,
        Write::Carry(values) => carry(staging, log, values)?,
        Write::Import(values) => {
            for (key, value) in values {
                if !staging.contains(key)? {
                    staging.put(key.clone(), value.clone());
                }
            }
        }
        Write::Recover | Write::Roll => {}
    }
    Ok(staged)
}

pub(crate) fn put_rows(staging: &mut Staging<'_>, rows: &[RowWrite]) {
    for (key, value) in rows {
        match value {
            Some(value) => staging.put(key.clone(), value.clone()),
            None => staging.remove(key.clone()),
        }
    }
}

/// Writes again what still lies where it was found; a key that was gone is written as gone again.
fn carry(staging: &mut Staging<'_>, log: &Log, values: &[Placed]) -> Result<(), Failure> {
    for (key, place) in values {
        match (place, staging.place(key)?) {
            (Some(place), Some(now)) if *place == now => {
                let value = log.read(place)?;
                staging.put(key.clone(), value);
            }
            (None, None) => staging.remove(key.clone()),
            _ => {}
        }
    }
    Ok(())
}

/// A value of one run that is damaged must not hold up the others.
fn told(refused: Refused, at: &str) -> Refused {
    match refused {
        Refused::Failed(failure @ Failure::Damaged(..)) => Refused::Because(failure.journal(at)),
        refused => refused,
    }
}

/// A run id as it is stored.
pub(crate) fn run_id(bytes: Vec<u8>) -> Result<RunId, Failure> {
    let text = String::from_utf8(bytes).map_err(|error| Failure::Damaged("a run id", Shared::new(error)))?;
    RunId::try_from(text).map_err(|error| Failure::Damaged("a run id", Shared::new(error)))
}

pub(crate) fn json<T: serde::Serialize>(value: &T) -> Result<Vec<u8>, Refused> {
    serde_json::to_vec(value).map_err(|error| Refused::Failed(Failure::Io("encode", Shared::new(error))))
}

#[cfg(test)]
mod tests;
