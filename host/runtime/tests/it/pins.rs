//! Runs that are given other components, and pointers that move only where live runs could follow.

use crate::host::{
    Host, World, ask, choose, complete, component, descriptor, dispatch, done, pipeline, request, transition,
};
use expect_test::expect;
use lockstep_ports::{
    ActivateRequest, Activated, Actor, ComponentService, RolledBack, RunAction, RunService, ServiceError,
    StartRequest,
};
use lockstep_types::{Descriptor, Digest, JsonText, Next, Outcome, Pinning, RunId, RunStatus, Transition};
use serde_json::json;

fn add(host: &Host, descriptor: &Descriptor) -> Digest {
    host.run(host.runtime.add_component(component(descriptor).into())).unwrap().info.digest
}

/// A later version of the component, with states of another shape.
fn second() -> Descriptor {
    Descriptor { state_version: 2, ..descriptor("writer", "2") }
}

fn says(world: &World, step: &str, state: serde_json::Value, next: Next) {
    let transition = Transition { state: JsonText::of(&state), ..transition(next) };
    world.executor.push(step, Outcome::Transition(Box::new(transition)));
}

fn repin(host: &Host, run: &RunId, kind: &str, digest: &str) -> Result<(), ServiceError> {
    let pins = [(kind.to_owned(), digest.to_owned())].into();
    host.act(run, RunAction::Repin { pins, reason: "it is better".to_owned() }).map(drop)
}

fn activate(host: &Host, digest: Digest, skip_migration: bool) -> Result<(), ServiceError> {
    let (kind, digest) = ("writer".to_owned(), digest.to_string());
    let request = ActivateRequest { kind, digest, skip_migration, ..ActivateRequest::default() };
    host.run(host.runtime.activate(request)).map(drop)
}

fn refusal(result: Result<(), ServiceError>, hidden: &[(&Digest, &str)]) -> String {
    let Err(error) = result else { panic!("it was not refused") };
    let mut text = error.to_string();
    for (digest, name) in hidden {
        text = text.replace(&digest.short(), name);
    }
    text
}

/// Verifies a run; how many calls and migrations were made again. The answers of these components are queued, so only
/// which was called is compared.
fn replayed(host: &Host, run: &RunId) -> (u32, u32) {
    let report = host.run(host.runtime.verify(run)).unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    let of_pins = |what: &str| ["component", "migration"].contains(&what);
    let wrong: Vec<_> = report.replay.differences.iter().filter(|found| of_pins(&found.what)).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    (report.replay.invocations, report.replay.migrations)
}

#[test]
fn a_repinned_run_goes_on_with_the_migrated_state() {
    let mut world = World::new();
    says(&world, "pick", json!({"n": 1}), ask());
    let host = world.open();
    let run = host.start(&["pick", "build"]);
    let first = host.get(&run).steps[0].digest;
    let second = add(&host, &second());
    repin(&host, &run, "writer", &second.short()).unwrap();
    let shown = host.get(&run);
    assert_eq!(shown.steps[0].digest, second);
    assert_eq!(shown.steps[0].state, Some(json!({"from": 1, "was": {"n": 1}})));
    assert_eq!(shown.summary.status, RunStatus::Blocked, "it waits on for what it waited for");
    // Back again, over a crash.
    let host = world.crash(host);
    repin(&host, &run, "writer", &first.to_string()).unwrap();
    repin(&host, &run, "writer", &second.to_string()).unwrap();
    let before = host.get(&run);
    let host = world.crash(host);
    assert_eq!(host.get(&run), before);
    host.act(&run, choose("A", None)).unwrap();
    assert_eq!(host.status(&run), RunStatus::Done);
    let called: Vec<bool> = world.executor.calls().iter().map(|(digest, _)| *digest == second).collect();
    assert_eq!(called, [false, true, true]);
    assert_eq!(replayed(&host, &run), (3, 3));
    let history = host.history(&run);
    let line = history.lines().find(|line| line.contains("repinned")).unwrap();
    expect!["2  repinned: writer from FIRST to SECOND by ann, 1 state migrated: it is better"]
        .assert_eq(&line.replace(&first.short(), "FIRST").replace(&second.short(), "SECOND"));
}

#[test]
fn a_repin_that_cannot_be_changes_nothing() {
    let world = World::new();
    says(&world, "pick", json!(7), ask());
    let host = world.open();
    let run = host.start(&["pick", "build"]);
    let before = host.get(&run);
    let numbers = add(&host, &second());
    let other = add(&host, &descriptor("other", "1"));
    let greedy =
        add(&host, &Descriptor { effects: vec!["provision".to_owned()], ..descriptor("writer", "3") });
    let names = [(&numbers, "SECOND"), (&other, "OTHER"), (&greedy, "GREEDY")];
    let tries = [("writer", numbers), ("writer", other), ("writer", greedy), ("other", other)];
    let mut text = String::new();
    for (kind, digest) in tries {
        text +=
            &refusal(repin(&host, &run, kind, &digest.to_string()), &names).replace(&run.to_string(), "RUN");
        text.push('\n');
    }
    text += &refusal(repin(&host, &run, "writer", "ffff"), &[]);
    text.push('\n');
    text +=
        &refusal(host.act(&run, RunAction::Repin { pins: [].into(), reason: String::new() }).map(drop), &[]);
    expect![[r#"
        component SECOND cannot take over the state of step pick of run RUN, which keeps the one it has: its `migrate` gave up: a number says nothing
        component OTHER implements kind other, not writer: choose one that implements writer
        component GREEDY asks for more than kind writer is granted: allow it with `lockstep component grant writer --effect provision`
        component OTHER asks for more than kind other is granted: allow it with `lockstep component grant other --job work`
        no component begins with "ffff": add it with `lockstep component add FILE`
        nothing to repin: say which kind, as KIND=DIGEST"#]].assert_eq(&text);
    assert_eq!(host.get(&run), before);
}

#[test]
fn a_restart_on_another_component_clears_the_state_instead_of_migrating_it() {
    let world = World::new();
    says(&world, "pick", json!(7), ask());
    let host = world.open();
    let run = host.start(&["pick"]);
    let second = add(&host, &second());
    let digest = Some(second.short());
    host.act(&run, RunAction::Restart { step: "pick".to_owned(), digest }).unwrap();
    assert_eq!((host.status(&run), host.get(&run).steps[0].digest), (RunStatus::Done, second));
    assert_eq!(host.run(host.runtime.replay(&run)).unwrap().migrations, 0);
}

#[test]
fn a_pointer_moves_only_to_what_could_take_over_the_states_of_live_runs() {
    let world = World::new();
    for step in ["fine", "bad"] {
        says(&world, step, if step == "bad" { json!(7) } else { json!({}) }, ask());
    }
    let host = world.open();
    let second = add(&host, &second());
    host.start(&["fine"]);
    activate(&host, second, false).unwrap();
    let first = host.run(host.runtime.activations("writer")).unwrap()[0].digest;
    activate(&host, first, false).unwrap();
    let run = host.run(host.runtime.start(request("other", &["bad"]))).unwrap().id;
    let refused = refusal(activate(&host, second, false), &[(&second, "SECOND")]);
    expect!["component SECOND (state version 2) cannot take over the state (version 1) of step bad of run RUN: its `migrate` gave up: a number says nothing: activate it all the same with `lockstep component activate writer SECOND --skip-migration`; live runs keep the component they have"].assert_eq(&refused.replace(&run.to_string(), "RUN"));
    activate(&host, second, true).unwrap();
    assert_eq!(host.get(&run).steps[0].digest, first, "a live run keeps its component");
    host.act(&run, choose("A", None)).unwrap();
    assert_eq!(host.status(&run), RunStatus::Done);
}

#[test]
fn pinned_by_step_a_run_takes_what_is_active_when_a_step_starts() {
    let world = World::new();
    world.says("one", [dispatch(), complete("one")]);
    let host = world.open();
    let mut request = request("task", &["one", "two"]);
    request.pipeline = format!("pin = \"step\"\n{}", pipeline(&["one", "two"]));
    let run = host.run(host.runtime.start(request)).unwrap().id;
    host.settle();
    let second = add(&host, &descriptor("writer", "2"));
    activate(&host, second, false).unwrap();
    assert!(world.jobs.settle(&world.jobs.under_way()[0], done("x")));
    host.settle();
    assert_eq!(host.status(&run), RunStatus::Done);
    let called: Vec<bool> = world.executor.calls().iter().map(|(digest, _)| *digest == second).collect();
    assert_eq!(called, [false, false, true]);
    let digests: Vec<bool> = host.get(&run).steps.iter().map(|step| step.digest == second).collect();
    assert_eq!(digests, [false, true]);
    assert_eq!(replayed(&host, &run), (3, 0));
}

fn stop(host: &Host, digest: Digest, may_be_called: bool) {
    let actor = Actor { by: Some("olga".to_owned()), reason: Some("it approves all".to_owned()) };
    let digest = digest.to_string();
    host.run(async {
        match may_be_called {
            false => host.runtime.stop_component(&digest, actor).await,
            true => host.runtime.resume_component(&digest, actor).await,
        }
    })
    .unwrap();
    host.settle();
}

#[test]
fn a_stopped_component_holds_runs_until_it_may_be_called_again_or_is_replaced() {
    let mut world = World::new();
    for step in ["one", "two"] {
        world.says(step, [dispatch(), complete("done")]);
    }
    let mut host = world.open();
    let runs = ["one", "two"].map(|step| host.run(host.runtime.start(request(step, &[step]))).unwrap().id);
    host.settle();
    let first = host.get(&runs[0]).steps[0].digest;
    let second = add(&host, &descriptor("writer", "2"));
    stop(&host, first, false);
    for run in &runs {
        assert_eq!(host.status(run), RunStatus::Running, "its job goes on");
    }
    for key in world.jobs.under_way() {
        assert!(world.jobs.settle(&key, done("x")));
    }
    host.settle();
    host = world.crash(host);
    let shown = host.get(&runs[0]).summary;
    assert_eq!((shown.status, shown.open_notices.len()), (RunStatus::Paused, 1));
    let hidden = |text: &str| {
        text.replace(&first.short(), "FIRST").replace(&runs[0].to_string(), "RUN").replace("writer", "KIND")
    };
    expect!["one is held: component FIRST of kind KIND was stopped by olga (it approves all)"]
        .assert_eq(&hidden(&shown.open_notices[0].title));
    expect!["an operator: replace it with `lockstep runs repin RUN KIND=DIGEST`, or let it be called again with `lockstep component resume-digest FIRST`"]
        .assert_eq(&hidden(&shown.waiting[0].act));
    let refused = refusal(host.act(&runs[0], RunAction::Resume).map(drop), &[]);
    expect!["component FIRST of kind KIND was stopped by olga (it approves all): replace it with `lockstep runs repin RUN KIND=DIGEST`, or let it be called again with `lockstep component resume-digest FIRST`"]
        .assert_eq(&hidden(&refused));
    repin(&host, &runs[0], "writer", &second.short()).unwrap();
    assert_eq!(host.status(&runs[0]), RunStatus::Done);
    assert_eq!(host.status(&runs[1]), RunStatus::Paused);
    stop(&host, first, true);
    assert_eq!(host.status(&runs[1]), RunStatus::Done);
    let open: Vec<String> =
        host.get(&runs[1]).summary.open_notices.into_iter().map(|card| card.kind).collect();
    assert_eq!(open, ["pipeline_complete"], "nobody has to look at the stop any more");
    assert_eq!(runs.map(|run| replayed(&host, &run)), [(2, 0); 2]);
}

#[test]
fn a_way_back_is_told_of_states_it_cannot_take_over_and_not_refused() {
    let world = World::new();
    says(&world, "bad", json!(7), ask());
    let host = world.open();
    let second = add(&host, &second());
    activate(&host, second, false).unwrap();
    host.start(&["bad"]);
    let back = host.run(host.runtime.rollback("writer", Actor::default())).unwrap();
    let RolledBack::Pointer(Activated { activation, warnings, .. }) = back else { panic!("{back:?}") };
    assert_ne!(activation.digest, second);
    assert!(warnings[0].contains("(state version 1) cannot take over the state (version 2)"), "{warnings:?}");
}

#[test]
fn whoever_starts_a_run_may_say_when_its_components_are_chosen() {
    let world = World::new();
    world.says("one", [dispatch(), complete("one")]);
    let host = world.open();
    let request = StartRequest { pin: Some(Pinning::Step), ..request("task", &["one", "two"]) };
    let run = host.run(host.runtime.start(request)).unwrap().id;
    host.settle();
    let second = add(&host, &descriptor("writer", "2"));
    activate(&host, second, false).unwrap();
    let view = host.get(&run);
    assert_eq!((view.pin, view.steps[0].is_open, view.steps[1].is_open), (Pinning::Step, false, true));
    assert!(world.jobs.settle(&world.jobs.under_way()[0], done("x")));
    host.settle();
    assert_eq!(host.get(&run).steps[1].digest, second);
}
