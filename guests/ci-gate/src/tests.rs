use super::CiGate;
use expect_test::{Expect, expect};
use lockstep_sdk::testing::{Bench, check, check_schema, checks_at};
use lockstep_sdk::{JobOutcome, ObserveError};

const HEAD: &str = "3f2a91c77d";

/// A gate whose looks see, one after the other, these lists of checks: `test=success lint=running`.
fn gate(config: &str, looks: &[&str]) -> Bench<CiGate> {
    let mut bench = Bench::new(config);
    for look in looks {
        let checks = look.split_whitespace().map(check).collect();
        bench.host.push_checks(Ok(checks_at(Some(HEAD), checks)));
    }
    bench
}

fn first_look(config: &str, look: &str, expected: &Expect) {
    expected.assert_eq(&gate(config, &[look]).started());
}

#[test]
fn the_schema_fits_the_config() {
    check_schema::<CiGate>();
}

#[test]
fn ci_2_success_neutral_and_skipped_pass() {
    first_look(
        "{}",
        "a=success b=neutral c=skipped",
        &expect![[r#"
        complete 3 checks green
        note     3 checks green at 3f2a91c
    "#]],
    );
}

#[test]
fn ci_2_anything_else_fails_also_no_conclusion() {
    first_look(
        "{}",
        "a=cancelled b=none c=action_required d=stale e=success",
        &expect![[r#"
        dispatch ci-fixer (write) {"attempt":1,"max_attempts":10,"head_commit":"3f2a91c77d","summary":"a (cancelled), b (failure), c (action_required), d (stale)","failing_checks":[{"name":"a","conclusion":"cancelled","url":null,"output":null},{"name":"b","conclusion":null,"url":null,"output":null},{"name":"c","conclusion":"action_required","url":null,"output":null},{"name":"d","conclusion":"stale","url":null,"output":null}]}
        extra    ci-gate/ci-gate: a (cancelled), b (failure), c (action_required), d (stale)
        note     4 checks failing at 3f2a91c: a (cancelled), b (failure), c (action_required), d (stale); ci-fixer attempt 1 of 10
        progress 1/10 ci-fixer at work
    "#]],
    );
}

#[test]
fn ci_4_one_failure_beats_running_checks() {
    first_look(
        "{}",
        "a=failure b=running",
        &expect![[r#"
        dispatch ci-fixer (write) {"attempt":1,"max_attempts":10,"head_commit":"3f2a91c77d","summary":"a (failure)","failing_checks":[{"name":"a","conclusion":"failure","url":null,"output":null}]}
        extra    ci-gate/ci-gate: a (failure)
        note     1 check failing at 3f2a91c: a (failure); ci-fixer attempt 1 of 10
        progress 1/10 ci-fixer at work
    "#]],
    );
}

#[test]
fn ci_5_no_checks_and_no_commit_are_green() {
    first_look(
        "{}",
        "",
        &expect![[r#"
        complete no checks are configured
        note     no checks are configured at 3f2a91c
    "#]],
    );
    let mut bench = Bench::<CiGate>::new("{}");
    bench.host.push_checks(Ok(checks_at(None, Vec::new())));
    expect![[r#"
        complete no checks are configured
        note     no checks are configured at no commit
    "#]]
    .assert_eq(&bench.started());
}

#[test]
fn ci_8_the_fixer_sees_what_failed() {
    let mut bench =
        Bench::<CiGate>::new(r#"{"instructions":"no new dependencies","time_limit_s":60}"#).role("ci");
    let mut failing = check("test=failure");
    failing.url = Some("https://ci.test/1".to_owned());
    failing.summary = Some("assertion failed: coupons".to_owned());
    bench.host.push_checks(Ok(checks_at(Some(HEAD), vec![failing])));
    expect![[r#"
        dispatch ci-fixer (write) {"attempt":1,"max_attempts":10,"head_commit":"3f2a91c77d","summary":"test (failure)","failing_checks":[{"name":"test","conclusion":"failure","url":"https://ci.test/1","output":"assertion failed: coupons"}],"instructions":"no new dependencies"}
        extra    ci-gate/ci: test (failure)
        limit    60000 ms
        note     1 check failing at 3f2a91c: test (failure); ci-fixer attempt 1 of 10
        progress 1/10 ci-fixer at work
    "#]].assert_eq(&bench.started());
    expect![[r#"{"phase":"working","attempts":1,"maxAttempts":10,"headSha":"3f2a91c77d","lastVerdict":"fail","lastFailureSummary":"test (failure)","failingChecks":[{"name":"test","conclusion":"failure","url":"https://ci.test/1"}],"polls":0,"readFailures":0}"#]].assert_eq(bench.state());
}

#[test]
fn gm_9_after_the_fixer_it_waits_one_interval_and_looks_again() {
    let mut bench = gate("{}", &["test=failure", "test=running", "test=success"]);
    bench.started();
    expect![[r#"
        wait     30000 ms: CI has to look at the repaired change
        note     ci-fixer attempt 1 done; looks again
    "#]]
    .assert_eq(&bench.job_done("mended the coupon"));
    expect![[r#"{"phase":"checking","attempts":1,"maxAttempts":10,"headSha":"3f2a91c77d","lastVerdict":"fail","lastFailureSummary":"test (failure)","failingChecks":[{"name":"test","conclusion":"failure","url":null}],"attemptLog":[{"attempt":1,"at":1000000,"outcome":"completed","headSha":"3f2a91c77d","summary":"mended the coupon"}],"polls":0,"dueAt":1030000,"readFailures":0}"#]].assert_eq(bench.state());
    expect![[r#"
        wait     30000 ms: 1 of 1 check running: test
        note     1 of 1 check running: test at 3f2a91c; look 1 of 120
    "#]]
    .assert_eq(&bench.due());
    expect![[r#"
        complete 1 check green
        note     1 check green at 3f2a91c
    "#]]
    .assert_eq(&bench.due());
    expect![[r#"{"phase":"checking","attempts":1,"maxAttempts":10,"headSha":"3f2a91c77d","lastVerdict":"pass","attemptLog":[{"attempt":1,"at":1000000,"outcome":"completed","headSha":"3f2a91c77d","summary":"mended the coupon"}],"polls":2,"readFailures":0}"#]].assert_eq(bench.state());
}

#[test]
fn gm_9_a_fixer_that_failed_or_was_evicted_costs_an_attempt_and_no_more() {
    let mut bench = gate("{}", &["test=failure", "test=failure", "test=success"]);
    bench.started();
    bench.job_failed("no idea");
    expect![[r#"
        dispatch ci-fixer (write) {"attempt":2,"max_attempts":10,"head_commit":"3f2a91c77d","summary":"test (failure)","failing_checks":[{"name":"test","conclusion":"failure","url":null,"output":null}]}
        extra    ci-gate/ci-gate: test (failure)
        note     1 check failing at 3f2a91c: test (failure); ci-fixer attempt 2 of 10
        progress 2/10 ci-fixer at work
    "#]].assert_eq(&bench.due());
    expect![[r#"
        wait     30000 ms: CI has to look at the repaired change
        note     ci-fixer attempt 2 failed; looks again
    "#]]
    .assert_eq(&bench.job(JobOutcome::Evicted("machine went away".to_owned())));
    expect![[r#"
        complete 1 check green
        note     1 check green at 3f2a91c
    "#]]
    .assert_eq(&bench.due());
}

#[test]
fn ci_10_a_spent_budget_raises_ci_failed() {
    let mut bench = gate(r#"{"max_attempts":1}"#, &["test=failure"]);
    bench.started();
    bench.job_done("");
    expect![[r#"
        fail     GateExhausted: CI fails: test (failure); 1 ci-fixer attempt was not enough
        note     1 check failing at 3f2a91c: test (failure); 1 ci-fixer attempt was not enough
        notice   ci_failed: CI stays red | CI fails: test (failure); 1 ci-fixer attempt was not enough
    "#]]
    .assert_eq(&bench.due());
    expect![[r#"{"phase":"checking","attempts":1,"maxAttempts":1,"headSha":"3f2a91c77d","lastVerdict":"fail","lastFailureSummary":"test (failure)","failingChecks":[{"name":"test","conclusion":"failure","url":null}],"attemptLog":[{"attempt":1,"at":1000000,"outcome":"completed","headSha":"3f2a91c77d","summary":"ci-fixer gave no account"}],"polls":1,"readFailures":0}"#]].assert_eq(bench.state());
}

#[test]
fn ci_9_a_budget_of_zero_means_never_and_the_policy_counts_where_nothing_is_configured() {
    first_look(
        r#"{"max_attempts":0}"#,
        "test=failure",
        &expect![[r#"
            fail     GateExhausted: CI fails: test (failure); no repair is allowed
            note     1 check failing at 3f2a91c: test (failure); no repair is allowed
            notice   ci_failed: CI stays red | CI fails: test (failure); no repair is allowed
        "#]],
    );
    let mut bench = gate("{}", &["test=failure"]).policy(r#"{"ci_max_attempts":2}"#);
    bench.started();
    bench.input.step.policy = r#"{"ci_max_attempts":9}"#.to_owned();
    bench.job_done("");
    let note = bench.due();
    assert!(note.contains("ci-fixer attempt 2 of 2"), "GM-4: the first entry fixes the budget: {note}");
}

#[test]
fn ci_10_nobody_to_repair_it_is_a_spent_budget() {
    let mut bench = gate("{}", &["test=failure"]);
    bench.started();
    expect![[r#"
        fail     GateExhausted: CI fails: test (failure); nothing carries out `ci-fixer` jobs; add [jobs.ci-fixer] command = ["..."] to the pipeline file, or for items to .lockstep/commands.toml
        note     nothing carries out `ci-fixer` jobs; add [jobs.ci-fixer] command = ["..."] to the pipeline file, or for items to .lockstep/commands.toml
        notice   ci_failed: CI stays red | CI fails: test (failure); nothing carries out `ci-fixer` jobs; add [jobs.ci-fixer] command = ["..."] to the pipeline file, or for items to .lockstep/commands.toml
    "#]].assert_eq(&bench.job(JobOutcome::NotConfigured(String::new())));
    assert!(bench.state().contains(r#""attempts":0"#), "nothing was attempted: {}", bench.state());
}

#[test]
fn ci_11_the_last_permitted_look_decides() {
    let mut bench = gate(r#"{"max_polls":2,"interval_ms":5000}"#, &["test=running"]);
    expect![[r#"
        wait     5000 ms: 1 of 1 check running: test
        note     1 of 1 check running: test at 3f2a91c
    "#]]
    .assert_eq(&bench.started());
    expect![[r#"
        wait     5000 ms: 1 of 1 check running: test
        note     1 of 1 check running: test at 3f2a91c; look 1 of 2
    "#]]
    .assert_eq(&bench.due());
    expect![[r#"
        fail     Timeout: CI was still not decided after 2 looks: 1 of 1 check running: test
        note     1 of 1 check running: test at 3f2a91c; look 2 of 2
    "#]]
    .assert_eq(&bench.due());
}

#[test]
fn an_early_call_is_not_counted_as_a_poll() {
    let mut bench = gate(r#"{"max_polls":2}"#, &["test=running"]);
    bench.started();
    for _ in 0..5 {
        assert!(bench.woken().starts_with("wait "), "no time has passed");
    }
    assert!(bench.woken().starts_with("wait     29994 ms"), "the counted look keeps its time");
    bench.due();
    assert!(bench.due().starts_with("fail     Timeout"));
}

#[test]
fn dl_1_the_first_look_must_succeed() {
    let mut bench = Bench::<CiGate>::new("{}");
    bench.host.push_checks(Err(ObserveError::Failed("rate limited".to_owned())));
    expect![[r#"
        fail     Agent: CI cannot be read: rate limited
        note     CI cannot be read: rate limited
    "#]]
    .assert_eq(&bench.started());
}

#[test]
fn dl_3_later_looks_may_fail_a_few_times_in_a_row() {
    let mut bench = gate(r#"{"read_failure_tolerance":2}"#, &["test=running"]);
    let failed = || Err(ObserveError::Failed("rate limited".to_owned()));
    bench.host.push_checks(failed());
    bench.host.push_checks(Ok(checks_at(Some(HEAD), vec![check("test=running")])));
    bench.host.push_checks(failed());
    bench.started();
    expect![[r#"
        wait     30000 ms: CI could not be read: rate limited
        note     CI could not be read (1 of 2 in a row): rate limited
    "#]]
    .assert_eq(&bench.due());
    assert!(bench.due().starts_with("wait "), "a good look begins the count anew");
    bench.due();
    expect![[r#"
        fail     Timeout: CI could not be read 2 times in a row: rate limited
        note     CI could not be read 2 times in a row: rate limited
    "#]]
    .assert_eq(&bench.due());
}

#[test]
fn gm_3_without_a_provider_it_lets_everything_through() {
    expect![[r#"
        complete skipped: no provider tells about CI
        note     skipped: no provider tells about CI
    "#]]
    .assert_eq(&Bench::<CiGate>::new("{}").started());
}

#[test]
fn d_23_a_required_check_that_was_never_reported_is_waited_for() {
    let config = r#"{"required":["e2e","test"]}"#;
    first_look(
        config,
        "test=success lint=success",
        &expect![[r#"
            wait     30000 ms: 1 required check never reported: e2e
            note     1 required check never reported: e2e at 3f2a91c
        "#]],
    );
    first_look(
        config,
        "test=success e2e=success lint=failure",
        &expect![[r#"
        dispatch ci-fixer (write) {"attempt":1,"max_attempts":10,"head_commit":"3f2a91c77d","summary":"lint (failure)","failing_checks":[{"name":"lint","conclusion":"failure","url":null,"output":null}]}
        extra    ci-gate/ci-gate: lint (failure)
        note     1 check failing at 3f2a91c: lint (failure); ci-fixer attempt 1 of 10
        progress 1/10 ci-fixer at work
    "#]],
    );
    first_look(
        r#"{"required":["test"],"only_required":true}"#,
        "test=success lint=failure",
        &expect![[r#"
        complete 1 check green
        note     1 check green at 3f2a91c
    "#]],
    );
}

#[test]
fn d_23_what_the_odd_conclusions_mean_can_be_set() {
    let config = r#"{"on_none":"fail","on_neutral":"fail","on_skipped":"wait","on_stale":"pass"}"#;
    first_look(
        config,
        "a=stale",
        &expect![[r#"
        complete 1 check green
        note     1 check green at 3f2a91c
    "#]],
    );
    first_look(
        config,
        "a=skipped",
        &expect![[r#"
            wait     30000 ms: 1 of 1 check running: a
            note     1 of 1 check running: a at 3f2a91c
        "#]],
    );
    first_look(
        config,
        "a=neutral",
        &expect![[r#"
        dispatch ci-fixer (write) {"attempt":1,"max_attempts":10,"head_commit":"3f2a91c77d","summary":"a (neutral)","failing_checks":[{"name":"a","conclusion":"neutral","url":null,"output":null}]}
        extra    ci-gate/ci-gate: a (neutral)
        note     1 check failing at 3f2a91c: a (neutral); ci-fixer attempt 1 of 10
        progress 1/10 ci-fixer at work
    "#]],
    );
    first_look(
        config,
        "",
        &expect![[r#"
        dispatch ci-fixer (write) {"attempt":1,"max_attempts":10,"head_commit":"3f2a91c77d","summary":"no check was reported","failing_checks":[]}
        extra    ci-gate/ci-gate: no check was reported
        note     no checks at 3f2a91c: no check was reported; ci-fixer attempt 1 of 10
        progress 1/10 ci-fixer at work
    "#]],
    );
    first_look(
        r#"{"on_none":"wait"}"#,
        "",
        &expect![[r#"
            wait     30000 ms: no check was reported yet
            note     no check was reported yet at 3f2a91c
        "#]],
    );
}

#[test]
fn d_23_a_failure_can_wait_for_all() {
    first_look(
        r#"{"wait_for_all":true}"#,
        "a=failure b=running c=success",
        &expect![[r#"
            wait     30000 ms: 1 check failing, waits for the rest; 1 of 3 checks running: b
            note     1 check failing, waits for the rest; 1 of 3 checks running: b at 3f2a91c
        "#]],
    );
    first_look(
        r#"{"wait_for_all":true}"#,
        "a=failure b=success",
        &expect![[r#"
        dispatch ci-fixer (write) {"attempt":1,"max_attempts":10,"head_commit":"3f2a91c77d","summary":"a (failure)","failing_checks":[{"name":"a","conclusion":"failure","url":null,"output":null}]}
        extra    ci-gate/ci-gate: a (failure)
        note     1 check failing at 3f2a91c: a (failure); ci-fixer attempt 1 of 10
        progress 1/10 ci-fixer at work
    "#]],
    );
}

#[test]
fn a_rework_looks_again_and_keeps_what_was_spent() {
    let mut bench = gate("{}", &["test=failure", "test=success"]);
    bench.started();
    bench.job_done("mended");
    bench.due();
    expect![[r#"
        complete 1 check green
        note     1 check green at 3f2a91c
    "#]]
    .assert_eq(&bench.reworked("look again"));
    assert!(bench.state().contains(r#""attempts":1"#));
}

#[test]
fn a_setting_that_does_not_exist_is_named() {
    first_look(
        r#"{"max_attemps":3}"#,
        "",
        &expect![[r#"
            error    step `ci-gate`, config max_attemps: unknown field `max_attemps`, expected one of `required`, `only_required`, `on_none`, `on_skipped`, `on_neutral`, `on_stale`, `wait_for_all`, `max_attempts`, `interval_ms`, `max_polls`, `read_failure_tolerance`, `instructions`, `time_limit_s`; change it in the pipeline file
        "#]],
    );
    first_look(
        r#"{"on_none":"ignore"}"#,
        "",
        &expect![[r#"
            error    step `ci-gate`, config on_none: unknown variant `ignore`, expected one of `pass`, `wait`, `fail`; change it in the pipeline file
        "#]],
    );
}

#[test]
fn an_event_it_never_asked_for_is_a_fault() {
    let mut bench = gate("{}", &["test=running"]);
    bench.started();
    expect![[r#"
        error    event `answered` makes no sense while a gate looks or has a helper at work
    "#]]
    .assert_eq(&bench.answered("yes"));
}

#[test]
fn many_failing_checks_are_counted_not_listed() {
    let checks: Vec<_> = (0..60).map(|number| format!("c{number}=failure")).collect();
    let mut bench = gate("{}", &[&checks.join(" ")]);
    let text = bench.started();
    assert!(text.contains("60 checks failing at 3f2a91c: c0 (failure)") && text.contains("and 10 more"));
    assert!(!bench.state().contains("c50"));
}
