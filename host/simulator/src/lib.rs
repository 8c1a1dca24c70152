//! Runs one scenario: the real engine, the real board rules and real step components under a simulated clock, with
//! everybody outside played from a script. `tests/conformance/FORMAT.md` explains scenarios and reduced traces.
//!
//! It does no I/O of its own: components are called through the step executor it is given.
#![warn(missing_docs)]

mod actions;
mod agents;
mod answers;
mod blueprints;
mod compare;
mod components;
mod drive;
mod errands;
mod items;
mod kinds;
mod lifecycle;
mod mapping;
mod notices;
mod outside;
mod pipelines;
mod runs;
mod scenario;
mod schedules;
mod story;
mod trace;
mod world;

pub use compare::{Score, difference, score};
pub use components::MemoryComponents;
pub use kinds::{Kind, Kinds};
pub use scenario::{Action, Scenario};
pub use story::story;
pub use world::{Simulated, simulate};

/// Why a scenario gives no trace. Display is one line: what is wrong, where, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SimulationError {
    /// The scenario is wrong.
    #[error("{0}")]
    Scenario(String),
    /// It never ends, or needs a component that is not there.
    #[error("{0}")]
    Stuck(String),
}
