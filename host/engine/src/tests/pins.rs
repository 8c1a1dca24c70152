//! Which component is called: pins by run and by step, repins, restarts on another one, and components that are stopped.

use super::world::{Says, World, ask, complete, dispatch, done, pins, pipeline, rework, spec};
use crate::Turn;
use expect_test::expect;
use lockstep_types::{
    Access, Admission, Answer, Digest, Event, FailureClass, Fault, Input, JsonText, Pinning, QuestionKind,
    Rejected, Repin, StepAction,
};
use std::sync::Arc;

const FIRST: &str = "component";
const SECOND: &str = "component 2";

/// What a host makes of a restart on another version: only states that the restart leaves are migrated.
pub(super) fn restarted_on(world: &World, step: &str, kind: &str, version: &str) -> Repin {
    let input =
        Input::Restart { step: step.to_owned(), head_commit: None, by: "ann".to_owned(), repin: None };
    let turn = Turn::begin(world.recorded.as_ref(), world.now, &input, Admission::default()).unwrap();
    let left: Vec<usize> = turn.run().states_of(kind).map(|(step, ..)| step).collect();
    let mut repin = world.repin(kind, version);
    repin.migrations.retain(|migration| left.contains(&migration.step));
    repin
}

fn repin(world: &mut World, kind: &str, version: &str) {
    let repin = world.repin(kind, version);
    world.input(&Input::Repin(Box::new(repin)));
}

fn restart(world: &mut World, step: &str, version: &str) {
    let repin = Some(Box::new(restarted_on(world, step, "writer", version)));
    world.input(&Input::Restart { step: step.to_owned(), head_commit: None, by: "ann".to_owned(), repin });
}

fn called(world: &World) -> Vec<(usize, bool)> {
    let events = world.turns.iter().flat_map(|turn| &turn.events);
    let second = Digest::of(SECOND.as_bytes());
    let call = |event: &Event| match event {
        Event::Invoked { step, invocation } => Some((*step, invocation.digest == second)),
        _ => None,
    };
    events.filter_map(call).collect()
}

fn folds(world: &World) {
    assert_eq!(world.replayed(world.records.len()), world.recorded.clone().unwrap());
}

fn by_step(steps: &[&str], says: &[(&str, Vec<Says>)]) -> World {
    let mut world = World::new(says);
    let mut pipeline = pipeline(steps);
    pipeline.pin = Pinning::Step;
    world.activate(FIRST);
    world.input(&Input::Start(Arc::new(spec(pipeline))));
    world
}

#[test]
fn a_run_keeps_its_components_while_pointers_move() {
    let mut world = World::started(&["a", "b"], &[("a", vec![dispatch("work").into()])]);
    world.activate(SECOND);
    world.job(&done("x"));
    assert_eq!(called(&world), [(0, false), (0, false), (1, false)]);
}

#[test]
fn by_step_a_step_takes_the_active_component_when_it_starts_and_keeps_it_with_its_state() {
    let says = [
        ("a", vec![dispatch("work").into(), complete("one").into(), complete("two").into()]),
        ("b", vec![rework("a", "better").into(), complete("b").into()]),
    ];
    let mut world = by_step(&["a", "b"], &says);
    world.activate(SECOND);
    world.job(&done("x"));
    // `a` began on the first and was sent back to work with its state; `b` began on the second.
    assert_eq!(called(&world), [(0, false), (0, false), (1, true), (0, false), (1, true)]);
    world.activate(FIRST);
    world.input(&Input::Restart {
        step: "b".to_owned(),
        head_commit: None,
        by: "ann".to_owned(),
        repin: None,
    });
    assert_eq!(called(&world).last(), Some(&(1, false)), "a restart cleared its state");
    folds(&world);
}

#[test]
fn by_step_whether_a_step_may_start_beside_a_writer_is_said_by_the_component_it_takes() {
    let says = [("w", vec![dispatch("work").into()])];
    let mut world = World::new(&says);
    let mut steps = pipeline(&["a", "w needs a", "r? needs a"]);
    steps.pin = Pinning::Step;
    let mut active = pins(SECOND);
    active.get_mut("reader").unwrap().access = Access::Write;
    world.admission.active = std::sync::Arc::new(active);
    world.input(&Input::Start(Arc::new(spec(steps))));
    assert_eq!(
        world.run().steps()[2].status,
        lockstep_types::StepStatus::Pending,
        "it writes now, and waits for the other writer"
    );
    world.job(&done("x"));
    assert_eq!(world.run().status().word(), "done");
}

#[test]
fn a_repin_moves_unfinished_steps_with_their_states_and_leaves_finished_ones() {
    let says = [("b", vec![dispatch("work").into(), rework("a", "better").into()])];
    let mut world = World::started(&["a", "b"], &says);
    repin(&mut world, "writer", SECOND);
    assert_eq!(world.run().states_of("writer").count(), 1);
    world.job(&done("x"));
    assert_eq!(
        called(&world),
        [(0, false), (1, false), (1, true), (0, false), (1, true)],
        "`a` was finished: it keeps its component with its state"
    );
    folds(&world);
    expect![[r#"
               created          p: work into main
        a      step-started     started
        a      invoked          complete
        a      step-completed   done: a
        b      step-started     started
        b      invoked          dispatch
        b      job-dispatched   job work #1
               repinned         writer from 6985ca1f4daa to f139c73fb653 by ann, 1 state migrated: a try
        b      job-settled      job done: x
        b      invoked          rework
        a      step-started     works again for b: better
        a      invoked          complete
        a      step-completed   done: a
        b      step-started     started
        b      invoked          complete
        b      step-completed   done: b
               notice-raised    notice pipeline_complete: task went through p
               run-completed    done
        = done item PrReady notices ["pipeline_complete"]
    "#]]
    .assert_eq(&world.text());
}

#[test]
fn a_repin_is_refused_when_it_cannot_be() {
    let mut world = World::started(&["a", "r?"], &[("a", vec![dispatch("work").into()])]);
    repin(&mut world, "merger", SECOND);
    let mut unknown = world.repin("writer", SECOND);
    unknown.pins = [("painter".to_owned(), pins(SECOND)["writer"].clone())].into();
    world.input(&Input::Repin(Box::new(unknown)));
    let mut stale = world.repin("writer", SECOND);
    stale.migrations[0].before = JsonText::null();
    world.input(&Input::Repin(Box::new(stale)));
    let mut reads = world.repin("writer", SECOND);
    reads.pins.get_mut("writer").unwrap().access = Access::ReadOnly;
    world.input(&Input::Repin(Box::new(reads)));
    world.stop(SECOND);
    repin(&mut world, "writer", SECOND);
    world.job(&done("x"));
    repin(&mut world, "writer", SECOND);
    expect![[r#"
               created          p: work into main
        a      step-started     started
        a      invoked          dispatch
        a      job-dispatched   job work #1
        rejected (invalid): run run-1 has no step of kind merger: it has reader, writer
        rejected (invalid): run run-1 has no step of kind painter: it has reader, writer
        rejected (conflict): run run-1 has gone on meanwhile: repin it again
        rejected (conflict): component f139c73fb653 differs from the present one in whether it writes, and step a is under way: use `lockstep runs restart run-1 --step a --digest f139c73fb653`
        rejected (conflict): component f139c73fb653 of kind writer was stopped by bob (it lies): choose another component, or let it be called again with `lockstep component resume-digest f139c73fb653`
        a      job-settled      job done: x
        a      invoked          complete
        a      step-completed   done: a
        r      step-started     started
        r      invoked          complete
        r      step-completed   done: r
               notice-raised    notice pipeline_complete: task went through p
               run-completed    done
        rejected (conflict): run run-1 is done and calls nothing more: use `lockstep runs restart run-1 --step STEP --digest DIGEST`
        = done item PrReady notices ["pipeline_complete"]
    "#]].assert_eq(&world.text());
}

#[test]
fn a_failed_run_is_repinned_and_retried() {
    let fault = Fault { class: FailureClass::Trapped, message: "trap".to_owned(), backtrace: None };
    let mut world = World::started(&["a"], &[("a", vec![Says::Fault(fault)])]);
    repin(&mut world, "writer", SECOND);
    world.input(&Input::Retry { head_commit: None, by: "ann".to_owned() });
    assert_eq!(called(&world), [(0, false), (0, true)]);
    assert_eq!(world.run().status().word(), "done");
}

#[test]
fn a_restart_may_be_on_another_component() {
    let mut world = World::started(&["a", "b"], &[]);
    restart(&mut world, "b", SECOND);
    assert_eq!(called(&world), [(0, false), (1, false), (1, true)]);
    assert_eq!(world.run().pin(0).unwrap().digest, Digest::of(FIRST.as_bytes()));
    folds(&world);
}

#[test]
fn a_stopped_component_holds_the_run_which_takes_results_and_answers() {
    let says = [
        ("a", vec![dispatch("work").into(), complete("a").into()]),
        ("b", vec![ask(QuestionKind::Decision, &["A"]).into()]),
    ];
    let mut world = World::started(&["a needs nothing", "b? needs nothing"], &says);
    world.stop(FIRST);
    let action = StepAction { name: "confirm".to_owned(), input: JsonText::null(), by: "ann".to_owned() };
    world.input(&Input::Act { step: "b".to_owned(), action: action.clone() });
    world.job(&done("x"));
    world.answer(1, Answer::Choose { choice: "A".to_owned(), text: None, comments: Vec::new() }, None);
    world.input(&Input::Act { step: "b".to_owned(), action });
    world.input(&Input::Resume { by: "ann".to_owned() });
    assert!(world.run().outstanding().is_empty());
    assert_eq!(called(&world).len(), 2);
    let waiting = &world.run().summary().waiting[0];
    expect![[r#"
        component 6985ca1f4daa of kind writer was stopped by bob (it lies)
        an operator: replace it with `lockstep runs repin run-1 writer=DIGEST`, or let it be called again with `lockstep component resume-digest 6985ca1f4daa`
    "#]].assert_eq(&format!("{}\n{}\n", waiting.reason, waiting.act));
    folds(&world);
    world.let_go_on(FIRST);
    world.input(&Input::Poke);
    assert_eq!(world.run().status().word(), "done");
    expect![[r#"
               created          p: work into main
        a      step-started     started
        b      step-started     started
        a      invoked          dispatch
        a      job-dispatched   job work #1
        b      invoked          ask
        b      asked            q1 which?
               notice-raised    notice decision_required: b waits for an answer
        rejected (conflict): component 6985ca1f4daa of kind reader was stopped by bob (it lies): replace it with `lockstep runs repin run-1 reader=DIGEST`, or let it be called again with `lockstep component resume-digest 6985ca1f4daa`
        a      job-settled      job done: x
               run-paused       held: component 6985ca1f4daa was stopped by bob: it lies
               notice-raised    notice component_stopped: task is held: component 6985ca1f4daa of kind writer was stopped by bob (it lies)
        b      answered         q1 answered by ann: A
        rejected (conflict): component 6985ca1f4daa of kind writer was stopped by bob (it lies): replace it with `lockstep runs repin run-1 writer=DIGEST`, or let it be called again with `lockstep component resume-digest 6985ca1f4daa`
        rejected (conflict): component 6985ca1f4daa of kind writer was stopped by bob (it lies): replace it with `lockstep runs repin run-1 writer=DIGEST`, or let it be called again with `lockstep component resume-digest 6985ca1f4daa`
               run-resumed      resumed by lockstep
        a      invoked          complete
        a      step-completed   done: a
        b      invoked          complete
        b      step-completed   done: b
               notice-raised    notice pipeline_complete: task went through p
               run-completed    done
        = done item PrReady notices ["pipeline_complete"]
    "#]].assert_eq(&world.text());
}

#[test]
fn a_held_run_goes_on_when_it_is_repinned() {
    let mut world = World::started(&["a", "b"], &[("a", vec![dispatch("work").into()])]);
    world.stop(FIRST);
    world.job(&done("x"));
    assert_eq!(world.run().status().word(), "paused");
    repin(&mut world, "writer", SECOND);
    assert_eq!(called(&world), [(0, false), (0, true), (1, true)]);
    assert_eq!(world.run().status().word(), "done");
    folds(&world);
}

#[test]
fn who_pauses_a_held_run_resumes_it() {
    let mut world = World::started(&["a"], &[("a", vec![dispatch("work").into()])]);
    world.stop(FIRST);
    world.job(&done("x"));
    world.input(&Input::Pause { by: "ann".to_owned(), over_budget: false });
    world.let_go_on(FIRST);
    world.input(&Input::Poke);
    assert_eq!(world.run().status().word(), "paused");
    world.input(&Input::Resume { by: "ann".to_owned() });
    assert_eq!(world.run().status().word(), "done");
}

#[test]
fn what_else_can_be_called_is_called_before_the_run_is_held() {
    let mut world = World::new(&[]);
    world.stop(SECOND);
    let mut spec = spec(pipeline(&["a needs nothing", "r? needs nothing", "w needs nothing"]));
    spec.pins.insert("reader".to_owned(), pins("component 3")["reader"].clone());
    world.stop("component 3");
    let Err(Rejected::Conflict(why)) = world.try_input(&Input::Start(Arc::new(spec.clone()))) else {
        panic!("a run began on a stopped component");
    };
    expect!["component a2ffcfc45cd9 of kind reader was stopped by bob (it lies): activate another one with `lockstep component activate reader DIGEST`, or let it be called again with `lockstep component resume-digest a2ffcfc45cd9`"].assert_eq(&why);
    world.let_go_on("component 3");
    spec.pipeline = std::sync::Arc::new({
        let mut pipeline = pipeline(&["r? needs nothing", "a needs nothing", "w needs a"]);
        pipeline.pin = Pinning::Step;
        pipeline
    });
    let mut active = pins(FIRST);
    active.insert("reader".to_owned(), pins(SECOND)["reader"].clone());
    world.admission.active = std::sync::Arc::new(active);
    world.input(&Input::Start(Arc::new(spec)));
    assert_eq!(called(&world), [(1, false), (2, false)]);
    assert_eq!(world.run().held_for().map(|stop| stop.digest), Some(Digest::of(SECOND.as_bytes())));
}
