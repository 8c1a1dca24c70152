use serde::{Deserialize, Serialize};

/// What a gate remembers (SPEC GM-1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GateState {
    /// What it is doing.
    pub phase: Phase,
    /// Helpers dispatched.
    pub attempts: u32,
    /// Helpers it may dispatch; fixed at the first entry (SPEC GM-4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    /// Head commit of the last look.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_sha: Option<String>,
    /// Verdict of the last look.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_verdict: Option<LastVerdict>,
    /// What was wrong at the last look; after a helper without a look yet, what the helper said (SPEC CF-7).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failure_summary: Option<String>,
    /// Checks that failed at the last look.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failing_checks: Vec<FailingCheck>,
    /// What the helpers did (SPEC GM-12).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attempt_log: Vec<AttemptEntry>,
    /// Looks since the gate began to wait.
    pub polls: u32,
    /// When the next look is due; an earlier one is not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<u64>,
    /// Looks in a row that got no answer.
    pub read_failures: u32,
}

/// What a gate is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// It looks, or waits until it looks again.
    #[default]
    Checking,
    /// A helper works.
    Working,
}

/// The verdict of a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LastVerdict {
    /// The gate is open.
    Pass,
    /// Not known yet.
    Pending,
    /// Something is wrong.
    Fail,
}

/// A check that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailingCheck {
    /// Its name.
    pub name: String,
    /// Its conclusion; none if it completed without one.
    pub conclusion: Option<String>,
    /// Its page.
    pub url: Option<String>,
}

/// One helper that settled (SPEC GM-12).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttemptEntry {
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// When it settled.
    pub at: u64,
    /// How.
    pub outcome: AttemptOutcome,
    /// Head commit it was dispatched for.
    pub head_sha: Option<String>,
    /// What the helper said.
    pub summary: String,
}

/// How a helper settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttemptOutcome {
    /// It says it is done.
    Completed,
    /// It failed, or its place was taken away too often.
    Failed,
}
