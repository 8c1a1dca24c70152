use crate::ComponentStoreError;
use async_trait::async_trait;
use lockstep_types::{Digest, DirSnapshot};

/// Keeps the granted directories, each as it was when it was granted, beside the components.
#[async_trait]
pub trait DirStore: Send + Sync {
    /// Keeps a snapshot; one that is there already is left as it is. It is durable when this returns.
    ///
    /// # Errors
    /// If it cannot be written.
    async fn keep_dir(&self, snapshot: DirSnapshot) -> Result<Digest, ComponentStoreError>;

    /// The snapshot of that digest; none if it is not kept here.
    ///
    /// # Errors
    /// If it cannot be read, or is not any more what was kept.
    async fn dir(&self, digest: &Digest) -> Result<Option<DirSnapshot>, ComponentStoreError>;
}
