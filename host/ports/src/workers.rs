//! The queue that workers of other processes and machines take jobs from.

use async_trait::async_trait;
use lockstep_types::{Access, JobProgress, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// What a worker asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseAsk {
    /// Its name, for people and for the list of workers.
    pub worker: String,
    /// The pools it works for. Jobs of several are given in turn.
    pub pools: Vec<String>,
    /// What it is able to do: a job is given only to a worker that has all of its labels.
    pub labels: Vec<String>,
    /// How long it waits for a job.
    pub wait: Duration,
}

/// A job given to a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Leased {
    /// Names this lease in everything that is said about the job from now on.
    pub lease: String,
    /// Seconds without a word after which the lease is lost.
    pub lease_s: u64,
    /// Seconds between two heartbeats that a worker should keep to.
    pub heartbeat_s: u64,
    /// When the job is given up, however well its worker does.
    pub deadline: Timestamp,
    /// Key of the job: `RUN/STEP/NUMBER`.
    pub key: String,
    /// Kind of the job.
    pub kind: String,
    /// The pool it waited in.
    pub pool: String,
    /// Whether it may bring commits: `write` or `read-only`.
    pub access: Access,
    /// The change it is about.
    pub change: LeasedChange,
    /// What a command finds in `$LOCKSTEP_CONTEXT`.
    pub context: serde_json::Value,
    /// What its table in the pipeline adds to the environment.
    pub env: BTreeMap<String, String>,
    /// Largest bundle that is taken, in bytes.
    pub bundle_bytes_max: u64,
}

/// The change of a leased job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LeasedChange {
    /// The repository, as the host reaches it.
    pub repository: String,
    /// Branch that is to receive the change.
    pub base_branch: String,
    /// Branch the work continues.
    pub head_branch: String,
    /// Tip of the head branch when the job began: new commits come after it.
    pub start_commit: String,
    /// A branch of the same repository that commits may be pushed to; it is removed when the job has settled.
    pub push_branch: String,
}

/// What a worker is told when it gives word of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum Word {
    /// Go on; the lease lasts as long again.
    Wanted,
    /// The run needs the job no more: end it, and report nothing.
    Stop {
        /// One line.
        reason: String,
    },
    /// The lease is lost, and the job may be somebody else's: end it, and report nothing.
    Evicted {
        /// One line.
        reason: String,
    },
}

/// How a job ended that did not end well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum WorkerFailure {
    /// The work itself failed.
    Failed,
    /// Its place was taken away, as by a shutdown of the machine: another worker may begin it anew.
    Evicted,
    /// It crashed, or ran out of memory, and might again.
    Crashed,
}

/// A worker, or a pool, as a list shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WorkersView {
    /// Jobs that wait or are carried out, by the time they came.
    pub jobs: Vec<WorkerJobView>,
    /// Workers heard of lately, by name.
    pub workers: Vec<WorkerView>,
}

/// A job of the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WorkerJobView {
    /// `RUN/STEP/NUMBER`.
    pub key: String,
    /// Kind of the job.
    pub kind: String,
    /// Its pool.
    pub pool: String,
    /// What a worker must be able to do.
    pub labels: Vec<String>,
    /// Since when it is in the queue.
    pub since: Timestamp,
    /// Who has it; none: it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// When its lease is lost unless it is heard of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_until: Option<Timestamp>,
    /// How far it has come, if its worker says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<JobProgress>,
}

/// A worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WorkerView {
    /// Its name.
    pub name: String,
    /// The pools it works for.
    pub pools: Vec<String>,
    /// What it is able to do.
    pub labels: Vec<String>,
    /// When it was heard of last.
    pub seen_at: Timestamp,
    /// Whether it waits for a job at this moment.
    pub is_waiting: bool,
}

/// Why a worker was not served. Display is one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkerError {
    /// The lease is not, or no more, the one the job is held under. Nothing was changed.
    #[error("{0}")]
    LeaseLost(String),
    /// What was sent cannot be taken; the lease goes on.
    #[error("{0}")]
    Invalid(String),
    /// Too much at once: try again soon.
    #[error("{0}")]
    Busy(String),
    /// The host could not do its part: try again.
    #[error("{0}")]
    Unavailable(String),
}

/// Jobs for workers. A lease is stored before it is given, and an answer before it is acknowledged, so that a restart of
/// the host changes nothing for a worker that goes on.
#[async_trait]
pub trait WorkerQueue: Send + Sync {
    /// The next job for a worker, as soon as there is one; none if there was none in the time it waits.
    ///
    /// # Errors
    /// What it says of itself cannot be taken, too many wait, or the lease could not be stored.
    async fn lease(&self, ask: LeaseAsk) -> Result<Option<Leased>, WorkerError>;

    /// Word of a worker: its lease lasts as long again, if it still holds it.
    ///
    /// # Errors
    /// `lease` is no lease at all.
    async fn heartbeat(&self, lease: &str) -> Result<Word, WorkerError>;

    /// How far a job has come. Counts as a heartbeat.
    ///
    /// # Errors
    /// The lease is lost.
    async fn progress(&self, lease: &str, progress: JobProgress) -> Result<Word, WorkerError>;

    /// Output of a job, kept like that of a command: its end, without secrets. Counts as a heartbeat.
    ///
    /// # Errors
    /// The lease is lost, or it is too much at once.
    async fn log(&self, lease: &str, text: &str) -> Result<Word, WorkerError>;

    /// Takes the commits of a git bundle into the repository; the commits it names. No branch moves.
    ///
    /// # Errors
    /// The lease is lost, the job brings no commits, or the bundle is broken or builds on something the repository has not.
    async fn bundle(&self, lease: &str, bytes: Vec<u8>) -> Result<Vec<String>, WorkerError>;

    /// The job ended well. `result` is the JSON a command would write to `$LOCKSTEP_RESULT`; `commit` is where the head
    /// branch is to be, none if nothing changed. The same lease again is answered as the first time.
    ///
    /// # Errors
    /// The lease is lost, or the result or the commit cannot be taken.
    async fn complete(&self, lease: &str, result: &str, commit: Option<String>) -> Result<(), WorkerError>;

    /// The job did not end well. The same lease again is answered as the first time.
    ///
    /// # Errors
    /// The lease is lost.
    async fn fail(&self, lease: &str, class: WorkerFailure, message: &str) -> Result<(), WorkerError>;

    /// Who has what.
    async fn workers(&self) -> WorkersView;
}
