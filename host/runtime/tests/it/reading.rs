//! What can be read back: the feed, replays, verification.

use crate::host::{Host, World, ask, choose, complete, dispatch, done, request};
use lockstep_ports::{Journal, RunService, ServiceError};
use lockstep_types::RunId;

/// Reads the feed a few records at a time, as a client does that comes back with its last position.
fn read(host: &Host, after: &mut u64, into: &mut Vec<(u64, RunId, u64)>) {
    loop {
        let page = host.run(host.runtime.feed(*after, 2)).unwrap();
        let Some(last) = page.last() else { return };
        *after = last.position;
        for item in page {
            let entry = item.entries.first().expect("each record tells something here");
            into.push((item.position, entry.run.clone(), entry.seq));
        }
    }
}

#[test]
fn the_feed_goes_on_without_gaps_after_a_crash() {
    let mut world = World::new();
    world.says("pick", [ask(), ask()]);
    let host = world.open();
    let first = host.start(&["pick"]);
    let second = host.run(host.runtime.start(request("another", &["pick"]))).unwrap().id;
    let (mut after, mut seen) = (0, Vec::new());
    read(&host, &mut after, &mut seen);
    host.act(&first, choose("A", None)).unwrap();
    let host = world.crash(host);
    host.act(&second, choose("B", None)).unwrap();
    read(&host, &mut after, &mut seen);
    let expected = [(1, first.clone(), 1), (2, second.clone(), 1), (3, first, 2), (4, second, 2)];
    assert_eq!(seen, expected);
    assert_eq!(host.run(host.runtime.feed_end()), 4);
}

#[test]
fn whoever_waits_for_the_feed_is_told_when_it_goes_on() {
    let world = World::new();
    let host = world.open();
    let runtime = host.runtime.clone();
    let waiting = host.begin(async move {
        runtime.feed_beyond(0).await;
        runtime.feed_end().await
    });
    assert!(!waiting.is_finished());
    host.start(&["build"]);
    assert_eq!(host.run(waiting).unwrap(), 1);
}

#[test]
fn the_same_calls_replay_identically() {
    let world = World::new();
    let host = world.open();
    let run = host.start(&["plan", "build"]);
    let report = host.run(host.runtime.verify(&run)).unwrap();
    assert_eq!((report.problems, report.records), (vec![], 1));
    assert_eq!((report.replay.invocations, report.replay.fuel, report.replay.differences), (2, 2000, vec![]));
    assert_eq!(report.head, host.run(world.journal.row(&run)).unwrap().unwrap().head);
}

#[test]
fn a_component_that_answers_otherwise_is_told_of() {
    let world = World::new();
    world.says("build", [dispatch(), complete("once")]);
    let host = world.open();
    let run = host.start(&["build"]);
    world.jobs.settle(&world.jobs.under_way()[0], done("binary"));
    host.settle();
    world.says("build", [dispatch(), complete("twice")]);
    let report = host.run(host.runtime.replay(&run)).unwrap();
    let differences: Vec<(u32, &str, &str)> = report
        .differences
        .iter()
        .map(|difference| (difference.number, difference.step.as_str(), difference.what.as_str()))
        .collect();
    assert_eq!(differences, [(2, "build", "outcome")]);
    assert!(
        report.differences[0].recorded.contains("once") && report.differences[0].replayed.contains("twice")
    );
}

#[test]
fn an_altered_record_is_told_of() {
    let world = World::new();
    world.says("build", [ask()]);
    let host = world.open();
    let run = host.start(&["build"]);
    host.act(&run, choose("A", None)).unwrap();
    let records = host.run(world.journal.records(&run, 1)).unwrap();
    for seq in [1, 2] {
        let original = records[seq - 1].clone();
        let altered =
            String::from_utf8(original.clone()).unwrap().replace("which?", "really?").replace("ann", "eve");
        assert_ne!(altered.as_bytes(), original);
        world.journal.damage(&run, seq as u64, altered.into_bytes());
        let report = host.run(host.runtime.verify(&run)).unwrap();
        assert!(!report.problems.is_empty(), "record {seq} was altered");
        world.journal.damage(&run, seq as u64, original);
    }
    assert_eq!(host.run(host.runtime.verify(&run)).unwrap().problems, Vec::<String>::new());
}

#[test]
fn what_is_not_there_is_said_to_be_not_there() {
    let world = World::new();
    let host = world.open();
    let nobody: RunId = "run-0".parse().unwrap();
    assert!(matches!(host.run(host.runtime.get(&nobody)), Err(ServiceError::NotFound(_))));
    assert!(matches!(host.act(&nobody, choose("A", None)), Err(ServiceError::NotFound(_))));
    assert!(matches!(host.run(host.runtime.verify(&nobody)), Err(ServiceError::NotFound(_))));
    let run = host.start(&["build"]);
    let log = host.run(host.runtime.job_log(&run, "nothing"));
    assert!(matches!(log, Err(ServiceError::NotFound(text)) if text.contains("it has build")));
}
