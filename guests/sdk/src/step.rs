use crate::{
    Decision, Descriptor, Event, Host, NewDocument, NewFact, Next, Notice, Policy, Progress, RunInfo,
    Severity, StepInfo, json_text,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A step kind: what it is, and what it does about an event.
pub trait Step {
    /// The step's `config` table. Give it `#[serde(default, deny_unknown_fields)]`, so that a misspelt
    /// setting is an error that names the field.
    type Config: DeserializeOwned;

    /// What the step remembers from one event to the next. It survives a rework and starts from its default
    /// on a retry or a restart.
    type State: Serialize + DeserializeOwned + Default;

    /// What the component says of itself. Must be constant.
    fn descriptor() -> Descriptor;

    /// Handles one event.
    ///
    /// # Errors
    /// A fault of the component, such as an event it never asked for. What goes wrong in the work itself is
    /// a transition to a [`crate::Failure`], not an error.
    fn advance(
        call: &Call<Self::Config>,
        state: Self::State,
        event: Event,
        host: &impl Host,
    ) -> Result<Transition<Self::State>, StepError>;

    /// Reads a state of an older `state-version`.
    ///
    /// # Errors
    /// The default reads none.
    fn migrate(from_version: u32, state: &str) -> Result<Self::State, StepError> {
        let _ = state;
        Err(StepError::UnknownStateVersion { found: from_version, current: Self::descriptor().state_version })
    }
}

/// Everything a step may know without asking.
#[derive(Clone, Debug)]
pub struct Call<C> {
    /// The run.
    pub run: RunInfo,
    /// The step; its `config` and `policy` texts are read below.
    pub step: StepInfo,
    /// Questions of earlier steps and their answers.
    pub decisions: Vec<Decision>,
    /// The step's configuration.
    pub config: C,
    /// The run's policy.
    pub policy: Policy,
}

/// A fault of a component. The run fails with class `bad-output`.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The configuration does not fit the component.
    #[error("step `{step}`, config {field}: {reason}; change it in the pipeline file")]
    Config {
        /// Name of the step.
        step: String,
        /// The setting.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The policy does not fit the component.
    #[error("policy of the run: {reason}")]
    Policy {
        /// What is wrong with it.
        reason: String,
    },
    /// The state is not one this component wrote.
    #[error("state of step `{step}`: {reason}; restart the step to begin with an empty state")]
    State {
        /// Name of the step.
        step: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A state of this version cannot be read.
    #[error("a state of version {found} cannot be turned into version {current}")]
    UnknownStateVersion {
        /// Version of the state.
        found: u32,
        /// Version this component writes.
        current: u32,
    },
    /// The host sent an event this step never asked for.
    #[error("event `{event}` makes no sense while {doing}")]
    UnexpectedEvent {
        /// The event, as the contract names it.
        event: &'static str,
        /// What the step was doing.
        doing: &'static str,
    },
    /// Anything else; one line.
    #[error("{0}")]
    Other(String),
}

impl StepError {
    /// The event makes no sense while the step is `doing` something else.
    #[must_use]
    pub fn unexpected(event: &Event, doing: &'static str) -> Self {
        let event = match event {
            Event::Started(_) => "started",
            Event::Due => "due",
            Event::JobSettled(_) => "job-settled",
            Event::Answered(_) => "answered",
            Event::EffectSettled(_) => "effect-settled",
            Event::Acted(_) => "acted",
        };
        Self::UnexpectedEvent { event, doing }
    }
}

/// The answer to one event: the state to keep and what is to happen next.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition<S> {
    /// Given back with the next event of this step.
    pub state: S,
    /// What was seen and decided, in one line for the timeline.
    pub note: Option<String>,
    /// How far it has come.
    pub progress: Option<Progress>,
    /// Named values for later steps.
    pub facts: Vec<NewFact>,
    /// Cards for a human.
    pub notices: Vec<Notice>,
    /// Kinds of open cards that a person's action has settled.
    pub settled_notices: Vec<String>,
    /// Documents to keep on the item, in order.
    pub documents: Vec<NewDocument>,
    /// Environments to tear down, each as JSON that `provision` told.
    pub teardowns: Vec<String>,
    /// What is to happen next.
    pub next: Next,
}

impl<S> Transition<S> {
    /// Keeps `state` and goes on to `next`: a [`crate::Completion`], [`crate::Waiting`], [`crate::JobRequest`],
    /// [`crate::Question`], [`crate::EffectRequest`], [`crate::ReworkRequest`], [`crate::Failure`]; after an action
    /// also [`Next::Stay`] or a [`crate::Refusal`].
    #[must_use]
    pub fn new(state: S, next: impl Into<Next>) -> Self {
        Self {
            state,
            note: None,
            progress: None,
            facts: Vec::new(),
            notices: Vec::new(),
            settled_notices: Vec::new(),
            documents: Vec::new(),
            teardowns: Vec::new(),
            next: next.into(),
        }
    }

    /// Says in one line what was seen and decided.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// Says how far it has come; a `total` of 0 means not known.
    #[must_use]
    pub fn progress(mut self, completed: u32, total: u32, label: impl Into<String>) -> Self {
        self.progress = Some(Progress { completed, total, label: Some(label.into()) });
        self
    }

    /// Leaves a named value for later steps.
    #[must_use]
    pub fn fact<T: Serialize + ?Sized>(self, name: impl Into<String>, value: &T) -> Self {
        self.fact_json(name, json_text(value))
    }

    /// Leaves a named value that is JSON text already.
    #[must_use]
    pub fn fact_json(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.facts.push(NewFact { name: name.into(), value: value.into() });
        self
    }

    /// Raises a card of normal severity; the host keeps one open card per kind and item.
    #[must_use]
    pub fn notice(
        mut self,
        kind: impl Into<String>,
        title: impl Into<String>,
        body: impl Into<String>,
    ) -> Self {
        let severity = Severity::Normal;
        self.notices.push(Notice { kind: kind.into(), severity, title: title.into(), body: body.into() });
        self
    }

    /// Settles an open card of this kind: a person did what it asked for.
    #[must_use]
    pub fn settled_notice(mut self, kind: impl Into<String>) -> Self {
        self.settled_notices.push(kind.into());
        self
    }

    /// Keeps a document on the item.
    #[must_use]
    pub fn document(mut self, document: NewDocument) -> Self {
        self.documents.push(document);
        self
    }

    /// Has an environment torn down; nothing waits for it. `environment` is JSON that `provision` told.
    #[must_use]
    pub fn teardown(mut self, environment: impl Into<String>) -> Self {
        self.teardowns.push(environment.into());
        self
    }
}
