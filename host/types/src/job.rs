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
    use super::JobResult;

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
