use super::UnderWay;
use async_trait::async_trait;
use lockstep_ports::{Inspected, LoadError, Measure, Meter, Observer, StepExecutor};
use lockstep_types::{Digest, Fault, Grant, Invocation, JsonText, Outcome, StepInput};
use std::sync::Arc;
use std::time::Instant;
use tracing::Instrument as _;

/// An executor whose calls are counted.
pub struct WatchedExecutor<E> {
    inner: E,
    meter: Arc<dyn Meter>,
}

impl<E: StepExecutor> WatchedExecutor<E> {
    /// Counts the calls of `inner`.
    pub fn new(inner: E, meter: Arc<dyn Meter>) -> Self {
        Self { inner, meter }
    }
}

#[async_trait]
impl<E: StepExecutor> StepExecutor for WatchedExecutor<E> {
    async fn inspect(&self, bytes: &[u8]) -> Result<Inspected, LoadError> {
        self.inner.inspect(bytes).await
    }

    async fn invoke(
        &self,
        digest: Digest,
        grant: &Grant,
        input: StepInput,
        observer: &dyn Observer,
    ) -> Invocation {
        let _under_way = UnderWay::new(&self.meter, "invocations");
        let span = tracing::info_span!(target: "lockstep::trace", "component call",
            run.id = input.run.id, step = input.step.name, kind = input.step.kind, fuel = tracing::field::Empty);
        let begun = Instant::now();
        let invocation = self.inner.invoke(digest, grant, input, observer).instrument(span.clone()).await;
        span.record("fuel", invocation.fuel);
        let outcome = match &invocation.outcome {
            Outcome::Transition(_) => "transition",
            Outcome::Fault(fault) => fault.class.word(),
        };
        let (kind, fuel) = (invocation.input.step.kind.as_str(), invocation.fuel);
        self.meter.note(&Measure::Invocation { kind, outcome, fuel, time: begun.elapsed() });
        invocation
    }

    async fn migrate(&self, digest: Digest, from_version: u32, state: &JsonText) -> Result<JsonText, Fault> {
        self.inner.migrate(digest, from_version, state).await
    }

    fn limits(&self) -> Vec<(&'static str, u64)> {
        self.inner.limits()
    }

    fn fingerprint(&self) -> Digest {
        self.inner.fingerprint()
    }
}
