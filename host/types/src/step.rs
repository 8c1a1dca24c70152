//! The step contract as data; each type mirrors the WIT item of the same name in `wit/`, where it is explained.

use crate::{
    Access, Change, Effect, EffectOutcome, FailureClass, ItemStatus, JobOutcome, JsonText, QuestionKind,
    Severity, Timestamp,
};
use serde::{Deserialize, Serialize};

/// A named value that a step left on the run for later steps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Fact {
    /// Its name; a later fact of the same name replaces it.
    pub name: String,
    /// Its value.
    pub value: JsonText,
    /// Name of the step that left it.
    #[serde(default)]
    pub step: String,
}

/// The text a finished step produced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StepOutput {
    /// Name of the step.
    pub step: String,
    /// Its role.
    pub role: String,
    /// The text.
    pub output: String,
}

/// A question of an earlier step and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Decision {
    /// Name of the step that asked.
    pub step: String,
    /// The question.
    pub question: String,
    /// The answer.
    pub answer: String,
}

/// A named value kept on the item of work, beyond the runs that are made for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Document {
    /// Its name; a later document of the same name replaces it.
    pub name: String,
    /// Its value.
    pub value: JsonText,
    /// Text in place of the item's description (SPEC CX-3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stands_in: Option<StandIn>,
}

/// A text that stands in for the description of an item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StandIn {
    /// The text.
    pub text: String,
    /// The highest rank wins.
    pub rank: u32,
}

/// The run as a step may see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunInfo {
    /// Id of the run.
    pub id: String,
    /// Item of work.
    pub item: String,
    /// Title of the work.
    pub title: String,
    /// Description of the work.
    pub description: String,
    /// The change.
    pub change: Change,
    /// Facts left so far.
    #[serde(default)]
    pub facts: Vec<Fact>,
    /// Outputs of the steps before this one, in order; empty where a step produced nothing to read.
    #[serde(default)]
    pub outputs: Vec<StepOutput>,
    /// Where the item stands.
    #[serde(default = "in_progress")]
    pub item_status: ItemStatus,
    /// Documents of the item, as (name, value).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<Document>,
    /// Whether this one step carries out one action, outside any pipeline.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_errand: bool,
    /// Who started the run; empty in what was recorded before components were told. Since `lockstep:step@0.2.0`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub initiator: String,
    /// Time of the event being handled.
    pub now: Timestamp,
}

/// Where the items of runs stood that were recorded before their components were told.
fn in_progress() -> ItemStatus {
    ItemStatus::InProgress
}

/// The step being advanced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StepInfo {
    /// Name within the pipeline.
    pub name: String,
    /// Step kind.
    pub kind: String,
    /// What others call it.
    pub role: String,
    /// Its configuration.
    pub config: JsonText,
    /// The policy of the run.
    pub policy: JsonText,
    /// From 1.
    pub attempt: u32,
    /// Whether no other step follows.
    pub is_final: bool,
    /// Of the jobs and effects its descriptor names, those that somebody carries out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wired: Vec<String>,
}

/// A remark on a text (SPEC AP-10).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Comment {
    /// The remark.
    pub body: String,
    /// The passage it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<String>,
    /// Half-open range of 0-based lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<(u32, u32)>,
    /// Identifier given by whoever graded the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<String>,
}

/// Why and how a step is to do its work again (SPEC CX-2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReworkOrder {
    /// What is to be different.
    pub feedback: String,
    /// Remarks on the previous output.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comments: Vec<Comment>,
    /// The previous output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// Step that asked, or `human`.
    pub by: String,
}

/// A person's answer as a component sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StepAnswer {
    /// The option, or free text.
    pub choice: String,
    /// What was said with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Remarks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comments: Vec<Comment>,
}

/// What a person does to a step that is under way, beside answering a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StepAction {
    /// Its name.
    pub name: String,
    /// Its arguments, an object.
    pub input: JsonText,
    /// Who.
    pub by: String,
}

/// What happened, the reason for a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum StepEvent {
    /// The step begins, or begins again.
    Started(Option<ReworkOrder>),
    /// The awaited time has passed or the awaited thing may have changed.
    Due,
    /// A job settled.
    JobSettled {
        /// Kind that was dispatched.
        kind: String,
        /// How it ended.
        outcome: JobOutcome,
    },
    /// A question was answered.
    Answered(StepAnswer),
    /// An effect was performed or not.
    EffectSettled(EffectOutcome),
    /// A person acts on the step.
    Acted(StepAction),
}

/// Everything a component may know without asking.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StepInput {
    /// The run.
    pub run: RunInfo,
    /// The step.
    pub step: StepInfo,
    /// Questions of earlier steps and their answers.
    #[serde(default)]
    pub decisions: Vec<Decision>,
    /// State the step returned last.
    #[serde(default)]
    pub state: Option<JsonText>,
    /// What happened.
    pub event: StepEvent,
}

/// How far long work has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Progress {
    /// Parts done.
    pub completed: u32,
    /// Parts in all; 0 when not known.
    pub total: u32,
    /// What is being done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// A card a component raises.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NewNotice {
    /// For example `ci_failed`.
    pub kind: String,
    /// How urgent.
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// What is needed to act on it.
    pub body: String,
}

/// More than an output text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Artifact {
    /// File name.
    pub name: String,
    /// For example `application/json`.
    pub media_type: String,
    /// The text.
    pub content: String,
}

/// The step is finished.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Completion {
    /// What it produced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// A document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Artifact>,
    /// Where the item stands now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item_status: Option<ItemStatus>,
    /// Roles of the producer whose output is approved in place of this step's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_behalf_of: Vec<String>,
    /// Whether a human already consented.
    #[serde(default)]
    pub approved: bool,
}

/// Work for an executor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct JobRequest {
    /// Job kind.
    pub kind: String,
    /// Whether it may change files.
    pub access: Access,
    /// Outputs to show beside those of the earlier steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extra_outputs: Vec<StepOutput>,
    /// What is particular to the kind.
    pub input: JsonText,
    /// Milliseconds until the executor gives up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_limit_ms: Option<u64>,
}

/// Send a producer back to work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReworkRequest {
    /// Roles that may be the producer; the nearest earlier one is taken (SPEC CO-1).
    pub producers: Vec<String>,
    /// What is to be different.
    pub feedback: String,
    /// Remarks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comments: Vec<Comment>,
}

/// What is to happen next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Next {
    /// The step is finished.
    Complete(Completion),
    /// Nothing to do here, and why.
    Skip(String),
    /// Call again later.
    Wait {
        /// Milliseconds from now.
        ms: u64,
        /// What it waits for.
        reason: String,
    },
    /// Start a job.
    Dispatch(JobRequest),
    /// Ask a person.
    Ask {
        /// What kind of answer.
        kind: QuestionKind,
        /// The question.
        prompt: String,
        /// Choices; empty means free text.
        options: Vec<String>,
        /// The text it is about.
        proposal: Option<String>,
        /// Actions a person may take while it is open.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        actions: Vec<String>,
    },
    /// Change the outside world.
    Perform {
        /// What to change.
        effect: Effect,
        /// What to show a human who must consent first.
        proposal: Option<String>,
    },
    /// Send a producer back to work.
    Rework(ReworkRequest),
    /// The run failed.
    Fail {
        /// Class; one of those WIT allows to components.
        class: FailureClass,
        /// One line.
        message: String,
        /// More.
        detail: Option<String>,
    },
    /// What the step waited for before an action stays as it is.
    Stay,
    /// An action or an answer is not taken, and nothing of the transition becomes true.
    Refuse {
        /// Whether it is wrong in itself, not only now.
        invalid: bool,
        /// One line.
        message: String,
    },
}

impl Next {
    /// The WIT case, for people.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Complete(_) => "complete",
            Self::Skip(_) => "skip",
            Self::Wait { .. } => "wait",
            Self::Dispatch(_) => "dispatch",
            Self::Ask { .. } => "ask",
            Self::Perform { .. } => "perform",
            Self::Rework(_) => "rework",
            Self::Fail { .. } => "fail",
            Self::Stay => "stay",
            Self::Refuse { .. } => "refuse",
        }
    }

    /// What it is about, for people: the output, the reason, the job. Of a wait it leaves out how long.
    #[must_use]
    pub fn detail(&self) -> String {
        match self {
            Self::Complete(completion) => completion.output.clone().unwrap_or_default(),
            Self::Skip(reason) | Self::Wait { reason, .. } => reason.clone(),
            Self::Dispatch(job) => job.kind.clone(),
            Self::Ask { prompt, .. } => prompt.clone(),
            Self::Perform { effect, .. } => effect.name().to_owned(),
            Self::Rework(order) => format!("{}: {}", order.producers.join(" or "), order.feedback),
            Self::Fail { class, message, .. } => format!("{class}: {message}"),
            Self::Stay => String::new(),
            Self::Refuse { message, .. } => message.clone(),
        }
    }
}

/// The answer of a component to one event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Transition {
    /// Given back with the next event.
    pub state: JsonText,
    /// One line for the timeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// How far it has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// Facts for later steps; `step` is empty here and filled by the engine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<Fact>,
    /// Cards to raise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<NewNotice>,
    /// Kinds of open cards that a person's action has settled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settled_notices: Vec<String>,
    /// Documents to keep on the item, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<Document>,
    /// Environments to tear down; nothing waits for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teardowns: Vec<JsonText>,
    /// What is to happen next.
    pub next: Next,
}

impl Transition {
    /// Keeps `state` and goes on to `next`, with nothing beside it.
    #[must_use]
    pub fn new(state: JsonText, next: Next) -> Self {
        Self {
            state,
            note: None,
            progress: None,
            facts: Vec::new(),
            notices: Vec::new(),
            settled_notices: Vec::new(),
            documents: Vec::new(),
            teardowns: Vec::new(),
            next,
        }
    }
}
