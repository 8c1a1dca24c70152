//! Keys. One space of keys holds everything; the first byte says what a key is for, so that each kind of thing lies together
//! and in the order it is read.

use lockstep_types::board::{RowKey, WorkspaceId};
use lockstep_types::{Digest, RunId, Timestamp};

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
/// `q/` digest of the idempotency key, time: what requests were answered.
pub(crate) const REPLIES: &[u8] = b"q/";
/// `u/` number: what was written down with changes of the registry.
pub(crate) const AUDIT: &[u8] = b"u/";
/// `v/` number: the audit of requests.
pub(crate) const REQUESTS: &[u8] = b"v/";
/// `i/t/` id: tokens.
pub(crate) const TOKENS: &[u8] = b"i/t/";
/// `i/s/` digest of the id: sessions.
pub(crate) const SESSIONS: &[u8] = b"i/s/";

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

/// A key of a kind or an id, behind one of the prefixes above.
pub(crate) fn of_text(prefix: &[u8], text: &str) -> Vec<u8> {
    [prefix, text.as_bytes()].concat()
}

/// A key of a log, behind one of the prefixes above.
pub(crate) fn numbered(prefix: &[u8], number: u64) -> Vec<u8> {
    [prefix, &number.to_be_bytes()].concat()
}

/// The prefix of the reply to a key, which the time of the request ends.
pub(crate) fn reply(key: &Digest, at: Option<Timestamp>) -> Vec<u8> {
    let at = at.map(|at| at.0.to_be_bytes());
    [of_digest(REPLIES, key).as_slice(), at.as_ref().map_or(&[], |at| at.as_slice())].concat()
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
