//! Step kind `probe-0-1`: built for `lockstep:step@0.1.0` and nothing newer, without the SDK, so that the tests of the
//! host call a component of an older version. It completes with what it was told of the run and of its workspace.

#[allow(
    unreachable_pub,
    unsafe_code,
    clippy::allow_attributes_without_reason,
    clippy::needless_pass_by_value,
    clippy::use_self,
    reason = "generated; the canonical ABI is raw memory"
)]
#[rustfmt::skip]
mod bindings {
    wit_bindgen::generate!({ path: "../../wit/step@0.1.0", world: "step" });

    #[cfg(target_family = "wasm")]
    export!(Probe with_types_in self);

    #[cfg(target_family = "wasm")]
    use super::Probe;
}

use bindings::lockstep::step::types::{Access, Completion, Descriptor, Next, StepInput};
use bindings::lockstep::step::workspace;
use bindings::{Guest, Transition};

/// The component.
#[allow(dead_code, reason = "exported where it is compiled for wasm")]
struct Probe;

impl Guest for Probe {
    fn describe() -> Descriptor {
        Descriptor {
            kind: "probe-0-1".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            state_version: 1,
            summary: "Says what a component of the first version is told.".to_owned(),
            config_schema: "{}".to_owned(),
            jobs: Vec::new(),
            effects: Vec::new(),
            access: Access::ReadOnly,
            documents: Vec::new(),
            grades: Vec::new(),
            needs: Vec::new(),
        }
    }

    fn advance(input: StepInput) -> Result<Transition, String> {
        let output = Some(format!("{:?}\nchanged {:?}", input.run, workspace::changed_files()));
        let completion = Completion {
            output,
            artifact: None,
            item_status: None,
            on_behalf_of: Vec::new(),
            approved: false,
        };
        Ok(Transition {
            state: "{}".to_owned(),
            note: None,
            progress: None,
            facts: Vec::new(),
            notices: Vec::new(),
            settled_notices: Vec::new(),
            documents: Vec::new(),
            teardowns: Vec::new(),
            next: Next::Complete(completion),
        })
    }

    fn migrate(_from_version: u32, state: String) -> Result<String, String> {
        Ok(state)
    }
}
