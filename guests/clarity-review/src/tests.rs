use super::ClarityReview;
use expect_test::expect;
use lockstep_sdk::testing::{Bench, check_schema};

const LOW: &str = r#"{"items":[{"category":"gap","severity":"low","title":"t0","detail":"d"}]}"#;

#[test]
fn the_schema_fits_the_config() {
    check_schema::<ClarityReview>();
}

#[test]
fn rv_19_the_investigation_belongs_to_the_text_until_it_is_rewritten() {
    let mut bench = Bench::<ClarityReview>::new("{}")
        .earlier_output("bug-investigator", "old")
        .earlier_output("bug-investigator", "a race")
        .earlier_output("bug-investigator", " ");
    expect![[r#"
        dispatch clarity-review (read-only) {"subject":"do the thing\n\nWhat was investigated:\na race","is_document":false,"iteration":1,"max_output_tokens":5000,"temperature":0.2}
        note     is reviewed for the first time
    "#]].assert_eq(&bench.started());
    expect![[r#"
        ask      Review: 1 finding open. Answer or dismiss them, then incorporate. []
        actions  reply, set-status, incorporate, proceed, request-recommendation, accept-recommendation, reject-recommendation
        note     1 finding in pass 1 of 6
        notice   clarity_review: 1 finding to answer: Take coupons | t0
        document clarity = {"id":"run-1.clarity-review.1","status":"ready","iteration":1,"max":6,"findings":[{"id":"f1-1","category":"gap","severity":"low","title":"t0","detail":"d","status":"open","reply":null,"createdAt":1000000,"updatedAt":1000000}],"document":null,"createdAt":1000000,"updatedAt":1000000}
    "#]].assert_eq(&bench.job_done(LOW));
    bench.acted("reply", r#"{"item":0,"text":"seven"}"#);
    bench.acted("incorporate", "{}");
    expect![[r#"
        dispatch clarity-rework (read-only) {"subject":"do the thing\n\nWhat was investigated:\na race","is_document":false,"iteration":1,"findings":[{"id":"f1-1","category":"gap","severity":"low","title":"t0","detail":"d","status":"answered","reply":"seven","createdAt":1000000,"updatedAt":1000000}],"max_output_tokens":16000,"temperature":0.2}
        note     the text is rewritten with 1 answer
    "#]].assert_eq(&bench.due());
    expect![[r#"
        dispatch clarity-review (read-only) {"subject":"clear report","is_document":true,"iteration":2,"max_output_tokens":5000,"temperature":0.2}
        note     is reviewed again, pass 2
        document clarity = {"id":"run-1.clarity-review.1","status":"merged","iteration":1,"max":6,"findings":[{"id":"f1-1","category":"gap","severity":"low","title":"t0","detail":"d","status":"answered","reply":"seven","createdAt":1000000,"updatedAt":1000000}],"document":"clear report","createdAt":1000000,"updatedAt":1000000}
        document clarity = {"id":"run-1.clarity-review.1","status":"reviewing","iteration":1,"max":6,"findings":[{"id":"f1-1","category":"gap","severity":"low","title":"t0","detail":"d","status":"answered","reply":"seven","createdAt":1000000,"updatedAt":1000000}],"document":"clear report","createdAt":1000000,"updatedAt":1000000}
    "#]].assert_eq(&bench.job_done("clear report"));
    expect![[r#"
        complete (no output)
        approved already
        note     settled in pass 2: 0 findings, none above what is tolerated
        document clarity = {"id":"run-1.clarity-review.1","status":"incorporated","iteration":2,"max":6,"findings":[],"document":"clear report","createdAt":1000000,"updatedAt":1000000}
        standsin 1: clear report
    "#]].assert_eq(&bench.job_done("[]"));
}
