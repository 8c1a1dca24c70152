//! The journal port.

use crate::committer::{Write, run_id};
use crate::error::{Failure, Shared};
use crate::index::Order;
use crate::turn::{Stored, Turn};
use crate::view::View;
use crate::{SledStore, boards, keys};
use async_trait::async_trait;
use lockstep_ports::{BoardCommit, Commit, FEED_PAGE_MAX, FeedEntry, Journal, JournalError, ROWS_PAGE_MAX};
use lockstep_types::board::{Row, WorkspaceId};
use lockstep_types::{RunId, RunRow};
use std::ops::Range;

/// Largest record or row, far above what the limits on steps let through: a bound on memory, whoever asks.
const RECORD_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Most bytes of records read off the disk at a time: a bound on memory twice over.
const READ_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most records looked up at a time.
const RECORDS_PAGE_MAX: usize = 1024;

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
        self.write(Write::Turn(Turn {
            seq: row.seq,
            is_live: row.summary.status.is_live() || row.summary.cleanups > 0,
            has_cards: !row.summary.open_notices.is_empty(),
            run: row.summary.id,
            row: row_bytes.into(),
            record: record.into(),
            token: start_token,
            board,
        }))
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
        self.read(move |view| view.get(&key)?.map(|bytes| decode_row(&key, &bytes)).transpose()).await
    }

    async fn rows(&self, before: Option<&RunId>, limit: usize) -> Result<Vec<RunRow>, JournalError> {
        let end = before.map_or_else(|| keys::above(keys::ROWS), keys::row);
        let limit = limit.min(ROWS_PAGE_MAX);
        self.read(move |view| {
            let entries = view.entries(keys::ROWS.to_vec()..end, Order::Falling, limit)?;
            entries.iter().map(|(key, value)| decode_row(key, value)).collect()
        })
        .await
    }

    async fn rows_from(&self, after: Option<&RunId>, limit: usize) -> Result<Vec<RunRow>, JournalError> {
        let begin = after.map_or_else(|| keys::ROWS.to_vec(), |after| keys::after(&keys::row(after)));
        let limit = limit.min(ROWS_PAGE_MAX);
        self.read(move |view| {
            let entries = view.entries(begin..keys::above(keys::ROWS), Order::Rising, limit)?;
            entries.iter().map(|(key, value)| decode_row(key, value)).collect()
        })
        .await
    }

    async fn count(&self) -> Result<u64, JournalError> {
        self.read(|view| view.count(keys::ROWS)).await
    }

    async fn live(&self) -> Result<Vec<RunId>, JournalError> {
        self.read(|view| marked(view, keys::LIVE)).await
    }

    async fn with_cards(&self) -> Result<Vec<RunId>, JournalError> {
        self.read(|view| marked(view, keys::CARDS)).await
    }

    async fn records(&self, run: &RunId, from: u64) -> Result<Vec<Vec<u8>>, JournalError> {
        let end = keys::above(&keys::records(run));
        let mut records = Vec::new();
        let mut next = Some(keys::record(run, from));
        while let Some(begin) = next {
            let range = begin..end.clone();
            let (page, rest) = self.read(move |view| records_page(view, range)).await?;
            records.extend(page);
            next = rest;
        }
        Ok(records)
    }

    async fn started_under(&self, token: &str) -> Result<Option<RunId>, JournalError> {
        let key = keys::token(token);
        self.read(move |view| view.get(&key)?.map(run_id).transpose()).await
    }

    async fn feed(&self, after: u64, limit: usize) -> Result<Vec<FeedEntry>, JournalError> {
        let Some(begin) = after.checked_add(1) else { return Ok(Vec::new()) };
        let limit = limit.min(FEED_PAGE_MAX);
        self.read(move |view| {
            let entries = view.entries(keys::feed(begin)..keys::above(keys::FEED), Order::Rising, limit)?;
            entries.iter().map(|(key, value)| feed_entry(key, value)).collect()
        })
        .await
    }

    async fn forget(&self, runs: &[RunId]) -> Result<(), JournalError> {
        self.write(Write::Forget(runs.to_vec())).await.map(drop)
    }

    fn feed_end(&self) -> u64 {
        self.inner.feed_end()
    }
}

/// The runs in an index.
fn marked(view: &View, index: &[u8]) -> Result<Vec<RunId>, Failure> {
    view.all_keys(index)?.into_iter().map(|key| run_id(key[index.len()..].to_vec())).collect()
}

/// Records, and the key to go on at.
type RecordsPage = (Vec<Vec<u8>>, Option<Vec<u8>>);

/// Records from the beginning of a range, and where to go on if there may be more.
fn records_page(view: &View, range: Range<Vec<u8>>) -> Result<RecordsPage, Failure> {
    let mut records = Vec::new();
    let mut bytes = 0;
    let keys = view.keys(range, Order::Rising, RECORDS_PAGE_MAX)?;
    for key in &keys {
        if bytes >= READ_BYTES_MAX {
            return Ok((records, Some(key.clone())));
        }
        // A run that is being forgotten may lose some while it is read.
        let Some(value) = view.get(key)? else { continue };
        let record = Stored::decode(&value)?.record;
        bytes += record.len();
        records.push(record.to_vec());
    }
    let rest = keys.last().filter(|_| keys.len() == RECORDS_PAGE_MAX).map(|key| keys::after(key));
    Ok((records, rest))
}

/// Position of the last entry the feed ever had, 0 if there was none.
pub(crate) fn feed_end(view: &View) -> Result<u64, Failure> {
    let last = view.keys(keys::FEED.to_vec()..keys::above(keys::FEED), Order::Falling, 1)?.pop();
    let too_short = || Failure::Damaged("the feed", Shared::new("a key is too short"));
    let last = last.map_or(Ok(0), |key| keys::trailing_number(&key).ok_or_else(too_short))?;
    let known = view
        .get(keys::FEED_END)?
        .map_or(Ok(0), |value| keys::trailing_number(&value).ok_or_else(too_short))?;
    Ok(last.max(known))
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
