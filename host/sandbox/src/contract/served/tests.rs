use super::bindings::types as wit;
use super::from_guest;
use super::to_guest::step_input;
use crate::convert::Unusable;
use crate::limits::Limits;
use expect_test::expect;
use lockstep_types::{Next, StepEvent, StepInput, Transition};
use serde_json::json;

fn completion() -> wit::Completion {
    wit::Completion {
        output: None,
        artifact: None,
        item_status: None,
        on_behalf_of: Vec::new(),
        approved: false,
    }
}

fn returned(next: wit::Next) -> wit::Transition {
    wit::Transition {
        state: "{}".to_owned(),
        note: None,
        progress: None,
        facts: Vec::new(),
        notices: Vec::new(),
        settled_notices: Vec::new(),
        documents: Vec::new(),
        teardowns: Vec::new(),
        next,
    }
}

fn question(options: &[&str]) -> wit::Question {
    wit::Question {
        kind: wit::QuestionKind::HumanTest,
        prompt: "Which?".to_owned(),
        options: options.iter().map(|option| (*option).to_owned()).collect(),
        proposal: None,
        actions: Vec::new(),
    }
}

fn job(kind: &str, input: &str) -> wit::JobRequest {
    wit::JobRequest {
        kind: kind.to_owned(),
        access: wit::Access::Write,
        extra_outputs: Vec::new(),
        input: input.to_owned(),
        time_limit_ms: None,
    }
}

fn rework(producers: &[&str]) -> wit::ReworkRequest {
    let comment = wit::Comment { body: "no".to_owned(), quote: None, lines: Some((3, 2)), anchor: None };
    wit::ReworkRequest {
        producers: producers.iter().map(|role| (*role).to_owned()).collect(),
        feedback: String::new(),
        comments: vec![comment],
    }
}

fn read(transition: wit::Transition) -> Result<Transition, Unusable> {
    from_guest::transition(transition, &Limits::default())
}

#[test]
fn what_makes_sense_is_taken_over_word_for_word() {
    let effect = |effect| wit::Next::Perform(wit::EffectRequest { effect, proposal: Some("do".to_owned()) });
    let failure = wit::Failure {
        class: wit::FailureClass::GateExhausted,
        message: "red".to_owned(),
        detail: Some("log".to_owned()),
    };
    let nexts = [
        wit::Next::Complete(wit::Completion {
            output: Some("text".to_owned()),
            artifact: Some(wit::Artifact {
                name: "a".to_owned(),
                media_type: "text/plain".to_owned(),
                content: "c".to_owned(),
            }),
            item_status: Some(wit::ItemStatus::PrReady),
            on_behalf_of: vec!["agent".to_owned()],
            approved: true,
        }),
        wit::Next::Skip("why".to_owned()),
        wit::Next::Wait(wit::Waiting { ms: 7, reason: "checks".to_owned() }),
        wit::Next::Dispatch(job("test", "[1]")),
        wit::Next::Ask(question(&["a", "b"])),
        effect(wit::Effect::Merge(wit::MergeMethod::FastForward)),
        effect(wit::Effect::OpenTicket("{}".to_owned())),
        wit::Next::Rework(wit::ReworkRequest { comments: Vec::new(), ..rework(&["agent"]) }),
        wit::Next::Fail(failure),
    ];
    let said: Vec<_> = nexts
        .into_iter()
        .map(|next| serde_json::to_string::<Next>(&read(returned(next)).unwrap().next).unwrap())
        .collect();
    expect![[r#"
        {"complete":{"output":"text","artifact":{"name":"a","media_type":"text/plain","content":"c"},"item_status":"pr-ready","on_behalf_of":["agent"],"approved":true}}
        {"skip":"why"}
        {"wait":{"ms":7,"reason":"checks"}}
        {"dispatch":{"kind":"test","access":"write","input":"[1]"}}
        {"ask":{"kind":"human-test","prompt":"Which?","options":["a","b"],"proposal":null}}
        {"perform":{"effect":{"merge":"fast-forward"},"proposal":"do"}}
        {"perform":{"effect":{"open-ticket":"{}"},"proposal":"do"}}
        {"rework":{"producers":["agent"],"feedback":""}}
        {"fail":{"class":"gate-exhausted","message":"red","detail":"log"}}"#]].assert_eq(&said.join("\n"));
}

#[test]
fn what_makes_no_sense_is_refused_with_a_reason() {
    let done = || returned(wit::Next::Complete(completion()));
    let fact = |name: &str, value: &str| {
        let fact = wit::NewFact { name: name.to_owned(), value: value.to_owned() };
        wit::Transition { facts: vec![fact], ..done() }
    };
    let options: Vec<_> = (0..65).map(|n| n.to_string()).collect();
    let options: Vec<_> = options.iter().map(String::as_str).collect();
    let cases = [
        wit::Transition { state: String::new(), ..done() },
        wit::Transition { state: "[1e999]".to_owned(), ..done() },
        fact("", "1"),
        fact(&"x".repeat(129), "1"),
        fact("two\nlines", "1"),
        fact("estimate", "three"),
        wit::Transition { progress: Some(wit::Progress { completed: 3, total: 2, label: None }), ..done() },
        wit::Transition {
            notices: vec![wit::Notice {
                kind: " ".to_owned(),
                severity: wit::Severity::Urgent,
                title: "t".to_owned(),
                body: "b".to_owned(),
            }],
            ..done()
        },
        returned(wit::Next::Dispatch(job("", "{}"))),
        returned(wit::Next::Dispatch(job("test", ""))),
        returned(wit::Next::Dispatch(wit::JobRequest { time_limit_ms: Some(0), ..job("test", "{}") })),
        returned(wit::Next::Ask(question(&["a", "b", "a"]))),
        returned(wit::Next::Ask(question(&["a", ""]))),
        returned(wit::Next::Ask(question(&options))),
        returned(wit::Next::Ask(wit::Question { prompt: String::new(), ..question(&[]) })),
        returned(wit::Next::Perform(wit::EffectRequest {
            effect: wit::Effect::Provision(wit::ProvisionRequest { input: "x".to_owned(), keep: true }),
            proposal: None,
        })),
        returned(wit::Next::Rework(rework(&[]))),
        returned(wit::Next::Rework(rework(&["agent"]))),
    ];
    let said: Vec<_> = cases
        .into_iter()
        .map(|case| match read(case).unwrap_err() {
            Unusable::Nonsense(reason) => reason,
            Unusable::TooLarge(reason) => panic!("not too large: {reason}"),
        })
        .collect();
    expect![[r#"
        the state it returned is not JSON: EOF while parsing a value at line 1 column 0
        the state it returned is not JSON: number out of range at line 1 column 6
        it returned a fact without a name
        it returned a fact with a name of 129 bytes, more than 128
        it returned a fact with control characters in its name
        the fact `estimate` it returned is not JSON: expected ident at line 1 column 2
        it returned a progress of 3 of 2
        it returned a notice without a name
        it returned a job without a name
        the job input it returned is not JSON: EOF while parsing a value at line 1 column 0
        it dispatched a job with no time to run
        it asked a question with the option `a` twice
        it asked a question with an empty option
        it asked a question with 65 options, more than 64
        it asked a question without words
        the environment it returned is not JSON: expected value at line 1 column 1
        it asked for rework without naming a producer
        it returned a comment on the lines 3 to 2"#]]
    .assert_eq(&said.join("\n"));
}

#[test]
fn many_small_parts_are_as_large_as_one_big_text() {
    let limits = Limits { output_bytes: 1000, ..Limits::default() };
    let roles = |count: usize| wit::Completion { on_behalf_of: vec!["r".to_owned(); count], ..completion() };
    assert!(from_guest::transition(returned(wit::Next::Complete(roles(10))), &limits).is_ok());
    for next in [wit::Next::Complete(roles(100)), wit::Next::Skip("x".repeat(1001))] {
        let refused = from_guest::transition(returned(next), &limits);
        assert!(matches!(refused, Err(Unusable::TooLarge(_))), "{refused:?}");
    }
}

fn input(event: serde_json::Value) -> StepInput {
    serde_json::from_value(json!({
        "run": {
            "id": "run-1", "item": "task", "title": "Title", "description": "Text", "initiator": "ann", "now": 9,
            "change": {
                "repository": "/srv/x", "base_branch": "main", "head_branch": "work", "head_commit": "c0",
                "pull_request": { "url": "https://forge/1", "number": 1, "branch": "work" },
            },
            "facts": [{ "name": "estimate", "value": "3", "step": "plan" }],
            "outputs": [{ "step": "plan", "role": "agent", "output": "a plan" }],
        },
        "step": {
            "name": "gate", "kind": "ci-gate", "role": "ci-gate", "config": "{\"a\":1}", "policy": "{}",
            "attempt": 2, "is_final": true,
        },
        "decisions": [{ "step": "plan", "question": "q", "answer": "a" }],
        "state": "[4]",
        "event": event,
    }))
    .unwrap()
}

#[test]
fn the_component_is_told_all_of_the_input() {
    let (told, bytes) = step_input(&input(json!("due")));
    expect![[r#"StepInput { run: RunInfo { id: "run-1", item: "task", title: "Title", description: "Text", change: Change { repository: "/srv/x", base-branch: "main", head-branch: "work", head-commit: Some("c0"), pull-request: Some(PullRequest { url: "https://forge/1", number: Some(1), branch: Some("work") }) }, facts: [Fact { name: "estimate", value: "3", step: "plan" }], outputs: [StepOutput { step: "plan", role: "agent", output: "a plan" }], item-status: ItemStatus::InProgress, documents: [], is-errand: false, now: 9 }, step: StepInfo { name: "gate", kind: "ci-gate", role: "ci-gate", config: "{\"a\":1}", policy: "{}", attempt: 2, is-final: true, wired: [] }, decisions: [Decision { step: "plan", question: "q", answer: "a" }], state: Some("[4]"), event: Event::Due }"#]].assert_eq(&format!("{told:?}").replace(", initiator: \"ann\"", ""));
    let mut longer = input(json!("due"));
    longer.run.title.push_str("12345");
    assert_eq!(step_input(&longer).1, bytes + 5, "every byte counts");
}

#[test]
fn every_event_is_told() {
    let comment = json!({ "body": "b", "quote": "q", "lines": [1, 2], "anchor": "x" });
    let events = [
        json!({ "started": null }),
        json!({ "started": { "feedback": "f", "comments": [comment], "previous": "p", "by": "human" } }),
        json!({ "job-settled": { "kind": "test", "outcome": { "done": {
            "output": "o", "report": "{}", "question": { "prompt": "p", "options": ["a"] }, "model": "m",
            "usage": { "input_tokens": 1, "output_tokens": 2 }, "confidence": 0.5, "head_commit": "c1",
        } } } }),
        json!({ "job-settled": { "kind": "test", "outcome": { "evicted": { "transient": true, "message": "m" } } } }),
        json!({ "answered": { "choice": "yes", "text": "t", "comments": [] } }),
        json!({ "effect-settled": { "refused": "why" } }),
    ];
    let told: Vec<_> =
        events.into_iter().map(|event| format!("{:?}", step_input(&input(event)).0.event)).collect();
    expect![[r#"
        Event::Started(None)
        Event::Started(Some(ReworkOrder { feedback: "f", comments: [Comment { body: "b", quote: Some("q"), lines: Some((1, 2)), anchor: Some("x") }], previous: Some("p"), by: "human" }))
        Event::JobSettled(JobSettled { kind: "test", outcome: JobOutcome::Done(JobResult { output: "o", report: Some("{}"), question: Some(JobQuestion { prompt: "p", options: ["a"] }), pull-request: None, model: Some("m"), usage: Some(Usage { input-tokens: 1, output-tokens: 2 }), confidence: Some(0.5) }) })
        Event::JobSettled(JobSettled { kind: "test", outcome: JobOutcome::Evicted("m") })
        Event::Answered(Answer { choice: "yes", text: Some("t"), comments: [] })
        Event::EffectSettled(EffectOutcome::Refused("why"))"#]].assert_eq(&told.join("\n"));
}

#[test]
fn a_confidence_json_cannot_hold_is_not_told() {
    let mut input = input(json!({ "job-settled": { "kind": "test", "outcome": { "done": {} } } }));
    if let StepEvent::JobSettled { outcome: lockstep_types::JobOutcome::Done(result), .. } = &mut input.event
    {
        result.confidence = Some(f64::NAN);
    }
    let told = format!("{:?}", step_input(&input).0.event);
    assert!(told.contains("confidence: None"), "{told}");
}
