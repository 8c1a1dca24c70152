//! The pure rules of the board: items, dependencies, presets, pipelines, task limits, spend and schedules.
//!
//! No I/O, no clock, nothing async, and no run of its own: time, live runs and what the host is capable of arrive with
//! the call. A command is a method of [`Board`] that changes nothing and returns the changes to store; when they are
//! stored, [`Board::apply`] makes them true. Commands are made one after another: the next is asked of a board to which
//! the changes of the last have been applied.
#![warn(missing_docs)]

mod blueprint;
mod board;
mod bounds;
mod catalogue;
mod changes;
mod dependencies;
pub mod infra;
mod items;
mod limits;
mod merge;
pub mod notices;
mod pipelines;
mod preconditions;
mod presets;
mod recurrence;
mod schedules;
pub mod shape;
pub mod spend;
mod text;

pub use blueprint::{Blueprint, ModulePlan, ServicePlan};
pub use board::Board;
pub use items::ItemRecord;
pub use merge::status_at_end;
pub use pipelines::{Kinds, run_steps};
pub use preconditions::Start;
pub use schedules::Firing;
pub use shape::ShapeStep;

#[cfg(test)]
mod tests;
