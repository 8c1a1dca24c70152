use lockstep_sdk::read_object;
use serde::{Deserialize, Serialize};

/// Bytes of a report: it is kept in the state, and more than this nobody reads.
const MAX_REPORT_BYTES: usize = 128 * 1024;

/// What a tester reports (SPEC TS-1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) greenlight: bool,
    pub(crate) summary: String,
    pub(crate) tested: Vec<String>,
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) concerns: Vec<Concern>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) environment: Option<Environment>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) name: String,
    pub(crate) status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Passed,
    Failed,
    Skipped,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Concern {
    pub(crate) title: String,
    pub(crate) detail: String,
    pub(crate) severity: Severity,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Environment {
    Local,
    Ephemeral,
}

impl Report {
    /// Reads a report as it stands: no value is converted, and what is missing is an error that names it.
    pub(crate) fn read(json: &str) -> Result<Self, String> {
        if json.len() > MAX_REPORT_BYTES {
            return Err(format!("it has {} bytes, {MAX_REPORT_BYTES} are allowed", json.len()));
        }
        read_object(json)
    }

    pub(crate) fn failed_outcomes(&self) -> impl Iterator<Item = &Outcome> {
        self.outcomes.iter().filter(|outcome| outcome.status == Status::Failed)
    }

    /// TS-5, TS-6, D-10: why it is not accepted in this round; none if it is.
    pub(crate) fn objection(&self, is_first_round: bool) -> Option<String> {
        if !self.greenlight {
            return Some("no green light".to_owned());
        }
        let failed = self.failed_outcomes().count();
        if failed > 0 {
            return Some(format!("{failed} failed"));
        }
        let weighs = |concern: &&Concern| is_first_round || concern.severity >= Severity::High;
        match self.concerns.iter().filter(weighs).count() {
            0 => None,
            1 => Some("1 concern".to_owned()),
            concerns => Some(format!("{concerns} concerns")),
        }
    }

    /// TS-9: what a fixer reads.
    pub(crate) fn for_the_fixer(&self) -> String {
        let mut text = self.summary.clone();
        if !self.concerns.is_empty() {
            text.push_str("\n\nConcerns:");
            for concern in &self.concerns {
                let Concern { title, detail, severity } = concern;
                text.push_str(&format!("\n- [{}] {title}: {detail}", severity.word()));
            }
        }
        if self.failed_outcomes().next().is_some() {
            text.push_str("\n\nFailed:");
            for outcome in self.failed_outcomes() {
                let detail = outcome.detail.as_deref().unwrap_or("no detail");
                text.push_str(&format!("\n- {}: {detail}", outcome.name));
            }
        }
        text
    }
}
