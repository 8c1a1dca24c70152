//! A bench to test a step on natively: events in, text out.
//!
//! Everything passes through the same texts as in the host: the config is read, the state is written and read
//! again between two events. Only the sandbox is missing.

mod bench;
mod render;
mod schema;
mod scripted;

pub use bench::{Bench, job_result};
pub use render::render;
pub use schema::check_schema;
pub use scripted::{ScriptedHost, check, checks_at};
