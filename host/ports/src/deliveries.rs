//! What a forge delivered: kept from before it is acknowledged until it has been taken up, and for a while after.

use crate::JournalError;
use async_trait::async_trait;
use lockstep_types::Timestamp;
use serde::{Deserialize, Serialize};

/// Most deliveries given at a time.
pub const DELIVERIES_PAGE_MAX: usize = 200;

/// A delivery as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDelivery {
    /// The id the forge gave it.
    pub id: String,
    /// Name of the event.
    pub event: String,
    /// The payload.
    pub body: Vec<u8>,
    /// When it came.
    pub at: Timestamp,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum DeliveryState {
    /// Not taken up yet, or to be tried again.
    Waiting,
    /// Taken up; something followed from it.
    Done,
    /// Nothing followed from it, on purpose.
    Ignored,
    /// It could not be taken up, and is not tried again by itself.
    Failed,
}

impl DeliveryState {
    /// Its name in answers and lists.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Ignored => "ignored",
            Self::Failed => "failed",
        }
    }
}

/// A delivery as lists show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Delivery {
    /// Its place among all deliveries, from 1.
    pub number: u64,
    /// The id the forge gave it.
    pub id: String,
    /// Name of the event.
    pub event: String,
    /// Bytes of its payload.
    pub bytes: u64,
    /// When it came.
    pub received_at: Timestamp,
    /// Where it stands.
    pub state: DeliveryState,
    /// What became of it, in words; of one that is tried again, why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// How often it was tried since it came or was replayed.
    #[serde(default)]
    pub tries: u32,
    /// How often somebody had it taken up again.
    #[serde(default)]
    pub replays: u32,
    /// Of one that waits: not before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// When it was taken up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<Timestamp>,
}

impl Delivery {
    /// It as it is after it was tried once more.
    #[must_use]
    pub fn after(self, settlement: Settlement, at: Timestamp) -> Self {
        let tries = self.tries.saturating_add(1);
        match settlement {
            Settlement::Settled { state, outcome } => {
                Self { state, outcome: Some(outcome), tries, not_before: None, settled_at: Some(at), ..self }
            }
            Settlement::Again { why, at } => Self { outcome: Some(why), tries, not_before: Some(at), ..self },
        }
    }

    /// It as it is when somebody has it taken up again.
    #[must_use]
    pub fn replayed(self) -> Self {
        Self {
            state: DeliveryState::Waiting,
            outcome: None,
            tries: 0,
            replays: self.replays.saturating_add(1),
            not_before: None,
            settled_at: None,
            ..self
        }
    }
}

/// What became of a delivery that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is kept, and will be taken up.
    New,
    /// One of this id came before; this one changes nothing.
    Known,
}

/// What became of trying to take one up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// It is over.
    Settled {
        /// Never `Waiting`.
        state: DeliveryState,
        /// What became of it, in words.
        outcome: String,
    },
    /// It is tried again at a time.
    Again {
        /// Why.
        why: String,
        /// When.
        at: Timestamp,
    },
}

/// Why a delivery is not kept. Display is one line.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// So many wait to be taken up that no more are kept.
    #[error(
        "{waiting} deliveries wait to be taken up already: look at `lockstep deliveries list`, then redeliver"
    )]
    TooMany {
        /// How many.
        waiting: usize,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] JournalError),
}

/// Deliveries, kept in the order in which they came. How many are kept, and how long, is bounded; one that waits is kept.
#[async_trait]
pub trait Deliveries: Send + Sync {
    /// Keeps a delivery unless one of its id is kept already. It is durable when this returns.
    ///
    /// # Errors
    /// It could not be stored, or too many wait.
    async fn take(&self, new: NewDelivery) -> Result<Taken, DeliveryError>;

    /// The first that waits and may be tried at this time, with its payload.
    ///
    /// # Errors
    /// The store failed.
    async fn next(&self, now: Timestamp) -> Result<Option<(Delivery, Vec<u8>)>, JournalError>;

    /// When the next one that waits may be tried; none: none waits.
    ///
    /// # Errors
    /// The store failed.
    async fn next_time(&self) -> Result<Option<Timestamp>, JournalError>;

    /// Keeps what became of one that waits. One that is not kept any more is left as it is.
    ///
    /// # Errors
    /// The store failed.
    async fn settle(&self, number: u64, settlement: Settlement, at: Timestamp) -> Result<(), JournalError>;

    /// Those below a number, the newest first, at most `limit`.
    ///
    /// # Errors
    /// The store failed.
    async fn list(&self, before: Option<u64>, limit: usize) -> Result<Vec<Delivery>, JournalError>;

    /// One by the id the forge gave it, with its payload.
    ///
    /// # Errors
    /// The store failed.
    async fn get(&self, id: &str) -> Result<Option<(Delivery, Vec<u8>)>, JournalError>;

    /// Has one taken up again, as it stands then; none: it is not kept.
    ///
    /// # Errors
    /// The store failed.
    async fn replay(&self, id: &str) -> Result<Option<Delivery>, JournalError>;

    /// Returns when something new waits, which may have been before this was called.
    async fn arrived(&self);
}
