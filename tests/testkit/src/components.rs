use crate::lock;
use async_trait::async_trait;
use lockstep_ports::{ComponentStore, ComponentStoreError, RegistryChange};
use lockstep_types::{
    Activation, AuditEntry, Canary, ComponentInfo, Digest, DirSnapshot, KindGrant, Registry, Signature, Stop,
    Trust,
};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// A component store in memory.
#[derive(Debug, Default)]
pub struct MemComponents(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    components: BTreeMap<Digest, (ComponentInfo, Vec<u8>)>,
    activations: Vec<Activation>,
    grants: BTreeMap<String, KindGrant>,
    stops: BTreeMap<Digest, Stop>,
    canaries: BTreeMap<String, Canary>,
    trust: Trust,
    signatures: BTreeMap<Digest, Vec<Signature>>,
    audit: Vec<AuditEntry>,
    dirs: BTreeMap<Digest, DirSnapshot>,
}

impl State {
    fn change(&mut self, change: RegistryChange) {
        match change {
            RegistryChange::Add { info, bytes } => match self.components.get_mut(&info.digest) {
                // What is known stays; damaged bytes are healed.
                Some((_, stored)) => *stored = bytes,
                None => drop(self.components.insert(info.digest, (*info, bytes))),
            },
            RegistryChange::Remove(digest) => {
                self.components.remove(&digest);
                self.signatures.remove(&digest);
            }
            RegistryChange::Activate(activation) => self.activations.push(activation),
            RegistryChange::Grant(grant) => drop(self.grants.insert(grant.kind.clone(), grant)),
            RegistryChange::Stop(stop) => drop(self.stops.insert(stop.digest, stop)),
            RegistryChange::Resume(digest) => drop(self.stops.remove(&digest)),
            RegistryChange::Canary(canary) => drop(self.canaries.insert(canary.kind.clone(), canary)),
            RegistryChange::EndCanary(kind) => drop(self.canaries.remove(&kind)),
            RegistryChange::Trust(trust) => self.trust = trust,
            RegistryChange::Sign(digest, signature) => {
                let signatures = self.signatures.entry(digest).or_default();
                signatures.retain(|stored| stored.key != signature.key);
                signatures.push(signature);
            }
        }
    }

    fn active(&self) -> Vec<Activation> {
        let last: BTreeMap<_, _> = self.activations.iter().map(|moved| (&moved.kind, moved)).collect();
        last.into_values().cloned().collect()
    }
}

impl MemComponents {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Alters the stored bytes of a component, as a failing disk would.
    pub fn damage(&self, digest: &Digest) {
        if let Some((_, bytes)) = lock(&self.0).components.get_mut(digest) {
            bytes.push(0);
        }
    }
}

#[async_trait]
impl ComponentStore for MemComponents {
    async fn change(
        &self,
        changes: Vec<RegistryChange>,
        entry: AuditEntry,
    ) -> Result<(), ComponentStoreError> {
        let is_other = |change: &RegistryChange| matches!(change, RegistryChange::Add { info, bytes } if Digest::of(bytes) != info.digest);
        if changes.iter().any(is_other) {
            let source = "its bytes have another digest".into();
            return Err(ComponentStoreError::Io { operation: "keep a component", source });
        }
        let mut state = lock(&self.0);
        changes.into_iter().for_each(|change| state.change(change));
        let number = state.audit.len() as u64 + 1;
        state.audit.push(AuditEntry { number, ..entry });
        Ok(())
    }

    async fn bytes(&self, digest: &Digest) -> Result<Option<Vec<u8>>, ComponentStoreError> {
        match lock(&self.0).components.get(digest) {
            Some((_, bytes)) if Digest::of(bytes) == *digest => Ok(Some(bytes.clone())),
            Some(_) => Err(ComponentStoreError::Damaged { digest: *digest }),
            None => Ok(None),
        }
    }

    async fn info(&self, digest: &Digest) -> Result<Option<ComponentInfo>, ComponentStoreError> {
        Ok(lock(&self.0).components.get(digest).map(|(info, _)| info.clone()))
    }

    async fn list(&self) -> Result<Vec<ComponentInfo>, ComponentStoreError> {
        Ok(lock(&self.0).components.values().map(|(info, _)| info.clone()).collect())
    }

    async fn registry(&self) -> Result<Registry, ComponentStoreError> {
        let state = lock(&self.0);
        Ok(Registry {
            active: state.active(),
            grants: state.grants.values().cloned().collect(),
            stops: state.stops.values().cloned().collect(),
            canaries: state.canaries.values().cloned().collect(),
            trust: state.trust.clone(),
            signatures: state.signatures.clone(),
        })
    }

    async fn history(&self, kind: &str) -> Result<Vec<Activation>, ComponentStoreError> {
        Ok(lock(&self.0).activations.iter().filter(|moved| moved.kind == kind).cloned().collect())
    }

    async fn audit(&self, last: usize) -> Result<Vec<AuditEntry>, ComponentStoreError> {
        let state = lock(&self.0);
        Ok(state.audit[state.audit.len().saturating_sub(last)..].to_vec())
    }

    async fn keep_dir(&self, snapshot: DirSnapshot) -> Result<Digest, ComponentStoreError> {
        let digest = snapshot.digest();
        lock(&self.0).dirs.insert(digest, snapshot);
        Ok(digest)
    }

    async fn dir(&self, digest: &Digest) -> Result<Option<DirSnapshot>, ComponentStoreError> {
        Ok(lock(&self.0).dirs.get(digest).cloned())
    }

    async fn dirs(&self) -> Result<Vec<Digest>, ComponentStoreError> {
        Ok(lock(&self.0).dirs.keys().copied().collect())
    }

    async fn forget_dir(&self, digest: &Digest) -> Result<(), ComponentStoreError> {
        lock(&self.0).dirs.remove(digest);
        Ok(())
    }
}
