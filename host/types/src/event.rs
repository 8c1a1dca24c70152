use crate::board::WorkspaceId;
use crate::{
    Access, Answer, Change, Completion, Digest, Document, EffectKey, EffectOrder, EffectOutcome, Environment,
    Failure, Grant, Invocation, ItemLevel, ItemStatus, JobOrder, JobOutcome, NewNotice, Notice, NoticeId,
    NoticeState, Pipeline, PullRequest, Question, QuestionId, Repinned, ReworkOrder, RunId, StepAction, Stop,
    Timestamp,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Position of a step in its run's pipeline, from 0.
pub type StepIx = usize;

/// The component a run uses for a kind, and what it may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// The component.
    pub digest: Digest,
    /// What the kind may do.
    pub grant: Arc<Grant>,
    /// Whether its steps change the head branch.
    pub access: Access,
    /// Whether it is the candidate of a canary, not the active component.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_canary: bool,
}

/// All a run is made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSpec {
    /// Id of the run.
    pub id: RunId,
    /// Item of work.
    pub item: String,
    /// Title of the work.
    pub title: String,
    /// Description of the work.
    #[serde(default)]
    pub description: String,
    /// Who started it.
    pub initiator: String,
    /// The pipeline as it was.
    pub pipeline: Arc<Pipeline>,
    /// Component per kind.
    pub pins: BTreeMap<String, Pin>,
    /// The change.
    pub change: Change,
    /// What it takes over from its item.
    #[serde(default)]
    pub context: ItemContext,
    /// When it began.
    pub created_at: Timestamp,
}

/// What a run takes over from the item it is made for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ItemContext {
    /// The workspace of the item; none: the run belongs to no board.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace: Option<WorkspaceId>,
    /// What kind of item it is.
    pub level: ItemLevel,
    /// Documents kept on it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<Document>,
    /// Environments it still has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<Environment>,
    /// Its open cards that belong to no run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<Notice>,
    /// Job kinds and effects that somebody carries out; none: all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wired: Option<Vec<String>>,
    /// Set for an errand: one step that carries out one action on the item, beside its run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errand: Option<Errand>,
}

/// One action on an item that has no run to take it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errand {
    /// The action.
    pub action: StepAction,
    /// Where the item stands, which an errand does not change.
    pub item_status: ItemStatus,
}

/// What is journaled: something that has become true of a run. Applying the events of a journal gives the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// The run exists.
    Created(Arc<RunSpec>),
    /// A step begins, or begins again.
    StepStarted {
        /// Which.
        step: StepIx,
        /// Set when it is to do its work again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rework: Option<ReworkOrder>,
        /// The component it takes from now on, where steps are pinned one by one (`Pinning::Step`).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pin: Option<Box<Pin>>,
    },
    /// Other components take over kinds of the run.
    Repinned(Box<Repinned>),
    /// A component was called; its state, facts and progress are taken.
    Invoked {
        /// For which step.
        step: StepIx,
        /// The record.
        invocation: Arc<Invocation>,
    },
    /// The step waits for time to pass.
    TimerSet {
        /// Which step.
        step: StepIx,
        /// Until when.
        due: Timestamp,
        /// What it waits for.
        reason: String,
    },
    /// The step looks again.
    TimerFired {
        /// Which step.
        step: StepIx,
    },
    /// A job is to be carried out.
    JobDispatched {
        /// For which step.
        step: StepIx,
        /// The job.
        order: Box<JobOrder>,
    },
    /// A job was evicted and is dispatched anew under the next key (SPEC EV-3).
    JobRedispatched {
        /// For which step.
        step: StepIx,
        /// Which of the two budgets it cost.
        transient: bool,
        /// What the executor said.
        message: String,
    },
    /// A job ended.
    JobSettled {
        /// Of which step.
        step: StepIx,
        /// How.
        outcome: JobOutcome,
    },
    /// The change has a new head commit, or got a pull request.
    ChangeUpdated {
        /// Tip of the head branch.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        head_commit: Option<String>,
        /// Pull request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pull_request: Option<PullRequest>,
    },
    /// An effect is to be performed.
    EffectRequested {
        /// For which step.
        step: StepIx,
        /// The effect.
        order: Box<EffectOrder>,
    },
    /// An effect was performed or not.
    EffectSettled {
        /// Of which step.
        step: StepIx,
        /// How.
        outcome: EffectOutcome,
    },
    /// An environment is to be torn down. Nothing waits for it, and it is done even when the run has ended.
    CleanupRequested {
        /// The step it belongs to.
        step: StepIx,
        /// The teardown.
        order: Box<EffectOrder>,
    },
    /// A teardown was carried out or not.
    CleanupSettled {
        /// Which.
        key: EffectKey,
        /// How.
        outcome: EffectOutcome,
    },
    /// An environment was provisioned, or not, for a step that no longer waits for it.
    StraySettled {
        /// Which effect.
        key: EffectKey,
        /// How.
        outcome: EffectOutcome,
    },
    /// A step parks until a person answers.
    Asked {
        /// Which step.
        step: StepIx,
        /// The question.
        question: Question,
        /// For an approval, what happens once it is given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held: Option<Held>,
    },
    /// A person answered.
    Answered {
        /// Which step.
        step: StepIx,
        /// Which question.
        question: QuestionId,
        /// The answer.
        answer: Answer,
        /// Client token.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<String>,
        /// Who.
        by: String,
    },
    /// A person acts on a step; what it waited for is kept until its component has answered.
    Acted {
        /// Which.
        step: StepIx,
        /// The action.
        action: StepAction,
    },
    /// After an action the step waits on for what it waited for before.
    Stayed {
        /// Which.
        step: StepIx,
    },
    /// A step is finished.
    StepCompleted {
        /// Which.
        step: StepIx,
        /// What it produced.
        completion: Completion,
    },
    /// A step had nothing to do.
    StepSkipped {
        /// Which.
        step: StepIx,
        /// Why.
        reason: String,
    },
    /// Steps go back to pending within a rework loop; their component state and counters stay (SPEC EN-20).
    StepsReset {
        /// Which.
        steps: Vec<StepIx>,
    },
    /// A step that is pending is to do its work again, with this in mind.
    ReworkOrdered {
        /// Which.
        step: StepIx,
        /// What is to be different.
        rework: ReworkOrder,
    },
    /// Steps go back to pending by retry or restart; nothing of what happened in them stays (SPEC RT-5, D-1).
    StepsCleared {
        /// Which.
        steps: Vec<StepIx>,
        /// Who asked.
        by: String,
        /// Whether the run was failed (retry) or was sent back (restart).
        retry: bool,
        /// Unfinished steps that a restart at a later one leaves as they are: the run no longer waits for them
        /// (SPEC RT-2, RT-4).
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        passed_over: Vec<StepIx>,
    },
    /// A card is shown, or an open one of the same kind is refreshed.
    NoticeRaised(Notice),
    /// A card is no longer open.
    NoticeClosed {
        /// Which.
        id: NoticeId,
        /// How it ended.
        state: NoticeState,
    },
    /// A card waited too long and is urgent now (SPEC NT-3).
    NoticeEscalated {
        /// Which.
        id: NoticeId,
    },
    /// What an errand beside the run left on the item.
    ItemChanged {
        /// All documents of the item.
        documents: Vec<Document>,
        /// Cards it raised, which belong to this run from now on.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        notices: Vec<Notice>,
    },
    /// A person merged the change (SPEC MR-12).
    MergedByHand {
        /// Who.
        by: String,
    },
    /// The item stands elsewhere.
    ItemMoved {
        /// Where.
        to: ItemStatus,
    },
    /// The run waits for a person, and nothing else of it can go on.
    RunBlocked,
    /// The run goes on.
    RunUnblocked,
    /// The run was paused.
    RunPaused {
        /// Who.
        by: String,
        /// Whether it is held because the budget is spent, and goes on when there is a budget again (SPEC SP-3).
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        over_budget: bool,
        /// Set if it is held because it needs this component, and goes on when that is called again or replaced.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stopped: Option<Box<Stop>>,
    },
    /// The run goes on after a pause.
    RunResumed {
        /// Who.
        by: String,
    },
    /// All steps are done.
    RunCompleted,
    /// The run failed or was stopped.
    RunFailed {
        /// The step at fault, if one is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<StepIx>,
        /// Why.
        failure: Failure,
    },
}

/// What an approval holds back until it is given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Held {
    /// The end of the step.
    Completion(Completion),
    /// The end of a step that decides about the item, and what people are told of that.
    Decision(Completion, Vec<NewNotice>),
    /// A change of the outside world.
    Effect(crate::Effect),
}

impl Held {
    /// The end of the step, if it is that.
    #[must_use]
    pub fn completion(&self) -> Option<&Completion> {
        match self {
            Self::Completion(completion) | Self::Decision(completion, _) => Some(completion),
            Self::Effect(_) => None,
        }
    }
}
