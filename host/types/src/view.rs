use crate::board::WorkspaceId;
use crate::{
    Change, Digest, Fact, Failure, ItemStatus, JobProgress, Notice, Pinning, Progress, Question,
    QuestionKind, RunId, Timestamp, Usage,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// State of a run (SPEC vocabulary).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum RunStatus {
    /// Something goes on, or waits for a machine.
    Running,
    /// Only a person can make it go on.
    Blocked,
    /// Held back by an operator.
    Paused,
    /// Finished.
    Done,
    /// Failed or stopped.
    Failed,
}

impl RunStatus {
    /// Whether the run can still go on by itself or by an answer.
    #[must_use]
    pub fn is_live(self) -> bool {
        !matches!(self, Self::Done | Self::Failed)
    }

    /// The word used in the API and the terminal.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Blocked => "blocked",
            Self::Paused => "paused",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

/// State of a step (SPEC vocabulary).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum StepStatus {
    /// Not begun.
    #[default]
    Pending,
    /// Begun.
    Working,
    /// Parked until a person answers.
    WaitingDecision,
    /// Finished or skipped.
    Done,
}

/// What a run waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Waiting {
    /// Name of the step that waits.
    pub step: String,
    /// `job`, `timer`, `effect`, or the kind of question.
    pub on: String,
    /// In words.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// Who or what can make it go on, and how.
    pub act: String,
}

impl Waiting {
    /// Whether it is a person's answer that is waited for.
    #[must_use]
    pub fn is_on_person(&self) -> bool {
        QuestionKind::ALL.iter().any(|kind| kind.word() == self.on)
    }
}

/// A run as lists show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunSummary {
    /// Its id.
    pub id: RunId,
    /// Item of work.
    pub item: String,
    /// The workspace of the item; none: the run belongs to no board.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<WorkspaceId>,
    /// Title of the work.
    pub title: String,
    /// Name of the pipeline.
    pub pipeline: String,
    /// The change.
    pub change: Change,
    /// State.
    pub status: RunStatus,
    /// Where the item stands.
    pub item_status: ItemStatus,
    /// Steps finished.
    pub steps_done: u32,
    /// Steps in all.
    pub steps_total: u32,
    /// What it waits for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<Waiting>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Its open cards.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open_notices: Vec<Notice>,
    /// Teardowns still to be carried out, even when the run has ended.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cleanups: u32,
    /// Whether it is an errand beside the item's run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_errand: bool,
    /// When it began.
    pub created_at: Timestamp,
    /// When something last became true of it.
    pub updated_at: Timestamp,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// A step as people see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StepView {
    /// Name.
    pub name: String,
    /// Step kind.
    pub kind: String,
    /// Role.
    pub role: String,
    /// State.
    pub status: StepStatus,
    /// Whether it was skipped, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// Executions so far.
    pub attempt: u32,
    /// Component it runs on.
    pub digest: Digest,
    /// Whether it takes another component when it begins, if its kind has another one then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_open: bool,
    /// Steps it comes after.
    pub needs: Vec<String>,
    /// When the current or last execution began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Milliseconds of it spent waiting for people, not counted in its duration (D-18).
    #[serde(default)]
    pub waited_ms: u64,
    /// What it produced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// How far it has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// State its component returned last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<serde_json::Value>,
    /// Calls of the component so far.
    pub invocations: u32,
    /// Tokens its jobs reported, helpers included.
    #[serde(default, skip_serializing_if = "Usage::is_none")]
    pub usage: Usage,
    /// Key of the job in flight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// How far that job has come, if whoever carries it out says. It is not part of the journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_progress: Option<JobProgress>,
    /// The question it waits on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<Question>,
}

/// A run with everything it has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunView {
    /// What lists show.
    #[serde(flatten)]
    pub summary: RunSummary,
    /// Description of the work.
    pub description: String,
    /// Who started it.
    pub initiator: String,
    /// When the components of its steps are chosen.
    #[serde(default, skip_serializing_if = "Pinning::is_run")]
    pub pin: Pinning,
    /// The components that people gave it since, by kind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub repinned: BTreeMap<String, Digest>,
    /// Its steps in order.
    pub steps: Vec<StepView>,
    /// Facts left so far.
    pub facts: Vec<Fact>,
    /// Notices, open and closed.
    pub notices: Vec<Notice>,
    /// Position of the last record of its journal.
    pub seq: u64,
}

/// One line of what happened, for people and the event stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TimelineEntry {
    /// The run.
    pub run: RunId,
    /// Record of the run's journal it was taken from.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// The step it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The event's word: `step-started`, `invoked`, `job-settled`, …
    pub what: String,
    /// One line.
    pub text: String,
}
