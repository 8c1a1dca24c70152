use super::HostState;
use crate::contract::{types::ObserveError, workspace};
use crate::convert::observe_error;
use lockstep_types::{ObservationAnswer, ObservationRequest};

impl workspace::Host for HostState {
    async fn changed_files(&mut self) -> wasmtime::Result<Result<Vec<workspace::ChangedFile>, ObserveError>> {
        Ok(match self.observe(ObservationRequest::ChangedFiles).await? {
            ObservationAnswer::ChangedFiles(files) => Ok(files.into_iter().map(Into::into).collect()),
            other => Err(observe_error(other)),
        })
    }

    async fn read_file(&mut self, path: String) -> wasmtime::Result<Result<Option<Vec<u8>>, ObserveError>> {
        self.check_length(&path)?;
        Ok(match self.observe(ObservationRequest::ReadFile { path }).await? {
            ObservationAnswer::ReadFile(content) => Ok(content),
            other => Err(observe_error(other)),
        })
    }
}
