//! Runs the scenarios of `scenarios/` against the real engine and the real components, and compares what happened
//! with `expected/` (FORMAT.md).
//!
//! The board here is no more than a table of blocks: what belongs to a board beyond the runs on it (dependencies,
//! limits, spend, schedules, reviews) is refused as unsupported, so that no scenario passes because nobody looked.
#![warn(missing_docs)]

mod board;
mod compare;
mod components;
mod drive;
mod mapping;
mod outside;
mod runner;
mod scenario;
mod trace;

pub use compare::{Score, difference, score};
pub use components::Components;
pub use runner::run;
pub use scenario::Scenario;

use std::path::PathBuf;

/// Why a scenario gives no trace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// It needs a part of the system that is not built.
    #[error("not supported: {0}")]
    Unsupported(String),
    /// The scenario, the components or the harness are at fault.
    #[error("{0}")]
    Broken(String),
}

/// A folder or file of this crate.
#[must_use]
pub fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Names of all scenarios, sorted.
///
/// # Errors
/// `Broken` if the folder cannot be read.
pub fn scenario_names() -> Result<Vec<String>, RunError> {
    let broken = |error: std::io::Error| RunError::Broken(format!("scenarios: {error}"));
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path("scenarios")).map_err(broken)? {
        let file = entry.map_err(broken)?.file_name();
        names.extend(file.to_str().and_then(|name| name.strip_suffix(".json")).map(str::to_owned));
    }
    names.sort();
    Ok(names)
}
