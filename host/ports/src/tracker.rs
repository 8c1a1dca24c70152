//! What the host asks of an issue tracker.

use async_trait::async_trait;
use lockstep_types::Timestamp;
use serde::{Deserialize, Serialize};

/// A ticket of a tracker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// What people and the tracker call it: `ENG-12`, or the number of an issue.
    pub external_id: String,
    /// Where people look at it.
    pub url: String,
}

/// Where the work of a ticket stands, as far as every tracker can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TicketState {
    /// Somebody works on it.
    InProgress,
    /// Nothing is left to do.
    Done,
    /// It is to be done again.
    Open,
}

/// Why a tracker did not do what was asked. Display is one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TrackerError {
    /// What happened, to what, what to do next.
    pub message: String,
    /// Whether the same may succeed later.
    pub is_temporary: bool,
}

/// An issue tracker. Everything it is asked it may be asked again under the same key; it is done once.
#[async_trait]
pub trait Tracker: Send + Sync {
    /// Files a ticket. `asked_at` is when the key was made: nothing under it is older. `is_first` says that the key was
    /// certainly never used, so that nobody has to look for it.
    ///
    /// # Errors
    /// The tracker refused it or could not be asked.
    async fn file(
        &self,
        key: &str,
        title: &str,
        body: &str,
        asked_at: Timestamp,
        is_first: bool,
    ) -> Result<Ticket, TrackerError>;

    /// Adds a comment to the ticket that people call `id`.
    ///
    /// # Errors
    /// As `file`; also if there is no such ticket.
    async fn comment(&self, id: &str, key: &str, text: &str, asked_at: Timestamp)
    -> Result<(), TrackerError>;

    /// Says where the work stands; doing it again changes nothing.
    ///
    /// # Errors
    /// As `comment`.
    async fn set_state(&self, id: &str, state: TicketState) -> Result<(), TrackerError>;

    /// Asks who the host is there; one line for people.
    ///
    /// # Errors
    /// As `file`.
    async fn check(&self) -> Result<String, TrackerError>;
}
