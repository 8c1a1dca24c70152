use super::TaskEstimator;
use expect_test::expect;
use lockstep_sdk::testing::{Bench, check_schema, job_result};
use lockstep_sdk::{JobOutcome, JobResult};

fn estimator() -> Bench<TaskEstimator> {
    let mut bench = Bench::new("{}");
    bench.started();
    bench
}

#[test]
fn the_schema_fits_the_config() {
    check_schema::<TaskEstimator>();
}

#[test]
fn te_2_an_estimate_is_kept_on_the_item() {
    let mut bench = Bench::<TaskEstimator>::new(r#"{"instructions":"be bold","time_limit_s":9}"#);
    expect![[r#"
        dispatch task-estimator (read-only) {"instructions":"be bold"}
        limit    9000 ms
        note     task-estimator estimates the work
    "#]]
    .assert_eq(&bench.started());
    let output = r#"I think {"complexity":0.506,"risk":-2,"impact":7,"rationale":" many files "} fits"#;
    let result = JobResult { model: Some("m-1".to_owned()), ..job_result(output) };
    expect![[r#"
        complete complexity 51 %, risk 0 %, impact 100 %: many files
        note     complexity 51 %, risk 0 %, impact 100 %: many files
        document estimate = {"complexity":0.506,"risk":0.0,"impact":1.0,"rationale":"many files","model":"m-1","createdAt":1000000}
    "#]].assert_eq(&bench.job(JobOutcome::Done(result)));
    let mut bench = estimator();
    expect![[r#"
        complete complexity 0 %, risk 10 %, impact 100 %
        note     complexity 0 %, risk 10 %, impact 100 %
        document estimate = {"complexity":0.0,"risk":0.1,"impact":1.0,"rationale":"","model":null,"createdAt":1000000}
    "#]].assert_eq(&bench.job_done(r#"{"complexity":0,"risk":0.1,"impact":1,"rationale":7}"#));
}

#[test]
fn te_2_an_estimate_may_be_the_report() {
    let estimate = r#"{"complexity":0.5,"risk":0.25,"impact":1,"rationale":"wide"}"#;
    assert_eq!(estimator().job_reported("", estimate), estimator().job_done(estimate));
    assert_eq!(
        estimator().job_reported(estimate, r#"{"risk":9}"#),
        estimator().job_done(estimate),
        "the text counts"
    );
}

#[test]
fn te_1_one_unusable_axis_rejects_all() {
    let mut text = String::new();
    for output in [
        r#"{"complexity":"0.5","risk":0,"impact":0}"#,
        r#"{"complexity":0.5,"risk":null,"impact":0}"#,
        r#"{"complexity":0.5,"risk":1e999,"impact":0}"#,
        r#"{"complexity":0.5,"risk":0}"#,
        "hard to say",
    ] {
        text.push_str(&estimator().job_done(output));
    }
    expect![[r#"
        complete {"complexity":"0.5","risk":0,"impact":0}
        note     the estimate cannot be used: invalid type: string "0.5", expected f64
        complete {"complexity":0.5,"risk":null,"impact":0}
        note     the estimate cannot be used: invalid type: null, expected f64
        complete {"complexity":0.5,"risk":1e999,"impact":0}
        note     the estimate cannot be used: number out of range
        complete {"complexity":0.5,"risk":0}
        note     the estimate cannot be used: missing field `impact`
        complete hard to say
        note     the estimate cannot be used: there is no JSON object in it
    "#]]
    .assert_eq(&text);
}

#[test]
fn a_question_goes_to_a_person_and_a_failure_fails() {
    let mut bench = estimator();
    expect![[r#"
        ask      Decision: How big? []
        proposal so far
        note     task-estimator asks: How big?
    "#]]
    .assert_eq(&bench.job_asked("How big?", &[]));
    expect![[r#"
        dispatch task-estimator (read-only) {}
        note     task-estimator estimates the work with the answer `small`
    "#]]
    .assert_eq(&bench.answered("small"));
    assert!(estimator().job_failed("x").starts_with("fail     JobFailed"));
}
