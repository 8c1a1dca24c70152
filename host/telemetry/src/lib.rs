//! What the host tells of itself to those who run it: numbers for Prometheus, traces for a collector.
//!
//! The rooms know neither: they note measures ([`lockstep_ports::Meter`]) and open spans, or are watched from outside, by
//! adapters that stand before their ports. Nothing here decides anything, and nothing waits for it.
#![warn(missing_docs)]

mod metrics;
mod names;
mod process;
mod traces;
mod watch;

pub use metrics::Metrics;
pub use traces::{Post, Traces};
pub use watch::{WatchedEffects, WatchedExecutor, WatchedJobs, WatchedJournal};
