use crate::JsonText;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A named, versioned list of steps with what they need to run: the content of a pipeline file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Pipeline {
    /// Name, 1 to 120 characters (SPEC PL-6).
    pub name: String,
    /// Version for people.
    #[serde(default)]
    pub version: String,
    /// Branch that receives changes; none: the repository's default branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// Budgets, ceilings and intervals for all steps.
    #[serde(default)]
    pub policy: Policy,
    /// When the components of its steps are chosen.
    #[serde(default, skip_serializing_if = "Pinning::is_run")]
    pub pin: Pinning,
    /// Commands of local checks, by name.
    #[serde(default)]
    pub checks: BTreeMap<String, CheckCommand>,
    /// Commands of jobs, by kind.
    #[serde(default)]
    pub jobs: BTreeMap<String, JobCommand>,
    /// Commands of effects, by the names in `Effect::COMMANDS`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub effects: BTreeMap<String, ProviderCommand>,
    /// Commands that answer observations, by the names in `ObservationRequest::COMMANDS`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub observations: BTreeMap<String, ProviderCommand>,
    /// The steps in order; disabled ones are already left out.
    pub steps: Vec<StepDef>,
}

/// When the component of a step is chosen: it is the one that its kind's pointer names then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Pinning {
    /// When the run starts.
    #[default]
    Run,
    /// When the step starts without a state: for the first time, or after a retry or restart cleared it.
    Step,
}

impl Pinning {
    /// Whether it is the default.
    #[must_use]
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
    pub fn is_run(&self) -> bool {
        *self == Self::Run
    }
}

impl Pipeline {
    /// Names of the credentials its jobs need, which its runs lease before they start (SPEC PC-5).
    #[must_use]
    pub fn credentials(&self) -> Vec<String> {
        credentials_of(&self.jobs)
    }
}

/// Names of the credentials that jobs need, sorted.
#[must_use]
pub fn credentials_of(jobs: &BTreeMap<String, JobCommand>) -> Vec<String> {
    let names: BTreeSet<&String> = jobs.values().flat_map(|job| &job.credentials).collect();
    names.into_iter().cloned().collect()
}

/// One step of a pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StepDef {
    /// Name, unique in the pipeline.
    pub name: String,
    /// Step kind, which names the component.
    pub kind: String,
    /// What other steps and jobs call this step.
    pub role: String,
    /// Positions of the steps it comes after, all smaller than its own.
    pub needs: Vec<usize>,
    /// Whether a person must consent before the run goes on (SPEC AP-8).
    #[serde(default)]
    pub approval: bool,
    /// Whether it runs at all, by the estimate of the item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gating: Option<Gating>,
    /// Configuration for the component.
    pub config: JsonText,
}

/// Whether a step runs, by the estimate of the item (SPEC TE-3).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Gating {
    /// False: the step always runs.
    pub enabled: bool,
    /// It runs from this complexity on, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_complexity: Option<f64>,
    /// It runs from this risk on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_risk: Option<f64>,
    /// It runs from this impact on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_impact: Option<f64>,
    /// What to do while there is no estimate.
    pub on_missing_estimate: OnMissingEstimate,
}

/// What a gated step does without an estimate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum OnMissingEstimate {
    /// It runs.
    #[default]
    Run,
    /// It is skipped.
    Skip,
}

/// The highest severity of findings that a review lets pass (SPEC RV-5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ToleratedSeverity {
    /// Every finding is to be answered.
    #[default]
    None,
    /// Low ones pass.
    Low,
    /// Medium ones too.
    Medium,
    /// All pass.
    High,
}

/// A program with its arguments; never a shell line.
pub type Command = Vec<String>;

/// A local check: a command that is run in a worktree at the head commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CheckCommand {
    /// Exit status 0 is success, 77 is skipped, all else failure.
    pub command: Command,
    /// Seconds until it is ended and counts as failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_limit_s: Option<u64>,
    /// Added to its environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
}

/// What carries out a job kind: a command of this machine, whoever works for a pool, or a model. Exactly one of `command`,
/// `worker` and `model` is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct JobCommand {
    /// Run in a worktree of the head branch, with the context in `LOCKSTEP_CONTEXT` and its result in `LOCKSTEP_RESULT`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Command,
    /// The pool whose workers lease it over HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// What a worker must be able to do to be given it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// The model of the host's configuration that answers it. It changes no file, whatever its step may do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What the model is told before the context.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
    /// JSON schema of the report the model is to answer with; none: it answers with text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<serde_json::Value>,
    /// Whether the model is shown how the files of the change differ from the base, as far as there is room.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub diff: bool,
    /// Seconds until it is ended and counts as failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_limit_s: Option<u64>,
    /// Added to its environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Names of variables of the host's environment that are passed on: a key a coding agent needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pass_env: Vec<String>,
    /// Names of credentials of the run's initiator that it needs. It finds `github-token` in the variable `GITHUB_TOKEN`
    /// (SPEC PC-5).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<String>,
    /// Whether it costs nothing by the token, because a subscription pays for it: it goes on when the budget is spent
    /// (SPEC SP-4).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub flat_rate: bool,
}

/// The command that performs an effect or answers an observation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ProviderCommand {
    /// Run in the repository as the operator checked it out, with its request as JSON on its standard input and in the
    /// file `LOCKSTEP_REQUEST`. It answers with JSON on its standard output. Exit status 0 is done, 75 is failed for now,
    /// all else failed; the answer `{"refused": "why"}` says that doing the same again would not help.
    pub command: Command,
    /// Seconds until it is ended and counts as failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_limit_s: Option<u64>,
    /// Added to its environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Names of variables of the host's environment that are passed on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pass_env: Vec<String>,
}

/// Budgets, ceilings and intervals of a run (SPEC section 9; intervals SPEC section 30).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Ceiling of an assessment's complexity, 0 to 1 (SPEC MR-4).
    pub max_complexity: f64,
    /// Ceiling of its risk.
    pub max_risk: f64,
    /// Ceiling of its impact.
    pub max_impact: f64,
    /// Repairs a CI gate or a tester may ask for, 0 to 50 (SPEC CI-9, TS-4).
    pub ci_max_attempts: u32,
    /// Reviews of one document before a person decides, 1 to 20 (SPEC RV-5).
    pub max_review_iterations: u32,
    /// Findings up to this severity do not hold the run.
    pub tolerated_severity: ToleratedSeverity,
    /// Minutes a release is watched (SPEC RH-2).
    pub release_watch_minutes: u32,
    /// Investigations of a regression, 0 to 10 (SPEC RH-8).
    pub release_max_attempts: u32,
    /// Milliseconds between two looks of a gate.
    pub gate_interval_ms: u64,
    /// Looks of a gate before it times out (SPEC CI-11).
    pub gate_max_polls: u32,
    /// Looks in a row that may fail before the gate times out (SPEC DL-3).
    pub read_failure_tolerance: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_complexity: 0.5,
            max_risk: 0.4,
            max_impact: 0.5,
            ci_max_attempts: 10,
            max_review_iterations: 6,
            tolerated_severity: ToleratedSeverity::None,
            release_watch_minutes: 30,
            release_max_attempts: 1,
            gate_interval_ms: 30_000,
            gate_max_polls: 120,
            read_failure_tolerance: 6,
        }
    }
}
