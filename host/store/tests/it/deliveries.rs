//! Deliveries of webhooks: the contract, what survives, and how many are kept.

use crate::block_on;
use lockstep_ports::{Deliveries, DeliveryError, DeliveryState, NewDelivery, Settlement, Taken};
use lockstep_store::SledStore;
use lockstep_testkit::deliveries_contract::{self, delivery};
use lockstep_types::Timestamp;

#[test]
fn the_store_keeps_the_contract_of_deliveries() {
    let dir = tempfile::tempdir().unwrap();
    let store = SledStore::open(dir.path()).unwrap();
    block_on(deliveries_contract::check(&store));
}

#[test]
fn a_delivery_is_there_after_the_store_was_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = SledStore::open(dir.path()).unwrap();
    assert_eq!(block_on(store.take(delivery("a", 10))).unwrap(), Taken::New);
    store.close();
    let store = SledStore::open(dir.path()).unwrap();
    assert_eq!(block_on(store.take(delivery("a", 11))).unwrap(), Taken::Known);
    let (known, body) = block_on(store.next(Timestamp(11))).unwrap().unwrap();
    assert_eq!((known.number, body), (1, b"body of a".to_vec()));
    assert_eq!(block_on(store.take(delivery("b", 12))).unwrap(), Taken::New);
    assert_eq!(block_on(store.get("b")).unwrap().unwrap().0.number, 2);
}

#[test]
fn what_waits_is_bounded_and_refused_and_what_is_settled_goes_with_age() {
    let dir = tempfile::tempdir().unwrap();
    let store = SledStore::open(dir.path()).unwrap();
    let large = |id: &str, at| NewDelivery { body: vec![b'x'; 25 << 20], ..delivery(id, at) };
    for id in ["a", "b", "c", "d", "e"] {
        assert_eq!(block_on(store.take(large(id, 10))).unwrap(), Taken::New);
    }
    let told = block_on(store.take(large("f", 11))).unwrap_err();
    assert!(matches!(told, DeliveryError::TooMany { waiting: 5 }), "{told}");
    assert!(block_on(store.get("f")).unwrap().is_none());
    let done = || Settlement::Settled { state: DeliveryState::Done, outcome: "started".to_owned() };
    block_on(store.settle(1, done(), Timestamp(12))).unwrap();
    assert_eq!(block_on(store.take(large("f", 11))).unwrap(), Taken::New);
    for number in 2..=5 {
        block_on(store.settle(number, done(), Timestamp(12))).unwrap();
    }
    let month_later = 11 + 31 * 86_400_000;
    assert_eq!(block_on(store.take(delivery("g", month_later))).unwrap(), Taken::New);
    let left: Vec<String> =
        block_on(store.list(None, 10)).unwrap().into_iter().map(|delivery| delivery.id).collect();
    assert_eq!(left, ["g", "f"], "what waits stays, however old");
    assert!(block_on(store.get("a")).unwrap().is_none());
}
