//! What another component would have made of the calls that are recorded.

use crate::ServiceError;
use async_trait::async_trait;
use lockstep_types::{Digest, FailureClass, RunId, Timestamp};
use serde::{Deserialize, Serialize};

/// The component that is tried.
#[derive(Clone, PartialEq, Eq)]
pub enum BacktestCandidate {
    /// Its bytes; they are not kept.
    Bytes(Vec<u8>),
    /// Digest of a stored component, or an unambiguous beginning of it.
    Digest(String),
}

/// Asks what a component would make of recorded calls.
#[derive(Clone, PartialEq, Eq)]
pub struct BacktestRequest {
    /// The step kind whose calls are made again.
    pub kind: String,
    /// The component.
    pub candidate: BacktestCandidate,
    /// Only the last so many calls; none: a bound of the host.
    pub last: Option<usize>,
    /// Only calls since then.
    pub since: Option<Timestamp>,
    /// Only calls of these runs; none named: of all runs, the newest first.
    pub runs: Vec<RunId>,
    /// Only calls that this component made.
    pub made_by: Option<Digest>,
    /// How many calls the report tells of one by one; the host has a bound of its own.
    pub shown: usize,
    /// Whether it also tells of those that came out the same.
    pub with_identical: bool,
}

impl BacktestRequest {
    /// Calls told of one by one if nothing else is asked for.
    pub const SHOWN: usize = 200;

    /// Asks about the last calls of a kind.
    #[must_use]
    pub fn new(kind: impl Into<String>, candidate: BacktestCandidate) -> Self {
        Self {
            kind: kind.into(),
            candidate,
            last: None,
            since: None,
            runs: Vec::new(),
            made_by: None,
            shown: Self::SHOWN,
            with_identical: false,
        }
    }
}

/// How far a backtest has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BacktestProgress {
    /// Calls made.
    pub done: u64,
    /// Calls in all, once that is known.
    pub of: Option<u64>,
    /// Of those made, how many did not come out the same.
    pub different: u64,
}

/// A field of a transition that came out differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FieldDifference {
    /// Its path: `next.wait.ms`, `facts[estimate]`.
    pub field: String,
    /// As recorded; none: it was not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<String>,
    /// As the candidate has it; none: it is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<String>,
}

/// How one call came out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum BacktestOutcome {
    /// The same transition, or the same fault.
    Identical,
    /// Another transition.
    Changed {
        /// Field by field.
        differences: Vec<FieldDifference>,
    },
    /// The candidate asked what is not recorded; what it would have answered is not known.
    Unrecorded {
        /// What it asked.
        asked: Vec<String>,
    },
    /// The candidate gave no transition.
    Fault {
        /// The class of the fault.
        class: FailureClass,
        /// One line.
        message: String,
    },
    /// The recorded state has another version than the candidate's, which could not take it over.
    OtherState {
        /// Version of the recorded state.
        recorded: u32,
        /// The candidate's.
        candidate: u32,
        /// Why it was not taken over.
        message: String,
    },
}

/// One recorded call and what the candidate made of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BacktestCase {
    /// The run.
    pub run: RunId,
    /// Number of the call within the run, from 1.
    pub number: u32,
    /// Name of the step.
    pub step: String,
    /// When the call was made.
    pub at: Timestamp,
    /// The component that made it.
    pub made_by: Digest,
    /// What came of it then, on one line.
    pub recorded: String,
    /// What comes of it with the candidate, on one line.
    pub candidate: String,
    /// Fuel used then.
    pub recorded_fuel: u64,
    /// Fuel the candidate used.
    pub candidate_fuel: u64,
    /// How the two compare.
    #[serde(flatten)]
    pub outcome: BacktestOutcome,
}

/// How many calls came out how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BacktestCounts {
    /// The same.
    pub identical: u64,
    /// Another transition.
    pub changed: u64,
    /// Of those, with which the run goes on otherwise; the others differ in words, state or what is left for later steps.
    pub decided: u64,
    /// Something was asked that is not recorded.
    pub unrecorded: u64,
    /// No transition.
    pub faults: u64,
    /// A state that could not be taken over.
    pub other_state: u64,
}

impl BacktestCounts {
    /// All calls.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.identical + self.different()
    }

    /// Those that did not come out the same.
    #[must_use]
    pub fn different(&self) -> u64 {
        self.changed + self.unrecorded + self.faults + self.other_state
    }
}

/// Fuel of the calls that both components carried out under the same engine configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BacktestFuel {
    /// How many calls these are.
    pub calls: u64,
    /// What they used as recorded.
    pub recorded: u64,
    /// What they use with the candidate.
    pub candidate: u64,
    /// Calls that use more.
    pub up: u64,
    /// Calls that use less.
    pub down: u64,
    /// Most that a single call grew, in percent; 0 if none grew.
    pub worst_growth_percent: u64,
}

impl BacktestFuel {
    /// Growth of the fuel of all these calls together in percent, negative if it shrank; none if there is nothing to
    /// compare.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "a percentage for people")]
    pub fn growth_percent(&self) -> Option<f64> {
        let (recorded, candidate) = (self.recorded as f64, self.candidate as f64);
        (self.recorded > 0).then(|| (candidate - recorded) / recorded * 100.0)
    }
}

/// What a backtest showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BacktestReport {
    /// The step kind.
    pub kind: String,
    /// Digest of the candidate.
    pub candidate: Digest,
    /// Its version for people.
    pub version: String,
    /// Runs whose calls were made again.
    pub runs: u64,
    /// Runs that were looked at and whose journal could not be read.
    pub unreadable_runs: u64,
    /// How the calls came out.
    pub counts: BacktestCounts,
    /// What they cost.
    pub fuel: BacktestFuel,
    /// Calls that came out differently, and the others where asked for: those that decide otherwise before those that
    /// differ in words, the newest first; not all of them if there are more than were asked for.
    pub cases: Vec<BacktestCase>,
    /// Whether a bound ended it before every recorded call was made again that was asked for.
    pub is_cut: bool,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

impl BacktestReport {
    /// How it came out, in a phrase: `40 calls, 2 differently, fuel +1.2 %`.
    #[must_use]
    pub fn in_words(&self) -> String {
        let (all, different) = (self.counts.all(), self.counts.different());
        let same = match different {
            0 => "all the same".to_owned(),
            different => format!("{different} differently"),
        };
        let fuel =
            self.fuel.growth_percent().map_or_else(String::new, |growth| format!(", fuel {growth:+.1} %"));
        format!("{all} recorded call{}, {same}{fuel}", if all == 1 { "" } else { "s" })
    }
}

/// One line of a backtest that is told as it goes on: progress now and then, and how it ended last.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum BacktestLine {
    /// How far it has come.
    Progress(BacktestProgress),
    /// What it showed.
    Report(Box<BacktestReport>),
    /// Why it showed nothing.
    Error(ServiceError),
}

/// Makes recorded calls again with another component.
#[async_trait]
pub trait BacktestService: Send + Sync {
    /// Makes the calls again that are asked for, and compares. Nothing is stored, and no run notices. `progress` is
    /// called now and then, from one task.
    ///
    /// # Errors
    /// `Invalid` or `NotFound` if there is no such component, or it implements another kind; others if the journal
    /// cannot be read.
    async fn backtest(
        &self,
        request: BacktestRequest,
        progress: &(dyn Fn(BacktestProgress) + Send + Sync),
    ) -> Result<BacktestReport, ServiceError>;

    /// The verdicts of a component that some runs got, as recorded, beside those of another one: every call that
    /// `canary` made for `kind` in `runs`, with what `active` makes of it as `candidate` of the report.
    ///
    /// # Errors
    /// As `backtest`.
    async fn side_by_side(
        &self,
        kind: &str,
        runs: Vec<RunId>,
        canary: Digest,
        active: Digest,
    ) -> Result<BacktestReport, ServiceError> {
        let mut request = BacktestRequest::new(kind, BacktestCandidate::Digest(active.to_string()));
        (request.runs, request.made_by, request.with_identical) = (runs, Some(canary), true);
        self.backtest(request, &|_| ()).await
    }
}
