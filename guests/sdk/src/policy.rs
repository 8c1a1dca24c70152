use serde::Deserialize;

/// Budgets, ceilings and intervals that are the same for all steps of a run.
///
/// The host sends every field; a field this version does not know is ignored, so that a host may learn new ones.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// Ceiling of an assessment's complexity, 0 to 1 (SPEC MR-4).
    pub max_complexity: f64,
    /// Ceiling of its risk, 0 to 1.
    pub max_risk: f64,
    /// Ceiling of its impact, 0 to 1.
    pub max_impact: f64,
    /// Repairs a CI gate or a tester may ask for (SPEC CI-9, TS-4).
    pub ci_max_attempts: u32,
    /// Milliseconds between two looks of a gate.
    pub gate_interval_ms: u64,
    /// Looks of a gate before it times out (SPEC CI-11).
    pub gate_max_polls: u32,
    /// Looks in a row that may fail before a gate times out (SPEC DL-3).
    pub read_failure_tolerance: u32,
    /// Passes of a review before a person has to decide (SPEC RV-7).
    pub max_review_iterations: u32,
    /// Findings up to this severity do not hold a review back (SPEC RV-5).
    pub tolerated_severity: ToleratedSeverity,
    /// Minutes a release is watched (SPEC RH-2).
    pub release_watch_minutes: u32,
    /// Investigations of a regression (SPEC RH-8).
    pub release_max_attempts: u32,
}

/// The severity up to which findings are tolerated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToleratedSeverity {
    /// None is.
    #[default]
    None,
    /// Low ones are.
    Low,
    /// Low and medium ones are.
    Medium,
    /// All are.
    High,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_complexity: 0.5,
            max_risk: 0.4,
            max_impact: 0.5,
            ci_max_attempts: 10,
            gate_interval_ms: 30_000,
            gate_max_polls: 120,
            read_failure_tolerance: 6,
            max_review_iterations: 6,
            tolerated_severity: ToleratedSeverity::None,
            release_watch_minutes: 30,
            release_max_attempts: 1,
        }
    }
}
