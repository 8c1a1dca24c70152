//! Components for a simulation, kept in memory.

use crate::{Kind, Kinds, SimulationError};
use async_trait::async_trait;
use lockstep_ports::{ComponentStore, ComponentStoreError, RegistryChange, StepExecutor};
use lockstep_types::{
    Activation, AuditEntry, ComponentInfo, Digest, DirSnapshot, Grant, Pin, Registry, Timestamp,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The components an executor finds. No kind points to any of them: a simulation says itself which it uses.
#[derive(Debug, Default)]
pub struct MemoryComponents(Mutex<BTreeMap<Digest, (ComponentInfo, Vec<u8>)>>);

impl MemoryComponents {
    fn components(&self) -> MutexGuard<'_, BTreeMap<Digest, (ComponentInfo, Vec<u8>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a component under its own kind, or under another one, with the grant it asks for. `name` is for messages.
    ///
    /// # Errors
    /// `Scenario` says why it cannot be used.
    pub async fn add(
        &self,
        executor: &dyn StepExecutor,
        kinds: &mut Kinds,
        kind: Option<&str>,
        name: &str,
        bytes: Vec<u8>,
    ) -> Result<(), SimulationError> {
        let unusable = |reason: String| SimulationError::Scenario(format!("{name}: {reason}"));
        let inspected = executor.inspect(&bytes).await.map_err(|error| unusable(error.to_string()))?;
        let (digest, imports, descriptor) = (inspected.digest, inspected.imports, inspected.descriptor);
        let size = bytes.len() as u64;
        let info = ComponentInfo {
            digest,
            size,
            world: inspected.world,
            imports: imports.clone(),
            descriptor: descriptor.clone(),
            added_at: Timestamp(0),
        };
        self.components().insert(digest, (info, bytes));
        let (jobs, effects) = (descriptor.jobs.clone(), descriptor.effects.clone());
        let grant = Grant { imports, jobs, effects, dirs: Vec::new() };
        let pin = Pin { digest, grant: Arc::new(grant), access: descriptor.access, is_canary: false };
        let kind = kind.unwrap_or(&descriptor.kind).to_owned();
        kinds.0.insert(kind, Kind { pin, descriptor });
        Ok(())
    }
}

#[async_trait]
impl ComponentStore for MemoryComponents {
    async fn change(
        &self,
        _changes: Vec<RegistryChange>,
        _entry: AuditEntry,
    ) -> Result<(), ComponentStoreError> {
        let source = "a simulation has no pointers to move".into();
        Err(ComponentStoreError::Io { operation: "change the registry of components", source })
    }

    async fn bytes(&self, digest: &Digest) -> Result<Option<Vec<u8>>, ComponentStoreError> {
        Ok(self.components().get(digest).map(|(_, bytes)| bytes.clone()))
    }

    async fn info(&self, digest: &Digest) -> Result<Option<ComponentInfo>, ComponentStoreError> {
        Ok(self.components().get(digest).map(|(info, _)| info.clone()))
    }

    async fn list(&self) -> Result<Vec<ComponentInfo>, ComponentStoreError> {
        Ok(self.components().values().map(|(info, _)| info.clone()).collect())
    }

    async fn registry(&self) -> Result<Registry, ComponentStoreError> {
        Ok(Registry::default())
    }

    async fn audit(&self, _last: usize) -> Result<Vec<AuditEntry>, ComponentStoreError> {
        Ok(Vec::new())
    }

    async fn history(&self, _kind: &str) -> Result<Vec<Activation>, ComponentStoreError> {
        Ok(Vec::new())
    }

    async fn keep_dir(&self, _snapshot: DirSnapshot) -> Result<Digest, ComponentStoreError> {
        let source = "a simulation grants no directories".into();
        Err(ComponentStoreError::Io { operation: "keep a directory", source })
    }

    async fn dir(&self, _digest: &Digest) -> Result<Option<DirSnapshot>, ComponentStoreError> {
        Ok(None)
    }

    async fn dirs(&self) -> Result<Vec<Digest>, ComponentStoreError> {
        Ok(Vec::new())
    }

    async fn forget_dir(&self, _digest: &Digest) -> Result<(), ComponentStoreError> {
        Ok(())
    }
}
