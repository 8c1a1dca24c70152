//! Who may do what: tokens, sessions of pages, and the record of what was done.

use crate::board::WorkspaceId;
use crate::{Digest, Timestamp};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// What somebody may do; each role may do all that the one before may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Look.
    Viewer,
    /// Start, stop, answer, and change boards.
    Operator,
    /// Change what the host runs, and who may speak to it.
    Admin,
}

impl Role {
    /// All roles, the one that may do least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    /// As it is written.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|role| role.word() == text);
        found.ok_or_else(|| format!("{text:?} is no role: viewer, operator or admin"))
    }
}

/// A token somebody may speak to the server with. The secret itself is kept nowhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRow {
    /// The part of the token that is no secret: 16 hexadecimal digits.
    pub id: String,
    /// What whoever sends it is called in journals and in the audit.
    pub name: String,
    /// SHA-256 of the secret. The secret has 256 random bits, so nothing slower is needed.
    pub secret: Digest,
    /// What it allows.
    pub role: Role,
    /// Workspaces it is for; none named: all, and what belongs to none.
    #[serde(default)]
    pub workspaces: Vec<WorkspaceId>,
    /// Since when it is there.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// When it ends to be accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was used last, to the hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<Timestamp>,
}

/// Whose session it is. It allows what that allows, and ends with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SessionOf {
    /// The user of the data folder.
    Local {
        /// What they are called.
        name: String,
        /// SHA-256 of the token of the data folder: another token ends the session.
        token: Digest,
    },
    /// A token, by its id.
    Token(String),
}

/// A browser somebody has logged in with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRow {
    /// SHA-256 of the session's id, which is the secret in the cookie.
    pub id: Digest,
    /// Whose.
    pub of: SessionOf,
    /// When it began.
    pub begun_at: Timestamp,
    /// When it was used last, to some minutes.
    pub seen_at: Timestamp,
}

/// How something that was asked for ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum AuditOutcome {
    /// It was done.
    Done,
    /// It was refused: not allowed, not possible, or wrong.
    Refused,
    /// The host failed; the thing may have been done in part.
    Failed,
}

impl AuditOutcome {
    /// As it is written.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// Something that somebody asked the host to change. It is stored before it is done; its end is added once, and nothing
/// of it is altered after that. It holds names and ids, never what was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// Position, from 1; the store says which.
    pub number: u64,
    /// When it was asked for.
    pub at: Timestamp,
    /// Who asked.
    pub by: String,
    /// By what they are known: `local`, `token ID`, `session of token ID`, `terminal`.
    pub via: String,
    /// Address it came from; empty for a terminal of this machine.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub from: String,
    /// What was asked: `run.stop`, `token.add`.
    pub operation: String,
    /// Of what: an id, a name.
    pub subject: String,
    /// The workspace it belongs to, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<WorkspaceId>,
    /// How it ended; none: it is under way, or the host went down meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<AuditOutcome>,
    /// The code of a refusal, or what else there is to know.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// The end of what an [`AuditRecord`] tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEnd {
    /// Number of the record.
    pub number: u64,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// Detail, in place of what stands there unless it is empty.
    pub detail: String,
    /// What came of it, where nothing had a name before: the run that was started.
    pub subject: Option<String>,
    /// Its workspace, where that is known only now.
    pub workspace: Option<WorkspaceId>,
}

impl AuditRecord {
    /// With its end; a record that has one keeps it.
    #[must_use]
    pub fn ended(mut self, end: &AuditEnd) -> Self {
        if self.outcome.is_some() {
            return self;
        }
        self.outcome = Some(end.outcome);
        if !end.detail.is_empty() {
            self.detail.clone_from(&end.detail);
        }
        if let Some(subject) = &end.subject {
            self.subject.clone_from(subject);
        }
        self.workspace = self.workspace.or_else(|| end.workspace.clone());
        self
    }
}
