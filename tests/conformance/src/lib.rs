//! Runs the scenarios of `scenarios/` against the real engine and the real components, and compares what happened
//! with `expected/` (FORMAT.md).
#![warn(missing_docs)]

mod components;

pub use components::Components;

use lockstep_simulator::{Scenario, SimulationError, simulate};
use serde_json::Value;
use std::path::PathBuf;

/// A folder or file of this crate.
#[must_use]
pub fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Names of all scenarios, sorted.
///
/// # Errors
/// If the folder cannot be read.
pub fn scenario_names() -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path("scenarios"))? {
        let file = entry?.file_name();
        names.extend(file.to_str().and_then(|name| name.strip_suffix(".json")).map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

/// Runs a scenario and gives its reduced trace.
///
/// # Errors
/// As [`simulate`].
pub async fn run(scenario: &Scenario, components: &Components) -> Result<Value, SimulationError> {
    let simulated = simulate(scenario, &components.kinds, &components.sandbox, None).await?;
    Ok(simulated.trace)
}
