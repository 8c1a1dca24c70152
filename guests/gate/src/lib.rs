//! The machine shared by gates: look, have a helper repair what is wrong, look again (SPEC section 4).
//!
//! What is looked at, and what counts as wrong, is a [`Gate`]. The machine keeps the budgets and the record; it
//! never judges and never believes a helper.

#![warn(missing_docs)]

pub mod ci;
mod machine;
mod state;
pub mod verdict;

pub use machine::{Gate, Limits, Probe, Problem, Verdict, advance};
pub use state::{AttemptEntry, AttemptOutcome, FailingCheck, GateState, LastVerdict, Phase};
