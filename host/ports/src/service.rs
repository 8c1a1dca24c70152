//! What the host offers to whoever drives it: the HTTP server, the terminal, a test.

use async_trait::async_trait;
use lockstep_types::{
    Answer, Digest, Invocation, JsonText, Pinning, QuestionId, RunId, RunStatus, RunSummary, RunView,
    TimelineEntry,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Asks for a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct StartRequest {
    /// Text of the pipeline file.
    pub pipeline: String,
    /// Name of that file, for messages.
    #[serde(default)]
    pub pipeline_file: Option<String>,
    /// Path of the repository.
    pub repository: String,
    /// Branch that carries the change.
    pub branch: String,
    /// Branch that receives it; none: the pipeline's, else the repository's default.
    #[serde(default)]
    pub base: Option<String>,
    /// Title of the work; none: the subject of the head commit.
    #[serde(default)]
    pub title: Option<String>,
    /// Description of the work.
    #[serde(default)]
    pub description: Option<String>,
    /// When the components of its steps are chosen; none: as the pipeline says.
    #[serde(default)]
    pub pin: Option<Pinning>,
    /// Item of work; none: the branch.
    #[serde(default)]
    pub item: Option<String>,
    /// Who asks.
    #[serde(default)]
    pub by: Option<String>,
    /// Client token: the same token again gives the run that was started, not a second one.
    #[serde(default)]
    pub token: Option<String>,
}

/// Which runs to list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunQuery {
    /// Only those in this state.
    #[serde(default)]
    pub status: Option<RunStatus>,
    /// Only those that wait for this: `job`, `timer`, `effect`, `pause`, `budget`, `component`, the word of a question,
    /// or [`RunQuery::PERSON`].
    #[serde(default)]
    pub waits: Option<String>,
    /// Only those of this item.
    #[serde(default)]
    pub item: Option<String>,
    /// Only those of the pipeline of this name.
    #[serde(default)]
    pub pipeline: Option<String>,
    /// Only those with all these words in id, title, item, pipeline or branch, whatever their case.
    #[serde(default)]
    pub text: Option<String>,
    /// Only those older than this one (cursor).
    #[serde(default)]
    pub before: Option<RunId>,
    /// At most so many; none: 50.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 500)))]
    #[serde(default)]
    pub limit: Option<usize>,
}

impl RunQuery {
    /// In `waits`: any person's answer.
    pub const PERSON: &'static str = "person";
}

/// Runs of a list, and where it goes on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunPage {
    /// The newest first; fewer than asked for, or none, where a search ends that has looked at enough.
    pub runs: Vec<RunSummary>,
    /// Give it as `before` to go on; none: there are no more.
    #[serde(default)]
    pub next: Option<RunId>,
}

/// Something a person does to a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunAction {
    /// End it.
    Stop {
        /// Why.
        reason: String,
    },
    /// Go on from where it failed.
    Retry,
    /// Go back to a step.
    Restart {
        /// Name of the step.
        step: String,
        /// Another component for the step's kind from now on, by digest or an unambiguous beginning of it; none: the
        /// pinned one.
        digest: Option<String>,
    },
    /// Give it other components for some of its kinds.
    Repin {
        /// Digest of the component for each kind, or an unambiguous beginning of it.
        pins: BTreeMap<String, String>,
        /// Why.
        reason: String,
    },
    /// Start nothing new.
    Pause,
    /// Go on after a pause.
    Resume,
    /// Act on a step that is under way, as the component of its kind allows.
    Act {
        /// Name of the step; none: the only one with an open question that takes actions.
        step: Option<String>,
        /// Name of the action.
        action: String,
        /// Its arguments, an object.
        input: JsonText,
    },
    /// Tear the environments of the run down.
    TearDown,
    /// Answer a question.
    Answer {
        /// Which; none: the only open one.
        question: Option<QuestionId>,
        /// The answer.
        answer: Answer,
        /// Client token.
        token: Option<String>,
    },
}

/// A timeline entry with its place in the feed of all runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FeedItem {
    /// Position of its record in the feed: the cursor to go on from.
    pub position: u64,
    /// What happened, in order.
    pub entries: Vec<TimelineEntry>,
}

/// A recorded invocation with its place in the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InvocationView {
    /// Record it stands in.
    pub seq: u64,
    /// Number within the run, from 1.
    pub number: u32,
    /// Name of the step.
    pub step: String,
    /// Step kind.
    pub kind: String,
    /// The record itself.
    pub invocation: Invocation,
}

/// One invocation that came out differently when it was made again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InvocationDifference {
    /// Number within the run.
    pub number: u32,
    /// Name of the step.
    pub step: String,
    /// What differs: `component` (another one than the run was pinned to), `migration`, `outcome`, `fuel`, `memory`, `observations`, `logs`, `fingerprint`.
    pub what: String,
    /// As recorded.
    pub recorded: String,
    /// As replayed.
    pub replayed: String,
}

/// What a replay of a run showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReplayReport {
    /// The run.
    pub run: RunId,
    /// Invocations made again.
    pub invocations: u32,
    /// States migrated again.
    #[serde(default)]
    pub migrations: u32,
    /// Fuel they used in all.
    pub fuel: u64,
    /// Those that came out differently; empty: identical bit for bit.
    pub differences: Vec<InvocationDifference>,
}

impl ReplayReport {
    /// The report of a run of which nothing was made again yet.
    #[must_use]
    pub fn of(run: &RunId) -> Self {
        Self { run: run.clone(), invocations: 0, migrations: 0, fuel: 0, differences: Vec::new() }
    }
}

/// What a verification of a run showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VerifyReport {
    /// The replay.
    pub replay: ReplayReport,
    /// Records read.
    pub records: u64,
    /// Digest of the last record.
    pub head: Digest,
    /// What is wrong with the journal; empty: the chain is whole and folds to the stored run.
    pub problems: Vec<String>,
}

/// Why the host did not do what was asked. Display is one line: what happened, to what, what to do next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "code", content = "message")]
pub enum ServiceError {
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// It is not in a state in which this can be done.
    #[error("{0}")]
    Conflict(String),
    /// What was given is wrong.
    #[error("{0}")]
    Invalid(String),
    /// Whoever asks may not do this.
    #[error("{0}")]
    Forbidden(String),
    /// It may be tried again later.
    #[error("{0}")]
    Unavailable(String),
    /// A fault of the host.
    #[error("{0}")]
    Internal(String),
}

/// The host as its drivers see it.
#[async_trait]
pub trait RunService: Send + Sync {
    /// Starts a run. It is durable when this returns.
    async fn start(&self, request: StartRequest) -> Result<RunSummary, ServiceError>;
    /// Checks a pipeline without starting anything; the errors are what `start` would say, one a line.
    async fn check_pipeline(&self, text: &str, file: &str) -> Result<(), ServiceError>;
    /// Lists runs, the newest first.
    async fn list(&self, query: RunQuery) -> Result<RunPage, ServiceError>;
    /// A run whole.
    async fn get(&self, run: &RunId) -> Result<RunView, ServiceError>;
    /// Acts on a run; what was done is durable when this returns.
    async fn act(&self, run: &RunId, action: RunAction, by: &str) -> Result<RunSummary, ServiceError>;
    /// What happened in a run after record `after`, in order.
    async fn timeline(&self, run: &RunId, after: u64) -> Result<Vec<TimelineEntry>, ServiceError>;
    /// What happened in all runs after a position of the feed, at most `limit` records.
    async fn feed(&self, after: u64, limit: usize) -> Result<Vec<FeedItem>, ServiceError>;
    /// Position of the last record of the feed.
    async fn feed_end(&self) -> u64;
    /// Returns when the feed has gone beyond `after`, or after at most 15 seconds.
    async fn feed_beyond(&self, after: u64);
    /// Recorded invocations of a run, of one step if named.
    async fn invocations(&self, run: &RunId, step: Option<&str>)
    -> Result<Vec<InvocationView>, ServiceError>;
    /// Last bytes of the log of a step's current or last job.
    async fn job_log(&self, run: &RunId, step: &str) -> Result<String, ServiceError>;
    /// Makes every recorded invocation again from the journal alone and compares.
    async fn replay(&self, run: &RunId) -> Result<ReplayReport, ServiceError>;
    /// Replays, and checks the hash chain and that the journal folds to the stored run.
    async fn verify(&self, run: &RunId) -> Result<VerifyReport, ServiceError>;
}
