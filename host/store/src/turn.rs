//! What a turn writes, and what goes when its run is forgotten.

use crate::committer::{Refused, RowWrite, put_rows, rows_bytes, run_id};
use crate::error::{Failure, Shared};
use crate::keys;
use crate::staging::Staging;
use bytes::Bytes;
use lockstep_ports::JournalError;
use lockstep_types::RunId;

/// A turn as the committer gets it.
pub(crate) struct Turn {
    pub(crate) run: RunId,
    pub(crate) seq: u64,
    pub(crate) is_live: bool,
    pub(crate) has_cards: bool,
    pub(crate) row: Bytes,
    pub(crate) record: Bytes,
    pub(crate) token: Option<String>,
    pub(crate) board: Vec<RowWrite>,
}

impl Turn {
    pub(crate) fn bytes(&self) -> usize {
        self.row.len() + self.record.len() + rows_bytes(&self.board)
    }
}

/// Adds a turn that gets `position` in the feed.
pub(crate) fn stage(staging: &mut Staging<'_>, turn: &Turn, position: u64) -> Result<(), Refused> {
    let Turn { run, seq, is_live, has_cards, row, record, token, board } = turn;
    if !follows(staging, run, *seq)? {
        let stored = last_seq(staging, run)?;
        return Err(Refused::Because(JournalError::Conflict { run: run.clone(), seq: *seq, stored }));
    }
    let token = token.as_deref().map(keys::token);
    if let Some(token) = &token {
        if let Some(used) = staging.get(token)? {
            return Err(Refused::Because(JournalError::TokenUsed { run: run_id(used)? }));
        }
        staging.put(token.clone(), run.as_str().as_bytes().to_vec());
    }
    mark(staging, keys::live(run), *is_live, *seq)?;
    mark(staging, keys::cards(run), *has_cards, *seq)?;
    put_rows(staging, board);
    staging.put(keys::row(run), row.clone());
    staging.put(keys::record(run, *seq), Stored { position, token, record }.encode());
    staging.put(keys::feed(position), feed_value(run, *seq));
    Ok(())
}

/// Whether a record continues what is stored.
fn follows(staging: &Staging<'_>, run: &RunId, seq: u64) -> Result<bool, Failure> {
    let Some(before) = seq.checked_sub(1) else { return Ok(false) };
    if before > 0 && !staging.contains(&keys::record(run, before))? {
        return Ok(false);
    }
    Ok(!staging.contains(&keys::record(run, seq))?)
}

/// Position of the last record of a run, 0 if it has none.
fn last_seq(staging: &Staging<'_>, run: &RunId) -> Result<u64, Failure> {
    let last = staging.last_key(&keys::records(run))?;
    Ok(last.and_then(|key| keys::trailing_number(&key)).unwrap_or(0))
}

/// Keeps a run in an index, or out of it.
fn mark(staging: &mut Staging<'_>, key: Vec<u8>, is_in: bool, seq: u64) -> Result<(), Failure> {
    // A new run is in none.
    let was_in = seq > 1 && staging.contains(&key)?;
    match (was_in, is_in) {
        (false, true) => staging.put(key, Bytes::new()),
        (true, false) => staging.remove(key),
        _ => {}
    }
    Ok(())
}

/// Takes away everything of a run. One that is not there, or can still go on, stays as it is.
pub(crate) fn forget(staging: &mut Staging<'_>, run: &RunId, feed_end: u64) -> Result<(), Failure> {
    if staging.contains(&keys::live(run))? {
        return Ok(());
    }
    discard(staging, run, feed_end)
}

/// Takes away everything of a run, whatever its state. Positions in the feed, which ends at `feed_end`, are never given
/// twice.
pub(crate) fn discard(staging: &mut Staging<'_>, run: &RunId, feed_end: u64) -> Result<(), Failure> {
    staging.put(keys::FEED_END.to_vec(), feed_end.to_be_bytes().to_vec());
    for seq in 1..=last_seq(staging, run)? {
        let key = keys::record(run, seq);
        // One that is damaged goes, too; what leads to it stays behind and leads nowhere.
        if let Ok(Some(value)) = staging.get(&key)
            && let Ok(stored) = Stored::decode(&value)
        {
            staging.remove(keys::feed(stored.position));
            stored.token.into_iter().for_each(|token| staging.remove(token));
        }
        staging.remove(key);
    }
    for key in [keys::row(run), keys::live(run), keys::cards(run)] {
        if staging.contains(&key)? {
            staging.remove(key);
        }
    }
    Ok(())
}

/// A record as it is stored: with what else was written for it, so that it can be found when the run goes.
pub(crate) struct Stored<R> {
    /// In the feed.
    pub(crate) position: u64,
    /// The key of the token the run was started under, with its first record.
    pub(crate) token: Option<Vec<u8>>,
    pub(crate) record: R,
}

impl<R: AsRef<[u8]>> Stored<R> {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let token = self.token.as_deref().unwrap_or_default();
        let record = self.record.as_ref();
        let mut bytes = Vec::with_capacity(9 + token.len() + record.len());
        bytes.extend_from_slice(&self.position.to_be_bytes());
        // The key of a token is a digest with a prefix.
        bytes.push(u8::try_from(token.len()).unwrap_or(0));
        bytes.extend_from_slice(token);
        bytes.extend_from_slice(record);
        bytes
    }
}

impl<'a> Stored<&'a [u8]> {
    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, Failure> {
        let decoded = || {
            let (position, rest) = bytes.split_first_chunk::<8>()?;
            let (len, rest) = rest.split_first()?;
            let (token, record) = rest.split_at_checked(usize::from(*len))?;
            let token = (!token.is_empty()).then(|| token.to_vec());
            Some(Self { position: u64::from_be_bytes(*position), token, record })
        };
        decoded().ok_or_else(|| Failure::Damaged("a record", Shared::new("it is too short")))
    }
}

/// What the feed keeps of a record: its position in the run, then the run.
fn feed_value(run: &RunId, seq: u64) -> Vec<u8> {
    [seq.to_be_bytes().as_slice(), run.as_str().as_bytes()].concat()
}
