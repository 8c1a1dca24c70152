use super::ReleaseHealthGate;
use expect_test::expect;
use lockstep_sdk::release_health::{Evidence, Report, Signal, SignalKind, SignalState, Status};
use lockstep_sdk::testing::{Bench, check_schema};
use lockstep_sdk::{EffectOutcome, ItemStatus, JobOutcome, ObserveError};

fn signal(name: &str, state: SignalState, detail: Option<&str>) -> Signal {
    let detail = detail.map(str::to_owned);
    Signal { kind: SignalKind::Monitor, id: name.to_owned(), name: name.to_owned(), state, detail }
}

fn healthy() -> Result<Report, ObserveError> {
    Ok(Report { status: Status::Healthy, signals: vec![signal("latency", SignalState::Ok, None)] })
}

fn regressed() -> Result<Report, ObserveError> {
    let latency = signal("latency", SignalState::Alert, Some("900 ms"));
    let disk = signal("disk", SignalState::Warn, None);
    Ok(Report { status: Status::Regressed, signals: vec![latency, disk] })
}

fn failed<T>() -> Result<T, ObserveError> {
    Err(ObserveError::Failed("api down".to_owned()))
}

/// A gate behind a merge whose looks see, one after the other, these reports.
fn gate(config: &str, looks: Vec<Result<Report, ObserveError>>) -> Bench<ReleaseHealthGate> {
    let mut bench = Bench::new(config);
    bench.input.run.item_status = ItemStatus::Done;
    for look in looks {
        bench.host.push_release_health(look);
    }
    bench
}

/// A gate whose on-call is at work.
fn investigating() -> Bench<ReleaseHealthGate> {
    let mut bench = gate("{}", vec![regressed()]);
    let alerting =
        vec![signal("latency", SignalState::Alert, None), signal("errors", SignalState::Alert, None)];
    bench.host.push_evidence(Ok(Evidence { regressed: alerting, errors: Vec::new(), notes: None }));
    bench.started();
    bench
}

#[test]
fn the_schema_fits_the_config() {
    check_schema::<ReleaseHealthGate>();
}

#[test]
fn rh_1_without_a_release_or_a_signal_it_passes() {
    let mut bench = gate("{}", vec![regressed()]);
    bench.input.run.item_status = ItemStatus::PrReady;
    let mut text = bench.started();
    text.push_str(&gate("{}", vec![Ok(Report { status: Status::Regressed, signals: Vec::new() })]).started());
    text.push_str(&gate("{}", Vec::new()).started());
    expect![[r#"
        complete nothing was deployed, so nothing is watched
        note     nothing was deployed, so nothing is watched
        complete no signal watches this release
        note     no signal watches this release
        complete skipped: no provider tells about release health
        note     skipped: no provider tells about release health
    "#]]
    .assert_eq(&text);
}

#[test]
fn rh_3_rh_4_it_watches_to_the_end_of_the_window() {
    let mut bench = gate(r#"{"watch_minutes":1}"#, vec![healthy()]);
    expect![[r#"
        wait     30000 ms: no regression so far; 1 minute left to watch
        note     no regression so far; 1 minute left to watch
    "#]]
    .assert_eq(&bench.started());
    expect![[r#"
        wait     29999 ms: no regression so far; 1 minute left to watch
        note     no regression so far; 1 minute left to watch
    "#]]
    .assert_eq(&bench.woken());
    expect![[r#"
        wait     30000 ms: no regression so far; 1 minute left to watch
        note     no regression so far; 1 minute left to watch
    "#]]
    .assert_eq(&bench.due());
    expect![[r#"
        complete no regression in 1 minute; 1 signal watched
        note     no regression in 1 minute; 1 signal watched
    "#]]
    .assert_eq(&bench.due());
    assert!(gate(r#"{"watch_minutes":0}"#, vec![healthy()]).started().starts_with("complete"));
}

#[test]
fn rh_12_looks_are_not_limited() {
    let mut bench = gate("{}", vec![healthy()]).policy(r#"{"gate_max_polls":1}"#);
    bench.started();
    for _ in 0..59 {
        assert!(bench.due().starts_with("wait"));
    }
    assert!(bench.due().starts_with("complete"));
}

#[test]
fn rh_8_an_on_call_gets_the_evidence() {
    let mut bench = gate(r#"{"instructions":"be quick","time_limit_s":9}"#, vec![healthy(), regressed()]);
    let latency = signal("latency", SignalState::Alert, Some("900 ms"));
    let (errors, notes) = (vec!["boom".to_owned()], Some("since 9:00".to_owned()));
    bench.host.push_evidence(Ok(Evidence { regressed: vec![latency], errors, notes }));
    bench.started();
    expect![[r#"
        dispatch on-call (read-only) {"attempt":1,"max_attempts":1,"summary":"latency (alert: 900 ms)","watch_since":1000000,"regressed_signals":[{"kind":"monitor","id":"latency","name":"latency","state":"alert","detail":"900 ms"}],"errors":["boom"],"notes":"since 9:00","instructions":"be quick"}
        extra    release-health-gate/release-health-gate: The release regressed: latency (alert: 900 ms)

                 Regressed signals:
                 - monitor latency (alert): 900 ms

                 Recent errors:
                 - boom

                 Notes: since 9:00
        limit    9000 ms
        note     regressed: latency (alert: 900 ms); on-call attempt 1 of 1
        progress 1/1 on-call at work
    "#]].assert_eq(&bench.due());
    expect![[r#"{"phase":"working","attempts":1,"maxAttempts":1,"lastVerdict":"fail","lastFailureSummary":"latency (alert: 900 ms)","watchSince":1000000,"watchWindowMinutes":30,"regressedSignals":[{"kind":"monitor","id":"latency","name":"latency","state":"alert","detail":"900 ms"}],"polls":1,"readFailures":0}"#]].assert_eq(bench.state());
}

#[test]
fn rh_9_whatever_the_on_call_says_the_run_goes_on() {
    let report =
        r#"{"culpritConfidence":0.9,"recommendation":"revert","rationale":"the cache","evidence":["p99"]}"#;
    let mut bench = investigating();
    expect![[r#"
        perform  annotate-incident {"signals":["latency","errors"],"summary":"the release regressed: latency (alert: 900 ms)\nthe on-call recommends to revert (0.9 sure that the change is to blame): the cache\n- p99"}
        note     regressed; the on-call recommends to revert (0.9 sure that the change is to blame): the cache
        notice   release_regression: Regressed: Take coupons | the release regressed: latency (alert: 900 ms)
                 the on-call recommends to revert (0.9 sure that the change is to blame): the cache
                 - p99
    "#]].assert_eq(&bench.job_reported("x", report));
    expect![[r#"
        complete the release regressed: latency (alert: 900 ms)
                 the on-call recommends to revert (0.9 sure that the change is to blame): the cache
                 - p99
        note     the release regressed; the run goes on
    "#]]
    .assert_eq(&bench.effect(EffectOutcome::Failed("api down".to_owned())));
    let mut bench = investigating().unwired("annotate-incident");
    expect![[r#"
        complete the release regressed: latency (alert: 900 ms)
                 the investigation failed: crash
        note     regressed; the investigation failed: crash
        notice   release_regression: Regressed: Take coupons | the release regressed: latency (alert: 900 ms)
                 the investigation failed: crash
    "#]]
    .assert_eq(&bench.job_failed("crash"));
    // What a job is given has snake case, and so may what it says.
    let snake = report.replace("culpritConfidence", "culprit_confidence");
    assert_eq!(investigating().job_reported("x", &snake), investigating().job_reported("x", report));
    let mut text = String::new();
    for report in [r#"{"culpritConfidence":2,"recommendation":"revert","rationale":"r"}"#, "[]"] {
        let mut bench = investigating().unwired("annotate-incident");
        text.push_str(&bench.job_reported("x", report).lines().take(3).collect::<Vec<_>>().join("\n"));
        text.push('\n');
    }
    let mut bench = investigating().unwired("annotate-incident");
    let evicted = bench.job(JobOutcome::Evicted(String::new()));
    text.push_str(evicted.lines().nth(1).unwrap_or_default());
    expect![[r#"
        complete the release regressed: latency (alert: 900 ms)
                 the on-call gave no assessment: x
        note     regressed; the on-call gave no assessment: x
        complete the release regressed: latency (alert: 900 ms)
                 the on-call gave no assessment: x
        note     regressed; the on-call gave no assessment: x
                 the investigation was evicted too often"#]]
    .assert_eq(&text);
}

#[test]
fn rh_11_a_spent_budget_raises_the_card_and_fails() {
    expect![[r#"
        fail     GateExhausted: the release regressed: latency (alert: 900 ms); no investigation is allowed
        note     the release regressed: latency (alert: 900 ms); no investigation is allowed
        notice   release_regression: The release regressed | the release regressed: latency (alert: 900 ms); no investigation is allowed
    "#]].assert_eq(&gate(r#"{"max_attempts":0}"#, vec![regressed()]).started());
    assert!(gate("{}", vec![regressed()]).unwired("on-call").started().starts_with("fail     GateExhausted"));
    let mut bench = investigating();
    expect![[r#"
        fail     GateExhausted: the release regressed: latency (alert: 900 ms); nothing carries out `on-call` jobs; add [jobs.on-call] command = ["..."] to the pipeline file, or for items to .lockstep/commands.toml
        note     the release regressed: latency (alert: 900 ms); nothing carries out `on-call` jobs; add [jobs.on-call] command = ["..."] to the pipeline file, or for items to .lockstep/commands.toml
        notice   release_regression: The release regressed | the release regressed: latency (alert: 900 ms); nothing carries out `on-call` jobs; add [jobs.on-call] command = ["..."] to the pipeline file, or for items to .lockstep/commands.toml
    "#]].assert_eq(&bench.job(JobOutcome::NotConfigured(String::new())));
    assert!(bench.state().contains(r#""attempts":0"#));
}

#[test]
fn dl_3_the_first_look_must_succeed_later_ones_may_fail() {
    expect![[r#"
        fail     Agent: release health cannot be read: api down
        note     release health cannot be read: api down
    "#]]
    .assert_eq(&gate("{}", vec![failed()]).started());
    let mut bench = gate("{}", vec![regressed()]);
    bench.host.push_evidence(failed());
    expect![[r#"
        fail     Agent: the evidence of a regression cannot be gathered: api down
        note     the evidence of a regression cannot be gathered: api down
    "#]]
    .assert_eq(&bench.started());
    let mut bench = gate(r#"{"read_failure_tolerance":2}"#, vec![healthy(), failed(), regressed()]);
    bench.host.push_evidence(failed());
    bench.started();
    expect![[r#"
        wait     30000 ms: release health cannot be read: api down (1 of 2 in a row)
        note     release health cannot be read: api down (1 of 2 in a row)
    "#]]
    .assert_eq(&bench.due());
    expect![[r#"
        fail     Timeout: 2 times in a row the evidence of a regression cannot be gathered: api down
        note     2 times in a row the evidence of a regression cannot be gathered: api down
    "#]]
    .assert_eq(&bench.due());
}
