use super::PresetId;
use crate::ToleratedSeverity;
use serde::{Deserialize, Serialize};

/// Ceilings and budgets under a name (SPEC section 9).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Preset {
    /// Its id.
    pub id: PresetId,
    /// 1 to 60 characters.
    pub name: String,
    /// Whether it holds for items that chose none; exactly one does (SPEC MP-3).
    #[serde(default)]
    pub is_default: bool,
    /// Ceiling of an assessment's complexity, 0 to 1.
    pub max_complexity: f64,
    /// Ceiling of its risk.
    pub max_risk: f64,
    /// Ceiling of its impact.
    pub max_impact: f64,
    /// Repairs a CI gate or a tester may ask for, 0 to 50.
    pub ci_max_attempts: u32,
    /// Reviews before a person decides, 1 to 20.
    pub max_review_iterations: u32,
    /// The worst finding that may stay open.
    pub tolerated_severity: ToleratedSeverity,
    /// Minutes a release is watched, 1 to 720.
    pub release_watch_minutes: u32,
    /// Investigations of a regression, 0 to 10.
    pub release_max_attempts: u32,
}

/// What a person sets on a preset.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct PresetPatch {
    /// See [`Preset::name`].
    pub name: Option<String>,
    /// True takes the place of the default one.
    pub is_default: Option<bool>,
    /// See [`Preset::max_complexity`].
    pub max_complexity: Option<f64>,
    /// See [`Preset::max_risk`].
    pub max_risk: Option<f64>,
    /// See [`Preset::max_impact`].
    pub max_impact: Option<f64>,
    /// See [`Preset::ci_max_attempts`].
    pub ci_max_attempts: Option<u32>,
    /// See [`Preset::max_review_iterations`].
    pub max_review_iterations: Option<u32>,
    /// See [`Preset::tolerated_severity`].
    pub tolerated_severity: Option<ToleratedSeverity>,
    /// See [`Preset::release_watch_minutes`].
    pub release_watch_minutes: Option<u32>,
    /// See [`Preset::release_max_attempts`].
    pub release_max_attempts: Option<u32>,
}
