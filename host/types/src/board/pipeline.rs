use super::{PipelineId, yes};
use crate::{Gating, JsonText, Pinning, Timestamp};
use serde::{Deserialize, Serialize};

/// One step of a stored pipeline, with all its settings: no list runs beside the steps that could get out of step
/// with them (DEVIATIONS D-25).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PipelineStep {
    /// Unique in the pipeline.
    pub name: String,
    /// Step kind, which names the component.
    pub kind: String,
    /// What other steps call it; by default its kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Names of earlier steps it comes after; none: the one before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<Vec<String>>,
    /// Whether a person must consent before the run goes on.
    #[serde(default)]
    pub approval: bool,
    /// False leaves it out of runs.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Whether it runs at all, by the estimate of the item (SPEC TE-3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gating: Option<Gating>,
    /// Configuration for its component.
    #[serde(default)]
    pub config: JsonText,
}

impl PipelineStep {
    /// What other steps call it.
    #[must_use]
    pub fn role(&self) -> &str {
        self.role.as_deref().unwrap_or(&self.kind)
    }
}

/// A pipeline of a workspace (SPEC section 23).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PipelineDef {
    /// Its id.
    pub id: PipelineId,
    /// 1 to 120 characters.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// Words to find it by.
    #[serde(default)]
    pub labels: Vec<String>,
    /// Whether lists leave it out; it can still run.
    #[serde(default)]
    pub archived: bool,
    /// Whether it came with the host: it can be cloned and organised, not changed (SPEC PL-5).
    #[serde(default)]
    pub builtin: bool,
    /// When the components of its steps are chosen.
    #[serde(default, skip_serializing_if = "Pinning::is_run")]
    pub pin: Pinning,
    /// Its steps in order, at least one.
    pub steps: Vec<PipelineStep>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What a person sets on a pipeline.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct PipelinePatch {
    /// See [`PipelineDef::name`].
    pub name: Option<String>,
    /// See [`PipelineDef::description`].
    pub description: Option<String>,
    /// All of them.
    pub labels: Option<Vec<String>>,
    /// See [`PipelineDef::archived`].
    pub archived: Option<bool>,
    /// See [`PipelineDef::pin`].
    pub pin: Option<Pinning>,
    /// All of them, each with all its settings.
    pub steps: Option<Vec<PipelineStep>>,
}
