//! The sandbox with real components: the probe, which does what its config says, and a few written as text.
#![allow(clippy::unwrap_used, reason = "what is not as expected fails the test")]

mod calling;
mod determinism;
mod hostile;
mod limits;
mod loading;
mod looping;
mod observing;
mod support;
mod versions;
mod wasi;
mod written;
