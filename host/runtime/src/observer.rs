use crate::runtime::Outside;
use async_trait::async_trait;
use lockstep_engine::Run;
use lockstep_ports::{CheckOrder, ObservationOrder, Observer};
use lockstep_types::{
    EnvironmentReport, EnvironmentStatus, ObservationAnswer, ObservationRequest, PastAttempt, StepIx,
};

/// Answers from the world, for one step of one run.
pub(crate) struct LiveObserver<'a> {
    pub(crate) outside: &'a Outside,
    pub(crate) run: &'a Run,
    pub(crate) step: StepIx,
}

#[async_trait]
impl Observer for LiveObserver<'_> {
    async fn observe(&self, request: &ObservationRequest) -> ObservationAnswer {
        let (outside, change) = (self.outside, self.run.change());
        let failed = ObservationAnswer::Failed;
        match request {
            ObservationRequest::Checks => {
                let spec = self.run.spec();
                let order = CheckOrder {
                    run: &spec.id,
                    change,
                    title: &spec.title,
                    description: &spec.description,
                    commands: &spec.pipeline.checks,
                };
                outside.checks.read(order).await.map_or_else(failed, ObservationAnswer::Checks)
            }
            ObservationRequest::Mergeability => {
                outside.mergeability.read(change).await.map_or_else(failed, ObservationAnswer::Mergeability)
            }
            ObservationRequest::ChangedFiles => outside
                .workspace
                .changed_files(change)
                .await
                .map_or_else(failed, ObservationAnswer::ChangedFiles),
            ObservationRequest::ReadFile { path } => outside
                .workspace
                .read_file(change, path)
                .await
                .map_or_else(failed, ObservationAnswer::ReadFile),
            ObservationRequest::Diff { path } => {
                outside.workspace.diff(change, path).await.map_or_else(failed, ObservationAnswer::Diff)
            }
            ObservationRequest::ReleaseHealth { watch_since } => outside
                .observations
                .release_health(self.order(), *watch_since)
                .await
                .map_or_else(failed, ObservationAnswer::ReleaseHealth),
            ObservationRequest::Evidence { watch_since } => outside
                .observations
                .evidence(self.order(), *watch_since)
                .await
                .map_or_else(failed, ObservationAnswer::Evidence),
            ObservationRequest::Environment { id } => {
                let read = outside.observations.environment(self.order(), id).await;
                let seen =
                    |report: Option<EnvironmentReport>| report.map(|report| self.unless_expired(id, report));
                read.map(seen).map_or_else(failed, ObservationAnswer::Environment)
            }
            ObservationRequest::Attempts => ObservationAnswer::Attempts(self.attempts()),
        }
    }
}

impl LiveObserver<'_> {
    fn order(&self) -> ObservationOrder<'_> {
        let spec = self.run.spec();
        ObservationOrder { run: &spec.id, change: self.run.change(), commands: &spec.pipeline.observations }
    }

    /// An environment whose time is over is expired, whatever its provider says (SPEC DP-6). The end is the one told last:
    /// a provider that does not tell it again has not moved it.
    fn unless_expired(&self, id: &str, report: EnvironmentReport) -> EnvironmentReport {
        let held = self.run.environments().iter().rev().find(|held| held.environment.id == id);
        let told = held.and_then(|held| held.environment.report.expires_at);
        let expires_at = report.expires_at.or(told);
        let can_expire = matches!(report.status, EnvironmentStatus::Provisioning | EnvironmentStatus::Ready);
        let is_over = expires_at.is_some_and(|end| end <= self.outside.clock.now());
        let status = if can_expire && is_over { EnvironmentStatus::Expired } else { report.status };
        EnvironmentReport { status, expires_at, ..report }
    }

    fn attempts(&self) -> Vec<PastAttempt> {
        let step = self.run.steps().get(self.step);
        let attempts = step.map(|step| step.attempts.as_slice()).unwrap_or_default();
        let past = |attempt: &lockstep_engine::Attempt| PastAttempt {
            number: attempt.number,
            started_at: attempt.started_at,
            finished_at: attempt.finished_at,
            outcome: attempt.outcome.to_owned(),
            output: attempt.output.clone(),
        };
        attempts.iter().map(past).collect()
    }
}
