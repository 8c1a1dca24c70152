//! Builders for what a step may answer, so that a guest reads like the rule it carries out.

use crate::text::json_error;
use crate::{
    Access, Artifact, Comment, Completion, Descriptor, Effect, EffectRequest, Failure, FailureClass, Grading,
    ItemStatus, JobRequest, NewDocument, Next, ProvisionRequest, Question, QuestionKind, Refusal,
    RefusalReason, ReworkRequest, StandIn, StepOutput, Waiting,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The JSON text of `value`; `null` if it has none, which only a map with keys that are no texts has not.
#[must_use]
pub fn json_text<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

/// Reads a JSON object from outside as it stands: nothing is converted, and a list is no object.
///
/// # Errors
/// What is wrong with it, in a few words.
pub fn read_object<T: DeserializeOwned>(json: &str) -> Result<T, String> {
    if !json.trim_start().starts_with('{') {
        return Err("it is not a JSON object".to_owned());
    }
    serde_json::from_str(json).map_err(|error| json_error(&error))
}

impl Descriptor {
    /// A kind that takes no settings, starts no jobs, asks for no effects and only reads.
    #[must_use]
    pub fn new(kind: impl Into<String>, version: impl Into<String>, summary: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            version: version.into(),
            state_version: 1,
            summary: summary.into(),
            config_schema: r#"{"type":"object","additionalProperties":false}"#.to_owned(),
            jobs: Vec::new(),
            effects: Vec::new(),
            access: Access::ReadOnly,
            documents: Vec::new(),
            grades: Vec::new(),
            needs: Vec::new(),
        }
    }

    /// JSON Schema of the step's `config`.
    #[must_use]
    pub fn config_schema(mut self, schema: impl Into<String>) -> Self {
        self.config_schema = schema.into();
        self
    }

    /// Job kinds it may dispatch; `{role}` stands for the role of the step.
    #[must_use]
    pub fn jobs<const N: usize>(mut self, kinds: [&str; N]) -> Self {
        self.jobs = kinds.map(str::to_owned).to_vec();
        self
    }

    /// Effects it may ask for, by the names of the contract's `effect` cases.
    #[must_use]
    pub fn effects<const N: usize>(mut self, names: [&str; N]) -> Self {
        self.effects = names.map(str::to_owned).to_vec();
        self
    }

    /// Its jobs or effects change the head branch.
    #[must_use]
    pub fn writes(mut self) -> Self {
        self.access = Access::Write;
        self
    }

    /// Documents it may leave on the item.
    #[must_use]
    pub fn documents<const N: usize>(mut self, names: [&str; N]) -> Self {
        self.documents = names.map(str::to_owned).to_vec();
        self
    }

    /// In this role it grades what these producers made.
    #[must_use]
    pub fn grades(mut self, role: &str, producers: &[&str]) -> Self {
        let producers = producers.iter().map(|role| (*role).to_owned()).collect();
        self.grades.push(Grading { role: role.to_owned(), producers });
        self
    }

    /// What must be settled before a run with such a step may start.
    #[must_use]
    pub fn needs<const N: usize>(mut self, names: [&str; N]) -> Self {
        self.needs = names.map(str::to_owned).to_vec();
        self
    }

    /// Version of its state, when it is no longer 1.
    #[must_use]
    pub fn state_version(mut self, version: u32) -> Self {
        self.state_version = version;
        self
    }
}

impl Completion {
    /// The step is finished without an output.
    #[must_use]
    pub fn new() -> Self {
        Self { output: None, artifact: None, item_status: None, on_behalf_of: Vec::new(), approved: false }
    }

    /// The text it produced; a blank one counts as none.
    #[must_use]
    pub fn output(mut self, output: impl Into<String>) -> Self {
        self.output = Some(output.into()).filter(|output| !output.trim().is_empty());
        self
    }

    /// A document it produced.
    #[must_use]
    pub fn artifact(
        mut self,
        name: impl Into<String>,
        media_type: impl Into<String>,
        content: impl Into<String>,
    ) -> Self {
        let artifact = Artifact { name: name.into(), media_type: media_type.into(), content: content.into() };
        self.artifact = Some(artifact);
        self
    }

    /// Where the item of work stands now.
    #[must_use]
    pub fn item_status(mut self, status: ItemStatus) -> Self {
        self.item_status = Some(status);
        self
    }

    /// Roles of the producer whose output a human approves in place of this step's own.
    #[must_use]
    pub fn on_behalf_of(mut self, roles: Vec<String>) -> Self {
        self.on_behalf_of = roles;
        self
    }

    /// A human consented already.
    #[must_use]
    pub fn approved(mut self) -> Self {
        self.approved = true;
        self
    }
}

impl Default for Completion {
    fn default() -> Self {
        Self::new()
    }
}

impl Waiting {
    /// Call again in `ms` milliseconds; `reason` is what people see meanwhile.
    #[must_use]
    pub fn new(ms: u64, reason: impl Into<String>) -> Self {
        Self { ms, reason: reason.into() }
    }
}

impl JobRequest {
    /// A job of this kind without an input, under the executor's own time limit.
    #[must_use]
    pub fn new(kind: impl Into<String>, access: Access) -> Self {
        Self {
            kind: kind.into(),
            access,
            extra_outputs: Vec::new(),
            input: "{}".to_owned(),
            time_limit_ms: None,
        }
    }

    /// What is particular to this kind of job.
    #[must_use]
    pub fn input<T: Serialize + ?Sized>(mut self, input: &T) -> Self {
        self.input = json_text(input);
        self
    }

    /// An output to show to the job beside those of the earlier steps.
    #[must_use]
    pub fn extra_output(
        mut self,
        step: impl Into<String>,
        role: impl Into<String>,
        output: impl Into<String>,
    ) -> Self {
        self.extra_outputs.push(StepOutput { step: step.into(), role: role.into(), output: output.into() });
        self
    }

    /// Seconds until the executor gives up; none leaves it to the executor.
    #[must_use]
    pub fn time_limit_s(mut self, seconds: Option<u64>) -> Self {
        self.time_limit_ms = seconds.map(|seconds| seconds.saturating_mul(1000));
        self
    }
}

impl Question {
    /// A question with a free text for an answer, until it is given options.
    #[must_use]
    pub fn new(kind: QuestionKind, prompt: impl Into<String>) -> Self {
        Self { kind, prompt: prompt.into(), options: Vec::new(), proposal: None, actions: Vec::new() }
    }

    /// The choices.
    #[must_use]
    pub fn options(mut self, options: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.options = options.into_iter().map(Into::into).collect();
        self
    }

    /// Actions a person may take while it is open; with any it cannot be answered otherwise.
    #[must_use]
    pub fn actions(mut self, actions: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.actions = actions.into_iter().map(Into::into).collect();
        self
    }

    /// The text the question is about; a blank one counts as none.
    #[must_use]
    pub fn proposal(mut self, proposal: impl Into<String>) -> Self {
        self.proposal = Some(proposal.into()).filter(|text| !text.trim().is_empty());
        self
    }
}

impl EffectRequest {
    /// Change the outside world.
    #[must_use]
    pub fn new(effect: Effect) -> Self {
        Self { effect, proposal: None }
    }

    /// What to show a human who has to consent to it first.
    #[must_use]
    pub fn proposal(mut self, proposal: impl Into<String>) -> Self {
        self.proposal = Some(proposal.into());
        self
    }
}

impl ReworkRequest {
    /// Send the nearest earlier step of one of these roles back to work.
    #[must_use]
    pub fn new(producers: Vec<String>, feedback: impl Into<String>) -> Self {
        Self { producers, feedback: feedback.into(), comments: Vec::new() }
    }

    /// Remarks on what it produced.
    #[must_use]
    pub fn comments(mut self, comments: Vec<Comment>) -> Self {
        self.comments = comments;
        self
    }
}

impl Failure {
    /// The step, and with it the run, failed; `message` is one line.
    #[must_use]
    pub fn new(class: FailureClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), detail: None }
    }

    /// More, for those who look; a blank one counts as none.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into()).filter(|text| !text.trim().is_empty());
        self
    }
}

impl NewDocument {
    /// A value to keep on the item under `name`, one that the descriptor names.
    #[must_use]
    pub fn new<T: Serialize + ?Sized>(name: impl Into<String>, value: &T) -> Self {
        Self { name: name.into(), value: json_text(value), stands_in: None }
    }

    /// Its text stands in for the description of the item; of several the highest rank is used.
    #[must_use]
    pub fn stands_in(mut self, text: impl Into<String>, rank: u32) -> Self {
        self.stands_in = Some(StandIn { text: text.into(), rank });
        self
    }
}

impl ProvisionRequest {
    /// An environment that lives as long as the run needs it.
    #[must_use]
    pub fn new<T: Serialize + ?Sized>(input: &T) -> Self {
        Self { input: json_text(input), keep: false }
    }

    /// It stays after the run, until it is replaced.
    #[must_use]
    pub fn keep(mut self) -> Self {
        self.keep = true;
        self
    }
}

impl Refusal {
    /// Not now: the step is not in a state in which this can be done.
    #[must_use]
    pub fn conflict(message: impl Into<String>) -> Self {
        Self { reason: RefusalReason::Conflict, message: message.into() }
    }

    /// It is wrong in itself.
    #[must_use]
    pub fn invalid(message: impl Into<String>) -> Self {
        Self { reason: RefusalReason::Invalid, message: message.into() }
    }
}

macro_rules! next_from {
    ($($case:ident($payload:ty)),*) => {
        $(impl From<$payload> for Next {
            fn from(payload: $payload) -> Self {
                Self::$case(payload)
            }
        })*
    };
}

next_from!(
    Complete(Completion),
    Wait(Waiting),
    Dispatch(JobRequest),
    Ask(Question),
    Perform(EffectRequest),
    Rework(ReworkRequest),
    Fail(Failure),
    Refuse(Refusal)
);
