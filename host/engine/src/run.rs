use lockstep_types::{
    Answer, Artifact, Change, Digest, Document, EffectOrder, Environment, Fact, Failure, Held, ItemStatus,
    JobOrder, JsonText, Notice, Pin, Progress, Question, QuestionId, RunSpec, RunStatus, StepDef, StepEvent,
    StepIx, StepStatus, Stop, Timestamp, Usage,
};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the encoded state of most runs has room in: growing to it by doubling copies it over and over.
const USUAL_BYTES: usize = 4 << 10;

/// One execution of a pipeline. Changed only by `apply`, live and on replay alike.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Run {
    /// What it was made from. Not part of the digest: the first record of the chain holds it.
    #[serde(skip)]
    pub(crate) spec: Arc<RunSpec>,
    /// The policy of its pipeline as components are given it.
    #[serde(skip)]
    pub(crate) policy: JsonText,
    pub(crate) change: Change,
    pub(crate) status: RunStatus,
    /// The last pause, for people to read. Not part of the digest: the event that holds it is in the chain.
    #[serde(skip)]
    pub(crate) pause: Pause,
    pub(crate) failure: Option<Failure>,
    pub(crate) item_status: ItemStatus,
    pub(crate) facts: Vec<Fact>,
    pub(crate) steps: Vec<Step>,
    pub(crate) notices: Vec<Notice>,
    pub(crate) answers: Vec<AnswerRecord>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) documents: Vec<Document>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) environments: Vec<HeldEnvironment>,
    /// Teardowns asked for and not yet answered; they outlive the run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) cleanups: Vec<EffectOrder>,
    /// Environments being provisioned for steps that no longer wait for them: they must not be left behind.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) strays: Vec<EffectOrder>,
    /// Components that took over kinds since it began.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) repinned: BTreeMap<String, Pin>,
    /// Set while it is paused because it needs a component that must not be called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) held_for: Option<Box<Stop>>,
    pub(crate) questions_asked: u32,
    pub(crate) invocations: u32,
    pub(crate) updated_at: Timestamp,
}

/// Who paused a run, and whether for want of a budget.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Pause {
    pub(crate) by: String,
    pub(crate) over_budget: bool,
}

/// An environment the item has.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HeldEnvironment {
    /// As last seen.
    pub environment: Environment,
    /// The step it goes down with when the run is stopped or restarted; none: it is kept (D-17).
    pub with: Option<StepIx>,
    /// Whether its teardown was asked for.
    pub released: bool,
}

/// One step of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Step {
    /// State as people know it.
    pub status: StepStatus,
    /// What it is in the middle of.
    pub phase: Phase,
    /// What it was in the middle of when a person acted on it, until its component has answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interrupted: Option<Box<Phase>>,
    /// The component's state.
    pub memory: Option<JsonText>,
    /// The component of this step where it is not the run's: it took its own when it started, or was finished before
    /// another one took over its kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin: Option<Box<Pin>>,
    /// What it produced.
    pub output: Option<String>,
    /// The document it produced.
    pub artifact: Option<Artifact>,
    /// Why it was skipped, if it was.
    pub skipped: Option<String>,
    /// Whether a restart at a later step left it unfinished for good (SPEC RT-4).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub passed_over: bool,
    /// The rework order it is working on.
    pub rework: Option<lockstep_types::ReworkOrder>,
    /// Whether a human consented in this execution.
    pub approved: bool,
    /// Where its completion put the item.
    pub item_status: Option<ItemStatus>,
    /// How far it has come.
    pub progress: Option<Progress>,
    /// Evictions that cost the crash budget (SPEC EV-3).
    pub crash_evictions: u32,
    /// Evictions that cost the transient budget.
    pub transient_evictions: u32,
    /// Jobs dispatched ever; the number of the last one.
    pub jobs: u32,
    /// Effects requested ever.
    pub effects: u32,
    /// Calls of its component ever.
    pub invocations: u32,
    /// Tokens its jobs reported, helpers included (SPEC SM-1).
    #[serde(skip_serializing_if = "Usage::is_none")]
    pub usage: Usage,
    /// Its executions, oldest first, the last one current.
    pub attempts: Vec<Attempt>,
    /// Milliseconds of the current execution spent waiting for people (D-18).
    pub waited_ms: u64,
}

/// One execution of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// How it ended: `completed`, `skipped`, `reworked`, `failed`; `working` until then.
    pub outcome: &'static str,
    /// What it produced.
    pub output: Option<String>,
}

/// What a step is in the middle of.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Nothing: not begun, finished, or the run has ended.
    #[default]
    Idle,
    /// Its component is to be called with this.
    Ready(Arc<StepEvent>),
    /// It looks again at a time.
    Timer {
        /// When.
        due: Timestamp,
        /// What it waits for.
        reason: String,
        /// Since when.
        since: Timestamp,
    },
    /// A job is under way.
    Job(Arc<JobOrder>),
    /// An effect is under way.
    Effect(Arc<EffectOrder>),
    /// A person is to answer.
    Question {
        /// The question.
        question: Question,
        /// What an approval holds back.
        held: Option<Arc<Held>>,
    },
}

/// An answer that was taken.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AnswerRecord {
    /// The step that asked.
    pub step: StepIx,
    /// The question.
    pub question: Question,
    /// The answer.
    pub answer: Answer,
    /// Client token.
    pub token: Option<String>,
    /// Who answered.
    pub by: String,
}

/// Something to be done outside the engine, asked for and not yet answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Command<'a> {
    /// Call the component of a step.
    Invoke(StepIx),
    /// Carry out a job.
    Dispatch(&'a JobOrder),
    /// Perform an effect.
    Perform(&'a EffectOrder),
}

impl Step {
    /// Whether it waits for a person; a person's action on it does not end that until its component says so.
    #[must_use]
    pub fn is_parked(&self) -> bool {
        let open = |phase: &Phase| matches!(phase, Phase::Question { .. });
        open(&self.phase) || self.interrupted.as_deref().is_some_and(open)
    }

    /// Whether the run waits for it no more: it is done, or was passed over.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.status == StepStatus::Done || self.passed_over
    }
}

impl Run {
    /// What the run was made from.
    #[must_use]
    pub fn spec(&self) -> &Arc<RunSpec> {
        &self.spec
    }

    /// Its change, with the head commit as last seen.
    #[must_use]
    pub fn change(&self) -> &Change {
        &self.change
    }

    /// State.
    #[must_use]
    pub fn status(&self) -> RunStatus {
        self.status
    }

    /// Where the item stands.
    #[must_use]
    pub fn item_status(&self) -> ItemStatus {
        self.item_status
    }

    /// Steps in order.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Notices, open and closed.
    #[must_use]
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// Answers taken so far.
    #[must_use]
    pub fn answers(&self) -> &[AnswerRecord] {
        &self.answers
    }

    /// Documents kept on the item.
    #[must_use]
    pub fn documents(&self) -> &[Document] {
        &self.documents
    }

    /// Environments of the item, the newest last.
    #[must_use]
    pub fn environments(&self) -> &[HeldEnvironment] {
        &self.environments
    }

    /// Whether it is an errand: one step beside the item's run (see `ItemContext::errand`).
    #[must_use]
    pub fn is_errand(&self) -> bool {
        self.spec.context.errand.is_some()
    }

    /// Everything asked for and not yet answered: teardowns first, and while one is under way no other effect. Once the
    /// run has ended only teardowns and what is to be torn down when it is there; while it is paused only what was already under way.
    #[must_use]
    pub fn outstanding(&self) -> Vec<Command<'_>> {
        let mut commands: Vec<Command<'_>> =
            self.cleanups.iter().chain(&self.strays).map(Command::Perform).collect();
        if !self.status.is_live() {
            return commands;
        }
        let paused = self.status == RunStatus::Paused;
        let steps = self.steps.iter().enumerate();
        commands.extend(steps.filter_map(|(ix, step)| match &step.phase {
            Phase::Ready(_) if !paused => Some(Command::Invoke(ix)),
            Phase::Job(order) => Some(Command::Dispatch(order)),
            Phase::Effect(order) if self.cleanups.is_empty() => Some(Command::Perform(order)),
            Phase::Idle
            | Phase::Ready(_)
            | Phase::Effect(_)
            | Phase::Timer { .. }
            | Phase::Question { .. } => None,
        }));
        commands
    }

    /// When the run wants `Input::Tick` next; none while it waits for something else, is paused or has ended.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Timestamp> {
        if !self.status.is_live() || self.status == RunStatus::Paused {
            return None;
        }
        let due = |step: &Step| match step.phase {
            Phase::Timer { due, .. } => Some(due),
            _ => None,
        };
        self.steps.iter().filter_map(due).min()
    }

    /// Whether a step waits for a time to come, and so may look earlier when something changed.
    #[must_use]
    pub fn has_timer(&self) -> bool {
        self.next_wakeup().is_some()
    }

    /// Digest of the state, stored with each record to show later that the journal folds to it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut bytes = Vec::with_capacity(USUAL_BYTES);
        serde_json::to_writer(&mut bytes, self).expect("texts, numbers and lists have a JSON form");
        Digest::of(&bytes)
    }

    pub(crate) fn def(&self, ix: StepIx) -> &StepDef {
        &self.spec.pipeline.steps[ix]
    }

    /// Whether no step comes after this one (SPEC EN-14).
    pub(crate) fn is_final(&self, ix: StepIx) -> bool {
        !self.spec.pipeline.steps.iter().any(|step| step.needs.contains(&ix))
    }

    /// `from` and every step that directly or indirectly comes after it, in order.
    pub(crate) fn with_descendants(&self, from: StepIx) -> Vec<StepIx> {
        let mut found = vec![from];
        for (ix, step) in self.spec.pipeline.steps.iter().enumerate().skip(from + 1) {
            if step.needs.iter().any(|need| found.contains(need)) {
                found.push(ix);
            }
        }
        found
    }

    /// The nearest step before `ix`, on a path to it, that has one of the roles (SPEC CO-1).
    pub(crate) fn producer(&self, ix: StepIx, roles: &[String]) -> Option<StepIx> {
        (0..ix).rev().find(|&candidate| {
            roles.contains(&self.def(candidate).role) && self.with_descendants(candidate).contains(&ix)
        })
    }

    /// Whether the component of a step is to be called for the first time since it began.
    pub(crate) fn begins(&self, ix: StepIx) -> bool {
        matches!(&self.steps[ix].phase, Phase::Ready(event) if matches!(**event, StepEvent::Started(_)))
    }

    pub(crate) fn question_of(&self, id: QuestionId) -> Option<(StepIx, &Question)> {
        self.steps.iter().enumerate().find_map(|(ix, step)| match &step.phase {
            Phase::Question { question, .. } if question.id == id => Some((ix, question)),
            _ => None,
        })
    }
}
