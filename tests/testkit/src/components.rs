use crate::lock;
use async_trait::async_trait;
use lockstep_ports::{ComponentStore, ComponentStoreError};
use lockstep_types::{Activation, ComponentInfo, Digest};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// A component store in memory.
#[derive(Debug, Default)]
pub struct MemComponents(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    components: BTreeMap<Digest, (ComponentInfo, Vec<u8>)>,
    activations: Vec<Activation>,
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
    async fn put(&self, info: ComponentInfo, bytes: Vec<u8>) -> Result<(), ComponentStoreError> {
        if Digest::of(&bytes) != info.digest {
            let source = "its bytes have another digest".into();
            return Err(ComponentStoreError::Io { operation: "keep a component", source });
        }
        let mut state = lock(&self.0);
        match state.components.get_mut(&info.digest) {
            // What is known stays; damaged bytes are healed.
            Some((_, stored)) => *stored = bytes,
            None => drop(state.components.insert(info.digest, (info, bytes))),
        }
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

    async fn activate(&self, activation: Activation) -> Result<(), ComponentStoreError> {
        lock(&self.0).activations.push(activation);
        Ok(())
    }

    async fn active(&self) -> Result<Vec<Activation>, ComponentStoreError> {
        let state = lock(&self.0);
        let last: BTreeMap<_, _> = state.activations.iter().map(|moved| (&moved.kind, moved)).collect();
        Ok(last.into_values().cloned().collect())
    }

    async fn history(&self, kind: &str) -> Result<Vec<Activation>, ComponentStoreError> {
        Ok(lock(&self.0).activations.iter().filter(|moved| moved.kind == kind).cloned().collect())
    }
}
