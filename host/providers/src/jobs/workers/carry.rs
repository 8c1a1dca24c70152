//! A job of the queue, from its offer to its outcome.

use super::queue::{Expiry, Offer};
use super::{Job, LocalWorkers, push_branch};
use crate::files::blocking;
use crate::jobs::job_folder::{Answer, Ended, JobFolder, JobRecord, Settled};
use crate::jobs::result::with_output;
use crate::jobs::{Active, LocalJobs, Lost, new_record, not_configured, stopped};
use lockstep_ports::WorkerFailure;
use lockstep_types::{Access, JobCommand, JobKey, JobOrder, JobOutcome, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// Times a job is given to workers that are never heard of, before it counts as evicted.
const GRANTS_MAX: u32 = 5;

/// A job in the queue, for as long as somebody waits for it.
struct Offered<'a> {
    workers: &'a LocalWorkers,
    key: JobKey,
}

impl Drop for Offered<'_> {
    fn drop(&mut self) {
        self.workers.queue().remove(&self.key);
        self.workers.held().remove(&self.key);
    }
}

impl LocalJobs {
    /// Has a worker carry out a job that is neither settled nor stopped, and gives its outcome.
    pub(in crate::jobs) async fn by_worker(
        &self,
        order: &JobOrder,
        command: &JobCommand,
        pool: &str,
        folder: &JobFolder,
        active: &Active,
    ) -> Result<JobOutcome, Lost> {
        let Some(workers) = &self.workers else { return Ok(not_configured(&order.kind)) };
        let leased = folder.lease()?;
        if !workers.0.options.is_reachable && leased.is_none() {
            return Ok(JobOutcome::NotConfigured(format!(
                "{}: it is for workers of pool {pool}, who can only reach a server: start `lockstep serve`",
                order.kind
            )));
        }
        let repository = self.git.open(&order.context.change.repository).await?;
        let mut record = match folder.record()? {
            Some(record) => record,
            None => new_record(order, &repository).await?,
        };
        if leased.is_none()
            && order.access == Access::Write
            && let Some(refused) = self.unsaved(&repository, &record, &order.kind).await?
        {
            return Ok(refused);
        }
        let (kept, keeping) = (folder.clone(), record.clone());
        blocking(move || kept.keep_record(&keeping)).await?;
        let job = Arc::new(Job {
            order: order.clone(),
            env: command.env.clone(),
            pool: pool.to_owned(),
            start_commit: record.start_commit.clone(),
            limit: self.time_limit(order, Some(command)),
            mask: self.mask(order, Some(command)).await,
            changed: Notify::new(),
        });
        let labels = command.labels.clone();
        let answer = match workers.answered(&order.key, &job, labels, folder, active).await? {
            Ok(answer) => answer,
            Err(outcome) => return Ok(outcome),
        };
        let outcome = self.take(order, folder, &mut record, answer).await?;
        Ok(job.mask.outcome(outcome))
    }

    /// What follows from the answer of a worker.
    async fn take(
        &self,
        order: &JobOrder,
        folder: &JobFolder,
        record: &mut JobRecord,
        answer: Answer,
    ) -> Result<JobOutcome, Lost> {
        let kind = &order.kind;
        match answer.ended {
            Ended::NotDone { class: WorkerFailure::Failed, message } => {
                Ok(JobOutcome::Failed(with_output(folder, &format!("{kind}: {message}"))))
            }
            Ended::NotDone { class, message } => Ok(JobOutcome::Evicted {
                transient: class == WorkerFailure::Evicted,
                message: format!("{kind}: {message}"),
            }),
            Ended::Done { result, commit: Some(tip) } if tip != record.start_commit => {
                let repository = self.git.open(&record.repository).await?;
                let from = repository.existing_tip(&record.branch).await?;
                record.settled = Some(Settled { tip, from, result });
                self.keep(folder, record).await?;
                self.put_on_branch(order, folder, record).await
            }
            Ended::Done { result, .. } => {
                let repository = self.git.open(&record.repository).await?;
                Ok(JobOutcome::Done(self.with_tip(&repository, record, result).await?))
            }
        }
    }

    /// Removes the branch that a worker may have pushed to.
    pub(in crate::jobs) async fn clear_pushed(&self, folder: &JobFolder, record: &JobRecord) {
        if !matches!(folder.lease(), Ok(Some(_))) {
            return;
        }
        let cleared = async {
            let repository = self.git.open(&record.repository).await?;
            repository.remove_branch(&push_branch(&record.key)).await
        };
        if let Err(error) = cleared.await {
            tracing::warn!(key = %record.key, %error, "the branch a worker pushed to could not be removed");
        }
    }
}

impl LocalWorkers {
    /// Offers a job, or goes on watching over one that was given before a restart, until it is answered, stopped, out of
    /// time, or its worker lost.
    async fn answered(
        &self,
        key: &JobKey,
        job: &Arc<Job>,
        labels: Vec<String>,
        folder: &JobFolder,
        active: &Active,
    ) -> Result<Result<Answer, JobOutcome>, Lost> {
        let leased = folder.lease()?.filter(|lease| !lease.is_lost);
        let held = leased.map(|lease| (lease.lease, lease.worker, self.until()));
        let (kind, since) = (job.order.kind.clone(), self.now());
        let offer = Offer { kind: kind.clone(), pool: job.pool.clone(), labels, since };
        self.held().insert(key.clone(), Arc::clone(job));
        let offered = Offered { workers: self, key: key.clone() };
        if !self.queue().offer(key.clone(), offer, held) {
            return Ok(Err(JobOutcome::Failed(format!(
                "{kind}: too many jobs wait for workers already: retry the step when there are fewer"
            ))));
        }
        self.0.arrived.notify_waiters();
        let mut stop = active.stop.subscribe();
        loop {
            if let Some(answer) = folder.answer()? {
                return Ok(Ok(answer));
            }
            if folder.is_stopped() {
                return Ok(Err(stopped()));
            }
            let look_at = match self.look(key, job, folder).await? {
                Ok(look_at) => look_at,
                Err(outcome) => return Ok(Err(outcome)),
            };
            tokio::select! {
                () = job.changed.notified() => {}
                _ = stop.wait_for(|stop| *stop) => {
                    drop(offered);
                    return Ok(Err(stopped()));
                }
                () = async { self.0.clock.sleep_until(look_at.unwrap_or_default()).await }, if look_at.is_some() => {}
            }
        }
    }

    /// Looks whether the worker of a job was lost or its time is over; else when to look again.
    async fn look(
        &self,
        key: &JobKey,
        job: &Job,
        folder: &JobFolder,
    ) -> Result<Result<Option<Timestamp>, JobOutcome>, Lost> {
        let _alone = self.alone(key).await;
        if folder.answer()?.is_some() {
            return Ok(Ok(Some(self.now())));
        }
        let lease = folder.lease()?.filter(|_| self.0.options.is_reachable);
        // A worker that cannot reach this host is not lost: it goes on, and finds the next server.
        let Some(lease) = lease else { return Ok(Ok(None)) };
        let deadline = lease.granted_at.plus_ms(u64::try_from(job.limit.as_millis()).unwrap_or(u64::MAX));
        let kind = &job.order.kind;
        let (is_held, now) = (self.queue().holder(key).is_some(), self.now());
        let outcome = if is_held && now >= deadline {
            let line = format!(
                "{kind}: {} did not end within its time limit of {} s",
                lease.worker,
                seconds(job.limit)
            );
            Some(JobOutcome::Failed(with_output(folder, &line)))
        } else {
            let expiry = self.queue().expire(key, now);
            match expiry {
                Expiry::Not(None) => return Ok(Ok(None)),
                Expiry::Not(Some(until)) => return Ok(Ok(Some(until.min(deadline)))),
                Expiry::Ungiven if lease.grants < GRANTS_MAX => None,
                Expiry::Ungiven => {
                    let message =
                        format!("{kind}: it was given {GRANTS_MAX} times to workers that never began");
                    Some(JobOutcome::Evicted { transient: true, message })
                }
                Expiry::Lost { worker } => {
                    let silent = seconds(self.0.options.lease);
                    let message = format!("{kind}: worker {worker} was not heard of for {silent} s");
                    Some(JobOutcome::Evicted { transient: true, message })
                }
            }
        };
        let Some(outcome) = outcome else {
            self.0.arrived.notify_waiters();
            return Ok(Ok(None));
        };
        // Before anybody is told: an answer that comes from now on is refused, by the next host too.
        let (kept, record) = (folder.clone(), super::LeaseRecord { is_lost: true, ..lease });
        blocking(move || kept.keep_lease(&record)).await?;
        Ok(Err(outcome))
    }
}

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}
