use super::Deployer;
use expect_test::expect;
use lockstep_sdk::environments::{Report, Status};
use lockstep_sdk::testing::{Bench, check_schema};
use lockstep_sdk::{EffectOutcome, ObserveError, PullRequest};

fn done(told: &str) -> EffectOutcome {
    EffectOutcome::Done(told.to_owned())
}

/// A step whose environment is being made.
fn provisioning(config: &str) -> Bench<Deployer> {
    let mut bench = Bench::new(config);
    bench.started();
    bench.effect(done(r#"{"id":"e1","status":"provisioning"}"#));
    bench
}

fn report(status: Status) -> Result<Option<Report>, ObserveError> {
    Ok(Some(Report { status, url: Some("https://e1.test".to_owned()), expires_at: None }))
}

#[test]
fn the_schema_fits_the_config() {
    check_schema::<Deployer>();
}

#[test]
fn dp_2_dp_3_it_provisions_and_says_where() {
    let mut bench = Bench::<Deployer>::new(r#"{"inputs":{"size":"s","branch":"mine"}}"#);
    let url = "https://git.test/shop/web/pull/7".to_owned();
    let branch = Some("work/task".to_owned());
    bench.input.run.change.pull_request = Some(PullRequest { url, number: Some(7), branch });
    expect![[r#"
        perform  provision to keep {"branch":"mine","description":"do the thing","head_commit":"3f2a91c77d","item":"task","owner":"shop","pull_request_number":7,"pull_request_url":"https://git.test/shop/web/pull/7","repository":"web","size":"s","title":"Take coupons"}
        note     an environment is asked for
    "#]].assert_eq(&bench.started());
    let told =
        r#"{"id":"e1","status":"ready","url":"https://e1.test","expires_at":4600000,"provider":"fly"}"#;
    expect![[r#"
        complete environment e1 of fly is ready: https://e1.test; it ends in 60 minutes
        note     environment e1 of fly is ready: https://e1.test; it ends in 60 minutes
    "#]]
    .assert_eq(&bench.effect(done(told)));
    let told = r#"{"id":"e2","status":"failed"}"#;
    bench.reworked("again");
    expect![[r#"
        complete environment e2 of the environment provider is failed: address pending
        note     environment e2 of the environment provider is failed: address pending
    "#]]
    .assert_eq(&bench.effect(done(told)));
}

#[test]
fn d_21_it_waits_until_the_environment_is_ready_or_failed() {
    let mut bench = Bench::<Deployer>::new("{}");
    bench.started();
    bench.host.push_environment(report(Status::Provisioning));
    bench.host.push_environment(report(Status::Provisioning));
    bench.host.push_environment(report(Status::Ready));
    expect![[r#"
        wait     30000 ms: the environment is being made
        note     the environment is being made; look 0 of 120
    "#]]
    .assert_eq(&bench.effect(done(r#"{"id":"e1","status":"provisioning"}"#)));
    expect![[r#"
        wait     29999 ms: the environment is being made
        note     the environment is being made; look 0 of 120
    "#]]
    .assert_eq(&bench.woken());
    expect![[r#"
        wait     30000 ms: the environment is being made
        note     the environment is being made; look 1 of 120
    "#]]
    .assert_eq(&bench.due());
    expect![[r#"
        complete environment e1 of the environment provider is ready: https://e1.test
        note     environment e1 of the environment provider is ready: https://e1.test
    "#]]
    .assert_eq(&bench.due());
    let mut bench = provisioning("{}");
    bench.host.push_environment(Ok(None));
    expect![[r#"
        complete environment e1 of the environment provider is torn-down: address pending
        note     environment e1 of the environment provider is torn-down: address pending
    "#]]
    .assert_eq(&bench.due());
}

#[test]
fn dl_3_looks_are_limited_and_so_are_those_that_fail() {
    let mut bench = provisioning(r#"{"max_polls":1}"#);
    bench.host.push_environment(report(Status::Provisioning));
    expect![[r#"
        fail     Timeout: the environment is being made, and was not ready after 1 look
        note     the environment is being made, and was not ready after 1 look
    "#]]
    .assert_eq(&bench.due());
    let mut bench = provisioning(r#"{"read_failure_tolerance":2}"#);
    bench.host.push_environment(Err(ObserveError::Failed("x".to_owned())));
    expect![[r#"
        wait     30000 ms: the environment cannot be looked at: x
        note     the environment cannot be looked at: x; look 1 of 120
    "#]]
    .assert_eq(&bench.due());
    expect![[r#"
        fail     Timeout: the environment could not be looked at 2 times in a row: x
        note     the environment could not be looked at 2 times in a row: x
    "#]]
    .assert_eq(&bench.due());
}

#[test]
fn dp_4_an_error_of_the_provider_fails_the_step() {
    let mut text = String::new();
    for outcome in [EffectOutcome::Failed("quota".to_owned()), done("{}")] {
        let mut bench = Bench::<Deployer>::new("{}");
        bench.started();
        text.push_str(&bench.effect(outcome));
    }
    expect![[r#"
        fail     Agent: the environment could not be made: quota
        note     the environment could not be made: quota
        fail     Agent: the environment could not be made: its provider told nothing usable: missing field `id`
        note     the environment could not be made: its provider told nothing usable: missing field `id`
    "#]].assert_eq(&text);
}

#[test]
fn dp_1_without_a_provider_a_job_deploys() {
    let mut bench = Bench::<Deployer>::new(r#"{"instructions":"to staging"}"#).unwired("provision");
    expect![[r#"
        dispatch deployer (read-only) {"instructions":"to staging"}
        note     deployer goes to work; nobody provides environments
    "#]]
    .assert_eq(&bench.started());
    assert!(bench.job_asked("Where?", &[]).starts_with("ask      Decision: Where?"));
    assert!(bench.answered("there").starts_with("dispatch deployer"));
    expect![[r#"
        complete it runs
        note     deployer is done
    "#]]
    .assert_eq(&bench.job_done("it runs"));
    let mut bench = Bench::<Deployer>::new("{}").unwired("deployer");
    bench.started();
    expect![[r#"
        complete skipped: nobody provides environments, and nothing carries out `deployer` jobs
        note     skipped: nobody provides environments, and nothing carries out `deployer` jobs
    "#]]
    .assert_eq(&bench.effect(EffectOutcome::NotConfigured(String::new())));
}
