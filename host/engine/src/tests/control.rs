use super::world::{World, complete, dispatch, done};
use expect_test::expect;
use lockstep_types::{Completion, Failure, FailureClass, Fault, Input, ItemStatus, Next};

fn by() -> String {
    "ann".to_owned()
}

fn retry() -> Input {
    Input::Retry { head_commit: None, by: by() }
}

fn restart(step: &str) -> Input {
    Input::Restart { step: step.to_owned(), head_commit: None, by: by(), repin: None }
}

#[test]
fn a_stopped_run_asks_for_nothing_and_can_be_retried() {
    let says = [("b", vec![dispatch("work").into(), dispatch("work").into()])];
    let mut world = World::started(&["a", "b"], &says);
    world.input(&Input::Stop { reason: "lunch".to_owned(), class: None, by: by() });
    assert!(world.run().outstanding().is_empty());
    world.input(&Input::Stop { reason: "again".to_owned(), class: None, by: by() });
    world.job(&done("too late"));
    world.input(&retry());
    world.job(&done("second"));
    expect![[r#"
               created          p: work into main
        a      step-started     started
        a      invoked          complete
        a      step-completed   done: a
        b      step-started     started
        b      invoked          dispatch
        b      job-dispatched   job work #1
               run-failed       cancelled: stopped by ann: lunch
               retried          retried by ann
        b      step-started     started
        b      invoked          dispatch
        b      job-dispatched   job work #2
        b      job-settled      job done: second
        b      invoked          complete
        b      step-completed   done: b
               notice-raised    notice pipeline_complete: task went through p
               run-completed    done
        = done item PrReady notices ["pipeline_complete"]
    "#]]
    .assert_eq(&world.text());
}

#[test]
fn retry_keeps_what_is_done_and_restart_goes_back() {
    let fault = Fault { class: FailureClass::Trapped, message: "unreachable".to_owned(), backtrace: None };
    let says = [("b", vec![super::world::Says::Fault(fault)])];
    let mut world = World::started(&["a", "b", "c"], &says);
    world.input(&retry());
    world.input(&retry());
    world.input(&restart("nowhere"));
    world.input(&restart("b"));
    expect![[r#"
               created          p: work into main
        a      step-started     started
        a      invoked          complete
        a      step-completed   done: a
        b      step-started     started
        b      invoked          trapped: unreachable
        b      run-failed       trapped: step b (writer 6985ca1f4daa): unreachable
               notice-raised    notice run_failed: task failed: trapped
               retried          retried by ann
        b      step-started     started
        b      invoked          complete
        b      step-completed   done: b
        c      step-started     started
        c      invoked          complete
        c      step-completed   done: c
               notice-raised    notice pipeline_complete: task went through p
               run-completed    done
        rejected (conflict): run run-1 is done, only a failed run can be retried: use `lockstep runs restart run-1 --step STEP`
        rejected (invalid): run run-1 has no step "nowhere": it has a, b, c
        b      restarted        restarted by ann
        b      step-started     started
        b      invoked          complete
        b      step-completed   done: b
        c      step-started     started
        c      invoked          complete
        c      step-completed   done: c
               notice-raised    notice pipeline_complete: task went through p
               run-completed    done
        = done item PrReady notices ["pipeline_complete"]
    "#]]
    .assert_eq(&world.text());
}

#[test]
fn restart_after_a_merge_leaves_the_item_done_restart_at_it_does_not() {
    let merged =
        || Next::Complete(Completion { item_status: Some(ItemStatus::Done), ..Completion::default() }).into();
    let says = [
        ("m", vec![merged(), dispatch("work").into()]),
        ("z", vec![complete("z").into(), dispatch("work").into()]),
    ];
    let mut world = World::started(&["m", "z"], &says);
    world.input(&restart("z"));
    assert_eq!(world.run().item_status(), ItemStatus::Done);
    world.input(&restart("m"));
    assert_eq!(world.run().item_status(), ItemStatus::InProgress, "a person took the merge back");
}

#[test]
fn rt_2_a_restart_may_pass_over_steps_that_are_not_done() {
    let mut world = World::started(&["a!", "b", "c"], &[("c", vec![dispatch("work").into()])]);
    world.input(&restart("c"));
    world.answer(1, lockstep_types::Answer::Approve { proposal: None }, None);
    world.job(&done("c"));
    expect![[r#"
               created          p: work into main
        a      step-started     started
        a      invoked          complete
        a      asked            q1 approve what a produced?
               run-blocked      waits for a person
               notice-raised    notice decision_required: a waits for an answer
        c      restarted        restarted by ann
        c      step-started     started
        c      invoked          dispatch
        c      job-dispatched   job work #1
        rejected (conflict): run run-1 has no open question q1: see `lockstep why run-1`
        c      job-settled      job done: c
        c      invoked          complete
        c      step-completed   done: c
               notice-raised    notice pipeline_complete: task went through p
               run-completed    done
        = done item PrReady notices ["pipeline_complete"]
    "#]]
    .assert_eq(&world.text());
    world.input(&restart("b"));
    assert_eq!(world.run().steps()[0].status, lockstep_types::StepStatus::WaitingDecision);
    assert_eq!(world.run().status().word(), "done");
}

#[test]
fn d_6_the_driver_gives_up_a_live_run_only() {
    let mut world = World::started(&["a", "b"], &[("a", vec![dispatch("work").into()])]);
    let fail = |class| Input::Fail { failure: Failure::new(class, "it took too long") };
    world.input(&fail(FailureClass::Timeout));
    world.input(&fail(FailureClass::Agent));
    expect![[r#"
               created          p: work into main
        a      step-started     started
        a      invoked          dispatch
        a      job-dispatched   job work #1
        a      run-failed       timeout: it took too long
               notice-raised    notice run_failed: task failed: timeout
        = failed item Blocked notices ["run_failed"]
    "#]]
    .assert_eq(&world.text());
}

#[test]
fn a_paused_run_takes_results_but_starts_nothing() {
    let mut world = World::started(&["a", "b"], &[("a", vec![dispatch("work").into()])]);
    world.input(&Input::Pause { by: by(), over_budget: false });
    world.job(&done("while paused"));
    assert!(world.run().outstanding().is_empty());
    assert_eq!(world.run().status().word(), "paused");
    world.input(&Input::Resume { by: by() });
    assert_eq!(world.run().status().word(), "done");
    world.input(&Input::Pause { by: by(), over_budget: false });
    expect![[r#"
               created          p: work into main
        a      step-started     started
        a      invoked          dispatch
        a      job-dispatched   job work #1
               run-paused       paused by ann
        a      job-settled      job done: while paused
               run-resumed      resumed by ann
        a      invoked          complete
        a      step-completed   done: a
        b      step-started     started
        b      invoked          complete
        b      step-completed   done: b
               notice-raised    notice pipeline_complete: task went through p
               run-completed    done
        rejected (conflict): run run-1 is done and cannot be paused
        = done item PrReady notices ["pipeline_complete"]
    "#]]
    .assert_eq(&world.text());
}
