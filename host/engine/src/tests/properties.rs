//! What must hold for any pipeline, any components and any order of things.

use super::random::{self, Act, NAMES, Script};
use super::world::{World, done};
use crate::{Command, Phase, Step};
use lockstep_types::{
    Admission, Effect, Event, Input, ItemStatus, NoticeState, RunStatus, StepIx, StepStatus, Timestamp,
};
use proptest::prelude::*;
use std::sync::Arc;

/// Rounds in which a run that is helped along comes to an end.
const ROUNDS_MAX: usize = 500;

fn started(script: &Script) -> World {
    let says: Vec<_> = NAMES.into_iter().zip(script.says.iter().cloned()).collect();
    let mut world = World::new(&says);
    world.input(&Input::Start(Arc::new(random::spec(script))));
    world
}

fn perform(world: &mut World, act: &Act) {
    random::perform(world, act);
    // A turn may end at its bound of calls with more to be made.
    let has_calls =
        |world: &World| world.run().outstanding().iter().any(|command| matches!(command, Command::Invoke(_)));
    for _ in 0..ROUNDS_MAX {
        if !has_calls(world) {
            return;
        }
        world.input(&Input::Tick);
    }
}

fn check(world: &World) {
    let run = world.run();
    let open = |kind: &str| {
        run.notices().iter().any(|notice| notice.state == NoticeState::Open && notice.kind == kind)
    };
    let parked = run.steps().iter().any(Step::is_parked);
    if !run.status().is_live() {
        // An environment that comes when nobody waits for it any more has to be torn down.
        let of_environments = |command: &Command<'_>| match command {
            Command::Perform(order) => matches!(order.effect, Effect::Teardown(_) | Effect::Provision { .. }),
            Command::Invoke(_) | Command::Dispatch(_) => false,
        };
        let asks_for = run.outstanding();
        assert!(asks_for.iter().all(of_environments), "a run that has ended asks for no work: {asks_for:?}");
        assert_eq!(run.next_wakeup(), None);
        assert!(!parked);
    }
    if parked {
        assert!(open("decision_required"), "every parked step has an open notice");
    } else {
        assert!(!open("decision_required"), "a notice is closed with the wait it is about");
    }
    match run.status() {
        RunStatus::Blocked => assert!(parked),
        RunStatus::Done => assert!(run.steps().iter().all(Step::is_behind)),
        RunStatus::Running => {
            let held = run.steps().iter().any(|step| matches!(step.phase, Phase::Effect(_)));
            let goes_on = !run.outstanding().is_empty() || run.next_wakeup().is_some() || held;
            assert!(goes_on, "a running run waits for something that comes by itself");
        }
        RunStatus::Paused | RunStatus::Failed => {}
    }
    if let Some(stop) = run.held_for() {
        assert_eq!(run.status(), RunStatus::Paused);
        assert!(world.admission.stopped.contains_key(&stop.digest), "held for nothing");
    } else {
        assert!(!open("component_stopped"), "a notice is closed with the hold it is about");
    }
    check_item(world);
    check_steps(world);
}

/// Every item status has a reason behind it.
fn check_item(world: &World) {
    let (run, says) = (world.run(), |status: ItemStatus| {
        world.run().steps().iter().any(|step| step.item_status == Some(status))
    });
    let merged_by_hand = events(world).any(|event| matches!(event, Event::MergedByHand { .. }));
    match run.item_status() {
        ItemStatus::Blocked => {
            let waits = run.status() != RunStatus::Running && run.status() != RunStatus::Done;
            assert!(waits, "blocked, but nobody is waited for");
        }
        ItemStatus::InProgress => assert!(run.status().is_live(), "in progress, but nothing goes on"),
        ItemStatus::PrReady => {
            let merge_left = matches!(run.status(), RunStatus::Done) || says(ItemStatus::PrReady);
            assert!(merge_left, "it awaits a merge that nobody left to a person");
        }
        ItemStatus::Done => {
            let was_said = events(world).any(|event| {
                matches!(event, Event::StepCompleted { completion, .. }
                    if completion.item_status == Some(ItemStatus::Done))
            });
            assert!(was_said || merged_by_hand, "done, but nobody said so");
        }
        ItemStatus::Planned | ItemStatus::Ready => panic!("no step of these tests plans anything"),
    }
}

fn check_steps(world: &World) {
    let run = world.run();
    let writers = run.steps().iter().zip(&run.spec().pipeline.steps).filter(|(step, def)| {
        let under_way = matches!(step.status, StepStatus::Working | StepStatus::WaitingDecision);
        def.kind != "reader" && !step.passed_over && under_way
    });
    assert!(!run.status().is_live() || writers.count() <= 1, "two steps change the head branch at once");
    for step in run.steps() {
        let unfinished = step.attempts.iter().filter(|attempt| attempt.finished_at.is_none()).count();
        assert!(unfinished <= 1, "a step has one execution at a time");
    }
    let here = run.environments().iter().filter(|held| !held.released).count();
    assert!(here <= 1, "an item has one environment at a time");
    for ix in 0..run.steps().len() {
        check_finished_once(world, ix);
    }
}

/// No step finishes twice without having begun again in between.
fn check_finished_once(world: &World, ix: StepIx) {
    let mut open = false;
    for event in events(world) {
        match event {
            Event::StepStarted { step, .. } if *step == ix => open = true,
            Event::StepCompleted { step, .. } | Event::StepSkipped { step, .. } if *step == ix => {
                assert!(open, "step {ix} finished without having begun");
                open = false;
            }
            Event::StepsReset { steps } | Event::StepsCleared { steps, .. } if steps.contains(&ix) => {
                open = false;
            }
            _ => {}
        }
    }
}

fn events(world: &World) -> impl Iterator<Item = &Event> {
    world.turns.iter().flat_map(|turn| &turn.events)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn invariants_hold_and_the_journal_folds_to_the_run(
        script in random::script(),
        acts in prop::collection::vec(random::act(), 0..60),
    ) {
        let mut world = started(&script);
        check(&world);
        for act in &acts {
            perform(&mut world, act);
            check(&world);
        }
        let live = world.recorded.clone().unwrap();
        let replayed = world.replayed(world.records.len());
        prop_assert_eq!(&replayed, &live);
        prop_assert_eq!(replayed.run.digest(), live.run.digest());
    }

    #[test]
    fn a_prefix_of_the_journal_and_the_rest_give_the_same_run(
        script in random::script(),
        acts in prop::collection::vec(random::act(), 0..30),
        cut in 0_usize..30,
    ) {
        let mut world = started(&script);
        for act in &acts {
            perform(&mut world, act);
        }
        let cut = 1 + cut % world.records.len();
        let mut run = world.replayed(cut).run;
        for turn in &world.turns[cut..] {
            for event in &turn.events {
                run.apply(turn.at, event).unwrap();
            }
        }
        prop_assert_eq!(&run, world.run());
        prop_assert!(comes_to_an_end(&world, cut), "what was recovered from a prefix came to an end");
    }

    #[test]
    fn the_same_input_twice_gives_the_same_end(script in random::script()) {
        let ends = [false, true].map(|doubled| {
            let mut world = started(&script);
            for round in 0..60 {
                for input in inputs_wanted(&world, round) {
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

/// Everything the run waits for, each with the key or token it comes under.
fn inputs_wanted(world: &World, round: usize) -> Vec<Input> {
    let asked = |step: &Step| match &step.phase {
        Phase::Question { question, .. } => Some(Input::Answered {
            question: question.id,
            answer: random::answer_to(question),
            token: Some(format!("answer {round}")),
            by: "ann".to_owned(),
        }),
        _ => None,
    };
    let run = world.run();
    let commands = run.outstanding().into_iter().filter_map(|command| match command {
        Command::Dispatch(order) => Some(Input::JobSettled { key: order.key.clone(), outcome: done("x") }),
        Command::Perform(order) => {
            let outcome = random::performed(order);
            Some(Input::EffectSettled { key: order.key.clone(), outcome })
        }
        Command::Invoke(_) => None,
    });
    commands.chain(run.steps().iter().filter_map(asked)).collect()
}

fn comes_to_an_end(world: &World, cut: usize) -> bool {
    let mut recovered = World::new(&[]);
    recovered.now = Timestamp(world.now.0 + 1000);
    recovered.recorded = Some(world.replayed(cut));
    for round in 0..ROUNDS_MAX {
        if !recovered.run().status().is_live() {
            return true;
        }
        recovered.now = Timestamp(recovered.now.0 + 1000);
        recovered.admission = Admission::default();
        recovered.input(&Input::Resume { by: "ann".to_owned() });
        recovered.input(&Input::Tick);
        for input in inputs_wanted(&recovered, round) {
            recovered.input(&input);
        }
        for step in 0..NAMES.len() {
            random::perform(&mut recovered, &Act::Step(step));
        }
    }
    !recovered.run().status().is_live()
}
