//! The pure rules of the board: items, dependencies, presets, pipelines, task limits, spend and schedules.
//!
//! No I/O, no clock, no ids of its own, nothing async: time and ids arrive with the call, and what is to become true is
//! returned as a list of rows for the caller to store.
#![warn(missing_docs)]
