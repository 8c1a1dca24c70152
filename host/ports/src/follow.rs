//! Who is told what happens in runs, in order and at least once.

use async_trait::async_trait;
use lockstep_types::{RunId, RunSummary, Timestamp};
use serde::{Deserialize, Serialize};

/// What somebody outside can be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Happening {
    /// A run began.
    Started,
    /// A run waits for a person.
    Blocked,
    /// A run was held back.
    Paused,
    /// A run ended well.
    Done,
    /// A run failed or was stopped.
    Failed,
    /// A card was raised.
    Notice,
}

impl Happening {
    /// The one that a line of a timeline tells of.
    #[must_use]
    pub fn of(what: &str) -> Option<Self> {
        Some(match what {
            "created" => Self::Started,
            "run-blocked" => Self::Blocked,
            "run-paused" => Self::Paused,
            "run-completed" => Self::Done,
            "run-failed" => Self::Failed,
            "notice-raised" => Self::Notice,
            _ => return None,
        })
    }

    /// Its name in configurations and messages.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Blocked => "blocked",
            Self::Paused => "paused",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Notice => "notice",
        }
    }
}

/// One message about something that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The same whenever it is sent again: receivers drop what they have.
    pub id: String,
    /// When it happened.
    pub at: Timestamp,
    /// What.
    pub what: Happening,
    /// In which run.
    pub run: RunId,
    /// At which step.
    pub step: Option<String>,
    /// One line.
    pub text: String,
    /// The run as it is by now; none if it is gone.
    pub summary: Option<RunSummary>,
}

/// Why a message was not taken. Display is one line that shows no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct MessageError {
    /// What happened.
    pub message: String,
    /// Whether it may be taken later.
    pub is_temporary: bool,
}

/// Somebody who is told.
#[async_trait]
pub trait Listener: Send + Sync {
    /// Its name, by which its place in the feed is kept.
    fn name(&self) -> &str;

    /// Whether it wants to be told of this.
    fn wants(&self, what: Happening) -> bool;

    /// Tells it. The same message may come again.
    ///
    /// # Errors
    /// It did not take it.
    async fn deliver(&self, delivery: &Message) -> Result<(), MessageError>;
}

/// How far somebody was told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Bookmark {
    /// Position in the feed up to which it was told of everything, or it was given up.
    pub position: u64,
    /// Messages it took.
    pub delivered: u64,
    /// Messages that were given up.
    pub given_up: u64,
    /// When it last took one.
    pub last_success: Option<Timestamp>,
    /// Since when it takes none, and why.
    pub failing: Option<(Timestamp, String)>,
}

/// Keeps bookmarks. What was saved is durable.
#[async_trait]
pub trait Bookmarks: Send + Sync {
    /// The bookmark of this name; none if there is none.
    ///
    /// # Errors
    /// It cannot be read; one line.
    async fn load(&self, name: &str) -> Result<Option<Bookmark>, String>;

    /// Puts it in place of the one that was there.
    ///
    /// # Errors
    /// It could not be written; one line.
    async fn save(&self, name: &str, bookmark: &Bookmark) -> Result<(), String>;
}
