use super::bindings::{Step, StepPre, types as wit};
use super::{from_guest, to_guest};
use crate::contract::{Failed, Said};
use crate::convert::Unusable;
use crate::faults::Stage;
use crate::limits::Limits;
use crate::state::HostState;
use lockstep_types::{Descriptor, JsonText, StepInput, Transition};
use std::sync::Arc;
use wasmtime::Store;
use wasmtime::component::types::{Component as ComponentType, ComponentFunc};
use wasmtime::component::{HasSelf, InstancePre, Linker};

/// Offers everything of this version that a component can be granted.
pub(crate) fn add_to_linker(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    Step::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state)
}

/// Compares the type of an export with that of this version.
pub(crate) fn check_export(name: &str, found: &ComponentFunc, world: &ComponentType) -> wasmtime::Result<()> {
    let of = &world.instance_type();
    match name {
        "describe" => found.typecheck::<(), (wit::Descriptor,)>(of),
        "advance" => found.typecheck::<(&wit::StepInput,), (Result<wit::Transition, String>,)>(of),
        _ => found.typecheck::<(u32, &str), (Result<String, String>,)>(of),
    }
}

/// A component of this version.
pub(crate) struct Component(StepPre<HostState>);

/// One event for a component of this version, in its words.
pub(crate) struct Advance {
    component: Arc<Component>,
    input: wit::StepInput,
    /// Bytes of all texts of the input.
    pub(crate) bytes: usize,
}

impl Component {
    /// Checks the exports that `bindgen` expects.
    pub(crate) fn new(linked: InstancePre<HostState>) -> wasmtime::Result<Self> {
        StepPre::new(linked).map(Self)
    }

    async fn instantiate(&self, store: &mut Store<HostState>) -> Result<Step, Failed> {
        let made = self.0.instantiate_async(store).await;
        made.map_err(|error| Failed { error, stage: Stage::Instantiate })
    }

    pub(crate) async fn describe(&self, store: &mut Store<HostState>, limits: &Limits) -> Said<Descriptor> {
        let said = self.instantiate(store).await?.call_describe(store).await.map_err(Failed::in_call)?;
        Ok(from_guest::descriptor(said, limits))
    }

    pub(crate) async fn migrate(
        &self,
        store: &mut Store<HostState>,
        from_version: u32,
        state: &str,
        limits: &Limits,
    ) -> Said<JsonText> {
        let step = self.instantiate(store).await?;
        let said = step.call_migrate(store, from_version, state).await.map_err(Failed::in_call)?;
        Ok(said
            .map_err(|why| Unusable::gave_up("migrate", &why))
            .and_then(|state| from_guest::state_text(state, limits)))
    }

    pub(crate) fn advance(self: &Arc<Self>, input: &StepInput) -> Advance {
        let (input, bytes) = to_guest::step_input(input);
        Advance { component: Arc::clone(self), input, bytes }
    }
}

impl Advance {
    pub(crate) async fn call(&self, store: &mut Store<HostState>, limits: &Limits) -> Said<Transition> {
        let step = self.component.instantiate(store).await?;
        let said = step.call_advance(store, &self.input).await.map_err(Failed::in_call)?;
        Ok(said
            .map_err(|why| Unusable::gave_up("advance", &why))
            .and_then(|said| from_guest::transition(said, limits)))
    }
}
