//! From the reference's words to Lockstep's: agent kinds to step kinds, presets to policy.

use crate::scenario::{PipelineDef, Preset};
use crate::{RunError, Scenario};
use lockstep_types::{JsonText, Pipeline, Policy, StepDef};
use serde_json::json;
use std::collections::BTreeMap;

/// Kinds the host of the reference carries out and no standard component does yet.
const NOT_BUILT: [&str; 5] =
    ["post-release-health", "tracker", "requirements-review", "clarity-review", "task-estimator"];

/// What the graders are called.
pub(crate) const GRADERS: [&str; 3] = ["reviewer", "spec-companion", "architect-companion"];

/// The step kind that does the work of an agent kind.
fn step_kind(scenario: &Scenario, agent_kind: &str) -> Result<&'static str, RunError> {
    let wired = scenario.wiring.environment.unwrap_or_else(|| scenario.providers.contains_key("environment"));
    let host_kind = NOT_BUILT.contains(&agent_kind)
        || (agent_kind == "deployer" && wired)
        || (agent_kind == "human-test" && scenario.engine == "0.15.0");
    if host_kind {
        return Err(RunError::Unsupported(format!("step kind {agent_kind}")));
    }
    Ok(match agent_kind {
        "ci" => "ci-gate",
        "conflicts" => "conflicts-gate",
        "tester" => "tester",
        "merger" => "merge-resolver",
        grader if GRADERS.contains(&grader) => "companion-grader",
        _ => "agent",
    })
}

/// Name of the state field and of the counter in a final trace that tell how often a step kind went round.
pub(crate) fn round_counter(step_kind: &str) -> Option<&'static str> {
    match step_kind {
        "ci-gate" | "conflicts-gate" => Some("gateAttempts"),
        "companion-grader" => Some("companionAttempts"),
        "tester" => Some("testerAttempts"),
        _ => None,
    }
}

/// The pipeline of a run: enabled steps only, each after the one before it.
pub(crate) fn pipeline(
    scenario: &Scenario,
    def: &PipelineDef,
    preset_id: Option<&str>,
) -> Result<Pipeline, RunError> {
    let mut steps: Vec<StepDef> = Vec::new();
    for (at, agent_kind) in def.agent_kinds.iter().enumerate() {
        if !def.enabled.get(at).copied().unwrap_or(true) {
            continue;
        }
        let threshold = def.thresholds.get(at).copied().flatten();
        let kind = step_kind(scenario, agent_kind)?;
        let config = match threshold {
            Some(threshold) if kind == "companion-grader" => json!({"threshold": threshold}),
            _ => json!({}),
        };
        let ix = steps.len();
        steps.push(StepDef {
            name: step_name(ix),
            kind: kind.to_owned(),
            role: agent_kind.clone(),
            needs: ix.checked_sub(1).into_iter().collect(),
            approval: def.gates.get(at).copied().unwrap_or(false),
            config: JsonText::of(&config),
        });
    }
    Ok(Pipeline {
        name: def.name.clone().unwrap_or_else(|| def.id.clone()),
        version: String::new(),
        base: None,
        policy: policy(scenario, preset_id),
        checks: BTreeMap::new(),
        jobs: BTreeMap::new(),
        steps,
    })
}

/// Name of the step at a position; one that no step has if there is none.
pub(crate) fn step_name(ix: impl std::fmt::Display) -> String {
    format!("step-{ix}")
}

/// SPEC MP-1: the preset the block chose, else the default one, else the engine's own numbers.
fn policy(scenario: &Scenario, chosen: Option<&str>) -> Policy {
    let drive = &scenario.config.drive;
    let preset = preset(scenario, chosen);
    Policy {
        max_complexity: preset.max_complexity,
        max_risk: preset.max_risk,
        max_impact: preset.max_impact,
        ci_max_attempts: preset.ci_max_attempts,
        gate_interval_ms: drive.ci_poll_interval_ms,
        gate_max_polls: drive.ci_max_polls,
        read_failure_tolerance: drive.job_poll_failure_tolerance,
    }
}

fn preset(scenario: &Scenario, chosen: Option<&str>) -> Preset {
    let all: Vec<&Preset> = scenario.preset.iter().chain(&scenario.presets).collect();
    let id = |at: usize| all[at].id.clone().unwrap_or_else(|| format!("mp_{at}"));
    let is_default = |at: usize| all[at].is_default.unwrap_or(at == 0);
    let positions = || 0..all.len();
    let found = positions()
        .find(|&at| chosen == Some(id(at).as_str()))
        .or_else(|| positions().find(|&at| is_default(at)));
    found.map_or_else(Preset::default, |at| all[at].clone())
}
