//! A world outside that is late, forgets, and does what it was asked without the answer arriving.

use crate::executor::TICK_MS;
use crate::random::{Random, mix};
use async_trait::async_trait;
use lockstep_ports::{ChangeSource, ChangeSourceError, Clock, Effects, Jobs};
use lockstep_testkit::{FakeChangeSource, FakeEffects, SimClock};
use lockstep_types::{
    Change, EffectKey, EffectOrder, EffectOutcome, JobCommand, JobKey, JobOrder, JobOutcome, JobResult,
    ProviderCommand, RunId, Timestamp, Usage,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Ticks of a usual job at most, and milliseconds of one that is very late.
const JOB_TICKS: u64 = 20;
const LATE_JOB_MS: u64 = 3_600_000;
/// Ticks on the way to an effect at most, and again on the way back.
const EFFECT_TICKS: u64 = 3;
/// Percent of the jobs under way that are lost when their machine goes down.
const LOST_PERCENT: u64 = 30;
/// Percent of the times at which a repository cannot be read.
const FAILING_PERCENT: u64 = 8;

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An executor that outlives the host and knows its jobs by their key.
pub(crate) struct SimJobs {
    seed: u64,
    clock: Arc<SimClock>,
    state: Mutex<JobState>,
}

#[derive(Default)]
struct JobState {
    jobs: BTreeMap<JobKey, Job>,
    begun: BTreeMap<JobKey, u32>,
}

struct Job {
    due: Timestamp,
    outcome: JobOutcome,
}

impl SimJobs {
    pub(crate) fn new(seed: u64, clock: Arc<SimClock>) -> Self {
        Self { seed, clock, state: Mutex::default() }
    }

    /// The machine of some jobs goes down with all they did.
    pub(crate) fn lose(&self, random: &mut Random) {
        let now = self.clock.now();
        lock(&self.state).jobs.retain(|_, job| job.due <= now || !random.chance(LOST_PERCENT));
    }

    pub(crate) fn under_way(&self) -> Vec<JobKey> {
        let now = self.clock.now();
        let state = lock(&self.state);
        state.jobs.iter().filter(|(_, job)| job.due > now).map(|(key, _)| key.clone()).collect()
    }

    /// Every key that ever arrived, and how often its job was begun.
    pub(crate) fn begun(&self) -> BTreeMap<JobKey, u32> {
        lock(&self.state).begun.clone()
    }

    /// What the executor says of a key, now and for ever.
    pub(crate) fn outcome(&self, key: &JobKey) -> Option<JobOutcome> {
        lock(&self.state).jobs.get(key).map(|job| job.outcome.clone())
    }

    fn begin(&self, key: &JobKey) -> Timestamp {
        let mut state = lock(&self.state);
        if let Some(job) = state.jobs.get(key) {
            return job.due;
        }
        let times = state.begun.entry(key.clone()).or_default();
        *times += 1;
        let roll = mix(self.seed, &["job", &key.to_string(), &times.to_string()]);
        let ms = if roll.is_multiple_of(10) { LATE_JOB_MS } else { TICK_MS * (roll % JOB_TICKS) };
        let job = Job { due: self.clock.now().plus_ms(ms), outcome: job_outcome(roll) };
        let due = job.due;
        state.jobs.insert(key.clone(), job);
        due
    }
}

fn job_outcome(roll: u64) -> JobOutcome {
    let evicted = |transient| JobOutcome::Evicted { transient, message: "the machine went away".to_owned() };
    match roll / JOB_TICKS % 100 {
        0..75 => JobOutcome::Done(JobResult {
            output: format!("result {}", roll % 1000),
            usage: roll
                .is_multiple_of(2)
                .then_some(Usage { input_tokens: roll % 3_000_000, output_tokens: roll / 7 % 900_000 }),
            head_commit: roll.is_multiple_of(3).then(|| format!("{roll:040x}")),
            ..JobResult::default()
        }),
        75..86 => JobOutcome::Failed("the job failed".to_owned()),
        86..96 => evicted(true),
        _ => evicted(false),
    }
}

#[async_trait]
impl Jobs for SimJobs {
    async fn carry_out(&self, order: &JobOrder, _command: Option<&JobCommand>) -> JobOutcome {
        // A job that was lost meanwhile is begun anew, as the port wants it.
        loop {
            let due = self.begin(&order.key);
            self.clock.sleep_until(due).await;
            let state = lock(&self.state);
            match state.jobs.get(&order.key) {
                Some(job) if job.due <= self.clock.now() => return job.outcome.clone(),
                _ => {}
            }
        }
    }

    async fn stop(&self, key: &JobKey) {
        let now = self.clock.now();
        if let Some(job) = lock(&self.state).jobs.get_mut(key).filter(|job| job.due > now) {
            *job = Job { due: now, outcome: JobOutcome::Failed("stopped".to_owned()) };
        }
    }

    async fn sweep(&self, wanted: &BTreeSet<JobKey>) {
        for key in self.under_way() {
            if !wanted.contains(&key) {
                self.stop(&key).await;
            }
        }
    }

    async fn log_tail(&self, _key: &JobKey, _limit: usize) -> Option<String> {
        None
    }

    async fn forget(&self, run: &RunId) {
        lock(&self.state).jobs.retain(|key, _| key.run != *run);
    }
}

/// A repository that now and then cannot be read.
pub(crate) struct SimChanges {
    pub(crate) is_failing: AtomicBool,
    fake: FakeChangeSource,
    random: Mutex<Random>,
}

impl SimChanges {
    pub(crate) fn new(seed: u64) -> Self {
        let random = Mutex::new(Random::new(mix(seed, &["changes"])));
        Self { is_failing: AtomicBool::new(true), fake: FakeChangeSource::default(), random }
    }
}

#[async_trait]
impl ChangeSource for SimChanges {
    async fn resolve(
        &self,
        repository: &str,
        head: &str,
        base: Option<&str>,
    ) -> Result<Change, ChangeSourceError> {
        if self.is_failing.load(Ordering::Relaxed) && lock(&self.random).chance(FAILING_PERCENT) {
            let (repository, reason) = (repository.to_owned(), "simulated failure".to_owned());
            return Err(ChangeSourceError::Git { repository, reason });
        }
        self.fake.resolve(repository, head, base).await
    }

    async fn subject(&self, change: &Change) -> Option<String> {
        self.fake.subject(change).await
    }
}

/// Effects that take time before and after they are performed, so that a crash may come between the two.
pub(crate) struct SimEffects {
    pub(crate) fake: FakeEffects,
    seed: u64,
    clock: Arc<SimClock>,
    outcomes: Mutex<BTreeMap<EffectKey, EffectOutcome>>,
}

impl SimEffects {
    pub(crate) fn new(seed: u64, clock: Arc<SimClock>) -> Self {
        let fake = FakeEffects::new();
        let mut random = Random::new(mix(seed, &["effects"]));
        for name in ["merge", "open-ticket"] {
            let outcome = |roll: u64| match roll {
                0..10 => EffectOutcome::Failed("try again".to_owned()),
                10..15 => EffectOutcome::Refused("not like this".to_owned()),
                _ => EffectOutcome::Done(lockstep_types::JsonText::of(&roll)),
            };
            fake.script(name, (0..30).map(|_| outcome(random.below(100))));
        }
        Self { fake, seed, clock, outcomes: Mutex::default() }
    }

    /// What came of a key that was performed.
    pub(crate) fn outcome(&self, key: &EffectKey) -> Option<EffectOutcome> {
        lock(&self.outcomes).get(key).cloned()
    }

    async fn way(&self, key: &EffectKey, what: &str) {
        let ms = TICK_MS * (mix(self.seed, &[what, &key.to_string()]) % EFFECT_TICKS);
        self.clock.sleep_until(self.clock.now().plus_ms(ms)).await;
    }
}

#[async_trait]
impl Effects for SimEffects {
    async fn perform(&self, order: &EffectOrder, command: Option<&ProviderCommand>) -> EffectOutcome {
        self.way(&order.key, "there").await;
        let outcome = self.fake.perform(order, command).await;
        lock(&self.outcomes).insert(order.key.clone(), outcome.clone());
        self.way(&order.key, "back").await;
        outcome
    }

    async fn forget(&self, run: &RunId) {
        self.fake.forget(run).await;
    }
}
