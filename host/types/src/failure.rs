use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a run failed, in one word (SPEC FK-1, DEVIATIONS D-8, D-14; the faults of a component are ours).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum FailureClass {
    /// An error in the work itself.
    Agent,
    /// A job reported failure.
    JobFailed,
    /// A job was evicted more often than its budget allows (SPEC EV-3).
    Evicted,
    /// A poll budget was spent.
    Timeout,
    /// A gate or the tester spent its budget of repairs (D-14).
    GateExhausted,
    /// A human rejected the proposal.
    Rejected,
    /// A grader's reply stayed unusable (SPEC CO-7).
    CompanionRejected,
    /// A reviewer's reply stayed unusable (D-8).
    ReviewRejected,
    /// Stopped by a person.
    Cancelled,
    /// The component trapped.
    Trapped,
    /// The component used up its fuel.
    OutOfFuel,
    /// The component asked for more memory or tables than it may have.
    OutOfMemory,
    /// The component's stack overflowed.
    StackOverflow,
    /// The component returned what makes no sense.
    BadOutput,
    /// The component returned or logged more than it may.
    TooMuchOutput,
    /// The component asked the host more often, or for more, than it may.
    TooManyHostCalls,
    /// The component could not be loaded or linked.
    Unloadable,
    /// Anything else.
    Unknown,
}

impl FailureClass {
    /// The word used in journals, the API and the terminal.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::JobFailed => "job-failed",
            Self::Evicted => "evicted",
            Self::Timeout => "timeout",
            Self::GateExhausted => "gate-exhausted",
            Self::Rejected => "rejected",
            Self::CompanionRejected => "companion-rejected",
            Self::ReviewRejected => "review-rejected",
            Self::Cancelled => "cancelled",
            Self::Trapped => "trapped",
            Self::OutOfFuel => "out-of-fuel",
            Self::OutOfMemory => "out-of-memory",
            Self::StackOverflow => "stack-overflow",
            Self::BadOutput => "bad-output",
            Self::TooMuchOutput => "too-much-output",
            Self::TooManyHostCalls => "too-many-host-calls",
            Self::Unloadable => "unloadable",
            Self::Unknown => "unknown",
        }
    }

    /// What a person can do about it (SPEC section 17).
    #[must_use]
    pub fn hint(self) -> &'static str {
        match self {
            Self::Agent | Self::Unknown => "review the run, then retry it",
            Self::JobFailed => "read the job's log with `lockstep step show`, then retry with a fresh job",
            Self::Evicted => {
                "often a restart of the machine; if it repeats, give the job more memory; then retry"
            }
            Self::Timeout => "it took too long; see what it waited for with `lockstep why`, then retry",
            Self::GateExhausted => {
                "the automatic repairs were not enough; repair the change by hand, then retry"
            }
            Self::Rejected => "a retry runs the rejected step again",
            Self::CompanionRejected | Self::ReviewRejected => {
                "the grader's reply could not be read; inspect the raw reply in the step's output, then retry"
            }
            Self::Cancelled => "a retry starts again at the step that was stopped",
            Self::Trapped | Self::OutOfFuel | Self::OutOfMemory | Self::StackOverflow => {
                "the step component is at fault; activate another version of it, then retry"
            }
            Self::BadOutput | Self::TooMuchOutput | Self::TooManyHostCalls => {
                "the step component is at fault; activate another version of it, then retry"
            }
            Self::Unloadable => "add the component again or activate another version, then retry",
        }
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Why a run failed (SPEC FK-2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Failure {
    /// The class.
    pub class: FailureClass,
    /// One line.
    pub message: String,
    /// More, for those who look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Failure {
    /// A failure without detail.
    #[must_use]
    pub fn new(class: FailureClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), detail: None }
    }
}
