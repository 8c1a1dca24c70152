//! What people do: answers, tokens, items, and clients that go away.

use crate::host::{Host, World, ask, choose, dispatch, fail, request, stop};
use lockstep_ports::{RunAction, RunQuery, RunService, ServiceError};
use lockstep_types::{Answer, RunId, RunStatus};

#[test]
fn an_answer_is_taken_once() {
    let world = World::new();
    world.says("pick", [ask()]);
    let host = world.open();
    let run = host.start(&["pick"]);
    assert_eq!(host.status(&run), RunStatus::Blocked);
    let wrong = host.act(&run, choose("C", None));
    assert!(matches!(wrong, Err(ServiceError::Invalid(text)) if text.contains("choose one of A, B")));
    assert_eq!(host.act(&run, choose("A", Some("t"))).unwrap().status, RunStatus::Done);
    assert!(host.act(&run, choose("A", Some("t"))).is_ok(), "the same token again is the same answer");
    assert!(matches!(host.act(&run, choose("B", Some("t"))), Err(ServiceError::Conflict(_))));
    assert_eq!(host.count(&run, "answered"), 1);
}

#[test]
fn an_answer_needs_no_question_where_only_one_is_open() {
    let world = World::new();
    let host = world.open();
    let run = host.start(&["plan!", "build"]);
    let answer = Answer::Approve { proposal: Some("another plan".to_owned()) };
    let unnamed = RunAction::Answer { question: None, answer, token: None };
    assert_eq!(host.act(&run, unnamed.clone()).unwrap().status, RunStatus::Done);
    assert_eq!(host.get(&run).steps[0].output.as_deref(), Some("another plan"));
    assert!(
        matches!(host.act(&run, unnamed), Err(ServiceError::Conflict(text)) if text.contains("no answer"))
    );
}

fn runs(host: &Host) -> Vec<RunId> {
    host.run(host.runtime.list(RunQuery::default())).unwrap().runs.into_iter().map(|run| run.id).collect()
}

#[test]
fn a_start_token_starts_one_run() {
    let world = World::new();
    world.says("build", [dispatch()]);
    let host = world.open();
    let mut request = request("task", &["build"]);
    request.token = Some("t".to_owned());
    let first = host.run(host.runtime.start(request.clone())).unwrap().id;
    assert_eq!(host.run(host.runtime.start(request)).unwrap().id, first);
    assert_eq!(runs(&host), [first]);
}

#[test]
fn a_start_token_used_twice_at_once_starts_one_run() {
    let world = World::manual();
    world.says("build", [dispatch()]);
    let host = world.open();
    let mut request = request("task", &["build"]);
    request.token = Some("t".to_owned());
    let both = [(); 2].map(|()| host.begin_start(request.clone()));
    assert_eq!(world.journal.flush(), 1);
    let [first, second] = both.map(|start| host.run(start).unwrap().unwrap().id);
    assert_eq!(first, second);
    assert_eq!(runs(&host), [first]);
}

#[test]
fn an_item_has_one_live_run() {
    let world = World::new();
    world.says("build", [ask(), ask(), ask()]);
    let host = world.open();
    let first = host.start(&["build"]);
    let second = host.run(host.runtime.start(request("task", &["build"])));
    let Err(ServiceError::Conflict(text)) = second else { panic!("{second:?}") };
    assert!(text.contains(first.as_str()), "{text}");
    host.run(host.runtime.start(request("another", &["build"]))).unwrap();
    host.act(&first, stop()).unwrap();
    let second = host.start(&["build"]);
    let again = host.act(&first, RunAction::Retry);
    assert!(matches!(again, Err(ServiceError::Conflict(text)) if text.contains(second.as_str())));
    assert_eq!(host.status(&first), RunStatus::Failed, "what was refused changed nothing");
    host.act(&second, stop()).unwrap();
    assert_eq!(host.act(&first, RunAction::Retry).unwrap().status, RunStatus::Done);
}

#[test]
fn a_run_that_goes_on_again_has_its_item_to_itself() {
    let world = World::new();
    world.says("build", [fail(), ask()]);
    let host = world.open();
    let first = host.start(&["build"]);
    host.act(&first, RunAction::Retry).unwrap();
    assert_eq!(host.status(&first), RunStatus::Blocked);
    let second = host.run(host.runtime.start(request("task", &["build"])));
    assert!(matches!(second, Err(ServiceError::Conflict(_))));
}

#[test]
fn a_retry_that_is_refused_leaves_the_item_free() {
    let world = World::new();
    let host = world.open();
    let first = host.start(&["build"]);
    assert!(matches!(host.act(&first, RunAction::Retry), Err(ServiceError::Conflict(_))));
    assert!(host.run(host.runtime.start(request("task", &["build"]))).is_ok());
}

#[test]
fn a_run_whose_client_went_away_is_driven_all_the_same() {
    let world = World::manual();
    let host = world.open();
    let start = host.begin_start(request("task", &["build"]));
    start.abort();
    host.settle();
    assert_eq!(world.journal.flush(), 1);
    host.settle();
    let run = runs(&host)[0].clone();
    assert_eq!(host.status(&run), RunStatus::Done);
    let next = host.begin_start(request("task", &["build"]));
    world.journal.flush();
    assert!(host.run(next).unwrap().is_ok(), "its item is free again");
}

#[test]
fn a_paused_run_begins_nothing() {
    let world = World::new();
    world.says("build", [ask()]);
    let host = world.open();
    let run = host.start(&["build", "land"]);
    host.act(&run, RunAction::Pause).unwrap();
    assert!(matches!(host.act(&run, choose("A", None)), Err(ServiceError::Conflict(_))));
    host.act(&run, RunAction::Resume).unwrap();
    assert_eq!(host.act(&run, choose("A", None)).unwrap().status, RunStatus::Done);
}
