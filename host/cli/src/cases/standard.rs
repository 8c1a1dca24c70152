//! What a component of each standard kind has to do, whoever wrote it: cases derived from the specification. They are kept
//! with the standard component of the kind, and carried in the binary as it is.

use super::{Case, read_text};

macro_rules! kinds {
    ($($kind:literal),* $(,)?) => {
        &[$(($kind, include_str!(concat!("../../../../guests/", $kind, "/behaviour.toml")))),*]
    };
}

const KINDS: &[(&str, &str)] = kinds![
    "agent",
    "ci-gate",
    "clarity-review",
    "companion-grader",
    "conflicts-gate",
    "deployer",
    "human-test",
    "merge-resolver",
    "release-health-gate",
    "requirements-review",
    "task-estimator",
    "tester",
    "tracker",
];

/// The standard kinds.
pub(crate) fn kinds() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|(kind, _)| *kind)
}

/// The cases of a standard kind; none if it is not one.
pub(crate) fn of_kind(kind: &str) -> Option<anyhow::Result<Vec<Case>>> {
    let (_, text) = KINDS.iter().find(|(name, _)| *name == kind)?;
    Some(read_text(&format!("kind {kind}"), text, true, kind))
}
