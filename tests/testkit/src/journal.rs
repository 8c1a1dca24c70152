use crate::lock;
use async_trait::async_trait;
use lockstep_ports::{BoardCommit, Commit, FEED_PAGE_MAX, FeedEntry, Journal, JournalError, ROWS_PAGE_MAX};
use lockstep_types::board::{Change, Row, RowKey, WorkspaceId};
use lockstep_types::{RunId, RunRow};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;

/// A journal in memory that tells what was written from what is durable, so that a crash can come between the two.
#[derive(Debug, Clone)]
pub struct MemJournal {
    state: Arc<Mutex<State>>,
    waits: Waits,
}

/// What waits for the test before it is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waits {
    Nothing,
    Turns,
    All,
}

/// What was written and is not flushed yet, with who waits for that.
#[derive(Debug)]
enum Pending {
    Turn(Box<Commit>, oneshot::Sender<Result<u64, JournalError>>),
    Board(BoardCommit, oneshot::Sender<Result<(), JournalError>>),
}

#[derive(Debug, Default)]
struct State {
    durable: Durable,
    /// Writes taken and not yet flushed, in order.
    pending: Vec<Pending>,
    is_closed: bool,
    /// What the next commit of a board ends with.
    board_failure: Option<JournalError>,
}

#[derive(Debug, Default, Clone)]
struct Durable {
    rows: BTreeMap<RunId, RunRow>,
    records: BTreeMap<RunId, Vec<Vec<u8>>>,
    tokens: BTreeMap<String, RunId>,
    /// Without the entries of runs that were forgotten.
    feed: Vec<Option<(RunId, u64)>>,
    boards: BTreeMap<(WorkspaceId, RowKey), Row>,
}

impl Default for MemJournal {
    fn default() -> Self {
        Self::new()
    }
}

impl MemJournal {
    /// A journal where every commit is durable at once.
    #[must_use]
    pub fn new() -> Self {
        Self { state: Arc::default(), waits: Waits::Nothing }
    }

    /// A journal where commits wait until the test calls `flush`, `flush_first`, `fail` or `crash`. Commits of boards that
    /// belong to no turn are durable at once.
    #[must_use]
    pub fn manual() -> Self {
        Self { state: Arc::default(), waits: Waits::Turns }
    }

    /// The same, with commits of boards that wait too.
    #[must_use]
    pub fn manual_with_boards() -> Self {
        Self { state: Arc::default(), waits: Waits::All }
    }

    /// How many commits wait to be flushed.
    #[must_use]
    pub fn pending(&self) -> usize {
        lock(&self.state).pending.len()
    }

    /// Makes everything pending durable and answers those who wait. Gives how many commits that were.
    pub fn flush(&self) -> usize {
        self.flush_first(usize::MAX)
    }

    /// Makes the first `count` pending commits durable and answers those who wait.
    pub fn flush_first(&self, count: usize) -> usize {
        let mut state = lock(&self.state);
        let count = count.min(state.pending.len());
        let flushed: Vec<_> = state.pending.drain(..count).collect();
        for pending in flushed {
            match pending {
                Pending::Turn(commit, reply) => {
                    let position = state.durable.apply(*commit);
                    drop(reply.send(Ok(position)));
                }
                Pending::Board(commit, reply) => {
                    state.durable.apply_board(commit);
                    drop(reply.send(Ok(())));
                }
            }
        }
        count
    }

    /// Refuses everything pending, as a failed flush does: nothing of it is kept. `error` makes the error for each.
    pub fn fail(&self, error: impl Fn() -> JournalError) -> usize {
        let failed = std::mem::take(&mut lock(&self.state).pending);
        let count = failed.len();
        for pending in failed {
            match pending {
                Pending::Turn(_, reply) => drop(reply.send(Err(error()))),
                Pending::Board(_, reply) => drop(reply.send(Err(error()))),
            }
        }
        count
    }

    /// Refuses the next commit of a board that belongs to no turn.
    pub fn fail_next_board(&self, error: JournalError) {
        lock(&self.state).board_failure = Some(error);
    }

    /// Loses what was not flushed, and gives the journal as it is when opened again. This one answers `Closed` from now on.
    #[must_use]
    pub fn crash(&self) -> Self {
        self.crash_inside(0)
    }

    /// The same in the middle of a flush: the first `count` pending writes are durable, and nobody was told.
    #[must_use]
    pub fn crash_inside(&self, count: usize) -> Self {
        let mut state = lock(&self.state);
        state.is_closed = true;
        let pending = std::mem::take(&mut state.pending);
        for pending in pending.into_iter().take(count) {
            match pending {
                Pending::Turn(commit, _) => drop(state.durable.apply(*commit)),
                Pending::Board(commit, _) => state.durable.apply_board(commit),
            }
        }
        let reopened = State { durable: state.durable.clone(), ..State::default() };
        Self { state: Arc::new(Mutex::new(reopened)), waits: self.waits }
    }

    /// Replaces the stored bytes of a record, as a failing disk would. Does nothing if there is no such record.
    pub fn damage(&self, run: &RunId, seq: u64, bytes: Vec<u8>) {
        let index = usize::try_from(seq).ok().and_then(|seq| seq.checked_sub(1));
        let mut state = lock(&self.state);
        let record =
            state.durable.records.get_mut(run).zip(index).and_then(|(all, index)| all.get_mut(index));
        if let Some(record) = record {
            *record = bytes;
        }
    }

    fn read<T>(&self, read: impl FnOnce(&Durable) -> T) -> Result<T, JournalError> {
        let state = lock(&self.state);
        if state.is_closed { Err(JournalError::Closed) } else { Ok(read(&state.durable)) }
    }
}

impl State {
    fn pending_turns(&self) -> impl DoubleEndedIterator<Item = &Commit> {
        self.pending.iter().filter_map(|pending| match pending {
            Pending::Turn(commit, _) => Some(&**commit),
            Pending::Board(..) => None,
        })
    }

    /// Whether a commit continues what is durable and pending.
    fn check(&self, commit: &Commit) -> Result<(), JournalError> {
        if self.is_closed {
            return Err(JournalError::Closed);
        }
        let (run, seq) = (&commit.row.summary.id, commit.row.seq);
        let pending = self.pending_turns().rev().map(|pending| &pending.row);
        let stored = pending.chain(self.durable.rows.get(run)).find(|row| row.summary.id == *run);
        let stored = stored.map_or(0, |row| row.seq);
        if seq.checked_sub(1) != Some(stored) {
            return Err(JournalError::Conflict { run: run.clone(), seq, stored });
        }
        let Some(token) = &commit.start_token else { return Ok(()) };
        let mut pending = self.pending_turns().filter(|pending| pending.start_token.as_ref() == Some(token));
        let used = pending.next().map(|pending| &pending.row.summary.id);
        match used.or_else(|| self.durable.tokens.get(token)) {
            Some(run) => Err(JournalError::TokenUsed { run: run.clone() }),
            None => Ok(()),
        }
    }
}

impl Durable {
    fn apply(&mut self, commit: Commit) -> u64 {
        let run = commit.row.summary.id.clone();
        if let Some(token) = commit.start_token {
            self.tokens.insert(token, run.clone());
        }
        if let Some(board) = commit.board {
            self.apply_board(board);
        }
        self.feed.push(Some((run.clone(), commit.row.seq)));
        self.records.entry(run.clone()).or_default().push(commit.record);
        self.rows.insert(run, commit.row);
        self.feed.len() as u64
    }

    fn forget(&mut self, run: &RunId) {
        let can_go_on = |row: &RunRow| row.summary.status.is_live() || row.summary.cleanups > 0;
        if self.rows.get(run).is_some_and(can_go_on) {
            return;
        }
        self.rows.remove(run);
        self.records.remove(run);
        self.tokens.retain(|_, started| started != run);
        let of_run = |entry: &&mut Option<(RunId, u64)>| entry.as_ref().is_some_and(|(of, _)| of == run);
        self.feed.iter_mut().filter(of_run).for_each(|entry| *entry = None);
    }

    fn apply_board(&mut self, commit: BoardCommit) {
        for change in commit.changes {
            match change {
                Change::Put(row) => drop(self.boards.insert((commit.workspace.clone(), row.key()), row)),
                Change::Remove(key) => drop(self.boards.remove(&(commit.workspace.clone(), key))),
            }
        }
    }
}

#[async_trait]
impl Journal for MemJournal {
    async fn commit(&self, commit: Commit) -> Result<u64, JournalError> {
        let answer = {
            let mut state = lock(&self.state);
            state.check(&commit)?;
            if self.waits == Waits::Nothing {
                return Ok(state.durable.apply(commit));
            }
            let (reply, answer) = oneshot::channel();
            state.pending.push(Pending::Turn(Box::new(commit), reply));
            answer
        };
        answer.await.map_err(|_| JournalError::Closed)?
    }

    async fn commit_board(&self, commit: BoardCommit) -> Result<(), JournalError> {
        let answer = {
            let mut state = lock(&self.state);
            if state.is_closed {
                return Err(JournalError::Closed);
            }
            if let Some(error) = state.board_failure.take() {
                return Err(error);
            }
            if self.waits != Waits::All {
                state.durable.apply_board(commit);
                return Ok(());
            }
            let (reply, answer) = oneshot::channel();
            state.pending.push(Pending::Board(commit, reply));
            answer
        };
        answer.await.map_err(|_| JournalError::Closed)?
    }

    async fn boards(&self) -> Result<Vec<(WorkspaceId, Row)>, JournalError> {
        self.read(|durable| {
            let rows = durable.boards.iter();
            rows.map(|((workspace, _), row)| (workspace.clone(), row.clone())).collect()
        })
    }

    async fn with_cards(&self) -> Result<Vec<RunId>, JournalError> {
        self.read(|durable| {
            let carded = durable.rows.values().filter(|row| !row.summary.open_notices.is_empty());
            carded.map(|row| row.summary.id.clone()).collect()
        })
    }

    async fn row(&self, run: &RunId) -> Result<Option<RunRow>, JournalError> {
        self.read(|durable| durable.rows.get(run).cloned())
    }

    async fn rows(&self, before: Option<&RunId>, limit: usize) -> Result<Vec<RunRow>, JournalError> {
        let limit = limit.min(ROWS_PAGE_MAX);
        self.read(|durable| {
            let newest_first = durable.rows.iter().rev();
            let below = newest_first.filter(|(run, _)| before.is_none_or(|before| *run < before));
            below.take(limit).map(|(_, row)| row.clone()).collect()
        })
    }

    async fn rows_from(&self, after: Option<&RunId>, limit: usize) -> Result<Vec<RunRow>, JournalError> {
        let limit = limit.min(ROWS_PAGE_MAX);
        self.read(|durable| {
            let above = durable.rows.iter().filter(|(run, _)| after.is_none_or(|after| *run > after));
            above.take(limit).map(|(_, row)| row.clone()).collect()
        })
    }

    async fn count(&self) -> Result<u64, JournalError> {
        self.read(|durable| durable.rows.len() as u64)
    }

    async fn live(&self) -> Result<Vec<RunId>, JournalError> {
        self.read(|durable| {
            let live =
                durable.rows.values().filter(|row| row.summary.status.is_live() || row.summary.cleanups > 0);
            live.map(|row| row.summary.id.clone()).collect()
        })
    }

    async fn records(&self, run: &RunId, from: u64) -> Result<Vec<Vec<u8>>, JournalError> {
        let skipped = usize::try_from(from.saturating_sub(1)).unwrap_or(usize::MAX);
        self.read(|durable| durable.records.get(run).into_iter().flatten().skip(skipped).cloned().collect())
    }

    async fn started_under(&self, token: &str) -> Result<Option<RunId>, JournalError> {
        self.read(|durable| durable.tokens.get(token).cloned())
    }

    async fn forget(&self, runs: &[RunId]) -> Result<(), JournalError> {
        let mut state = lock(&self.state);
        if state.is_closed {
            return Err(JournalError::Closed);
        }
        runs.iter().for_each(|run| state.durable.forget(run));
        Ok(())
    }

    async fn feed(&self, after: u64, limit: usize) -> Result<Vec<FeedEntry>, JournalError> {
        let skipped = usize::try_from(after).unwrap_or(usize::MAX);
        let limit = limit.min(FEED_PAGE_MAX);
        self.read(|durable| {
            let entries = (1..).zip(&durable.feed).skip(skipped);
            let entries = entries.filter_map(|(position, entry)| {
                let (run, seq) = entry.clone()?;
                Some(FeedEntry { position, run, seq })
            });
            entries.take(limit).collect()
        })
    }

    fn feed_end(&self) -> u64 {
        lock(&self.state).durable.feed.len() as u64
    }
}
