use super::Tester;
use expect_test::expect;
use lockstep_sdk::testing::{Bench, check_schema};
use lockstep_sdk::{JobOutcome, PullRequest};

fn report(greenlight: bool, outcomes: &str, concerns: &str) -> String {
    format!(
        r#"{{"greenlight":{greenlight},"summary":"sum","tested":["t"],"outcomes":[{outcomes}],"concerns":[{concerns}]}}"#
    )
}

fn concern(title: &str, severity: &str) -> String {
    format!(r#"{{"title":"{title}","detail":"d","severity":"{severity}"}}"#)
}

/// A tester whose first job is under way.
fn tester(config: &str) -> Bench<Tester> {
    let mut bench = Bench::new(config);
    bench.started();
    bench
}

#[test]
fn the_schema_fits_the_config() {
    check_schema::<Tester>();
}

#[test]
fn ts_5_a_clean_first_report_is_accepted() {
    let mut bench = Bench::<Tester>::new(r#"{"instructions":"use the shop's data","time_limit_s":9}"#);
    expect![[r#"
        dispatch tester (read-only) {"round":1,"instructions":"use the shop's data"}
        limit    9000 ms
        note     tester tests, round 1
    "#]]
    .assert_eq(&bench.started());
    let clean = r#"{"greenlight":true,"summary":"all good","tested":["cart"],"outcomes":[{"name":"cart","status":"passed"},{"name":"old","status":"skipped","detail":"n/a"}],"concerns":[],"environment":"ephemeral"}"#;
    expect![[r#"
        complete all good
        artifact test-report.json application/json: {"greenlight":true,"summary":"all good","tested":["cart"],"outcomes":[{"name":"cart","status":"passed"},{"name":"old","status":"skipped","detail":"n/a"}],"concerns":[],"environment":"ephemeral"}
        note     accepted: all good
    "#]].assert_eq(&bench.job_reported("out", clean));
}

#[test]
fn ts_5_ts_6_first_any_concern_counts_later_only_high_ones() {
    let mut bench = tester("{}");
    let low = report(true, "", &concern("slow", "low"));
    expect![[r#"
        dispatch fixer (write) {"attempt":1,"max_attempts":10,"report":{"greenlight":true,"summary":"sum","tested":["t"],"outcomes":[],"concerns":[{"title":"slow","detail":"d","severity":"low"}]}}
        extra    tester/tester: sum

                 Concerns:
                 - [low] slow: d
        note     not accepted: 1 concern; fixer attempt 1 of 10
        progress 1/10 fixer at work
    "#]].assert_eq(&bench.job_reported("", &low));
    expect![[r#"
        dispatch tester (read-only) {"round":2}
        note     fixer is done; tester tests, round 2
    "#]]
    .assert_eq(&bench.job_done("mended"));
    expect![[r#"
        complete sum
        artifact test-report.json application/json: {"greenlight":true,"summary":"sum","tested":["t"],"outcomes":[],"concerns":[{"title":"slow","detail":"d","severity":"low"}]}
        note     accepted: sum; 1 concern advisory
    "#]].assert_eq(&bench.job_reported("", &low));
    let mut bench = tester("{}");
    bench.job_reported("", &low);
    bench.job_failed("no idea");
    expect![[r#"
        dispatch fixer (write) {"attempt":2,"max_attempts":10,"report":{"greenlight":true,"summary":"sum","tested":["t"],"outcomes":[],"concerns":[{"title":"leak","detail":"d","severity":"high"}]}}
        extra    tester/tester: sum

                 Concerns:
                 - [high] leak: d
        note     not accepted: 1 concern; fixer attempt 2 of 10
        progress 2/10 fixer at work
    "#]].assert_eq(&bench.job_reported("", &report(true, "", &concern("leak", "high"))));
}

#[test]
fn d_10_a_failed_outcome_is_never_accepted() {
    let failed = report(true, r#"{"name":"cart","status":"failed","detail":"500"}"#, "");
    let mut bench = tester("{}");
    expect![[r#"
        dispatch fixer (write) {"attempt":1,"max_attempts":10,"report":{"greenlight":true,"summary":"sum","tested":["t"],"outcomes":[{"name":"cart","status":"failed","detail":"500"}],"concerns":[]}}
        extra    tester/tester: sum

                 Failed:
                 - cart: 500
        note     not accepted: 1 failed; fixer attempt 1 of 10
        progress 1/10 fixer at work
    "#]].assert_eq(&bench.job_reported("", &failed));
    bench.job_done("");
    assert!(bench.job_reported("", &failed).contains("not accepted: 1 failed; fixer attempt 2 of 10"));
}

#[test]
fn ts_10_a_spent_budget_raises_test_failed() {
    let mut bench = tester(r#"{"max_attempts":1}"#);
    let concerns: Vec<_> = (0..7).map(|number| concern(&format!("c{number}"), "high")).collect();
    let bad = report(false, "", &concerns.join(","));
    bench.job_reported("", &bad);
    bench.job(JobOutcome::Evicted("machine went away".to_owned()));
    expect![[r#"
        fail     GateExhausted: the change was not accepted: no green light; 1 fix attempt spent; concerns: c0, c1, c2, c3, c4 and 2 more
        detail   sum
        note     not accepted: no green light; 1 fix attempt spent
        notice   test_failed: The tester does not accept the change | the change was not accepted: no green light; 1 fix attempt spent; concerns: c0, c1, c2, c3, c4 and 2 more

                 sum

                 Concerns:
                 - [high] c0: d
                 - [high] c1: d
                 - [high] c2: d
                 - [high] c3: d
                 - [high] c4: d
                 - [high] c5: d
                 - [high] c6: d
    "#]].assert_eq(&bench.job_reported("", &bad));
}

#[test]
fn ts_3_d_10_a_missing_or_invalid_report_fails_the_step() {
    let mut text = tester("{}").job_done("looks fine to me");
    let invalid = [
        r#"{"greenlight":"yes"}"#.to_owned(),
        r#"{"greenlight":true}"#.to_owned(),
        report(true, "", &concern("c", "fatal")),
        "[]".to_owned(),
        format!(r#"{{"summary":"{}"}}"#, "x".repeat(200_000)),
    ];
    for report in &invalid {
        text.push_str(&tester("{}").job_reported("", report));
    }
    expect![[r#"
        fail     Agent: `tester` ended without a report
        note     `tester` ended without a report
        notice   test_failed: The tester gave no usable report | `tester` ended without a report
        fail     Agent: the report of `tester` is not valid: invalid type: string "yes", expected a boolean
        note     the report of `tester` is not valid: invalid type: string "yes", expected a boolean
        notice   test_failed: The tester gave no usable report | the report of `tester` is not valid: invalid type: string "yes", expected a boolean
        fail     Agent: the report of `tester` is not valid: missing field `summary`
        note     the report of `tester` is not valid: missing field `summary`
        notice   test_failed: The tester gave no usable report | the report of `tester` is not valid: missing field `summary`
        fail     Agent: the report of `tester` is not valid: unknown variant `fatal`, expected one of `low`, `medium`, `high`, `critical`
        note     the report of `tester` is not valid: unknown variant `fatal`, expected one of `low`, `medium`, `high`, `critical`
        notice   test_failed: The tester gave no usable report | the report of `tester` is not valid: unknown variant `fatal`, expected one of `low`, `medium`, `high`, `critical`
        fail     Agent: the report of `tester` is not valid: it is not a JSON object
        note     the report of `tester` is not valid: it is not a JSON object
        notice   test_failed: The tester gave no usable report | the report of `tester` is not valid: it is not a JSON object
        fail     Agent: the report of `tester` is not valid: it has 200014 bytes, 131072 are allowed
        note     the report of `tester` is not valid: it has 200014 bytes, 131072 are allowed
        notice   test_failed: The tester gave no usable report | the report of `tester` is not valid: it has 200014 bytes, 131072 are allowed
    "#]].assert_eq(&text);
}

#[test]
fn ts_8_without_a_branch_nothing_can_be_mended() {
    let bad = report(false, "", "");
    let mut bench = tester("{}");
    bench.input.run.change.head_commit = None;
    let url = "https://git.test/8".to_owned();
    bench.input.run.change.pull_request = Some(PullRequest { url, number: Some(8), branch: None });
    expect![[r#"
        fail     Agent: the change was not accepted: no green light; there is no branch to push a fix to
        detail   sum
        note     not accepted: no green light; there is no branch to push a fix to
        notice   test_failed: The tester does not accept the change | the change was not accepted: no green light; there is no branch to push a fix to

                 sum
    "#]].assert_eq(&bench.job_reported("", &bad));
    let mut bench = tester("{}");
    bench.input.run.change.head_commit = None;
    let (url, branch) = ("https://git.test/8".to_owned(), Some("work/task".to_owned()));
    bench.input.run.change.pull_request = Some(PullRequest { url, number: Some(8), branch });
    assert!(bench.job_reported("", &bad).starts_with("dispatch fixer"));
}

#[test]
fn ts_11_nobody_to_mend_it_any_more_is_a_spent_budget() {
    let mut bench = tester("{}");
    bench.job_reported("", &report(false, "", ""));
    expect![[r#"
        fail     GateExhausted: the change was not accepted: nothing carries out `fixer` jobs; add [jobs.fixer] command = ["..."] to the pipeline file, or for items to .lockstep/commands.toml
        detail   sum
        note     not accepted: nothing carries out `fixer` jobs; add [jobs.fixer] command = ["..."] to the pipeline file, or for items to .lockstep/commands.toml
        notice   test_failed: The tester does not accept the change | the change was not accepted: nothing carries out `fixer` jobs; add [jobs.fixer] command = ["..."] to the pipeline file, or for items to .lockstep/commands.toml

                 sum
    "#]].assert_eq(&bench.job(JobOutcome::NotConfigured(String::new())));
    assert!(bench.state().contains(r#""attempts":0"#));
}

#[test]
fn a_tester_job_that_fails_fails_the_run() {
    expect![[r#"
        fail     JobFailed: job `tester` failed: infra
        note     job `tester` failed: infra
    "#]]
    .assert_eq(&tester("{}").job_failed("infra"));
}

#[test]
fn a_question_comes_before_the_missing_report() {
    let mut bench = tester("{}");
    expect![[r#"
        ask      Decision: Which shop? [old, new]
        proposal so far
        note     tester asks: Which shop?
    "#]]
    .assert_eq(&bench.job_asked("Which shop?", &["old", "new"]));
    expect![[r#"
        dispatch tester (read-only) {"round":1}
        note     tester tests, round 1
    "#]]
    .assert_eq(&bench.answered("old"));
}

#[test]
fn ts_4_the_state_keeps_the_last_report_and_the_budget() {
    let mut bench = tester("{}").policy(r#"{"ci_max_attempts":4}"#);
    bench.job_reported("", &report(false, "", ""));
    expect![[r#"{"phase":"fixing","attempts":1,"maxAttempts":4,"lastReport":{"greenlight":false,"summary":"sum","tested":["t"],"outcomes":[],"concerns":[]}}"#]].assert_eq(bench.state());
}
