use async_trait::async_trait;
use lockstep_types::{
    Activation, AuditEntry, Canary, ComponentInfo, Digest, DirSnapshot, KindGrant, Registry, Signature, Stop,
    Trust,
};

/// Why the component store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ComponentStoreError {
    /// The store failed.
    #[error("cannot {operation} in the component store")]
    Io {
        /// What was being done.
        operation: &'static str,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What is stored is not what was put in.
    #[error("component {digest} in the store is damaged: repair it with `lockstep component add FILE`")]
    Damaged {
        /// Which.
        digest: Digest,
    },
    /// A granted directory is not what was put in.
    #[error("the granted directory {digest} in the store is damaged: grant it again")]
    DamagedDir {
        /// Which.
        digest: Digest,
    },
    /// A stored value cannot be read.
    #[error("{what} in the component store is damaged")]
    Unreadable {
        /// Which value.
        what: String,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// One thing that changes in the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistryChange {
    /// A component is kept; keeping it again changes nothing, but heals bytes that were damaged.
    Add {
        /// What is known of it.
        info: Box<ComponentInfo>,
        /// Its bytes, of that digest.
        bytes: Vec<u8>,
    },
    /// A component goes, with its signatures.
    Remove(Digest),
    /// A kind's pointer moves; its history grows.
    Activate(Activation),
    /// What a kind may do.
    Grant(KindGrant),
    /// A component may not be called.
    Stop(Stop),
    /// A component may be called again.
    Resume(Digest),
    /// A kind has a canary, in place of the one it had.
    Canary(Canary),
    /// A kind has none any more.
    EndCanary(String),
    /// Whose signatures count.
    Trust(Trust),
    /// A component has a signature more.
    Sign(Digest, Signature),
}

/// Components by digest, which of them each kind points to, and what else an operator said about them. Every write is
/// durable when it returns.
#[async_trait]
pub trait ComponentStore: Send + Sync {
    /// Changes the registry and writes down in the audit log who did it: all of it, or nothing. The store
    /// numbers the entry.
    ///
    /// # Errors
    /// If the store failed, or bytes do not have their digest; then nothing has changed.
    async fn change(
        &self,
        changes: Vec<RegistryChange>,
        entry: AuditEntry,
    ) -> Result<(), ComponentStoreError>;

    /// The bytes of a component, checked against their digest.
    ///
    /// # Errors
    /// If the store failed or the bytes are damaged.
    async fn bytes(&self, digest: &Digest) -> Result<Option<Vec<u8>>, ComponentStoreError>;

    /// What is known of a component.
    ///
    /// # Errors
    /// If the store failed.
    async fn info(&self, digest: &Digest) -> Result<Option<ComponentInfo>, ComponentStoreError>;

    /// All components, by digest.
    ///
    /// # Errors
    /// If the store failed.
    async fn list(&self) -> Result<Vec<ComponentInfo>, ComponentStoreError>;

    /// Everything else, as it is at one moment.
    ///
    /// # Errors
    /// If the store failed.
    async fn registry(&self) -> Result<Registry, ComponentStoreError>;

    /// Where the pointer of each kind stands, by kind.
    ///
    /// # Errors
    /// If the store failed.
    async fn active(&self) -> Result<Vec<Activation>, ComponentStoreError> {
        Ok(self.registry().await?.active)
    }

    /// Every movement of a kind's pointer, oldest first.
    ///
    /// # Errors
    /// If the store failed.
    async fn history(&self, kind: &str) -> Result<Vec<Activation>, ComponentStoreError>;

    /// The last entries of the audit log, at most so many, oldest first.
    ///
    /// # Errors
    /// If the store failed.
    async fn audit(&self, last: usize) -> Result<Vec<AuditEntry>, ComponentStoreError>;

    /// Keeps a directory as it is now, for grants; one that is kept already stays as it is.
    ///
    /// # Errors
    /// If the store failed.
    async fn keep_dir(&self, snapshot: DirSnapshot) -> Result<Digest, ComponentStoreError>;

    /// The directory of that digest, checked against it; none if it is not kept.
    ///
    /// # Errors
    /// If the store failed or what is kept is damaged.
    async fn dir(&self, digest: &Digest) -> Result<Option<DirSnapshot>, ComponentStoreError>;

    /// The digests of all directories that are kept.
    ///
    /// # Errors
    /// If the store failed.
    async fn dirs(&self) -> Result<Vec<Digest>, ComponentStoreError>;

    /// Removes a directory; one that is not kept changes nothing.
    ///
    /// # Errors
    /// If the store failed.
    async fn forget_dir(&self, digest: &Digest) -> Result<(), ComponentStoreError>;
}
