//! One call of an export, from the fresh instance to its record.

use crate::contract::{Advance, Failed, Said};
use crate::convert::Unusable;
use crate::faults::{self, Stage, fault};
use crate::limits::Limits;
use crate::mailbox::Mailbox;
use crate::state::{HostState, Record};
use crate::wasi::Scene;
use crate::world::Linked;
use lockstep_types::{Descriptor, FailureClass, Fault, JsonText, Transition};
use std::sync::Arc;
use wasmtime::{Engine, Store, UpdateDeadline};

/// Fuel after which a call lets others go on: about a millisecond.
const FUEL_YIELD: u64 = 2_000_000;

/// Ticks of the outer guard a call may last without using up a slice of fuel or observing anything. Fuel ends a computation
/// after at most some seconds, however slow the machine, so this decides nothing: it is there should wasmtime's fuel
/// ever fail.
const GUARD_TICKS: u64 = 600;

/// What calls are made with.
pub(crate) struct Machine {
    pub(crate) engine: Engine,
    pub(crate) limits: Arc<Limits>,
}

/// A call that can be made, as often as it takes.
pub(crate) struct Call<E> {
    pub(crate) export: E,
    pub(crate) scene: Option<Scene>,
}

/// An export with what it is given.
pub(crate) trait Export: Send + Sync + 'static {
    /// What it returns, in the host's words.
    type Answer: Send + 'static;

    /// Whether the component may ask the host.
    const MAY_ASK: bool;

    /// Calls it in a fresh instance.
    fn call(
        &self,
        store: &mut Store<HostState>,
        limits: &Limits,
    ) -> impl Future<Output = Said<Self::Answer>> + Send;
}

pub(crate) struct Describe(pub(crate) Arc<Linked>);

pub(crate) struct Migrate {
    pub(crate) linked: Arc<Linked>,
    pub(crate) from_version: u32,
    pub(crate) state: JsonText,
}

/// One export called to its end.
pub(crate) struct Called<T> {
    pub(crate) answer: Result<T, Fault>,
    pub(crate) record: Record,
    pub(crate) fuel: u64,
}

impl Export for Describe {
    type Answer = Descriptor;

    const MAY_ASK: bool = false;

    async fn call(&self, store: &mut Store<HostState>, limits: &Limits) -> Said<Descriptor> {
        self.0.served.describe(store, limits).await
    }
}

impl Export for Migrate {
    type Answer = JsonText;

    const MAY_ASK: bool = false;

    async fn call(&self, store: &mut Store<HostState>, limits: &Limits) -> Said<JsonText> {
        self.linked.served.migrate(store, self.from_version, self.state.as_str(), limits).await
    }
}

impl Export for Advance {
    type Answer = Transition;

    const MAY_ASK: bool = true;

    async fn call(&self, store: &mut Store<HostState>, limits: &Limits) -> Said<Transition> {
        Self::call(self, store, limits).await
    }
}

impl<T> Called<T> {
    pub(crate) fn without_running(fault: Fault) -> Self {
        Self { answer: Err(fault), record: Record::default(), fuel: 0 }
    }
}

impl Machine {
    /// Makes `call` in a fresh instance.
    pub(crate) async fn make<E: Export>(&self, call: &Call<E>, mailbox: &Arc<Mailbox>) -> Called<E::Answer> {
        let state = HostState::new(Arc::clone(&self.limits), Arc::clone(mailbox), call.scene.clone());
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| state);
        store.set_hostcall_fuel(self.limits.output_bytes.saturating_mul(2));
        store.set_epoch_deadline(GUARD_TICKS);
        store.epoch_deadline_callback(|mut store| {
            // The world may take its time to answer, and other calls their turn; only a computation may not.
            let progressed = store.data_mut().progressed_since_last_asked();
            Ok(if progressed { UpdateDeadline::Continue(GUARD_TICKS) } else { UpdateDeadline::Interrupt })
        });
        let fuel = self.limits.fuel;
        let fueled = store.set_fuel(fuel).and_then(|()| store.fuel_async_yield_interval(Some(FUEL_YIELD)));
        let said = match fueled {
            Err(error) => Err(Failed { error, stage: Stage::Instantiate }),
            Ok(()) => call.export.call(&mut store, &self.limits).await,
        };
        let left = store.get_fuel().unwrap_or(0);
        let answer = match said {
            Ok(said) => said.map_err(unusable),
            Err(Failed { error, stage }) => Err(faults::from_wasmtime(&error, stage, store.data())),
        };
        Called { answer, record: store.into_data().into_record(), fuel: fuel.saturating_sub(left) }
    }
}

fn unusable(error: Unusable) -> Fault {
    match error {
        Unusable::Nonsense(reason) => fault(FailureClass::BadOutput, &reason),
        Unusable::TooLarge(reason) => fault(FailureClass::TooMuchOutput, &reason),
    }
}
