//! What whoever keeps deliveries has to keep to.

use lockstep_ports::{Deliveries, DeliveryState, NewDelivery, Settlement, Taken};
use lockstep_types::Timestamp;

/// A delivery to be taken.
#[must_use]
pub fn delivery(id: &str, at: u64) -> NewDelivery {
    let body = format!("body of {id}").into_bytes();
    NewDelivery { id: id.to_owned(), event: "push".to_owned(), body, at: Timestamp(at) }
}

fn over(state: DeliveryState, outcome: &str) -> Settlement {
    Settlement::Settled { state, outcome: outcome.to_owned() }
}

/// Panics where deliveries are not kept as they must be. They have to be none at first.
pub async fn check(kept: &dyn Deliveries) {
    const FINE: &str = "a store that works";
    assert_eq!(kept.next(Timestamp(99)).await.expect(FINE), None);
    assert_eq!(kept.next_time().await.expect(FINE), None);
    for (id, at) in [("a", 10), ("b", 11), ("c", 12)] {
        assert_eq!(kept.take(delivery(id, at)).await.expect(FINE), Taken::New);
    }
    kept.arrived().await;
    assert_eq!(kept.take(delivery("a", 13)).await.expect(FINE), Taken::Known, "an id counts once");
    let next = |now| async move { kept.next(Timestamp(now)).await.expect(FINE) };
    let (first, body) = next(20).await.expect("the first");
    assert_eq!((first.id.as_str(), body.as_slice()), ("a", b"body of a".as_slice()), "in order");
    // One that is tried again later lets those behind it pass.
    let again = Settlement::Again { why: "busy".to_owned(), at: Timestamp(50) };
    kept.settle(first.number, again, Timestamp(20)).await.expect(FINE);
    let (second, _) = next(20).await.expect("the second");
    assert_eq!(second.id, "b");
    assert_eq!(kept.next_time().await.expect(FINE), Some(Timestamp(11)));
    let ignored = over(DeliveryState::Ignored, "no concern");
    kept.settle(second.number, ignored.clone(), Timestamp(21)).await.expect(FINE);
    kept.settle(second.number, over(DeliveryState::Failed, "late"), Timestamp(22)).await.expect(FINE);
    kept.settle(9_999, ignored, Timestamp(22)).await.expect(FINE);
    let (third, _) = next(20).await.expect("the third");
    kept.settle(third.number, over(DeliveryState::Done, "started"), Timestamp(22)).await.expect(FINE);
    assert_eq!(next(49).await, None);
    let (first, _) = next(50).await.expect("the first again");
    assert_eq!((first.id.as_str(), first.tries, first.outcome.as_deref()), ("a", 1, Some("busy")));
    let list = |before, limit| async move {
        let page = kept.list(before, limit).await.expect(FINE);
        page.into_iter().map(|one| (one.id, one.state)).collect::<Vec<_>>()
    };
    let (a, b) = (("a".to_owned(), DeliveryState::Waiting), ("b".to_owned(), DeliveryState::Ignored));
    let c = ("c".to_owned(), DeliveryState::Done);
    assert_eq!(list(None, 2).await, [c, b.clone()], "the newest first");
    assert_eq!(list(Some(third.number), 9).await, [b, a]);
    let (known, body) = kept.get("b").await.expect(FINE).expect("it is kept");
    assert_eq!((known.outcome.as_deref(), known.settled_at), (Some("no concern"), Some(Timestamp(21))));
    assert_eq!(body, b"body of b");
    assert_eq!(kept.get("z").await.expect(FINE), None);
    assert_eq!(kept.replay("z").await.expect(FINE), None);
    let replayed = kept.replay("c").await.expect(FINE).expect("it is kept");
    assert_eq!((replayed.state, replayed.tries, replayed.replays), (DeliveryState::Waiting, 0, 1));
    kept.arrived().await;
    assert_eq!(next(20).await.expect("the replayed one").0.id, "c");
    assert_eq!(kept.take(delivery("c", 60)).await.expect(FINE), Taken::Known);
}
