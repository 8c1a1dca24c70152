//! Real stored records: journals made by the engine, with the rows beside them.

use lockstep_engine::{Command, Recorded, Turn};
use lockstep_types::{
    Admission, Answer, Digest, EffectOutcome, FailureClass, Fault, Input, Invocation, JobOutcome, JobResult,
    JsonText, Outcome, QuestionId, RunSpec, Timestamp, Transition,
};
use serde_json::{Value, json};
use std::sync::Arc;

/// Turns of one sample: far more than its script needs, and an end for one that runs in circles.
const TURNS_MAX: usize = 40;

/// A journal as it is stored, and the run it folds to.
#[derive(Debug)]
pub struct Sample {
    /// What it shows.
    pub name: &'static str,
    /// The stored records.
    pub records: Vec<Vec<u8>>,
    /// The run they give.
    pub recorded: Recorded,
}

/// What the components answer, one after the other; when nothing is left they complete.
type Script = Vec<Value>;

/// A few runs that between them make every kind of event.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let ask = |kind: &str| json!({ "ask": { "kind": kind, "prompt": "which?", "options": ["a", "b"] } });
    let dispatch = json!({ "dispatch": { "kind": "work", "access": "write", "input": "{\"n\":1}" } });
    let perform = |effect: Value| json!({ "perform": { "effect": effect } });
    let end =
        |next: Value| json!({ "next": next, "note": "noted", "facts": [{ "name": "fact", "value": "7" }] });
    let scripts: [(&str, Script); 4] = [
        (
            "jobs",
            vec![
                end(dispatch.clone()),
                end(dispatch),
                json!({ "next": { "complete": { "output": "done" } } }),
            ],
        ),
        ("questions", vec![end(ask("decision")), end(ask("cap"))]),
        ("effects", vec![end(perform(json!({ "merge": "squash" }))), end(perform(json!("update-branch")))]),
        ("faults", vec![json!({ "fault": "trapped" })]),
    ];
    scripts.into_iter().map(|(name, script)| sample(name, script)).collect()
}

/// The run all samples begin with: one step that writes, then one that is approved.
fn spec() -> RunSpec {
    let step = |name: &str, needs: Value, approval: bool| json!({ "name": name, "kind": "writer", "role": name, "needs": needs, "approval": approval, "config": "{}" });
    let grant =
        json!({ "imports": [], "jobs": ["work"], "effects": ["merge", "update-branch", "provision"] });
    let pin = json!({ "digest": Digest::of(b"component"), "grant": grant, "access": "write" });
    let spec = json!({
        "id": "run-1", "item": "task", "title": "Do the thing", "description": "", "initiator": "somebody",
        "pipeline": { "name": "p", "steps": [step("code", json!([]), false), step("check", json!([0]), true)] },
        "pins": { "writer": pin },
        "change": { "repository": "/repo", "base_branch": "main", "head_branch": "change", "head_commit": "1".repeat(40) },
        "created_at": 1000,
    });
    serde_json::from_value(spec).expect("a run of constants")
}

fn sample(name: &'static str, mut script: Script) -> Sample {
    script.reverse();
    let (mut recorded, mut records) = (None, Vec::new());
    let mut now = Timestamp(1000);
    let mut input = Some(Input::Start(Arc::new(spec())));
    while let Some(next) = input.take().filter(|_| records.len() < TURNS_MAX) {
        let turn = Turn::begin(recorded.as_ref(), now, &next, Admission::default());
        let mut turn = turn.expect("what the run waits for is taken");
        while let Some(call) = turn.next_call() {
            let outcome = outcome(script.pop());
            let invocation = Invocation {
                digest: call.digest,
                fingerprint: Digest::zero(),
                input: call.input,
                observations: Vec::new(),
                logs: Vec::new(),
                outcome,
                fuel: 1,
                peak_memory: 0,
            };
            turn.called(call.step, invocation).expect("a call that was due is taken");
        }
        let Some(finished) = turn.finish() else { break };
        records.push(finished.bytes);
        now = Timestamp(now.0 + 60_000);
        input = follow(&finished.recorded);
        recorded = Some(finished.recorded);
    }
    Sample { name, records, recorded: recorded.expect("a run that was started") }
}

fn outcome(said: Option<Value>) -> Outcome {
    let said = said.unwrap_or_else(|| json!({ "next": { "complete": { "output": "well" } } }));
    if said.get("fault").is_some() {
        let message = "it trapped".to_owned();
        return Outcome::Fault(Fault { class: FailureClass::Trapped, message, backtrace: None });
    }
    let mut transition = said;
    transition["state"] = json!("{\"attempt\":1}");
    Outcome::Transition(Box::new(
        serde_json::from_value::<Transition>(transition).expect("a transition of constants"),
    ))
}

/// What happens next to a run: what it waits for comes.
fn follow(recorded: &Recorded) -> Option<Input> {
    let run = &recorded.run;
    match run.outstanding().first() {
        Some(Command::Dispatch(order)) => {
            let result = JobResult { output: "did it".to_owned(), ..JobResult::default() };
            return Some(Input::JobSettled { key: order.key.clone(), outcome: JobOutcome::Done(result) });
        }
        Some(Command::Perform(order)) => {
            let told = JsonText::of(&json!({ "commit": "2".repeat(40) }));
            return Some(Input::EffectSettled { key: order.key.clone(), outcome: EffectOutcome::Done(told) });
        }
        _ => {}
    }
    let summary = run.summary();
    let asked = summary.waiting.first()?;
    let question = run.view(recorded.seq).steps.iter().find_map(|step| step.question.as_ref().map(|q| q.id));
    let answer = if asked.on == "approval" {
        Answer::Approve { proposal: None }
    } else {
        Answer::Choose { choice: "a".to_owned(), text: None, comments: Vec::new() }
    };
    let question = question.unwrap_or(QuestionId(1));
    Some(Input::Answered { question, answer, token: None, by: "ann".to_owned() })
}
