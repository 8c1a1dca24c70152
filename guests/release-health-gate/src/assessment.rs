use lockstep_sdk::read_object;
use lockstep_sdk::text::score;
use serde::Deserialize;

/// Pieces of evidence shown.
const MAX_SHOWN: usize = 20;

/// What an on-call says of a regression (SPEC RH-10).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Assessment {
    #[serde(alias = "culprit_confidence")]
    culprit_confidence: f64,
    recommendation: Recommendation,
    rationale: String,
    #[serde(default)]
    evidence: Vec<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Recommendation {
    Revert,
    Hold,
    Monitor,
}

impl Assessment {
    /// RH-10: one that cannot be read, or is out of range, counts as none.
    pub(crate) fn read(report: Option<&str>) -> Option<Self> {
        let assessment: Self = read_object(report?).ok()?;
        (0.0..=1.0).contains(&assessment.culprit_confidence).then_some(assessment)
    }

    /// For people: `the on-call recommends to revert (0.9 sure that the change is to blame): …`
    pub(crate) fn rendered(&self) -> String {
        let recommended = match self.recommendation {
            Recommendation::Revert => "to revert",
            Recommendation::Hold => "to hold",
            Recommendation::Monitor => "to go on watching",
        };
        let sure = score(self.culprit_confidence);
        let mut text = format!(
            "the on-call recommends {recommended} ({sure} sure that the change is to blame): {}",
            self.rationale.trim()
        );
        for piece in self.evidence.iter().take(MAX_SHOWN) {
            text.push_str(&format!("\n- {piece}"));
        }
        text
    }
}
