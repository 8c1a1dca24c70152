use super::CompanionGrader;
use expect_test::expect;
use lockstep_sdk::testing::{Bench, check_schema};

const LOW: &str = r#"{"rating":0.1,"summary":"too thin"}"#;

/// A reviewer after a coder, whose first job is under way.
fn reviewer(config: &str) -> Bench<CompanionGrader> {
    let mut bench = Bench::new(config).role("reviewer").earlier_output("coder", "code");
    bench.started();
    bench
}

/// The engine starts the grader anew when its producer has worked again.
fn again(bench: &mut Bench<CompanionGrader>, reply: &str) -> String {
    bench.started();
    bench.job_done(reply)
}

#[test]
fn the_schema_fits_the_config() {
    check_schema::<CompanionGrader>();
}

#[test]
fn co_10_co_11_a_rating_at_the_threshold_passes_for_the_producer() {
    let mut bench = Bench::<CompanionGrader>::new("{}").role("reviewer").earlier_output("coder", "code");
    expect![[r#"
        dispatch reviewer (read-only) {"grades":["coder"],"threshold":0.8}
        note     reviewer grades coder
    "#]]
    .assert_eq(&bench.started());
    expect![[r#"
        complete fine
        for      coder
        note     rated 0.8 of 0.8 needed; passes
    "#]]
    .assert_eq(&bench.job_done(r#"{"rating":0.8,"summary":"fine"}"#));
    expect![[r#"{"attempts":0,"maxAttempts":3,"verdicts":[{"rating":0.8,"threshold":0.8,"passed":true,"feedback":"fine"}],"exceeded":false,"repairing":false}"#]].assert_eq(bench.state());
}

#[test]
fn co_13_below_it_the_producer_works_again() {
    expect![[r#"
        rework   coder: almost
        note     rated 0.799 of 0.8 needed; coder again, 1 of 3
        progress 1/3 rework
    "#]]
    .assert_eq(&reviewer("{}").job_done(r#"{"rating":0.799,"summary":"almost"}"#));
}

#[test]
fn co_9_comments_of_the_first_grading_are_worked_in_whatever_the_rating() {
    let mut bench = reviewer("{}");
    let commented =
        r#"{"rating":1,"summary":"s","comments":[{"id":"k","body":"fix","quotedSource":"q","lines":[1,2]}]}"#;
    expect![[r#"
        rework   coder: s
        comment  fix Some("q") Some((1, 2)) Some("k")
        note     rated 1 of 0.8 needed; comments of a first grading are worked in; coder again, 1 of 3
        progress 1/3 rework
    "#]]
    .assert_eq(&bench.job_done(commented));
    assert!(bench.state().contains(r#""passed":false"#));
    expect![[r#"
        complete s
        for      coder
        note     rated 1 of 0.8 needed; passes
    "#]]
    .assert_eq(&again(&mut bench, commented));
}

#[test]
fn co_9_an_empty_list_of_comments_is_none() {
    assert!(reviewer("{}").job_done(r#"{"rating":1,"summary":"s","comments":[]}"#).starts_with("complete"));
}

#[test]
fn co_5_the_reply_is_found_in_prose_or_in_the_report() {
    let prose = "Here it is:\n```json\n{\"rating\": 0.9, \"summary\": \"good\"}\n```\nBye.";
    assert!(reviewer("{}").job_done(prose).starts_with("complete good"));
    let report = r#"{"rating":0.9,"summary":"good"}"#;
    assert!(reviewer("{}").job_reported("I graded it.", report).starts_with("complete good"));
}

#[test]
fn co_6_co_7_an_unusable_reply_is_asked_for_once_more() {
    for garbage in ["no idea", "}{", r#"{"rating":1.2,"summary":"s"}"#, r#"{"rating":"1","summary":"s"}"#] {
        let mut bench = reviewer("{}");
        assert!(bench.job_done(garbage).starts_with("dispatch reviewer"), "{garbage}");
        assert!(bench.job_done(r#"{"rating":0.9,"summary":"good"}"#).starts_with("complete good"));
    }
    let mut bench = reviewer("{}");
    expect![[r#"
        dispatch reviewer (read-only) {"grades":["coder"],"threshold":0.8}
        note     the grade cannot be used (the rating is not between 0 and 1); asks once more
    "#]]
    .assert_eq(&bench.job_done(r#"{"rating":1.2,"summary":"s"}"#));
    expect![[r#"
        fail     CompanionRejected: the grader's reply could not be used twice: there is no JSON object in it
        detail   ++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++
        note     the grader's reply could not be used twice: there is no JSON object in it
    "#]].assert_eq(&bench.job_done(&format!("{}tail", "x".repeat(2_000))).replace("xxxxxxxxxx", "+"));
    assert!(!bench.state().contains("verdicts"), "CO-7: no verdict is appended");
}

#[test]
fn co_6_each_grading_has_its_own_repair() {
    let mut bench = reviewer("{}");
    bench.job_done("garbage");
    bench.job_done(LOW);
    assert!(again(&mut bench, "garbage").starts_with("dispatch reviewer"));
}

#[test]
fn co_8_without_a_producer_it_passes() {
    let mut bench = Bench::<CompanionGrader>::new("{}").role("reviewer");
    bench.started();
    expect![[r#"
        complete garbage
        note     no output of coder to grade; passes
    "#]]
    .assert_eq(&bench.job_done("garbage"));
}

#[test]
fn co_12_the_fourth_failing_grade_asks_a_person() {
    let mut bench = reviewer("{}");
    assert!(bench.job_done(LOW).starts_with("rework"));
    for _ in 0..2 {
        assert!(again(&mut bench, LOW).starts_with("rework"));
    }
    expect![[r#"
        ask      Cap: rated 0.1 of 0.8 needed after 3 reworks. One more round, go on as it is, or stop? [extra-round, proceed, stop-reset]
        proposal too thin
        note     rated 0.1 of 0.8 needed; 3 reworks are spent; asks a person
    "#]].assert_eq(&again(&mut bench, LOW));
    expect![[r#"{"attempts":3,"maxAttempts":3,"verdicts":[{"rating":0.1,"threshold":0.8,"passed":false,"feedback":"too thin"},{"rating":0.1,"threshold":0.8,"passed":false,"feedback":"too thin"},{"rating":0.1,"threshold":0.8,"passed":false,"feedback":"too thin"},{"rating":0.1,"threshold":0.8,"passed":false,"feedback":"too thin"}],"exceeded":true,"repairing":false}"#]].assert_eq(bench.state());
}

#[test]
fn co_14_what_a_person_may_choose_at_the_cap() {
    let at_the_cap = || {
        let mut bench = reviewer(r#"{"max_attempts":0}"#);
        assert!(bench.job_done(LOW).starts_with("ask      Cap"));
        bench
    };
    expect![[r#"
        complete too thin
        for      coder
        approved already
        note     a person lets it pass
    "#]]
    .assert_eq(&at_the_cap().answered("proceed"));
    expect![[r#"
        fail     Cancelled: a person stopped it at the rework limit
        note     a person stops the run
    "#]]
    .assert_eq(&at_the_cap().answered("stop-reset"));
    expect![[r#"
        error    `whatever` is no choice at the rework limit
    "#]]
    .assert_eq(&at_the_cap().answered("whatever"));
    let mut bench = at_the_cap();
    expect![[r#"
        rework   coder: too thin
        note     a person grants one more round, 1 of 1
    "#]]
    .assert_eq(&bench.answered("extra-round"));
    assert!(again(&mut bench, LOW).starts_with("ask      Cap"), "one round only");
    assert!(bench.state().contains(r#""attempts":1,"maxAttempts":1"#));
}

#[test]
fn whom_it_grades_can_be_set_and_must_be_known() {
    let mut bench = Bench::<CompanionGrader>::new(r#"{"grades":["writer"],"threshold":0.5}"#).role("editor");
    expect![[r#"
        dispatch editor (read-only) {"grades":["writer"],"threshold":0.5}
        note     editor grades writer
    "#]]
    .assert_eq(&bench.started());
    expect![[r#"
        fail     Agent: step `companion-grader` grades nobody: its role `editor` says not whom; add grades = ["<role>"] to its config
        note     step `companion-grader` grades nobody: its role `editor` says not whom; add grades = ["<role>"] to its config
    "#]].assert_eq(&Bench::<CompanionGrader>::new("{}").role("editor").started());
}

#[test]
fn a_question_goes_to_a_person_and_back() {
    let mut bench = reviewer("{}");
    expect![[r#"
        ask      Decision: Which style? []
        proposal so far
        note     reviewer asks: Which style?
    "#]]
    .assert_eq(&bench.job_asked("Which style?", &[]));
    assert!(bench.answered("plain").starts_with("dispatch reviewer"));
}

#[test]
fn the_descriptor_says_who_grades_whom() {
    let grades = <CompanionGrader as lockstep_sdk::Step>::descriptor().grades;
    let grades: Vec<_> =
        grades.iter().map(|it| format!("{} <- {}", it.role, it.producers.join(", "))).collect();
    expect![[r#"
        architect-companion <- architect
        spec-companion <- spec-writer
        reviewer <- coder"#]]
    .assert_eq(&grades.join("\n"));
}
