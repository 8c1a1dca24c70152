use crate::{Probe, act};
use lockstep_sdk::bindings::Guest;
use lockstep_sdk::testing::render;
use lockstep_sdk::{Change, Event, ItemStatus, RunInfo, StepInfo, StepInput};

fn input(config: &str) -> StepInput {
    let text = str::to_owned;
    let change = Change {
        repository: text("shop"),
        base_branch: text("main"),
        head_branch: text("work/task"),
        head_commit: None,
        pull_request: None,
    };
    let run = RunInfo {
        id: text("run-1"),
        item: text("task"),
        title: text("t"),
        description: text("d"),
        change,
        facts: Vec::new(),
        outputs: Vec::new(),
        item_status: ItemStatus::InProgress,
        documents: Vec::new(),
        is_errand: false,
        initiator: text("ann"),
        now: 0,
    };
    let step = StepInfo {
        name: text("probe"),
        kind: text("probe"),
        role: text("probe"),
        config: text(config),
        policy: text("{}"),
        attempt: 1,
        is_final: true,
        wired: Vec::new(),
    };
    StepInput { run, step, decisions: Vec::new(), state: None, event: Event::Started(None) }
}

fn advance(config: &str) -> String {
    Probe::advance(input(config)).map_or_else(|error| error, |transition| render(&transition))
}

#[test]
fn it_does_what_it_is_told() {
    assert_eq!(advance("{}"), "complete ok\n");
    assert_eq!(advance(r#"{"do":"wait","n":5}"#), "wait     5 ms: told to\n");
    assert_eq!(advance(r#"{"do":"dispatch","write":true}"#), "dispatch probe (write) {}\n");
    assert_eq!(advance(r#"{"do":"ask","list":["a","b"]}"#), "ask      Decision: Which? [a, b]\n");
    assert_eq!(advance(r#"{"do":"error","text":"no"}"#), "no");
    assert_eq!(advance(r#"{"do":"dance"}"#), "`dance` is nothing a probe can do");
}

#[test]
fn it_counts_in_its_state() {
    let mut input = input(r#"{"do":"count","n":2}"#);
    let mut text = String::new();
    for _ in 0..3 {
        let transition = act::later(&serde_json::from_str(&input.step.config).unwrap(), &input, &Event::Due);
        text.push_str(&render(&transition));
        input.state = Some(transition.state);
    }
    assert_eq!(text, "wait     1 ms: counts\nwait     1 ms: counts\ncomplete 2\n");
}
