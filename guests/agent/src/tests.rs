use super::Agent;
use expect_test::expect;
use lockstep_sdk::testing::{Bench, check_schema, job_result};
use lockstep_sdk::{JobOutcome, JobResult, PullRequest};

fn coder(config: &str) -> Bench<Agent> {
    Bench::new(config).role("coder")
}

#[test]
fn the_schema_fits_the_config() {
    check_schema::<Agent>();
}

#[test]
fn the_job_is_named_after_the_role() {
    expect![[r#"
        dispatch coder (write) {}
        note     coder goes to work
    "#]]
    .assert_eq(&coder("{}").started());
    let config =
        r#"{"access":"read-only","instructions":"be brief","time_limit_s":5,"input":{"style":"plain"}}"#;
    expect![[r#"
        dispatch coder (read-only) {"instructions":"be brief","style":"plain"}
        limit    5000 ms
        note     coder goes to work
    "#]]
    .assert_eq(&coder(config).started());
}

#[test]
fn its_output_and_confidence_are_kept() {
    let mut bench = coder("{}");
    bench.started();
    let pull_request = PullRequest { url: "https://git.test/7".to_owned(), number: Some(7), branch: None };
    let result =
        JobResult { confidence: Some(0.75), pull_request: Some(pull_request), ..job_result("coupons work") };
    expect![[r#"
        complete coupons work
        note     coder is done: https://git.test/7
        fact     confidence = 0.75
    "#]]
    .assert_eq(&bench.job(JobOutcome::Done(result)));
}

#[test]
fn d_12_it_may_ask_more_than_once() {
    let mut bench = coder("{}");
    bench.started();
    expect![[r#"
        ask      Decision: Which database? [sled, sqlite]
        proposal so far
        note     coder asks: Which database?
    "#]]
    .assert_eq(&bench.job_asked("Which database?", &["sled", "sqlite"]));
    expect![[r#"
        dispatch coder (write) {}
        note     coder goes to work with the answer `sled`
    "#]]
    .assert_eq(&bench.answered("sled"));
    expect![[r#"
        ask      Decision: Which version? []
        proposal so far
        note     coder asks: Which version?
    "#]]
    .assert_eq(&bench.job_asked("Which version?", &[]));
    assert_eq!(bench.state(), r#"{"questions":2}"#);
    bench.answered("0.34");
    expect![[r#"
        complete done
        note     coder is done
    "#]]
    .assert_eq(&bench.job_done("done"));
}

#[test]
fn a_rework_is_another_job() {
    let mut bench = coder("{}");
    bench.started();
    bench.job_done("first");
    expect![[r#"
        dispatch coder (write) {}
        note     coder goes to work again: human asked for changes
    "#]]
    .assert_eq(&bench.reworked("shorter"));
}

#[test]
fn a_job_that_does_not_end_well_fails_the_step() {
    let outcomes = [
        JobOutcome::Failed("no such crate\nlong log".to_owned()),
        JobOutcome::Failed(String::new()),
        JobOutcome::Evicted("machine went away".to_owned()),
        JobOutcome::NotConfigured("coder".to_owned()),
    ];
    let mut text = String::new();
    for outcome in outcomes {
        let mut bench = coder("{}");
        bench.started();
        text.push_str(&bench.job(outcome));
    }
    expect![[r#"
        fail     JobFailed: job `coder` failed: no such crate
        detail   no such crate
                 long log
        note     job `coder` failed: no such crate
        fail     JobFailed: job `coder` failed
        note     job `coder` failed
        fail     Evicted: job `coder` was evicted too often: machine went away
        note     job `coder` was evicted too often: machine went away
        fail     Agent: nothing carries out `coder` jobs; add [jobs.coder] command = ["..."] to the pipeline file, or for items to .lockstep/commands.toml
        note     nothing carries out `coder` jobs; add [jobs.coder] command = ["..."] to the pipeline file, or for items to .lockstep/commands.toml
    "#]].assert_eq(&text);
}

fn consensus(gating: &str, participants: usize) -> String {
    let participants: Vec<_> =
        (1..=participants).map(|number| format!(r#"{{"id":"p{number}","role":"critic"}}"#)).collect();
    let participants = participants.join(",");
    format!(
        r#"{{"consensus":{{"enabled":true,"strategy":"debate","rounds":3,"participants":[{participants}]{gating}}}}}"#
    )
}

#[test]
fn cs_2_consensus_is_told_to_the_job_where_it_is_active() {
    let started = |role: &str, config: &str| Bench::<Agent>::new(config).role(role).started();
    expect![[r#"
        dispatch architect (write) {"consensus":{"participants":[{"id":"p1","role":"critic"},{"id":"p2","role":"critic"}],"rounds":3,"strategy":"debate"}}
        note     architect goes to work
    "#]].assert_eq(&started("architect", &consensus("", 2)));
    let is_active = |role: &str, config: &str| started(role, config).contains("consensus");
    assert!(!is_active("architect", &consensus("", 1)), "one participant is no consensus");
    assert!(!is_active("coder", &consensus("", 2)), "its role does not suit it");
    assert!(is_active("coder", &consensus(r#","eligible":["coder"]"#, 2)));
}

#[test]
fn cs_1_the_estimate_decides_whether_consensus_is_worth_it() {
    let gated = |gating: &str, estimate: Option<&str>| {
        let config = consensus(&format!(r#","gating":{{"enabled":true{gating}}}"#), 2);
        let mut bench = Bench::<Agent>::new(&config).role("analysis");
        if let Some(estimate) = estimate {
            bench = bench.document("estimate", estimate);
        }
        bench.started().contains("consensus")
    };
    let estimate = Some(r#"{"complexity":0.5,"risk":0.2,"impact":0.1,"rationale":""}"#);
    assert!(gated("", None));
    assert!(!gated(r#","on_missing_estimate":"standard""#, None));
    assert!(!gated("", estimate), "TE-3: no threshold is none reached");
    assert!(gated(r#","min_complexity":0.5,"min_risk":0.9"#, estimate));
    assert!(!gated(r#","min_risk":0.9"#, estimate));
}

#[test]
fn en_15_what_maps_a_service_leaves_it_ready() {
    let mut bench = Bench::<Agent>::new(r#"{"leaves":"ready"}"#).role("blueprints");
    bench.started();
    expect![[r#"
        complete three modules
        item     Ready
        note     blueprints is done
    "#]]
    .assert_eq(&bench.job_done("three modules"));
}

#[test]
fn what_a_person_tries_does_not_cost_the_run() {
    let mut bench = coder("{}");
    bench.started();
    expect![[r#"
        refuse   Conflict: step `agent` has no action `confirm` now: a job is at work or a question is open
    "#]]
    .assert_eq(&bench.acted("confirm", "{}"));
}
