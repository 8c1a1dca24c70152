//! Credentials people keep with the host, encrypted in its data folder, and their leases to runs.

mod seal;
mod vault;

use crate::files::create_private_dir;
use crate::git::SetupError;
use async_trait::async_trait;
use lockstep_ports::{Clock, CredentialError, Credentials, Secret};
use lockstep_types::{RunId, Timestamp};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use vault::Vault;

/// Keeps credentials in files below the data folder. Implements `Credentials`; cheap to clone.
///
/// They are encrypted by a key that lies beside them and that only this user can read: a copy of the records is worth
/// nothing without it. With a password they are encrypted by that as well, and the host cannot open them by itself. A
/// lease is a copy for one run, without the password's layer and with an end.
#[derive(Clone)]
pub struct LocalCredentials {
    vault: Arc<Mutex<Vault>>,
    clock: Arc<dyn Clock>,
}

impl LocalCredentials {
    /// Credentials kept below `data_dir`. The key is made when the first is set.
    ///
    /// # Errors
    /// If the folder cannot be created.
    pub fn new(data_dir: &Path, clock: Arc<dyn Clock>) -> Result<Self, SetupError> {
        let folder = data_dir.join("credentials");
        create_private_dir(&folder)
            .map_err(|source| SetupError { path: folder.display().to_string(), source })?;
        Ok(Self { vault: Arc::new(Mutex::new(Vault::new(folder))), clock })
    }

    /// Works on the files, one at a time and off the threads that drive everything else.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Vault, Timestamp) -> Result<T, CredentialError> + Send + 'static,
    ) -> Result<T, CredentialError> {
        let (vault, now) = (Arc::clone(&self.vault), self.clock.now());
        let worked = tokio::task::spawn_blocking(move || {
            let vault = vault.lock().unwrap_or_else(PoisonError::into_inner);
            work(&vault, now)
        });
        worked.await.unwrap_or_else(|lost| {
            Err(CredentialError::Store {
                path: "the data folder".to_owned(),
                hint: "see the host's log".to_owned(),
                source: std::io::Error::other(lost),
            })
        })
    }

    async fn quietly(
        &self,
        what: &str,
        work: impl FnOnce(&Vault, Timestamp) -> Result<(), CredentialError> + Send + 'static,
    ) {
        if let Err(error) = self.with(work).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "{what}");
        }
    }
}

#[async_trait]
impl Credentials for LocalCredentials {
    async fn set(
        &self,
        owner: &str,
        name: &str,
        value: Secret,
        password: Option<Secret>,
    ) -> Result<(), CredentialError> {
        let (owner, name) = (owner.to_owned(), name.to_owned());
        self.with(move |vault, _| vault.set(&owner, &name, &value, password.as_ref())).await
    }

    async fn names(&self, owner: &str) -> Result<Vec<String>, CredentialError> {
        let owner = owner.to_owned();
        self.with(move |vault, _| vault.names(&owner)).await
    }

    async fn remove(&self, owner: &str, name: &str) -> Result<bool, CredentialError> {
        let (owner, name) = (owner.to_owned(), name.to_owned());
        self.with(move |vault, _| vault.remove(&owner, &name)).await
    }

    async fn check(
        &self,
        owner: &str,
        names: &[String],
        password: Option<Secret>,
    ) -> Result<(), CredentialError> {
        let (owner, names) = (owner.to_owned(), names.to_vec());
        self.with(move |vault, _| vault.values(&owner, &names, password.as_ref()).map(drop)).await
    }

    async fn lease(
        &self,
        run: &RunId,
        owner: &str,
        names: &[String],
        password: Option<Secret>,
    ) -> Result<(), CredentialError> {
        let (run, owner, names) = (run.clone(), owner.to_owned(), names.to_vec());
        self.with(move |vault, now| vault.lease(&run, &owner, &names, password.as_ref(), now)).await?;
        // What runs left that a host did not come to end.
        self.sweep().await;
        Ok(())
    }

    async fn give(&self, run: &RunId, name: &str) -> Result<Secret, CredentialError> {
        let (run, name) = (run.clone(), name.to_owned());
        self.with(move |vault, now| vault.give(&run, &name, now)).await
    }

    async fn extend(&self, run: &RunId) {
        let run = run.clone();
        self.quietly("a lease of credentials could not be extended", move |vault, now| {
            vault.extend(&run, now)
        })
        .await;
    }

    async fn end(&self, run: &RunId) {
        let run = run.clone();
        self.quietly("a lease of credentials could not be deleted", move |vault, _| vault.end(&run)).await;
    }

    async fn sweep(&self) {
        self.quietly("leases that are over could not be deleted", Vault::sweep).await;
    }
}
