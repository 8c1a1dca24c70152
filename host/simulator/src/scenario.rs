//! The scenario file (FORMAT.md section 1).

use crate::SimulationError;
use lockstep_types::board::TestEnvironment;
use lockstep_types::{Gating, OnMissingEstimate, PullRequest};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Bytes of a scenario: hundreds of steps and replies, and a bound on what is read into memory.
const SCENARIO_BYTES_MAX: usize = 8 << 20;

/// One scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scenario {
    /// Its name.
    #[serde(default = "unnamed")]
    pub name: String,
    /// The part it is about.
    #[serde(default)]
    pub component: String,
    /// For readers.
    #[serde(default)]
    pub about: String,
    /// Version of the reference system; before 0.15.0 `human-test` is an ordinary kind.
    #[serde(default = "default_engine")]
    pub engine: String,
    /// The board; empty: the board of FORMAT.md section 1.2.
    #[serde(default)]
    pub(crate) blocks: Vec<BlockDef>,
    /// Pipelines; `start` takes the first.
    #[serde(default)]
    pub(crate) pipelines: Vec<ScenarioPipeline>,
    pub(crate) preset: Option<ScenarioPreset>,
    #[serde(default)]
    pub(crate) presets: Vec<ScenarioPreset>,
    #[serde(default)]
    pub(crate) config: Config,
    #[serde(default)]
    pub(crate) wiring: Wiring,
    #[serde(default)]
    pub(crate) async_kinds: Vec<String>,
    pub(crate) quota_kinds: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) agents: BTreeMap<String, Vec<Value>>,
    #[serde(default)]
    pub(crate) providers: Providers,
    #[serde(default)]
    pub(crate) seed_reviews: Vec<SeedReview>,
    /// What is done, in order.
    #[serde(default)]
    pub(crate) script: Vec<Action>,
    // What follows is only seen in the full trace of the reference system.
    #[serde(rename = "previewModels")]
    _preview_models: Option<Value>,
    #[serde(rename = "documents")]
    _documents: Option<Value>,
    #[serde(rename = "markers")]
    _markers: Option<Value>,
    #[serde(rename = "stopJobThrows")]
    _stop_job_throws: Option<bool>,
    #[serde(rename = "traceUpserts")]
    _trace_upserts: Option<bool>,
}

fn unnamed() -> String {
    "scenario".to_owned()
}

fn default_engine() -> String {
    "0.6.0".to_owned()
}

/// A block of the board: an item of work.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct BlockDef {
    pub(crate) id: String,
    pub(crate) title: Option<String>,
    pub(crate) level: Level,
    pub(crate) parent_id: Option<String>,
    pub(crate) status: Option<String>,
    pub(crate) description: String,
    #[serde(rename = "type")]
    pub(crate) service_type: Option<String>,
    pub(crate) depends_on: Vec<String>,
    pub(crate) task_type: Option<String>,
    pub(crate) merge_preset_id: Option<String>,
    pub(crate) module_name: Option<String>,
    pub(crate) estimate: Option<Value>,
    pub(crate) pull_request: Option<PullRequest>,
    pub(crate) agent_config: BTreeMap<String, Value>,
    pub(crate) test_compose_path: Option<String>,
    pub(crate) no_infra_dependencies: Option<bool>,
    pub(crate) default_test_environment: Option<TestEnvironment>,
    pub(crate) auto_start_dependents: Option<bool>,
    pub(crate) cloud_provider: Option<Value>,
    pub(crate) instance_size: Option<Value>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    Frame,
    Module,
    #[default]
    Task,
}

/// A pipeline; its lists run parallel to `agent_kinds`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ScenarioPipeline {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) agent_kinds: Vec<String>,
    #[serde(default)]
    pub(crate) gates: Vec<Option<bool>>,
    #[serde(default)]
    pub(crate) enabled: Vec<Option<bool>>,
    #[serde(default)]
    pub(crate) thresholds: Vec<Option<f64>>,
    #[serde(default)]
    pub(crate) gating: Vec<Option<ScenarioGating>>,
    /// Settings of the step's component, a table each; an extension of the format.
    #[serde(default)]
    pub(crate) configs: Vec<Option<serde_json::Map<String, Value>>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ScenarioGating {
    #[serde(default)]
    enabled: bool,
    min_complexity: Option<f64>,
    min_risk: Option<f64>,
    min_impact: Option<f64>,
    #[serde(default)]
    on_missing_estimate: OnMissingEstimate,
}

impl From<ScenarioGating> for Gating {
    fn from(gating: ScenarioGating) -> Self {
        let ScenarioGating { enabled, min_complexity, min_risk, min_impact, on_missing_estimate } = gating;
        Self { enabled, min_complexity, min_risk, min_impact, on_missing_estimate }
    }
}

impl From<Gating> for ScenarioGating {
    fn from(gating: Gating) -> Self {
        let Gating { enabled, min_complexity, min_risk, min_impact, on_missing_estimate } = gating;
        Self { enabled, min_complexity, min_risk, min_impact, on_missing_estimate }
    }
}

/// A merge preset; absent fields as in FORMAT.md section 1.4.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct ScenarioPreset {
    pub(crate) id: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) is_default: Option<bool>,
    pub(crate) max_complexity: Option<f64>,
    pub(crate) max_risk: Option<f64>,
    pub(crate) max_impact: Option<f64>,
    pub(crate) ci_max_attempts: Option<u32>,
    pub(crate) max_requirement_iterations: Option<u32>,
    pub(crate) max_requirement_concern_allowed: Option<lockstep_types::ToleratedSeverity>,
    pub(crate) release_watch_window_minutes: Option<u32>,
    pub(crate) release_max_attempts: Option<u32>,
}

/// Numbers of the simulation.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) clock_start: Option<u64>,
    pub(crate) max_calls: Option<u32>,
    pub(crate) local_test_infra_supported: Option<bool>,
    pub(crate) settings: Option<SettingsPatch>,
    pub(crate) pricing: Option<ScenarioPricing>,
    pub(crate) drive: Drive,
}

/// Settings of the workspace; what is left out stays as it is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct SettingsPatch {
    pub(crate) task_limit_mode: Option<LimitMode>,
    pub(crate) task_limit_shared: Option<u32>,
    pub(crate) task_limit_per_type: Option<BTreeMap<String, u32>>,
    pub(crate) waiting_escalation_minutes: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LimitMode {
    Off,
    Shared,
    PerType,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct ScenarioPricing {
    pub(crate) currency: Option<String>,
    pub(crate) monthly_limit: Option<Value>,
    pub(crate) prices: BTreeMap<String, ScenarioPrice>,
    pub(crate) default_price: Option<ScenarioPrice>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ScenarioPrice {
    pub(crate) input_per_million: f64,
    pub(crate) output_per_million: f64,
}

/// Intervals and budgets of `drive` (FORMAT.md section 1.7).
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct Drive {
    pub(crate) job_poll_interval_ms: u64,
    pub(crate) job_max_polls: u32,
    pub(crate) job_poll_failure_tolerance: u32,
    pub(crate) ci_poll_interval_ms: u64,
    pub(crate) ci_max_polls: u32,
}

impl Default for Drive {
    fn default() -> Self {
        Self {
            job_poll_interval_ms: 15_000,
            job_max_polls: 280,
            job_poll_failure_tolerance: 6,
            ci_poll_interval_ms: 30_000,
            ci_max_polls: 120,
        }
    }
}

/// Which collaborators exist; absent ones follow FORMAT.md section 1.4.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct Wiring {
    pub(crate) ci: Option<bool>,
    pub(crate) mergeability: Option<bool>,
    pub(crate) release_health: Option<bool>,
    pub(crate) tracker: Option<bool>,
    pub(crate) environment: Option<bool>,
    pub(crate) environment_teardown: Option<bool>,
    pub(crate) branch_updater: Option<bool>,
    pub(crate) requirements: Option<bool>,
    pub(crate) clarity: Option<bool>,
    pub(crate) notifications: Option<bool>,
    pub(crate) merger: Option<bool>,
    pub(crate) settings: Option<bool>,
    pub(crate) async_executor: Option<bool>,
    pub(crate) incident: Option<bool>,
    pub(crate) observability: Option<bool>,
    pub(crate) blueprint: Option<bool>,
    pub(crate) documents: Option<bool>,
    pub(crate) activations: Option<bool>,
    pub(crate) writeback: Option<bool>,
    pub(crate) presets: Option<bool>,
}

/// Scripted outside services (FORMAT.md section 1.5).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct Providers {
    pub(crate) ci: Option<Vec<Value>>,
    pub(crate) mergeability: Option<Vec<Value>>,
    pub(crate) release_health: Option<Vec<Value>>,
    pub(crate) evidence: Option<Vec<Value>>,
    pub(crate) merge: Option<Vec<Value>>,
    pub(crate) tracker: Option<Vec<Value>>,
    pub(crate) environment: Option<EnvironmentScript>,
    pub(crate) branch: Option<Vec<Value>>,
    pub(crate) incident: Option<Vec<Value>>,
    pub(crate) llm: Option<BTreeMap<String, Vec<Value>>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct EnvironmentScript {
    pub(crate) provision: Vec<Value>,
    pub(crate) refresh: Vec<Value>,
    pub(crate) teardown: Vec<Value>,
}

/// A review that exists at the beginning.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SeedReview {
    pub(crate) kind: String,
    pub(crate) block_id: Option<String>,
    #[serde(flatten)]
    pub(crate) row: serde_json::Map<String, Value>,
}

/// What is wrong with a text that is no scenario.
fn explained(error: &serde_json::Error) -> String {
    if error.is_data() { error.to_string() } else { format!("it is not JSON: {error}") }
}

/// One line of the script.
#[derive(Clone, Debug, Deserialize)]
pub struct Action {
    /// Its name.
    #[serde(rename = "do")]
    pub name: String,
    /// Its arguments.
    #[serde(flatten)]
    pub args: BTreeMap<String, Value>,
}

impl Action {
    /// A text argument.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.args.get(name).and_then(Value::as_str)
    }

    /// The block it is about.
    #[must_use]
    pub fn block(&self) -> &str {
        self.text("block").unwrap_or("task")
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.args.get(name) == Some(&Value::Bool(true))
    }
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// `Scenario` names the place and what is wrong there.
    pub fn read(text: &str) -> Result<Self, SimulationError> {
        if text.len() > SCENARIO_BYTES_MAX {
            let text = format!("the scenario has more than {SCENARIO_BYTES_MAX} bytes: split it");
            return Err(SimulationError::Scenario(text));
        }
        let scenario: Self =
            serde_json::from_str(text).map_err(|error| SimulationError::Scenario(explained(&error)))?;
        scenario.check()?;
        Ok(scenario)
    }

    /// Says what is wrong in a scenario that can be read, before anything of it is run.
    fn check(&self) -> Result<(), SimulationError> {
        let wrong = |text: String| Err(SimulationError::Scenario(text));
        if !["0.6.0", "0.15.0"].contains(&self.engine.as_str()) {
            return wrong(format!("engine {:?} is unknown: use \"0.6.0\" or \"0.15.0\"", self.engine));
        }
        for (at, action) in self.script.iter().enumerate() {
            crate::actions::check(at, action)?;
        }
        for pipeline in &self.pipelines {
            let kinds = pipeline.agent_kinds.len();
            let lists = [
                ("gates", pipeline.gates.len()),
                ("enabled", pipeline.enabled.len()),
                ("thresholds", pipeline.thresholds.len()),
                ("gating", pipeline.gating.len()),
                ("configs", pipeline.configs.len()),
            ];
            if let Some((list, length)) = lists.into_iter().find(|(_, length)| *length > kinds) {
                let id = &pipeline.id;
                return wrong(format!("pipeline {id}: {list} has {length} entries for {kinds} agentKinds"));
            }
        }
        for block in &self.blocks {
            let parent = block.parent_id.as_deref();
            if parent.is_some_and(|parent| !self.blocks.iter().any(|known| known.id == parent)) {
                let (id, parent) = (&block.id, parent.unwrap_or_default());
                return wrong(format!("block {id}: there is no block {parent} to be its parent"));
            }
        }
        Ok(())
    }

    /// SPEC EN-4: before 0.15.0 what an item depends on never kept it from starting.
    pub(crate) fn knows_dependencies(&self) -> bool {
        self.engine == "0.15.0"
    }

    /// The board at the beginning (FORMAT.md section 1.2).
    pub(crate) fn board(&self) -> Vec<BlockDef> {
        if !self.blocks.is_empty() {
            return self.blocks.clone();
        }
        let svc = BlockDef {
            id: "svc".to_owned(),
            level: Level::Frame,
            status: Some("ready".to_owned()),
            ..BlockDef::default()
        };
        let task = BlockDef {
            id: "task".to_owned(),
            parent_id: Some("svc".to_owned()),
            description: "do the thing".to_owned(),
            ..BlockDef::default()
        };
        vec![svc, task]
    }
}
