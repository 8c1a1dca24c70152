use crate::JournalError;
use async_trait::async_trait;
use lockstep_types::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

/// What a request that carried an idempotency key was answered, for when it comes again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// Digest of the request.
    pub request: Digest,
    /// When it came.
    pub at: Timestamp,
    /// What it was answered; none: it was not answered yet.
    #[serde(default)]
    pub answer: Option<ReplyAnswer>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyAnswer {
    /// Status.
    pub status: u16,
    /// Those headers that belong to it.
    pub headers: Vec<(String, String)>,
    /// The body, which is text.
    pub body: String,
}

/// Keeps what requests with an idempotency key were answered. Whoever uses it bounds how much it keeps.
#[async_trait]
pub trait Replies: Send + Sync {
    /// All keys that are kept, with the time of their request, in no order.
    ///
    /// # Errors
    /// If the store failed or a row is damaged.
    async fn keys(&self) -> Result<Vec<(Digest, Timestamp)>, JournalError>;

    /// What is kept under a key.
    ///
    /// # Errors
    /// If the store failed or the row is damaged.
    async fn reply(&self, key: &Digest) -> Result<Option<Reply>, JournalError>;

    /// Keeps `reply` under `key`, in place of what was there. It is durable when this returns.
    ///
    /// # Errors
    /// If it could not be written; then what was there is still there.
    async fn keep(&self, key: &Digest, reply: &Reply) -> Result<(), JournalError>;

    /// Forgets what is kept under these keys, each with the time of its request.
    ///
    /// # Errors
    /// If it could not be written; then all of it is still there.
    async fn forget(&self, keys: &[(Digest, Timestamp)]) -> Result<(), JournalError>;
}
