//! What comes from outside, thrown at the code that reads it: one function a target, which panics on a finding.
//!
//! `cargo xtask fuzz TARGET` runs one under libFuzzer; the tests of this crate replay `corpus/` and every past finding in
//! `findings/` as part of an ordinary test run.
#![warn(missing_docs)]

mod api;
mod component;
mod files;
mod hooks;
mod journal;
mod rows;
mod samples;
mod wit;

// The service that the tests of the routes stand on.
#[allow(dead_code, clippy::unwrap_used, reason = "written for the tests of the routes, which use all of it")]
#[path = "../../../host/server/tests/api/fake.rs"]
mod fake;
#[allow(clippy::unwrap_used, reason = "written for tests")]
#[path = "../../../host/server/tests/api/fake_backtest.rs"]
mod fake_backtest;
#[allow(clippy::unwrap_used, reason = "written for tests")]
#[path = "../../../host/server/tests/api/fake_board.rs"]
mod fake_board;
#[allow(clippy::unwrap_used, reason = "written for tests")]
#[path = "../../../host/server/tests/api/fake_components.rs"]
mod fake_components;

pub use samples::{Sample, samples};

use std::path::PathBuf;

/// Something that reads what comes from outside.
#[derive(Debug)]
pub struct Target {
    /// Its name, also of its folders below `corpus` and `findings`.
    pub name: &'static str,
    /// Longest input worth trying, in bytes.
    pub length_max: usize,
    /// Takes one input; panics on a finding.
    pub run: fn(&[u8]),
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "api", length_max: 8 << 10, run: api::request },
    Target { name: "capsule", length_max: 16 << 10, run: files::capsule },
    Target { name: "cases", length_max: 8 << 10, run: files::cases },
    Target { name: "commands", length_max: 8 << 10, run: files::commands },
    Target { name: "component", length_max: 32 << 10, run: component::inspect },
    Target { name: "hooks", length_max: 16 << 10, run: hooks::delivery },
    Target { name: "journal", length_max: 32 << 10, run: journal::fold },
    Target { name: "paths", length_max: 4 << 10, run: component::paths },
    Target { name: "pipeline", length_max: 8 << 10, run: files::pipeline },
    Target { name: "rows", length_max: 8 << 10, run: rows::row },
    Target { name: "scenario", length_max: 8 << 10, run: files::scenario },
    Target { name: "signature", length_max: 2 << 10, run: files::signature },
    Target { name: "wit", length_max: 8 << 10, run: wit::returned },
];

/// The target of this name.
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// A folder or file of this crate.
#[must_use]
pub fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}
