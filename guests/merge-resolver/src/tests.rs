use super::MergeResolver;
use expect_test::expect;
use lockstep_sdk::testing::{Bench, check_schema};
use lockstep_sdk::{EffectOutcome, PullRequest};

const HARMLESS: &str = r#"{"complexity":0.1,"risk":0.1,"impact":0.1,"rationale":"one line"}"#;

/// A merger whose job is under way.
fn merger(config: &str) -> Bench<MergeResolver> {
    let mut bench = Bench::new(config).role("merger");
    bench.started();
    bench
}

#[test]
fn the_schema_fits_the_config() {
    check_schema::<MergeResolver>();
}

#[test]
fn the_job_is_named_after_the_role_or_merger() {
    expect![[r#"
        dispatch merger (read-only) {"base_branch":"main","head_branch":"work/task","head_commit":"3f2a91c77d"}
        note     merger assesses the change at 3f2a91c
    "#]].assert_eq(&Bench::<MergeResolver>::new("{}").started());
    let config = r#"{"instructions":"mind the prices","time_limit_s":3}"#;
    expect![[r#"
        dispatch judge (read-only) {"base_branch":"main","head_branch":"work/task","head_commit":"3f2a91c77d","instructions":"mind the prices"}
        limit    3000 ms
        note     judge assesses the change at 3f2a91c
    "#]].assert_eq(&Bench::<MergeResolver>::new(config).role("judge").started());
}

#[test]
fn mr_6_within_the_ceilings_it_is_merged() {
    let mut bench = merger(r#"{"method":"squash"}"#);
    expect![[r#"
        perform  merge Squash
        proposal Assessment: complexity 0.1, risk 0.1, impact 0.1

                 one line
        note     complexity 0.1, risk 0.1, impact 0.1: within the ceilings; merges 3f2a91c into main
    "#]]
    .assert_eq(&bench.job_reported("m", HARMLESS));
    expect![[r#"
        complete merged into main as 9b1c2d3

                 Assessment: complexity 0.1, risk 0.1, impact 0.1

                 one line
        item     Done
        approved already
        note     merged into main as 9b1c2d3
        fact     merge = {"commit":"9b1c2d3e4f"}
    "#]]
    .assert_eq(&bench.effect(EffectOutcome::Done(r#"{"commit":"9b1c2d3e4f"}"#.to_owned())));
}

#[test]
fn mr_3_a_score_at_its_ceiling_passes() {
    let at = r#"{"complexity":0.5,"risk":0.4,"impact":0.5,"rationale":"r"}"#;
    assert!(merger("{}").job_reported("", at).starts_with("perform  merge Merge"));
    let zero = r#"{"complexity":0,"risk":0,"impact":0,"rationale":"r"}"#;
    let config = r#"{"max_complexity":0,"max_risk":0,"max_impact":0}"#;
    assert!(merger(config).job_reported("", zero).starts_with("perform  merge Merge"), "MR-5");
}

#[test]
fn mr_8_over_a_ceiling_a_person_looks_at_it() {
    let mut bench = merger(r#"{"max_impact":0.9}"#).policy(r#"{"max_complexity":0.2}"#);
    let url = "https://git.test/7".to_owned();
    bench.input.run.change.pull_request = Some(PullRequest { url, number: Some(7), branch: None });
    let over = r#"{"complexity":0.3,"risk":0.41,"impact":0.8,"rationale":"touches prices"}"#;
    expect![[r#"
        complete complexity 0.3 is over 0.2, risk 0.41 is over 0.4

                 Assessment: complexity 0.3, risk 0.41, impact 0.8

                 touches prices
        item     PrReady
        note     not merged: complexity 0.3 is over 0.2, risk 0.41 is over 0.4
        notice   merge_review: Not merged by itself: Take coupons | complexity 0.3 is over 0.2, risk 0.41 is over 0.4

                 Assessment: complexity 0.3, risk 0.41, impact 0.8

                 touches prices

                 https://git.test/7
    "#]].assert_eq(&bench.job_reported("m", over));
}

#[test]
fn mr_1_mr_3_d_19_what_is_no_assessment_is_told_apart() {
    let mut text = merger("{}").job_done("looks harmless");
    let invalid = [
        r#"{"complexity":1.5,"risk":0.1,"impact":0.1,"rationale":"because"}"#,
        r#"{"complexity":0.1,"risk":0.1,"rationale":"r"}"#,
        r#"[0.1,0.1,0.1,"r"]"#,
        r#"{"complexity":"0.1","risk":0.1,"impact":0.1,"rationale":"r"}"#,
        r#"{"complexity":0.1,"risk":0.1,"impact":0.1,"rationale":"  "}"#,
    ];
    for report in invalid {
        text.push_str(&merger("{}").job_reported("", report));
    }
    expect![[r#"
        complete there is no assessment

                 looks harmless
        item     PrReady
        note     not merged: there is no assessment
        notice   merge_review: Not merged by itself: Take coupons | there is no assessment

                 looks harmless
        complete the assessment is not valid: complexity is not between 0 and 1
        item     PrReady
        note     not merged: the assessment is not valid: complexity is not between 0 and 1
        notice   merge_review: Not merged by itself: Take coupons | the assessment is not valid: complexity is not between 0 and 1
        complete the assessment is not valid: missing field `impact`
        item     PrReady
        note     not merged: the assessment is not valid: missing field `impact`
        notice   merge_review: Not merged by itself: Take coupons | the assessment is not valid: missing field `impact`
        complete the assessment is not valid: it is not a JSON object
        item     PrReady
        note     not merged: the assessment is not valid: it is not a JSON object
        notice   merge_review: Not merged by itself: Take coupons | the assessment is not valid: it is not a JSON object
        complete the assessment is not valid: invalid type: string "0.1", expected f64
        item     PrReady
        note     not merged: the assessment is not valid: invalid type: string "0.1", expected f64
        notice   merge_review: Not merged by itself: Take coupons | the assessment is not valid: invalid type: string "0.1", expected f64
        complete the assessment gives no rationale

                 Assessment: complexity 0.1, risk 0.1, impact 0.1
        item     PrReady
        note     not merged: the assessment gives no rationale
        notice   merge_review: Not merged by itself: Take coupons | the assessment gives no rationale

                 Assessment: complexity 0.1, risk 0.1, impact 0.1
    "#]].assert_eq(&text);
}

#[test]
fn d_5_without_something_to_merge_nothing_is_called_merged() {
    let mut bench = merger("{}");
    bench.input.run.change.head_commit = None;
    expect![[r#"
        complete there is nothing to merge

                 Assessment: complexity 0.1, risk 0.1, impact 0.1

                 one line
        item     PrReady
        note     not merged: there is nothing to merge
        notice   merge_review: Not merged by itself: Take coupons | there is nothing to merge

                 Assessment: complexity 0.1, risk 0.1, impact 0.1

                 one line
    "#]]
    .assert_eq(&bench.job_reported("", HARMLESS));
}

#[test]
fn d_4_a_merge_that_did_not_happen_names_its_cause() {
    let outcomes = [
        EffectOutcome::Refused("the base branch moved".to_owned()),
        EffectOutcome::Failed("503".to_owned()),
        EffectOutcome::NotConfigured("merge".to_owned()),
    ];
    let mut text = String::new();
    for outcome in outcomes {
        let mut bench = merger("{}");
        bench.job_reported("", HARMLESS);
        text.push_str(&bench.effect(outcome));
    }
    expect![[r#"
        complete the merge was refused: the base branch moved

                 Assessment: complexity 0.1, risk 0.1, impact 0.1

                 one line
        item     PrReady
        approved already
        note     not merged: the merge was refused: the base branch moved
        notice   merge_review: Not merged by itself: Take coupons | the merge was refused: the base branch moved

                 Assessment: complexity 0.1, risk 0.1, impact 0.1

                 one line
        complete the merge failed: 503

                 Assessment: complexity 0.1, risk 0.1, impact 0.1

                 one line
        item     PrReady
        approved already
        note     not merged: the merge failed: 503
        notice   merge_review: Not merged by itself: Take coupons | the merge failed: 503

                 Assessment: complexity 0.1, risk 0.1, impact 0.1

                 one line
        complete nothing here can merge

                 Assessment: complexity 0.1, risk 0.1, impact 0.1

                 one line
        item     PrReady
        approved already
        note     not merged: nothing here can merge
        notice   merge_review: Not merged by itself: Take coupons | nothing here can merge

                 Assessment: complexity 0.1, risk 0.1, impact 0.1

                 one line
    "#]].assert_eq(&text);
}

#[test]
fn a_merge_nobody_asked_for_is_a_fault() {
    expect![[r#"
        error    a merge ended that was never asked for
    "#]]
    .assert_eq(&merger("{}").effect(EffectOutcome::Done("{}".to_owned())));
}

#[test]
fn a_merger_job_that_fails_fails_the_run() {
    expect![[r#"
        fail     JobFailed: job `merger` failed: no model
        note     job `merger` failed: no model
    "#]]
    .assert_eq(&merger("{}").job_failed("no model"));
}
