//! Jobs that workers lease, at a clock that the test moves.

use crate::fixture::{Fixture, NOW, run_id};
use expect_test::expect;
use lockstep_ports::{Jobs, LeaseAsk, Leased, Word, WorkerError, WorkerFailure, WorkerQueue};
use lockstep_providers::{JobOptions, LocalJobs, LocalWorkers, WorkerOptions};
use lockstep_testkit::SimClock;
use lockstep_types::{Access, JobCommand, JobOrder, JobOutcome, JobProgress, JobResult};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// Milliseconds of a lease.
const LEASE_MS: u64 = 60_000;

/// A host as workers see it.
struct Host {
    clock: Arc<SimClock>,
    workers: LocalWorkers,
    jobs: LocalJobs,
}

impl Host {
    fn new(fixture: &Fixture) -> Self {
        Self::at(fixture, Arc::new(SimClock::new(NOW, 1)))
    }

    /// A host that takes over, without whatever the one before had in memory.
    fn at(fixture: &Fixture, clock: Arc<SimClock>) -> Self {
        let options = WorkerOptions { lease: Duration::from_millis(LEASE_MS), is_reachable: true };
        let workers = LocalWorkers::new(fixture.git.clone(), Arc::clone(&clock) as _, options);
        let jobs = LocalJobs::new(fixture.git.clone(), JobOptions::new(Vec::new())).unwrap();
        Self { clock, jobs: jobs.with_workers(workers.clone()), workers }
    }

    fn carry_out(&self, order: &JobOrder) -> JoinHandle<JobOutcome> {
        let (jobs, order) = (self.jobs.clone(), order.clone());
        tokio::spawn(async move { jobs.carry_out(&order, Some(&for_pool("any"))).await })
    }

    async fn lease(&self, worker: &str) -> Leased {
        self.ask(worker, "any", Duration::from_secs(50)).await.unwrap().expect("there is a job")
    }

    async fn ask(&self, worker: &str, pool: &str, wait: Duration) -> Result<Option<Leased>, WorkerError> {
        let (worker, pools, labels) = (worker.to_owned(), vec![pool.to_owned()], Vec::new());
        self.workers.lease(LeaseAsk { worker, pools, labels, wait }).await
    }

    /// Moves on until a lease has had its time, once somebody sleeps for that.
    async fn let_it_run_out(&self) {
        while self.clock.next_due().is_none() {
            tokio::task::yield_now().await;
        }
        self.clock.advance_ms(LEASE_MS);
    }
}

fn for_pool(pool: &str) -> JobCommand {
    let env = [("API_TOKEN".to_owned(), "tok-123456789".to_owned())].into();
    JobCommand { worker: Some(pool.to_owned()), env, ..JobCommand::default() }
}

fn done(outcome: &JobOutcome) -> &JobResult {
    let JobOutcome::Done(result) = outcome else { panic!("{outcome:?}") };
    result
}

fn lost<T: std::fmt::Debug>(answer: Result<T, WorkerError>) -> String {
    let Err(WorkerError::LeaseLost(why)) = answer else { panic!("{answer:?}") };
    why
}

fn invalid<T: std::fmt::Debug>(answer: Result<T, WorkerError>) -> String {
    let Err(WorkerError::Invalid(why)) = answer else { panic!("{answer:?}") };
    why
}

/// A commit after `feature` that no branch names, with the bundle that brings it; the repository does not have it.
fn bundle(fixture: &Fixture) -> (String, Vec<u8>) {
    let clone = fixture.root().join("clone");
    fixture.run(&["clone", "--quiet", "--branch", "feature", ".", clone.to_str().unwrap()]);
    std::fs::write(clone.join("c.txt"), "c\n").unwrap();
    fixture.run_in(&clone, &["add", "c.txt"]);
    fixture.run_in(&clone, &["commit", "--quiet", "-m", "add c"]);
    fixture.run_in(&clone, &["bundle", "create", "--quiet", "out.bundle", "feature", "^origin/feature"]);
    (fixture.run_in(&clone, &["rev-parse", "HEAD"]), std::fs::read(clone.join("out.bundle")).unwrap())
}

#[tokio::test]
async fn a_worker_takes_a_job_reports_and_completes_it() {
    let fixture = Fixture::new();
    let host = Host::new(&fixture);
    let order = fixture.job(Access::ReadOnly);
    let outcome = host.carry_out(&order);
    let leased = host.lease("w1").await;
    assert_eq!((leased.key.as_str(), leased.kind.as_str(), leased.lease_s), ("run-1/code/1", "agent", 60));
    assert_eq!((leased.context["input"]["prompt"].as_str(), leased.env.len()), (Some("write c"), 1));
    assert_eq!(leased.change.start_commit, fixture.tip("feature"));
    let seen = host.jobs.progress(&order.key).await.unwrap();
    assert_eq!(seen.label.as_deref(), Some("with worker w1"));
    assert_eq!(host.workers.heartbeat(&leased.lease).await, Ok(Word::Wanted));
    let progress: JobProgress = serde_json::from_str(
        r#"{"label":"uses tok-123456789","subtasks":[{"title":"a","status":"done"},{"title":"b"}]}"#,
    )
    .unwrap();
    host.workers.progress(&leased.lease, progress).await.unwrap();
    let seen = host.jobs.progress(&order.key).await.unwrap();
    assert_eq!((seen.completed, seen.total, seen.label.as_deref()), (1, 2, Some("uses ***")));
    host.workers.log(&leased.lease, "one tok-123456789\n").await.unwrap();
    host.workers.log(&leased.lease, "two\n").await.unwrap();
    assert_eq!(host.jobs.log_tail(&order.key, 1000).await.as_deref(), Some("one ***\ntwo\n"));
    let result = r#"{"output":"fine tok-123456789","report":{"b": 1.0},"model":"m","usage":{"input_tokens":3,"output_tokens":4}}"#;
    host.workers.complete(&leased.lease, result, None).await.unwrap();
    host.workers.complete(&leased.lease, "{}", None).await.expect("told again, and the first counts");
    let outcome = outcome.await.unwrap();
    let result = done(&outcome);
    assert_eq!((result.output.as_str(), result.usage.unwrap().output_tokens), ("fine ***", 4));
    assert_eq!(result.report.as_ref().unwrap().as_str(), r#"{"b": 1.0}"#);
    assert_eq!(result.head_commit.as_deref(), Some(fixture.tip("feature").as_str()));
    host.workers.complete(&leased.lease, "{}", None).await.expect("and after its outcome");
    assert!(matches!(host.workers.heartbeat(&leased.lease).await, Ok(Word::Stop { .. })));
    assert_eq!(host.jobs.carry_out(&order, Some(&for_pool("any"))).await, outcome);
}

#[tokio::test]
async fn a_bundle_becomes_the_head_branch() {
    let fixture = Fixture::new();
    let host = Host::new(&fixture);
    let outcome = host.carry_out(&fixture.job(Access::Write));
    let leased = host.lease("w1").await;
    let (commit, bytes) = bundle(&fixture);
    let early = invalid(host.workers.complete(&leased.lease, "{}", Some(commit.clone())).await);
    assert!(early.contains("is not in the repository"), "{early}");
    for (broken, why) in [
        (b"PACK".to_vec(), "version 2 or 3".to_owned()),
        (bytes[..bytes.len() - 30].to_vec(), "git does not take its objects".to_owned()),
    ] {
        let told = invalid(host.workers.bundle(&leased.lease, broken).await);
        assert!(told.contains("not a git bundle") || told.contains(&why), "{told}");
    }
    assert_eq!(host.workers.bundle(&leased.lease, bytes).await, Ok(vec![commit.clone()]));
    let before = fixture.tip("feature");
    let base = fixture.tip("main");
    let backwards = invalid(host.workers.complete(&leased.lease, "{}", Some(base)).await);
    assert!(backwards.contains("does not come after"), "{backwards}");
    let option = invalid(host.workers.complete(&leased.lease, "{}", Some("--all".into())).await);
    assert!(option.contains("not a commit id"), "{option}");
    assert_eq!(fixture.tip("feature"), before, "nothing has moved yet");
    host.workers.complete(&leased.lease, r#"{"output":"did it"}"#, Some(commit.clone())).await.unwrap();
    let outcome = outcome.await.unwrap();
    assert_eq!(
        (done(&outcome).head_commit.as_deref(), fixture.tip("feature")),
        (Some(commit.as_str()), commit.clone())
    );
    assert_eq!(fixture.run(&["show", "feature:c.txt"]), "c");
}

#[tokio::test]
async fn a_pushed_branch_is_taken_and_removed() {
    let fixture = Fixture::new();
    let host = Host::new(&fixture);
    let outcome = host.carry_out(&fixture.job(Access::Write));
    let leased = host.lease("w1").await;
    let (commit, _) = bundle(&fixture);
    let refspec = format!("HEAD:refs/heads/{}", leased.change.push_branch);
    let clone = fixture.root().join("clone");
    fixture.run_in(&clone, &["push", "--quiet", fixture.repo().to_str().unwrap(), &refspec]);
    host.workers.complete(&leased.lease, "{}", Some(commit.clone())).await.unwrap();
    assert_eq!(done(&outcome.await.unwrap()).head_commit.as_deref(), Some(commit.as_str()));
    assert_eq!(
        (fixture.tip("feature"), fixture.run(&["branch", "--list", "lockstep-work/*"])),
        (commit, String::new())
    );
}

#[tokio::test]
async fn a_silent_worker_is_evicted_and_its_late_answer_refused() {
    let fixture = Fixture::new();
    let host = Host::new(&fixture);
    let order = fixture.job(Access::Write);
    let outcome = host.carry_out(&order);
    let never = host.lease("w0").await;
    host.let_it_run_out().await;
    let leased = host.lease("w1").await;
    let late = lost(host.workers.log(&never.lease, "x").await);
    assert!(late.contains("given to w1 meanwhile"), "{late}");
    host.workers.heartbeat(&leased.lease).await.unwrap();
    host.let_it_run_out().await;
    assert_eq!(
        outcome.await.unwrap(),
        JobOutcome::Evicted { transient: true, message: "agent: worker w1 was not heard of for 60 s".into() }
    );
    let before = fixture.tip("feature");
    let late = [
        lost(host.workers.complete(&leased.lease, "{}", Some(before.clone())).await),
        lost(host.workers.fail(&leased.lease, WorkerFailure::Failed, "x").await),
        lost(host.workers.bundle(&leased.lease, Vec::new()).await),
    ];
    expect![[r#"
        [
            "job run-1/code/1 has ended without this worker",
            "job run-1/code/1 has ended without this worker",
            "job run-1/code/1 has ended without this worker",
        ]
    "#]]
    .assert_debug_eq(&late);
    assert!(matches!(host.workers.heartbeat(&leased.lease).await, Ok(Word::Evicted { .. })));
    assert_eq!(fixture.tip("feature"), before);
    assert!(matches!(host.jobs.carry_out(&order, Some(&for_pool("any"))).await, JobOutcome::Evicted { .. }));
}

#[tokio::test]
async fn a_worker_goes_on_over_a_restart_of_the_host() {
    let fixture = Fixture::new();
    let host = Host::new(&fixture);
    let order = fixture.job(Access::ReadOnly);
    let outcome = host.carry_out(&order);
    let leased = host.lease("w1").await;
    host.workers.heartbeat(&leased.lease).await.unwrap();
    // As if it were killed: what it had in memory is gone.
    outcome.abort();
    host.clock.advance_ms(LEASE_MS * 10);
    let next = Host::at(&fixture, Arc::clone(&host.clock));
    assert_eq!(next.workers.heartbeat(&leased.lease).await, Ok(Word::Wanted), "before its job is there");
    let early = next.workers.complete(&leased.lease, "{}", None).await;
    assert!(matches!(early, Err(WorkerError::Unavailable(_))), "{early:?}");
    let outcome = next.carry_out(&order);
    while next.workers.workers().await.jobs.is_empty() {
        tokio::task::yield_now().await;
    }
    let view = next.workers.workers().await;
    assert_eq!(view.jobs[0].worker.as_deref(), Some("w1"));
    assert_eq!(next.ask("w2", "any", Duration::ZERO).await, Ok(None), "it is not given twice");
    next.workers.complete(&leased.lease, r#"{"output":"late but held"}"#, None).await.unwrap();
    assert_eq!(done(&outcome.await.unwrap()).output, "late but held");
}

#[tokio::test]
async fn a_stopped_job_tells_its_worker() {
    let fixture = Fixture::new();
    let host = Host::new(&fixture);
    let order = fixture.job(Access::ReadOnly);
    let outcome = host.carry_out(&order);
    let leased = host.lease("w1").await;
    host.jobs.stop(&order.key).await;
    assert!(matches!(outcome.await.unwrap(), JobOutcome::Failed(line) if line.contains("stopped")));
    assert!(matches!(host.workers.heartbeat(&leased.lease).await, Ok(Word::Stop { .. })));
    assert!(lost(host.workers.complete(&leased.lease, "{}", None).await).contains("stopped"));
    host.jobs.forget(&run_id()).await;
    assert!(matches!(host.workers.heartbeat(&leased.lease).await, Ok(Word::Evicted { .. })));
    let nonsense = host.workers.heartbeat("../../etc/passwd/1/0").await;
    assert!(invalid(nonsense).contains("not the name of a lease"));
}

#[tokio::test]
async fn what_a_worker_says_of_a_failure_decides_what_becomes_of_the_job() {
    let fixture = Fixture::new();
    let host = Host::new(&fixture);
    for (number, class) in
        [WorkerFailure::Failed, WorkerFailure::Evicted, WorkerFailure::Crashed].into_iter().enumerate()
    {
        let mut order = fixture.job(Access::ReadOnly);
        order.key.number = number as u32 + 1;
        let outcome = host.carry_out(&order);
        let leased = host.lease("w1").await;
        host.workers.log(&leased.lease, "last words\n").await.unwrap();
        host.workers.fail(&leased.lease, class, "no luck").await.unwrap();
        let message = "agent: no luck".to_owned();
        let expected = match class {
            WorkerFailure::Failed => JobOutcome::Failed("agent: no luck\nlast words".into()),
            WorkerFailure::Evicted => JobOutcome::Evicted { transient: true, message },
            WorkerFailure::Crashed => JobOutcome::Evicted { transient: false, message },
        };
        assert_eq!(outcome.await.unwrap(), expected);
    }
}

#[tokio::test]
async fn a_job_has_its_time_and_no_more() {
    let fixture = Fixture::new();
    let host = Host::new(&fixture);
    let mut order = fixture.job(Access::ReadOnly);
    order.time_limit_ms = Some(LEASE_MS / 2);
    let outcome = host.carry_out(&order);
    let leased = host.lease("w1").await;
    host.let_it_run_out().await;
    assert!(
        matches!(outcome.await.unwrap(), JobOutcome::Failed(line) if line.contains("time limit of 30 s"))
    );
    assert!(lost(host.workers.complete(&leased.lease, "{}", None).await).contains("ended"));
}

#[tokio::test]
async fn nobody_is_waited_for_whom_nothing_can_reach() {
    let fixture = Fixture::new();
    let clock = Arc::new(SimClock::new(NOW, 1));
    let workers = LocalWorkers::new(fixture.git.clone(), clock, WorkerOptions::default());
    let jobs = LocalJobs::new(fixture.git.clone(), JobOptions::new(Vec::new())).unwrap();
    let outcome =
        jobs.with_workers(workers).carry_out(&fixture.job(Access::ReadOnly), Some(&for_pool("any"))).await;
    assert!(matches!(outcome, JobOutcome::NotConfigured(line) if line.contains("lockstep serve")));
}

#[tokio::test]
async fn what_a_worker_says_of_itself_is_checked() {
    let fixture = Fixture::new();
    let host = Host::new(&fixture);
    for (worker, pool) in [("", "any"), ("w\n", "any"), ("w", ""), ("w", "a b")] {
        assert!(invalid(host.ask(worker, pool, Duration::ZERO).await).contains("letters"));
    }
    assert_eq!(host.ask("w", "other", Duration::ZERO).await, Ok(None));
    let shown = host.workers.workers().await;
    assert_eq!((shown.workers[0].name.as_str(), shown.workers[0].is_waiting), ("w", false));
}

/// A bundle whose tree would write into the repository's own folder.
#[tokio::test]
async fn a_hostile_tree_is_refused() {
    let fixture = Fixture::new();
    let host = Host::new(&fixture);
    let _outcome = host.carry_out(&fixture.job(Access::Write));
    let leased = host.lease("w1").await;
    let clone = fixture.root().join("clone");
    fixture.run(&["clone", "--quiet", "--branch", "feature", ".", clone.to_str().unwrap()]);
    std::fs::write(clone.join("hook"), "#!/bin/sh\n").unwrap();
    let script = "blob=$(git hash-object -w hook); \
         inner=$(printf '100755 blob %s\\tconfig\\n' $blob | git mktree); \
         tree=$(printf '040000 tree %s\\t.git\\n' $inner | git mktree); \
         commit=$(git commit-tree $tree -p HEAD -m x); git update-ref refs/heads/evil $commit; \
         git bundle create --quiet evil.bundle evil ^feature";
    let status = Command::new("sh")
        .args(["-c", script])
        .current_dir(&clone)
        .envs([("GIT_AUTHOR_NAME", "x"), ("GIT_AUTHOR_EMAIL", "x"), ("GIT_COMMITTER_NAME", "x")])
        .env("GIT_COMMITTER_EMAIL", "x")
        .status()
        .unwrap();
    assert!(status.success());
    let told =
        invalid(host.workers.bundle(&leased.lease, std::fs::read(clone.join("evil.bundle")).unwrap()).await);
    assert!(told.contains("git does not take its objects"), "{told}");
}
