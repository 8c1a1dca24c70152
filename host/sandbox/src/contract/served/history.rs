use super::bindings::{history, types::ObserveError};
use super::observe_error;
use crate::state::{Breach, HostState};
use lockstep_types::{ObservationAnswer, ObservationRequest};

impl history::Host for HostState {
    /// The contract gives this call no way to fail: without an answer the component cannot go on.
    async fn attempts(&mut self) -> wasmtime::Result<Vec<history::Attempt>> {
        match self.observe(ObservationRequest::Attempts).await? {
            ObservationAnswer::Attempts(attempts) => Ok(attempts.into_iter().map(Into::into).collect()),
            other => {
                let reason = match observe_error(other) {
                    ObserveError::NotConfigured => "not configured".to_owned(),
                    ObserveError::Failed(reason) => reason,
                };
                Err(Breach::NoAttempts { reason }.into())
            }
        }
    }
}
