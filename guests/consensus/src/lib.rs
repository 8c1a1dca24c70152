//! Whether several models work on a step together, and how (SPEC section 15).
//!
//! It only decides: the drafts, critiques and votes are the executor's part, which is told in the job's input. The
//! settings are read as they stand; their shape is the schema's part, and the host checks it before a run starts.

#![warn(missing_docs)]

use lockstep_sdk::RunInfo;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Fewer are no consensus (SPEC CS-2).
const MIN_PARTICIPANTS: usize = 2;

/// Roles that consensus suits, where the config names none (SPEC CS-2).
const ELIGIBLE: [&str; 4] = ["architect", "analysis", "reviewer", "task-estimator"];

/// Settings that decide whether, and so are no part of how.
const WHETHER: [&str; 3] = ["enabled", "gating", "eligible"];

/// How several models work together (SPEC CS-1).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct Consensus {
    settings: Map<String, Value>,
}

impl Consensus {
    /// CS-2: what to tell the executor; none where the ordinary agent does the work.
    #[must_use]
    pub fn order(&self, role: &str, run: &RunInfo) -> Option<Value> {
        let is_eligible = match self.settings.get("eligible").and_then(Value::as_array) {
            Some(roles) => roles.iter().any(|eligible| eligible == role),
            None => ELIGIBLE.contains(&role),
        };
        let participants = self.settings.get("participants").and_then(Value::as_array).map_or(0, Vec::len);
        let is_active = self.settings.get("enabled") == Some(&Value::Bool(true))
            && is_eligible
            && participants >= MIN_PARTICIPANTS
            && self.settings.get("gating").is_none_or(|gating| is_worth_it(gating, run));
        let how = self.settings.iter().filter(|(name, _)| !WHETHER.contains(&name.as_str()));
        is_active.then(|| Value::Object(how.map(|(name, value)| (name.clone(), value.clone())).collect()))
    }
}

/// TE-3, TE-4: with an estimate, some threshold that is given must be reached; without thresholds none is.
fn is_worth_it(gating: &Value, run: &RunInfo) -> bool {
    if gating["enabled"] != true {
        return true;
    }
    let estimate = run.document("estimate").and_then(|text| serde_json::from_str::<Value>(text).ok());
    let Some(estimate) = estimate.filter(Value::is_object) else {
        return gating["on_missing_estimate"] != "standard";
    };
    let axes = [("complexity", "min_complexity"), ("risk", "min_risk"), ("impact", "min_impact")];
    axes.into_iter().any(|(axis, min)| match (estimate[axis].as_f64(), gating[min].as_f64()) {
        (Some(value), Some(min)) => value >= min,
        _ => false,
    })
}
