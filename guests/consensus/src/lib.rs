//! Whether several models work on a step together, and how (SPEC section 15).
//!
//! It only decides: the drafts, critiques and votes are the executor's part, which is told in the job's input.

#![warn(missing_docs)]

use lockstep_sdk::{RunInfo, read_object};
use serde::{Deserialize, Serialize};

/// Fewer are no consensus (SPEC CS-2).
const MIN_PARTICIPANTS: usize = 2;

/// Rounds of a debate (SPEC CS-1, CS-4).
const ROUNDS: std::ops::RangeInclusive<u32> = 1..=5;

/// Roles that consensus suits, where the config names none (SPEC CS-2).
const ELIGIBLE: [&str; 4] = ["architect", "analysis", "reviewer", "task-estimator"];

/// How several models work together (SPEC CS-1).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consensus {
    enabled: bool,
    strategy: Strategy,
    participants: Vec<Participant>,
    #[serde(default)]
    synthesizer_model_id: Option<String>,
    #[serde(default)]
    rounds: Option<u32>,
    #[serde(default)]
    gating: Option<Gating>,
    /// Roles it is for.
    #[serde(default)]
    eligible: Option<Vec<String>>,
}

/// How they come to one text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Strategy {
    SpecialistPanel,
    Debate,
    RankedVoting,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Participant {
    id: String,
    role: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    system_framing: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model_id: Option<String>,
}

/// Whether the estimate of the item is worth it (SPEC TE-3, CS-1).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Gating {
    enabled: bool,
    min_complexity: Option<f64>,
    min_risk: Option<f64>,
    min_impact: Option<f64>,
    on_missing_estimate: OnMissing,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum OnMissing {
    #[default]
    Consensus,
    Standard,
}

#[derive(Deserialize)]
struct Estimate {
    complexity: f64,
    risk: f64,
    impact: f64,
}

/// What the executor is told of it.
#[derive(Clone, Debug, Serialize)]
pub struct Order<'a> {
    strategy: Strategy,
    participants: &'a [Participant],
    #[serde(skip_serializing_if = "Option::is_none")]
    synthesizer_model_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rounds: Option<u32>,
}

impl Consensus {
    /// CS-2: what to tell the executor; none where the ordinary agent does the work.
    #[must_use]
    pub fn order(&self, role: &str, run: &RunInfo) -> Option<Order<'_>> {
        let is_eligible = match &self.eligible {
            Some(roles) => roles.iter().any(|eligible| eligible == role),
            None => ELIGIBLE.contains(&role),
        };
        let agrees = self.gating.as_ref().is_none_or(|gating| gating.agrees(run));
        let is_active = self.enabled && is_eligible && self.participants.len() >= MIN_PARTICIPANTS && agrees;
        is_active.then(|| Order {
            strategy: self.strategy,
            participants: &self.participants,
            synthesizer_model_id: self.synthesizer_model_id.as_deref(),
            rounds: self.rounds.map(|rounds| rounds.clamp(*ROUNDS.start(), *ROUNDS.end())),
        })
    }
}

impl Gating {
    /// TE-3, TE-4: with an estimate, some threshold that is given must be reached; without thresholds none is.
    fn agrees(&self, run: &RunInfo) -> bool {
        if !self.enabled {
            return true;
        }
        let estimate = run.document("estimate").and_then(|text| read_object::<Estimate>(text).ok());
        let Some(Estimate { complexity, risk, impact }) = estimate else {
            return self.on_missing_estimate == OnMissing::Consensus;
        };
        let axes = [(complexity, self.min_complexity), (risk, self.min_risk), (impact, self.min_impact)];
        axes.into_iter().any(|(value, min)| min.is_some_and(|min| value >= min))
    }
}
