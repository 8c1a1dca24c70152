//! The journal port.

use crate::committer::{Write, run_id};
use crate::error::{Failure, Shared};
use crate::values::ReadError;
use crate::{SledStore, boards, keys, values};
use async_trait::async_trait;
use lockstep_ports::{BoardCommit, Commit, FEED_PAGE_MAX, FeedEntry, Journal, JournalError, ROWS_PAGE_MAX};
use lockstep_types::board::{Row, WorkspaceId};
use lockstep_types::{RunId, RunRow};
use sled::Db;

/// Largest record or row, far above what the limits on steps let through: a bound on memory, whoever asks.
const RECORD_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Most bytes of records read before writers get their turn.
const READ_BYTES_MAX: usize = 4 * 1024 * 1024;

#[async_trait]
impl Journal for SledStore {
    async fn commit(&self, commit: Commit) -> Result<u64, JournalError> {
        let Commit { row, record, start_token, board } = commit;
        let encoded = serde_json::to_vec(&row);
        let row_bytes = encoded
            .map_err(|error| Failure::Io("encode a row", Shared::new(error)).journal(&self.inner.shown()))?;
        if row_bytes.len().max(record.len()) > RECORD_BYTES_MAX {
            let error = Shared::new(format!("a record may have {RECORD_BYTES_MAX} bytes"));
            return Err(Failure::Io("write a record", error).journal(&self.inner.shown()));
        }
        let board = board.map_or(Ok(Vec::new()), |board| boards::encode(&board));
        let board = board.map_err(|failure| failure.journal(&self.inner.shown()))?;
        self.write(Write::Turn {
            seq: row.seq,
            is_live: row.summary.status.is_live() || row.summary.cleanups > 0,
            has_cards: !row.summary.open_notices.is_empty(),
            run: row.summary.id,
            row: row_bytes,
            record,
            token: start_token,
            board,
        })
        .await
    }

    async fn commit_board(&self, commit: BoardCommit) -> Result<(), JournalError> {
        let rows = boards::encode(&commit).map_err(|failure| failure.journal(&self.inner.shown()))?;
        self.write(Write::Board(rows)).await.map(drop)
    }

    async fn boards(&self) -> Result<Vec<(WorkspaceId, Row)>, JournalError> {
        self.read(boards::all).await
    }

    async fn row(&self, run: &RunId) -> Result<Option<RunRow>, JournalError> {
        let key = keys::row(run);
        self.read(move |db| {
            let row = values::get(db, &key).map_err(failure)?;
            row.map(|bytes| decode_row(&key, &bytes)).transpose()
        })
        .await
    }

    async fn rows(&self, before: Option<&RunId>, limit: usize) -> Result<Vec<RunRow>, JournalError> {
        let end = before.map_or_else(|| keys::above(keys::ROWS), keys::row);
        let limit = limit.min(ROWS_PAGE_MAX);
        self.read(move |db| {
            let mut rows = Vec::new();
            for entry in db.range(keys::ROWS.to_vec()..end).rev().take(limit) {
                let (key, head) = entry.map_err(sled_failure)?;
                let bytes = values::read(db, &key, &head).map_err(failure)?;
                rows.push(decode_row(&key, &bytes)?);
            }
            Ok(rows)
        })
        .await
    }

    async fn live(&self) -> Result<Vec<RunId>, JournalError> {
        self.read(|db| marked(db, keys::LIVE)).await
    }

    async fn with_cards(&self) -> Result<Vec<RunId>, JournalError> {
        self.read(|db| marked(db, keys::CARDS)).await
    }

    async fn records(&self, run: &RunId, from: u64) -> Result<Vec<Vec<u8>>, JournalError> {
        let end = keys::above(&keys::records(run));
        let mut records = Vec::new();
        let mut next = Some(keys::record(run, from));
        while let Some(begin) = next {
            let range = begin..end.clone();
            let (page, rest) = self.read(move |db| records_page(db, range)).await?;
            records.extend(page);
            next = rest;
        }
        Ok(records)
    }

    async fn started_under(&self, token: &str) -> Result<Option<RunId>, JournalError> {
        let key = keys::token(token);
        self.read(move |db| values::get(db, &key).map_err(failure)?.map(run_id).transpose()).await
    }

    async fn feed(&self, after: u64, limit: usize) -> Result<Vec<FeedEntry>, JournalError> {
        let Some(begin) = after.checked_add(1) else { return Ok(Vec::new()) };
        let limit = limit.min(FEED_PAGE_MAX);
        self.read(move |db| {
            let mut entries = Vec::new();
            for entry in db.range(keys::feed(begin)..keys::above(keys::FEED)).take(limit) {
                let (key, head) = entry.map_err(sled_failure)?;
                let value = values::read(db, &key, &head).map_err(failure)?;
                entries.push(feed_entry(&key, &value)?);
            }
            Ok(entries)
        })
        .await
    }

    fn feed_end(&self) -> u64 {
        self.inner.feed_end()
    }
}

/// The runs in an index.
fn marked(db: &Db, index: &[u8]) -> Result<Vec<RunId>, Failure> {
    let keys = db.scan_prefix(index).keys();
    keys.map(|key| run_id(key.map_err(sled_failure)?[index.len()..].to_vec())).collect()
}

/// Records, and the key to go on at.
type RecordsPage = (Vec<Vec<u8>>, Option<Vec<u8>>);

/// Records from the beginning of a range, and where to go on if there may be more.
fn records_page(db: &Db, range: std::ops::Range<Vec<u8>>) -> Result<RecordsPage, Failure> {
    let mut records = Vec::new();
    let mut bytes = 0;
    for entry in db.range(range) {
        let (key, head) = entry.map_err(sled_failure)?;
        if bytes >= READ_BYTES_MAX {
            return Ok((records, Some(key.to_vec())));
        }
        let record = values::read(db, &key, &head).map_err(failure)?;
        bytes += record.len();
        records.push(record);
    }
    Ok((records, None))
}

/// Position of the last entry of the feed, 0 if there is none.
pub(crate) fn feed_end(db: &Db) -> Result<u64, ReadError> {
    match db.range(keys::FEED.to_vec()..keys::above(keys::FEED)).keys().next_back().transpose()? {
        Some(key) => keys::trailing_number(&key).ok_or(ReadError::Parts),
        None => Ok(0),
    }
}

fn feed_entry(key: &[u8], value: &[u8]) -> Result<FeedEntry, Failure> {
    let damaged = || Failure::Damaged("an entry of the feed", Shared::new("it is too short"));
    let position = keys::trailing_number(key).ok_or_else(damaged)?;
    let (seq, run) = value.split_first_chunk::<8>().ok_or_else(damaged)?;
    Ok(FeedEntry { position, run: run_id(run.to_vec())?, seq: u64::from_be_bytes(*seq) })
}

fn decode_row(key: &[u8], bytes: &[u8]) -> Result<RunRow, Failure> {
    serde_json::from_slice(bytes).map_err(|error| {
        let run = String::from_utf8_lossy(&key[keys::ROWS.len()..]).into_owned();
        Failure::Damaged("a row", Shared::new(format!("row of {run}: {error}")))
    })
}

fn failure(error: ReadError) -> Failure {
    Failure::of_read("read", error)
}

fn sled_failure(error: sled::Error) -> Failure {
    Failure::of_sled("read", error)
}
