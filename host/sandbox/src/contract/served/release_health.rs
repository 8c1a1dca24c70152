use super::bindings::{release_health, types::ObserveError};
use super::observe_error;
use crate::state::HostState;
use lockstep_types::{ObservationAnswer, ObservationRequest, Timestamp};

impl release_health::Host for HostState {
    async fn read(
        &mut self,
        watch_since: u64,
    ) -> wasmtime::Result<Result<release_health::Report, ObserveError>> {
        let watch_since = Timestamp(watch_since);
        Ok(match self.observe(ObservationRequest::ReleaseHealth { watch_since }).await? {
            ObservationAnswer::ReleaseHealth(report) => Ok(report.into()),
            other => Err(observe_error(other)),
        })
    }

    async fn gather(
        &mut self,
        watch_since: u64,
    ) -> wasmtime::Result<Result<release_health::Evidence, ObserveError>> {
        let watch_since = Timestamp(watch_since);
        Ok(match self.observe(ObservationRequest::Evidence { watch_since }).await? {
            ObservationAnswer::Evidence(evidence) => Ok(evidence.into()),
            other => Err(observe_error(other)),
        })
    }
}
