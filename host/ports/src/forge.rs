//! What the host asks of a forge beyond checks, mergeability and merges, which have ports of their own.

use async_trait::async_trait;
use lockstep_types::{ObserveFailure, Timestamp};
use serde::{Deserialize, Serialize};

/// A pull request as its forge has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgePullRequest {
    /// Its number.
    pub number: u64,
    /// Where people look at it.
    pub url: String,
    /// Title.
    pub title: String,
    /// Text.
    pub body: String,
    /// Login of who opened it.
    pub author: String,
    /// Whether it is open.
    pub is_open: bool,
    /// Whether it was merged.
    pub is_merged: bool,
    /// Branch that carries the change, if it is in the same repository; none for one from a fork.
    pub head_branch: Option<String>,
    /// Commit at its tip, in hexadecimal.
    pub head_commit: String,
    /// Branch that receives it.
    pub base_branch: String,
    /// Names of its labels, sorted.
    pub labels: Vec<String>,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What a reviewer concluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReviewVerdict {
    /// May be merged.
    Approved,
    /// Has to change first.
    ChangesRequested,
    /// Said something.
    Commented,
    /// Taken back.
    Dismissed,
}

/// A review of a pull request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgeReview {
    /// Its id on the forge.
    pub id: u64,
    /// Login of the reviewer.
    pub author: String,
    /// Whether the forge says that they may write to the repository: what others say commands nothing.
    pub author_may_write: bool,
    /// What was concluded.
    pub verdict: ReviewVerdict,
    /// What was said.
    pub body: String,
    /// The commit that was reviewed.
    pub commit: String,
    /// When.
    pub at: Timestamp,
}

/// A forge. `repository` is always the path of the local clone, as runs and items name it; which repository of the forge it
/// is, the operator configured. Answers are bounded in number and size.
#[async_trait]
pub trait Forge: Send + Sync {
    /// Paths of the local clones that are on this forge.
    fn repositories(&self) -> Vec<String>;

    /// The local clone of `OWNER/NAME`; none: not one of ours. Letters' case does not count.
    fn clone_of(&self, full_name: &str) -> Option<String>;

    /// A pull request; none if there is no such one.
    ///
    /// # Errors
    /// The repository is not on this forge, or the forge could not answer.
    async fn pull_request(
        &self,
        repository: &str,
        number: u64,
    ) -> Result<Option<ForgePullRequest>, ObserveFailure>;

    /// Pull requests that are open, those that changed last first.
    ///
    /// # Errors
    /// As `pull_request`.
    async fn open_pull_requests(&self, repository: &str) -> Result<Vec<ForgePullRequest>, ObserveFailure>;

    /// Reviews of a pull request, the oldest first.
    ///
    /// # Errors
    /// As `pull_request`.
    async fn reviews(&self, repository: &str, number: u64) -> Result<Vec<ForgeReview>, ObserveFailure>;

    /// Says something under a pull request or issue, once: a comment that carries the mark of `key` already is left as it is.
    ///
    /// # Errors
    /// As `pull_request`.
    async fn comment(
        &self,
        repository: &str,
        number: u64,
        key: &str,
        text: &str,
    ) -> Result<(), ObserveFailure>;

    /// Puts labels on a pull request or issue, and takes others off. Those that are as wanted stay as they are.
    ///
    /// # Errors
    /// As `pull_request`.
    async fn label(
        &self,
        repository: &str,
        number: u64,
        add: &[String],
        remove: &[String],
    ) -> Result<(), ObserveFailure>;

    /// Brings the local clone's knowledge of a branch up to date with the forge's, without losing a local commit: the local
    /// branch moves only forward. The commit that the local branch then has; none if the forge has no such branch.
    ///
    /// # Errors
    /// As `pull_request`; also when both have commits the other lacks.
    async fn fetch(&self, repository: &str, branch: &str) -> Result<Option<String>, ObserveFailure>;
}
