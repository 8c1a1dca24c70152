//! The host's side of the contract: one file per WIT interface, and the state a call keeps.

mod checks;
mod environments;
mod history;
mod log;
mod mergeability;
mod release_health;
mod state;
mod workspace;

pub(crate) use state::{Breach, HostState, Record};

use crate::contract::Step;
use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker};

/// A linker with everything a component can be granted. What a component may import is checked before it is linked.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<HostState>> {
    let mut linker = Linker::new(engine);
    Step::add_to_linker::<_, HasSelf<HostState>>(&mut linker, |state| state)?;
    Ok(linker)
}
