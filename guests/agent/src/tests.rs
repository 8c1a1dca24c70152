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
        fail     Agent: nothing carries out `coder` jobs; add [jobs.coder] command = ["..."] to the pipeline file
        note     nothing carries out `coder` jobs; add [jobs.coder] command = ["..."] to the pipeline file
    "#]].assert_eq(&text);
}
