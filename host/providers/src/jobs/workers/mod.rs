//! Jobs that workers of other processes and machines take over HTTP and carry out.
//!
//! The folder of a job is the truth: `lease.json` says whom it was given to, `answer.json` what was answered. Both are
//! written before anybody is told. The queue in memory only says who waits, and until when a lease lasts.

mod carry;
mod queue;

use super::job_folder::{Answer, Ended, JobFolder, LeaseRecord};
use super::result::parse;
use crate::files::{blocking, write_durably};
use crate::git::{GitError, LocalGit};
use crate::mask::Mask;
use crate::supervisor::{LOG_KEPT, TailLog};
use crate::text::as_line;
use async_trait::async_trait;
use lockstep_ports::{
    Clock, LeaseAsk, Leased, LeasedChange, Word, WorkerError, WorkerFailure, WorkerQueue, WorkerView,
    WorkersView,
};
use lockstep_types::{Access, Digest, JobKey, JobOrder, JobProgress, RunId, Timestamp};
use queue::Queue;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};

/// Workers that wait for a job at once: each holds a connection of the server, which has some 250.
const WAITING_MAX: usize = 128;
/// Longest a worker may wait in one request: shorter than what proxies cut off.
const WAIT_MAX: Duration = Duration::from_secs(55);
/// Pools a worker may work for, and labels it may have.
const NAMES_MAX: usize = 32;
/// Letters of the name of a worker, pool or label.
const NAME_MAX: usize = 64;
/// Bytes of output taken at once.
const LOG_BYTES_MAX: usize = 256 << 10;
/// Bytes of a bundle: the commits of one job, without large binaries.
const BUNDLE_BYTES_MAX: usize = 64 << 20;
/// Bytes of a result, as of one that a command writes.
const RESULT_BYTES_MAX: usize = 1 << 20;
/// Bytes of what a worker says of a failure: as much as of a command's output.
const MESSAGE_BYTES_MAX: usize = 4 << 10;
/// Jobs whose files change at once: those that share a place wait for each other.
const PLACES: usize = 64;
/// Beginning of the branches that workers push to.
const PUSH_BRANCHES: &str = "lockstep-work";

/// How workers are dealt with.
#[derive(Clone, Copy, Debug)]
pub struct WorkerOptions {
    /// How long a worker may say nothing before it counts as lost.
    pub lease: Duration,
    /// Whether workers can reach this host at all: only a server is reached.
    pub is_reachable: bool,
}

impl Default for WorkerOptions {
    /// A minute, with a heartbeat every quarter of it: a lost worker is noticed soon, and a pause of its machine or network
    /// for some seconds costs nothing.
    fn default() -> Self {
        Self { lease: Duration::from_mins(1), is_reachable: false }
    }
}

/// The queue of jobs for workers. Implements `WorkerQueue`; cheap to clone.
#[derive(Clone)]
pub struct LocalWorkers(Arc<Inner>);

struct Inner {
    git: LocalGit,
    jobs_dir: PathBuf,
    clock: Arc<dyn Clock>,
    options: WorkerOptions,
    queue: Mutex<Queue>,
    held: Mutex<HashMap<JobKey, Arc<Job>>>,
    arrived: Notify,
    waiting: Semaphore,
    places: Vec<tokio::sync::Mutex<()>>,
}

/// What is needed of a job of the queue beside its place.
struct Job {
    order: JobOrder,
    env: BTreeMap<String, String>,
    pool: String,
    start_commit: String,
    limit: Duration,
    mask: Mask,
    /// Told when the job was given or answered.
    changed: Notify,
}

impl fmt::Debug for LocalWorkers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalWorkers")
    }
}

/// A lease that is in force.
struct InForce {
    key: JobKey,
    folder: JobFolder,
    job: Arc<Job>,
}

/// What a lease that was named is worth.
enum Standing {
    InForce(InForce),
    /// In force, but the host has not come to its job yet since it was started.
    Early,
    Answered,
    Stopped,
    Lost(String),
}

impl LocalWorkers {
    /// A queue for the jobs in the data folder of `git`.
    #[must_use]
    pub fn new(git: LocalGit, clock: Arc<dyn Clock>, options: WorkerOptions) -> Self {
        let jobs_dir = git.data_dir().join("jobs");
        Self(Arc::new(Inner {
            git,
            jobs_dir,
            clock,
            options,
            queue: Mutex::default(),
            held: Mutex::default(),
            arrived: Notify::new(),
            waiting: Semaphore::new(WAITING_MAX),
            places: std::iter::repeat_with(tokio::sync::Mutex::default).take(PLACES).collect(),
        }))
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self) -> MutexGuard<'_, HashMap<JobKey, Arc<Job>>> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    fn lease_ms(&self) -> u64 {
        u64::try_from(self.0.options.lease.as_millis()).unwrap_or(u64::MAX)
    }

    fn until(&self) -> Timestamp {
        self.now().plus_ms(self.lease_ms())
    }

    /// Held by whoever changes the files of a job.
    async fn alone(&self, key: &JobKey) -> tokio::sync::MutexGuard<'_, ()> {
        let place = usize::from(Digest::of(key.to_string().as_bytes()).bytes()[0]) % PLACES;
        self.0.places[place].lock().await
    }

    /// What a job of the queue waits for, for people.
    pub(super) fn standing_of(&self, key: &JobKey) -> Option<String> {
        let job = self.held().get(key).map(Arc::clone)?;
        let queue = self.queue();
        Some(match queue.holder(key) {
            Some(worker) => format!("with worker {worker}"),
            None => format!("waits for a worker of pool {}", job.pool),
        })
    }

    /// Gives a job that was chosen for a worker; none if nobody wants it any more.
    async fn grant(self, key: JobKey, worker: String) -> Result<Option<Leased>, WorkerError> {
        let _alone = self.alone(&key).await;
        let job = self.held().get(&key).map(Arc::clone);
        let Some(job) = job.filter(|_| self.queue().is_granting(&key)) else { return Ok(None) };
        let folder = JobFolder::new(&self.0.jobs_dir, &key);
        let granted = self.store_lease(&key, &job, &folder, worker).await;
        let Ok(leased) = granted.inspect_err(|_| self.queue().not_granted(&key)) else {
            return Err(WorkerError::Unavailable("the lease could not be stored: try again".into()));
        };
        job.changed.notify_one();
        Ok(Some(leased))
    }

    async fn store_lease(
        &self,
        key: &JobKey,
        job: &Job,
        folder: &JobFolder,
        worker: String,
    ) -> io::Result<Leased> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let random: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let lease = format!("{key}/{random}");
        let granted_at = self.now();
        let grants = folder.lease()?.map_or(0, |before| before.grants) + 1;
        let record =
            LeaseRecord { lease: lease.clone(), worker: worker.clone(), granted_at, grants, is_lost: false };
        let kept = folder.clone();
        blocking(move || kept.keep_lease(&record)).await?;
        self.queue().granted(key, &lease, &worker, self.until());
        let change = &job.order.context.change;
        let limit = u64::try_from(job.limit.as_millis()).unwrap_or(u64::MAX);
        Ok(Leased {
            lease,
            lease_s: self.0.options.lease.as_secs(),
            heartbeat_s: (self.0.options.lease.as_secs() / 4).max(1),
            deadline: granted_at.plus_ms(limit),
            key: key.to_string(),
            kind: job.order.kind.clone(),
            pool: job.pool.clone(),
            access: job.order.access,
            change: LeasedChange {
                repository: change.repository.clone(),
                base_branch: change.base_branch.clone(),
                head_branch: change.head_branch.clone(),
                start_commit: job.start_commit.clone(),
                push_branch: push_branch(key),
            },
            context: super::job_folder::context_document(&job.order.context)?,
            env: job.env.clone(),
            bundle_bytes_max: BUNDLE_BYTES_MAX as u64,
        })
    }

    /// What a lease is worth, and renews it if it is in force.
    fn standing(&self, lease: &str) -> Result<Standing, WorkerError> {
        let unknown =
            || WorkerError::Invalid("`lease` is not the name of a lease: send it as it was given".into());
        let key = key_of(lease).ok_or_else(unknown)?;
        let folder = JobFolder::new(&self.0.jobs_dir, &key);
        let broken = |error: io::Error| WorkerError::Unavailable(format!("the job cannot be read: {error}"));
        let Some(record) = folder.lease().map_err(broken)? else {
            return Ok(Standing::Lost(format!("nothing is known of a job {key}")));
        };
        if let Some(answer) = folder.answer().map_err(broken)?
            && answer.lease == lease
        {
            return Ok(Standing::Answered);
        }
        if record.lease != lease {
            return Ok(Standing::Lost(format!("job {key} was given to {} meanwhile", record.worker)));
        }
        if folder.is_stopped() {
            return Ok(Standing::Stopped);
        }
        if record.is_lost || folder.outcome().map_err(broken)?.is_some() {
            return Ok(Standing::Lost(format!("job {key} has ended without this worker")));
        }
        let job = self.held().get(&key).map(Arc::clone);
        let Some(job) = job else { return Ok(Standing::Early) };
        if !self.queue().renew(&key, lease, self.until()) {
            return Ok(Standing::Lost(format!("job {key} was taken back: its worker was not heard of")));
        }
        self.queue().seen(&record.worker, false, self.now());
        Ok(Standing::InForce(InForce { key, folder, job }))
    }

    /// The lease, if it is in force. None if it was answered already.
    fn in_force(&self, lease: &str) -> Result<Option<InForce>, WorkerError> {
        match self.standing(lease)? {
            Standing::InForce(in_force) => Ok(Some(in_force)),
            Standing::Answered => Ok(None),
            Standing::Early => {
                Err(WorkerError::Unavailable("the host has just started: try again in a second".into()))
            }
            Standing::Stopped => Err(WorkerError::LeaseLost("the job was stopped: end it".into())),
            Standing::Lost(why) => Err(WorkerError::LeaseLost(why)),
        }
    }

    fn going_on(&self, lease: &str) -> Result<InForce, WorkerError> {
        let answered = || WorkerError::LeaseLost("the job was answered already".into());
        self.in_force(lease)?.ok_or_else(answered)
    }

    /// Keeps the answer of a worker, once.
    async fn answer(&self, lease: &str, ended: Ended) -> Result<(), WorkerError> {
        let key = self.going_on(lease)?.key;
        let _alone = self.alone(&key).await;
        // Since it may have waited.
        let Some(InForce { folder, job, .. }) = self.in_force(lease)? else { return Ok(()) };
        let answer = Answer { lease: lease.to_owned(), ended };
        blocking(move || folder.keep_answer(&answer)).await.map_err(|error| {
            WorkerError::Unavailable(format!("the answer could not be stored: {error}: try again"))
        })?;
        job.changed.notify_one();
        Ok(())
    }

    /// Whether the head branch can be taken to a commit a worker names.
    async fn check_commit(&self, in_force: &InForce, commit: &str) -> Result<(), WorkerError> {
        let job = &in_force.job;
        if job.order.access == Access::ReadOnly {
            return Err(WorkerError::Invalid("the job only reads: complete it without `commit`".into()));
        }
        let repository = self.0.git.open(&job.order.context.change.repository).await.map_err(of_git)?;
        let shown = as_line(commit, "(empty)");
        if !repository.has_commit(commit).await.map_err(of_git)? {
            return Err(WorkerError::Invalid(format!(
                "commit {shown} is not in the repository: push it to {} or send a bundle first",
                push_branch(&in_force.key)
            )));
        }
        if !repository.is_ancestor(&job.start_commit, commit).await.map_err(of_git)? {
            return Err(WorkerError::Invalid(format!(
                "commit {shown} does not come after {}, where the job began: add commits to that",
                job.start_commit
            )));
        }
        if repository.is_whole(&job.start_commit, commit).await.map_err(of_git)? {
            Ok(())
        } else {
            Err(WorkerError::Invalid(format!("commit {shown} lacks objects: send all of its history")))
        }
    }
}

/// The job a lease is of. Its files are named by what is left of this, so it is read strictly.
fn key_of(lease: &str) -> Option<JobKey> {
    let (key, secret) = lease.rsplit_once('/')?;
    let (key, number) = key.rsplit_once('/')?;
    let (run, step) = key.split_once('/')?;
    let is_secret = secret.len() == 32 && secret.bytes().all(|byte| byte.is_ascii_hexdigit());
    let run: RunId = run.parse().ok().filter(|_| is_secret)?;
    Some(JobKey { run, step: step.to_owned(), number: number.parse().ok()? })
}

/// The branch commits of a job may be pushed to.
fn push_branch(key: &JobKey) -> String {
    format!("{PUSH_BRANCHES}/{}", Digest::of(key.to_string().as_bytes()).short())
}

/// A call of git that failed for what it was given is the worker's to mend.
fn of_git(error: GitError) -> WorkerError {
    match error {
        GitError::Failed { .. } | GitError::CommitId { .. } => WorkerError::Invalid(error.to_string()),
        _ => WorkerError::Unavailable(error.to_string()),
    }
}

/// Names that are shown and stored: of workers, pools and labels.
fn check_names<'a>(what: &str, names: impl IntoIterator<Item = &'a String>) -> Result<(), WorkerError> {
    for (count, name) in names.into_iter().enumerate() {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@:".contains(&byte);
        let is_name = !name.is_empty() && name.len() <= NAME_MAX && name.bytes().all(is_plain);
        if !is_name || count >= NAMES_MAX {
            return Err(WorkerError::Invalid(format!(
                "`{what}` takes at most {NAMES_MAX} names of 1 to {NAME_MAX} letters, digits, - _ . @ or :"
            )));
        }
    }
    Ok(())
}

/// A worker that waits for a job, for as long as it does.
struct Waiting<'a> {
    workers: &'a LocalWorkers,
    name: String,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let now = self.workers.now();
        self.workers.queue().seen(&self.name, false, now);
    }
}

#[async_trait]
impl WorkerQueue for LocalWorkers {
    async fn lease(&self, ask: LeaseAsk) -> Result<Option<Leased>, WorkerError> {
        check_names("worker", [&ask.worker])?;
        check_names("pools", &ask.pools)?;
        check_names("labels", &ask.labels)?;
        if ask.pools.is_empty() {
            return Err(WorkerError::Invalid("`pools` is empty: name at least one".into()));
        }
        let busy = || WorkerError::Busy(format!("{WAITING_MAX} workers wait already: try again later"));
        let _permit = self.0.waiting.try_acquire().map_err(|_| busy())?;
        let LeaseAsk { worker, pools, labels, wait } = ask;
        let (seen_at, name) = (self.now(), worker.clone());
        self.queue().heard(WorkerView {
            name: name.clone(),
            pools: pools.clone(),
            labels: labels.clone(),
            seen_at,
            is_waiting: true,
        });
        let _waiting = Waiting { workers: self, name };
        let until = tokio::time::Instant::now() + wait.min(WAIT_MAX);
        loop {
            let arrived = self.0.arrived.notified();
            let mut arrived = std::pin::pin!(arrived);
            arrived.as_mut().enable();
            let next = self.queue().next(&pools, &labels);
            if let Some(key) = next {
                // To its end, even if the worker goes away meanwhile.
                let granting = tokio::spawn(self.clone().grant(key, worker.clone()));
                let granted = granting
                    .await
                    .map_err(|_| WorkerError::Unavailable("the host goes down: try again".into()))??;
                if granted.is_some() {
                    return Ok(granted);
                }
                continue;
            }
            if tokio::time::timeout_at(until, arrived).await.is_err() {
                return Ok(None);
            }
        }
    }

    async fn heartbeat(&self, lease: &str) -> Result<Word, WorkerError> {
        Ok(match self.standing(lease)? {
            Standing::InForce(_) | Standing::Early => Word::Wanted,
            Standing::Answered => Word::Stop { reason: "the job was answered".into() },
            Standing::Stopped => Word::Stop { reason: "the job was stopped".into() },
            Standing::Lost(reason) => Word::Evicted { reason },
        })
    }

    async fn progress(&self, lease: &str, progress: JobProgress) -> Result<Word, WorkerError> {
        let InForce { folder, job, .. } = self.going_on(lease)?;
        let text = serde_json::to_string(&progress.bounded()).unwrap_or_default();
        let text = job.mask.whole(text.as_bytes());
        blocking(move || write_durably(&folder.progress_file(), &text)).await.map_err(|error| {
            WorkerError::Unavailable(format!("it could not be stored: {error}: try again"))
        })?;
        Ok(Word::Wanted)
    }

    async fn log(&self, lease: &str, text: &str) -> Result<Word, WorkerError> {
        let InForce { key, folder, job } = self.going_on(lease)?;
        if text.len() > LOG_BYTES_MAX {
            return Err(WorkerError::Invalid(format!(
                "at most {LOG_BYTES_MAX} bytes are taken at once: send parts"
            )));
        }
        let _alone = self.alone(&key).await;
        let bytes = job.mask.whole(text.as_bytes());
        let appended = blocking(move || {
            TailLog::new(folder.launch.log(), LOG_KEPT).append(&bytes);
            Ok(())
        });
        appended.await.map_err(|error| WorkerError::Unavailable(error.to_string()))?;
        Ok(Word::Wanted)
    }

    async fn bundle(&self, lease: &str, bytes: Vec<u8>) -> Result<Vec<String>, WorkerError> {
        let in_force = self.going_on(lease)?;
        let order = &in_force.job.order;
        if order.access == Access::ReadOnly {
            return Err(WorkerError::Invalid("the job only reads: it brings no commits".into()));
        }
        if bytes.len() > BUNDLE_BYTES_MAX {
            return Err(WorkerError::Invalid(format!("a bundle has at most {BUNDLE_BYTES_MAX} bytes")));
        }
        let repository = self.0.git.open(&order.context.change.repository).await.map_err(of_git)?;
        let taken = repository.take_bundle(&bytes).await.map_err(of_git)?;
        taken.map_err(|why| WorkerError::Invalid(format!("the bundle is not taken: {why}")))
    }

    async fn complete(&self, lease: &str, result: &str, commit: Option<String>) -> Result<(), WorkerError> {
        let Some(in_force) = self.in_force(lease)? else { return Ok(()) };
        if result.len() > RESULT_BYTES_MAX {
            return Err(WorkerError::Invalid(format!("a result has at most {RESULT_BYTES_MAX} bytes")));
        }
        let result = parse(result.as_bytes()).map_err(WorkerError::Invalid)?;
        if let Some(commit) = &commit {
            self.check_commit(&in_force, commit).await?;
        }
        self.answer(lease, Ended::Done { result, commit }).await
    }

    async fn fail(&self, lease: &str, class: WorkerFailure, message: &str) -> Result<(), WorkerError> {
        if self.in_force(lease)?.is_none() {
            return Ok(());
        }
        let end = message.char_indices().map(|(at, _)| at).take_while(|at| *at <= MESSAGE_BYTES_MAX).last();
        let cut =
            if message.len() > MESSAGE_BYTES_MAX { &message[..end.unwrap_or_default()] } else { message };
        self.answer(lease, Ended::NotDone { class, message: cut.to_owned() }).await
    }

    async fn workers(&self) -> WorkersView {
        let mut view = self.queue().view(self.now());
        for job in view.jobs.iter_mut().filter(|job| job.worker.is_some()) {
            let key =
                job.key.rsplit_once('/').and_then(|_| key_of(&format!("{}/{}", job.key, "0".repeat(32))));
            job.progress = key.and_then(|key| JobFolder::new(&self.0.jobs_dir, &key).progress());
        }
        view
    }
}
