//! Tokens, sessions and the audit of requests: a row each.

use crate::committer::{Refused, Write, json};
use crate::error::{Failure, Shared};
use crate::index::Order;
use crate::staging::Staging;
use crate::view::View;
use crate::{SledStore, keys};
use async_trait::async_trait;
use lockstep_ports::{AUDIT_KEPT, AUDIT_PAGE_MAX, AccessChange, AccessStore, JournalError};
use lockstep_types::{AuditEnd, AuditEntry, AuditRecord, SCHEMA_VERSION, SessionRow, TokenRow};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Records of the audit that go at a time, once so many are too old.
const PRUNED_AT_ONCE: u64 = 256;

/// A row as it is stored.
#[derive(Serialize, Deserialize)]
struct Stored<R> {
    schema: u16,
    row: R,
}

/// What of a row every version can read.
#[derive(Deserialize)]
struct Probe {
    schema: u16,
}

#[async_trait]
impl AccessStore for SledStore {
    async fn token_rows(&self) -> Result<Vec<TokenRow>, JournalError> {
        self.read(|view| all(view, keys::TOKENS, "a token")).await
    }

    async fn session_rows(&self) -> Result<Vec<SessionRow>, JournalError> {
        self.read(|view| all(view, keys::SESSIONS, "a session")).await
    }

    async fn change_access(&self, changes: Vec<AccessChange>) -> Result<(), JournalError> {
        let write = |change: AccessChange| match change {
            AccessChange::PutToken(row) => {
                Ok((keys::of_text(keys::TOKENS, &row.id), Some(encode(&row)?.into())))
            }
            AccessChange::RemoveToken(id) => Ok((keys::of_text(keys::TOKENS, &id), None)),
            AccessChange::PutSession(row) => {
                Ok((keys::of_digest(keys::SESSIONS, &row.id), Some(encode(&row)?.into())))
            }
            AccessChange::RemoveSession(id) => Ok((keys::of_digest(keys::SESSIONS, &id), None)),
        };
        let rows: Result<Vec<_>, Failure> = changes.into_iter().map(write).collect();
        let rows = rows.map_err(|failure| failure.journal(&self.inner.shown()))?;
        self.write(Write::Board(rows)).await.map(drop)
    }

    async fn begin_audit(&self, record: AuditRecord) -> Result<u64, JournalError> {
        self.write(Write::Audit(Box::new(record))).await
    }

    async fn end_audit(&self, end: AuditEnd) -> Result<(), JournalError> {
        self.write(Write::EndAudit(Box::new(end))).await.map(drop)
    }

    async fn audit_records(
        &self,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<AuditRecord>, JournalError> {
        self.read(move |view| {
            let stored = newest(view, keys::REQUESTS, before, limit)?;
            stored.iter().map(|(_, value)| decode("a record of the audit", value)).collect()
        })
        .await
    }

    async fn component_entries(
        &self,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<AuditEntry>, JournalError> {
        let damaged = |error| Failure::Damaged("an entry of the audit log", Shared::new(error));
        self.read(move |view| {
            let stored = newest(view, keys::AUDIT, before, limit)?;
            stored.iter().map(|(_, value)| serde_json::from_slice(value).map_err(damaged)).collect()
        })
        .await
    }
}

/// Adds a record to the audit, takes away those that are too old, and gives its number.
pub(crate) fn begin(staging: &mut Staging<'_>, record: &AuditRecord) -> Result<u64, Refused> {
    let last = staging.last_key(keys::REQUESTS)?;
    let number = last.and_then(|key| keys::trailing_number(&key)).unwrap_or(0) + 1;
    let record = AuditRecord { number, ..record.clone() };
    staging.put(keys::numbered(keys::REQUESTS, number), json(&stored(&record))?);
    let too_old = number.saturating_sub(AUDIT_KEPT);
    if too_old > 0 && too_old.is_multiple_of(PRUNED_AT_ONCE) {
        for number in too_old - PRUNED_AT_ONCE + 1..=too_old {
            let key = keys::numbered(keys::REQUESTS, number);
            if staging.contains(&key)? {
                staging.remove(key);
            }
        }
    }
    Ok(number)
}

/// Adds its end to a record that is still there.
pub(crate) fn end(staging: &mut Staging<'_>, end: &AuditEnd) -> Result<(), Refused> {
    let key = keys::numbered(keys::REQUESTS, end.number);
    let Some(bytes) = staging.get(&key)? else { return Ok(()) };
    let record: AuditRecord = decode("a record of the audit", &bytes)?;
    staging.put(key, json(&stored(&record.ended(end)))?);
    Ok(())
}

fn stored<R>(row: R) -> Stored<R> {
    Stored { schema: SCHEMA_VERSION, row }
}

fn encode<R: Serialize>(row: &R) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(&stored(row)).map_err(|error| Failure::Io("encode a token", Shared::new(error)))
}

/// Keys and values before a number, the newest first.
fn newest(
    view: &View,
    prefix: &[u8],
    before: Option<u64>,
    limit: usize,
) -> Result<crate::view::Entries, Failure> {
    let end = before.map_or_else(|| keys::above(prefix), |before| keys::numbered(prefix, before));
    view.entries(prefix.to_vec()..end, Order::Falling, limit.min(AUDIT_PAGE_MAX))
}

fn all<R: DeserializeOwned>(view: &View, prefix: &[u8], what: &'static str) -> Result<Vec<R>, Failure> {
    view.all(prefix)?.iter().map(|(_, value)| decode(what, value)).collect()
}

fn decode<R: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<R, Failure> {
    let damaged = |why: String| Failure::Damaged(what, Shared::new(why));
    match serde_json::from_slice::<Probe>(bytes) {
        // A newer format may well be unreadable: that is what to say of it.
        Ok(probe) if probe.schema > SCHEMA_VERSION => Err(damaged(format!(
            "it has format {}, this version reads up to {SCHEMA_VERSION}: upgrade lockstep",
            probe.schema
        ))),
        _ => match serde_json::from_slice::<Stored<R>>(bytes) {
            Ok(stored) => Ok(stored.row),
            Err(error) => Err(damaged(error.to_string())),
        },
    }
}
