//! The scenario file (FORMAT.md section 1).

use crate::RunError;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// One scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scenario {
    /// Its name, also that of its file.
    pub name: String,
    /// The part it is about.
    pub component: String,
    /// For readers.
    #[serde(default)]
    pub about: String,
    /// Reference version.
    #[serde(default = "default_engine")]
    pub engine: String,
    /// The board; empty: the board of FORMAT.md section 1.2.
    #[serde(default)]
    pub blocks: Vec<BlockDef>,
    /// Pipelines; `start` takes the first.
    pub pipelines: Vec<PipelineDef>,
    /// One merge preset.
    pub preset: Option<Preset>,
    /// Several.
    #[serde(default)]
    pub presets: Vec<Preset>,
    /// Numbers of the harness.
    #[serde(default)]
    pub config: Config,
    /// Which collaborators exist.
    #[serde(default)]
    pub wiring: Wiring,
    /// Agent kinds that run as jobs.
    #[serde(default)]
    pub async_kinds: Vec<String>,
    /// Scripted replies by agent kind.
    #[serde(default)]
    pub agents: BTreeMap<String, Vec<Value>>,
    /// Scripted outside services.
    #[serde(default)]
    pub providers: BTreeMap<String, Value>,
    /// What is done, in order.
    pub script: Vec<Action>,
    quota_kinds: Option<Value>,
    #[serde(rename = "markers")]
    _markers: Option<Value>,
}

fn default_engine() -> String {
    "0.6.0".to_owned()
}

/// A block of the board.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockDef {
    /// Its id.
    pub id: String,
    /// `frame`, `module` or `task`.
    pub level: Option<String>,
    /// Where it stands at the beginning.
    pub status: Option<String>,
    /// What is to be done.
    #[serde(default)]
    pub description: String,
    /// Title; its id without one.
    pub title: Option<String>,
    /// Preset it chose.
    pub merge_preset_id: Option<String>,
    /// Pull request it has at the beginning.
    pub pull_request: Option<lockstep_types::PullRequest>,
    /// Everything else.
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

/// A pipeline; its lists run parallel to `agent_kinds`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PipelineDef {
    /// Its id.
    pub id: String,
    /// Its name; its id without one.
    pub name: Option<String>,
    /// The kinds of its steps.
    pub agent_kinds: Vec<String>,
    /// Which want a person's consent.
    #[serde(default)]
    pub gates: Vec<bool>,
    /// Which are enabled.
    #[serde(default)]
    pub enabled: Vec<bool>,
    /// Thresholds of graders.
    #[serde(default)]
    pub thresholds: Vec<Option<f64>>,
    /// Gating by estimate.
    #[serde(default)]
    gating: Vec<Option<Value>>,
}

/// A merge preset with the defaults of FORMAT.md section 1.4.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Preset {
    /// Its id.
    pub id: Option<String>,
    /// Whether it is the workspace's default.
    pub is_default: Option<bool>,
    /// Ceiling of complexity.
    pub max_complexity: f64,
    /// Ceiling of risk.
    pub max_risk: f64,
    /// Ceiling of impact.
    pub max_impact: f64,
    /// Repairs a gate or a tester may ask for.
    pub ci_max_attempts: u32,
}

impl Default for Preset {
    fn default() -> Self {
        let (max_complexity, max_risk, max_impact) = (0.5, 0.4, 0.5);
        Self { id: None, is_default: None, max_complexity, max_risk, max_impact, ci_max_attempts: 10 }
    }
}

/// Numbers of the harness.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Config {
    /// Intervals and budgets of `drive`.
    pub drive: Drive,
    settings: Option<Value>,
    pricing: Option<Value>,
}

/// Intervals and budgets of `drive` (FORMAT.md section 1.7).
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Drive {
    /// Milliseconds between two polls of a job.
    pub job_poll_interval_ms: u64,
    /// Polls of a job.
    pub job_max_polls: u32,
    /// Polls in a row that may fail.
    pub job_poll_failure_tolerance: u32,
    /// Milliseconds between two polls of a gate.
    pub ci_poll_interval_ms: u64,
    /// Polls of a gate.
    pub ci_max_polls: u32,
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
#[serde(rename_all = "camelCase", default)]
pub struct Wiring {
    /// Continuous integration.
    pub ci: Option<bool>,
    /// Mergeability.
    pub mergeability: Option<bool>,
    /// Someone who merges.
    pub merger: Option<bool>,
    /// Notices reach people.
    pub notifications: Option<bool>,
    /// Jobs can be started.
    pub async_executor: Option<bool>,
    /// Environments.
    pub environment: Option<bool>,
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
    pub fn text(&self, name: &str) -> Option<&str> {
        self.args.get(name).and_then(Value::as_str)
    }

    /// The block it is about.
    pub fn block(&self) -> &str {
        self.text("block").unwrap_or("task")
    }
}

/// Fields of blocks whose rules belong to the board, which is not built.
const BOARD_FIELDS: [&str; 6] =
    ["agentConfig", "dependsOn", "estimate", "moduleName", "noInfraDependencies", "testComposePath"];

impl Scenario {
    /// Reads a scenario file.
    ///
    /// # Errors
    /// `Broken` if it is not one.
    pub fn read(text: &str) -> Result<Self, RunError> {
        serde_json::from_str(text).map_err(|error| RunError::Broken(format!("scenario: {error}")))
    }

    /// Refuses what needs a part of the board that is not built yet, so that nothing passes by not being looked at.
    ///
    /// # Errors
    /// `Unsupported` names the first such thing.
    pub fn check_supported(&self) -> Result<(), RunError> {
        let unsupported = |what: &str| Err(RunError::Unsupported(what.to_owned()));
        if self.config.settings.is_some() {
            return unsupported("workspace settings");
        }
        if self.config.pricing.is_some() || self.quota_kinds.is_some() {
            return unsupported("spend");
        }
        for pipeline in &self.pipelines {
            if pipeline.gating.iter().any(Option::is_some) {
                return unsupported("gating by estimate");
            }
        }
        for field in self.blocks.iter().flat_map(|block| block.rest.keys()) {
            if BOARD_FIELDS.contains(&field.as_str()) {
                return unsupported(&format!("block field {field}"));
            }
        }
        Ok(())
    }

    /// The board at the beginning (FORMAT.md section 1.2).
    pub fn board(&self) -> Vec<BlockDef> {
        if !self.blocks.is_empty() {
            return self.blocks.clone();
        }
        let level = |level: &str| Some(level.to_owned());
        let svc = BlockDef {
            id: "svc".to_owned(),
            level: level("frame"),
            status: Some("ready".to_owned()),
            ..BlockDef::default()
        };
        let description = "do the thing".to_owned();
        let task =
            BlockDef { id: "task".to_owned(), level: level("task"), description, ..BlockDef::default() };
        vec![svc, task]
    }
}
