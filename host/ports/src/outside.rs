//! What the host asks of the outside world.

use async_trait::async_trait;
use lockstep_types::{
    Change, ChangedFile, CheckCommand, CheckReport, EffectKey, EffectOrder, EffectOutcome, EnvironmentReport,
    Evidence, HealthReport, JobCommand, JobKey, JobOrder, JobOutcome, JobProgress, MergeReport,
    ObserveFailure, ProviderCommand, RunId, Timestamp,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Tells the driver that something a run looks at may have changed. Never blocks; a lost or spare call does no harm.
pub type Wake = Arc<dyn Fn(&RunId) + Send + Sync>;

/// Whose checks are read.
#[derive(Clone, Copy, Debug)]
pub struct CheckOrder<'a> {
    /// The run that asks, woken when a check it started settles.
    pub run: &'a RunId,
    /// Its change.
    pub change: &'a Change,
    /// Title of the work, for a pull request that has to be opened.
    pub title: &'a str,
    /// Its description.
    pub description: &'a str,
    /// The local checks of its pipeline, by name.
    pub commands: &'a BTreeMap<String, CheckCommand>,
}

/// Checks at the head commit of a change.
#[async_trait]
pub trait Checks: Send + Sync {
    /// Returns at once; checks the provider has to run itself are started and reported as running. A result is kept per
    /// commit and command.
    ///
    /// # Errors
    /// If no provider is wired or it could not answer.
    async fn read(&self, order: CheckOrder<'_>) -> Result<CheckReport, ObserveFailure>;

    /// Ends whatever was started for a run that no longer waits for it.
    async fn forget(&self, run: &RunId);
}

/// Whether a change merges.
#[async_trait]
pub trait Mergeability: Send + Sync {
    /// Looks at the tip of the head branch.
    ///
    /// # Errors
    /// If no provider is wired or it could not answer.
    async fn read(&self, change: &Change) -> Result<MergeReport, ObserveFailure>;
}

/// The files of a change.
#[async_trait]
pub trait Workspace: Send + Sync {
    /// Files that differ between merge base and head commit, sorted by path, bounded in number.
    ///
    /// # Errors
    /// If no provider is wired or it could not answer.
    async fn changed_files(&self, change: &Change) -> Result<Vec<ChangedFile>, ObserveFailure>;

    /// A file at the head commit, bounded in size; none when there is no such file.
    ///
    /// # Errors
    /// If no provider is wired, it could not answer, or the path leaves the repository.
    async fn read_file(&self, change: &Change, path: &str) -> Result<Option<Vec<u8>>, ObserveFailure>;

    /// How a file of the change differs from the merge base, as a unified diff of bounded size; none when it does not
    /// differ or is binary.
    ///
    /// # Errors
    /// If no provider is wired, it could not answer, or the path leaves the repository.
    async fn diff(&self, change: &Change, path: &str) -> Result<Option<String>, ObserveFailure>;
}

/// Whose surroundings are looked at.
#[derive(Clone, Copy, Debug)]
pub struct ObservationOrder<'a> {
    /// The run that asks.
    pub run: &'a RunId,
    /// Its change.
    pub change: &'a Change,
    /// The commands of its pipeline, by name.
    pub commands: &'a BTreeMap<String, ProviderCommand>,
}

/// What became of a change outside: its release, and the environments made for it.
#[async_trait]
pub trait Observations: Send + Sync {
    /// The signals of the service the change belongs to. An alert that last changed before `watch_since` is not this
    /// release's (SPEC RH-6).
    ///
    /// # Errors
    /// If no provider is wired or it could not answer.
    async fn release_health(
        &self,
        order: ObservationOrder<'_>,
        watch_since: Timestamp,
    ) -> Result<HealthReport, ObserveFailure>;

    /// What somebody who investigates a regression needs, gathered afresh (SPEC RH-8).
    ///
    /// # Errors
    /// If no provider is wired or it could not answer.
    async fn evidence(
        &self,
        order: ObservationOrder<'_>,
        watch_since: Timestamp,
    ) -> Result<Evidence, ObserveFailure>;

    /// Where the environment of this id stands; none if it is not known any more.
    ///
    /// # Errors
    /// If no provider is wired or it could not answer.
    async fn environment(
        &self,
        order: ObservationOrder<'_>,
        id: &str,
    ) -> Result<Option<EnvironmentReport>, ObserveFailure>;
}

/// Carries out jobs.
#[async_trait]
pub trait Jobs: Send + Sync {
    /// Returns when the job has settled. The same key again finds the job under way or its kept outcome; a job lost with
    /// its machine is begun anew. `command` is what the run's pipeline configures for the kind.
    async fn carry_out(&self, order: &JobOrder, command: Option<&JobCommand>) -> JobOutcome;

    /// Ends a job nobody waits for any more, with all its processes. Ending it again does nothing.
    async fn stop(&self, key: &JobKey);

    /// Ends every job under way that is not in `wanted`; called once after recovery.
    async fn sweep(&self, wanted: &BTreeSet<JobKey>);

    /// The last bytes of what a job wrote, at most `limit`; none if the job is not known.
    async fn log_tail(&self, key: &JobKey, limit: usize) -> Option<String>;

    /// How far a job under way has come, within the bounds of `JobProgress`; none if nobody says.
    async fn progress(&self, _key: &JobKey) -> Option<JobProgress> {
        None
    }

    /// Ends what is still under way for a run that is removed, and removes all that is kept of its jobs.
    async fn forget(&self, run: &RunId);
}

/// Changes the outside world.
#[async_trait]
pub trait Effects: Send + Sync {
    /// Performs an effect. The same key again gives the same outcome and changes nothing a second time. `command` is what
    /// the run's pipeline configures for the effect.
    async fn perform(&self, order: &EffectOrder, command: Option<&ProviderCommand>) -> EffectOutcome;

    /// Ends an effect nobody waits for any more, with all its processes. One that cannot be ended half-way, as a merge, goes
    /// on to its end. Ending it again does nothing.
    async fn stop(&self, _key: &EffectKey) {}

    /// Ends every effect under way that is not in `wanted`; called once after recovery.
    async fn sweep(&self, _wanted: &BTreeSet<EffectKey>) {}

    /// Removes all that is kept of the effects of a run that is removed.
    async fn forget(&self, run: &RunId);
}

/// Why a change cannot be taken through a pipeline. Display is one line for whoever asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeSourceError {
    /// There is no repository.
    #[error("{repository} is not a git repository: give the path of one with --repo")]
    NoRepository {
        /// What was given.
        repository: String,
    },
    /// A branch does not exist or its name is not one.
    #[error("{repository} has no branch {branch:?}: {hint}")]
    NoBranch {
        /// The repository.
        repository: String,
        /// The branch.
        branch: String,
        /// What to do.
        hint: String,
    },
    /// A worktree that the run would have to move has uncommitted changes.
    #[error(
        "branch {branch} is checked out in {worktree} with uncommitted changes: commit or stash them first"
    )]
    Dirty {
        /// The branch.
        branch: String,
        /// Where it is checked out.
        worktree: String,
    },
    /// Git failed.
    #[error("git could not read {repository}: {reason}")]
    Git {
        /// The repository.
        repository: String,
        /// Its own words, one line.
        reason: String,
    },
}

/// Finds the change a run is to take.
#[async_trait]
pub trait ChangeSource: Send + Sync {
    /// Resolves a repository and branch into a change with its head commit. `base` none: the repository's default branch.
    ///
    /// # Errors
    /// `ChangeSourceError` says what is wrong with what was given.
    async fn resolve(
        &self,
        repository: &str,
        head: &str,
        base: Option<&str>,
    ) -> Result<Change, ChangeSourceError>;

    /// As `resolve`, but makes the head branch from the base branch if it is not there. Doing it again changes nothing.
    ///
    /// # Errors
    /// As `resolve`. A source that makes no branches says that there is none.
    async fn resolve_or_create(
        &self,
        repository: &str,
        head: &str,
        base: Option<&str>,
    ) -> Result<Change, ChangeSourceError> {
        self.resolve(repository, head, base).await
    }

    /// Subject line of the head commit, for a title nobody gave.
    async fn subject(&self, change: &Change) -> Option<String>;
}
