use super::world::{World, complete, dispatch, done, rework};
use expect_test::expect;
use lockstep_types::{Completion, Digest, FailureClass, Fault, Input, ItemStatus, Next};

#[test]
fn steps_run_one_after_another_in_one_turn() {
    let world = World::started(&["a", "b"], &[]);
    expect![[r#"
               created          p: work into main
        a      step-started     started
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
    assert_eq!(world.records.len(), 1, "one turn is one record");
}

#[test]
fn readers_run_side_by_side_writers_one_at_a_time() {
    let steps = ["a", "r1? needs a", "r2? needs a", "w1 needs a", "w2 needs a", "z needs r1,r2,w1,w2"];
    let wait = |_| vec![dispatch("work").into()];
    let says = ["r1", "r2", "w1", "w2"].map(|step| (step, wait(step)));
    let mut world = World::started(&steps, &says);
    let working = |world: &World| {
        let spec = world.run().spec().clone();
        let steps = world.run().steps().iter().zip(&spec.pipeline.steps);
        let active = steps.filter(|(step, _)| step.status == lockstep_types::StepStatus::Working);
        active.map(|(_, def)| def.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(working(&world), ["r1", "r2", "w1"]);
    world.job(&done("r1"));
    world.job(&done("r2"));
    assert_eq!(working(&world), ["w1"]);
    world.job(&done("w1"));
    assert_eq!(working(&world), ["w2"]);
    world.job(&done("w2"));
    assert_eq!(world.run().status().word(), "done");
}

#[test]
fn rework_sends_the_producer_back_and_all_that_came_after() {
    let says = [("c", vec![rework("a", "again, please").into(), complete("good").into()])];
    let world = World::started(&["a", "b", "c", "d"], &says);
    expect![[r#"
               created          p: work into main
        a      step-started     started
        a      invoked          complete
        a      step-completed   done: a
        b      step-started     started
        b      invoked          complete
        b      step-completed   done: b
        c      step-started     started
        c      invoked          rework
        a      step-started     works again for c: again, please
        a      invoked          complete
        a      step-completed   done: a
        b      step-started     started
        b      invoked          complete
        b      step-completed   done: b
        c      step-started     started
        c      invoked          complete
        c      step-completed   done: good
        d      step-started     started
        d      invoked          complete
        d      step-completed   done: d
               notice-raised    notice pipeline_complete: task went through p
               run-completed    done
        = done item PrReady notices ["pipeline_complete"]
    "#]]
    .assert_eq(&world.text());
    let a = &world.run().steps()[0];
    assert_eq!(
        a.attempts.iter().map(|attempt| attempt.outcome).collect::<Vec<_>>(),
        ["reworked", "completed"]
    );
}

#[test]
fn rework_without_such_a_producer_is_the_components_fault() {
    let world = World::started(&["a", "b"], &[("b", vec![rework("nobody", "x").into()])]);
    expect![[r#"
               created          p: work into main
        a      step-started     started
        a      invoked          complete
        a      step-completed   done: a
        b      step-started     started
        b      invoked          rework
        b      run-failed       bad-output: step b (writer 6985ca1f4daa): it asked for rework by nobody, which no earlier step is
               notice-raised    notice run_failed: task failed: bad-output
        = failed item Blocked notices ["run_failed"]
    "#]]
    .assert_eq(&world.text());
}

#[test]
fn what_was_merged_stays_done_whatever_later_steps_do() {
    let merged = Next::Complete(Completion { item_status: Some(ItemStatus::Done), ..Completion::default() });
    let fault = Fault { class: FailureClass::OutOfFuel, message: "too long".to_owned(), backtrace: None };
    let says = [("m", vec![merged.into()]), ("z", vec![super::world::Says::Fault(fault)])];
    let world = World::started(&["m", "y", "z"], &says);
    assert_eq!(world.run().item_status(), ItemStatus::Done);
    assert_eq!(world.run().status().word(), "failed");
}

#[test]
fn a_waiting_step_looks_again_when_it_is_due_or_poked() {
    let wait = || Next::Wait { ms: 500, reason: "for the moon".to_owned() }.into();
    let mut world = World::started(&["a"], &[("a", vec![wait(), wait(), complete("full").into()])]);
    assert_eq!(world.run().next_wakeup().unwrap().0, 1500);
    world.now = lockstep_types::Timestamp(1499);
    world.input(&Input::Tick);
    assert_eq!(world.records.len(), 1, "not yet");
    world.input(&Input::Poke);
    assert_eq!(world.run().next_wakeup().unwrap().0, 1999);
    world.now = lockstep_types::Timestamp(1999);
    world.input(&Input::Tick);
    assert_eq!(world.run().status().word(), "done");
}

#[test]
fn a_run_that_calls_for_ever_is_cut_into_turns() {
    let says = [("b", vec![rework("a", "again").into(); 200])];
    let mut world = World::started(&["a", "b"], &says);
    assert_eq!(world.run().outstanding().len(), 1, "a call is left for the next turn");
    let turns = (0..).take_while(|_| {
        world.input(&Input::Tick);
        world.run().status().is_live()
    });
    assert_eq!(turns.count(), 5);
}

#[test]
fn a_turn_of_large_texts_is_cut_too() {
    let large = "x".repeat(3 << 20);
    let steps = ["a", "b", "c", "d", "e"];
    let says = steps.map(|step| (step, vec![complete(&large).into()]));
    let world = World::started(&steps, &says);
    assert_eq!(world.run().outstanding().len(), 1, "a call is left for the next turn");
    assert!(world.records[0].len() < 32 << 20);
}

#[test]
fn jobs_and_effects_beyond_the_grant_are_refused() {
    let world = World::started(&["a"], &[("a", vec![dispatch("other").into()])]);
    let message = &world.run().summary().failure.unwrap().message;
    let named = |message: &String| message.replace(&Digest::of(b"component").short(), "DIGEST");
    assert_eq!(
        named(message),
        "step a (writer DIGEST): it asked for job other, which its kind is not granted: activate it with --grant-job other"
    );
    let perform = Next::Perform { effect: lockstep_types::Effect::UpdateBranch, proposal: None };
    let world = World::started(&["a"], &[("a", vec![perform.into()])]);
    let message = &world.run().summary().failure.unwrap().message;
    assert_eq!(
        named(message),
        "step a (writer DIGEST): it asked for effect update-branch, which its kind is not granted: activate it with --grant-effect update-branch"
    );
}
