//! Checks that are programs of this machine, run in a worktree at the head commit.

use crate::environment::{environment, secret_names};
use crate::files::{
    blocking, create_private_dir, read_end, read_json, remove_tree_if_there, try_lock, write_json,
};
use crate::git::{GitError, LocalGit, Repository, SetupError, Worktree, repository_name};
use crate::launch::{Exit, Folder, Order};
use crate::text::last_lines;
use async_trait::async_trait;
use lockstep_ports::{CheckOrder, Checks, Wake};
use lockstep_types::{Check, CheckCommand, CheckReport, Digest, ObserveFailure, RunId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};

/// Checks waiting for their turn or running; one more is reported as queued and begun at a later look.
const UNDER_WAY_MAX: usize = 256;
/// Results kept per repository; the oldest go first. A result is about a kilobyte.
const RESULTS_MAX: usize = 2000;
/// Lines and bytes of a check's output that are its summary.
const SUMMARY_LINES: usize = 20;
const SUMMARY_BYTES: usize = 2 << 10;
/// Exit status of a check that does not apply, as in Automake and Meson.
const SKIPPED_STATUS: i32 = 77;

/// How local checks are run.
#[derive(Clone, Debug)]
pub struct CheckOptions {
    /// Program and first arguments of the process that calls `supervise` with the folder it is given as last argument.
    pub supervisor: Vec<OsString>,
    /// Checks that run at once.
    pub parallel: usize,
    /// For a check that names no time limit of its own.
    pub time_limit: Duration,
    /// Folders, relative to the root of a worktree, that one check leaves for the next: build caches.
    pub keep: Vec<String>,
}

impl CheckOptions {
    /// Two at once, each for up to an hour, keeping `target`, whose content cargo itself tells fresh from stale.
    #[must_use]
    pub fn new(supervisor: Vec<OsString>) -> Self {
        Self { supervisor, parallel: 2, time_limit: Duration::from_hours(1), keep: vec!["target".into()] }
    }
}

/// Runs the checks of a pipeline as programs of this machine. Implements `Checks`; cheap to clone.
///
/// The worktree a repository's checks run in first stays for the next check, at the same path, taken to its commit and
/// cleaned of all but the kept folders; those needed beside it are removed after use. Checks end with the host.
#[derive(Clone)]
pub struct LocalChecks {
    inner: Arc<Inner>,
}

struct Inner {
    git: LocalGit,
    options: CheckOptions,
    wake: Wake,
    places: Semaphore,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    under_way: BTreeMap<CheckKey, UnderWay>,
    /// Checks that could not be run, until somebody has been told.
    lost: BTreeMap<CheckKey, String>,
}

/// A check: what is run on what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct CheckKey {
    repository: PathBuf,
    commit: String,
    command: Digest,
}

struct UnderWay {
    running: bool,
    waiting: BTreeSet<RunId>,
    stop: watch::Sender<bool>,
}

/// The kept result of a check.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    conclusion: String,
    summary: String,
}

/// Why a check has no result.
enum NoResult {
    /// Nobody waits for it any more.
    Stopped,
    /// The host could not do its part. One line.
    Lost(String),
}

impl From<GitError> for NoResult {
    fn from(error: GitError) -> Self {
        Self::Lost(error.to_string())
    }
}

impl From<std::io::Error> for NoResult {
    fn from(error: std::io::Error) -> Self {
        Self::Lost(format!("the data folder cannot be used: {error}"))
    }
}

impl LocalChecks {
    /// Checks in the repositories of `git`, kept in its data folder. `wake` is called for each run that waits when a
    /// check has ended.
    ///
    /// # Errors
    /// If the data folder cannot be written.
    pub fn new(git: LocalGit, options: CheckOptions, wake: Wake) -> Result<Self, SetupError> {
        let checks = git.data_dir().join("checks");
        create_private_dir(&checks)
            .map_err(|source| SetupError { path: checks.display().to_string(), source })?;
        let places = Semaphore::new(options.parallel.max(1));
        Ok(Self { inner: Arc::new(Inner { git, options, wake, places, state: Mutex::default() }) })
    }
}

#[async_trait]
impl Checks for LocalChecks {
    async fn read(&self, order: CheckOrder<'_>) -> Result<CheckReport, ObserveFailure> {
        let repository = self.inner.git.open(&order.change.repository).await?;
        let head_commit = repository.tip(&order.change.head_branch).await?;
        let Some(commit) = &head_commit else {
            return Ok(CheckReport::default());
        };
        let mut checks = Vec::new();
        let mut current = BTreeSet::new();
        for (name, command) in order.commands {
            let key = CheckKey {
                repository: repository.common_dir().to_owned(),
                commit: commit.clone(),
                command: Digest::of(&serde_json::to_vec(command).unwrap_or_default()),
            };
            checks.push(self.inner.look_at(name, command, &key, &repository, order.run)?);
            current.insert(key);
        }
        // What this run waited for at an earlier commit is of no use to it now.
        self.inner
            .release(order.run, |key| key.repository == repository.common_dir() && !current.contains(key));
        Ok(CheckReport { head_commit, checks, pull_request: None })
    }

    async fn forget(&self, run: &RunId) {
        self.inner.release(run, |_| true);
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a check stands; it is begun if it has not been.
    fn look_at(
        self: &Arc<Self>,
        name: &str,
        command: &CheckCommand,
        key: &CheckKey,
        repository: &Repository,
        run: &RunId,
    ) -> Result<Check, ObserveFailure> {
        let pending = |status: &str| Check {
            name: name.to_owned(),
            status: status.to_owned(),
            conclusion: None,
            url: None,
            summary: None,
        };
        let mut state = self.state();
        if let Some(line) = state.lost.remove(key) {
            return Err(ObserveFailure::Failed(format!("check {name} could not be run: {line}")));
        }
        if let Some(entry) = state.under_way.get_mut(key) {
            entry.waiting.insert(run.clone());
            return Ok(pending(if entry.running { "in_progress" } else { "queued" }));
        }
        // A result is kept before its check is no longer under way, so it is not missed here.
        match read_json::<Kept>(&self.result_file(repository, key)) {
            Ok(Some(kept)) => {
                let check = pending("completed");
                return Ok(Check { conclusion: Some(kept.conclusion), summary: Some(kept.summary), ..check });
            }
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(check = name, %error, "a kept result is unreadable; the check runs again");
            }
        }
        if state.under_way.len() < UNDER_WAY_MAX {
            let entry = UnderWay {
                running: false,
                waiting: BTreeSet::from([run.clone()]),
                stop: watch::Sender::new(false),
            };
            let stop = entry.stop.subscribe();
            state.under_way.insert(key.clone(), entry);
            let task = Arc::clone(self).run(command.clone(), key.clone(), repository.clone(), stop);
            tokio::spawn(task);
        }
        Ok(pending("queued"))
    }

    /// Has `run` wait no longer for the checks that `which` names; a check that nobody waits for is ended.
    fn release(&self, run: &RunId, which: impl Fn(&CheckKey) -> bool) {
        for (_, entry) in self.state().under_way.iter_mut().filter(|(key, _)| which(key)) {
            if entry.waiting.remove(run) && entry.waiting.is_empty() {
                entry.stop.send_replace(true);
            }
        }
    }

    fn results_dir(&self, repository: &Repository) -> PathBuf {
        self.git.data_dir().join("checks").join(repository_name(repository))
    }

    fn result_file(&self, repository: &Repository, key: &CheckKey) -> PathBuf {
        self.results_dir(repository).join(format!("{}-{}.json", key.commit, key.command.short()))
    }

    /// Runs a check to its end and tells whoever waits.
    async fn run(
        self: Arc<Self>,
        command: CheckCommand,
        key: CheckKey,
        repository: Repository,
        stop: watch::Receiver<bool>,
    ) {
        let ended = self.result(&command, &key, &repository, stop).await;
        let waiting = {
            let mut state = self.state();
            let entry = state.under_way.remove(&key);
            if let Err(NoResult::Lost(line)) = ended
                && state.lost.len() < UNDER_WAY_MAX
            {
                state.lost.insert(key, line);
            }
            entry.map(|entry| entry.waiting).unwrap_or_default()
        };
        for run in &waiting {
            (self.wake)(run);
        }
    }

    async fn result(
        &self,
        command: &CheckCommand,
        key: &CheckKey,
        repository: &Repository,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), NoResult> {
        let mut stopped = stop.clone();
        let _place = tokio::select! {
            place = self.places.acquire() => place.map_err(|_| NoResult::Stopped)?,
            () = asked_to_stop(&mut stopped) => return Err(NoResult::Stopped),
        };
        if let Some(entry) = self.state().under_way.get_mut(key) {
            entry.running = true;
        }
        let slot = self.slot(repository).await?;
        let ended = self.supervised(command, key, repository, &slot, &mut stop).await;
        let concluded = ended.and_then(|exit| conclude(&exit, command, &slot.folder()));
        slot.free(repository).await;
        let kept = concluded?;
        let (results, file) = (self.results_dir(repository), self.result_file(repository, key));
        blocking(move || {
            create_private_dir(&results)?;
            write_json(&file, &kept)?;
            remove_oldest(&results);
            Ok(())
        })
        .await?;
        Ok(())
    }

    /// Runs the command of a check in the worktree of `slot`.
    async fn supervised(
        &self,
        command: &CheckCommand,
        key: &CheckKey,
        repository: &Repository,
        slot: &Slot,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<Exit, NoResult> {
        let worktree = self.prepared(repository, slot, &key.commit).await?;
        let limit = command.time_limit_s.map_or(self.options.time_limit, Duration::from_secs);
        let order = Order {
            command: command.command.clone(),
            cwd: worktree.path,
            stdin: None,
            time_limit_ms: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX),
            tethered: true,
            secret_variables: secret_names(&[], &command.env).collect(),
            masked_file: None,
        };
        let mut environment = environment(&[], &command.env);
        environment.insert("LOCKSTEP_COMMIT".into(), key.commit.clone().into());
        let folder = slot.folder();
        create_private_dir(folder.path())?;
        let lock = slot.lock.try_clone()?;
        let mut child = folder.start(&self.options.supervisor, &order, &environment, lock)?;
        let tether = child.stdin.take();
        tokio::select! {
            ended = child.wait() => {
                ended?;
            }
            () = asked_to_stop(stop) => {
                drop(tether);
                child.wait().await?;
                return Err(NoResult::Stopped);
            }
        }
        folder.exit()?.ok_or_else(|| NoResult::Lost("its supervisor was killed".into()))
    }

    /// Takes the first worktree of a repository that no check of any host uses; there are as many as checks at once.
    async fn slot(&self, repository: &Repository) -> Result<Slot, NoResult> {
        let root = self.git.worktrees_of(repository);
        // One more than this host needs, for a check of a host that was killed just now and is ending.
        let count = self.options.parallel.max(1) * 2 + 1;
        blocking(move || {
            create_private_dir(&root)?;
            for number in 0..count {
                let path = root.join(format!("lockstep-check-{number}"));
                if let Some(lock) = try_lock(&path.with_extension("lock"))? {
                    return Ok(Slot { path, lock, stays: number == 0 });
                }
            }
            Err(std::io::Error::other("all its worktrees are in use"))
        })
        .await
        .map_err(NoResult::from)
    }

    /// The worktree of a slot at `commit`, made anew unless the one that is there can be taken to it.
    async fn prepared(
        &self,
        repository: &Repository,
        slot: &Slot,
        commit: &str,
    ) -> Result<Worktree, GitError> {
        if slot.path.is_dir() {
            match repository.reuse_worktree(&slot.path, commit, &self.options.keep).await {
                Ok(worktree) => return Ok(worktree),
                Err(error) => {
                    tracing::debug!(worktree = %slot.path.display(), %error, "a worktree for checks is made anew");
                }
            }
        }
        repository.add_worktree(&slot.path, commit).await
    }
}

/// Returns when nobody waits for the check any more.
async fn asked_to_stop(stop: &mut watch::Receiver<bool>) {
    // The sender lives as long as the check is under way.
    drop(stop.wait_for(|stop| *stop).await);
}

/// A worktree for one check at a time.
struct Slot {
    path: PathBuf,
    /// Held by the supervisor too, so that a worktree in use is not touched by a host that comes after.
    lock: File,
    stays: bool,
}

impl Slot {
    /// Where the supervisor of its check works; the lock of the slot guards it too.
    fn folder(&self) -> Folder {
        Folder::new(self.path.with_extension("run"))
    }

    async fn free(self, repository: &Repository) {
        if !self.stays
            && let Err(error) = repository.remove_worktree(&self.path).await
        {
            tracing::warn!(worktree = %self.path.display(), %error, "the worktree of a check could not be removed");
        }
        let folder = self.folder();
        let removed = blocking(move || remove_tree_if_there(folder.path())).await;
        if let Err(error) = removed {
            tracing::warn!(worktree = %self.path.display(), %error, "the records of a check could not be removed");
        }
        drop(self.lock);
    }
}

/// What the end of a check means.
fn conclude(exit: &Exit, command: &CheckCommand, folder: &Folder) -> Result<Kept, NoResult> {
    let program = command.command.first().map_or("(empty)", String::as_str);
    let (conclusion, line) = match exit {
        Exit::Status(0) => ("success", None),
        Exit::Status(SKIPPED_STATUS) => ("skipped", None),
        Exit::Status(code) => ("failure", Some(format!("ended with status {code}"))),
        Exit::Signal(signal) => ("failure", Some(format!("ended by signal {signal}"))),
        Exit::TimedOut => ("timed_out", Some("did not end within its time limit".to_owned())),
        Exit::NotFound => {
            ("failure", Some(format!("there is no command {program}: install it or correct the check")))
        }
        Exit::NotStarted(reason) => ("failure", Some(format!("{program} could not be started: {reason}"))),
        Exit::Stopped => return Err(NoResult::Lost("it was stopped by somebody else".into())),
    };
    let end = read_end(&folder.log(), SUMMARY_BYTES)?.unwrap_or_default();
    let end = last_lines(&end, SUMMARY_LINES, SUMMARY_BYTES);
    let parts: Vec<String> = line.into_iter().chain(Some(end).filter(|end| !end.is_empty())).collect();
    Ok(Kept { conclusion: conclusion.to_owned(), summary: parts.join("\n") })
}

/// Removes the results that are too many, oldest first. One that cannot be removed is tried again with the next result.
fn remove_oldest(results: &Path) {
    let entries = std::fs::read_dir(results).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries
        .filter(|entry| entry.path().extension().is_some_and(|kind| kind == "json"))
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    if files.len() > RESULTS_MAX {
        files.sort();
        for (_, path) in &files[..files.len() - RESULTS_MAX] {
            std::fs::remove_file(path).ok();
        }
    }
}
