use crate::lock;
use async_trait::async_trait;
use lockstep_ports::{AUDIT_KEPT, AUDIT_PAGE_MAX, AccessChange, AccessStore, JournalError};
use lockstep_types::{AuditEnd, AuditEntry, AuditRecord, Digest, SessionRow, TokenRow};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Tokens, sessions and the audit in memory.
#[derive(Debug, Default)]
pub struct MemAccess(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    tokens: BTreeMap<String, TokenRow>,
    sessions: BTreeMap<Digest, SessionRow>,
    records: BTreeMap<u64, AuditRecord>,
    entries: Vec<AuditEntry>,
    fails: bool,
}

impl MemAccess {
    /// Writes that come from now on fail, as they do on a full disk, or no longer.
    pub fn fail(&self, fails: bool) {
        lock(&self.0).fails = fails;
    }

    /// What was written down with changes of components, oldest first.
    pub fn tell(&self, entries: Vec<AuditEntry>) {
        lock(&self.0).entries = entries;
    }

    /// The audit of requests, oldest first.
    #[must_use]
    pub fn records(&self) -> Vec<AuditRecord> {
        lock(&self.0).records.values().cloned().collect()
    }

    fn write<T>(&self, write: impl FnOnce(&mut State) -> T) -> Result<T, JournalError> {
        let mut state = lock(&self.0);
        if state.fails {
            Err(JournalError::Full { path: "memory".to_owned() })
        } else {
            Ok(write(&mut state))
        }
    }
}

#[async_trait]
impl AccessStore for MemAccess {
    async fn token_rows(&self) -> Result<Vec<TokenRow>, JournalError> {
        Ok(lock(&self.0).tokens.values().cloned().collect())
    }

    async fn session_rows(&self) -> Result<Vec<SessionRow>, JournalError> {
        Ok(lock(&self.0).sessions.values().cloned().collect())
    }

    async fn change_access(&self, changes: Vec<AccessChange>) -> Result<(), JournalError> {
        self.write(|state| {
            for change in changes {
                match change {
                    AccessChange::PutToken(row) => drop(state.tokens.insert(row.id.clone(), row)),
                    AccessChange::RemoveToken(id) => drop(state.tokens.remove(&id)),
                    AccessChange::PutSession(row) => drop(state.sessions.insert(row.id, row)),
                    AccessChange::RemoveSession(id) => drop(state.sessions.remove(&id)),
                }
            }
        })
    }

    async fn begin_audit(&self, record: AuditRecord) -> Result<u64, JournalError> {
        self.write(|state| {
            let number = state.records.last_key_value().map_or(0, |(number, _)| *number) + 1;
            state.records.insert(number, AuditRecord { number, ..record });
            state.records.remove(&number.saturating_sub(AUDIT_KEPT));
            number
        })
    }

    async fn end_audit(&self, end: AuditEnd) -> Result<(), JournalError> {
        self.write(|state| {
            if let Some(record) = state.records.get_mut(&end.number) {
                *record = record.clone().ended(&end);
            }
        })
    }

    async fn audit_records(
        &self,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<AuditRecord>, JournalError> {
        let state = lock(&self.0);
        let older = state.records.values().rev().filter(|record| before.is_none_or(|n| record.number < n));
        Ok(older.take(limit.min(AUDIT_PAGE_MAX)).cloned().collect())
    }

    async fn component_entries(
        &self,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<AuditEntry>, JournalError> {
        let state = lock(&self.0);
        let older = state.entries.iter().rev().filter(|entry| before.is_none_or(|n| entry.number < n));
        Ok(older.take(limit.min(AUDIT_PAGE_MAX)).cloned().collect())
    }
}
