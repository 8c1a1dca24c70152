//! The versions of the contract this host serves: a module each, generated from the same files guests are built against.

mod v0_1;
#[allow(clippy::duplicate_mod, reason = "the text the versions have in common is compiled for each of them")]
mod v0_2;

use crate::convert::Unusable;
use crate::faults::Stage;
use crate::limits::Limits;
use crate::state::HostState;
use crate::wasi;
use lockstep_types::{Descriptor, JsonText, StepInput, Transition};
use std::sync::Arc;
use wasmtime::component::types::{Component as ComponentType, ComponentFunc};
use wasmtime::component::{InstancePre, Linker};
use wasmtime::{Engine, Store};

/// The worlds a step component may be built for, oldest first.
pub const WORLDS: [&str; 2] = ["lockstep:step/step@0.1.0", "lockstep:step/step@0.2.0"];

/// Interfaces a step component may be granted, by short name; the same in every version.
pub const OFFERED: [&str; 7] =
    ["checks", "environments", "history", "log", "mergeability", "release-health", "workspace"];

/// A version of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Version {
    V0_1,
    V0_2,
}

impl Version {
    /// Oldest first.
    pub(crate) const ALL: [Self; 2] = [Self::V0_1, Self::V0_2];

    /// What components are built for today.
    pub(crate) const NEWEST: Self = Self::V0_2;

    /// The version of that number.
    pub(crate) fn of_number(number: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.number() == number)
    }

    /// As the package is versioned: `0.2.0`.
    pub(crate) fn number(self) -> &'static str {
        self.world().rsplit_once('@').map_or("", |(_, number)| number)
    }

    /// As WIT names it.
    pub(crate) fn world(self) -> &'static str {
        WORLDS[self as usize]
    }

    /// Compares an export's type with that of the world.
    pub(crate) fn check_export(
        self,
        name: &str,
        found: &ComponentFunc,
        world: &ComponentType,
    ) -> wasmtime::Result<()> {
        match self {
            Self::V0_1 => v0_1::check_export(name, found, world),
            Self::V0_2 => v0_2::check_export(name, found, world),
        }
    }
}

/// Why a call came to no answer of the component.
pub(crate) struct Failed {
    pub(crate) error: wasmtime::Error,
    pub(crate) stage: Stage,
}

impl Failed {
    fn in_call(error: wasmtime::Error) -> Self {
        Self { error, stage: Stage::Call }
    }
}

/// What a component said, read and checked, if it came to that.
pub(crate) type Said<T> = Result<Result<T, Unusable>, Failed>;

/// Everything a component of any version can be granted. What it may import is checked before it is linked.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<HostState>> {
    let mut linker = Linker::new(engine);
    v0_1::add_to_linker(&mut linker)?;
    v0_2::add_to_linker(&mut linker)?;
    wasi::add_to_linker(&mut linker)?;
    Ok(linker)
}

/// A component, linked, called in the words of its version.
pub(crate) enum Served {
    V0_1(Arc<v0_1::Component>),
    V0_2(Arc<v0_2::Component>),
}

/// One event on its way to a component.
pub(crate) enum Advance {
    V0_1(v0_1::Advance),
    V0_2(v0_2::Advance),
}

impl Served {
    pub(crate) fn new(version: Version, linked: InstancePre<HostState>) -> wasmtime::Result<Self> {
        Ok(match version {
            Version::V0_1 => Self::V0_1(Arc::new(v0_1::Component::new(linked)?)),
            Version::V0_2 => Self::V0_2(Arc::new(v0_2::Component::new(linked)?)),
        })
    }

    pub(crate) fn version(&self) -> Version {
        match self {
            Self::V0_1(_) => Version::V0_1,
            Self::V0_2(_) => Version::V0_2,
        }
    }

    pub(crate) async fn describe(&self, store: &mut Store<HostState>, limits: &Limits) -> Said<Descriptor> {
        match self {
            Self::V0_1(component) => component.describe(store, limits).await,
            Self::V0_2(component) => component.describe(store, limits).await,
        }
    }

    pub(crate) async fn migrate(
        &self,
        store: &mut Store<HostState>,
        from_version: u32,
        state: &str,
        limits: &Limits,
    ) -> Said<JsonText> {
        match self {
            Self::V0_1(component) => component.migrate(store, from_version, state, limits).await,
            Self::V0_2(component) => component.migrate(store, from_version, state, limits).await,
        }
    }

    pub(crate) fn advance(&self, input: &StepInput) -> Advance {
        match self {
            Self::V0_1(component) => Advance::V0_1(component.advance(input)),
            Self::V0_2(component) => Advance::V0_2(component.advance(input)),
        }
    }
}

impl Advance {
    /// Bytes of all texts of the input.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::V0_1(advance) => advance.bytes,
            Self::V0_2(advance) => advance.bytes,
        }
    }

    pub(crate) async fn call(&self, store: &mut Store<HostState>, limits: &Limits) -> Said<Transition> {
        match self {
            Self::V0_1(advance) => advance.call(store, limits).await,
            Self::V0_2(advance) => advance.call(store, limits).await,
        }
    }
}
