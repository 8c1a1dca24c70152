//! Recorded calls are made again with another component.

use crate::host::{Host, World, ask, choose, complete, component, descriptor};
use expect_test::expect;
use lockstep_ports::{
    ActivateRequest, BacktestCandidate, BacktestOutcome, BacktestReport, BacktestRequest, BacktestService,
    CanaryRequest, ComponentService, Gates, ServiceError,
};
use lockstep_types::{
    Descriptor, FailureClass, Fault, JsonText, ObservationRequest, Outcome, RunId, Timestamp, Transition,
};
use std::sync::Mutex;

fn request(candidate: &Descriptor) -> BacktestRequest {
    BacktestRequest::new("writer", BacktestCandidate::Bytes(component(candidate)))
}

fn backtest(host: &Host, request: BacktestRequest) -> Result<BacktestReport, ServiceError> {
    host.run(host.runtime.backtest(request, &|_| ()))
}

fn shown(report: &BacktestReport, runs: &[RunId]) -> String {
    let mut text = String::new();
    for case in &report.cases {
        let run = runs.iter().position(|run| *run == case.run).unwrap();
        text.push_str(&format!("run {run} call {} {}: {:?}\n", case.number, case.step, case.outcome));
    }
    text.push_str(&format!("{:?} of {} runs", report.counts, report.runs));
    text
}

#[test]
fn calls_are_found_from_the_newest_run_backwards() {
    let world = World::new();
    let host = world.open();
    let runs: Vec<RunId> = (0..3).map(|_| host.start(&["a", "b"])).collect();
    let candidate = descriptor("writer", "2");
    let report = backtest(&host, request(&candidate)).unwrap();
    expect!["BacktestCounts { identical: 6, changed: 0, decided: 0, unrecorded: 0, faults: 0, other_state: 0 } of 3 runs"]
    .assert_eq(&shown(&report, &runs));
    assert_eq!((report.fuel.calls, report.fuel.growth_percent()), (6, Some(0.0)));
    assert_eq!(host.run(host.runtime.components()).unwrap().len(), 2, "the candidate was not added");
    // The last call made again is the first one, of which a candidate now thinks otherwise.
    world.says("b", [complete("other")]);
    let report = backtest(&host, BacktestRequest { last: Some(1), ..request(&candidate) }).unwrap();
    expect![[r#"
        run 2 call 2 b: Changed { differences: [FieldDifference { field: "next.complete.output", recorded: Some("b"), candidate: Some("other") }] }
        BacktestCounts { identical: 0, changed: 1, decided: 1, unrecorded: 0, faults: 0, other_state: 0 } of 1 runs"#]]
    .assert_eq(&shown(&report, &runs));
    let report = backtest(&host, BacktestRequest { runs: vec![runs[0].clone()], ..request(&candidate) });
    assert_eq!(report.unwrap().counts.identical, 2);
    let future = Some(Timestamp(u64::MAX));
    let report = backtest(&host, BacktestRequest { since: future, ..request(&candidate) }).unwrap();
    assert_eq!((report.counts.all(), report.runs), (0, 0));
}

#[test]
fn what_is_not_as_recorded_is_told_apart() {
    let world = World::new();
    world.says("pick", [ask()]);
    let host = world.open();
    let run = host.start(&["pick"]);
    host.act(&run, choose("A", None)).unwrap();
    let runs = [run];
    let fault = Fault { class: FailureClass::Trapped, message: "unreachable".to_owned(), backtrace: None };
    world.executor.push("pick", Outcome::Fault(fault));
    world.says("pick", [ask()]);
    let report = backtest(&host, request(&descriptor("writer", "2"))).unwrap();
    // The newest call first: it is the one that traps.
    expect![[r#"
        run 0 call 2 pick: Fault { class: Trapped, message: "unreachable" }
        BacktestCounts { identical: 1, changed: 0, decided: 0, unrecorded: 0, faults: 1, other_state: 0 } of 1 runs"#]]
    .assert_eq(&shown(&report, &runs));
    world.executor.asks("pick", vec![ObservationRequest::Checks]);
    let report = backtest(&host, BacktestRequest { last: Some(1), ..request(&descriptor("writer", "2")) });
    expect![[r#"
        run 0 call 2 pick: Unrecorded { asked: ["checks.read"] }
        BacktestCounts { identical: 0, changed: 0, decided: 0, unrecorded: 1, faults: 0, other_state: 0 } of 1 runs"#]]
    .assert_eq(&shown(&report.unwrap(), &runs));
}

#[test]
fn a_state_of_another_version_is_taken_over_first() {
    let world = World::new();
    let number = Transition::new(JsonText::new("5").unwrap(), ask());
    world.executor.push("odd", Outcome::Transition(Box::new(number)));
    world.says("pick", [ask()]);
    let host = world.open();
    let runs = ["pick", "odd"].map(|step| {
        let run = host.start(&[step]);
        host.act(&run, choose("A", None)).unwrap();
        run
    });
    let mut newer = descriptor("writer", "2");
    newer.state_version += 1;
    let last = |run: &RunId| BacktestRequest { last: Some(1), runs: vec![run.clone()], ..request(&newer) };
    let reports = runs.clone().map(|run| shown(&backtest(&host, last(&run)).unwrap(), &runs));
    expect![[r#"
        BacktestCounts { identical: 1, changed: 0, decided: 0, unrecorded: 0, faults: 0, other_state: 0 } of 1 runs
        run 1 call 2 odd: OtherState { recorded: 1, candidate: 2, message: "its `migrate` gave up: a number says nothing" }
        BacktestCounts { identical: 0, changed: 0, decided: 0, unrecorded: 0, faults: 0, other_state: 1 } of 1 runs"#]]
    .assert_eq(&reports.join("\n"));
}

#[test]
fn a_component_that_cannot_be_tried_is_refused() {
    let world = World::new();
    let host = world.open();
    let refusal = |request| backtest(&host, request).unwrap_err().to_string();
    let other = refusal(request(&descriptor("merger", "2")));
    assert!(
        other.ends_with("implements kind merger, not writer: backtest it with `--kind merger`"),
        "{other}"
    );
    let digest = |digest: &str| BacktestRequest::new("writer", BacktestCandidate::Digest(digest.to_owned()));
    assert!(refusal(digest("ffff")).starts_with("no component begins with"));
    assert!(
        refusal(BacktestRequest::new("writer", BacktestCandidate::Bytes(vec![1])))
            .contains("not a WebAssembly")
    );
    let gone = BacktestRequest { runs: vec!["gone".parse().unwrap()], ..request(&descriptor("writer", "2")) };
    assert!(matches!(backtest(&host, gone), Err(ServiceError::NotFound(_))));
}

#[test]
fn a_canary_stands_beside_the_active_component() {
    let world = World::new();
    let host = world.open();
    let before = host.start(&["a"]);
    let active = host.get(&before).steps[0].digest;
    let canary = host
        .run(host.runtime.add_component(component(&descriptor("writer", "2")).into()))
        .unwrap()
        .info
        .digest;
    let (kind, digest) = ("writer".to_owned(), canary.to_string());
    host.run(host.runtime.activate(ActivateRequest { kind, digest, ..ActivateRequest::default() })).unwrap();
    world.says("a", [complete("canary says")]);
    let run = host.start(&["a"]);
    let report =
        host.run(host.runtime.side_by_side("writer", vec![before, run.clone()], canary, active)).unwrap();
    assert_eq!(report.cases.len(), 1, "only what the canary did");
    let case = &report.cases[0];
    assert_eq!((&case.run, case.made_by), (&run, canary));
    assert_eq!((case.recorded.as_str(), case.candidate.as_str()), ("complete canary says", "complete a"));
    assert!(matches!(case.outcome, BacktestOutcome::Changed { .. }));
}

#[test]
fn a_candidate_shows_what_is_asked_of_it_before_runs_get_it() {
    let world = World::new();
    let host = world.open();
    host.start(&["a", "b"]);
    world.says("b", [complete("other")]);
    let digest = host
        .run(host.runtime.add_component(component(&descriptor("writer", "2")).into()))
        .unwrap()
        .info
        .digest;
    let activate = |gates: Gates| {
        let (kind, digest) = ("writer".to_owned(), digest.to_string());
        host.run(host.runtime.activate(ActivateRequest { kind, digest, gates, ..ActivateRequest::default() }))
    };
    let identical = Gates { require_identical: true, ..Gates::default() };
    let refused = activate(identical).unwrap_err().to_string();
    world.says("b", [complete("other")]);
    let share = CanaryRequest {
        digest: digest.to_string(),
        share: Some(10),
        gates: Gates { max_changed: Some(0), max_fuel_growth: Some(5.0), ..Gates::default() },
        ..CanaryRequest::default()
    };
    let refused_canary = host.run(host.runtime.begin_canary("writer", share)).unwrap_err().to_string();
    let lines = format!("{refused}\n{refused_canary}").replace(&digest.short(), "DIGEST");
    expect![[r#"
        component DIGEST does not pass over 2 recorded calls of kind writer: 1 would come out differently, none may: see which calls with `lockstep component backtest DIGEST --kind writer`, or allow it with `lockstep component activate writer DIGEST --max-changed 1`
        component DIGEST does not pass over 2 recorded calls of kind writer: 1 would come out differently, none may: see which calls with `lockstep component backtest DIGEST --kind writer`, or allow it with `lockstep component canary writer DIGEST --share 10% --max-changed 1 --max-fuel-growth 5`"#]].assert_eq(&lines);
    // The way out that was printed.
    world.says("b", [complete("other")]);
    let activated = activate(Gates { max_changed: Some(1), ..Gates::default() }).unwrap();
    expect!["2 recorded calls, 1 differently, fuel +0.0 %"]
        .assert_eq(&activated.backtest.unwrap().in_words());
    let last = host.run(host.runtime.audit(1)).unwrap().remove(0).detail;
    assert!(last.ends_with("backtest: 2 recorded calls, 1 differently, fuel +0.0 %"), "{last}");
}

#[test]
fn progress_ends_with_all_of_it() {
    let world = World::new();
    let host = world.open();
    host.start(&["a", "b", "c"]);
    let told = Mutex::new(Vec::new());
    let request = request(&descriptor("writer", "2"));
    host.run(host.runtime.backtest(request, &|so_far| told.lock().unwrap().push(so_far))).unwrap();
    let last = *told.lock().unwrap().last().unwrap();
    assert_eq!((last.done, last.of, last.different), (3, Some(3), 0));
}
