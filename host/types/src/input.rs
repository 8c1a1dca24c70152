use crate::{
    Comment, EffectKey, EffectOutcome, Failure, Invocation, JobKey, JobOutcome, QuestionId, RunSpec,
};
use serde::{Deserialize, Serialize};

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
    Start(Box<RunSpec>),
    /// Time has passed: whatever is due by now is due.
    Tick,
    /// Something a waiting step looks at may have changed: it may look again before its time.
    Poke,
    /// A component was called.
    Invoked {
        /// The step it was called for.
        step: usize,
        /// The record.
        invocation: Box<Invocation>,
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
    },
    /// Start nothing new until resumed.
    Pause {
        /// Who.
        by: String,
    },
    /// Go on after a pause.
    Resume {
        /// Who.
        by: String,
    },
}
