//! The machine shared by reviews of what is to be done: a model finds what is unclear, a person answers, the text
//! is rewritten and reviewed again until nothing is left (SPEC section 10).
//!
//! The review is a document of the item and outlives the run. What finds, writes and recommends are jobs: this
//! machine only keeps the record and decides what is settled.

#![warn(missing_docs)]

mod act;
mod cycle;
mod jobs;
mod recommend;
mod reply;
mod row;

pub use row::{
    Category, Finding, FindingStatus, Recommendation, RecommendationStatus, Row, Severity, Status,
};

use lockstep_sdk::{Call, Descriptor, Event, StepError, ToleratedSeverity, Transition};
use serde::{Deserialize, Serialize};

/// What is reviewed, and what everything about it is called.
#[derive(Debug)]
pub struct Gate {
    /// Step kind, and job kind of a review.
    pub kind: &'static str,
    /// Job kind of a rewrite.
    pub rework: &'static str,
    /// Job kind of a recommendation.
    pub recommendation: &'static str,
    /// Document of the item that holds the review.
    pub document: &'static str,
    /// Rank of its text among those that stand in for the description (SPEC CX-3).
    pub rank: u32,
    /// Kind of the card that says there are findings.
    pub notice: &'static str,
    /// Role whose latest output belongs to the text that is reviewed first (SPEC RV-19).
    pub investigator: Option<&'static str>,
}

/// Settings of a review; what is absent comes from the policy.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Passes before a person has to decide.
    pub max_iterations: Option<u32>,
    /// Findings up to this severity do not hold the run back.
    pub tolerated_severity: Option<ToleratedSeverity>,
    /// Told to the reviewer.
    pub instructions: Option<String>,
    /// Seconds a job may take.
    pub time_limit_s: Option<u64>,
}

/// What a review step remembers. The review itself is a document of the item.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct State {
    #[serde(skip_serializing_if = "Option::is_none")]
    work: Option<Work>,
    /// The last reply was unusable and is asked for once more (D-8).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    repairing: bool,
    /// What a person asked for and was not begun yet (SPEC RV-12, D-17).
    #[serde(skip_serializing_if = "Option::is_none")]
    pending: Option<Pending>,
    /// Ids of the findings a recommendation is made for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    requested: Vec<String>,
    /// What a person said to that.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// The job under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Work {
    FirstReview,
    ReReview,
    Rework,
    Recommendation,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Pending {
    Incorporate { feedback: Option<String> },
    ExtraRound,
}

/// What a review step says of itself.
#[must_use]
pub fn descriptor(gate: &Gate, version: &str, summary: &str) -> Descriptor {
    Descriptor::new(gate.kind, version, summary)
        .config_schema(include_str!("config.schema.json"))
        .jobs([gate.kind, gate.rework, gate.recommendation])
        .documents([gate.document])
}

/// Handles one event of a review step.
///
/// # Errors
/// An event it never asked for, or a document that is no review.
pub fn advance(
    gate: &Gate,
    call: &Call<Config>,
    state: State,
    event: Event,
) -> Result<Transition<State>, StepError> {
    match event {
        // RV-7: a fresh pass, whatever was reviewed before. Nothing is kept until its result is known.
        Event::Started(_) => Ok(cycle::first_review(gate, call)),
        Event::Acted(action) => act::acted(gate, call, state, &action),
        Event::Due if state.pending.is_some() => cycle::carry_out(gate, call, state),
        Event::JobSettled(job) if state.work.is_some() => cycle::settled(gate, call, state, job),
        Event::Due | Event::JobSettled(_) | Event::Answered(_) | Event::EffectSettled(_) => {
            Err(StepError::unexpected(&event, "a review is under way or waits for a person"))
        }
    }
}
