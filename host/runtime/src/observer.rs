use crate::runtime::Outside;
use async_trait::async_trait;
use lockstep_engine::Run;
use lockstep_ports::{CheckOrder, Observer};
use lockstep_types::{ObservationAnswer, ObservationRequest, ObserveFailure, PastAttempt, StepIx};

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
                let order = CheckOrder { run: &spec.id, change, commands: &spec.pipeline.checks };
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
            ObservationRequest::ReleaseHealth { .. }
            | ObservationRequest::Evidence { .. }
            | ObservationRequest::Environment { .. } => failed(ObserveFailure::NotConfigured),
            ObservationRequest::Attempts => ObservationAnswer::Attempts(self.attempts()),
        }
    }
}

impl LiveObserver<'_> {
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
