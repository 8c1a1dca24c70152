//! Runs on their way: jobs, effects, time.

use crate::host::{World, complete, dispatch, done, fail, merge, stop, wait};
use expect_test::expect;
use lockstep_ports::RunAction;
use lockstep_types::{FailureClass, Fault, JobOutcome, RunStatus, Timestamp};

#[test]
fn a_pipeline_runs_to_its_end() {
    let world = World::new();
    world.says("build", [dispatch(), complete("built")]);
    world.says("land", [merge(), complete("landed")]);
    let host = world.open();
    let run = host.start(&["build", "land"]);
    assert!(world.jobs.settle(&world.jobs.under_way()[0], done("binary")));
    host.settle();
    expect![[r#"
        1  created: p: work into main
        1 build step-started: started
        1 build invoked: dispatch
        1 build job-dispatched: job work #1
        2 build job-settled: job done: binary
        2 build invoked: complete
        2 build step-completed: done: built
        2 land step-started: started
        2 land invoked: perform
        2 land effect-requested: effect merge #1
        3 land effect-settled: performed: null
        3 land invoked: complete
        3 land step-completed: done: landed
        3  run-completed: done
    "#]]
    .assert_eq(&host.history(&run));
    assert_eq!(host.status(&run), RunStatus::Done);
}

#[test]
fn a_job_is_carried_out_once_whatever_wakes_its_run() {
    let world = World::new();
    world.says("build", [dispatch()]);
    let host = world.open();
    let run = host.start(&["build"]);
    for _ in 0..3 {
        (host.wake)(&run);
        host.settle();
    }
    let key = world.jobs.under_way()[0].clone();
    world.jobs.settle(&key, done("binary"));
    host.settle();
    assert_eq!(world.jobs.arrivals(), [(key, 1)].into());
    assert_eq!((host.count(&run, "job-settled"), host.status(&run)), (1, RunStatus::Done));
}

#[test]
fn a_stop_ends_the_job_too() {
    let world = World::new();
    world.says("build", [dispatch()]);
    let host = world.open();
    let run = host.start(&["build"]);
    let keys = world.jobs.under_way();
    assert_eq!(host.act(&run, stop()).unwrap().status, RunStatus::Failed);
    assert_eq!(world.jobs.stopped(), keys);
    assert_eq!(host.count(&run, "job-settled"), 0, "a stopped job has no result");
}

#[test]
fn a_stop_ends_the_effect_under_way_and_an_end_ends_nothing() {
    let world = World::new();
    world.says("land", [merge(), complete("landed"), merge()]);
    let host = world.open();
    let run = host.start(&["land"]);
    assert_eq!((host.status(&run), world.effects.stopped()), (RunStatus::Done, Vec::new()));
    world.effects.hold("merge");
    let run = host.start(&["land"]);
    let under_way = world.effects.performed().last().unwrap().key.clone();
    assert_eq!(host.act(&run, stop()).unwrap().status, RunStatus::Failed);
    host.settle();
    assert_eq!(world.effects.stopped(), [under_way]);
}

#[test]
fn a_retry_begins_with_a_fresh_job() {
    let world = World::new();
    world.says("build", [dispatch(), fail(), dispatch(), complete("built")]);
    let host = world.open();
    let run = host.start(&["build"]);
    world.jobs.settle(&world.jobs.under_way()[0], JobOutcome::Failed("broken".to_owned()));
    host.settle();
    assert_eq!(host.status(&run), RunStatus::Failed);
    assert_eq!(host.act(&run, RunAction::Retry).unwrap().status, RunStatus::Running);
    world.jobs.settle(&world.jobs.under_way()[0], done("binary"));
    host.settle();
    assert_eq!(host.status(&run), RunStatus::Done);
    let numbers: Vec<u32> = world.jobs.orders().iter().map(|order| order.key.number).collect();
    assert_eq!(numbers, [1, 2]);
}

#[test]
fn a_waiting_step_looks_again_when_its_time_comes_or_when_it_is_woken() {
    let world = World::new();
    world.says("gate", [wait(60_000), wait(60_000)]);
    let host = world.open();
    let run = host.start(&["gate"]);
    world.clock.advance_ms(59_999);
    host.settle();
    assert_eq!(host.count(&run, "invoked"), 1, "it is not time yet");
    (host.wake)(&run);
    host.settle();
    assert_eq!(host.count(&run, "invoked"), 2);
    assert_eq!(world.clock.next_due(), Some(Timestamp(1000 + 59_999 + 60_000)));
    world.clock.advance_ms(60_000);
    host.settle();
    assert_eq!((host.count(&run, "invoked"), host.status(&run)), (3, RunStatus::Done));
}

#[test]
fn a_step_that_turns_more_often_than_a_turn_may_goes_on_in_the_next() {
    let world = World::new();
    let host = world.open();
    let steps: Vec<String> = (0..150).map(|number| format!("s{number}")).collect();
    let run = host.start(&steps.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(host.status(&run), RunStatus::Done);
    assert_eq!((host.get(&run).seq, host.count(&run, "invoked")), (3, 150));
}

#[test]
fn a_hostile_component_costs_its_own_run() {
    let world = World::new();
    let fault = Fault { class: FailureClass::OutOfFuel, message: "no fuel".to_owned(), backtrace: None };
    world.faults("build", fault);
    let host = world.open();
    let run = host.start(&["build"]);
    let failure = host.get(&run).summary.failure.unwrap();
    assert_eq!((failure.class, host.status(&run)), (FailureClass::OutOfFuel, RunStatus::Failed));
    let next = host.start(&["build"]);
    assert_eq!(host.status(&next), RunStatus::Done);
}
