//! Which pipelines can run at all (SPEC PL-7 to PL-13).

use crate::text::invalid;
use lockstep_types::board::PipelineStep;
use lockstep_types::{Descriptor, Gating, Rejected};
use serde::Deserialize;

/// What the rules need to know of a step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ShapeStep {
    /// What other steps call it.
    pub role: String,
    /// Whether it is part of runs; a disabled step imposes nothing, but for its need of test infrastructure.
    pub enabled: bool,
    /// Whether it runs at all, by the estimate.
    pub gating: Option<Gating>,
    /// Of a companion: roles, one of which the nearest enabled step before it must have. Only companions are gated.
    pub follows: Option<Vec<String>>,
    /// Whether it leaves an estimate.
    pub estimates: bool,
    /// Whether it watches a release (SPEC RH-13).
    pub needs_observability: bool,
    /// Whether it tests the change (SPEC section 6).
    pub needs_test_infrastructure: bool,
}

impl ShapeStep {
    /// What the rules need to know, from the step and what the component of its kind says of itself. A step of a kind
    /// that nobody knows is an ordinary one (SPEC PL-2).
    #[must_use]
    pub fn new(step: &PipelineStep, descriptor: Option<&Descriptor>) -> Self {
        let needs = |need: &str| descriptor.is_some_and(|known| known.needs.iter().any(|name| name == need));
        let estimates = |known: &Descriptor| known.documents.iter().any(|name| name == "estimate");
        Self {
            role: step.role().to_owned(),
            enabled: step.enabled,
            gating: step.gating.clone(),
            follows: descriptor.and_then(|known| producers(step, known)),
            estimates: descriptor.is_some_and(estimates),
            needs_observability: needs("observability"),
            needs_test_infrastructure: needs("test-infrastructure"),
        }
    }

    fn is_gated(&self) -> bool {
        self.gating.as_ref().is_some_and(|gating| gating.enabled)
    }
}

/// Of a component that grades: the roles its config names, else those that go with its role.
fn producers(step: &PipelineStep, descriptor: &Descriptor) -> Option<Vec<String>> {
    #[derive(Deserialize)]
    struct Config {
        grades: Vec<String>,
    }
    if descriptor.grades.is_empty() {
        return None;
    }
    if let Ok(config) = step.config.read::<Config>() {
        return Some(config.grades);
    }
    let grading = descriptor.grades.iter().find(|grading| grading.role == step.role());
    Some(grading.map(|grading| grading.producers.clone()).unwrap_or_default())
}

/// Checks what must hold whenever a pipeline is stored or started (SPEC PL-7 to PL-12).
///
/// # Errors
/// `Invalid` names the first step that is wrong, and what to do.
pub fn check(steps: &[ShapeStep]) -> Result<(), Rejected> {
    if !steps.iter().any(|step| step.enabled) {
        return Err(invalid("the pipeline has no enabled step: enable or add one"));
    }
    misplaced(steps).map_or(Ok(()), |(_, message)| Err(invalid(message)))
}

/// The first step that is not where it can be, by its position, and what to do about it (SPEC PL-8 to PL-11).
#[must_use]
pub fn misplaced(steps: &[ShapeStep]) -> Option<(usize, String)> {
    let enabled: Vec<(usize, &ShapeStep)> =
        steps.iter().enumerate().filter(|(_, step)| step.enabled).collect();
    for (at, (position, step)) in enabled.iter().enumerate() {
        let role = &step.role;
        if let Some(follows) = &step.follows {
            let before = at.checked_sub(1).map(|before| &enabled[before].1.role);
            if !before.is_some_and(|before| follows.contains(before)) {
                let graded = if follows.is_empty() { "nothing".to_owned() } else { follows.join(" or ") };
                let place =
                    before.map_or_else(|| "comes first".to_owned(), |before| format!("follows {before}"));
                let message = format!("{role} grades {graded} and {place}: put it behind a step it grades");
                return Some((*position, message));
            }
        }
        if step.is_gated()
            && let Some(message) = misgated(step, &enabled[..at])
        {
            return Some((*position, message));
        }
    }
    None
}

/// The thresholds a gating names.
pub(crate) fn thresholds(gating: &Gating) -> impl Iterator<Item = f64> {
    [gating.min_complexity, gating.min_risk, gating.min_impact].into_iter().flatten()
}

fn misgated(step: &ShapeStep, before: &[(usize, &ShapeStep)]) -> Option<String> {
    let role = &step.role;
    let has_threshold = step.gating.as_ref().is_some_and(|gating| thresholds(gating).next().is_some());
    if step.follows.is_none() {
        Some(format!("{role} depends on an estimate, but only companions may: remove its gating"))
    } else if !has_threshold {
        Some(format!(
            "the gating of {role} names no threshold: give a complexity, risk or impact, or remove it"
        ))
    } else if !before.iter().any(|(_, step)| step.estimates) {
        Some(format!(
            "{role} depends on an estimate, but no enabled step before it makes one: add a task-estimator"
        ))
    } else {
        None
    }
}

/// Checks, when a pipeline is stored, that a release can be watched if a step is to (SPEC PL-13, RH-13).
///
/// # Errors
/// `Invalid` names the step.
pub fn check_observability(steps: &[ShapeStep], is_connected: bool) -> Result<(), Rejected> {
    match steps.iter().find(|step| step.enabled && step.needs_observability) {
        Some(step) if !is_connected => Err(invalid(format!(
            "{} watches releases, but no observability is connected: connect it or disable the step",
            step.role
        ))),
        _ => Ok(()),
    }
}
