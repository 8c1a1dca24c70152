//! Keys. One space of keys holds everything; the first byte says what a key is for, so that each kind of thing lies together
//! and in the order it is read.

use lockstep_types::board::{RowKey, WorkspaceId};
use lockstep_types::{Digest, RunId};

/// `d/` number: what is known of a delivery.
pub(crate) const DELIVERIES: &[u8] = b"d/";
/// `e/` number: the payload of a delivery.
pub(crate) const PAYLOADS: &[u8] = b"e/";

/// A key of a delivery, behind one of the prefixes above.
pub(crate) fn delivery(prefix: &[u8], number: u64) -> Vec<u8> {
    [prefix, &number.to_be_bytes()].concat()
}

/// `r/` run, NUL, position: noecords.
pub(crate) const RECORDS: &[u8] = b"r/";
/// `f/` position: the feed of all runs.
pub(crate) const FEED: &[u8] = b"f/";
/// How far the feed once was: the last of its entries may have gone with their run.
pub(crate) const FEED_END: &[u8] = b"m/feed-end";
/// `l/` run: runs that can still go on.
pub(crate) const LIVE: &[u8] = b"l/";
/// `n/` run: runs with open cards.
pub(crate) const CARDS: &[u8] = b"n/";
/// `b/` workspace, `/`, row: what boards are made of. No id contains a `/`.
pub(crate) const BOARDS: &[u8] = b"b/";
/// `w/` run: what lists show of a run.
pub(crate) const ROWS: &[u8] = b"w/";
/// `c/` digest: what is known of a component.
pub(crate) const COMPONENTS: &[u8] = b"c/";
/// `a/` kind: where the pointer of a kind stands.
pub(crate) const ACTIVE: &[u8] = b"a/";
/// `g/` kind: what a kind may do.
pub(crate) const GRANTS: &[u8] = b"g/";
/// `x/` digest: components that may not be called.
pub(crate) const STOPS: &[u8] = b"x/";
/// `y/` kind: canaries.
pub(crate) const CANARIES: &[u8] = b"y/";
/// `s/` digest: signatures of a component.
pub(crate) const SIGNATURES: &[u8] = b"s/";
/// Whose signatures count.
pub(crate) const TRUST: &[u8] = b"k/trust";
/// `u/` number: the audit log.
pub(crate) const AUDIT: &[u8] = b"u/";

/// `r/` run, NUL, position: no run id contains a NUL, so the records of a run lie together and in order.
pub(crate) fn record(run: &RunId, seq: u64) -> Vec<u8> {
    [records(run).as_slice(), &seq.to_be_bytes()].concat()
}

/// The prefix of the records of a run.
pub(crate) fn records(run: &RunId) -> Vec<u8> {
    [RECORDS, run.as_str().as_bytes(), b"\0"].concat()
}

pub(crate) fn row(run: &RunId) -> Vec<u8> {
    [ROWS, run.as_str().as_bytes()].concat()
}

pub(crate) fn live(run: &RunId) -> Vec<u8> {
    [LIVE, run.as_str().as_bytes()].concat()
}

pub(crate) fn cards(run: &RunId) -> Vec<u8> {
    [CARDS, run.as_str().as_bytes()].concat()
}

pub(crate) fn board(workspace: &WorkspaceId, row: &RowKey) -> Vec<u8> {
    [BOARDS, format!("{workspace}/{row}").as_bytes()].concat()
}

pub(crate) fn feed(position: u64) -> Vec<u8> {
    [FEED, &position.to_be_bytes()].concat()
}

/// `t/` digest of the token: a token may be of any length, a key should not.
pub(crate) fn token(token: &str) -> Vec<u8> {
    [b"t/", Digest::of(token.as_bytes()).bytes().as_slice()].concat()
}

/// A key of a component, behind one of the prefixes above.
pub(crate) fn of_digest(prefix: &[u8], digest: &Digest) -> Vec<u8> {
    [prefix, digest.bytes().as_slice()].concat()
}

/// A key of a kind, behind one of the prefixes above.
pub(crate) fn of_kind(prefix: &[u8], kind: &str) -> Vec<u8> {
    [prefix, kind.as_bytes()].concat()
}

pub(crate) fn audit_entry(number: u64) -> Vec<u8> {
    [AUDIT, &number.to_be_bytes()].concat()
}

/// `h/` kind, NUL: the prefix of the history of a kind.
pub(crate) fn history(kind: &str) -> Vec<u8> {
    [b"h/", kind.as_bytes(), b"\0"].concat()
}

pub(crate) fn history_entry(kind: &str, number: u64) -> Vec<u8> {
    [history(kind).as_slice(), &number.to_be_bytes()].concat()
}

/// The smallest key above `key`.
pub(crate) fn after(key: &[u8]) -> Vec<u8> {
    [key, b"\0"].concat()
}

/// The smallest key above all those that begin with `prefix`, whose last byte is not 255.
pub(crate) fn above(prefix: &[u8]) -> Vec<u8> {
    let mut key = prefix.to_vec();
    if let Some(last) = key.last_mut() {
        *last += 1;
    }
    key
}

/// The number at the end of a key.
pub(crate) fn trailing_number(key: &[u8]) -> Option<u64> {
    key.last_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes))
}
