use async_trait::async_trait;
use lockstep_ports::{BoardCommit, Commit, FeedEntry, Journal, JournalError, Measure, Meter};
use lockstep_types::board::{Row, WorkspaceId};
use lockstep_types::{RunId, RunRow, RunStatus};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tracing::Instrument as _;

/// A journal whose commits are counted, and whose live runs are known by status.
pub struct WatchedJournal {
    inner: Arc<dyn Journal>,
    meter: Arc<dyn Meter>,
    live: Mutex<HashMap<RunId, RunStatus>>,
}

impl WatchedJournal {
    /// Counts what `inner` holds and takes.
    ///
    /// # Errors
    /// If the live runs cannot be read.
    pub async fn open(inner: Arc<dyn Journal>, meter: Arc<dyn Meter>) -> Result<Self, JournalError> {
        let mut live = HashMap::new();
        for run in inner.live().await? {
            let Some(row) = inner.row(&run).await? else { continue };
            let to = row.summary.status;
            if to.is_live() {
                meter.note(&Measure::Moved { from: None, to });
                live.insert(run, to);
            }
        }
        Ok(Self { inner, meter, live: Mutex::new(live) })
    }

    /// `is_new`: with its first record. An ended run that still tears something down has not moved.
    fn moved(&self, run: &RunId, to: RunStatus, is_new: bool) {
        let from = {
            let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
            match live.get_mut(run) {
                Some(status) if to.is_live() => Some(std::mem::replace(status, to)),
                Some(_) => live.remove(run),
                None if to.is_live() => {
                    live.insert(run.clone(), to);
                    None
                }
                None if is_new => None,
                None => return,
            }
        };
        if from != Some(to) {
            self.meter.note(&Measure::Moved { from, to });
        }
    }
}

#[async_trait]
impl Journal for WatchedJournal {
    async fn commit(&self, commit: Commit) -> Result<u64, JournalError> {
        let (run, status) = (commit.row.summary.id.clone(), commit.row.summary.status);
        let is_new = commit.row.seq == 1;
        let span = tracing::info_span!(target: "lockstep::trace", "commit", run.id = run.as_str());
        let begun = Instant::now();
        let done = self.inner.commit(commit).instrument(span).await;
        let outcome = if done.is_ok() { "durable" } else { "failed" };
        self.meter.note(&Measure::Commit { outcome, time: begun.elapsed() });
        if done.is_ok() {
            self.moved(&run, status, is_new);
        }
        done
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

    async fn forget(&self, runs: &[RunId]) -> Result<(), JournalError> {
        self.inner.forget(runs).await
    }

    async fn feed(&self, after: u64, limit: usize) -> Result<Vec<FeedEntry>, JournalError> {
        self.inner.feed(after, limit).await
    }

    fn feed_end(&self) -> u64 {
        self.inner.feed_end()
    }
}
