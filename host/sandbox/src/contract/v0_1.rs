//! `lockstep:step@0.1.0`, as wasmtime sees it.

mod differs;
#[path = "served/mod.rs"]
mod served;

mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit/step@0.1.0",
        world: "step",
        imports: {
            // A log line is kept at once; there is nothing to wait for.
            "lockstep:step/log.write": trappable,
            default: async | trappable,
        },
        exports: { default: async },
    });

    pub(crate) use lockstep::step::{
        checks, environments, history, log, mergeability, release_health, types, workspace,
    };
}

pub(super) use served::{Advance, Component, add_to_linker, check_export};
