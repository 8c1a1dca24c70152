use crate::{
    Access, Change, Decision, Document, EffectKey, Environment, Fact, JobKey, JsonText, PullRequest,
    ReworkOrder, StepOutput, Timestamp,
};
use serde::{Deserialize, Serialize};

/// Tokens a model spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Usage {
    /// Read by the model.
    pub input_tokens: u64,
    /// Written by the model.
    pub output_tokens: u64,
}

impl Usage {
    /// Whether no model did anything, or nobody says so.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
        }
    }
}

/// A question a job could not answer by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct JobQuestion {
    /// The question.
    pub prompt: String,
    /// Choices; empty means free text.
    #[serde(default)]
    pub options: Vec<String>,
}

/// What a job that ended well reported. This is also the JSON a job command writes as its result.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct JobResult {
    /// Its text.
    #[serde(default)]
    pub output: String,
    /// The structured result of its kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<JsonText>,
    /// A question to a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<JobQuestion>,
    /// The pull request it opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_request: Option<PullRequest>,
    /// The model that did the work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What that cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// Tip of the head branch after the job, filled in by the executor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_commit: Option<String>,
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum JobOutcome {
    /// Well.
    Done(JobResult),
    /// Badly; its own account in one line, with the last lines of its output after it.
    Failed(String),
    /// Its place was taken away (SPEC section 25, DEVIATIONS D-15).
    Evicted {
        /// Whether the machine and not the job was the cause.
        transient: bool,
        /// One line.
        message: String,
    },
    /// No executor carries out this kind.
    NotConfigured(String),
    /// Badly, after a model was paid for.
    FailedAfterUse {
        /// As that of `Failed`.
        message: String,
        /// The model.
        model: String,
        /// What it did.
        usage: Usage,
    },
}

impl JobOutcome {
    /// The model it used and how much of it, if it says; the model is empty if it is not named.
    #[must_use]
    pub fn spent(&self) -> Option<(&str, Usage)> {
        match self {
            Self::Done(result) => Some((result.model.as_deref().unwrap_or_default(), result.usage?)),
            Self::FailedAfterUse { model, usage, .. } => Some((model, *usage)),
            Self::Failed(_) | Self::Evicted { .. } | Self::NotConfigured(_) => None,
        }
    }
}

/// How far a job has come, as whoever carries it out says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct JobProgress {
    /// Parts done.
    pub completed: u32,
    /// Parts in all; 0 when not known.
    pub total: u32,
    /// What is being done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Its parts, if it names them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subtasks: Vec<Subtask>,
}

/// A part of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Subtask {
    /// What is to be done.
    pub title: String,
    /// How it stands.
    #[serde(default)]
    pub status: SubtaskStatus,
}

/// How a part of a job stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SubtaskStatus {
    /// Not begun.
    #[default]
    Pending,
    /// Under way.
    Running,
    /// Ended well.
    Done,
    /// Ended badly.
    Failed,
}

impl JobProgress {
    /// Letters of a label or a title: a line of a terminal.
    pub const TEXT_MAX: usize = 200;
    /// Parts a job may name: what a page shows at once.
    pub const SUBTASKS_MAX: usize = 100;

    /// The same within its bounds, without control characters, and with no more done than there is. A job that counts
    /// nothing itself is counted by its parts.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        let line = |text: &str| -> String {
            let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
            plain.take(Self::TEXT_MAX).collect()
        };
        self.subtasks.truncate(Self::SUBTASKS_MAX);
        for subtask in &mut self.subtasks {
            subtask.title = line(&subtask.title);
        }
        self.label = self.label.map(|label| line(&label)).filter(|label| !label.trim().is_empty());
        if self.total == 0 && self.completed == 0 {
            let over =
                |subtask: &&Subtask| matches!(subtask.status, SubtaskStatus::Done | SubtaskStatus::Failed);
            let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
            self.completed = count(self.subtasks.iter().filter(over).count());
            self.total = count(self.subtasks.len());
        }
        if self.total > 0 {
            self.completed = self.completed.min(self.total);
        }
        self
    }
}

/// What a job is given to work with; the JSON a job command reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct JobContext {
    /// The run.
    pub run: String,
    /// Item of work.
    pub item: String,
    /// Title of the work.
    pub title: String,
    /// Description of the work.
    pub description: String,
    /// Name of the step.
    pub step: String,
    /// Kind of this job.
    pub kind: String,
    /// Execution of the step, from 1.
    pub attempt: u32,
    /// The change.
    pub change: Change,
    /// Outputs of earlier steps, then those the component added (SPEC CX-1).
    pub outputs: Vec<StepOutput>,
    /// Questions and answers of earlier steps.
    pub decisions: Vec<Decision>,
    /// The last question of this step and its answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<Decision>,
    /// Set when the work is to be done again (SPEC CX-2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rework: Option<ReworkOrder>,
    /// Facts of the run.
    pub facts: Vec<Fact>,
    /// Documents of the item.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<Document>,
    /// Its environment, as last seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
    /// Who started the run.
    #[serde(default)]
    pub initiator: String,
    /// What is particular to the kind.
    pub input: JsonText,
}

/// A job handed to an executor. The same key arriving twice is one job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct JobOrder {
    /// Idempotency key.
    pub key: JobKey,
    /// Job kind.
    pub kind: String,
    /// Whether it may change files of the head branch.
    pub access: Access,
    /// What it is given.
    pub context: JobContext,
    /// Milliseconds until the executor gives up; none: its own limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_limit_ms: Option<u64>,
    /// When it was first dispatched.
    pub dispatched_at: Timestamp,
}

/// How a change is merged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum MergeMethod {
    /// A merge commit.
    #[default]
    Merge,
    /// One commit with the whole change.
    Squash,
    /// The commits of the change on top of the base.
    Rebase,
    /// The base branch moves to the head, or it is refused.
    FastForward,
}

/// A change of the outside world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Merge the change into its base branch.
    Merge(MergeMethod),
    /// Merge the base branch into the head branch.
    UpdateBranch,
    /// File a ticket.
    OpenTicket(JsonText),
    /// Provision an environment.
    Provision {
        /// Inputs of the provider, an object.
        input: JsonText,
        /// Whether it outlives a stop or restart of the run.
        keep: bool,
    },
    /// Tear an environment down.
    Teardown(JsonText),
    /// Add evidence to an open incident.
    AnnotateIncident(JsonText),
}

impl Effect {
    /// Those that a command of the pipeline performs; the others are git's.
    pub const COMMANDS: [&str; 4] = ["provision", "teardown", "open-ticket", "annotate-incident"];

    /// The WIT case: what descriptors and grants name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Merge(_) => "merge",
            Self::UpdateBranch => "update-branch",
            Self::OpenTicket(_) => "open-ticket",
            Self::Provision { .. } => "provision",
            Self::Teardown(_) => "teardown",
            Self::AnnotateIncident(_) => "annotate-incident",
        }
    }

    /// Whether a step that needs a person's consent gets it before this (DEVIATIONS D-3). What can be taken back, such as
    /// an environment, comes first: the person wants to see it.
    #[must_use]
    pub fn needs_consent(&self) -> bool {
        matches!(self, Self::Merge(_))
    }
}

/// An effect handed to a provider. The same key arriving twice is one effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EffectOrder {
    /// Idempotency key.
    pub key: EffectKey,
    /// What to change.
    pub effect: Effect,
    /// The change of the run, with the head commit the component decided on.
    pub change: Change,
    /// Title of the work, for messages.
    pub title: String,
    /// When it was first asked for; commits made for it carry this time, so that doing it again gives the same commit.
    pub requested_at: Timestamp,
}

/// How an effect ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum EffectOutcome {
    /// Performed.
    Done(JsonText),
    /// Not performed, and doing the same again would not help.
    Refused(String),
    /// Not performed.
    Failed(String),
    /// No provider performs it.
    NotConfigured(String),
}

#[cfg(test)]
mod tests {
    use super::{JobProgress, JobResult};

    #[test]
    fn progress_stays_within_its_bounds() {
        let read = |text: &str| serde_json::from_str::<JobProgress>(text).unwrap().bounded();
        let parts = read(r#"{"subtasks":[{"title":"a","status":"done"},{"title":"b\nc"}]}"#);
        assert_eq!((parts.completed, parts.total, parts.subtasks[1].title.as_str()), (1, 2, "b c"));
        let more = read(r#"{"completed":9,"total":2,"label":" "}"#);
        assert_eq!((more.completed, more.total, more.label), (2, 2, None));
        assert!(
            serde_json::from_str::<JobProgress>(r#"{"subtasks":[{"title":"a","status":"gone"}]}"#).is_err()
        );
    }

    #[test]
    fn a_confidence_is_read_back_as_the_very_number_that_was_written() {
        let mut bits = 0x3fb9_9999_9999_999a_u64;
        for _ in 0..10_000 {
            // Numbers near 0.1, with every kind of last digit.
            bits =
                0x3fb9_0000_0000_0000 | (bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1) >> 12);
            let confidence = Some(f64::from_bits(bits));
            let text = serde_json::to_string(&JobResult { confidence, ..JobResult::default() }).unwrap();
            let read: JobResult = serde_json::from_str(&text).unwrap();
            assert_eq!(read.confidence, confidence, "{text}");
        }
    }
}
