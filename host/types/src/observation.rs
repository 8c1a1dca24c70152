use crate::{PullRequest, Timestamp};
use serde::{Deserialize, Serialize};

/// A question of a component to the host, the request side of one import call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    /// `workspace.diff`, since `lockstep:step@0.2.0`
    Diff {
        /// Path relative to the root of the repository.
        path: String,
    },
    /// `history.attempts`
    Attempts,
    /// `release-health.read`
    ReleaseHealth {
        /// An alert that last changed before this is not this release's.
        watch_since: Timestamp,
    },
    /// `release-health.gather`
    Evidence {
        /// As for `ReleaseHealth`.
        watch_since: Timestamp,
    },
    /// `environments.read`
    Environment {
        /// Id that `provision` told.
        id: String,
    },
}

impl ObservationRequest {
    /// Names of the commands of a pipeline that answer some of them.
    pub const COMMANDS: [&str; 3] = ["release-health", "evidence", "environment"];

    /// The WIT interface and function, for people: `checks.read`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Checks => "checks.read",
            Self::Mergeability => "mergeability.read",
            Self::ChangedFiles => "workspace.changed-files",
            Self::ReadFile { .. } => "workspace.read-file",
            Self::Diff { .. } => "workspace.diff",
            Self::Attempts => "history.attempts",
            Self::ReleaseHealth { .. } => "release-health.read",
            Self::Evidence { .. } => "release-health.gather",
            Self::Environment { .. } => "environments.read",
        }
    }
}

/// Why an observation has no answer; the WIT variant `observe-error`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ObserveFailure {
    /// No provider is wired.
    NotConfigured,
    /// The provider could not answer this time.
    Failed(String),
}

/// The answer of the host. The variant belongs to the request of the same name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    /// To `Diff`: none when the file does not differ or is binary.
    Diff(Option<String>),
    /// To `Attempts`.
    Attempts(Vec<PastAttempt>),
    /// To `ReleaseHealth`.
    ReleaseHealth(HealthReport),
    /// To `Evidence`.
    Evidence(Evidence),
    /// To `Environment`: none when it is not known any more.
    Environment(Option<EnvironmentReport>),
    /// To any request that may fail.
    Failed(ObserveFailure),
}

/// One recorded answer of the host to a component's import call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Observation {
    /// What was asked.
    pub request: ObservationRequest,
    /// What was answered.
    pub answer: ObservationAnswer,
}

/// One check at a commit (SPEC CI-1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CheckReport {
    /// None: the change has no head commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_commit: Option<String>,
    /// All of them.
    pub checks: Vec<Check>,
    /// The pull request whose checks they are, where a forge is wired. Components are told of it with the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_request: Option<PullRequest>,
}

/// Whether a change merges cleanly (SPEC CF-1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It merges.
    Mergeable,
    /// It does not.
    Conflicted,
    /// Nobody knows yet.
    #[default]
    Unknown,
}

/// The mergeability of the head commit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MergeReport {
    /// None: the change has no head commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_commit: Option<String>,
    /// The verdict.
    pub verdict: Verdict,
    /// Paths in conflict.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<String>,
    /// What else stands between it and a merge, or why nobody knows; for people, not for components.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}

/// How a file differs from the merge base.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

/// What a signal comes from (SPEC RH-5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SignalKind {
    /// A monitor.
    Monitor,
    /// A service level objective.
    Slo,
}

/// Where a signal stands (SPEC RH-5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SignalState {
    /// As it should be.
    Ok,
    /// Worth a look.
    Warn,
    /// Not as it should be.
    Alert,
    /// Nothing was measured.
    NoData,
}

/// One signal of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Signal {
    /// What it comes from.
    pub kind: SignalKind,
    /// Its id at the provider.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub state: SignalState,
    /// In words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What all signals together mean (SPEC RH-6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum HealthStatus {
    /// Nothing is wrong.
    Healthy,
    /// Nobody can tell yet.
    Pending,
    /// Something is wrong that the release may have caused.
    Regressed,
}

/// The signals of the service a change belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HealthReport {
    /// What they mean.
    pub status: HealthStatus,
    /// All of them.
    pub signals: Vec<Signal>,
}

/// What somebody who investigates a regression needs (SPEC RH-8).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Evidence {
    /// Signals that alert now.
    #[serde(default)]
    pub regressed: Vec<Signal>,
    /// Recent errors, the newest first.
    #[serde(default)]
    pub errors: Vec<String>,
    /// Anything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
}

/// Where an environment stands (SPEC HT-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum EnvironmentStatus {
    /// It is being made.
    Provisioning,
    /// It can be used.
    Ready,
    /// It could not be made, or broke.
    Failed,
    /// Its time is over.
    Expired,
    /// It is gone.
    TornDown,
}

impl EnvironmentStatus {
    /// The word in the JSON that `provision` tells.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Provisioning => "provisioning",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::TornDown => "torn-down",
        }
    }
}

/// An environment as its provider tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EnvironmentReport {
    /// Where it stands.
    pub status: EnvironmentStatus,
    /// Its address, once it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// When it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// An environment as `provision` tells of it, and as `teardown` is given it back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Environment {
    /// Its id at the provider.
    pub id: String,
    /// Where it stands, its address and its end.
    #[serde(flatten)]
    pub report: EnvironmentReport,
}
