use super::bindings::{environments, types::ObserveError};
use super::observe_error;
use crate::state::HostState;
use lockstep_types::{ObservationAnswer, ObservationRequest};

impl environments::Host for HostState {
    async fn read(
        &mut self,
        id: String,
    ) -> wasmtime::Result<Result<Option<environments::Report>, ObserveError>> {
        self.check_length(&id)?;
        Ok(match self.observe(ObservationRequest::Environment { id }).await? {
            ObservationAnswer::Environment(report) => Ok(report.map(Into::into)),
            other => Err(observe_error(other)),
        })
    }
}
