use async_trait::async_trait;
use lockstep_types::{Activation, ComponentInfo, Digest};

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
    #[error("component {digest} in the store is damaged: add it again")]
    Damaged {
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

/// Components by digest, and which of them each kind points to. Every write is durable when it returns.
#[async_trait]
pub trait ComponentStore: Send + Sync {
    /// Keeps a component; keeping it again changes nothing.
    ///
    /// # Errors
    /// If the store failed.
    async fn put(&self, info: ComponentInfo, bytes: Vec<u8>) -> Result<(), ComponentStoreError>;

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

    /// Moves a kind's pointer and adds to its history.
    ///
    /// # Errors
    /// If the store failed; then the pointer has not moved.
    async fn activate(&self, activation: Activation) -> Result<(), ComponentStoreError>;

    /// Where the pointer of each kind stands, by kind.
    ///
    /// # Errors
    /// If the store failed.
    async fn active(&self) -> Result<Vec<Activation>, ComponentStoreError>;

    /// Every movement of a kind's pointer, oldest first.
    ///
    /// # Errors
    /// If the store failed.
    async fn history(&self, kind: &str) -> Result<Vec<Activation>, ComponentStoreError>;
}
