//! What must hold for any pipeline, any components and any order of things.

use super::world::{Says, World, ask, complete, dispatch, done, pipeline, rework, spec};
use crate::{Command, Phase};
use lockstep_types::{
    Answer, Effect, EffectOutcome, FailureClass, Fault, Input, ItemStatus, JobOutcome, JsonText, MergeMethod,
    Next, NoticeState, QuestionId, QuestionKind, RunStatus, StepStatus, Timestamp,
};
use proptest::prelude::*;

const STEPS: [&str; 5] = ["a", "b?", "c!", "d needs b", "e needs c,d"];
const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

fn says() -> impl Strategy<Value = Says> {
    let fault = Fault { class: FailureClass::Trapped, message: "trap".to_owned(), backtrace: None };
    prop_oneof![
        6 => Just(complete("out").into()),
        4 => Just(dispatch("work").into()),
        2 => Just(Next::Wait { ms: 10, reason: "time".to_owned() }.into()),
        2 => Just(ask(QuestionKind::Decision, &["A", "B"]).into()),
        1 => Just(ask(QuestionKind::Review, &[]).into()),
        2 => Just(rework("a", "again").into()),
        2 => Just(Next::Perform { effect: Effect::Merge(MergeMethod::Merge), proposal: None }.into()),
        1 => Just(Next::Skip("nothing to do".to_owned()).into()),
        1 => Just(Says::Fault(fault)),
    ]
}

#[derive(Clone, Debug)]
enum Act {
    Settle(JobOutcome),
    Time(u64),
    Poke,
    Answer(Answer),
    Stop,
    Retry,
    Restart(usize),
    Pause,
    Resume,
}

fn act() -> impl Strategy<Value = Act> {
    let choose =
        |choice: &str| Answer::Choose { choice: choice.to_owned(), text: None, comments: Vec::new() };
    prop_oneof![
        8 => Just(Act::Settle(done("job"))),
        1 => Just(Act::Settle(JobOutcome::Failed("broken".to_owned()))),
        2 => any::<bool>().prop_map(|transient| Act::Settle(JobOutcome::Evicted { transient, message: "gone".to_owned() })),
        4 => (0_u64..30).prop_map(Act::Time),
        1 => Just(Act::Poke),
        4 => Just(Act::Answer(choose("A"))),
        4 => Just(Act::Answer(Answer::Approve { proposal: None })),
        1 => Just(Act::Answer(Answer::RequestChanges { feedback: "other".to_owned(), comments: Vec::new() })),
        1 => Just(Act::Answer(Answer::Reject { reason: String::new() })),
        1 => Just(Act::Stop),
        2 => Just(Act::Retry),
        1 => (0_usize..5).prop_map(Act::Restart),
        1 => Just(Act::Pause),
        2 => Just(Act::Resume),
    ]
}

fn open_question(world: &World) -> Option<QuestionId> {
    world.run().steps().iter().find_map(|step| match &step.phase {
        Phase::Question { question, .. } => Some(question.id),
        _ => None,
    })
}

fn perform(world: &mut World, act: &Act) {
    let by = || "ann".to_owned();
    match act {
        Act::Settle(outcome) => world.settle(outcome, &EffectOutcome::Done(JsonText::null())),
        Act::Time(ms) => {
            world.now = Timestamp(world.now.0 + ms);
            world.input(&Input::Tick);
        }
        Act::Poke => world.input(&Input::Poke),
        Act::Answer(answer) => {
            if let Some(question) = open_question(world) {
                world.answer(question.0, answer.clone(), None);
            }
        }
        Act::Stop => world.input(&Input::Stop { reason: String::new(), class: None, by: by() }),
        Act::Retry => world.input(&Input::Retry { head_commit: None, by: by() }),
        Act::Restart(step) => {
            world.input(&Input::Restart { step: NAMES[*step].to_owned(), head_commit: None, by: by() });
        }
        Act::Pause => world.input(&Input::Pause { by: by(), over_budget: false }),
        Act::Resume => world.input(&Input::Resume { by: by() }),
    }
}

fn check(world: &World) {
    let run = world.run();
    let open = |kind: &str| {
        run.notices().iter().any(|notice| notice.state == NoticeState::Open && notice.kind == kind)
    };
    let parked = run.steps().iter().any(|step| matches!(step.phase, Phase::Question { .. }));
    if !run.status().is_live() {
        assert!(run.outstanding().is_empty(), "a run that has ended asks for nothing");
        assert_eq!(run.next_wakeup(), None);
        assert!(!parked);
    }
    if parked {
        assert!(open("decision_required"), "every parked step has an open notice");
    } else {
        assert!(!open("decision_required"), "a notice is closed with the wait it is about");
    }
    match run.status() {
        RunStatus::Blocked => assert!(parked && run.outstanding().is_empty()),
        RunStatus::Done => assert!(run.steps().iter().all(crate::Step::is_behind)),
        RunStatus::Running => {
            let goes_on = !run.outstanding().is_empty() || run.next_wakeup().is_some();
            assert!(goes_on, "a running run waits for something that comes by itself");
            assert!(run.item_status() != ItemStatus::Blocked, "nobody is waited for");
        }
        RunStatus::Paused | RunStatus::Failed => {}
    }
    let writers = run.steps().iter().zip(STEPS).filter(|(step, name)| {
        let under_way = matches!(step.status, StepStatus::Working | StepStatus::WaitingDecision);
        !name.contains('?') && !step.passed_over && under_way
    });
    assert!(!run.status().is_live() || writers.count() <= 1, "two steps change the head branch at once");
    for step in run.steps() {
        let unfinished = step.attempts.iter().filter(|attempt| attempt.finished_at.is_none()).count();
        assert!(unfinished <= 1, "a step has one execution at a time");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn invariants_hold_and_the_journal_folds_to_the_run(
        says in prop::collection::vec(prop::collection::vec(says(), 0..6), 5),
        acts in prop::collection::vec(act(), 0..60),
    ) {
        let script: Vec<(&str, Vec<Says>)> = NAMES.into_iter().zip(says).collect();
        let mut world = World::new(&script);
        world.input(&Input::Start(Box::new(spec(pipeline(&STEPS)))));
        check(&world);
        for act in &acts {
            perform(&mut world, act);
            // A turn may end at its bound of calls with more to be made.
            while world.run().outstanding().iter().any(|command| matches!(command, Command::Invoke(_))) {
                world.input(&Input::Tick);
            }
            check(&world);
        }
        let live = world.recorded.clone().unwrap();
        let replayed = world.replayed(world.records.len());
        prop_assert_eq!(&replayed, &live);
        prop_assert_eq!(replayed.run.digest(), live.run.digest());
    }

    #[test]
    fn a_prefix_of_the_journal_is_a_run_that_can_go_on(
        says in prop::collection::vec(prop::collection::vec(says(), 0..4), 5),
        acts in prop::collection::vec(act(), 0..30),
        cut in 0_usize..30,
    ) {
        let script: Vec<(&str, Vec<Says>)> = NAMES.into_iter().zip(says).collect();
        let mut world = World::new(&script);
        world.input(&Input::Start(Box::new(spec(pipeline(&STEPS)))));
        for act in &acts {
            perform(&mut world, act);
        }
        let cut = 1 + cut % world.records.len();
        let mut recovered = World::new(&[]);
        recovered.now = Timestamp(world.now.0 + 1000);
        recovered.recorded = Some(world.replayed(cut));
        recovered.records = world.records[..cut].to_vec();
        for _ in 0..500 {
            if !recovered.run().status().is_live() {
                break;
            }
            recovered.now = Timestamp(recovered.now.0 + 1000);
            let by = "ann".to_owned();
            recovered.input(&Input::Resume { by });
            recovered.input(&Input::Tick);
            recovered.settle(&done("job"), &EffectOutcome::Done(JsonText::null()));
            for answer in [
                Answer::Approve { proposal: None },
                Answer::Choose { choice: "A".to_owned(), text: None, comments: Vec::new() },
            ] {
                if let Some(question) = open_question(&recovered) {
                    recovered.answer(question.0, answer, None);
                }
            }
        }
        prop_assert!(!recovered.run().status().is_live(), "what was recovered came to an end");
    }

    #[test]
    fn the_same_input_twice_gives_the_same_end(
        says in prop::collection::vec(prop::collection::vec(says(), 0..4), 5),
    ) {
        let script: Vec<(&str, Vec<Says>)> = NAMES.into_iter().zip(says).collect();
        let ends = [false, true].map(|doubled| {
            let mut world = World::new(&script);
            world.input(&Input::Start(Box::new(spec(pipeline(&STEPS)))));
            for _ in 0..60 {
                let run = world.run().clone();
                let inputs: Vec<Input> = run.outstanding().into_iter().filter_map(|command| match command {
                    Command::Dispatch(order) => Some(Input::JobSettled { key: order.key.clone(), outcome: done("x") }),
                    Command::Perform(order) => {
                        let outcome = EffectOutcome::Done(JsonText::null());
                        Some(Input::EffectSettled { key: order.key.clone(), outcome })
                    }
                    Command::Invoke(_) => None,
                }).collect();
                for input in inputs {
                    world.input(&input);
                    if doubled {
                        world.input(&input);
                    }
                }
                world.now = Timestamp(world.now.0 + 100);
                world.input(&Input::Tick);
                if doubled {
                    world.input(&Input::Tick);
                }
            }
            world.recorded.unwrap().run
        });
        prop_assert_eq!(&ends[0], &ends[1]);
    }
}
