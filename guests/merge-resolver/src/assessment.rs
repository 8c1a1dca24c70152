use crate::Config;
use lockstep_sdk::text::score;
use lockstep_sdk::{Policy, read_object};
use serde::{Deserialize, Serialize};

/// What a merger says of a change (SPEC MR-1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Assessment {
    pub(crate) complexity: f64,
    pub(crate) risk: f64,
    pub(crate) impact: f64,
    pub(crate) rationale: String,
}

/// The most a change may score to be merged without a person (SPEC MR-4).
pub(crate) struct Ceilings {
    axes: [f64; 3],
}

impl Ceilings {
    pub(crate) fn of(config: &Config, policy: &Policy) -> Self {
        let axes = [
            config.max_complexity.unwrap_or(policy.max_complexity),
            config.max_risk.unwrap_or(policy.max_risk),
            config.max_impact.unwrap_or(policy.max_impact),
        ];
        Self { axes }
    }
}

impl Assessment {
    /// MR-1: numbers are numbers, from 0 to 1; nothing is converted or clamped.
    pub(crate) fn read(json: &str) -> Result<Self, String> {
        let assessment: Self = read_object(json)?;
        match assessment.axes().into_iter().find(|(_, value)| !(0.0..=1.0).contains(value)) {
            None => Ok(assessment),
            Some((axis, _)) => Err(format!("{axis} is not between 0 and 1")),
        }
    }

    fn axes(&self) -> [(&'static str, f64); 3] {
        [("complexity", self.complexity), ("risk", self.risk), ("impact", self.impact)]
    }

    /// MR-3: what stands against merging; none if nothing does. A score at its ceiling may pass.
    pub(crate) fn objection(&self, ceilings: &Ceilings) -> Option<String> {
        if self.rationale.trim().is_empty() {
            return Some("the assessment gives no rationale".to_owned());
        }
        let over: Vec<_> = self
            .axes()
            .into_iter()
            .zip(ceilings.axes)
            .filter(|((_, value), ceiling)| value > ceiling)
            .map(|((axis, value), ceiling)| format!("{axis} {} is over {}", score(value), score(ceiling)))
            .collect();
        if over.is_empty() { None } else { Some(over.join(", ")) }
    }

    /// `complexity 0.1, risk 0.2, impact 0.1`
    pub(crate) fn scores(&self) -> String {
        self.axes().map(|(axis, value)| format!("{axis} {}", score(value))).join(", ")
    }

    /// For people: the scores and why.
    pub(crate) fn rendered(&self) -> String {
        format!("Assessment: {}\n\n{}", self.scores(), self.rationale.trim())
    }
}
