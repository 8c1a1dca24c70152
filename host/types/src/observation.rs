use crate::Timestamp;
use serde::{Deserialize, Serialize};

/// A question of a component to the host, the request side of one import call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObservationRequest {
    /// `checks.read`
    Checks,
    /// `mergeability.read`
    Mergeability,
    /// `workspace.changed-files`
    ChangedFiles,
    /// `workspace.read-file`
    ReadFile {
        /// Path relative to the root of the repository.
        path: String,
    },
    /// `history.attempts`
    Attempts,
}

impl ObservationRequest {
    /// The WIT interface and function, for people: `checks.read`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Checks => "checks.read",
            Self::Mergeability => "mergeability.read",
            Self::ChangedFiles => "workspace.changed-files",
            Self::ReadFile { .. } => "workspace.read-file",
            Self::Attempts => "history.attempts",
        }
    }
}

/// Why an observation has no answer; the WIT variant `observe-error`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObserveFailure {
    /// No provider is wired.
    NotConfigured,
    /// The provider could not answer this time.
    Failed(String),
}

/// The answer of the host. The variant belongs to the request of the same name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObservationAnswer {
    /// To `Checks`.
    Checks(CheckReport),
    /// To `Mergeability`.
    Mergeability(MergeReport),
    /// To `ChangedFiles`, sorted by path.
    ChangedFiles(Vec<ChangedFile>),
    /// To `ReadFile`: none when there is no such file.
    ReadFile(Option<Vec<u8>>),
    /// To `Attempts`.
    Attempts(Vec<PastAttempt>),
    /// To any request that may fail.
    Failed(ObserveFailure),
}

/// One recorded answer of the host to a component's import call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// What was asked.
    pub request: ObservationRequest,
    /// What was answered.
    pub answer: ObservationAnswer,
}

/// One check at a commit (SPEC CI-1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Its name.
    pub name: String,
    /// `completed`, or another word while it is not (SPEC CI-3).
    pub status: String,
    /// `success`, `failure`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conclusion: Option<String>,
    /// Where to look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Last lines of its output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
}

/// The checks at the head commit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReport {
    /// None: the change has no head commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_commit: Option<String>,
    /// All of them.
    pub checks: Vec<Check>,
}

/// Whether a change merges cleanly (SPEC CF-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It merges.
    Mergeable,
    /// It does not.
    Conflicted,
    /// Nobody knows yet.
    Unknown,
}

/// The mergeability of the head commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergeReport {
    /// None: the change has no head commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_commit: Option<String>,
    /// The verdict.
    pub verdict: Verdict,
    /// Paths in conflict.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<String>,
}

/// How a file differs from the merge base.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileStatus {
    /// New.
    Added,
    /// Changed.
    Modified,
    /// Gone.
    Deleted,
    /// Moved.
    Renamed,
    /// Type or mode changed.
    Other,
}

/// A file of the change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedFile {
    /// Relative to the root of the repository.
    pub path: String,
    /// How it differs.
    pub status: FileStatus,
    /// Lines added; 0 for a binary file.
    pub lines_added: u32,
    /// Lines removed; 0 for a binary file.
    pub lines_removed: u32,
}

/// One earlier or current attempt of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastAttempt {
    /// From 1.
    pub number: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// `completed`, `skipped`, `reworked`, `failed` or `working`.
    pub outcome: String,
    /// What it produced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}
