//! Carries out jobs: as programs of this machine, by workers that lease them, or by models.

mod job_folder;
mod models;
mod result;
mod settle;
mod workers;

use crate::environment::{Environment, environment, secret_names};
use crate::files::{blocking, create_private_dir, read_end, remove_if_there, remove_tree_if_there};
use crate::git::{GitError, LocalGit, Repository, SetupError};
use crate::launch::{Exit, Order};
use crate::mask::Mask;
use async_trait::async_trait;
pub(crate) use job_folder::numbered_name;
use job_folder::{JobFolder, JobRecord};
use lockstep_ports::{Credentials, Jobs, Secret};
use lockstep_types::{
    Access, Digest, JobCommand, JobKey, JobOrder, JobOutcome, JobProgress, RunId, credential_variable,
};
pub use models::{KeySource, ModelOptions, Models, Structured};
use std::collections::{BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
pub use workers::{LocalWorkers, WorkerOptions};

/// Times a job is begun whose supervisor is lost each time, before it counts as what takes its machine down.
const STARTS_MAX: u32 = 5;
/// Most bytes of a log that are handed out at once.
const LOG_TAIL_MAX: usize = 4 << 20;
/// Folders of jobs that are looked through after a start.
const JOBS_MAX: usize = 1_000_000;

/// How jobs are carried out.
#[derive(Clone, Debug)]
pub struct JobOptions {
    /// Program and first arguments of the process that calls `supervise` with the folder it is given as last argument.
    pub supervisor: Vec<OsString>,
    /// Commands that run at once; others wait their turn.
    pub parallel: usize,
    /// For a job that names no time limit of its own.
    pub time_limit: Duration,
}

impl JobOptions {
    /// Four at once, each for up to two hours: what a developer's machine and a coding agent need.
    #[must_use]
    pub fn new(supervisor: Vec<OsString>) -> Self {
        Self { supervisor, parallel: 4, time_limit: Duration::from_hours(2) }
    }
}

/// Carries out jobs as programs in worktrees of the head branch, or has workers or models do it. Implements `Jobs`; cheap to clone.
///
/// A command finds its context in the file `LOCKSTEP_CONTEXT` and on its standard input, and writes a `JobResult` to the
/// file `LOCKSTEP_RESULT` or its text to its standard output. What a job that may write leaves in its worktree becomes
/// a commit on the head branch. Jobs outlive a host that is killed; the next one finds them by their key.
#[derive(Clone, Debug)]
pub struct LocalJobs {
    git: LocalGit,
    options: Arc<JobOptions>,
    places: Arc<Semaphore>,
    active: Arc<Mutex<HashMap<JobKey, Arc<Active>>>>,
    credentials: Option<LeasedCredentials>,
    workers: Option<LocalWorkers>,
    models: Option<Arc<Models>>,
}

/// A job this host is busy with.
#[derive(Debug)]
struct Active {
    /// Held by the one who carries it out.
    turn: tokio::sync::Mutex<()>,
    stop: watch::Sender<bool>,
    /// What is taken out of all that its program says.
    mask: Mutex<Arc<Mask>>,
}

/// What is leased to runs.
#[derive(Clone)]
struct LeasedCredentials(Arc<dyn Credentials>);

impl fmt::Debug for LeasedCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LeasedCredentials")
    }
}

/// The host could not do its part. One line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Lost(String);

impl From<GitError> for Lost {
    fn from(error: GitError) -> Self {
        Self(error.to_string())
    }
}

impl From<std::io::Error> for Lost {
    fn from(error: std::io::Error) -> Self {
        Self(format!("the data folder cannot be used: {error}"))
    }
}

impl LocalJobs {
    /// Jobs in the repositories of `git`, kept in its data folder.
    ///
    /// # Errors
    /// If the data folder cannot be written.
    pub fn new(git: LocalGit, options: JobOptions) -> Result<Self, SetupError> {
        let jobs = git.data_dir().join("jobs");
        create_private_dir(&jobs)
            .map_err(|source| SetupError { path: jobs.display().to_string(), source })?;
        let places = Arc::new(Semaphore::new(options.parallel.max(1)));
        let (active, options) = (Arc::default(), Arc::new(options));
        Ok(Self { git, options, places, active, credentials: None, workers: None, models: None })
    }

    /// The same, with a queue for the jobs that are for workers.
    #[must_use]
    pub fn with_workers(self, workers: LocalWorkers) -> Self {
        Self { workers: Some(workers), ..self }
    }

    /// The same, with credentials for the commands that need some.
    #[must_use]
    pub fn with_credentials(self, credentials: Arc<dyn Credentials>) -> Self {
        Self { credentials: Some(LeasedCredentials(credentials)), ..self }
    }

    /// The same, with models for the jobs that are for one.
    #[must_use]
    pub fn with_models(self, models: Models) -> Self {
        Self { models: Some(Arc::new(models)), ..self }
    }

    fn jobs_dir(&self) -> PathBuf {
        self.git.data_dir().join("jobs")
    }

    fn folder(&self, key: &JobKey) -> JobFolder {
        JobFolder::new(&self.jobs_dir(), key)
    }

    fn worktree(&self, repository: &Repository, key: &JobKey) -> PathBuf {
        let name = Digest::of(key.to_string().as_bytes()).short();
        self.git.worktrees_of(repository).join(format!("lockstep-job-{name}"))
    }

    fn activate(&self, key: &JobKey) -> Arc<Active> {
        let mut active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        let (turn, stop) = (tokio::sync::Mutex::default(), watch::Sender::new(false));
        let fresh = || Arc::new(Active { turn, stop, mask: Mutex::default() });
        Arc::clone(active.entry(key.clone()).or_insert_with(fresh))
    }

    /// Forgets the activities nobody is left for: this one, and those whose caller gave up waiting.
    fn deactivate(&self, mine: Arc<Active>) {
        let mut active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        drop(mine);
        active.retain(|_, entry| Arc::strong_count(entry) > 1);
    }

    /// Takes a job from wherever it stands to its outcome.
    async fn to_outcome(
        &self,
        order: &JobOrder,
        command: Option<&JobCommand>,
        active: &Active,
    ) -> Result<JobOutcome, Lost> {
        let folder = self.folder(&order.key);
        if let Some(outcome) = folder.outcome()? {
            return Ok(outcome);
        }
        let mut place: Option<OwnedSemaphorePermit> = None;
        loop {
            let known = folder.record()?;
            if let Some(record) = known.as_ref().filter(|record| record.settled.is_some()) {
                return self.put_on_branch(order, &folder, &mut record.clone()).await;
            }
            if let Some(command) =
                command.filter(|command| command.worker.is_some() || command.model.is_some())
            {
                return self.elsewhere(order, command, &folder, active).await;
            }
            if folder.launch.is_busy()? {
                folder.launch.until_idle().await?;
                continue;
            }
            if folder.is_stopped() {
                return Ok(stopped());
            }
            // A supervisor that was asked to end by somebody else went down with its machine: its job begins anew.
            let exit = folder.launch.exit()?.filter(|exit| *exit != Exit::Stopped);
            if let (Some(mut record), Some(exit)) = (known.clone(), exit) {
                drop(place);
                let settled = self.settle(order, command, &folder, &mut record, exit).await?;
                return Ok(self.mask(order, command).await.outcome(settled));
            }
            if known.is_some() {
                folder.launch.end_left_behind().await?;
            }
            let Some(command) = command else { return Ok(not_configured(&order.kind)) };
            if known.as_ref().is_some_and(|record| record.starts >= STARTS_MAX) {
                let message = format!("{}: its supervisor was lost {STARTS_MAX} times", order.kind);
                return Ok(JobOutcome::Evicted { transient: true, message });
            }
            if place.is_none() {
                place = self.place(active).await;
                if place.is_none() {
                    return Ok(stopped());
                }
                continue;
            }
            let Some(lock) = folder.launch.lock()? else { continue };
            if let Err(refused) = self.start(order, command, &folder, known, lock).await? {
                return Ok(refused);
            }
            if !folder.launch.path().is_dir() {
                return Err(Lost(format!("{}: its folder was removed while it ran", order.kind)));
            }
        }
    }

    /// Has a job carried out that is for no command.
    async fn elsewhere(
        &self,
        order: &JobOrder,
        command: &JobCommand,
        folder: &JobFolder,
        active: &Active,
    ) -> Result<JobOutcome, Lost> {
        if folder.is_stopped() {
            return Ok(stopped());
        }
        match (&command.worker, &command.model) {
            (Some(pool), _) => self.by_worker(order, command, pool, folder, active).await,
            (None, Some(model)) => self.by_model(order, command, model, folder, active).await,
            (None, None) => Ok(not_configured(&order.kind)),
        }
    }

    /// Waits for one of the places where commands run; none if the job is stopped before.
    async fn place(&self, active: &Active) -> Option<OwnedSemaphorePermit> {
        let mut stop = active.stop.subscribe();
        tokio::select! {
            place = Arc::clone(&self.places).acquire_owned() => place.ok(),
            _ = stop.wait_for(|stop| *stop) => None,
        }
    }

    /// Begins a job, or begins it anew from where it began, and returns when its supervisor has ended.
    async fn start(
        &self,
        order: &JobOrder,
        command: &JobCommand,
        folder: &JobFolder,
        known: Option<JobRecord>,
        lock: File,
    ) -> Result<Result<(), JobOutcome>, Lost> {
        let secrets = match self.secrets(order, command).await {
            Ok(secrets) => secrets,
            Err(line) => return Ok(Err(JobOutcome::Failed(line))),
        };
        let repository = self.git.open(&order.context.change.repository).await?;
        let mut record = match known {
            Some(record) => record,
            None => new_record(order, &repository).await?,
        };
        if order.access == Access::Write
            && let Some(refused) = self.unsaved(&repository, &record, &order.kind).await?
        {
            return Ok(Err(refused));
        }
        record.starts += 1;
        let (prepared, context, kept) = (folder.clone(), order.context.clone(), record.clone());
        blocking(move || {
            remove_if_there(&prepared.result())?;
            remove_if_there(&prepared.progress_file())?;
            prepared.write_context(&context)?;
            prepared.keep_record(&kept)
        })
        .await?;
        // After the record, by which it is found again if this host ends now.
        let worktree = self.worktree(&repository, &order.key);
        let worktree = repository.add_worktree(&worktree, &record.start_commit).await?;
        if folder.is_stopped() {
            return Ok(Err(stopped()));
        }
        let limit = self.time_limit(order, Some(command)).as_millis();
        let supervised = Order {
            command: command.command.clone(),
            cwd: worktree.path,
            stdin: Some(folder.context()),
            time_limit_ms: u64::try_from(limit).unwrap_or(u64::MAX),
            tethered: false,
            secret_variables: secret_names(&command.pass_env, &command.env)
                .chain(secrets.iter().map(|(name, _)| name.clone()))
                .collect(),
            masked_file: Some(folder.result()),
        };
        let mut environment = job_environment(order, command, folder);
        environment.extend(secrets.iter().map(|(name, secret)| (name.into(), secret.expose().into())));
        let mut child =
            folder.launch.start(&self.options.supervisor, &supervised, &environment, lock).map_err(
                |error| Lost(format!("{}: the job supervisor could not be started: {error}", order.kind)),
            )?;
        child.wait().await?;
        Ok(Ok(()))
    }

    /// The credentials a command needs, by the variables it finds them in; or why they cannot be had, in one line.
    async fn secrets(&self, order: &JobOrder, command: &JobCommand) -> Result<Vec<(String, Secret)>, String> {
        let mut secrets = Vec::new();
        for name in &command.credentials {
            let Some(credentials) = &self.credentials else {
                return Err(format!(
                    "{0}: it needs credential {name}, and this host keeps none: remove it from [jobs.{0}]",
                    order.kind
                ));
            };
            let secret = credentials.0.give(&order.key.run, name).await;
            let secret = secret.map_err(|error| format!("{}: {error}", order.kind))?;
            secrets.push((credential_variable(name), secret));
        }
        Ok(secrets)
    }

    /// Takes out of an outcome what the supervisor could not: names of files, above all.
    async fn mask(&self, order: &JobOrder, command: Option<&JobCommand>) -> Mask {
        let Some(command) = command else { return Mask::default() };
        let leased = self.secrets(order, command).await.unwrap_or_default();
        let set = environment(&command.pass_env, &command.env);
        let named = secret_names(&command.pass_env, &command.env)
            .filter_map(|name| set.get(OsStr::new(&name))?.to_str().map(str::to_owned));
        Mask::new(leased.iter().map(|(_, secret)| secret.expose().to_owned()).chain(named))
    }

    /// The outcome of a job that would in the end not be let onto its branch, for changes nobody committed.
    async fn unsaved(
        &self,
        repository: &Repository,
        record: &JobRecord,
        kind: &str,
    ) -> Result<Option<JobOutcome>, Lost> {
        for worktree in repository.checked_out(&record.branch).await? {
            if repository.is_dirty(&worktree).await? {
                return Ok(Some(JobOutcome::Failed(format!(
                    "{kind}: {} is checked out in {} with uncommitted changes: commit or stash them, then retry",
                    record.branch,
                    worktree.path.display()
                ))));
            }
        }
        Ok(None)
    }

    /// The shortest of the limits that are set.
    fn time_limit(&self, order: &JobOrder, command: Option<&JobCommand>) -> Duration {
        let of_command = command.and_then(|command| command.time_limit_s).map(Duration::from_secs);
        let of_order = order.time_limit_ms.map(Duration::from_millis);
        of_command.into_iter().chain(of_order).min().unwrap_or(self.options.time_limit)
    }

    /// Removes the worktree of a job that has its outcome.
    async fn clear(&self, key: &JobKey) {
        let folder = self.folder(key);
        let Ok(Some(record)) = folder.record() else { return };
        self.clear_pushed(&folder, &record).await;
        let cleared = async {
            let repository = self.git.open(&record.repository).await?;
            repository.remove_worktree(&self.worktree(&repository, key)).await
        };
        if let Err(error) = cleared.await {
            tracing::warn!(%key, %error, "the worktree of a job could not be removed");
        }
    }

    async fn carry_out_alone(
        &self,
        order: &JobOrder,
        command: Option<&JobCommand>,
        active: &Active,
    ) -> JobOutcome {
        let _turn = active.turn.lock().await;
        let mask = Arc::new(self.mask(order, command).await);
        *active.mask.lock().unwrap_or_else(PoisonError::into_inner) = mask;
        let (outcome, lost) = match self.to_outcome(order, command, active).await {
            Ok(outcome @ JobOutcome::NotConfigured(_)) => return outcome,
            Ok(outcome) => (outcome, false),
            // Its worktree is left for whoever wants to save the work in it.
            Err(Lost(line)) => (JobOutcome::Failed(line), true),
        };
        let (folder, kept) = (self.folder(&order.key), outcome.clone());
        let known = folder.outcome().ok().flatten().is_some();
        if !known && let Err(error) = blocking(move || folder.keep_outcome(&kept)).await {
            return JobOutcome::Failed(format!("{}: its outcome could not be kept: {error}", order.kind));
        }
        if !lost {
            self.clear(&order.key).await;
        }
        outcome
    }
}

#[async_trait]
impl Jobs for LocalJobs {
    async fn carry_out(&self, order: &JobOrder, command: Option<&JobCommand>) -> JobOutcome {
        let active = self.activate(&order.key);
        let outcome = self.carry_out_alone(order, command, &active).await;
        self.deactivate(active);
        outcome
    }

    async fn stop(&self, key: &JobKey) {
        let folder = self.folder(key);
        let active = self.activate(key);
        let is_known = folder.launch.path().is_dir() || Arc::strong_count(&active) > 2;
        if is_known && !matches!(folder.outcome(), Ok(Some(_))) {
            let stopped_in = folder.clone();
            if let Err(error) = blocking(move || stopped_in.mark_stopped()).await {
                tracing::warn!(%key, %error, "that a job was stopped could not be kept");
            }
            active.stop.send_replace(true);
            if let Err(error) = folder.launch.stop().await {
                tracing::warn!(%key, %error, "a job could not be stopped");
            }
            // Whoever carries it out has seen its end by now and keeps the outcome; else it is kept here.
            let _turn = active.turn.lock().await;
            if matches!(folder.outcome(), Ok(None)) {
                let kept = folder.clone();
                if let Err(error) = blocking(move || kept.keep_outcome(&stopped())).await {
                    tracing::warn!(%key, %error, "the outcome of a stopped job could not be kept");
                }
            }
            self.clear(key).await;
        }
        self.deactivate(active);
    }

    async fn sweep(&self, wanted: &BTreeSet<JobKey>) {
        let runs = std::fs::read_dir(self.jobs_dir()).into_iter().flatten().flatten();
        for run in runs.take(JOBS_MAX) {
            for job in job_folders(&run.path()) {
                let Ok(Some(record)) = job.record() else { continue };
                match job.outcome() {
                    Ok(Some(_)) => self.clear_if_there(&record).await,
                    _ if !wanted.contains(&record.key) => self.stop(&record.key).await,
                    _ => {}
                }
            }
        }
    }

    async fn log_tail(&self, key: &JobKey, limit: usize) -> Option<String> {
        let path = self.folder(key).launch.log();
        let limit = limit.min(LOG_TAIL_MAX);
        let bytes = blocking(move || read_end(&path, limit)).await.ok()??;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        // The first letter may have been cut in two.
        Some(text.trim_start_matches(char::REPLACEMENT_CHARACTER).to_owned())
    }

    async fn progress(&self, key: &JobKey) -> Option<JobProgress> {
        let active = self.active.lock().unwrap_or_else(PoisonError::into_inner).get(key).map(Arc::clone)?;
        let mask = Arc::clone(&active.mask.lock().unwrap_or_else(PoisonError::into_inner));
        self.deactivate(active);
        let folder = self.folder(key);
        let said = blocking(move || Ok(folder.progress())).await.ok().flatten();
        let standing = || self.workers.as_ref().and_then(|workers| workers.standing_of(key));
        let said =
            said.or_else(|| Some(JobProgress { label: Some(standing()?), ..JobProgress::default() }))?;
        serde_json::from_slice(&mask.whole(&serde_json::to_vec(&said).ok()?)).ok()
    }

    async fn forget(&self, run: &RunId) {
        let folder = self.jobs_dir().join(run.as_str());
        for job in job_folders(&folder) {
            if let Ok(Some(record)) = job.record() {
                self.stop(&record.key).await;
            }
        }
        if let Err(error) = blocking(move || remove_tree_if_there(&folder)).await {
            tracing::warn!(%run, %error, "the jobs of a run could not be removed");
        }
    }
}

impl LocalJobs {
    /// Removes a worktree that a host did not come to remove, without asking git about the many jobs that have none.
    async fn clear_if_there(&self, record: &JobRecord) {
        let name = Digest::of(record.key.to_string().as_bytes()).short();
        let roots = std::fs::read_dir(self.git.data_dir().join("worktrees")).into_iter().flatten().flatten();
        let mut paths = roots.take(JOBS_MAX).map(|root| root.path().join(format!("lockstep-job-{name}")));
        if paths.any(|path| path.is_dir()) {
            self.clear(&record.key).await;
        }
    }
}

/// What is remembered of a job that begins: above all where its branch stands.
async fn new_record(order: &JobOrder, repository: &Repository) -> Result<JobRecord, GitError> {
    let change = &order.context.change;
    Ok(JobRecord {
        key: order.key.clone(),
        repository: change.repository.clone(),
        branch: change.head_branch.clone(),
        start_commit: repository.existing_tip(&change.head_branch).await?,
        starts: 0,
        settled: None,
    })
}

/// The folders of the jobs of one run.
fn job_folders(run: &Path) -> impl Iterator<Item = JobFolder> + use<> {
    let entries = std::fs::read_dir(run).into_iter().flatten().flatten().take(JOBS_MAX);
    entries.map(|entry| JobFolder::at(entry.path()))
}

fn job_environment(order: &JobOrder, command: &JobCommand, folder: &JobFolder) -> Environment {
    let mut environment = environment(&command.pass_env, &command.env);
    let printable = |text: &str| text.replace('\0', "");
    environment.insert("LOCKSTEP_CONTEXT".into(), folder.context().into());
    environment.insert("LOCKSTEP_RESULT".into(), folder.result().into());
    environment.insert("LOCKSTEP_PROGRESS".into(), folder.progress_file().into());
    environment.insert("LOCKSTEP_RUN".into(), order.key.run.as_str().into());
    environment.insert("LOCKSTEP_STEP".into(), printable(&order.key.step).into());
    environment.insert("LOCKSTEP_JOB_KIND".into(), printable(&order.kind).into());
    environment.insert("LOCKSTEP_KEY".into(), printable(&order.key.to_string()).into());
    environment
}

fn stopped() -> JobOutcome {
    JobOutcome::Failed("the job was stopped".into())
}

fn not_configured(kind: &str) -> JobOutcome {
    JobOutcome::NotConfigured(format!(
        "no command carries out {kind}: add [jobs.{kind}] with command = [\"program\", \"argument\"] to the pipeline \
         file, or for an item to .lockstep/commands.toml"
    ))
}
