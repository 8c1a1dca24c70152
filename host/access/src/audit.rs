//! The audit: what was asked, before it is done; how it ended, after; and both with the changes of components, to be read.

use crate::identity::Identity;
use crate::keeper::{Access, unavailable};
use lockstep_ports::{AUDIT_PAGE_MAX, AuditLine, AuditPage, AuditQuery, ServiceError};
use lockstep_types::board::WorkspaceId;
use lockstep_types::{AuditEnd, AuditEntry, AuditOutcome, AuditRecord};
use std::sync::Arc;

/// Lines of a page when nobody says how many.
const PAGE_DEFAULT: usize = 50;
/// Characters of a subject that are kept: names and ids are shorter, and what is sent instead of one need not be.
const SUBJECT_MAX: usize = 200;

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Deed {
    /// `run.stop`
    pub(crate) operation: &'static str,
    /// An id, a name; empty where it gets one only now.
    pub(crate) subject: String,
    pub(crate) workspace: Option<WorkspaceId>,
    /// What else there is to know. Never what was sent.
    pub(crate) detail: String,
}

impl Deed {
    pub(crate) fn new(operation: &'static str, subject: impl ToString) -> Self {
        Self { operation, subject: subject.to_string(), workspace: None, detail: String::new() }
    }

    pub(crate) fn on(self, workspace: &WorkspaceId) -> Self {
        Self { workspace: Some(workspace.clone()), ..self }
    }

    pub(crate) fn with(self, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..self }
    }
}

/// What came of something, as far as the audit wants to know.
#[derive(Default)]
pub(crate) struct Came {
    pub(crate) subject: Option<String>,
    pub(crate) workspace: Option<WorkspaceId>,
}

impl Access {
    /// Writes down that `by` asks for something; its number. Nothing is done that could not be written down.
    pub(crate) async fn begin(
        &self,
        identity: Option<&Identity>,
        by: &str,
        deed: Deed,
    ) -> Result<u64, ServiceError> {
        let Some(store) = &self.store else { return Ok(0) };
        let Deed { operation, subject, workspace, detail } = deed;
        let record = AuditRecord {
            number: 0,
            at: self.now(),
            by: by.to_owned(),
            via: identity.map_or("host", |identity| identity.via.as_str()).to_owned(),
            from: identity.map(|identity| identity.from.clone()).unwrap_or_default(),
            operation: operation.to_owned(),
            subject: subject.chars().take(SUBJECT_MAX).collect(),
            workspace,
            outcome: None,
            detail,
        };
        store.begin_audit(record).await.map_err(|error| unavailable(&error))
    }

    /// Writes down how it ended.
    pub(crate) async fn finish(&self, number: u64, error: Option<&ServiceError>, came: Came) {
        let Some(store) = &self.store else { return };
        let (outcome, detail) = error.map_or((AuditOutcome::Done, ""), ending);
        let Came { subject, workspace } = came;
        let end = AuditEnd { number, outcome, detail: detail.to_owned(), subject, workspace };
        if let Err(error) = store.end_audit(end).await {
            tracing::warn!(%error, number, "how a request ended could not be written into the audit");
        }
    }

    /// Writes down what has happened already: somebody logged in or out.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub async fn happened(
        &self,
        identity: &Identity,
        operation: &'static str,
        subject: &str,
    ) -> Result<(), ServiceError> {
        let number = self.begin(Some(identity), &identity.name, Deed::new(operation, subject)).await?;
        self.finish(number, None, Came::default()).await;
        Ok(())
    }

    /// Does `work`, an operation that no service of the host stands for, and writes down that somebody asked for it and how
    /// it ended. `identity` is none for the host itself.
    ///
    /// # Errors
    /// Those of `work`, and that it could not be written down; then it was not begun.
    pub async fn audited<T>(
        &self,
        identity: Option<&Arc<Identity>>,
        operation: &'static str,
        subject: &str,
        work: impl Future<Output = Result<T, ServiceError>>,
    ) -> Result<T, ServiceError> {
        let by = identity.map_or("host", |identity| identity.name.as_str());
        let number = self.begin(identity.map(AsRef::as_ref), by, Deed::new(operation, subject)).await?;
        let result = work.await;
        self.finish(number, result.as_ref().err(), Came::default()).await;
        result
    }

    /// A page of both logs, merged by time. The cursor says how far each was read: `REQUEST.CHANGE`.
    pub(crate) async fn page_of_audit(&self, query: AuditQuery) -> Result<AuditPage, ServiceError> {
        let limit = query.limit.unwrap_or(PAGE_DEFAULT);
        if !(1..=AUDIT_PAGE_MAX).contains(&limit) {
            return Err(ServiceError::Invalid(format!("`limit` must be 1 to {AUDIT_PAGE_MAX}")));
        }
        let (mut requests, mut changes) = match &query.before {
            Some(before) => cursor(before)?,
            None => (None, None),
        };
        let Some(store) = &self.store else { return Ok(AuditPage { entries: Vec::new(), next: None }) };
        let failed = |error| unavailable(&error);
        let asked = store.audit_records(requests, limit + 1).await.map_err(failed)?;
        let changed = store.component_entries(changes, limit + 1).await.map_err(failed)?;
        let is_last = asked.len() + changed.len() <= limit;
        let (mut asked, mut changed) = (asked.into_iter().peekable(), changed.into_iter().peekable());
        let mut entries = Vec::new();
        while entries.len() < limit {
            let asked_at = asked.peek().map(|record| record.at);
            // A request is written before the change it makes, at the same moment or earlier.
            if changed.peek().is_some_and(|entry| asked_at.is_none_or(|at| entry.at >= at)) {
                let Some(entry) = changed.next() else { break };
                changes = Some(entry.number);
                entries.push(of_change(entry));
            } else {
                let Some(record) = asked.next() else { break };
                requests = Some(record.number);
                entries.push(of_request(record));
            }
        }
        let shown = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |n| n.to_string());
        let next = (!is_last).then(|| format!("{}.{}", shown(requests), shown(changes)));
        Ok(AuditPage { entries, next })
    }
}

/// The word of an error that is kept; its text may repeat what was sent.
fn ending(error: &ServiceError) -> (AuditOutcome, &'static str) {
    match error {
        ServiceError::NotFound(_) => (AuditOutcome::Refused, "not-found"),
        ServiceError::Conflict(_) => (AuditOutcome::Refused, "conflict"),
        ServiceError::Invalid(_) => (AuditOutcome::Refused, "invalid"),
        ServiceError::Forbidden(_) => (AuditOutcome::Refused, "forbidden"),
        ServiceError::Unavailable(_) => (AuditOutcome::Failed, "unavailable"),
        ServiceError::Internal(_) => (AuditOutcome::Failed, "internal"),
    }
}

fn cursor(text: &str) -> Result<(Option<u64>, Option<u64>), ServiceError> {
    let number = |text: &str| if text == "-" { Some(None) } else { text.parse().ok().map(Some) };
    let parts = text.split_once('.').and_then(|(a, b)| Some((number(a)?, number(b)?)));
    parts.ok_or_else(|| {
        ServiceError::Invalid("`before` is no cursor of the audit: give the `next` of a page".to_owned())
    })
}

fn of_request(record: AuditRecord) -> AuditLine {
    let AuditRecord { number, at, by, via, from, operation, subject, workspace, outcome, detail } = record;
    let (id, reason) = (number.to_string(), String::new());
    AuditLine { id, at, by, via, from, operation, subject, workspace, outcome, detail, reason }
}

fn of_change(entry: AuditEntry) -> AuditLine {
    let AuditEntry { number, at, by, action, subject, detail, reason } = entry;
    AuditLine {
        id: format!("c{number}"),
        at,
        by,
        via: String::new(),
        from: String::new(),
        operation: action.word().to_owned(),
        subject,
        workspace: None,
        outcome: Some(AuditOutcome::Done),
        detail,
        reason,
    }
}
