use super::world::{NOW, World};
use crate::notices::{Act, act, overdue};
use expect_test::expect;
use lockstep_types::{NewNotice, NoticeId, NoticeState, Severity};

fn card(kind: &str) -> NewNotice {
    NewNotice {
        kind: kind.to_owned(),
        severity: Severity::Normal,
        title: kind.to_owned(),
        body: String::new(),
    }
}

#[test]
fn cards_of_no_run_are_raised_once_become_urgent_and_are_settled_once() {
    let mut world = World::new();
    let service = world.service("Checkout");
    let task = world.task(&service, "Discounts");
    let later = NOW.plus_ms(60_000);
    let answer = world.board.raise_notice(&task, card("clarity_review"), NOW);
    world.tell("raise", answer);
    let answer = world.board.raise_notice(
        &task,
        NewNotice { body: "2 findings".to_owned(), ..card("clarity_review") },
        later,
    );
    world.tell("raise it again", answer);
    let answer = world.board.raise_notice(&task, card("ci_failed"), later);
    world.tell("raise another", answer);
    let answer = Ok(world.board.escalate(NOW.plus_ms(120 * 60_000 - 1)));
    world.tell("a moment before two hours", answer);
    let answer = Ok(world.board.escalate(NOW.plus_ms(120 * 60_000)));
    world.tell("after two hours", answer);
    let answer = world.board.settle_notice(&task, NoticeId(1), NoticeState::Acted, later);
    world.tell("act", answer);
    let answer = world.board.settle_notice(&task, NoticeId(1), NoticeState::Dismissed, later);
    world.tell("dismiss what is closed", answer);
    let answer = world.board.raise_notice(&task, card("clarity_review"), later);
    world.tell("raise a new one", answer);
    let answer = world.board.settle_notice(&task, NoticeId(9), NoticeState::Acted, later);
    world.tell("one that is not there", answer);
    expect![[r#"
        raise
            + item/shop-15 Task "Discounts" Planned in shop-14 #1 clarity_review Normal Open
        raise it again
            + item/shop-15 Task "Discounts" Planned in shop-14 #1 clarity_review Normal Open
        raise another
            + item/shop-15 Task "Discounts" Planned in shop-14 #1 clarity_review Normal Open #2 ci_failed Normal Open
        a moment before two hours
        after two hours
            + item/shop-15 Task "Discounts" Planned in shop-14 #1 clarity_review Urgent Open #2 ci_failed Normal Open
        act
            + item/shop-15 Task "Discounts" Planned in shop-14 #1 clarity_review Urgent Acted #2 ci_failed Normal Open
        dismiss what is closed
        raise a new one
            + item/shop-15 Task "Discounts" Planned in shop-14 #1 clarity_review Urgent Acted #2 ci_failed Normal Open #3 clarity_review Normal Open
        one that is not there
            not found: item shop-15 has no card 9: list its cards to see their ids
    "#]].assert_eq(&world.told());
}

#[test]
fn closed_cards_are_forgotten_before_open_ones() {
    let mut world = World::new();
    let service = world.service("Checkout");
    for round in 1..=200 {
        let changes = world.board.raise_notice(&service, card("ci_failed"), NOW).unwrap();
        world.board.apply(&changes);
        if round < 200 {
            let changes =
                world.board.settle_notice(&service, NoticeId(round), NoticeState::Acted, NOW).unwrap();
            world.board.apply(&changes);
        }
    }
    let notices = &world.board.item(&service).unwrap().notices;
    assert_eq!(notices.len(), 50);
    assert_eq!(notices.last().map(|card| (card.id, card.state)), Some((NoticeId(200), NoticeState::Open)));
    assert_eq!(overdue(notices, 1, NOW.plus_ms(60_000)).count(), 1);
}

#[test]
fn acting_does_what_the_kind_of_card_asks_for() {
    for kind in ["merge_review", "pipeline_complete"] {
        assert_eq!(act(kind), Act::ManualMerge, "{kind}");
    }
    for kind in ["ci_failed", "test_failed", "conflicts_failed", "run_failed"] {
        assert_eq!(act(kind), Act::Retry, "{kind}");
    }
    for kind in [
        "requirement_review",
        "clarity_review",
        "release_regression",
        "decision_required",
        "human_test_ready",
    ] {
        assert_eq!(act(kind), Act::Nothing, "{kind}");
    }
}
