//! Cards: where they are listed, what acting on them does, and when they become urgent.

use super::workspace;
use crate::host::{Host, World, ask, fail, transition};
use lockstep_ports::{BoardService, Card, CardAction, ServiceError};
use lockstep_types::{
    EffectOutcome, ItemStatus, JsonText, NewNotice, NoticeState, Outcome, RunStatus, Severity,
};

const TWO_HOURS_MS: u64 = 7_200_000;

fn settle(host: &Host, id: &str, action: CardAction) -> Result<Card, ServiceError> {
    let settled = host.run(host.runtime.settle_card(id, action, "ann"));
    host.settle();
    settled
}

fn kinds(host: &Host) -> Vec<(String, String)> {
    host.cards().into_iter().map(|card| (card.notice.kind, card.act)).collect()
}

fn pair(kind: &str, act: &str) -> (String, String) {
    (kind.to_owned(), act.to_owned())
}

/// A step that fails as CI does, with its card.
fn fails_in_ci(world: &World, step: &str) {
    let mut transition = transition(fail());
    transition.notices = vec![NewNotice {
        kind: "ci_failed".to_owned(),
        severity: Severity::Normal,
        title: "CI failed".to_owned(),
        body: String::new(),
    }];
    world.executor.push(step, Outcome::Transition(Box::new(transition)));
}

#[test]
fn acting_on_a_card_merges_or_retries_first_and_then_closes_it() {
    let mut world = World::new();
    let refused = EffectOutcome::Failed("no network".to_owned());
    world.effects.script("merge", [refused, EffectOutcome::Done(JsonText::null())]);
    fails_in_ci(&world, "check");
    let host = world.open();
    let (task, pipeline) = (host.task(&host.service()), host.pipeline(&["check"]));
    let run = host.start_item(&task, &pipeline);
    assert_eq!(kinds(&host), [pair("ci_failed", "retry")]);
    let id = host.cards()[0].id.clone();
    assert_eq!(id, format!("{run}:n1"));
    let settled = settle(&host, &id, CardAction::Act).unwrap();
    assert_ne!(settled.notice.state, NoticeState::Open);
    assert_eq!(host.status(&run), RunStatus::Done);
    assert_eq!(kinds(&host), [pair("pipeline_complete", "merge")]);
    let id = host.cards()[0].id.clone();
    assert!(matches!(settle(&host, &id, CardAction::Act), Err(ServiceError::Unavailable(_))));
    assert_eq!(host.cards().len(), 1, "it stays open when what it asks for fails");
    let host = world.crash(host);
    assert_eq!(host.view(&task).cards, host.cards());
    assert_eq!(host.cards().len(), 1);
}

#[test]
fn acting_on_a_card_that_awaits_a_merge_merges() {
    let world = World::new();
    let host = world.open();
    let (task, pipeline) = (host.task(&host.service()), host.pipeline(&["build"]));
    host.start_item(&task, &pipeline);
    let id = host.cards()[0].id.clone();
    assert_eq!(settle(&host, &id, CardAction::Act).unwrap().notice.state, NoticeState::Acted);
    assert_eq!((host.item_status(&task), host.cards().len()), (ItemStatus::Done, 0));
    let again = settle(&host, &id, CardAction::Dismiss).unwrap();
    assert_eq!(again.notice.state, NoticeState::Acted, "it stays as it ended");
    assert_eq!(world.effects.performed().len(), 1);
    let unknown = settle(&host, "task:n1", CardAction::Act);
    assert!(matches!(unknown, Err(ServiceError::NotFound(_))));
}

#[test]
fn cards_of_a_run_that_was_dropped_are_gone_and_those_of_no_board_are_listed() {
    let world = World::new();
    fails_in_ci(&world, "check");
    fails_in_ci(&world, "check");
    world.says("pick", [ask()]);
    let host = world.open();
    let (task, pipeline) = (host.task(&host.service()), host.pipeline(&["check"]));
    host.start_item(&task, &pipeline);
    let boardless = host.start(&["pick"]);
    assert_eq!(kinds(&host), [pair("ci_failed", "retry"), pair("decision_required", "nothing")]);
    host.run(host.runtime.cancel_item(&workspace(), &task, "ann")).unwrap();
    let cards = host.cards();
    assert_eq!((cards.len(), cards[0].id.clone()), (1, format!("{boardless}:n1")));
    assert!(host.run(host.runtime.cards(Some(&workspace()))).unwrap().is_empty());
}

#[test]
fn a_card_that_waits_too_long_becomes_urgent() {
    let mut world = World::new();
    world.says("pick", [ask()]);
    let host = world.open();
    let (task, pipeline) = (host.task(&host.service()), host.pipeline(&["pick"]));
    let raised = lockstep_ports::Clock::now(&*world.clock);
    let run = host.start_item(&task, &pipeline);
    assert_eq!(world.clock.next_due(), Some(raised.plus_ms(TWO_HOURS_MS)));
    let host = world.crash(host);
    assert_eq!(host.cards()[0].notice.severity, Severity::Normal);
    world.clock.advance_ms(TWO_HOURS_MS);
    host.settle();
    assert_eq!(host.cards()[0].notice.severity, Severity::Urgent);
    assert_eq!((host.count(&run, "notice-escalated"), world.clock.next_due()), (1, None));
}

#[test]
fn a_card_whose_merge_was_made_by_hand_can_be_acted_on() {
    let world = World::new();
    let host = world.open();
    let (task, pipeline) = (host.task(&host.service()), host.pipeline(&["build"]));
    host.start_item(&task, &pipeline);
    let id = host.cards()[0].id.clone();
    host.run(host.runtime.merge_item(&workspace(), &task, "ann")).unwrap();
    assert_eq!(settle(&host, &id, CardAction::Act).unwrap().notice.state, NoticeState::Acted);
    assert_eq!((world.effects.performed().len(), host.cards().len()), (1, 0));
}
