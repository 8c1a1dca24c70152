use super::UnderWay;
use async_trait::async_trait;
use lockstep_ports::{Effects, Jobs, Measure, Meter};
use lockstep_types::{
    EffectKey, EffectOrder, EffectOutcome, JobCommand, JobKey, JobOrder, JobOutcome, JobProgress,
    ProviderCommand, RunId,
};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;
use tracing::Instrument as _;

/// Jobs that are counted.
pub struct WatchedJobs {
    inner: Arc<dyn Jobs>,
    meter: Arc<dyn Meter>,
}

impl WatchedJobs {
    /// Counts the jobs of `inner`.
    #[must_use]
    pub fn new(inner: Arc<dyn Jobs>, meter: Arc<dyn Meter>) -> Self {
        Self { inner, meter }
    }
}

#[async_trait]
impl Jobs for WatchedJobs {
    async fn carry_out(&self, order: &JobOrder, command: Option<&JobCommand>) -> JobOutcome {
        let _under_way = UnderWay::new(&self.meter, "jobs");
        let span = tracing::info_span!(target: "lockstep::trace", "job",
            run.id = order.context.run, step = order.context.step, kind = order.kind);
        let begun = Instant::now();
        let outcome = self.inner.carry_out(order, command).instrument(span).await;
        let word = match &outcome {
            JobOutcome::Done(_) => "done",
            JobOutcome::Failed(_) | JobOutcome::FailedAfterUse { .. } => "failed",
            JobOutcome::Evicted { .. } => "evicted",
            JobOutcome::NotConfigured(_) => "not-configured",
        };
        let (kind, time) = (order.kind.as_str(), begun.elapsed());
        self.meter.note(&Measure::Work { what: "job", kind, outcome: word, time });
        outcome
    }

    async fn stop(&self, key: &JobKey) {
        self.inner.stop(key).await;
    }

    async fn sweep(&self, wanted: &BTreeSet<JobKey>) {
        self.inner.sweep(wanted).await;
    }

    async fn log_tail(&self, key: &JobKey, limit: usize) -> Option<String> {
        self.inner.log_tail(key, limit).await
    }

    async fn progress(&self, key: &JobKey) -> Option<JobProgress> {
        self.inner.progress(key).await
    }

    async fn forget(&self, run: &RunId) {
        self.inner.forget(run).await;
    }
}

/// Effects that are counted.
pub struct WatchedEffects {
    inner: Arc<dyn Effects>,
    meter: Arc<dyn Meter>,
}

impl WatchedEffects {
    /// Counts the effects of `inner`.
    #[must_use]
    pub fn new(inner: Arc<dyn Effects>, meter: Arc<dyn Meter>) -> Self {
        Self { inner, meter }
    }
}

#[async_trait]
impl Effects for WatchedEffects {
    async fn perform(&self, order: &EffectOrder, command: Option<&ProviderCommand>) -> EffectOutcome {
        let _under_way = UnderWay::new(&self.meter, "effects");
        let (kind, begun) = (order.effect.name(), Instant::now());
        let span = tracing::info_span!(target: "lockstep::trace", "effect",
            run.id = order.key.run.as_str(), step = order.key.step, kind);
        let outcome = self.inner.perform(order, command).instrument(span).await;
        let word = match &outcome {
            EffectOutcome::Done(_) => "done",
            EffectOutcome::Refused(_) => "refused",
            EffectOutcome::Failed(_) => "failed",
            EffectOutcome::NotConfigured(_) => "not-configured",
        };
        self.meter.note(&Measure::Work { what: "effect", kind, outcome: word, time: begun.elapsed() });
        outcome
    }

    async fn stop(&self, key: &EffectKey) {
        self.inner.stop(key).await;
    }

    async fn sweep(&self, wanted: &BTreeSet<EffectKey>) {
        self.inner.sweep(wanted).await;
    }

    async fn forget(&self, run: &RunId) {
        self.inner.forget(run).await;
    }
}
