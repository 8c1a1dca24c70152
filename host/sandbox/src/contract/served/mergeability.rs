use super::bindings::{mergeability, types::ObserveError};
use super::observe_error;
use crate::state::HostState;
use lockstep_types::{ObservationAnswer, ObservationRequest};

impl mergeability::Host for HostState {
    async fn read(&mut self) -> wasmtime::Result<Result<mergeability::Report, ObserveError>> {
        Ok(match self.observe(ObservationRequest::Mergeability).await? {
            ObservationAnswer::Mergeability(report) => Ok(report.into()),
            other => Err(observe_error(other)),
        })
    }
}
