use super::bindings::{Step, types as wit};
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
use wasmtime::component::{
    ComponentExportIndex, ComponentNamedList, HasSelf, InstancePre, Lift, Linker, Lower, TypedFunc,
};

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

/// A component of this version. Of its exports the one that is called is looked at, as comparing types takes a tenth of a call.
pub(crate) struct Component {
    linked: InstancePre<HostState>,
    describe: ComponentExportIndex,
    advance: ComponentExportIndex,
    migrate: ComponentExportIndex,
}

/// One event for a component of this version, in its words.
pub(crate) struct Advance {
    component: Arc<Component>,
    input: wit::StepInput,
    /// Bytes of all texts of the input.
    pub(crate) bytes: usize,
}

impl Component {
    /// Finds the exports.
    pub(crate) fn new(linked: InstancePre<HostState>) -> wasmtime::Result<Self> {
        let index = |name: &str| {
            let index = linked.component().get_export_index(None, name);
            index.ok_or_else(|| wasmtime::Error::msg(format!("export `{name}` is missing")))
        };
        let (describe, advance, migrate) = (index("describe")?, index("advance")?, index("migrate")?);
        Ok(Self { linked, describe, advance, migrate })
    }

    /// An export of a fresh instance.
    async fn export<P, R>(
        &self,
        store: &mut Store<HostState>,
        index: &ComponentExportIndex,
    ) -> Result<TypedFunc<P, R>, Failed>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift,
    {
        let of_instantiation = |error| Failed { error, stage: Stage::Instantiate };
        let instance = self.linked.instantiate_async(&mut *store).await.map_err(of_instantiation)?;
        instance.get_typed_func(store, index).map_err(of_instantiation)
    }

    pub(crate) async fn describe(&self, store: &mut Store<HostState>, limits: &Limits) -> Said<Descriptor> {
        let describe = self.export::<(), (wit::Descriptor,)>(store, &self.describe).await?;
        let (said,) = describe.call_async(store, ()).await.map_err(Failed::in_call)?;
        Ok(from_guest::descriptor(said, limits))
    }

    pub(crate) async fn migrate(
        &self,
        store: &mut Store<HostState>,
        from_version: u32,
        state: &str,
        limits: &Limits,
    ) -> Said<JsonText> {
        let migrate = self.export::<(u32, &str), (Result<String, String>,)>(store, &self.migrate).await?;
        let (said,) = migrate.call_async(store, (from_version, state)).await.map_err(Failed::in_call)?;
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
        let of = &self.component;
        let advance =
            of.export::<(&wit::StepInput,), (Result<wit::Transition, String>,)>(store, &of.advance).await?;
        let (said,) = advance.call_async(store, (&self.input,)).await.map_err(Failed::in_call)?;
        Ok(said
            .map_err(|why| Unusable::gave_up("advance", &why))
            .and_then(|said| from_guest::transition(said, limits)))
    }
}
