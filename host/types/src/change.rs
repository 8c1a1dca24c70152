use serde::{Deserialize, Serialize};

/// A pull request of a forge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PullRequest {
    /// Address of its page.
    pub url: String,
    /// Number within its repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// Branch it proposes to merge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
}

/// What a run takes through its pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Change {
    /// Path or address of the repository.
    pub repository: String,
    /// Branch that receives the change.
    pub base_branch: String,
    /// Branch that carries the change.
    pub head_branch: String,
    /// Commit at the tip of the head branch as last seen, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_commit: Option<String>,
    /// Pull request, where a forge is wired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_request: Option<PullRequest>,
}

/// What kind of item of work it is (SPEC BD-1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ItemLevel {
    /// Something that is built and run: the frame of a board.
    Service,
    /// A part of a service.
    Module,
    /// Work that ends with a change.
    #[default]
    Task,
}

/// Where an item of work stands on the board (SPEC vocabulary, DEVIATIONS D-24).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ItemStatus {
    /// Not begun.
    Planned,
    /// Could begin.
    Ready,
    /// A run works on it.
    InProgress,
    /// A run waits for a person, or failed.
    Blocked,
    /// The change awaits a person's merge.
    PrReady,
    /// Merged, or finished without a change.
    Done,
}
