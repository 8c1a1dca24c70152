//! The driver, thin: it takes an input, runs the engine's turn, calls components, commits, and only then lets
//! anything be seen or sent. The only tokio around the core.
//!
//! It decides nothing about a run; whatever has a rule in it belongs in the engine.
#![warn(missing_docs)]

mod actor;
pub mod backtest;
mod board;
mod clock;
mod components;
mod credentials;
mod follow;
mod hooks;
mod list;
mod observer;
pub mod pipeline_file;
mod replay;
mod retention;
mod runtime;
mod service;
pub mod signature;
mod wired;

pub use clock::SystemClock;
pub use components::StandardComponent;
pub use hooks::{HookOptions, NamedRepositories};
pub use retention::Retention;
pub use runtime::{Drive, Outside, Runtime, RuntimeError, Waker};
