use super::RequirementsReview;
use expect_test::expect;
use lockstep_sdk::testing::{Bench, check_schema};
use lockstep_sdk::{JobOutcome, JobResult};

const HIGH: &str = r#"{"items":[{"category":"gap","severity":"high","title":"t0","detail":"d"}]}"#;
const TWO: &str = r#"{"items":[{"category":"risk","severity":"low","title":"small"},{"severity":"high","question":"How many?"}]}"#;
const NONE: &str = r#"{"items":[]}"#;

/// A step whose first review replied `reply`.
fn reviewed(policy: &str, reply: &str) -> Bench<RequirementsReview> {
    let mut bench = Bench::new("{}").policy(policy);
    bench.started();
    bench.job_done(reply);
    bench
}

fn parked() -> Bench<RequirementsReview> {
    reviewed("{}", HIGH)
}

fn exceeded() -> Bench<RequirementsReview> {
    reviewed(r#"{"max_review_iterations":1}"#, HIGH)
}

/// An errand of the item whose review a run left.
fn errand_after(bench: &Bench<RequirementsReview>) -> Bench<RequirementsReview> {
    let mut errand = Bench::new("{}").errand();
    errand.input.run.documents.clone_from(&bench.input.run.documents);
    errand
}

#[test]
fn the_schema_fits_the_config() {
    check_schema::<RequirementsReview>();
}

#[test]
fn rv_3_rv_9_findings_park_the_run() {
    let mut bench = Bench::<RequirementsReview>::new(r#"{"instructions":"be strict","time_limit_s":9}"#);
    expect![[r#"
        dispatch requirements-review (read-only) {"subject":"do the thing","is_document":false,"iteration":1,"max_output_tokens":5000,"temperature":0.2,"instructions":"be strict"}
        limit    9000 ms
        note     is reviewed for the first time
    "#]].assert_eq(&bench.started());
    expect![[r#"
        ask      Review: 2 findings open. Answer or dismiss them, then incorporate. []
        actions  reply, set-status, incorporate, proceed, request-recommendation, accept-recommendation, reject-recommendation
        note     2 findings in pass 1 of 6
        notice   requirement_review: 2 findings to answer: Take coupons | How many?, small
        document requirements = {"id":"run-1.requirements-review.1","status":"ready","iteration":1,"max":6,"findings":[{"id":"f1-1","category":"question","severity":"high","title":"How many?","detail":"How many?","status":"open","reply":null,"createdAt":1000000,"updatedAt":1000000},{"id":"f1-2","category":"risk","severity":"low","title":"small","detail":"","status":"open","reply":null,"createdAt":1000000,"updatedAt":1000000}],"document":null,"createdAt":1000000,"updatedAt":1000000}
    "#]].assert_eq(&bench.job_done(TWO));
    expect!["{}"].assert_eq(bench.state());
}

#[test]
fn rv_5_nothing_above_the_tolerated_severity_settles() {
    let mut bench = Bench::<RequirementsReview>::new("{}");
    bench.started();
    expect![[r#"
        complete (no output)
        approved already
        note     settled in pass 1: 0 findings, none above what is tolerated
        document requirements = {"id":"run-1.requirements-review.1","status":"incorporated","iteration":1,"max":6,"findings":[],"document":null,"createdAt":1000000,"updatedAt":1000000}
    "#]].assert_eq(&bench.job_done(NONE));
    let mut bench = Bench::<RequirementsReview>::new(r#"{"tolerated_severity":"medium"}"#);
    bench.started();
    let odd = r#"Here: {"items":[{"title":"a","severity":"extreme","category":"weird"},{"title":"","detail":""},7]}"#;
    assert!(bench.job_done(odd).starts_with("complete (no output)"));
}

#[test]
fn rv_1_nobody_reviews() {
    let mut bench = Bench::<RequirementsReview>::new("{}");
    bench.started();
    expect![[r#"
        complete (no output)
        approved already
        note     nobody reviews; passes
    "#]]
    .assert_eq(&bench.job(JobOutcome::NotConfigured(String::new())));
}

#[test]
fn d_8_an_unusable_reply_is_asked_for_once_more() {
    let mut bench = Bench::<RequirementsReview>::new("{}");
    bench.started();
    expect![[r#"
        dispatch requirements-review (read-only) {"subject":"do the thing","is_document":false,"iteration":1,"max_output_tokens":5000,"temperature":0.2}
        note     the reviewer's reply cannot be used (there is no JSON in it); asks once more
    "#]].assert_eq(&bench.job_done("not json"));
    expect![[r#"
        fail     ReviewRejected: the reviewer's reply could not be used twice: it has no list `items`
        detail   {"items":7}
        note     the reviewer's reply could not be used twice: it has no list `items`
    "#]]
    .assert_eq(&bench.job_done(r#"{"items":7}"#));
    assert!(bench.input.run.documents.is_empty());
    let mut bench = Bench::<RequirementsReview>::new("{}");
    bench.started();
    bench.job_done("not json");
    assert!(bench.job_done("[]").starts_with("complete"), "a bare list is a list of findings");
    let mut bench = Bench::<RequirementsReview>::new("{}");
    bench.started();
    expect![[r#"
        fail     Agent: job `requirements-review` failed: model down
        note     job `requirements-review` failed: model down
    "#]]
    .assert_eq(&bench.job_failed("model down"));
}

#[test]
fn rv_11_replies_and_statuses_change_the_review_alone() {
    let mut bench = parked();
    expect![[r#"
        stay     as before
        note     ann: reply, finding 0
        document requirements = {"id":"run-1.requirements-review.1","status":"ready","iteration":1,"max":6,"findings":[{"id":"f1-1","category":"gap","severity":"high","title":"t0","detail":"d","status":"answered","reply":"seven","createdAt":1000000,"updatedAt":1000000}],"document":null,"createdAt":1000000,"updatedAt":1000000}
    "#]].assert_eq(&bench.acted("reply", r#"{"item":0,"text":"seven"}"#));
    expect![[r#"
        stay     as before
        note     ann: set-status, finding 0
        document requirements = {"id":"run-1.requirements-review.1","status":"ready","iteration":1,"max":6,"findings":[{"id":"f1-1","category":"gap","severity":"high","title":"t0","detail":"d","status":"dismissed","reply":"seven","createdAt":1000000,"updatedAt":1000000}],"document":null,"createdAt":1000000,"updatedAt":1000000}
    "#]].assert_eq(&bench.acted("set-status", r#"{"item":"f1-1","status":"dismissed"}"#));
    let mut text = bench.acted("reply", r#"{"item":1,"text":"x"}"#);
    text.push_str(&bench.acted("reply", r#"{"item":"f9","text":"x"}"#));
    text.push_str(&bench.acted("reply", r#"{"item":0}"#));
    text.push_str(&bench.acted("reply", r#"{"text":"x"}"#));
    text.push_str(&bench.acted("set-status", r#"{"item":0,"status":"gone"}"#));
    text.push_str(&bench.acted("reply", &format!(r#"{{"item":0,"text":"{}"}}"#, "x".repeat(4001))));
    text.push_str(&bench.acted("dance", "{}"));
    text.push_str(&bench.acted("reply", "[]"));
    expect![[r#"
        refuse   Invalid: there is no such finding; the review has 1 finding, counted from 0
        refuse   Invalid: there is no such finding; the review has 1 finding, counted from 0
        refuse   Invalid: `reply` needs `text`
        refuse   Invalid: `reply` needs `item`
        refuse   Invalid: the input of `set-status` is not valid: unknown variant `gone`, expected one of `open`, `answered`, `resolved`, `dismissed`, `recommend_requested`
        refuse   Invalid: a text of `reply` has more than 4000 characters; shorten it
        refuse   Invalid: `dance` is no action of a review
        refuse   Invalid: the input of `reply` is not valid: it is not a JSON object
    "#]].assert_eq(&text);
}

#[test]
fn rv_12_rv_13_answers_are_worked_in_and_reviewed_again() {
    let mut bench = parked();
    expect![[r#"
        refuse   Invalid: 1 finding still open; answer or dismiss first
    "#]]
    .assert_eq(&bench.acted("incorporate", "{}"));
    bench.acted("reply", r#"{"item":0,"text":"seven"}"#);
    expect![[r#"
        wait     0 ms: the replies are worked in
        note     the replies are to be worked in
        document requirements = {"id":"run-1.requirements-review.1","status":"incorporating","iteration":1,"max":6,"findings":[{"id":"f1-1","category":"gap","severity":"high","title":"t0","detail":"d","status":"answered","reply":"seven","createdAt":1000000,"updatedAt":1000000}],"document":null,"createdAt":1000000,"updatedAt":1000000}
    "#]].assert_eq(&bench.acted("incorporate", "{}"));
    expect![[r#"
        dispatch requirements-rework (read-only) {"subject":"do the thing","is_document":false,"iteration":1,"findings":[{"id":"f1-1","category":"gap","severity":"high","title":"t0","detail":"d","status":"answered","reply":"seven","createdAt":1000000,"updatedAt":1000000}],"max_output_tokens":16000,"temperature":0.2}
        note     the text is rewritten with 1 answer
    "#]].assert_eq(&bench.due());
    expect![[r#"
        refuse   Conflict: `reply` has to wait until the job under way has ended
    "#]]
    .assert_eq(&bench.acted("reply", r#"{"item":0,"text":"x"}"#));
    expect![[r#"
        dispatch requirements-review (read-only) {"subject":"revised text","is_document":true,"iteration":2,"max_output_tokens":5000,"temperature":0.2}
        note     is reviewed again, pass 2
        document requirements = {"id":"run-1.requirements-review.1","status":"merged","iteration":1,"max":6,"findings":[{"id":"f1-1","category":"gap","severity":"high","title":"t0","detail":"d","status":"answered","reply":"seven","createdAt":1000000,"updatedAt":1000000}],"document":"revised text","createdAt":1000000,"updatedAt":1000000}
        document requirements = {"id":"run-1.requirements-review.1","status":"reviewing","iteration":1,"max":6,"findings":[{"id":"f1-1","category":"gap","severity":"high","title":"t0","detail":"d","status":"answered","reply":"seven","createdAt":1000000,"updatedAt":1000000}],"document":"revised text","createdAt":1000000,"updatedAt":1000000}
    "#]].assert_eq(&bench.job_done("revised text"));
    expect![[r#"
        complete (no output)
        approved already
        note     settled in pass 2: 0 findings, none above what is tolerated
        document requirements = {"id":"run-1.requirements-review.1","status":"incorporated","iteration":2,"max":6,"findings":[],"document":"revised text","createdAt":1000000,"updatedAt":1000000}
        standsin 2: revised text
    "#]].assert_eq(&bench.job_done(NONE));
}

#[test]
fn rv_13_without_a_reply_there_is_nothing_to_rewrite() {
    let mut bench = parked();
    bench.acted("set-status", r#"{"item":0,"status":"dismissed"}"#);
    bench.acted("incorporate", "{}");
    assert!(bench.due().starts_with("complete (no output)"));
    let mut bench = parked();
    bench.acted("set-status", r#"{"item":0,"status":"dismissed"}"#);
    bench.acted("incorporate", r#"{"feedback":"shorter"}"#);
    expect![[r#"
        dispatch requirements-rework (read-only) {"subject":"do the thing","is_document":false,"iteration":1,"feedback":"shorter","max_output_tokens":16000,"temperature":0.2}
        note     the text is rewritten with 0 answers
    "#]].assert_eq(&bench.due());
}

#[test]
fn rv_14_a_rewrite_that_is_empty_or_cut_off_fails() {
    let results = [
        (" ", None),
        ("half", Some(r#"{"finishReason":"length"}"#)),
        ("whole", Some(r#"{"finishReason":"stop"}"#)),
    ];
    let mut text = String::new();
    for (output, report) in results {
        let mut bench = parked();
        bench.acted("reply", r#"{"item":0,"text":"seven"}"#);
        bench.acted("incorporate", "{}");
        bench.due();
        let result =
            JobResult { report: report.map(str::to_owned), ..lockstep_sdk::testing::job_result(output) };
        text.push_str(bench.job(JobOutcome::Done(result)).lines().next().unwrap_or_default());
        text.push('\n');
    }
    expect![[r#"
        fail     Agent: the rewritten text is empty; retry
        fail     Agent: the rewritten text was cut off; answer more briefly, or allow more tokens
        dispatch requirements-review (read-only) {"subject":"whole","is_document":true,"iteration":2,"max_output_tokens":5000,"temperature":0.2}
    "#]].assert_eq(&text);
}

#[test]
fn d_9_the_choices_at_the_cap() {
    let mut bench = Bench::<RequirementsReview>::new("{}").policy(r#"{"max_review_iterations":1}"#);
    bench.started();
    expect![[r#"
        ask      Cap: 1 finding left after 1 pass. One more round, go on as it is, or stop? []
        actions  reply, set-status, incorporate, proceed, extra-round, stop-reset, request-recommendation, accept-recommendation, reject-recommendation
        note     1 finding in pass 1 of 1
        notice   requirement_review: 1 finding to answer: Take coupons | t0
        document requirements = {"id":"run-1.requirements-review.1","status":"exceeded","iteration":1,"max":1,"findings":[{"id":"f1-1","category":"gap","severity":"high","title":"t0","detail":"d","status":"open","reply":null,"createdAt":1000000,"updatedAt":1000000}],"document":null,"createdAt":1000000,"updatedAt":1000000}
    "#]].assert_eq(&bench.job_done(HIGH));
    expect![[r#"
        fail     Cancelled: a person stopped it at the cap of the review
        note     a person stops at the cap of the review
    "#]]
    .assert_eq(&bench.acted("stop-reset", "{}"));
    expect![[r#"
        complete (no output)
        approved already
        note     settled in pass 1: ann proceeds
        document requirements = {"id":"run-1.requirements-review.1","status":"incorporated","iteration":1,"max":1,"findings":[{"id":"f1-1","category":"gap","severity":"high","title":"t0","detail":"d","status":"open","reply":null,"createdAt":1000000,"updatedAt":1000000}],"document":null,"createdAt":1000000,"updatedAt":1000000}
    "#]].assert_eq(&exceeded().acted("proceed", "{}"));
    let mut text = parked().acted("stop-reset", "{}");
    text.push_str(&parked().acted("extra-round", "{}"));
    text.push_str(&parked().acted("proceed", "{}"));
    text.push_str(&parked().acted("re-review", "{}"));
    text.push_str(&parked().acted("review", "{}"));
    expect![[r#"
        refuse   Conflict: `stop-reset` is a choice only when the passes are spent
        refuse   Conflict: `extra-round` is a choice only when the passes are spent
        refuse   Invalid: 1 finding still open; answer them, or proceed with `force`
        refuse   Conflict: only a merged text is reviewed again; incorporate the replies first
        refuse   Conflict: the run has its own review; restart its step to review afresh
    "#]]
    .assert_eq(&text);
    assert!(parked().acted("proceed", r#"{"force":true}"#).starts_with("complete"));
}

#[test]
fn d_9_an_extra_round_really_runs_one() {
    let mut bench = exceeded();
    expect![[r#"
        wait     0 ms: one more round
        note     one more round is granted
        document requirements = {"id":"run-1.requirements-review.1","status":"ready","iteration":1,"max":2,"findings":[{"id":"f1-1","category":"gap","severity":"high","title":"t0","detail":"d","status":"open","reply":null,"createdAt":1000000,"updatedAt":1000000}],"document":null,"createdAt":1000000,"updatedAt":1000000}
    "#]].assert_eq(&bench.acted("extra-round", "{}"));
    expect![[r#"
        dispatch requirements-review (read-only) {"subject":"do the thing","is_document":false,"iteration":2,"max_output_tokens":5000,"temperature":0.2}
        note     is reviewed again, pass 2
        document requirements = {"id":"run-1.requirements-review.1","status":"reviewing","iteration":1,"max":2,"findings":[{"id":"f1-1","category":"gap","severity":"high","title":"t0","detail":"d","status":"open","reply":null,"createdAt":1000000,"updatedAt":1000000}],"document":null,"createdAt":1000000,"updatedAt":1000000}
    "#]].assert_eq(&bench.due());
    let mut bench = exceeded();
    bench.acted("extra-round", "{}");
    bench.acted("reply", r#"{"item":0,"text":"seven"}"#);
    assert!(bench.acted("re-review", "{}").starts_with("refuse   Conflict"));
    assert!(bench.due().starts_with("dispatch requirements-rework"));
    let mut bench = exceeded();
    bench.acted("extra-round", "{}");
    bench.acted("reply", r#"{"item":0,"text":"seven"}"#);
    assert!(bench.acted("incorporate", "{}").contains(r#""status":"incorporating""#));
    assert!(bench.due().starts_with("dispatch requirements-rework"));
}

#[test]
fn rv_12_an_errand_works_at_once_and_never_waits() {
    let mut errand = Bench::<RequirementsReview>::new("{}").errand();
    assert!(errand.acted("incorporate", "{}").starts_with("refuse   Conflict: there is no review"));
    errand.acted("review", "{}");
    expect![[r#"
        complete (no output)
        approved already
        note     1 finding in pass 1 of 6
        notice   requirement_review: 1 finding to answer: Take coupons | t0
        document requirements = {"id":"run-1.requirements-review.1","status":"ready","iteration":1,"max":6,"findings":[{"id":"f1-1","category":"gap","severity":"high","title":"t0","detail":"d","status":"open","reply":null,"createdAt":1000000,"updatedAt":1000000}],"document":null,"createdAt":1000000,"updatedAt":1000000}
    "#]].assert_eq(&errand.job_done(HIGH));
    let mut errand = errand_after(&errand);
    expect![[r#"
        complete (no output)
        approved already
        note     ann: reply, finding 0
        document requirements = {"id":"run-1.requirements-review.1","status":"ready","iteration":1,"max":6,"findings":[{"id":"f1-1","category":"gap","severity":"high","title":"t0","detail":"d","status":"answered","reply":"seven","createdAt":1000000,"updatedAt":1000000}],"document":null,"createdAt":1000000,"updatedAt":1000000}
    "#]].assert_eq(&errand.acted("reply", r#"{"item":0,"text":"seven"}"#));
    let mut errand = errand_after(&errand);
    expect![[r#"
        dispatch requirements-rework (read-only) {"subject":"do the thing","is_document":false,"iteration":1,"findings":[{"id":"f1-1","category":"gap","severity":"high","title":"t0","detail":"d","status":"answered","reply":"seven","createdAt":1000000,"updatedAt":1000000}],"max_output_tokens":16000,"temperature":0.2}
        note     the text is rewritten with 1 answer
    "#]].assert_eq(&errand.acted("incorporate", "{}"));
    errand.job_done("revised text");
    let settled = errand.job_done(NONE);
    assert!(settled.contains("standsin 2: revised text"), "{settled}");
}

#[test]
fn rv_9_an_errand_at_the_cap_raises_the_card_of_the_review_alone() {
    let mut errand = Bench::<RequirementsReview>::new("{}").errand().policy(r#"{"max_review_iterations":1}"#);
    errand.acted("review", "{}");
    expect![[r#"
        complete (no output)
        approved already
        note     1 finding in pass 1 of 1
        notice   requirement_review: 1 finding to answer: Take coupons | t0
        document requirements = {"id":"run-1.requirements-review.1","status":"exceeded","iteration":1,"max":1,"findings":[{"id":"f1-1","category":"gap","severity":"high","title":"t0","detail":"d","status":"open","reply":null,"createdAt":1000000,"updatedAt":1000000}],"document":null,"createdAt":1000000,"updatedAt":1000000}
    "#]].assert_eq(&errand.job_done(HIGH));
    let mut errand = errand_after(&errand);
    expect![[r#"
        dispatch requirements-review (read-only) {"subject":"do the thing","is_document":false,"iteration":2,"max_output_tokens":5000,"temperature":0.2}
        note     is reviewed again, pass 2
        document requirements = {"id":"run-1.requirements-review.1","status":"ready","iteration":1,"max":2,"findings":[{"id":"f1-1","category":"gap","severity":"high","title":"t0","detail":"d","status":"open","reply":null,"createdAt":1000000,"updatedAt":1000000}],"document":null,"createdAt":1000000,"updatedAt":1000000}
        document requirements = {"id":"run-1.requirements-review.1","status":"reviewing","iteration":1,"max":2,"findings":[{"id":"f1-1","category":"gap","severity":"high","title":"t0","detail":"d","status":"open","reply":null,"createdAt":1000000,"updatedAt":1000000}],"document":null,"createdAt":1000000,"updatedAt":1000000}
    "#]].assert_eq(&errand.acted("extra-round", "{}"));
}

#[test]
fn rv_21_a_recommendation_becomes_the_reply_when_it_is_accepted() {
    let mut bench = parked();
    expect![[r#"
        dispatch requirements-review-recommendation (read-only) {"subject":"do the thing","is_document":false,"iteration":1,"findings":[{"id":"f1-1","category":"gap","severity":"high","title":"t0","detail":"d","status":"recommend_requested","reply":null,"createdAt":1000000,"updatedAt":1000000}],"max_output_tokens":6000,"temperature":0.2}
        note     recommendations are asked for, for 1 finding
        document requirements = {"id":"run-1.requirements-review.1","status":"ready","iteration":1,"max":6,"findings":[{"id":"f1-1","category":"gap","severity":"high","title":"t0","detail":"d","status":"recommend_requested","reply":null,"createdAt":1000000,"updatedAt":1000000}],"document":null,"createdAt":1000000,"updatedAt":1000000}
    "#]].assert_eq(&bench.acted("request-recommendation", "{}"));
    let reply = r#"{"recommendations":[{"finding":"f1-1","recommendedText":"seven"}]}"#;
    expect![[r#"
        ask      Review: 0 findings open. Answer or dismiss them, then incorporate. []
        actions  reply, set-status, incorporate, proceed, request-recommendation, accept-recommendation, reject-recommendation
        note     1 recommendation to look at
        document requirements = {"id":"run-1.requirements-review.1","status":"ready","iteration":1,"max":6,"findings":[{"id":"f1-1","category":"gap","severity":"high","title":"t0","detail":"d","status":"recommend_requested","reply":null,"createdAt":1000000,"updatedAt":1000000}],"document":null,"recommendations":[{"sourceFinding":"f1-1","recommendedText":"seven","status":"ready"}],"createdAt":1000000,"updatedAt":1000000}
    "#]].assert_eq(&bench.job_done(reply));
    expect![[r#"
        refuse   Invalid: finding 0 has a recommendation; say in `note` what is to be different
    "#]]
    .assert_eq(&bench.acted("request-recommendation", r#"{"items":[0]}"#));
    expect![[r#"
        stay     as before
        note     ann: accept-recommendation, finding 0
        document requirements = {"id":"run-1.requirements-review.1","status":"ready","iteration":1,"max":6,"findings":[{"id":"f1-1","category":"gap","severity":"high","title":"t0","detail":"d","status":"answered","reply":"seven","createdAt":1000000,"updatedAt":1000000}],"document":null,"recommendations":[{"sourceFinding":"f1-1","recommendedText":"seven","status":"accepted"}],"createdAt":1000000,"updatedAt":1000000}
    "#]].assert_eq(&bench.acted("accept-recommendation", r#"{"item":0}"#));
    assert!(bench.acted("reject-recommendation", r#"{"item":0}"#).starts_with("refuse   Conflict"));
    let mut bench = parked();
    bench.acted("request-recommendation", "{}");
    assert!(bench.job_failed("model down").contains("nothing is recommended"));
    assert!(bench.acted("incorporate", "{}").contains("1 finding still open"));
}
