//! Who waits for whom: jobs by pool, and the workers that hold them. It reads no clock and no disk.

use lockstep_ports::{WorkerJobView, WorkerView, WorkersView};
use lockstep_types::{JobKey, Timestamp};
use std::collections::BTreeMap;

/// Jobs that may be in the queue: more would wait for days, and each is held in memory.
const JOBS_MAX: usize = 10_000;
/// Workers that are remembered for the list; those not heard of for longest are forgotten.
const WORKERS_MAX: usize = 1000;
/// Milliseconds after which a worker that is not heard of is no longer listed.
const WORKER_LISTED_MS: u64 = 3_600_000;

/// A job as it is offered.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    pub(super) kind: String,
    pub(super) pool: String,
    pub(super) labels: Vec<String>,
    pub(super) since: Timestamp,
}

/// How a job of the queue stands.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stand {
    Waiting,
    /// Chosen for a worker; its lease is being stored.
    Granting,
    Leased {
        lease: String,
        worker: String,
        until: Timestamp,
        /// Whether the worker was ever heard of since: an answer that gave the job may have been lost.
        begun: bool,
    },
}

#[derive(Debug)]
struct Job {
    offer: Offer,
    /// Its place in its pool.
    place: u64,
    stand: Stand,
}

/// What has become of a lease whose time is over.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Expiry {
    /// It is not over: look again then.
    Not(Option<Timestamp>),
    /// Its worker never began: the job waits again, at its old place.
    Ungiven,
    /// Its worker is lost.
    Lost { worker: String },
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    jobs: BTreeMap<JobKey, Job>,
    workers: BTreeMap<String, WorkerView>,
    /// When each pool was last served, counted in jobs given: of several the one served longest ago comes first.
    served: BTreeMap<String, u64>,
    count: u64,
}

impl Queue {
    /// Puts a job at the end of its pool, or, if it is `held`, under its lease. False if the queue is full.
    pub(super) fn offer(
        &mut self,
        key: JobKey,
        offer: Offer,
        held: Option<(String, String, Timestamp)>,
    ) -> bool {
        if self.jobs.len() >= JOBS_MAX && !self.jobs.contains_key(&key) {
            return false;
        }
        self.count += 1;
        let stand = match held {
            Some((lease, worker, until)) => Stand::Leased { lease, worker, until, begun: true },
            None => Stand::Waiting,
        };
        self.jobs.insert(key, Job { offer, place: self.count, stand });
        true
    }

    /// Chooses the next job for a worker: of its pools the one served longest ago, in that the job that came first.
    pub(super) fn next(&mut self, pools: &[String], labels: &[String]) -> Option<JobKey> {
        let fits = |job: &Job| {
            job.stand == Stand::Waiting
                && pools.contains(&job.offer.pool)
                && job.offer.labels.iter().all(|label| labels.contains(label))
        };
        let turn = |job: &Job| (self.served.get(&job.offer.pool).copied().unwrap_or_default(), job.place);
        let (key, job) = self.jobs.iter().filter(|(_, job)| fits(job)).min_by_key(|(_, job)| turn(job))?;
        let (key, pool) = (key.clone(), job.offer.pool.clone());
        self.count += 1;
        self.served.insert(pool, self.count);
        if let Some(job) = self.jobs.get_mut(&key) {
            job.stand = Stand::Granting;
        }
        Some(key)
    }

    /// Whether a job is still to be given to whom it was chosen for.
    pub(super) fn is_granting(&self, key: &JobKey) -> bool {
        self.jobs.get(key).is_some_and(|job| job.stand == Stand::Granting)
    }

    pub(super) fn granted(&mut self, key: &JobKey, lease: &str, worker: &str, until: Timestamp) {
        if let Some(job) = self.jobs.get_mut(key) {
            let (lease, worker) = (lease.to_owned(), worker.to_owned());
            job.stand = Stand::Leased { lease, worker, until, begun: false };
        }
    }

    /// The lease could not be stored.
    pub(super) fn not_granted(&mut self, key: &JobKey) {
        if let Some(job) = self.jobs.get_mut(key).filter(|job| job.stand == Stand::Granting) {
            job.stand = Stand::Waiting;
        }
    }

    /// Word of whoever holds a lease. True if the job is in the queue and held under it.
    pub(super) fn renew(&mut self, key: &JobKey, named: &str, until: Timestamp) -> bool {
        match self.jobs.get_mut(key).map(|job| &mut job.stand) {
            Some(Stand::Leased { lease, until: held, begun, .. }) if lease == named => {
                (*held, *begun) = (until, true);
                true
            }
            _ => false,
        }
    }

    /// Looks whether the lease of a job is over.
    pub(super) fn expire(&mut self, key: &JobKey, now: Timestamp) -> Expiry {
        let Some(job) = self.jobs.get_mut(key) else { return Expiry::Not(None) };
        match &job.stand {
            Stand::Waiting | Stand::Granting => Expiry::Not(None),
            Stand::Leased { until, .. } if now < *until => Expiry::Not(Some(*until)),
            Stand::Leased { begun: false, .. } => {
                job.stand = Stand::Waiting;
                Expiry::Ungiven
            }
            Stand::Leased { worker, .. } => Expiry::Lost { worker: worker.clone() },
        }
    }

    /// Takes a job out.
    pub(super) fn remove(&mut self, key: &JobKey) {
        self.jobs.remove(key);
        if self.jobs.is_empty() {
            // Turns count among pools that have jobs at the same time.
            self.served.clear();
        }
    }

    /// Who has a job.
    pub(super) fn holder(&self, key: &JobKey) -> Option<&str> {
        match &self.jobs.get(key)?.stand {
            Stand::Leased { worker, .. } => Some(worker),
            _ => None,
        }
    }

    /// A worker was heard of.
    pub(super) fn heard(&mut self, worker: WorkerView) {
        if self.workers.len() >= WORKERS_MAX && !self.workers.contains_key(&worker.name) {
            let oldest = self.workers.values().min_by_key(|worker| worker.seen_at);
            if let Some(name) = oldest.map(|worker| worker.name.clone()) {
                self.workers.remove(&name);
            }
        }
        self.workers.insert(worker.name.clone(), worker);
    }

    /// A worker that is known was heard of, and waits for a job or not.
    pub(super) fn seen(&mut self, name: &str, is_waiting: bool, now: Timestamp) {
        if let Some(worker) = self.workers.get_mut(name) {
            (worker.seen_at, worker.is_waiting) = (now, is_waiting);
        }
    }

    pub(super) fn view(&mut self, now: Timestamp) -> WorkersView {
        self.workers
            .retain(|_, worker| worker.is_waiting || now.ms_since(worker.seen_at) <= WORKER_LISTED_MS);
        let mut jobs: Vec<(u64, WorkerJobView)> =
            self.jobs.iter().map(|(key, job)| (job.place, job.view(key))).collect();
        jobs.sort_by_key(|(place, _)| *place);
        let jobs = jobs.into_iter().map(|(_, job)| job).collect();
        WorkersView { jobs, workers: self.workers.values().cloned().collect() }
    }
}

impl Job {
    fn view(&self, key: &JobKey) -> WorkerJobView {
        let Offer { kind, pool, labels, since } = self.offer.clone();
        let (worker, lease_until) = match &self.stand {
            Stand::Leased { worker, until, .. } => (Some(worker.clone()), Some(*until)),
            Stand::Waiting | Stand::Granting => (None, None),
        };
        WorkerJobView { key: key.to_string(), kind, pool, labels, since, worker, lease_until, progress: None }
    }
}

#[cfg(test)]
mod tests {
    use super::{Expiry, JOBS_MAX, Offer, Queue};
    use lockstep_types::{JobKey, Timestamp};

    fn key(number: u32) -> JobKey {
        JobKey { run: "run-1".parse().unwrap(), step: "code".into(), number }
    }

    fn offer(pool: &str, labels: &[&str]) -> Offer {
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        Offer { kind: "coder".into(), pool: pool.into(), labels, since: Timestamp(0) }
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn pools_take_turns_and_jobs_of_a_pool_keep_their_order() {
        let mut queue = Queue::default();
        for (number, pool) in [(1, "a"), (2, "a"), (3, "a"), (4, "b"), (5, "b"), (6, "c")] {
            assert!(queue.offer(key(number), offer(pool, &[]), None));
        }
        let both = names(&["a", "b"]);
        let order: Vec<u32> = std::iter::from_fn(|| queue.next(&both, &[])).map(|key| key.number).collect();
        assert_eq!(order, [1, 4, 2, 5, 3]);
        assert_eq!(queue.next(&names(&["c"]), &[]).map(|key| key.number), Some(6));
    }

    #[test]
    fn a_job_is_given_only_to_who_can_do_it() {
        let mut queue = Queue::default();
        queue.offer(key(1), offer("a", &["gpu", "linux"]), None);
        assert_eq!(queue.next(&names(&["a"]), &names(&["linux"])), None);
        assert_eq!(queue.next(&names(&["a"]), &names(&["linux", "gpu", "arm"])), Some(key(1)));
        assert_eq!(queue.next(&names(&["a"]), &names(&["linux", "gpu"])), None, "it is taken");
        queue.not_granted(&key(1));
        assert_eq!(queue.next(&names(&["a"]), &names(&["linux", "gpu"])), Some(key(1)));
    }

    #[test]
    fn a_lease_lasts_as_long_as_its_worker_is_heard_of() {
        let mut queue = Queue::default();
        queue.offer(key(1), offer("a", &[]), None);
        queue.next(&names(&["a"]), &[]).unwrap();
        queue.granted(&key(1), "l1", "w", Timestamp(60));
        assert_eq!(queue.expire(&key(1), Timestamp(59)), Expiry::Not(Some(Timestamp(60))));
        assert_eq!(queue.expire(&key(1), Timestamp(60)), Expiry::Ungiven, "it may never have got its job");
        assert!(!queue.renew(&key(1), "l1", Timestamp(90)), "and comes too late then");
        queue.next(&names(&["a"]), &[]).unwrap();
        queue.granted(&key(1), "l2", "w", Timestamp(120));
        assert!(!queue.renew(&key(1), "l1", Timestamp(150)) && queue.renew(&key(1), "l2", Timestamp(150)));
        assert_eq!(queue.expire(&key(1), Timestamp(120)), Expiry::Not(Some(Timestamp(150))));
        assert_eq!(queue.expire(&key(1), Timestamp(150)), Expiry::Lost { worker: "w".into() });
        queue.remove(&key(1));
        assert!(!queue.renew(&key(1), "l2", Timestamp(200)));
    }

    #[test]
    fn the_queue_is_bounded() {
        let mut queue = Queue::default();
        for number in 0..JOBS_MAX as u32 {
            assert!(queue.offer(key(number), offer("a", &[]), None));
        }
        assert!(!queue.offer(key(JOBS_MAX as u32), offer("b", &[]), None));
        assert!(queue.offer(key(7), offer("a", &[]), None), "one that is there may come again");
    }
}
