//! The host goes down, the disk fills up, a journal is damaged: what is found again and what people are told.

use crate::host::{World, ask, choose, complete, dispatch, done, merge, request, stop, transition};
use lockstep_ports::{Journal, JournalError, RunAction, RunService, ServiceError};
use lockstep_testkit::ScriptedExecutor;
use lockstep_types::{RunStatus, StepEvent, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn full() -> JournalError {
    JournalError::Full { path: "memory".to_owned() }
}

#[test]
fn a_job_under_way_is_found_again_after_a_crash() {
    let mut world = World::new();
    world.says("build", [dispatch(), complete("built")]);
    let host = world.open();
    let run = host.start(&["build"]);
    let key = world.jobs.under_way()[0].clone();
    let host = world.crash(host);
    host.settle();
    assert_eq!(world.jobs.arrivals()[&key], 2, "asked for again under its key");
    assert_eq!(world.jobs.orders().len(), 1, "and carried out once");
    world.jobs.settle(&key, done("binary"));
    host.settle();
    assert_eq!((host.count(&run, "job-settled"), host.status(&run)), (1, RunStatus::Done));
}

#[test]
fn a_job_whose_stop_was_cut_short_is_ended_when_the_host_is_back() {
    let mut world = World::manual();
    world.says("build", [dispatch()]);
    let host = world.open();
    let start = host.begin_start(request("task", &["build"]));
    world.journal.flush();
    let run = host.run(start).unwrap().unwrap().id;
    host.settle();
    let keys = world.jobs.under_way();
    drop(host.begin_act(&run, stop()));
    assert_eq!(world.journal.flush(), 1);
    // The stop is durable, and the host is gone before it told the executor.
    let host = world.crash(host);
    assert_eq!((host.status(&run), world.jobs.stopped()), (RunStatus::Failed, keys));
}

#[test]
fn nothing_is_sent_before_it_is_durable() {
    let mut world = World::manual();
    world.says("build", [dispatch(), dispatch()]);
    let host = world.open();
    drop(host.begin_start(request("task", &["build"])));
    assert_eq!((world.journal.pending(), world.jobs.orders().len()), (1, 0));
    let host = world.crash(host);
    host.settle();
    assert_eq!((host.run(host.runtime.feed_end()), world.jobs.orders().len()), (0, 0));
    let start = host.begin_start(request("task", &["build"]));
    world.journal.flush();
    assert!(host.run(start).unwrap().is_ok(), "the item is not taken by what was lost");
    host.settle();
    assert_eq!(world.jobs.orders().len(), 1);
}

#[test]
fn an_effect_whose_answer_was_lost_is_not_performed_again() {
    let mut world = World::manual();
    world.says("land", [merge()]);
    let host = world.open();
    let start = host.begin_start(request("task", &["land"]));
    world.journal.flush();
    let run = host.run(start).unwrap().unwrap().id;
    host.settle();
    assert_eq!((world.effects.performed().len(), world.journal.pending()), (1, 1));
    let host = world.crash(host);
    host.settle();
    world.journal.flush();
    host.settle();
    assert_eq!(world.effects.arrivals().into_values().collect::<Vec<_>>(), [2]);
    assert_eq!((world.effects.performed().len(), host.status(&run)), (1, RunStatus::Done));
}

#[test]
fn a_job_result_that_could_not_be_stored_is_not_lost() {
    let world = World::manual();
    world.says("build", [dispatch()]);
    let host = world.open();
    let start = host.begin_start(request("task", &["build"]));
    world.journal.flush();
    let run = host.run(start).unwrap().unwrap().id;
    host.settle();
    world.jobs.settle(&world.jobs.under_way()[0], done("binary"));
    for _ in 0..3 {
        host.settle();
        assert_eq!(world.journal.fail(full), 1);
        host.settle();
        assert_eq!(world.journal.pending(), 0, "it is not tried again at once");
        world.clock.advance_ms(1000);
    }
    host.settle();
    world.journal.flush();
    host.settle();
    assert_eq!((host.count(&run, "job-settled"), host.status(&run)), (1, RunStatus::Done));
}

#[test]
fn an_action_that_could_not_be_stored_is_refused_and_changes_nothing() {
    let world = World::manual();
    world.says("pick", [ask()]);
    let host = world.open();
    let start = host.begin_start(request("task", &["pick"]));
    world.journal.flush();
    let run = host.run(start).unwrap().unwrap().id;
    let answer = host.begin_act(&run, choose("A", None));
    world.journal.fail(full);
    let told = host.run(answer).unwrap();
    assert!(matches!(told, Err(ServiceError::Unavailable(text)) if text.contains("the disk is full")));
    assert_eq!((host.status(&run), host.count(&run, "answered")), (RunStatus::Blocked, 0));
    let answer = host.begin_act(&run, choose("B", None));
    world.journal.flush();
    assert_eq!(host.run(answer).unwrap().unwrap().status, RunStatus::Done);
}

#[test]
fn people_are_answered_while_a_job_result_waits_for_the_disk() {
    let world = World::manual();
    world.says("build", [dispatch()]);
    let host = world.open();
    let start = host.begin_start(request("task", &["build"]));
    world.journal.flush();
    let run = host.run(start).unwrap().unwrap().id;
    host.settle();
    world.jobs.settle(&world.jobs.under_way()[0], done("binary"));
    host.settle();
    world.journal.fail(full);
    host.settle();
    let first = host.begin_act(&run, stop());
    world.journal.fail(full);
    assert!(matches!(host.run(first).unwrap(), Err(ServiceError::Unavailable(_))));
    let second = host.begin_act(&run, stop());
    world.journal.flush();
    assert_eq!(host.run(second).unwrap().unwrap().status, RunStatus::Failed);
}

#[test]
fn a_damaged_journal_leaves_the_others_going() {
    let mut world = World::new();
    world.says("build", [dispatch(), dispatch(), complete("a"), complete("b")]);
    let host = world.open();
    let damaged = host.start(&["build"]);
    let sound = host.run(host.runtime.start(request("another", &["build"]))).unwrap().id;
    host.settle();
    world.journal.damage(&damaged, 1, b"{\"schema\":1,\"rot\":".to_vec());
    let host = world.crash(host);
    host.settle();
    let key = world.jobs.under_way().into_iter().find(|key| key.run == sound).unwrap();
    world.jobs.settle(&key, done("binary"));
    host.settle();
    assert_eq!(host.status(&sound), RunStatus::Done);
    let told = host.act(&damaged, stop());
    assert!(matches!(told, Err(ServiceError::Internal(text)) if text.contains("lockstep verify")));
    let report = host.run(host.runtime.verify(&damaged)).unwrap();
    assert_eq!(report.problems.len(), 1, "{:?}", report.problems);
}

#[test]
fn a_host_that_closes_finishes_its_turns_and_takes_nothing_new() {
    let mut world = World::manual();
    world.says("build", [dispatch(), complete("built")]);
    let host = world.open();
    let start = host.begin_start(request("task", &["build"]));
    world.journal.flush();
    let run = host.run(start).unwrap().unwrap().id;
    host.settle();
    let key = world.jobs.under_way()[0].clone();
    world.jobs.settle(&key, done("binary"));
    host.settle();
    let runtime = host.runtime.clone();
    let closing = host.begin(async move { runtime.close().await });
    assert!(!closing.is_finished(), "a turn is not durable yet");
    assert!(matches!(host.act(&run, stop()), Err(ServiceError::Unavailable(_))));
    world.journal.flush();
    host.run(closing).unwrap();
    let host = world.crash(host);
    assert_eq!((host.status(&run), host.count(&run, "job-settled")), (RunStatus::Done, 1));
}

#[test]
fn a_timer_that_came_due_while_the_host_was_down_fires() {
    let mut world = World::new();
    world.says("gate", [crate::host::wait(60_000)]);
    let host = world.open();
    let run = host.start(&["gate"]);
    assert_eq!(host.status(&run), RunStatus::Running);
    world.clock.advance_to(Timestamp(1_000_000));
    let host = world.crash(host);
    host.settle();
    assert_eq!(host.status(&run), RunStatus::Done);
    assert_eq!(host.run(world.journal.live()).unwrap(), []);
}

#[test]
fn a_run_whose_task_panicked_goes_on_when_somebody_acts_on_it() {
    let mut world = World::new();
    let faulty = Arc::new(AtomicBool::new(true));
    let broken = Arc::clone(&faulty);
    world.executor = Arc::new(ScriptedExecutor::transitions(move |input| match input.event {
        StepEvent::Started(_) => transition(dispatch()),
        _ if broken.load(Ordering::Relaxed) => panic!("a fault of the host"),
        _ => transition(complete("built")),
    }));
    let host = world.open();
    let run = host.start(&["build"]);
    let key = world.jobs.under_way()[0].clone();
    world.jobs.settle(&key, done("binary"));
    host.settle();
    assert_eq!(host.status(&run), RunStatus::Running, "what was durable is still there");
    faulty.store(false, Ordering::Relaxed);
    host.act(&run, RunAction::Resume).unwrap();
    assert_eq!(host.status(&run), RunStatus::Done);
}
