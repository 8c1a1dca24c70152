//! What becomes of a job whose command ended: its result, its commit, and its branch.

use super::job_folder::{JobFolder, JobRecord, Settled};
use super::result::{read_result, with_output};
use super::{LocalJobs, Lost};
use crate::environment::not_set;
use crate::files::{blocking, read_bounded};
use crate::git::{CommitSpec, Moved, Repository, Worktree, short};
use crate::launch::Exit;
use crate::text::{as_line, shown};
use lockstep_types::{Access, JobCommand, JobOrder, JobOutcome, JobResult};
use std::path::PathBuf;

/// Names the job in the commit made for it.
const JOB_TRAILER: &str = "Lockstep-Job";
/// Files a merge left undecided that are searched for its markers, and how much of each.
const UNDECIDED_MAX: usize = 200;
const MARKER_SEARCH_MAX: u64 = 8 << 20;
/// Times the branch may move while a job's commits are put on it.
const MOVES_MAX: u32 = 4;

impl LocalJobs {
    /// The outcome of a job whose command ended with `exit`.
    pub(super) async fn settle(
        &self,
        order: &JobOrder,
        command: Option<&JobCommand>,
        folder: &JobFolder,
        record: &mut JobRecord,
        exit: Exit,
    ) -> Result<JobOutcome, Lost> {
        let kind = &order.kind;
        let program = command.map_or_else(|| kind.clone(), |command| shown(&command.command));
        let failed = |line: String| Ok(JobOutcome::Failed(with_output(folder, &line)));
        match exit {
            Exit::Status(0) => {}
            Exit::Status(code) => {
                let missing = command.map(|command| not_set(&command.pass_env)).unwrap_or_default();
                let hint = if missing.is_empty() {
                    String::new()
                } else {
                    format!(" ({} of pass_env is not set where the host runs)", missing.join(", "))
                };
                return failed(format!("{kind}: {program} ended with status {code}{hint}"));
            }
            // The kernel's, for want of memory, or an operator's: not the job's own doing, and nothing of the machine's.
            Exit::Signal(9) => {
                let message = format!("{kind}: {program} was killed by somebody else; see the machine's log");
                return Ok(JobOutcome::Evicted { transient: false, message });
            }
            Exit::Signal(signal) => return failed(format!("{kind}: {program} was ended by signal {signal}")),
            Exit::TimedOut => {
                let seconds = self.time_limit(order, command).as_secs_f64();
                return failed(format!("{kind}: {program} did not end within its time limit of {seconds} s"));
            }
            Exit::Stopped => return Ok(super::stopped()),
            Exit::NotFound => {
                return Ok(JobOutcome::Failed(format!(
                    "{kind}: there is no command {program}: install it or correct `command` in [jobs.{kind}]"
                )));
            }
            Exit::NotStarted(reason) => {
                return Ok(JobOutcome::Failed(format!(
                    "{kind}: {program} could not be started ({reason}): correct `command` in [jobs.{kind}]"
                )));
            }
        }
        let result = match read_result(folder) {
            Ok(result) => result,
            Err(line) => return failed(format!("{kind}: {line}")),
        };
        let repository = self.git.open(&record.repository).await?;
        if order.access == Access::ReadOnly {
            return Ok(JobOutcome::Done(self.with_tip(&repository, record, result).await?));
        }
        let worktree = repository.own_worktree(&self.worktree(&repository, &record.key)).await?;
        let tip = match committed(&repository, &worktree, order, record).await? {
            Ok(tip) => tip,
            Err(line) => return failed(format!("{kind}: {line}")),
        };
        if tip == record.start_commit {
            return Ok(JobOutcome::Done(self.with_tip(&repository, record, result).await?));
        }
        let from = repository.existing_tip(&record.branch).await?;
        record.settled = Some(Settled { tip, from, result });
        self.keep(folder, record).await?;
        self.put_on_branch(order, folder, record).await
    }

    /// Moves the branch to what a job committed, unless that has happened, and gives its outcome.
    pub(super) async fn put_on_branch(
        &self,
        order: &JobOrder,
        folder: &JobFolder,
        record: &mut JobRecord,
    ) -> Result<JobOutcome, Lost> {
        let Some(settled) = record.settled.clone() else {
            return Err(Lost("a job was settled without a record of it".into()));
        };
        let repository = self.git.open(&record.repository).await?;
        let _lock = self.git.lock(&repository).await;
        let (branch, tip) = (record.branch.clone(), settled.tip.as_str());
        for _ in 0..MOVES_MAX {
            let current = repository.existing_tip(&branch).await?;
            if repository.is_ancestor(tip, &current).await? {
                let from = record.settled.as_ref().map_or(&settled.from, |settled| &settled.from);
                let behind = repository.heal(&branch, from, tip).await?;
                return Ok(JobOutcome::Done(finished(settled.result, &current, &behind)));
            }
            if !repository.is_ancestor(&current, tip).await? {
                return Ok(JobOutcome::Failed(format!(
                    "{}: {branch} moved from {} to {} while the job ran; its work is in commit {tip}: \
                     cherry-pick it or retry the step",
                    order.kind,
                    short(&record.start_commit),
                    short(&current)
                )));
            }
            if record.settled.as_ref().is_some_and(|settled| settled.from != current) {
                record.settled = Some(Settled { from: current.clone(), ..settled.clone() });
                self.keep(folder, record).await?;
            }
            let why = format!("lockstep: {}", order.key.to_string().escape_default());
            match repository.move_branch(&branch, &current, tip, &why).await? {
                Moved::Done { behind } => {
                    return Ok(JobOutcome::Done(finished(settled.result, tip, &behind)));
                }
                Moved::Elsewhere => {}
                Moved::Blocked { worktree, why } => {
                    return Ok(JobOutcome::Failed(format!(
                        "{}: {branch} is checked out in {} and {why}; the job's work is in commit {tip}: \
                         retry the step or merge that commit",
                        order.kind,
                        worktree.display()
                    )));
                }
            }
        }
        Err(Lost(format!("{branch} kept moving while a job's work was put on it")))
    }

    pub(super) async fn keep(&self, folder: &JobFolder, record: &JobRecord) -> Result<(), Lost> {
        let (folder, record) = (folder.clone(), record.clone());
        Ok(blocking(move || folder.keep_record(&record)).await?)
    }

    pub(super) async fn with_tip(
        &self,
        repository: &Repository,
        record: &JobRecord,
        result: JobResult,
    ) -> Result<JobResult, Lost> {
        Ok(JobResult { head_commit: repository.tip(&record.branch).await?, ..result })
    }
}

/// The commit a job's work ends in, made now if it left anything uncommitted; or why its work cannot be used.
async fn committed(
    repository: &Repository,
    worktree: &Worktree,
    order: &JobOrder,
    record: &JobRecord,
) -> Result<Result<String, String>, Lost> {
    if repository.is_rebasing(worktree) {
        return Ok(Err("it left a rebase half done: have it finish or abort that".into()));
    }
    if let Some(file) = undecided_file(repository, worktree).await? {
        let file = as_line(&file.to_string_lossy(), "a file");
        return Ok(Err(format!("it left conflict markers in {file}: have it resolve the merge it began")));
    }
    let head = repository.head_of(worktree).await?;
    let merging = repository.merging(worktree);
    let tree = repository.tree_of_files(worktree).await?;
    let mut tip = head.clone();
    if tree != repository.tree_of(&head).await? || !merging.is_empty() {
        let title = as_line(&order.context.title, &order.kind);
        let kind = as_line(&order.kind, "job");
        let key = order.key.to_string();
        let message = format!("{kind}: {title}\n\n{JOB_TRAILER}: {}\n", key.escape_default());
        let parents: Vec<&str> = std::iter::once(&head).chain(&merging).map(String::as_str).collect();
        let at = order.dispatched_at;
        tip = repository
            .commit(CommitSpec { tree: &tree, parents: &parents, message, at, author: None })
            .await?;
    }
    if !repository.is_ancestor(&record.start_commit, &tip).await? {
        return Ok(Err(format!(
            "it rewrote the branch: its commit {} does not come after {}; have it add commits instead",
            short(&tip),
            short(&record.start_commit)
        )));
    }
    Ok(Ok(tip))
}

/// A file that a merge left undecided and that still has its markers.
async fn undecided_file(repository: &Repository, worktree: &Worktree) -> Result<Option<PathBuf>, Lost> {
    for file in repository.undecided(worktree).await?.into_iter().take(UNDECIDED_MAX) {
        let path = worktree.path.join(&file);
        let content = blocking(move || read_bounded(&path, MARKER_SEARCH_MAX)).await;
        // A file that is gone was resolved by removing it; one that is no plain file has no markers.
        let content = content.ok().flatten().unwrap_or_default();
        let is_marker = |line: &[u8]| line.starts_with(b"<<<<<<< ") || line.starts_with(b">>>>>>> ");
        if content.split(|byte| *byte == b'\n').any(is_marker) {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

fn finished(result: JobResult, tip: &str, behind: &[PathBuf]) -> JobResult {
    for worktree in behind {
        tracing::warn!(worktree = %worktree.display(), "a job's commit is on its branch, but not in this worktree");
    }
    JobResult { head_commit: Some(tip.to_owned()), ..result }
}
