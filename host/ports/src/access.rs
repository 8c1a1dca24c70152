//! Who may speak to the host, and the record of what they asked for: how it is kept, and what is offered of it.

use crate::{JournalError, ServiceError};
use async_trait::async_trait;
use lockstep_types::board::WorkspaceId;
use lockstep_types::{
    AuditEnd, AuditEntry, AuditOutcome, AuditRecord, Digest, Role, SessionRow, Timestamp, TokenRow,
};
use serde::{Deserialize, Serialize};

/// Records of the audit that are kept; older ones go. Some 30 MB. Changes of components are few and are kept for ever.
pub const AUDIT_KEPT: u64 = 100_000;

/// Most records of the audit that are read at once.
pub const AUDIT_PAGE_MAX: usize = 1000;

/// One thing that changes of who may speak to the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessChange {
    /// A token is there, in place of one of the same id.
    PutToken(TokenRow),
    /// The token of this id goes.
    RemoveToken(String),
    /// A session is there, in place of one of the same id.
    PutSession(SessionRow),
    /// The session of this id goes.
    RemoveSession(Digest),
}

/// Tokens, sessions and the audit. Every write is durable when it returns.
#[async_trait]
pub trait AccessStore: Send + Sync {
    /// All tokens.
    ///
    /// # Errors
    /// If the store failed.
    async fn token_rows(&self) -> Result<Vec<TokenRow>, JournalError>;

    /// All sessions.
    ///
    /// # Errors
    /// If the store failed.
    async fn session_rows(&self) -> Result<Vec<SessionRow>, JournalError>;

    /// Changes tokens and sessions: all of it, or nothing.
    ///
    /// # Errors
    /// If the store failed; then nothing has changed.
    async fn change_access(&self, changes: Vec<AccessChange>) -> Result<(), JournalError>;

    /// Adds a record to the audit and says which number it got. Records that are older than [`AUDIT_KEPT`] go.
    ///
    /// # Errors
    /// If the store failed.
    async fn begin_audit(&self, record: AuditRecord) -> Result<u64, JournalError>;

    /// Adds its end to a record, once; a record that is gone stays gone.
    ///
    /// # Errors
    /// If the store failed.
    async fn end_audit(&self, end: AuditEnd) -> Result<(), JournalError>;

    /// Records of the audit, the newest first, of those before `before`, at most `limit`.
    ///
    /// # Errors
    /// If the store failed.
    async fn audit_records(
        &self,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<AuditRecord>, JournalError>;

    /// What was written down with changes of components, read in the same way.
    ///
    /// # Errors
    /// If the store failed.
    async fn component_entries(
        &self,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<AuditEntry>, JournalError>;
}

/// Asks for a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What whoever sends it is called: 1 to 64 letters, digits, `-`, `_`, `.` or `@`.
    pub name: String,
    /// What it allows.
    pub role: Role,
    /// Workspaces it is for; none: all.
    #[serde(default)]
    pub workspaces: Vec<WorkspaceId>,
    /// Days until it ends to be accepted; none: it is accepted until it is revoked.
    #[serde(default)]
    pub expires_days: Option<u32>,
}

/// A token as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TokenView {
    /// The part of the token that is no secret.
    pub id: String,
    /// What whoever sends it is called.
    pub name: String,
    /// What it allows.
    pub role: Role,
    /// Workspaces it is for; none: all.
    pub workspaces: Vec<WorkspaceId>,
    /// Since when it is there.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// When it ends to be accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Whether that is past.
    pub is_expired: bool,
    /// When it was used last, to the hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<Timestamp>,
}

/// A token that was made, with the secret, which nobody is told again.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IssuedToken {
    /// What to send.
    pub secret: String,
    /// The token.
    #[serde(flatten)]
    pub token: TokenView,
}

/// Which lines of the audit to read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AuditQuery {
    /// Those before this cursor; none: the newest.
    #[serde(default)]
    pub before: Option<String>,
    /// At most so many; none: 50.
    #[serde(default)]
    pub limit: Option<usize>,
}

/// A line of the audit: something that was asked of the host, or a change of its components.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AuditLine {
    /// Its number, behind a `c` for a change of components.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// By what they are known; empty for a change of components, whose request has a line of its own.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub via: String,
    /// Address it came from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub from: String,
    /// What was asked or done.
    pub operation: String,
    /// Of what.
    pub subject: String,
    /// The workspace it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<WorkspaceId>,
    /// How it ended; none: it is under way, or the host went down meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<AuditOutcome>,
    /// What exactly.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Why, where somebody said so.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// Lines of the audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AuditPage {
    /// The lines, the newest first.
    pub entries: Vec<AuditLine>,
    /// Give it as `before` to go on; none: these were the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Something that was done to a data folder beside its host, by who may write into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum DoneBeside {
    /// A credential was kept.
    #[serde(rename = "credential.set")]
    CredentialSet,
    /// A credential was forgotten.
    #[serde(rename = "credential.remove")]
    CredentialRemove,
    /// What could not be read was taken out of the store.
    #[serde(rename = "store.repair")]
    StoreRepair,
    /// Another store was put in its place.
    #[serde(rename = "store.restore")]
    StoreRestore,
    /// What was exported elsewhere was added to the store.
    #[serde(rename = "store.import")]
    StoreImport,
}

impl DoneBeside {
    /// As it is written.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::CredentialSet => "credential.set",
            Self::CredentialRemove => "credential.remove",
            Self::StoreRepair => "store.repair",
            Self::StoreRestore => "store.restore",
            Self::StoreImport => "store.import",
        }
    }
}

/// What the host offers about who may speak to it.
#[async_trait]
pub trait AccessService: Send + Sync {
    /// Makes a token.
    async fn add_token(&self, token: NewToken, by: &str) -> Result<IssuedToken, ServiceError>;
    /// All tokens, by name.
    async fn tokens(&self) -> Result<Vec<TokenView>, ServiceError>;
    /// Ends a token, by its name or id, and all sessions that were begun with it.
    async fn revoke_token(&self, name: &str, by: &str) -> Result<TokenView, ServiceError>;
    /// Writes down what was done beside the host, to what.
    async fn note(&self, done: DoneBeside, subject: &str, by: &str) -> Result<(), ServiceError>;
    /// What was asked of the host, and what changed of its components.
    async fn audit_page(&self, query: AuditQuery) -> Result<AuditPage, ServiceError>;
}
