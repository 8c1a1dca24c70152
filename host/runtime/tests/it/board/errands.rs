//! Actions on an item that no run is parked for.

use super::workspace;
use crate::host::{Host, World, ask, complete, dispatch, done, fail, transition};
use lockstep_ports::{BoardService, ItemView, ServiceError};
use lockstep_types::board::ItemId;
use lockstep_types::{
    Document, ItemStatus, JsonText, NewNotice, Next, Outcome, RunStatus, Severity, StepAction, StepEvent,
};
use tokio::task::JoinHandle;

fn document(text: &str) -> Document {
    let value = JsonText::of(&serde_json::json!({ "status": text }));
    Document { name: "requirements".to_owned(), value, stands_in: None }
}

/// A review whose job has ended: it leaves a document and a card.
fn reviewed(world: &World, next: Next) {
    let mut transition = transition(next);
    transition.documents = vec![document("ready")];
    transition.notices = vec![NewNotice {
        kind: "requirement_review".to_owned(),
        severity: Severity::Normal,
        title: "findings".to_owned(),
        body: String::new(),
    }];
    world.executor.push("writer", Outcome::Transition(Box::new(transition)));
}

fn action(name: &str) -> StepAction {
    StepAction { name: name.to_owned(), input: JsonText::of(&serde_json::json!({})), by: "ann".to_owned() }
}

fn begin(host: &Host, item: &ItemId, name: &str) -> JoinHandle<Result<ItemView, ServiceError>> {
    let (runtime, item, action) = (host.runtime.clone(), item.clone(), action(name));
    host.begin(async move { runtime.review_item(&workspace(), &item, "writer", action).await })
}

#[test]
fn a_review_without_a_run_is_an_errand_and_what_it_leaves_is_the_items() {
    let world = World::new();
    world.says("writer", [dispatch()]);
    reviewed(&world, complete("done"));
    let host = world.open();
    let task = host.task(&host.service());
    let review = begin(&host, &task, "review");
    assert_eq!(host.item(&task).current_run, None, "it is not the item's run");
    world.jobs.settle(&world.jobs.under_way()[0], done("findings"));
    let view = host.run(review).unwrap().unwrap();
    assert_eq!((view.item.status, view.item.current_run), (ItemStatus::Planned, None));
    assert_eq!(view.item.documents, [document("ready")]);
    let ids: Vec<String> = view.cards.iter().map(|card| card.id.clone()).collect();
    assert_eq!(ids, [format!("{task}:n1")]);
    // The next run takes the card over.
    world.says("build", [dispatch()]);
    let run = host.start_item(&task, &host.pipeline(&["build"]));
    let ids: Vec<String> = host.cards().into_iter().map(|card| card.id).collect();
    assert_eq!(ids, [format!("{run}:n1")]);
    host.run(host.runtime.cancel_item(&workspace(), &task, "ann")).unwrap();
    let ids: Vec<String> = host.cards().into_iter().map(|card| card.id).collect();
    assert_eq!(ids, [format!("{task}:n1")], "and gives it back");
}

#[test]
fn an_errand_survives_a_crash_and_ends_once() {
    let mut world = World::new();
    world.says("writer", [dispatch()]);
    reviewed(&world, complete("done"));
    let host = world.open();
    let task = host.task(&host.service());
    drop(begin(&host, &task, "review"));
    let host = world.crash(host);
    host.settle();
    world.jobs.settle(&world.jobs.under_way()[0], done("findings"));
    host.settle();
    assert_eq!(host.item(&task).documents, [document("ready")]);
    assert_eq!((host.cards().len(), world.jobs.orders().len()), (1, 1));
}

#[test]
fn what_an_errand_leaves_goes_to_the_run_under_way() {
    let world = World::new();
    world.says("pick", [ask()]);
    reviewed(&world, complete("done"));
    let host = world.open();
    let task = host.task(&host.service());
    let run = host.start_item(&task, &host.pipeline(&["pick"]));
    let view = host.run(begin(&host, &task, "review")).unwrap().unwrap();
    assert_eq!((view.item.current_run, view.item.status), (Some(run.clone()), ItemStatus::Blocked));
    assert_eq!(view.item.documents, [document("ready")]);
    assert_eq!(host.count(&run, "item-changed"), 1);
    let owners: Vec<bool> = view.cards.iter().map(|card| card.id.starts_with(run.as_str())).collect();
    assert_eq!(owners, [true, true]);
}

#[test]
fn a_refusal_is_told_to_whoever_asked() {
    let world = World::new();
    let refuse = |invalid| Next::Refuse { invalid, message: "2 findings are open".to_owned() };
    world.says("writer", [refuse(true), refuse(false), fail()]);
    let host = world.open();
    let task = host.task(&host.service());
    let told = |name| host.run(begin(&host, &task, name)).unwrap();
    assert!(matches!(told("incorporate"), Err(ServiceError::Invalid(text)) if text.contains("2 findings")));
    assert!(matches!(told("incorporate"), Err(ServiceError::Conflict(_))));
    assert!(matches!(told("review"), Err(ServiceError::Invalid(_))), "it began and failed");
    assert_eq!(host.item_status(&task), ItemStatus::Planned);
    let unknown = host.run(host.runtime.review_item(&workspace(), &task, "nothing", action("review")));
    assert!(matches!(unknown, Err(ServiceError::Invalid(text)) if text.contains("no step kind nothing")));
}

#[test]
fn a_run_that_is_parked_on_the_review_takes_the_action() {
    let world = World::new();
    world.says("check", [ask()]);
    let host = world.open();
    let task = host.task(&host.service());
    let run = host.start_item(&task, &host.pipeline(&["check"]));
    host.run(begin(&host, &task, "incorporate")).unwrap().unwrap();
    host.settle();
    let (_, input) = world.executor.calls().pop().unwrap();
    assert!(matches!(input.event, StepEvent::Acted(acted) if acted.name == "incorporate"));
    assert_eq!(host.status(&run), RunStatus::Done);
}
