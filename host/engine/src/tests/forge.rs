//! What others do to the change while a run is under way, or when it has ended.

use super::world::{World, ask, complete, dispatch, done};
use expect_test::expect;
use lockstep_types::{
    Effect, Input, ItemStatus, MergeMethod, NewNotice, Next, QuestionKind, RunStatus, Severity, StepStatus,
};

fn send_back(steps: &[&str], feedback: Option<&str>, head: Option<&str>) -> Input {
    Input::SendBack {
        steps: steps.iter().map(|step| (*step).to_owned()).collect(),
        feedback: feedback.map(str::to_owned),
        head_commit: head.map(str::to_owned),
        by: "github".to_owned(),
    }
}

fn merged() -> Input {
    Input::MergedOutside { by: "bob".to_owned() }
}

/// What is written from the last input on.
fn tail(world: &World, lines: usize) -> String {
    let text = world.text();
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].iter().map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_push_by_somebody_else_begins_again_what_came_after_the_producer_and_keeps_the_producer() {
    let says =
        [("ci", vec![dispatch("work").into()]), ("look", vec![ask(QuestionKind::Decision, &["A"]).into()])];
    let mut world = World::started(&["code", "ci", "look needs code"], &says);
    world.input(&send_back(&["ci", "look"], None, Some("bbbbbbbbbbbbbbbb")));
    world.input(&send_back(&[], None, Some("bbbbbbbbbbbbbbbb")));
    world.input(&send_back(&["nowhere"], None, None));
    expect![[r#"
               created          p: work into main
        code   step-started     started
        code   invoked          complete
        code   step-completed   done: code
        ci     step-started     started
        ci     invoked          dispatch
        ci     job-dispatched   job work #1
        ci     restarted        restarted by github
               change-updated   head is now bbbbbbbbbbbb
        ci     step-started     started
        ci     invoked          complete
        ci     step-completed   done: ci
        look   step-started     started
        look   invoked          ask
        look   asked            q1 which?
               run-blocked      waits for a person
               notice-raised    notice decision_required: look waits for an answer
        rejected (invalid): run run-1 has no step "nowhere": it has code, ci, look
        = blocked item Blocked notices ["decision_required"]
    "#]]
    .assert_eq(&world.text());
    assert_eq!(world.run().change().head_commit.as_deref(), Some("bbbbbbbbbbbbbbbb"));
}

#[test]
fn requested_changes_rework_a_live_run_without_its_counters_and_an_ended_one_anew() {
    let says = [("ci", vec![dispatch("work").into()])];
    let mut world = World::started(&["code", "ci"], &says);
    world.input(&send_back(&["code"], Some("tax is missing"), None));
    assert_eq!(world.run().status(), RunStatus::Done, "{}", world.text());
    world.input(&send_back(&["code"], Some("and the sum"), None));
    expect![[r#"
               created          p: work into main
        code   step-started     started
        code   invoked          complete
        code   step-completed   done: code
        ci     step-started     started
        ci     invoked          dispatch
        ci     job-dispatched   job work #1
        code   step-started     works again for github: tax is missing
        code   invoked          complete
        code   step-completed   done: code
        ci     step-started     started
        ci     invoked          complete
        ci     step-completed   done: ci
               notice-raised    notice pipeline_complete: task went through p
               run-completed    done
        code   restarted        restarted by github
        code   step-started     works again for github: and the sum
        code   invoked          complete
        code   step-completed   done: code
        ci     step-started     started
        ci     invoked          complete
        ci     step-completed   done: ci
               notice-raised    notice pipeline_complete: task went through p
               run-completed    done
        = done item PrReady notices ["pipeline_complete"]
    "#]]
    .assert_eq(&world.text());
}

#[test]
fn a_run_that_failed_goes_on_with_the_step_that_failed_too() {
    let fail = Next::Fail {
        class: lockstep_types::FailureClass::GateExhausted,
        message: "red".to_owned(),
        detail: None,
    };
    let mut world = World::started(&["code", "ci", "land"], &[("ci", vec![fail.into()])]);
    world.input(&send_back(&["ci"], None, Some("bbbbbbbbbbbbbbbb")));
    expect![[r#"
               change-updated   head is now bbbbbbbbbbbb
        ci     step-started     started
        ci     invoked          complete
        ci     step-completed   done: ci
        land   step-started     started
        land   invoked          complete
        land   step-completed   done: land
               notice-raised    notice pipeline_complete: task went through p
               run-completed    done
        = done item PrReady notices ["pipeline_complete"]
    "#]]
    .assert_eq(&tail(&world, 10));
}

#[test]
fn a_paused_run_stays_paused_when_it_is_sent_back() {
    let mut world = World::started(&["code", "ci"], &[("ci", vec![dispatch("work").into()])]);
    world.input(&Input::Pause { by: "ann".to_owned(), over_budget: false });
    world.input(&send_back(&["ci"], None, Some("bbbbbbbbbbbbbbbb")));
    assert_eq!(world.run().status(), RunStatus::Paused);
    world.input(&send_back(&["code"], Some("again"), None));
    assert_eq!(world.run().status(), RunStatus::Paused);
    world.input(&Input::Resume { by: "ann".to_owned() });
    assert_eq!(world.run().status(), RunStatus::Done, "{}", world.text());
}

#[test]
fn an_effect_under_way_is_not_disturbed() {
    let merge = Next::Perform { effect: Effect::Merge(MergeMethod::Merge), proposal: None };
    let mut world = World::started(&["code", "land+"], &[("land", vec![merge.into()])]);
    world.input(&send_back(&["land"], None, Some("bbbbbbbbbbbbbbbb")));
    world.input(&merged());
    expect![[r#"
        rejected (conflict): an effect of run run-1 is under way: try again when it has ended
        rejected (conflict): an effect of run run-1 is under way: try again when it has ended
        = running item InProgress notices []
    "#]]
    .assert_eq(&tail(&world, 3));
}

#[test]
fn a_merge_by_somebody_else_is_the_end_of_the_run_and_told_twice_is_told_once() {
    let mut world = World::started(&["code", "ci", "land+"], &[("ci", vec![dispatch("work").into()])]);
    world.input(&merged());
    world.input(&merged());
    world.job(&done("too late"));
    expect![[r#"
               created          p: work into main
        code   step-started     started
        code   invoked          complete
        code   step-completed   done: code
        ci     step-started     started
        ci     invoked          dispatch
        ci     job-dispatched   job work #1
               merged           merged by bob
               run-completed    done
        = done item Done notices []
    "#]]
    .assert_eq(&world.text());
    assert_eq!(world.run().item_status(), ItemStatus::Done);
    assert_eq!(world.run().steps()[2].status, StepStatus::Pending);
    let mut ended = World::started(&["code"], &[("code", vec![complete("sum").into()])]);
    ended.input(&merged());
    assert_eq!((ended.run().status(), ended.run().item_status()), (RunStatus::Done, ItemStatus::Done));
}

#[test]
fn a_card_may_come_from_outside_and_an_open_one_of_its_kind_is_refreshed() {
    let mut world = World::started(&["code"], &[("code", vec![dispatch("work").into()])]);
    let card = |body: &str| {
        let kind = "forge-needs-you".to_owned();
        Input::Raise(NewNotice {
            kind,
            severity: Severity::Normal,
            title: "t".to_owned(),
            body: body.to_owned(),
        })
    };
    world.input(&card("one"));
    world.input(&card("two"));
    let bodies: Vec<&str> = world.run().notices().iter().map(|notice| notice.body.as_str()).collect();
    assert_eq!(bodies, ["two"]);
    assert_eq!(world.replayed(world.records.len()).run, *world.run());
}
