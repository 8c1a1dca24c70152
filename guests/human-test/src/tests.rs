use super::HumanTest;
use expect_test::expect;
use lockstep_sdk::environments::{Report, Status};
use lockstep_sdk::testing::{Bench, check_schema};
use lockstep_sdk::{EffectOutcome, JobOutcome, ObserveError};

const READY: &str = r#"{"id":"e1","status":"ready","url":"https://e1.test"}"#;
const PROVISIONING: &str = r#"{"id":"e1","status":"provisioning"}"#;

fn report(status: Status) -> Result<Option<Report>, ObserveError> {
    let url = (status == Status::Ready).then(|| "https://e1.test".to_owned());
    Ok(Some(Report { status, url, expires_at: None }))
}

fn done(told: &str) -> EffectOutcome {
    EffectOutcome::Done(told.to_owned())
}

/// A step whose environment was asked for.
fn begun() -> Bench<HumanTest> {
    let mut bench = Bench::new("{}");
    bench.started();
    bench
}

/// A step that waits for a person.
fn parked() -> Bench<HumanTest> {
    let mut bench = begun();
    bench.effect(done(READY));
    bench
}

/// A person acts, and what comes of it is carried out.
fn carry_out(bench: &mut Bench<HumanTest>, name: &str, input: &str) -> String {
    let accepted = bench.acted(name, input);
    assert!(accepted.starts_with("wait     0 ms"), "{accepted}");
    bench.due()
}

#[test]
fn the_schema_fits_the_config() {
    check_schema::<HumanTest>();
}

#[test]
fn ht_2_ht_6_a_ready_environment_is_handed_to_a_person() {
    let mut bench = Bench::<HumanTest>::new(r#"{"inputs":{"title":"mine","size":"s"}}"#);
    expect![[r#"
        perform  provision {"branch":"work/task","description":"do the thing","head_commit":"3f2a91c77d","item":"task","size":"s","title":"mine"}
        note     an environment is asked for
    "#]].assert_eq(&bench.started());
    expect![[r#"
        ask      HumanTest: Try it at https://e1.test. Confirm the change, or say what is to be fixed. []
        actions  confirm, request-fix, pull-main, recreate, destroy
        note     the environment is ready; a person tries the change
        notice   human_test_ready: Try the change: Take coupons | Try it at https://e1.test. Confirm the change, or say what is to be fixed.
    "#]].assert_eq(&bench.effect(done(READY)));
    expect![[r#"{"phase":"awaiting_human","environment":{"id":"e1","status":"ready","url":"https://e1.test","told":"{\"id\":\"e1\",\"status\":\"ready\",\"url\":\"https://e1.test\"}"},"attempts":0,"maxAttempts":10,"headSha":"3f2a91c77d","polls":0}"#]].assert_eq(bench.state());
}

#[test]
fn ht_3_it_waits_until_the_environment_is_ready() {
    let mut bench = begun();
    bench.host.push_environment(report(Status::Provisioning));
    bench.host.push_environment(report(Status::Provisioning));
    bench.host.push_environment(report(Status::Ready));
    expect![[r#"
        wait     30000 ms: the environment is being made
        note     the environment is being made
    "#]]
    .assert_eq(&bench.effect(done(PROVISIONING)));
    expect![[r#"
        wait     29999 ms: the environment is being made
        note     the environment is being made
    "#]]
    .assert_eq(&bench.woken());
    expect![[r#"
        wait     30000 ms: the environment is being made
        note     the environment is being made; look 1 of 120
    "#]]
    .assert_eq(&bench.due());
    expect![[r#"
        ask      HumanTest: Try it at https://e1.test. Confirm the change, or say what is to be fixed. []
        actions  confirm, request-fix, pull-main, recreate, destroy
        note     the environment is ready; a person tries the change
        notice   human_test_ready: Try the change: Take coupons | Try it at https://e1.test. Confirm the change, or say what is to be fixed.
    "#]].assert_eq(&bench.due());
}

#[test]
fn ht_5_whatever_is_wrong_with_the_environment_a_person_does_without() {
    let mut text = String::new();
    for outcome in [
        EffectOutcome::NotConfigured(String::new()),
        EffectOutcome::Failed("quota".to_owned()),
        EffectOutcome::Refused("no such size".to_owned()),
        done("[]"),
        done(r#"{"id":"e1","status":"up"}"#),
    ] {
        text.push_str(begun().effect(outcome).lines().last().unwrap_or_default());
        text.push('\n');
    }
    for look in [
        report(Status::Failed),
        report(Status::Expired),
        Ok(None),
        Err(ObserveError::Failed("x".to_owned())),
        Err(ObserveError::NotConfigured),
    ] {
        let mut bench = begun();
        bench.host.push_environment(look);
        bench.effect(done(PROVISIONING));
        text.push_str(bench.due().lines().last().unwrap_or_default());
        text.push('\n');
    }
    expect![[r#"
        notice   human_test_ready: Try the change: Take coupons | There is no environment to try it in: nobody provides environments. Confirm the change, or say what is to be fixed.
        notice   human_test_ready: Try the change: Take coupons | There is no environment to try it in: the environment could not be made: quota. Confirm the change, or say what is to be fixed.
        notice   human_test_ready: Try the change: Take coupons | There is no environment to try it in: the environment could not be made: no such size. Confirm the change, or say what is to be fixed.
        notice   human_test_ready: Try the change: Take coupons | There is no environment to try it in: its provider told nothing usable: it is not a JSON object. Confirm the change, or say what is to be fixed.
        notice   human_test_ready: Try the change: Take coupons | There is no environment to try it in: its provider told nothing usable: unknown variant `up`, expected one of `provisioning`, `ready`, `failed`, `expired`, `torn-down`. Confirm the change, or say what is to be fixed.
        notice   human_test_ready: Try the change: Take coupons | There is no environment to try it in: the environment is failed. Confirm the change, or say what is to be fixed.
        notice   human_test_ready: Try the change: Take coupons | There is no environment to try it in: the environment is expired. Confirm the change, or say what is to be fixed.
        notice   human_test_ready: Try the change: Take coupons | There is no environment to try it in: the environment is not known any more. Confirm the change, or say what is to be fixed.
        notice   human_test_ready: Try the change: Take coupons | There is no environment to try it in: the environment cannot be looked at: x. Confirm the change, or say what is to be fixed.
        notice   human_test_ready: Try the change: Take coupons | There is no environment to try it in: nobody tells of the environment. Confirm the change, or say what is to be fixed.
    "#]].assert_eq(&text);
}

#[test]
fn ht_4_with_its_looks_spent_a_person_does_without() {
    let mut bench = begun().policy(r#"{"gate_max_polls":1}"#);
    bench.host.push_environment(report(Status::Provisioning));
    bench.effect(done(PROVISIONING));
    expect![[r#"
        ask      HumanTest: There is no environment to try it in: the environment was not ready in time. Confirm the change, or say what is to be fixed. []
        actions  confirm, request-fix, pull-main, recreate, destroy
        note     the environment was not ready in time; a person tries the change
        notice   human_test_ready: Try the change: Take coupons | There is no environment to try it in: the environment was not ready in time. Confirm the change, or say what is to be fixed.
    "#]].assert_eq(&bench.due());
}

#[test]
fn ht_9_confirm_tears_down_and_completes() {
    let mut bench = parked();
    expect![[r#"
        wait     0 ms: `confirm` is carried out
        note     ann asks for `confirm`
    "#]]
    .assert_eq(&bench.acted("confirm", "{}"));
    expect![[r#"
        refuse   Conflict: `confirm` is possible only while the change waits to be tried; look again in a moment
    "#]].assert_eq(&bench.acted("confirm", "{}"));
    expect![[r#"
        complete (no output)
        approved already
        note     a person tried the change and confirms it
        settled  human_test_ready
        teardown {"id":"e1","status":"ready","url":"https://e1.test"}
    "#]]
    .assert_eq(&bench.due());
}

#[test]
fn ht_10_a_fix_and_then_another_environment() {
    let mut bench = parked();
    expect![[r#"
        dispatch fixer (write) {"attempt":1,"max_attempts":10,"findings":"button broken","environment_url":"https://e1.test"}
        extra    human-test/human-test: button broken
        note     fixer attempt 1 of 10
        progress 1/10 fixer at work
    "#]].assert_eq(&carry_out(&mut bench, "request-fix", r#"{"findings":"button broken"}"#));
    expect![[r#"
        refuse   Conflict: `confirm` is possible only while the change waits to be tried; look again in a moment
    "#]].assert_eq(&bench.acted("confirm", "{}"));
    expect![[r#"
        perform  provision {"branch":"work/task","description":"do the thing","head_commit":"3f2a91c77d","item":"task","title":"Take coupons"}
        note     fixer failed; the environment is made anew
        teardown {"id":"e1","status":"ready","url":"https://e1.test"}
    "#]].assert_eq(&bench.job_failed("no idea"));
    expect![[r#"{"phase":"provisioning","environment":null,"attempts":1,"maxAttempts":10,"headSha":"3f2a91c77d","rounds":[{"kind":"fix","findings":"button broken","helperKind":"fixer","at":1000000,"settledAt":1000000,"outcome":"failed"}],"polls":0}"#]].assert_eq(bench.state());
    assert!(bench.effect(done(READY)).starts_with("ask      HumanTest"));
}

#[test]
fn ht_10_pull_main_rebuilds_resolves_or_parks_again() {
    let updated = |outcome: EffectOutcome| {
        let mut bench = parked();
        expect![[r#"
            perform  update-branch
            note     main is merged into the change
        "#]]
        .assert_eq(&carry_out(&mut bench, "pull-main", "{}"));
        let text = bench.effect(outcome);
        (bench, text)
    };
    expect![[r#"
        perform  provision {"branch":"work/task","description":"do the thing","head_commit":"3f2a91c77d","item":"task","title":"Take coupons"}
        note     main is merged; the environment is made anew
        teardown {"id":"e1","status":"ready","url":"https://e1.test"}
    "#]].assert_eq(&updated(done(r#"{"result":"noop"}"#)).1);
    let (mut bench, text) = updated(EffectOutcome::Refused("src/cart.rs conflicts".to_owned()));
    expect![[r#"
        dispatch conflict-resolver (write) {"attempt":1,"head_commit":"3f2a91c77d","base_branch":"main","conflicts":[],"detail":"src/cart.rs conflicts"}
        note     main conflicts: src/cart.rs conflicts; conflict-resolver at work
    "#]].assert_eq(&text);
    expect![[r#"
        perform  provision {"branch":"work/task","description":"do the thing","head_commit":"3f2a91c77d","item":"task","title":"Take coupons"}
        note     conflict-resolver completed; the environment is made anew
        teardown {"id":"e1","status":"ready","url":"https://e1.test"}
    "#]].assert_eq(&bench.job_done("resolved"));
    expect![[r#"
        ask      HumanTest: Try it at https://e1.test. Confirm the change, or say what is to be fixed. []
        actions  confirm, request-fix, pull-main, recreate, destroy
        note     the base branch could not be merged: x; a person tries the change
        notice   human_test_ready: Try the change: Take coupons | Try it at https://e1.test. Confirm the change, or say what is to be fixed.
    "#]].assert_eq(&updated(EffectOutcome::Failed("x".to_owned())).1);
}

#[test]
fn d_17_what_cannot_be_carried_out_is_refused() {
    let mut text = String::new();
    text.push_str(&parked().policy(r#"{"ci_max_attempts":1}"#).acted("request-fix", r#"{"findings":7}"#));
    text.push_str(&parked().unwired("fixer").acted("request-fix", "{}"));
    text.push_str(&parked().unwired("update-branch").acted("pull-main", "{}"));
    text.push_str(&parked().unwired("provision").acted("recreate", "{}"));
    text.push_str(&parked().acted("dance", "{}"));
    text.push_str(&begun().acted("confirm", "{}"));
    text.push_str(&begun().acted("destroy", "{}"));
    let mut bench = parked();
    bench.input.run.change.head_commit = None;
    text.push_str(&bench.acted("request-fix", "{}"));
    text.push_str(&bench.acted("pull-main", "{}"));
    let mut bench = Bench::<HumanTest>::new(r#"{"max_attempts":0}"#).unwired("fixer");
    bench.started();
    bench.effect(done(READY));
    text.push_str(&bench.acted("request-fix", "{}"));
    expect![[r#"
        refuse   Invalid: the input of `request-fix` is not valid: invalid type: integer `7`, expected a string
        refuse   Conflict: nothing carries out `fixer` jobs; add [jobs.fixer] command = ["..."] to the pipeline file, or for items to .lockstep/commands.toml
        refuse   Conflict: nobody merges the base branch; wire a forge, or merge it by hand
        refuse   Conflict: nobody provides environments; wire an environment provider
        refuse   Invalid: `dance` is no action of a human test; it has confirm, request-fix, pull-main, recreate, destroy
        refuse   Conflict: `confirm` is possible only while the change waits to be tried; look again in a moment
        refuse   Conflict: there is no environment to destroy now; try again when the change waits to be tried
        refuse   Conflict: `request-fix` needs a branch to push to, and the change has none
        refuse   Conflict: `pull-main` needs a branch to push to, and the change has none
        refuse   Conflict: all 0 attempts are spent; confirm the change or stop the run
    "#]].assert_eq(&text);
}

#[test]
fn ht_15_destroy_leaves_everything_else_as_it_is() {
    let mut bench = parked();
    expect![[r#"
        stay     as before
        note     ann destroys the environment
        teardown {"id":"e1","status":"ready","url":"https://e1.test"}
    "#]]
    .assert_eq(&bench.acted("destroy", "{}"));
    assert!(bench.state().contains(r#""status":"torn-down","url":"https://e1.test""#), "{}", bench.state());
    assert!(carry_out(&mut bench, "confirm", "{}").contains("teardown"));
    let mut bench = begun();
    bench.effect(done(PROVISIONING));
    expect![[r#"
        stay     as before
        note     ann destroys the environment
        teardown {"id":"e1","status":"provisioning"}
    "#]]
    .assert_eq(&bench.acted("destroy", "{}"));
    assert!(bench.due().contains("the environment was destroyed"));
}

#[test]
fn ht_14_recreate_clears_the_reason_when_it_succeeds() {
    let mut bench = begun();
    bench.effect(EffectOutcome::Failed("quota".to_owned()));
    expect![[r#"
        perform  provision {"branch":"work/task","description":"do the thing","head_commit":"3f2a91c77d","item":"task","title":"Take coupons"}
        note     the environment is made anew
    "#]].assert_eq(&carry_out(&mut bench, "recreate", "{}"));
    bench.effect(done(READY));
    assert!(!bench.state().contains("degradedReason"), "{}", bench.state());
}

#[test]
fn nobody_to_mend_it_is_no_attempt() {
    let mut bench = parked();
    carry_out(&mut bench, "request-fix", "{}");
    expect![[r#"
        ask      HumanTest: Try it at https://e1.test. Confirm the change, or say what is to be fixed. []
        actions  confirm, request-fix, pull-main, recreate, destroy
        note     nothing carries out `fixer` jobs; a person tries the change
        notice   human_test_ready: Try the change: Take coupons | Try it at https://e1.test. Confirm the change, or say what is to be fixed.
    "#]].assert_eq(&bench.job(JobOutcome::NotConfigured(String::new())));
    assert!(bench.state().contains(r#""attempts":0"#));
}
