use super::world::{World, ask, complete};
use expect_test::expect;
use lockstep_types::{
    Answer, Completion, Effect, Input, ItemStatus, JsonText, MergeMethod, NewNotice, Next, NoticeId,
    NoticeState, QuestionKind, Severity, Transition,
};

fn approve(proposal: Option<&str>) -> Answer {
    Answer::Approve { proposal: proposal.map(str::to_owned) }
}

fn request_changes(feedback: &str) -> Answer {
    Answer::RequestChanges { feedback: feedback.to_owned(), comments: Vec::new() }
}

fn choose(choice: &str) -> Answer {
    Answer::Choose { choice: choice.to_owned(), text: None, comments: Vec::new() }
}

#[test]
fn an_approved_step_goes_on_with_the_edited_text() {
    let mut world = World::started(&["a!", "b"], &[]);
    world.answer(1, approve(Some("edited")), None);
    world.answer(1, approve(None), None);
    world.answer(1, request_changes("late"), None);
    expect![[r#"
               created          p: work into main
        a      step-started     started
        a      invoked          complete
        a      asked            q1 approve what a produced?
               run-blocked      waits for a person
               notice-raised    notice decision_required: a waits for an answer
        a      answered         q1 answered by ann: approved
        a      step-completed   done: edited
        b      step-started     started
        b      invoked          complete
        b      step-completed   done: b
               notice-raised    notice pipeline_complete: task went through p
               run-completed    done
        rejected (conflict): question q1 of run run-1 was answered before by ann
        = done item PrReady notices ["pipeline_complete"]
    "#]]
    .assert_eq(&world.text());
}

#[test]
fn requested_changes_run_the_step_again_with_the_feedback() {
    let mut world =
        World::started(&["a!", "b"], &[("a", vec![complete("first").into(), complete("second").into()])]);
    world.answer(1, request_changes(" "), None);
    world.answer(1, request_changes("shorter"), None);
    world.answer(1, approve(None), None);
    world.answer(2, approve(None), None);
    expect![[r#"
               created          p: work into main
        a      step-started     started
        a      invoked          complete
        a      asked            q1 approve what a produced?
               run-blocked      waits for a person
               notice-raised    notice decision_required: a waits for an answer
        rejected (invalid): say what to change: give feedback or a comment
        a      answered         q1 answered by ann: changes requested: shorter
        a      step-started     works again for human: shorter
        a      invoked          complete
        a      asked            q2 approve what a produced?
               run-blocked      waits for a person
               notice-raised    notice decision_required: a waits for an answer
        rejected (conflict): question q1 of run run-1 was answered before by ann
        a      answered         q2 answered by ann: approved
        a      step-completed   done: second
        b      step-started     started
        b      invoked          complete
        b      step-completed   done: b
               notice-raised    notice pipeline_complete: task went through p
               run-completed    done
        = done item PrReady notices ["pipeline_complete"]
    "#]]
    .assert_eq(&world.text());
}

#[test]
fn a_grader_hands_requested_changes_to_its_producer() {
    let graded = Next::Complete(Completion { on_behalf_of: vec!["a".to_owned()], ..Completion::default() });
    let mut world = World::started(&["a", "g!", "z"], &[("g", vec![graded.clone().into(), graded.into()])]);
    let proposal = world.run().view(1).steps[1].question.clone().unwrap().proposal;
    assert_eq!(proposal.as_deref(), Some("a"), "what is approved is the producer's output");
    world.answer(1, request_changes("redo"), None);
    let attempts = |ix: usize| world.run().steps()[ix].attempts.len();
    assert_eq!((attempts(0), attempts(1)), (2, 2));
}

#[test]
fn consent_comes_before_a_change_of_the_outside_world() {
    let merge =
        Next::Perform { effect: Effect::Merge(MergeMethod::Merge), proposal: Some("risk 0.1".to_owned()) };
    let mut world = World::started(&["m!+", "z"], &[("m", vec![merge.into(), complete("merged").into()])]);
    assert!(world.run().outstanding().is_empty(), "nothing is performed before the answer");
    world.answer(1, approve(None), None);
    assert_eq!(world.run().outstanding().len(), 1);
    world.settle(
        &super::world::done(""),
        &lockstep_types::EffectOutcome::Done(lockstep_types::JsonText::null()),
    );
    assert_eq!(world.run().status().word(), "done", "and no second approval is asked at its end");
}

#[test]
fn a_rejected_proposal_ends_the_run() {
    let mut world = World::started(&["a!", "b"], &[]);
    world.answer(1, Answer::Reject { reason: "no".to_owned() }, None);
    world.answer(1, Answer::Reject { reason: "still no".to_owned() }, None);
    world.answer(1, approve(None), None);
    expect![[r#"
               created          p: work into main
        a      step-started     started
        a      invoked          complete
        a      asked            q1 approve what a produced?
               run-blocked      waits for a person
               notice-raised    notice decision_required: a waits for an answer
        a      answered         q1 answered by ann: rejected: no
        a      run-failed       rejected: what a produced was rejected: no
        rejected (conflict): question q1 of run run-1 was answered before by ann
        = failed item Blocked notices []
    "#]]
    .assert_eq(&world.text());
}

#[test]
fn answers_are_checked_against_the_options_and_taken_once() {
    let twice = vec![ask(QuestionKind::Decision, &["A", "B"]).into(), ask(QuestionKind::Cap, &[]).into()];
    let mut world = World::started(&["a"], &[("a", twice)]);
    world.answer(1, choose("C"), None);
    world.answer(1, approve(None), None);
    world.answer(7, choose("A"), None);
    world.answer(1, choose("A"), Some("t"));
    world.answer(1, choose("A"), Some("t"));
    world.answer(1, choose("B"), Some("t"));
    world.answer(2, choose("anything"), None);
    expect![[r#"
               created          p: work into main
        a      step-started     started
        a      invoked          ask
        a      asked            q1 which?
               run-blocked      waits for a person
               notice-raised    notice decision_required: a waits for an answer
        rejected (invalid): "C" is not an answer to question q1: choose one of A, B
        rejected (conflict): question q1 is not an approval: choose an answer
        rejected (not found): run run-1 has no open question q7: see `lockstep why run-1`
        a      answered         q1 answered by ann: A
        a      invoked          ask
        a      asked            q2 which?
               run-blocked      waits for a person
               notice-raised    notice decision_required: a waits for an answer
        rejected (conflict): question q1 of run run-1 was answered before by ann
        a      answered         q2 answered by ann: anything
        a      invoked          complete
        a      step-completed   done: a
               notice-raised    notice pipeline_complete: task went through p
               run-completed    done
        = done item PrReady notices ["pipeline_complete"]
    "#]]
    .assert_eq(&world.text());
}

#[test]
fn a_card_that_a_person_dismissed_is_not_raised_again_for_the_same_wait() {
    let mut world = World::started(&["a!", "b!", "c"], &[]);
    let dismissed = Input::NoticeSettled { id: NoticeId(1), state: NoticeState::Dismissed };
    world.input(&dismissed);
    assert!(world.text().ends_with("= blocked item Blocked notices []\n"), "{}", world.text());
    world.answer(1, approve(None), None);
    assert!(world.text().ends_with("= blocked item Blocked notices [\"decision_required\"]\n"));
}

#[test]
fn d_3_a_decision_about_the_item_is_told_once_it_is_approved() {
    let status = Some(ItemStatus::PrReady);
    let decision = Next::Complete(Completion { item_status: status, ..Completion::default() });
    let mut said = Transition::new(JsonText::null(), decision);
    let text = || "merge_review".to_owned();
    said.notices.push(NewNotice { kind: text(), severity: Severity::Normal, title: text(), body: text() });
    let mut world = World::started(&["a!", "b"], &[("a", vec![said.into()])]);
    assert!(world.text().ends_with("= blocked item Blocked notices [\"decision_required\"]\n"));
    world.answer(1, approve(None), None);
    assert!(world.text().ends_with("= done item PrReady notices [\"merge_review\"]\n"), "{}", world.text());
}
