use crate::{
    Comment, Digest, Document, EffectKey, EffectOutcome, Failure, FailureClass, Invocation, JobKey,
    JobOutcome, NewNotice, Notice, NoticeId, NoticeState, Pin, QuestionId, Repin, RunSpec, StepAction, Stop,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A person's answer to a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "answer")]
pub enum Answer {
    /// To a decision, cap, review or human test: one of its options, or free text where it has none.
    Choose {
        /// The option.
        choice: String,
        /// Words with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        /// Remarks.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        comments: Vec<Comment>,
    },
    /// To an approval: go on, with the proposal or an edited one (SPEC AP-4).
    Approve {
        /// Replaces the step's output.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proposal: Option<String>,
    },
    /// To an approval: do it again (SPEC AP-5).
    RequestChanges {
        /// What is to be different.
        #[serde(default)]
        feedback: String,
        /// Remarks.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        comments: Vec<Comment>,
    },
    /// To an approval: end the run (SPEC AP-6).
    Reject {
        /// Why.
        #[serde(default)]
        reason: String,
    },
}

/// Something that happened to a run. The engine decides what follows from it.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A run begins.
    Start(Arc<RunSpec>),
    /// Time has passed: whatever is due by now is due.
    Tick,
    /// Something a waiting step looks at may have changed: it may look again before its time.
    Poke,
    /// A component was called.
    Invoked {
        /// The step it was called for.
        step: usize,
        /// The record.
        invocation: Arc<Invocation>,
    },
    /// A job ended.
    JobSettled {
        /// Which.
        key: JobKey,
        /// How.
        outcome: JobOutcome,
    },
    /// An effect was performed or not.
    EffectSettled {
        /// Which.
        key: EffectKey,
        /// How.
        outcome: EffectOutcome,
    },
    /// A person answered.
    Answered {
        /// Which question.
        question: QuestionId,
        /// The answer.
        answer: Answer,
        /// Client token: the same answer with the same token again is a no-op (DEVIATIONS D-12).
        token: Option<String>,
        /// Who.
        by: String,
    },
    /// A person acts on a step that is under way.
    Act {
        /// Name of the step.
        step: String,
        /// The action.
        action: StepAction,
    },
    /// The driver gives the run up: its job was watched longer than allowed, or could not be started (SPEC FK-4, DL-1,
    /// DL-5). A run that has ended stays as it is (D-6).
    Fail {
        /// Why.
        failure: Failure,
    },
    /// Stop the run (SPEC SC-1).
    Stop {
        /// Why.
        reason: String,
        /// The class the run fails with; none: `cancelled`.
        class: Option<FailureClass>,
        /// Who.
        by: String,
    },
    /// Go on from where it failed (SPEC RT-1).
    Retry {
        /// Tip of the head branch now, if it could be read.
        head_commit: Option<String>,
        /// Who.
        by: String,
    },
    /// Go back to a step, whatever the run's state (SPEC RT-2).
    Restart {
        /// Name of the step.
        step: String,
        /// Tip of the head branch now, if it could be read.
        head_commit: Option<String>,
        /// Who.
        by: String,
        /// Other components for kinds of the run, from this restart on.
        repin: Option<Box<Repin>>,
    },
    /// Something outside concerns steps that are done or under way: a check of a forge, a reviewer, a push by somebody else.
    SendBack {
        /// Names of the steps that begin again, with all that comes after them; none: only the head moved.
        steps: Vec<String>,
        /// What the first of them is to do differently, if it is to do its work over.
        feedback: Option<String>,
        /// The head commit now, if it moved.
        head_commit: Option<String>,
        /// What it was.
        by: String,
    },
    /// The change was merged outside by somebody else.
    MergedOutside {
        /// Who.
        by: String,
    },
    /// A card for a person, raised by no step; an open one of its kind is refreshed.
    Raise(NewNotice),
    /// Other components take over kinds of the run.
    Repin(Box<Repin>),
    /// Start nothing new until resumed.
    Pause {
        /// Who.
        by: String,
        /// Whether the budget is spent.
        over_budget: bool,
    },
    /// The change was merged by a person (SPEC MR-12).
    Merged {
        /// Who.
        by: String,
    },
    /// The run's environments are to be torn down (SPEC HT-15).
    TearDown,
    /// Somebody dealt with a card.
    NoticeSettled {
        /// Which.
        id: NoticeId,
        /// How; never `Open`.
        state: NoticeState,
    },
    /// A card waited too long (SPEC NT-3).
    Escalate {
        /// Which.
        id: NoticeId,
    },
    /// What an errand beside the run left on the item.
    ItemChanged {
        /// All documents of the item.
        documents: Vec<Document>,
        /// Cards it raised.
        notices: Vec<Notice>,
    },
    /// Go on after a pause.
    Resume {
        /// Who.
        by: String,
    },
}

/// What a turn must know beside the run: what the workspace allows it to begin (SPEC SP-3), and how the components stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admission {
    /// Whether the month's budget is spent.
    pub over_budget: bool,
    /// Job kinds and roles that cost nothing, and go on all the same (SPEC SP-4).
    pub exempt: Vec<String>,
    /// The active component of each kind, for steps that take theirs when they start.
    pub active: Arc<BTreeMap<String, Pin>>,
    /// Components that must not be called.
    pub stopped: Arc<BTreeMap<Digest, Stop>>,
}

impl Admission {
    /// Whether work of this kind may begin.
    #[must_use]
    pub fn admits(&self, kind: &str) -> bool {
        !self.over_budget || self.exempt.iter().any(|exempt| exempt == kind)
    }
}
