use crate::lock;
use async_trait::async_trait;
use lockstep_ports::{CredentialError, Credentials, Secret};
use lockstep_types::RunId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

/// Credentials in memory. Their leases have no end of their own.
#[derive(Debug, Default)]
pub struct FakeCredentials(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    kept: BTreeMap<(String, String), Secret>,
    leases: BTreeMap<RunId, BTreeMap<String, Secret>>,
    extended: Vec<RunId>,
}

impl FakeCredentials {
    /// Names leased to each run.
    #[must_use]
    pub fn leases(&self) -> BTreeMap<RunId, BTreeSet<String>> {
        let state = lock(&self.0);
        state.leases.iter().map(|(run, values)| (run.clone(), values.keys().cloned().collect())).collect()
    }

    /// Runs whose leases were to be extended, in order.
    #[must_use]
    pub fn extended(&self) -> Vec<RunId> {
        lock(&self.0).extended.clone()
    }
}

impl State {
    fn values(&self, owner: &str, names: &[String]) -> Result<BTreeMap<String, Secret>, CredentialError> {
        let value = |name: &String| {
            let missing = || CredentialError::Missing { owner: owner.to_owned(), name: name.clone() };
            let value = self.kept.get(&(owner.to_owned(), name.clone())).ok_or_else(missing)?;
            Ok((name.clone(), value.clone()))
        };
        names.iter().map(value).collect()
    }
}

#[async_trait]
impl Credentials for FakeCredentials {
    async fn set(
        &self,
        owner: &str,
        name: &str,
        value: Secret,
        _password: Option<Secret>,
    ) -> Result<(), CredentialError> {
        lock(&self.0).kept.insert((owner.to_owned(), name.to_owned()), value);
        Ok(())
    }

    async fn names(&self, owner: &str) -> Result<Vec<String>, CredentialError> {
        let state = lock(&self.0);
        let names = state.kept.keys().filter(|(of, _)| of == owner);
        Ok(names.map(|(_, name)| name.clone()).collect())
    }

    async fn remove(&self, owner: &str, name: &str) -> Result<bool, CredentialError> {
        Ok(lock(&self.0).kept.remove(&(owner.to_owned(), name.to_owned())).is_some())
    }

    async fn check(
        &self,
        owner: &str,
        names: &[String],
        _password: Option<Secret>,
    ) -> Result<(), CredentialError> {
        lock(&self.0).values(owner, names).map(drop)
    }

    async fn lease(
        &self,
        run: &RunId,
        owner: &str,
        names: &[String],
        _password: Option<Secret>,
    ) -> Result<(), CredentialError> {
        let mut state = lock(&self.0);
        let values = state.values(owner, names)?;
        state.leases.insert(run.clone(), values);
        Ok(())
    }

    async fn give(&self, run: &RunId, name: &str) -> Result<Secret, CredentialError> {
        let state = lock(&self.0);
        let value = state.leases.get(run).and_then(|values| values.get(name)).cloned();
        value.ok_or_else(|| CredentialError::NotLeased { run: run.clone(), name: name.to_owned() })
    }

    async fn extend(&self, run: &RunId) {
        lock(&self.0).extended.push(run.clone());
    }

    async fn end(&self, run: &RunId) {
        lock(&self.0).leases.remove(run);
    }

    async fn sweep(&self) {}
}
