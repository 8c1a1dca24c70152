use super::world::{World, complete, dispatch, done};
use expect_test::expect;
use lockstep_types::{
    CheckReport, Effect, EffectOutcome, Input, JobKey, JobOutcome, JobResult, JsonText, MergeMethod, Next,
    Observation, ObservationAnswer, ObservationRequest, PullRequest,
};

fn evicted(transient: bool) -> JobOutcome {
    JobOutcome::Evicted { transient, message: "the machine went away".to_owned() }
}

#[test]
fn an_evicted_job_is_dispatched_again_within_its_budget() {
    let says = [("a", vec![dispatch("work").into(), complete("gave up").into()])];
    let mut world = World::started(&["a"], &says);
    world.job(&evicted(false));
    world.job(&evicted(true));
    world.job(&evicted(false));
    expect![[r#"
               created          p: work into main
        a      step-started     started
        a      invoked          dispatch
        a      job-dispatched   job work #1
        a      job-redispatched job evicted, dispatched again: the machine went away
        a      job-redispatched job evicted, dispatched again: the machine went away
        a      job-settled      job evicted: the machine went away
        a      invoked          complete
        a      step-completed   done: gave up
               notice-raised    notice pipeline_complete: task went through p
               run-completed    done
        = done item PrReady notices ["pipeline_complete"]
    "#]]
    .assert_eq(&world.text());
}

#[test]
fn an_outcome_nobody_waits_for_changes_nothing() {
    let mut world = World::started(
        &["a", "b"],
        &[("a", vec![dispatch("work").into()]), ("b", vec![dispatch("work").into()])],
    );
    let key = JobKey { run: "run-1".parse().unwrap(), step: "a".to_owned(), number: 1 };
    let settled = Input::JobSettled { key, outcome: done("once") };
    world.input(&settled);
    let records = world.records.len();
    world.input(&settled);
    assert_eq!(world.records.len(), records);
}

#[test]
fn a_job_moves_the_head_that_an_effect_is_about() {
    let merge = Next::Perform { effect: Effect::Merge(MergeMethod::Squash), proposal: None };
    let says = [("a", vec![dispatch("a").into(), merge.into(), complete("merged").into()])];
    let mut world = World::started(&["a+"], &says);
    let head_commit = Some("bbbbbbbbbbbbbbbb".to_owned());
    world.job(&JobOutcome::Done(JobResult { head_commit, ..JobResult::default() }));
    let run = world.run().clone();
    let Some(crate::Command::Perform(order)) = run.outstanding().pop() else {
        panic!("no effect is outstanding")
    };
    assert_eq!(order.change.head_commit.as_deref(), Some("bbbbbbbbbbbbbbbb"));
    world.settle(&done(""), &EffectOutcome::Done(JsonText::of("ccc")));
    expect![[r#"
               created          p: work into main
        a      step-started     started
        a      invoked          dispatch
        a      job-dispatched   job a #1
               change-updated   head is now bbbbbbbbbbbb
        a      job-settled      job done
        a      invoked          perform
        a      effect-requested effect merge #1
        a      effect-settled   performed: "ccc"
        a      invoked          complete
        a      step-completed   done: merged
               run-completed    done
        = done item PrReady notices []
    "#]]
    .assert_eq(&world.text());
}

#[test]
fn a_pull_request_that_a_gate_saw_is_that_of_the_run() {
    let says = [("a", vec![dispatch("a").into()]), ("b", vec![dispatch("b").into()])];
    let mut world = World::started(&["a", "b"], &says);
    let pull_request =
        Some(PullRequest { url: "https://forge/7".into(), number: Some(7), branch: Some("work".into()) });
    let head_commit = world.run().change().head_commit.clone().or_else(|| Some("bbbbbbbbbbbbbbbb".into()));
    let report = CheckReport { head_commit, pull_request: pull_request.clone(), ..CheckReport::default() };
    for _ in 0..2 {
        let (request, answer) = (ObservationRequest::Checks, ObservationAnswer::Checks(report.clone()));
        world.sees = vec![Observation { request, answer }];
        world.job(&done(""));
        assert_eq!(world.run().change().pull_request, pull_request);
    }
    assert_eq!(world.text().matches("change-updated").count(), 1, "{}", world.text());
}
