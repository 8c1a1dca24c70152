//! What `lockstep:step@0.2.0` has of its own.

use super::bindings::types::{self as wit, ObserveError};
use super::bindings::workspace;
use super::served::{Copier, item_status_of, observe_error};
use crate::state::HostState;
use lockstep_types::{ObservationAnswer, ObservationRequest, RunInfo};

/// The run as a component of this version is told of it.
pub(super) fn run(copy: &mut Copier, run: &RunInfo) -> wit::RunInfo {
    let RunInfo {
        id,
        item,
        title,
        description,
        change,
        facts,
        outputs,
        item_status,
        documents,
        is_errand,
        initiator,
        now,
    } = run;
    wit::RunInfo {
        id: copy.text(id),
        item: copy.text(item),
        title: copy.text(title),
        description: copy.text(description),
        change: copy.change(change),
        facts: copy.list(facts, Copier::fact),
        outputs: copy.list(outputs, Copier::output),
        item_status: item_status_of(*item_status),
        documents: copy.list(documents, Copier::document),
        is_errand: *is_errand,
        initiator: copy.text(initiator),
        now: now.0,
    }
}

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

    async fn diff(&mut self, path: String) -> wasmtime::Result<Result<Option<String>, ObserveError>> {
        self.check_length(&path)?;
        Ok(match self.observe(ObservationRequest::Diff { path }).await? {
            ObservationAnswer::Diff(diff) => Ok(diff),
            other => Err(observe_error(other)),
        })
    }
}
