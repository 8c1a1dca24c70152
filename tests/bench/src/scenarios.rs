//! The conformance scenarios as a measure of the engine: with the real components, and with components that answer from
//! what was recorded.

use anyhow::{Context, Result, anyhow};
use async_trait::async_trait;
use lockstep_conformance::{Components, path, run, scenario_names};
use lockstep_ports::{Inspected, LoadError, Observer, StepExecutor};
use lockstep_simulator::{Scenario, simulate};
use lockstep_types::{Digest, Fault, Invocation, JsonText, StepInput};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Scenarios a second.
pub(crate) struct Rates {
    pub(crate) scenarios: usize,
    /// Loading and compiling the components, from the cache where it is warm.
    pub(crate) load: Duration,
    /// All scenarios once, with the real components.
    pub(crate) once: Duration,
    /// Scenarios a second with components that answer from a record.
    pub(crate) scripted: f64,
}

/// Runs all scenarios once with the real components, then for `time` with recorded ones.
pub(crate) async fn measure(time: Duration) -> Result<Rates> {
    let begun = Instant::now();
    let components = Components::load().await.map_err(|error| anyhow!(error))?;
    let load = begun.elapsed();
    let mut scenarios = Vec::new();
    for name in scenario_names()? {
        let text = std::fs::read_to_string(path(&format!("scenarios/{name}.json")))?;
        scenarios.push(Scenario::read(&text).with_context(|| name)?);
    }
    let begun = Instant::now();
    for scenario in &scenarios {
        run(scenario, &components).await?;
    }
    let once = begun.elapsed();
    let mut records = Vec::new();
    for scenario in &scenarios {
        let recorder = Recorder { inner: &components.sandbox, calls: Mutex::default() };
        simulate(scenario, &components.kinds, &recorder, None).await?;
        records.push(recorder.calls.into_inner().unwrap_or_else(PoisonError::into_inner));
    }
    let (begun, mut count) = (Instant::now(), 0_u32);
    while begun.elapsed() < time {
        for (scenario, calls) in scenarios.iter().zip(&records) {
            let scripted =
                Scripted { fingerprint: components.sandbox.fingerprint(), calls, next: Mutex::new(0) };
            simulate(scenario, &components.kinds, &scripted, None).await?;
            count += 1;
        }
    }
    let scripted = f64::from(count) / begun.elapsed().as_secs_f64();
    Ok(Rates { scenarios: scenarios.len(), load, once, scripted })
}

/// Calls the real components and keeps what they answered.
struct Recorder<'a> {
    inner: &'a dyn StepExecutor,
    calls: Mutex<Vec<Invocation>>,
}

/// Answers what was kept, call by call.
struct Scripted<'a> {
    fingerprint: Digest,
    calls: &'a [Invocation],
    next: Mutex<usize>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl StepExecutor for Recorder<'_> {
    async fn inspect(&self, bytes: &[u8]) -> Result<Inspected, LoadError> {
        self.inner.inspect(bytes).await
    }

    async fn invoke(
        &self,
        digest: Digest,
        imports: &[String],
        input: StepInput,
        observer: &dyn Observer,
    ) -> Invocation {
        let invocation = self.inner.invoke(digest, imports, input, observer).await;
        lock(&self.calls).push(invocation.clone());
        invocation
    }

    async fn migrate(&self, digest: Digest, from_version: u32, state: &JsonText) -> Result<JsonText, Fault> {
        self.inner.migrate(digest, from_version, state).await
    }

    fn fingerprint(&self) -> Digest {
        self.inner.fingerprint()
    }
}

#[async_trait]
impl StepExecutor for Scripted<'_> {
    async fn inspect(&self, _bytes: &[u8]) -> Result<Inspected, LoadError> {
        Err(LoadError::BadDescriptor { reason: "a recorded component cannot be looked at".to_owned() })
    }

    async fn invoke(
        &self,
        _digest: Digest,
        _imports: &[String],
        _input: StepInput,
        observer: &dyn Observer,
    ) -> Invocation {
        let at = {
            let mut next = lock(&self.next);
            *next += 1;
            *next - 1
        };
        let invocation = self.calls[at].clone();
        // The outside counts how often it was asked.
        for observation in &invocation.observations {
            observer.observe(&observation.request).await;
        }
        invocation
    }

    async fn migrate(
        &self,
        _digest: Digest,
        _from_version: u32,
        state: &JsonText,
    ) -> Result<JsonText, Fault> {
        Ok(state.clone())
    }

    fn fingerprint(&self) -> Digest {
        self.fingerprint
    }
}
