use crate::{Script, lock};
use async_trait::async_trait;
use lockstep_ports::{Effects, Jobs};
use lockstep_types::{
    EffectKey, EffectOrder, EffectOutcome, JobCommand, JobKey, JobOrder, JobOutcome, ProviderCommand, RunId,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use tokio::sync::watch;

/// An executor that ends jobs as scripted for their kind, or when the test says so. A key is carried out once, however
/// often it arrives.
#[derive(Debug, Default)]
pub struct FakeJobs(Mutex<JobState>);

#[derive(Debug, Default)]
struct JobState {
    scripts: BTreeMap<String, Script<JobOutcome>>,
    held: BTreeSet<String>,
    jobs: BTreeMap<JobKey, watch::Sender<Option<JobOutcome>>>,
    orders: Vec<JobOrder>,
    arrivals: BTreeMap<JobKey, u32>,
    stopped: Vec<JobKey>,
}

impl FakeJobs {
    /// An executor that carries out nothing yet: every kind is `NotConfigured`.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the jobs of a kind this way, one after another; the last outcome repeats.
    pub fn script(&self, kind: &str, outcomes: impl IntoIterator<Item = JobOutcome>) {
        lock(&self.0).scripts.insert(kind.to_owned(), Script::new(outcomes));
    }

    /// Jobs of a kind go on until the test settles them.
    pub fn hold(&self, kind: &str) {
        lock(&self.0).held.insert(kind.to_owned());
    }

    /// Ends a job under way. False if there is none.
    pub fn settle(&self, key: &JobKey, outcome: JobOutcome) -> bool {
        let state = lock(&self.0);
        state.jobs.get(key).is_some_and(|job| end(job, outcome))
    }

    /// The jobs begun, in order: each key once.
    #[must_use]
    pub fn orders(&self) -> Vec<JobOrder> {
        lock(&self.0).orders.clone()
    }

    /// How often each key arrived.
    #[must_use]
    pub fn arrivals(&self) -> BTreeMap<JobKey, u32> {
        lock(&self.0).arrivals.clone()
    }

    /// Keys under way.
    #[must_use]
    pub fn under_way(&self) -> Vec<JobKey> {
        let state = lock(&self.0);
        state.jobs.iter().filter(|(_, job)| job.borrow().is_none()).map(|(key, _)| key.clone()).collect()
    }

    /// Keys that were stopped while under way.
    #[must_use]
    pub fn stopped(&self) -> Vec<JobKey> {
        lock(&self.0).stopped.clone()
    }
}

/// Sets the outcome of a job that has none.
fn end(job: &watch::Sender<Option<JobOutcome>>, outcome: JobOutcome) -> bool {
    job.send_if_modified(|settled| {
        let is_open = settled.is_none();
        if is_open {
            *settled = Some(outcome);
        }
        is_open
    })
}

impl JobState {
    fn begin(&mut self, order: &JobOrder) -> watch::Sender<Option<JobOutcome>> {
        *self.arrivals.entry(order.key.clone()).or_default() += 1;
        if let Some(job) = self.jobs.get(&order.key) {
            return job.clone();
        }
        self.orders.push(order.clone());
        let outcome = if self.held.contains(&order.kind) {
            None
        } else {
            let scripted = self.scripts.get_mut(&order.kind).and_then(Script::next_answer);
            Some(
                scripted
                    .unwrap_or_else(|| JobOutcome::NotConfigured(format!("no script for {}", order.kind))),
            )
        };
        let job = watch::Sender::new(outcome);
        self.jobs.insert(order.key.clone(), job.clone());
        job
    }

    fn stop(&mut self, key: &JobKey) {
        if self.jobs.get(key).is_some_and(|job| end(job, JobOutcome::Failed("stopped".to_owned()))) {
            self.stopped.push(key.clone());
        }
    }
}

#[async_trait]
impl Jobs for FakeJobs {
    async fn carry_out(&self, order: &JobOrder, _command: Option<&JobCommand>) -> JobOutcome {
        let mut job = lock(&self.0).begin(order).subscribe();
        let settled = job.wait_for(Option::is_some).await.map(|outcome| outcome.clone());
        settled.ok().flatten().unwrap_or_else(|| JobOutcome::Failed("the executor is gone".to_owned()))
    }

    async fn stop(&self, key: &JobKey) {
        lock(&self.0).stop(key);
    }

    async fn sweep(&self, wanted: &BTreeSet<JobKey>) {
        let mut state = lock(&self.0);
        let unwanted: Vec<_> = state.jobs.keys().filter(|key| !wanted.contains(key)).cloned().collect();
        for key in unwanted {
            state.stop(&key);
        }
    }

    async fn log_tail(&self, key: &JobKey, limit: usize) -> Option<String> {
        lock(&self.0).jobs.contains_key(key).then(|| format!("log of {key}").chars().take(limit).collect())
    }

    async fn forget(&self, run: &RunId) {
        lock(&self.0).jobs.retain(|key, _| key.run != *run);
    }
}

/// Performs effects as scripted for their name. A key is performed once, however often it arrives.
#[derive(Debug, Default)]
pub struct FakeEffects(Mutex<EffectState>);

#[derive(Debug, Default)]
struct EffectState {
    scripts: BTreeMap<String, Script<EffectOutcome>>,
    outcomes: BTreeMap<EffectKey, EffectOutcome>,
    performed: Vec<EffectOrder>,
    arrivals: BTreeMap<EffectKey, u32>,
}

impl FakeEffects {
    /// A provider that performs nothing yet: every effect is `NotConfigured`.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the effects of a name this way, one after another; the last outcome repeats.
    pub fn script(&self, name: &str, outcomes: impl IntoIterator<Item = EffectOutcome>) {
        lock(&self.0).scripts.insert(name.to_owned(), Script::new(outcomes));
    }

    /// The effects performed, in order: each key once.
    #[must_use]
    pub fn performed(&self) -> Vec<EffectOrder> {
        lock(&self.0).performed.clone()
    }

    /// How often each key arrived.
    #[must_use]
    pub fn arrivals(&self) -> BTreeMap<EffectKey, u32> {
        lock(&self.0).arrivals.clone()
    }
}

#[async_trait]
impl Effects for FakeEffects {
    async fn perform(&self, order: &EffectOrder, _command: Option<&ProviderCommand>) -> EffectOutcome {
        let mut state = lock(&self.0);
        *state.arrivals.entry(order.key.clone()).or_default() += 1;
        if let Some(outcome) = state.outcomes.get(&order.key) {
            return outcome.clone();
        }
        let name = order.effect.name();
        let scripted = state.scripts.get_mut(name).and_then(Script::next_answer);
        let outcome =
            scripted.unwrap_or_else(|| EffectOutcome::NotConfigured(format!("no script for {name}")));
        state.performed.push(order.clone());
        state.outcomes.insert(order.key.clone(), outcome.clone());
        outcome
    }

    async fn forget(&self, run: &RunId) {
        lock(&self.0).outcomes.retain(|key, _| key.run != *run);
    }
}
