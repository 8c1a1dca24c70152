//! What runs of items take from repositories, and what they leave outside.

use super::{of, workspace};
use crate::host::{Host, World, ask, component, descriptor, dispatch, stop, wait};
use lockstep_ports::{BoardService, Journal, ServiceError};
use lockstep_runtime::StandardComponent;
use lockstep_testkit::FakeWorkspace;
use lockstep_types::board::{ItemPatch, PipelineId};
use lockstep_types::{
    Access, Descriptor, Effect, EffectOutcome, Environment, EnvironmentReport, EnvironmentStatus, JsonText,
    Next, RunStatus,
};
use std::sync::Arc;

fn commands(world: &mut World, text: &str) {
    file(world, ".lockstep/commands.toml", text);
}

fn file(world: &mut World, path: &str, text: &str) {
    let files = [(path.to_owned(), text.as_bytes().to_vec())].into();
    world.files = Arc::new(FakeWorkspace { files, ..FakeWorkspace::default() });
}

/// Steps of kind `writer` may provision environments too.
fn may_provision(host: &Host) {
    let effects = ["merge", "provision"].map(str::to_owned).to_vec();
    let bytes = component(&Descriptor { effects, access: Access::Write, ..descriptor("writer", "2") });
    host.run(host.runtime.install(&[StandardComponent { name: "writer", bytes: &bytes }])).unwrap();
}

fn provision() -> Next {
    Next::Perform { effect: Effect::Provision { input: JsonText::null(), keep: false }, proposal: None }
}

fn environment() -> Environment {
    let report = EnvironmentReport { status: EnvironmentStatus::Ready, url: None, expires_at: None };
    Environment { id: "env-1".to_owned(), report }
}

#[test]
fn commands_of_checks_and_jobs_come_from_the_repository() {
    let mut world = World::new();
    commands(
        &mut world,
        "[jobs.work]\ncommand = [\"make\"]\n\n[checks.tests]\ncommand = [\"make\", \"test\"]\n",
    );
    world.says("land", [wait(1000)]);
    let host = world.open();
    let (task, pipeline) = (host.task(&host.service()), host.pipeline(&["land"]));
    host.start_item(&task, &pipeline);
    let (_, input) = world.executor.calls().pop().unwrap();
    assert_eq!(input.step.wired, ["work", "merge"]);
}

#[test]
fn a_pipeline_file_gives_commands_where_there_is_no_file_for_them() {
    let mut world = World::new();
    let text = format!("{}[jobs.work]\ncommand = [\"make\"]\n", crate::host::pipeline(&["land"]));
    file(&mut world, ".lockstep/pipeline.toml", &text);
    world.says("land", [wait(1000)]);
    let host = world.open();
    let (task, pipeline) = (host.task(&host.service()), host.pipeline(&["land"]));
    host.start_item(&task, &pipeline);
    let (_, input) = world.executor.calls().pop().unwrap();
    assert_eq!(input.step.wired, ["work", "merge"]);
}

#[test]
fn a_step_is_told_what_nobody_carries_out() {
    let world = World::new();
    world.says("land", [wait(1000)]);
    let host = world.open();
    let (task, pipeline) = (host.task(&host.service()), host.pipeline(&["land"]));
    host.start_item(&task, &pipeline);
    let (_, input) = world.executor.calls().pop().unwrap();
    assert_eq!(input.step.wired, ["merge"], "there is no command for the job");
}

#[test]
fn wrong_commands_are_told_by_file_and_line() {
    let mut world = World::new();
    commands(&mut world, "[jobs.work]\ncommand = []\n");
    let host = world.open();
    let (task, pipeline) = (host.task(&host.service()), host.pipeline(&["build"]));
    let told = host.try_start(&task, of(&pipeline));
    let Err(ServiceError::Invalid(text)) = told else { panic!("{told:?}") };
    let says = ".lockstep/commands.toml:1:7: [jobs.work] has an empty command: name a program";
    assert!(text.starts_with(says), "{text}");
    assert_eq!(host.item(&task).current_run, None);
}

#[test]
fn an_item_without_a_repository_of_its_own_has_that_of_its_service() {
    let world = World::new();
    world.says("build", [dispatch(), dispatch()]);
    let host = world.open();
    let service = host.service();
    let own = ItemPatch {
        base_branch: Some(Some("release".to_owned())),
        head_branch: Some(Some("mine".to_owned())),
        ..ItemPatch::default()
    };
    let tasks = [host.task(&service), host.task_of(&service, own)];
    let pipeline = host.pipeline(&["build"]);
    let change = |host: &Host, item, pipeline: &PipelineId| {
        let change = host.get(&host.start_item(item, pipeline)).summary.change;
        (change.repository, change.base_branch, change.head_branch)
    };
    let (repository, main) = ("/repository".to_owned(), "main".to_owned());
    let made = format!("lockstep/{}", tasks[0]);
    assert_eq!(change(&host, &tasks[0], &pipeline), (repository.clone(), main, made));
    let expected = (repository, "release".to_owned(), "mine".to_owned());
    assert_eq!(change(&host, &tasks[1], &pipeline), expected);
}

#[test]
fn an_environment_is_kept_on_the_item_and_its_teardown_outlives_run_and_host() {
    let mut world = World::manual();
    world.effects.script("provision", [EffectOutcome::Done(JsonText::of(&environment()))]);
    world.effects.script("teardown", [EffectOutcome::Done(JsonText::null())]);
    world.says("try", [provision(), ask()]);
    let host = world.open();
    may_provision(&host);
    let (task, pipeline) = (host.task(&host.service()), host.pipeline(&["try"]));
    let other = host.pipeline(&["other"]);
    let (runtime, item) = (host.runtime.clone(), task.clone());
    let start = host.begin(async move { runtime.start_item(&workspace(), &item, of(&pipeline)).await });
    world.journal.flush();
    let run = host.run(start).unwrap().unwrap().id;
    host.settle();
    world.journal.flush();
    host.settle();
    assert_eq!(host.item(&task).environments, [environment()]);
    drop(host.begin_act(&run, stop()));
    assert_eq!(world.journal.flush(), 1);
    // The stop is durable, and the host is gone before anything was torn down.
    let host = world.crash(host);
    host.settle();
    let names: Vec<&str> = world.effects.performed().iter().map(|order| order.effect.name()).collect();
    assert_eq!(names, ["provision", "teardown"]);
    assert_eq!((host.status(&run), host.get(&run).summary.cleanups), (RunStatus::Failed, 1));
    let (runtime, item) = (host.runtime.clone(), task);
    let again = host.begin(async move { runtime.start_item(&workspace(), &item, of(&other)).await });
    world.journal.flush();
    host.settle();
    world.journal.flush();
    assert!(host.run(again).unwrap().is_ok(), "a teardown does not hold the item");
    assert_eq!(host.get(&run).summary.cleanups, 0);
    assert_eq!(host.run(world.journal.live()).unwrap().len(), 0);
}

#[test]
fn a_release_is_watched_only_where_somebody_answers_for_it() {
    let mut world = World::new();
    let health = "[observations.release-health]\ncommand = [\"health\"]\n";
    for (repository, text, is_refused) in [("/one", "", true), ("/two", health, false)] {
        commands(&mut world, text);
        let host = world.open();
        let needs = vec!["observability".to_owned()];
        let bytes = component(&Descriptor { needs, ..descriptor("writer", "3") });
        host.run(host.runtime.install(&[StandardComponent { name: "writer", bytes: &bytes }])).unwrap();
        let (task, pipeline) = (host.task(&host.service_at(repository)), host.pipeline(&["watch"]));
        let told = host.try_start(&task, of(&pipeline));
        match told {
            Err(ServiceError::Invalid(text)) => assert!(is_refused, "{text}"),
            Ok(_) => assert!(!is_refused),
            Err(error) => panic!("{error}"),
        }
    }
}
