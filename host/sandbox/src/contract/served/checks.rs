use super::bindings::{checks, types::ObserveError};
use super::observe_error;
use crate::state::HostState;
use lockstep_types::{ObservationAnswer, ObservationRequest};

impl checks::Host for HostState {
    async fn read(&mut self) -> wasmtime::Result<Result<checks::Report, ObserveError>> {
        Ok(match self.observe(ObservationRequest::Checks).await? {
            ObservationAnswer::Checks(report) => Ok(report.into()),
            other => Err(observe_error(other)),
        })
    }
}
