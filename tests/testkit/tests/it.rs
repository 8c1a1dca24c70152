//! The stand-ins keep the contracts they stand for.

use async_trait::async_trait;
use lockstep_ports::{AccessStore, Clock, ComponentStore, Effects, Jobs, Journal, JournalError};
use lockstep_testkit::samples::{self, added, audited, commit, component, descriptor, run_id};
use lockstep_testkit::{FakeEffects, FakeJobs, MemAccess, MemComponents, MemJournal, SimClock};
use lockstep_types::{
    Access, AuditAction, Effect, EffectKey, EffectOrder, EffectOutcome, JobContext, JobKey, JobOrder,
    JobOutcome, JobResult, JsonText, MergeMethod, Timestamp,
};
use std::sync::{Arc, Mutex};
use tokio::task::JoinSet;

struct Subject(MemJournal);

#[async_trait]
impl lockstep_testkit::journal_contract::Subject for Subject {
    fn journal(&self) -> Arc<dyn Journal> {
        Arc::new(self.0.clone())
    }

    async fn reopen(&mut self) {
        self.0 = self.0.crash();
    }
}

lockstep_testkit::journal_contract_tests!(Subject(MemJournal::new()));

/// What is in memory outlives nothing, and so is opened again as it is.
#[derive(Default)]
struct InMemory(Arc<MemAccess>);

#[async_trait]
impl lockstep_testkit::access_contract::Subject for InMemory {
    fn access(&self) -> Arc<dyn AccessStore> {
        Arc::<MemAccess>::clone(&self.0)
    }

    async fn reopen(&mut self) {}
}

lockstep_testkit::access_contract_tests!(InMemory::default());

#[tokio::test]
async fn a_crash_loses_what_was_not_flushed_and_nothing_else() {
    let journal = MemJournal::manual();
    let mut tasks = JoinSet::new();
    for seq in 1..=3 {
        let task_journal = journal.clone();
        tasks.spawn(async move { task_journal.commit(commit(&run_id(1), seq)).await });
        while journal.pending() < usize::try_from(seq).unwrap() {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(journal.row(&run_id(1)).await.unwrap(), None, "nothing is visible before it is durable");
    assert_eq!(journal.flush_first(2), 2);
    let reopened = journal.crash();
    let mut acknowledged: Vec<u64> = tasks.join_all().await.into_iter().flatten().collect();
    acknowledged.sort_unstable();
    assert_eq!(acknowledged, [1, 2]);
    assert_eq!(reopened.records(&run_id(1), 1).await.unwrap().len(), 2);
    assert_eq!((reopened.feed_end(), reopened.pending()), (2, 0));
    assert!(matches!(journal.row(&run_id(1)).await, Err(JournalError::Closed)));
}

#[tokio::test]
async fn a_failed_flush_keeps_nothing() {
    let journal = MemJournal::manual();
    let committer = journal.clone();
    let task = tokio::spawn(async move { committer.commit(commit(&run_id(1), 1)).await });
    while journal.pending() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(journal.fail(|| JournalError::Full { path: "memory".to_owned() }), 1);
    assert!(matches!(task.await.unwrap(), Err(JournalError::Full { .. })));
    assert_eq!((journal.flush(), journal.feed_end()), (0, 0));
}

#[tokio::test]
async fn damaged_records_are_given_as_stored() {
    let journal = MemJournal::new();
    journal.commit(commit(&run_id(1), 1)).await.unwrap();
    journal.damage(&run_id(1), 1, b"rot".to_vec());
    assert_eq!(journal.records(&run_id(1), 1).await.unwrap(), [b"rot"]);
}

#[tokio::test]
async fn sleepers_wake_in_order_and_not_before() {
    let clock = Arc::new(SimClock::new(Timestamp(100), 7));
    let woken = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = JoinSet::new();
    for at in [130, 110, 120, 90] {
        let (clock, woken) = (Arc::clone(&clock), Arc::clone(&woken));
        tasks.spawn(async move {
            clock.sleep_until(Timestamp(at)).await;
            woken.lock().unwrap().push(at);
        });
    }
    // The one whose time has passed ends; the other three lie down.
    tasks.join_next().await;
    assert_eq!(clock.next_due(), Some(Timestamp(110)));
    assert_eq!(clock.advance_to(Timestamp(109)), 0);
    assert_eq!(clock.advance_to(Timestamp(120)), 2);
    tasks.join_next().await;
    tasks.join_next().await;
    assert_eq!(*woken.lock().unwrap(), [90, 110, 120]);
    assert_eq!((clock.now(), clock.next_due()), (Timestamp(120), Some(Timestamp(130))));
    tasks.abort_all();
    while tasks.join_next().await.is_some() {}
    assert_eq!(clock.next_due(), None, "nobody waits for a sleeper that has gone");
}

#[test]
fn the_same_seed_gives_the_same_numbers() {
    let numbers = |seed| {
        let clock = SimClock::new(Timestamp(0), seed);
        (0..3).map(|_| clock.unique()).collect::<Vec<_>>()
    };
    assert_eq!(numbers(1), numbers(1));
    assert_ne!(numbers(1), numbers(2));
}

struct Components(Arc<MemComponents>);

#[async_trait]
impl lockstep_testkit::registry_contract::Subject for Components {
    fn components(&self) -> Arc<dyn ComponentStore> {
        Arc::<MemComponents>::clone(&self.0)
    }

    async fn reopen(&mut self) {}
}

lockstep_testkit::registry_contract_tests!(Components(Arc::default()));

#[tokio::test]
async fn a_damaged_component_is_told_and_healed_by_adding_it_again() {
    let store = MemComponents::new();
    let (info, bytes) = component(&descriptor("ci-gate", "1"));
    let add = || store.change(vec![added(info.clone(), bytes.clone())], audited(AuditAction::Add, "it"));
    add().await.unwrap();
    store.damage(&info.digest);
    assert!(store.bytes(&info.digest).await.is_err());
    add().await.unwrap();
    assert_eq!(store.bytes(&info.digest).await.unwrap(), Some(bytes.clone()));
}

fn job(number: u32) -> JobOrder {
    JobOrder {
        key: JobKey { run: run_id(1), step: "build".to_owned(), number },
        kind: "agent".to_owned(),
        access: Access::Write,
        context: JobContext {
            run: run_id(1).to_string(),
            item: String::new(),
            title: String::new(),
            description: String::new(),
            step: "build".to_owned(),
            kind: "agent".to_owned(),
            attempt: 1,
            change: samples::change(),
            outputs: Vec::new(),
            decisions: Vec::new(),
            resolved: None,
            rework: None,
            facts: Vec::new(),
            documents: Vec::new(),
            environment: None,
            initiator: String::new(),
            input: JsonText::null(),
        },
        time_limit_ms: None,
        dispatched_at: Timestamp(1),
    }
}

#[tokio::test]
async fn a_job_is_carried_out_once_per_key() {
    let jobs = FakeJobs::new();
    let done = || JobOutcome::Done(JobResult::default());
    jobs.script("agent", [JobOutcome::Failed("first".to_owned()), done()]);
    for (number, outcome) in [(1, JobOutcome::Failed("first".to_owned())), (2, done()), (3, done())] {
        for _ in 0..2 {
            assert_eq!(jobs.carry_out(&job(number), None).await, outcome);
        }
    }
    assert_eq!((jobs.orders().len(), jobs.arrivals()[&job(1).key]), (3, 2));
}

#[tokio::test]
async fn a_held_job_ends_when_it_is_settled_or_stopped() {
    let jobs = Arc::new(FakeJobs::new());
    jobs.hold("agent");
    let mut tasks = JoinSet::new();
    for number in [1, 2] {
        let task_jobs = Arc::clone(&jobs);
        tasks.spawn(async move { task_jobs.carry_out(&job(number), None).await });
    }
    while jobs.under_way().len() < 2 {
        tokio::task::yield_now().await;
    }
    assert!(jobs.settle(&job(1).key, JobOutcome::Done(JobResult::default())));
    assert!(!jobs.settle(&job(1).key, JobOutcome::Failed("late".to_owned())));
    assert_eq!(tasks.join_next().await.unwrap().unwrap(), JobOutcome::Done(JobResult::default()));
    jobs.sweep(&[job(1).key].into()).await;
    assert_eq!(jobs.stopped(), [job(2).key]);
    assert!(matches!(tasks.join_next().await.unwrap().unwrap(), JobOutcome::Failed(_)));
}

#[tokio::test]
async fn an_effect_is_performed_once_per_key() {
    let effects = FakeEffects::new();
    effects.script("merge", [EffectOutcome::Done(JsonText::null())]);
    let order = EffectOrder {
        key: EffectKey { run: run_id(1), step: "merge".to_owned(), number: 1 },
        effect: Effect::Merge(MergeMethod::Squash),
        change: samples::change(),
        title: String::new(),
        requested_at: Timestamp(1),
    };
    for _ in 0..3 {
        assert_eq!(effects.perform(&order, None).await, EffectOutcome::Done(JsonText::null()));
    }
    assert_eq!((effects.performed().len(), effects.arrivals()[&order.key]), (1, 3));
}

#[test]
fn deliveries_in_memory_keep_the_contract() {
    let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
    tokio.block_on(lockstep_testkit::deliveries_contract::check(&lockstep_testkit::MemDeliveries::default()));
}
