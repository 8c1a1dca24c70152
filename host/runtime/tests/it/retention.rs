//! Runs that need not be kept any more.

use crate::host::{Host, World, ask, dispatch, request};
use lockstep_ports::{BoardService as _, Journal, RunService};
use lockstep_runtime::Retention;
use lockstep_types::{FailureClass, Fault, RunId};

const DAY_MS: u64 = 86_400_000;

fn kept(world: &World, host: &Host) -> Vec<RunId> {
    let rows = host.run(world.journal.rows_from(None, 100)).unwrap();
    rows.into_iter().map(|row| row.summary.id).collect()
}

fn start(host: &Host, item: &str) -> RunId {
    host.run(host.runtime.start(request(item, &["build"]))).unwrap().id
}

fn prune(host: &Host, retention: Retention) -> u64 {
    host.run(host.runtime.prune(&retention)).unwrap()
}

#[test]
fn without_a_limit_every_run_is_kept() {
    let world = World::new();
    let host = world.open();
    let run = start(&host, "a");
    world.clock.advance_ms(1000 * DAY_MS);
    assert_eq!(prune(&host, Retention::default()), 0);
    assert_eq!(kept(&world, &host), [run]);
}

#[test]
fn done_and_failed_runs_go_at_their_own_age() {
    let world = World::new();
    let host = world.open();
    let done = start(&host, "a");
    let fault = Fault { class: FailureClass::Trapped, message: "broken".to_owned(), backtrace: None };
    world.faults("build", fault);
    let failed = start(&host, "b");
    let retention = Retention { done_days: Some(2), failed_days: Some(5), runs: None };
    world.clock.advance_ms(2 * DAY_MS);
    assert_eq!(prune(&host, retention), 0);
    world.clock.advance_ms(1);
    assert_eq!(prune(&host, retention), 1);
    assert_eq!(kept(&world, &host), std::slice::from_ref(&failed));
    world.clock.advance_ms(3 * DAY_MS);
    assert_eq!(prune(&host, retention), 1);
    assert!(kept(&world, &host).is_empty());
    for run in [done, failed] {
        assert!(host.run(host.runtime.get(&run)).is_err());
    }
    assert!(host.run(host.runtime.cards(None)).unwrap().is_empty());
}

#[test]
fn of_too_many_the_oldest_go_that_have_ended() {
    let world = World::new();
    world.says("ask", [ask()]);
    let host = world.open();
    let parked = host.start(&["ask"]);
    world.says("build", [dispatch()]);
    let at_work = start(&host, "w");
    let in_order = |item| {
        // Runs of the same moment have no order.
        world.clock.advance_ms(1);
        start(&host, item)
    };
    let runs = ["a", "b", "c", "d"].map(in_order);
    assert_eq!(prune(&host, Retention { runs: Some(4), ..Retention::default() }), 2);
    assert_eq!(kept(&world, &host), [parked, at_work, runs[2].clone(), runs[3].clone()]);
    assert_eq!(prune(&host, Retention { runs: Some(0), ..Retention::default() }), 2);
    assert_eq!(kept(&world, &host).len(), 2);
}

#[test]
fn the_run_an_item_shows_is_kept() {
    let world = World::new();
    let host = world.open();
    let service = host.service();
    let item = host.task(&service);
    let pipeline = host.pipeline(&["build"]);
    let first = host.start_item(&item, &pipeline);
    let second = host.start_item(&item, &pipeline);
    assert_eq!(prune(&host, Retention { runs: Some(0), ..Retention::default() }), 1);
    assert_ne!(first, second);
    assert_eq!(kept(&world, &host), [second]);
    assert!(host.view(&item).item.current_run.is_some());
}

#[test]
fn whoever_follows_the_feed_passes_over_what_is_gone() {
    let world = World::new();
    let host = world.open();
    start(&host, "a");
    start(&host, "b");
    prune(&host, Retention { runs: Some(0), ..Retention::default() });
    let items = host.run(host.runtime.feed(0, 10)).unwrap();
    let items: Vec<_> = items.iter().map(|item| (item.position, item.entries.len())).collect();
    assert_eq!(items, [(2, 0)]);
    assert!(host.run(host.runtime.feed(2, 10)).unwrap().is_empty());
    start(&host, "c");
    assert_eq!(host.run(host.runtime.feed(0, 10)).unwrap()[0].position, 3);
}

#[test]
fn runs_go_by_themselves_while_the_host_is_up() {
    let world = World::new();
    let host = world.open();
    start(&host, "a");
    let (runtime, retention) =
        (host.runtime.clone(), Retention { done_days: Some(1), ..Retention::default() });
    host.run(async move { runtime.retain(retention) });
    host.settle();
    assert_eq!(kept(&world, &host).len(), 1);
    world.clock.advance_ms(DAY_MS + 1);
    host.settle();
    assert!(kept(&world, &host).is_empty());
}
