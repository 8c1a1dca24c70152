//! A journal that counts what goes through it, and tells whoever started a run when its end is durable.

use async_trait::async_trait;
use lockstep_ports::{BoardCommit, Commit, FeedEntry, Journal, JournalError};
use lockstep_types::board::{Row, WorkspaceId};
use lockstep_types::{RunId, RunRow, RunSummary};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::oneshot;

/// Another journal, and what was written to it.
pub(crate) struct Metered {
    inner: Arc<dyn Journal>,
    commits: AtomicU64,
    record_bytes: AtomicU64,
    waited_ns: AtomicU64,
    /// Who waits for the end of the run of an item.
    ends: Mutex<HashMap<String, oneshot::Sender<RunSummary>>>,
}

/// What was committed so far.
#[derive(Clone, Copy, Default)]
pub(crate) struct Written {
    pub(crate) commits: u64,
    /// Bytes of records, as the engine encoded them.
    pub(crate) record_bytes: u64,
    /// Time from handing a commit over until it was durable, summed up.
    pub(crate) waited_ns: u64,
}

impl Written {
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            commits: self.commits - earlier.commits,
            record_bytes: self.record_bytes - earlier.record_bytes,
            waited_ns: self.waited_ns - earlier.waited_ns,
        }
    }
}

impl Metered {
    pub(crate) fn new(inner: Arc<dyn Journal>) -> Self {
        Self {
            inner,
            commits: AtomicU64::default(),
            record_bytes: AtomicU64::default(),
            waited_ns: AtomicU64::default(),
            ends: Mutex::default(),
        }
    }

    pub(crate) fn written(&self) -> Written {
        Written {
            commits: self.commits.load(Ordering::Relaxed),
            record_bytes: self.record_bytes.load(Ordering::Relaxed),
            waited_ns: self.waited_ns.load(Ordering::Relaxed),
        }
    }

    /// To be asked for before the run is started.
    pub(crate) fn end_of(&self, item: &str) -> oneshot::Receiver<RunSummary> {
        let (told, end) = oneshot::channel();
        self.ends().insert(item.to_owned(), told);
        end
    }

    fn ends(&self) -> MutexGuard<'_, HashMap<String, oneshot::Sender<RunSummary>>> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Journal for Metered {
    async fn commit(&self, commit: Commit) -> Result<u64, JournalError> {
        let bytes = commit.record.len() as u64;
        let ended = (!commit.row.summary.status.is_live()).then(|| commit.row.summary.clone());
        let begin = Instant::now();
        let position = self.inner.commit(commit).await?;
        let waited = u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.waited_ns.fetch_add(waited, Ordering::Relaxed);
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.record_bytes.fetch_add(bytes, Ordering::Relaxed);
        if let Some(summary) = ended {
            let told = self.ends().remove(&summary.item);
            if let Some(told) = told {
                // Whoever waited may have gone.
                drop(told.send(summary));
            }
        }
        Ok(position)
    }

    async fn commit_board(&self, commit: BoardCommit) -> Result<(), JournalError> {
        self.inner.commit_board(commit).await
    }

    async fn boards(&self) -> Result<Vec<(WorkspaceId, Row)>, JournalError> {
        self.inner.boards().await
    }

    async fn row(&self, run: &RunId) -> Result<Option<RunRow>, JournalError> {
        self.inner.row(run).await
    }

    async fn rows(&self, before: Option<&RunId>, limit: usize) -> Result<Vec<RunRow>, JournalError> {
        self.inner.rows(before, limit).await
    }

    async fn rows_from(&self, after: Option<&RunId>, limit: usize) -> Result<Vec<RunRow>, JournalError> {
        self.inner.rows_from(after, limit).await
    }

    async fn count(&self) -> Result<u64, JournalError> {
        self.inner.count().await
    }

    async fn forget(&self, runs: &[RunId]) -> Result<(), JournalError> {
        self.inner.forget(runs).await
    }

    async fn live(&self) -> Result<Vec<RunId>, JournalError> {
        self.inner.live().await
    }

    async fn with_cards(&self) -> Result<Vec<RunId>, JournalError> {
        self.inner.with_cards().await
    }

    async fn records(&self, run: &RunId, from: u64) -> Result<Vec<Vec<u8>>, JournalError> {
        self.inner.records(run, from).await
    }

    async fn started_under(&self, token: &str) -> Result<Option<RunId>, JournalError> {
        self.inner.started_under(token).await
    }

    async fn feed(&self, after: u64, limit: usize) -> Result<Vec<FeedEntry>, JournalError> {
        self.inner.feed(after, limit).await
    }

    fn feed_end(&self) -> u64 {
        self.inner.feed_end()
    }
}
