use crate::{lock, samples};
use async_trait::async_trait;
use lockstep_ports::{Inspected, LoadError, Observer, StepExecutor};
use lockstep_types::{
    Digest, Fault, Grant, Invocation, JsonText, Observation, ObservationRequest, Outcome, StepInput,
    Transition,
};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;

/// Fuel that a scripted call is said to use: any number, always the same.
const FUEL: u64 = 1000;

type Answer = dyn Fn(&StepInput) -> Outcome + Send + Sync;
type Migrate = dyn Fn(Digest, u32, &JsonText) -> Result<JsonText, Fault> + Send + Sync;

/// A step executor whose answers the test gives. Its components are descriptors in JSON; see `samples::component`.
pub struct ScriptedExecutor {
    answer: Box<Answer>,
    migrate: Box<Migrate>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    queues: BTreeMap<String, VecDeque<Outcome>>,
    asks: BTreeMap<String, Vec<ObservationRequest>>,
    calls: Vec<(Digest, StepInput)>,
}

impl ScriptedExecutor {
    /// Answers with `answer` where nothing is queued for the step.
    pub fn new(answer: impl Fn(&StepInput) -> Outcome + Send + Sync + 'static) -> Self {
        let migrate = Box::new(|_: Digest, _: u32, state: &JsonText| Ok(state.clone()));
        Self { answer: Box::new(answer), migrate, state: Mutex::default() }
    }

    /// Migrates states with `migrate`: the component, the state version it comes from and the state; by default every
    /// state stays as it is.
    #[must_use]
    pub fn migrating(
        self,
        migrate: impl Fn(Digest, u32, &JsonText) -> Result<JsonText, Fault> + Send + Sync + 'static,
    ) -> Self {
        Self { migrate: Box::new(migrate), ..self }
    }

    /// Answers every call with a transition.
    pub fn transitions(answer: impl Fn(&StepInput) -> Transition + Send + Sync + 'static) -> Self {
        Self::new(move |input| Outcome::Transition(Box::new(answer(input))))
    }

    /// Queues an answer for the next call of a step, by name.
    pub fn push(&self, step: &str, outcome: Outcome) {
        lock(&self.state).queues.entry(step.to_owned()).or_default().push_back(outcome);
    }

    /// Every call of a step, by name, asks these before it answers.
    pub fn asks(&self, step: &str, requests: Vec<ObservationRequest>) {
        lock(&self.state).asks.insert(step.to_owned(), requests);
    }

    /// All calls so far, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<(Digest, StepInput)> {
        lock(&self.state).calls.clone()
    }
}

#[async_trait]
impl StepExecutor for ScriptedExecutor {
    async fn inspect(&self, bytes: &[u8]) -> Result<Inspected, LoadError> {
        samples::inspected(bytes)
    }

    async fn invoke(
        &self,
        digest: Digest,
        _grant: &Grant,
        input: StepInput,
        observer: &dyn Observer,
    ) -> Invocation {
        let (queued, asks) = {
            let mut state = lock(&self.state);
            state.calls.push((digest, input.clone()));
            let step = &input.step.name;
            let queued = state.queues.get_mut(step).and_then(VecDeque::pop_front);
            (queued, state.asks.get(step).cloned().unwrap_or_default())
        };
        let mut observations = Vec::new();
        for request in asks {
            let answer = observer.observe(&request).await;
            observations.push(Observation { request, answer });
        }
        let outcome = queued.unwrap_or_else(|| (self.answer)(&input));
        Invocation {
            digest,
            fingerprint: self.fingerprint(),
            input,
            observations,
            logs: Vec::new(),
            outcome,
            fuel: FUEL,
            peak_memory: 0,
        }
    }

    async fn migrate(&self, digest: Digest, from_version: u32, state: &JsonText) -> Result<JsonText, Fault> {
        (self.migrate)(digest, from_version, state)
    }

    fn fingerprint(&self) -> Digest {
        Digest::of(b"scripted")
    }
}
