//! Whether a tester would have anything to test against (SPEC section 6).

use crate::text::conflict;
use lockstep_types::Rejected;
use lockstep_types::board::{TestEnvironment, TestSettings};

/// What the host can do for testers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Infra {
    /// Whether jobs can start containers (SPEC TI-4).
    pub nested_containers: bool,
    /// Whether somebody provides environments.
    pub environments: bool,
}

impl Default for Infra {
    fn default() -> Self {
        Self { nested_containers: true, environments: false }
    }
}

/// Where a task is tested: as it says, else as its service says, else in an environment of its own (SPEC TI-3).
#[must_use]
pub fn environment(task: &TestSettings, service: Option<&TestSettings>) -> TestEnvironment {
    let inherited = service.and_then(|service| service.environment);
    task.environment.or(inherited).unwrap_or(TestEnvironment::Ephemeral)
}

/// The decision table of SPEC section 6, for a pipeline that lists a tester, even a disabled one.
///
/// # Errors
/// `Conflict` says what to configure (SPEC TI-1).
pub fn check(infra: Infra, task: &TestSettings, service: Option<&TestSettings>) -> Result<(), Rejected> {
    let needs_nothing = service.is_some_and(|service| service.no_infra_dependencies);
    let has_compose = service.is_some_and(|service| service.compose_path.is_some());
    match (infra.nested_containers, environment(task, service)) {
        (_, TestEnvironment::Local) if needs_nothing => Ok(()),
        (false, TestEnvironment::Local) => Err(conflict(
            "this host cannot start containers for a local test: test in an ephemeral environment, or say that the \
             service needs no infrastructure",
        )),
        (true, TestEnvironment::Local) if has_compose => Ok(()),
        (true, TestEnvironment::Local) => Err(conflict(
            "the service says nothing of what its tests need: set its compose path, or that it needs no infrastructure",
        )),
        (false, TestEnvironment::Ephemeral) if !infra.environments => Err(conflict(
            "there is nothing to test against: connect a provider of environments, or test locally",
        )),
        (_, TestEnvironment::Ephemeral) => Ok(()),
    }
}
