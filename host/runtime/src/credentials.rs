//! The credentials of runs: leased before a run is stored, deleted when it has ended (SPEC PC-5 to PC-7).

use crate::runtime::Shared;
use lockstep_ports::{CredentialError, ServiceError};
use lockstep_types::{JobCommand, Rejected, RunSpec, credentials_of};
use std::collections::BTreeMap;

impl Shared {
    /// Whether a run with these jobs could have what it needs, for a start that changes something before it leases.
    pub(crate) async fn check_credentials(
        &self,
        jobs: &BTreeMap<String, JobCommand>,
        owner: &str,
    ) -> Result<(), CredentialError> {
        let names = credentials_of(jobs);
        if names.is_empty() { Ok(()) } else { self.outside.credentials.check(owner, &names, None).await }
    }

    /// Leases what a run needs of its initiator, in place of what it had. An error leaves everything as it was.
    pub(crate) async fn lease(&self, spec: &RunSpec) -> Result<(), CredentialError> {
        let names = spec.pipeline.credentials();
        if names.is_empty() {
            return Ok(());
        }
        self.outside.credentials.lease(&spec.id, &spec.initiator, &names, None).await
    }

    /// A person has done something with a run.
    pub(crate) async fn extend_lease(&self, spec: &RunSpec) {
        if !spec.pipeline.credentials().is_empty() {
            self.outside.credentials.extend(&spec.id).await;
        }
    }

    /// Nobody works for the run any more.
    pub(crate) async fn end_lease(&self, spec: &RunSpec) {
        if !spec.pipeline.credentials().is_empty() {
            self.outside.credentials.end(&spec.id).await;
        }
    }
}

/// A refusal for want of a credential is one that the person can do something about.
pub(crate) fn refused(error: &CredentialError) -> ServiceError {
    match error {
        CredentialError::Store { .. } => ServiceError::Unavailable(crate::service::chain(error)),
        CredentialError::Invalid { .. } => ServiceError::Invalid(error.to_string()),
        _ => ServiceError::Conflict(error.to_string()),
    }
}

/// The same, for an input that is not taken.
pub(crate) fn not_taken(error: &CredentialError) -> Rejected {
    Rejected::Conflict(crate::service::chain(error))
}
