//! Random pipelines, components and people.

use super::world::{Says, World, ask, complete, dispatch, done, rework};
use crate::{Command, Phase};
use lockstep_types::{
    Admission, Answer, Completion, Document, Effect, EffectOrder, EffectOutcome, Environment,
    EnvironmentReport, EnvironmentStatus, FailureClass, Fault, Gating, Input, ItemStatus, JobOutcome,
    JsonText, MergeMethod, Next, NoticeId, NoticeState, OnMissingEstimate, Pinning, Question, QuestionId,
    QuestionKind, RunSpec, StandIn, StepAction, Timestamp, Transition,
};
use proptest::prelude::*;
use serde_json::json;

/// Names of the steps of random pipelines.
pub(super) const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// Versions of the components; runs begin with the first.
const VERSIONS: [&str; 3] = ["component", "component 2", "component 3"];

/// A pipeline and what its components answer, call by call.
#[derive(Clone, Debug)]
pub(super) struct Script {
    steps: Vec<StepPlan>,
    pinning: Pinning,
    pub(super) says: Vec<Vec<Says>>,
}

#[derive(Clone, Debug)]
struct StepPlan {
    /// Earlier steps it needs, as bits.
    needs: u8,
    reads: bool,
    merges: bool,
    approval: bool,
    gating: Option<Gating>,
}

pub(super) fn script() -> impl Strategy<Value = Script> {
    let gating = prop_oneof![
        4 => Just(None),
        1 => (0.0..1.0, any::<bool>()).prop_map(|(least, skip)| Some(Gating {
            enabled: true,
            min_risk: Some(least),
            on_missing_estimate: if skip { OnMissingEstimate::Skip } else { OnMissingEstimate::Run },
            ..Gating::default()
        })),
    ];
    let step =
        (any::<u8>(), prop::bool::weighted(0.3), any::<bool>(), prop::bool::weighted(0.3), gating).prop_map(
            |(needs, reads, merges, approval, gating)| StepPlan { needs, reads, merges, approval, gating },
        );
    let steps = prop::collection::vec(step, 1..=NAMES.len());
    let says = prop::collection::vec(prop::collection::vec(says(), 0..6), NAMES.len());
    let pinning = prop_oneof![Just(Pinning::Run), Just(Pinning::Step)];
    (steps, pinning, says).prop_map(|(steps, pinning, says)| Script { steps, pinning, says })
}

pub(super) fn spec(script: &Script) -> RunSpec {
    let texts: Vec<String> = script.steps.iter().enumerate().map(|(at, step)| text(at, step)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut pipeline = super::world::pipeline(&texts);
    pipeline.pin = script.pinning;
    for (def, step) in pipeline.steps.iter_mut().zip(&script.steps) {
        def.gating.clone_from(&step.gating);
    }
    super::world::spec(pipeline)
}

fn text(at: usize, step: &StepPlan) -> String {
    let needs: Vec<&str> =
        (0..at).filter(|need| step.needs & (1 << need) != 0).map(|need| NAMES[need]).collect();
    let needs = if needs.is_empty() { "nothing".to_owned() } else { needs.join(",") };
    let approval = if step.approval { "!" } else { "" };
    let kind = match (step.reads, step.merges) {
        (true, _) => "?",
        (false, true) => "+",
        (false, false) => "",
    };
    format!("{}{approval}{kind} needs {needs}", NAMES[at])
}

fn says() -> impl Strategy<Value = Says> {
    let fault = Fault { class: FailureClass::Trapped, message: "trap".to_owned(), backtrace: None };
    let merged = Completion { item_status: Some(ItemStatus::Done), ..Completion::default() };
    let left = Completion { item_status: Some(ItemStatus::PrReady), ..Completion::default() };
    let provision =
        |keep| Next::Perform { effect: Effect::Provision { input: JsonText::null(), keep }, proposal: None };
    prop_oneof![
        6 => Just(complete("out").into()),
        1 => Just(Next::Complete(merged).into()),
        1 => Just(Next::Complete(left).into()),
        4 => Just(dispatch("work").into()),
        2 => Just(Next::Wait { ms: 10, reason: "time".to_owned() }.into()),
        2 => Just(ask(QuestionKind::Decision, &["A", "B"]).into()),
        1 => Just(ask(QuestionKind::Review, &[]).into()),
        2 => Just(with_actions().into()),
        2 => Just(rework("a", "again").into()),
        2 => Just(Next::Perform { effect: Effect::Merge(MergeMethod::Merge), proposal: None }.into()),
        2 => any::<bool>().prop_map(move |keep| provision(keep).into()),
        1 => Just(Next::Skip("nothing to do".to_owned()).into()),
        1 => Just(Next::Stay.into()),
        1 => any::<bool>().prop_map(|invalid| Next::Refuse { invalid, message: "no".to_owned() }.into()),
        2 => (0.0..1.0).prop_map(|risk| estimated(risk).into()),
        1 => Just(Transition { teardowns: vec![environment("a-1")], ..Transition::new(JsonText::null(), complete("gone")) }.into()),
        1 => Just(Says::Fault(fault)),
    ]
}

/// A question that is acted on.
fn with_actions() -> Next {
    Next::Ask {
        kind: QuestionKind::HumanTest,
        prompt: "does it work?".to_owned(),
        options: Vec::new(),
        proposal: None,
        actions: vec!["confirm".to_owned()],
    }
}

fn estimated(risk: f64) -> Transition {
    let value = JsonText::of(&json!({"complexity": 0, "risk": risk, "impact": 0}));
    let estimate = Document { name: "estimate".to_owned(), value, stands_in: None };
    let text = StandIn { text: "better words".to_owned(), rank: 1 };
    let clarity = Document { name: "clarity".to_owned(), value: JsonText::null(), stands_in: Some(text) };
    Transition {
        documents: vec![estimate, clarity],
        ..Transition::new(JsonText::null(), complete("estimated"))
    }
}

fn environment(name: &str) -> JsonText {
    let report = EnvironmentReport { status: EnvironmentStatus::Ready, url: None, expires_at: None };
    JsonText::of(&Environment { id: name.to_owned(), report })
}

#[derive(Clone, Debug)]
pub(super) enum Act {
    Settle(JobOutcome),
    Time(u64),
    Poke,
    Answer(Answer),
    Step(usize),
    Budget(bool),
    Notice(u32, NoticeState),
    Escalate(u32),
    ItemChanged,
    Merged,
    TearDown,
    Stop,
    Retry,
    Restart(usize),
    SendBack(Vec<usize>, bool),
    MergedOutside,
    RestartOn(usize, &'static str),
    Repin(&'static str, &'static str),
    Activate(&'static str),
    StopComponent(&'static str),
    LetGoOn(&'static str),
    Pause,
    Resume,
}

pub(super) fn act() -> impl Strategy<Value = Act> {
    let choose =
        |choice: &str| Answer::Choose { choice: choice.to_owned(), text: None, comments: Vec::new() };
    let kind = || prop::sample::select(vec!["writer", "reader", "merger"]);
    let version = || prop::sample::select(VERSIONS.to_vec());
    let state = prop_oneof![Just(NoticeState::Acted), Just(NoticeState::Dismissed)];
    prop_oneof![
        10 => Just(Act::Settle(done("job"))),
        1 => Just(Act::Settle(JobOutcome::Failed("broken".to_owned()))),
        2 => any::<bool>().prop_map(|transient| Act::Settle(JobOutcome::Evicted { transient, message: "gone".to_owned() })),
        4 => (0_u64..30).prop_map(Act::Time),
        1 => Just(Act::Poke),
        4 => Just(Act::Answer(choose("A"))),
        4 => Just(Act::Answer(Answer::Approve { proposal: None })),
        1 => Just(Act::Answer(Answer::RequestChanges { feedback: "other".to_owned(), comments: Vec::new() })),
        1 => Just(Act::Answer(Answer::Reject { reason: String::new() })),
        4 => (0_usize..5).prop_map(Act::Step),
        2 => prop::bool::weighted(0.3).prop_map(Act::Budget),
        // A card that a person closes is not raised again for the same wait: other cards only.
        1 => (1_u32..4, state).prop_map(|(id, state)| Act::Notice(id, state)),
        1 => (1_u32..4).prop_map(Act::Escalate),
        1 => Just(Act::ItemChanged),
        1 => Just(Act::Merged),
        1 => Just(Act::TearDown),
        1 => Just(Act::Stop),
        2 => Just(Act::Retry),
        1 => (0_usize..5).prop_map(Act::Restart),
        2 => (prop::collection::vec(0_usize..5, 0..3), any::<bool>()).prop_map(|(steps, again)| Act::SendBack(steps, again)),
        1 => Just(Act::MergedOutside),
        1 => ((0_usize..5), version()).prop_map(|(step, version)| Act::RestartOn(step, version)),
        3 => (kind(), version()).prop_map(|(kind, version)| Act::Repin(kind, version)),
        2 => version().prop_map(Act::Activate),
        1 => version().prop_map(Act::StopComponent),
        3 => version().prop_map(Act::LetGoOn),
        1 => Just(Act::Pause),
        3 => Just(Act::Resume),
    ]
}

/// What a provider tells of an effect.
pub(super) fn performed(order: &EffectOrder) -> EffectOutcome {
    match order.effect {
        Effect::Provision { .. } => {
            EffectOutcome::Done(environment(&format!("{}-{}", order.key.step, order.key.number)))
        }
        _ => EffectOutcome::Done(JsonText::null()),
    }
}

/// An answer that a question takes; one that is acted on takes none.
pub(super) fn answer_to(question: &Question) -> Answer {
    match question.kind {
        QuestionKind::Approval => Answer::Approve { proposal: None },
        _ => Answer::Choose { choice: "A".to_owned(), text: None, comments: Vec::new() },
    }
}

fn open_question(world: &World) -> Option<QuestionId> {
    world.run().steps().iter().find_map(|step| match &step.phase {
        Phase::Question { question, .. } => Some(question.id),
        _ => None,
    })
}

fn settle(world: &mut World, job: &JobOutcome) {
    let effect = world.run().outstanding().iter().find_map(|command| match command {
        Command::Perform(order) => Some(performed(order)),
        _ => None,
    });
    world.settle(job, &effect.unwrap_or_else(|| EffectOutcome::Done(JsonText::null())));
}

fn send_back(steps: &[usize], again: bool) -> Input {
    Input::SendBack {
        steps: steps.iter().map(|step| NAMES[*step].to_owned()).collect(),
        feedback: again.then(|| "again".to_owned()),
        head_commit: Some("b".repeat(40)),
        by: "github".to_owned(),
    }
}

pub(super) fn perform(world: &mut World, act: &Act) {
    let by = || "ann".to_owned();
    let input = match act {
        Act::Settle(outcome) => return settle(world, outcome),
        Act::Time(ms) => {
            world.now = Timestamp(world.now.0 + ms);
            Input::Tick
        }
        Act::Poke => Input::Poke,
        Act::Answer(answer) => match open_question(world) {
            Some(question) => return world.answer(question.0, answer.clone(), None),
            None => return,
        },
        Act::Step(step) => {
            let action = StepAction { name: "confirm".to_owned(), input: JsonText::of(&json!({})), by: by() };
            Input::Act { step: NAMES[*step].to_owned(), action }
        }
        Act::Budget(over_budget) => {
            world.admission = Admission {
                over_budget: *over_budget,
                exempt: vec!["a".to_owned()],
                ..world.admission.clone()
            };
            Input::Tick
        }
        Act::Notice(id, state) => {
            let is_wait = |notice: &lockstep_types::Notice| notice.kind == "decision_required";
            let known = world.run().notices().iter().find(|notice| notice.id == NoticeId(*id));
            if known.is_none_or(is_wait) {
                return;
            }
            Input::NoticeSettled { id: NoticeId(*id), state: *state }
        }
        Act::Escalate(id) => Input::Escalate { id: NoticeId(*id) },
        Act::ItemChanged => Input::ItemChanged { documents: Vec::new(), notices: Vec::new() },
        Act::Merged => Input::Merged { by: by() },
        Act::TearDown => Input::TearDown,
        Act::Stop => Input::Stop { reason: String::new(), class: None, by: by() },
        Act::Retry => Input::Retry { head_commit: None, by: by() },
        Act::Restart(step) => {
            Input::Restart { step: NAMES[*step].to_owned(), head_commit: None, by: by(), repin: None }
        }
        Act::SendBack(steps, again) => send_back(steps, *again),
        Act::MergedOutside => Input::MergedOutside { by: by() },
        Act::RestartOn(step, version) => match world.run().spec().pipeline.steps.get(*step) {
            Some(def) => {
                let repin = super::pins::restarted_on(world, NAMES[*step], &def.kind, version);
                Input::Restart {
                    step: NAMES[*step].to_owned(),
                    head_commit: None,
                    by: by(),
                    repin: Some(Box::new(repin)),
                }
            }
            None => return,
        },
        Act::Repin(kind, version) => Input::Repin(Box::new(world.repin(kind, version))),
        Act::Activate(version) => return world.activate(version),
        Act::StopComponent(version) => return world.stop(version),
        Act::LetGoOn(version) => {
            world.let_go_on(version);
            Input::Poke
        }
        Act::Pause => Input::Pause { by: by(), over_budget: false },
        Act::Resume => Input::Resume { by: by() },
    };
    world.input(&input);
}
