//! The real binary over a real repository, as its users run it. `cargo xtask test` builds the binary first.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod authored;
mod components;
mod crash;
mod hooks;
mod host;
mod kill;
mod main_job;
mod models;
mod refusals;
#[path = "../../../../host/providers/tests/it/registry.rs"]
mod registry;
mod secrets;
#[allow(dead_code, reason = "the tests in a browser use all of it")]
mod server;
mod service;
mod shipping;
mod shop;
mod store;
mod swap;
mod workers;
