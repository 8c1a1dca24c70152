//! From the reference system's words to Lockstep's: agent kinds to step kinds, presets and settings to rows.

use crate::scenario::{LimitMode, ScenarioPipeline, ScenarioPreset, ScenarioPricing, SettingsPatch};
use crate::{Kinds, Scenario, SimulationError};
use lockstep_types::board::{
    Money, PipelineDef, PipelineStep, Preset, Price, Pricing, Settings, SpendLimit, TaskLimit, TaskType,
};
use lockstep_types::{Gating, JsonText, Pinning, Pipeline, Policy, StepDef, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What the graders are called.
pub(crate) const GRADERS: [&str; 3] = ["reviewer", "spec-companion", "architect-companion"];

/// The step kind that does the work of an agent kind: one of that name that the user brought, the one that stands for a
/// kind of the reference system, else an agent.
fn step_kind(scenario: &Scenario, kinds: &Kinds, agent_kind: &str) -> String {
    let environments =
        scenario.wiring.environment.unwrap_or_else(|| scenario.providers.environment.is_some());
    let standard = match agent_kind {
        "ci" => "ci-gate",
        "conflicts" => "conflicts-gate",
        "post-release-health" => "release-health-gate",
        "merger" => "merge-resolver",
        "deployer" if !environments => "agent",
        "human-test" if scenario.engine != "0.15.0" => "agent",
        grader if GRADERS.contains(&grader) => "companion-grader",
        other if kinds.0.contains_key(other) => other,
        _ => "agent",
    };
    standard.to_owned()
}

/// Name of the counter in a final trace that tells how often a step kind went round.
pub(crate) fn round_counter(step_kind: &str) -> Option<&'static str> {
    match step_kind {
        "ci-gate" | "conflicts-gate" | "release-health-gate" => Some("gateAttempts"),
        "companion-grader" => Some("companionAttempts"),
        "tester" => Some("testerAttempts"),
        "human-test" => Some("humanTestAttempts"),
        _ => None,
    }
}

/// The step kind that carries out the reviews of this name.
pub(crate) fn review_kind(review: &str) -> &'static str {
    if review == "clarity" { "clarity-review" } else { "requirements-review" }
}

/// The pipeline as the board keeps it, disabled steps included.
pub(crate) fn pipeline_def(
    scenario: &Scenario,
    kinds: &Kinds,
    pipeline: &ScenarioPipeline,
) -> Result<PipelineDef, SimulationError> {
    let mut steps = Vec::new();
    for (at, role) in pipeline.agent_kinds.iter().enumerate() {
        let kind = step_kind(scenario, kinds, role);
        let mut config = pipeline.configs.get(at).cloned().flatten().unwrap_or_default();
        let threshold = pipeline.thresholds.get(at).copied().flatten();
        if let Some(threshold) = threshold.filter(|_| kind == "companion-grader") {
            config.insert("threshold".to_owned(), json!(threshold));
        }
        if role == crate::blueprints::BLUEPRINTS && kind == "agent" {
            config.insert("leaves".to_owned(), json!("ready"));
        }
        steps.push(PipelineStep {
            name: step_name(at),
            kind,
            role: Some(role.clone()),
            needs: None,
            approval: pipeline.gates.get(at).copied().flatten().unwrap_or(false),
            enabled: pipeline.enabled.get(at).copied().flatten().unwrap_or(true),
            gating: pipeline.gating.get(at).cloned().flatten().map(Gating::from),
            config: JsonText::of(&config),
        });
    }
    Ok(PipelineDef {
        id: id(&pipeline.id)?,
        name: pipeline.name.clone().unwrap_or_else(|| pipeline.id.clone()),
        description: String::new(),
        labels: Vec::new(),
        archived: false,
        builtin: false,
        pin: Pinning::Run,
        steps,
        created_at: Timestamp(0),
        updated_at: Timestamp(0),
    })
}

/// The pipeline of a run: enabled steps only, each after the one before it.
pub(crate) fn pipeline(def: &PipelineDef, policy: Policy) -> Pipeline {
    let enabled = def.steps.iter().filter(|step| step.enabled);
    let steps = enabled.enumerate().map(|(ix, step)| StepDef {
        name: step_name(ix),
        kind: step.kind.clone(),
        role: step.role().to_owned(),
        needs: ix.checked_sub(1).into_iter().collect(),
        approval: step.approval,
        gating: step.gating.clone(),
        config: step.config.clone(),
    });
    Pipeline {
        name: def.name.clone(),
        version: String::new(),
        base: None,
        policy,
        pin: Pinning::Run,
        checks: BTreeMap::new(),
        jobs: BTreeMap::new(),
        effects: BTreeMap::new(),
        observations: BTreeMap::new(),
        steps: steps.collect(),
    }
}

/// The steps of a run as the board's rules look at them (DEVIATIONS reading 2).
pub(crate) fn board_steps(pipeline: &Pipeline) -> Vec<PipelineStep> {
    let step = |def: &StepDef| PipelineStep {
        name: def.name.clone(),
        kind: def.kind.clone(),
        role: Some(def.role.clone()),
        needs: None,
        approval: def.approval,
        enabled: true,
        gating: def.gating.clone(),
        config: def.config.clone(),
    };
    pipeline.steps.iter().map(step).collect()
}

/// Name of the step at a position; one that no step has if there is none.
pub(crate) fn step_name(ix: impl std::fmt::Display) -> String {
    format!("step-{ix}")
}

/// The preset at a position of the scenario.
pub(crate) fn preset(at: usize, given: &ScenarioPreset) -> Result<Preset, SimulationError> {
    let policy = Policy::default();
    Ok(Preset {
        id: id(given.id.as_deref().unwrap_or(&format!("mp_{at}")))?,
        name: given.name.clone().unwrap_or_else(|| "Balanced".to_owned()),
        is_default: given.is_default.unwrap_or(at == 0),
        max_complexity: given.max_complexity.unwrap_or(policy.max_complexity),
        max_risk: given.max_risk.unwrap_or(policy.max_risk),
        max_impact: given.max_impact.unwrap_or(policy.max_impact),
        ci_max_attempts: given.ci_max_attempts.unwrap_or(policy.ci_max_attempts),
        max_review_iterations: given.max_requirement_iterations.unwrap_or(policy.max_review_iterations),
        tolerated_severity: given.max_requirement_concern_allowed.unwrap_or(policy.tolerated_severity),
        release_watch_minutes: given.release_watch_window_minutes.unwrap_or(policy.release_watch_minutes),
        release_max_attempts: given.release_max_attempts.unwrap_or(policy.release_max_attempts),
    })
}

/// The policy the intervals of the scenario make; the rest comes from a preset.
pub(crate) fn policy(scenario: &Scenario) -> Policy {
    let drive = &scenario.config.drive;
    Policy {
        gate_interval_ms: drive.ci_poll_interval_ms,
        gate_max_polls: drive.ci_max_polls,
        read_failure_tolerance: drive.job_poll_failure_tolerance,
        ..Policy::default()
    }
}

/// Settings after a patch. Changing the mode clears the other mode's limits; shared without a number becomes 1
/// (SPEC TL-4).
pub(crate) fn settings(mut known: Settings, patch: &SettingsPatch) -> Result<Settings, SimulationError> {
    if let Some(minutes) = patch.waiting_escalation_minutes {
        known.waiting_escalation_minutes = minutes;
    }
    let mode = patch.task_limit_mode.unwrap_or(match known.task_limit {
        TaskLimit::Off => LimitMode::Off,
        TaskLimit::Shared { .. } => LimitMode::Shared,
        TaskLimit::PerType { .. } => LimitMode::PerType,
    });
    known.task_limit = match (mode, known.task_limit) {
        (LimitMode::Off, _) => TaskLimit::Off,
        (LimitMode::Shared, TaskLimit::Shared { limit }) => {
            TaskLimit::Shared { limit: patch.task_limit_shared.unwrap_or(limit) }
        }
        (LimitMode::Shared, _) => TaskLimit::Shared { limit: patch.task_limit_shared.unwrap_or(1) },
        (LimitMode::PerType, before) => {
            let kept = match before {
                TaskLimit::PerType { limits } => limits,
                TaskLimit::Off | TaskLimit::Shared { .. } => BTreeMap::new(),
            };
            let given = patch.task_limit_per_type.as_ref();
            let limits = given.map_or(Ok(kept), |given| {
                given.iter().map(|(name, limit)| Ok((word::<TaskType>("task type", name)?, *limit))).collect()
            })?;
            TaskLimit::PerType { limits }
        }
    };
    Ok(known)
}

/// Prices of the scenario over those of FORMAT.md section 1.4.
pub(crate) fn pricing(given: &ScenarioPricing) -> Result<Pricing, SimulationError> {
    let default = crate::scenario::ScenarioPrice { input_per_million: 1.0, output_per_million: 1.0 };
    let price = |price: crate::scenario::ScenarioPrice| -> Result<Price, SimulationError> {
        Ok(Price {
            input_per_million: money(price.input_per_million)?,
            output_per_million: money(price.output_per_million)?,
        })
    };
    let monthly_limit = match &given.monthly_limit {
        None => SpendLimit::Amount(money(100.0)?),
        Some(Value::Number(number)) => SpendLimit::Amount(money(number.as_f64().unwrap_or(-1.0))?),
        Some(Value::String(none)) if none == "none" => SpendLimit::None,
        Some(other) => {
            return Err(SimulationError::Scenario(format!(
                "monthlyLimit {other} is neither a number nor \"none\""
            )));
        }
    };
    let prices = given.prices.iter().map(|(model, known)| Ok((model.clone(), price(*known)?)));
    Ok(Pricing {
        currency: given.currency.clone().unwrap_or_else(|| "EUR".to_owned()),
        monthly_limit,
        prices: prices.collect::<Result<_, SimulationError>>()?,
        default_price: price(given.default_price.unwrap_or(default))?,
    })
}

pub(crate) fn money(units: f64) -> Result<Money, SimulationError> {
    Money::from_units(units)
        .ok_or_else(|| SimulationError::Scenario(format!("{units} is no amount of money")))
}

/// A value of a list of words, such as a status.
pub(crate) fn word<T: serde::de::DeserializeOwned>(what: &str, text: &str) -> Result<T, SimulationError> {
    let dashed = Value::String(text.replace('_', "-"));
    serde_json::from_value(dashed).map_err(|_| SimulationError::Scenario(format!("{text:?} is not a {what}")))
}

/// An id of the board.
pub(crate) fn id<T: TryFrom<String>>(text: &str) -> Result<T, SimulationError> {
    T::try_from(text.to_owned()).map_err(|_| {
        SimulationError::Scenario(format!("{text:?} cannot be an id: use letters, digits, - and _"))
    })
}

/// A pipeline file as the board would keep it.
pub(crate) fn from_pipeline(pipeline: &Pipeline) -> Result<PipelineDef, SimulationError> {
    Ok(PipelineDef {
        id: id("pipeline-file")?,
        name: pipeline.name.clone(),
        description: String::new(),
        labels: Vec::new(),
        archived: false,
        builtin: false,
        pin: Pinning::Run,
        steps: board_steps(pipeline),
        created_at: Timestamp(0),
        updated_at: Timestamp(0),
    })
}
