use crate::BoardCommit;
use async_trait::async_trait;
use lockstep_types::board::{Row, WorkspaceId};
use lockstep_types::{RunId, RunRow};

/// Most rows one call of `rows` gives: a page of a list, and a bound on memory.
pub const ROWS_PAGE_MAX: usize = 1000;
/// Most entries one call of `feed` gives, for the same reason.
pub const FEED_PAGE_MAX: usize = 1000;

/// One turn of one run, to be made durable whole or not at all.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The run and its row after the turn; `row.seq` is the position of `record`.
    pub row: RunRow,
    /// `TurnRecord::encode`.
    pub record: Vec<u8>,
    /// For the first record of a run: the client token it was started under, kept so that it starts no second run.
    pub start_token: Option<String>,
    /// What the turn makes true of a board, durable with it or not at all.
    pub board: Option<BoardCommit>,
}

/// Position of a committed record in the feed of all runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedEntry {
    /// From 1, rising; the entries of runs that were forgotten are missing.
    pub position: u64,
    /// The run.
    pub run: RunId,
    /// Its record.
    pub seq: u64,
}

/// Why the journal did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The commit does not continue what is stored. Nothing was written.
    #[error("run {run}: record {seq} does not follow the stored record {stored}")]
    Conflict {
        /// The run.
        run: RunId,
        /// Position that was to be written.
        seq: u64,
        /// Position of the last stored record, 0 if there is none.
        stored: u64,
    },
    /// Another run was started under the same client token.
    #[error("the start token was used before")]
    TokenUsed {
        /// The run started under it.
        run: RunId,
    },
    /// The disk is full. Nothing was acknowledged; the same commit may be tried again.
    #[error("cannot write to {path}: the disk is full; free some space, nothing stored was lost")]
    Full {
        /// Where.
        path: String,
    },
    /// The store failed.
    #[error("cannot {operation} in the store at {path}")]
    Io {
        /// What was being done.
        operation: &'static str,
        /// Where.
        path: String,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A stored value cannot be read.
    #[error("{what} in the store at {path} is damaged")]
    Damaged {
        /// Which value.
        what: String,
        /// Where.
        path: String,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl JournalError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::Io { .. })
    }
}

/// The append-only record of all runs. Returning from `commit` means the turn is durable.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Makes a turn durable and gives its position in the feed. Commits of many callers may share one flush.
    ///
    /// # Errors
    /// `Conflict` or `TokenUsed` if it does not continue what is stored; others if it could not be written. In every
    /// case nothing of it is visible.
    async fn commit(&self, commit: Commit) -> Result<u64, JournalError>;

    /// Makes changes of a board durable that belong to no turn. They have no place in the feed.
    ///
    /// # Errors
    /// If they could not be written; then nothing of them is visible.
    async fn commit_board(&self, commit: BoardCommit) -> Result<(), JournalError>;

    /// The rows of all boards, those of a workspace one after another.
    ///
    /// # Errors
    /// If the store failed, or a row is damaged or was written by a newer version.
    async fn boards(&self) -> Result<Vec<(WorkspaceId, Row)>, JournalError>;

    /// The row of a run.
    ///
    /// # Errors
    /// If the store failed or the row is damaged.
    async fn row(&self, run: &RunId) -> Result<Option<RunRow>, JournalError>;

    /// Rows in falling order of id (the newest first), those below `before` if given, at most `limit`.
    ///
    /// # Errors
    /// If the store failed or a row is damaged.
    async fn rows(&self, before: Option<&RunId>, limit: usize) -> Result<Vec<RunRow>, JournalError>;

    /// Rows in rising order of id (the oldest first), those above `after` if given, at most `limit`.
    ///
    /// # Errors
    /// If the store failed or a row is damaged.
    async fn rows_from(&self, after: Option<&RunId>, limit: usize) -> Result<Vec<RunRow>, JournalError>;

    /// How many runs there are. Takes time in proportion.
    ///
    /// # Errors
    /// If the store failed.
    async fn count(&self) -> Result<u64, JournalError>;

    /// Ids of the runs whose status is live, or that have teardowns left to carry out, oldest first. Does not read the
    /// others.
    ///
    /// # Errors
    /// If the store failed.
    async fn live(&self) -> Result<Vec<RunId>, JournalError>;

    /// Ids of the runs that have open cards, live or not, oldest first. Does not read the others.
    ///
    /// # Errors
    /// If the store failed.
    async fn with_cards(&self) -> Result<Vec<RunId>, JournalError>;

    /// The stored bytes of a run's records from position `from` on, in order.
    ///
    /// # Errors
    /// If the store failed.
    async fn records(&self, run: &RunId, from: u64) -> Result<Vec<Vec<u8>>, JournalError>;

    /// The run started under a client token.
    ///
    /// # Errors
    /// If the store failed.
    async fn started_under(&self, token: &str) -> Result<Option<RunId>, JournalError>;

    /// Takes everything of some runs away: row, records, their entries in the feed, the client token. One that is not
    /// there, or that can still go on, is left as it is.
    ///
    /// # Errors
    /// If it could not be written; then all of the runs are still there.
    async fn forget(&self, runs: &[RunId]) -> Result<(), JournalError>;

    /// Feed entries after a position, at most `limit`.
    ///
    /// # Errors
    /// If the store failed.
    async fn feed(&self, after: u64, limit: usize) -> Result<Vec<FeedEntry>, JournalError>;

    /// Position of the last committed record, 0 if there is none.
    fn feed_end(&self) -> u64;
}
