use super::{
    StepPage, Style, Tone, bytes, clean, duration, grouped, line, replay, runs, show, step, verify, why,
};
use crate::args::Cli;
use crate::context::Context;
use crate::term::Term;
use clap::Parser;
use expect_test::expect;
use lockstep_ports::{InvocationDifference, ReplayReport, VerifyReport};
use lockstep_types::{Digest, RunStatus, RunSummary, RunView, TimelineEntry, Timestamp};
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp(1_767_603_900_000);

fn plain() -> Style {
    Style::new(false, jiff::tz::TimeZone::UTC)
}

fn context() -> Context {
    let cli = Cli::try_parse_from(["lockstep", "--data", "/d a", "runs", "list"]).unwrap();
    Context::new(&cli, Term { json: false, style: plain() }).unwrap()
}

fn summary(more: &Value) -> Value {
    let mut summary = json!({
        "id": "run-019b8d1a2b3c4d5e6f708192", "item": "login", "title": "Fix the login", "pipeline": "small",
        "change": { "repository": "/repo", "base_branch": "main", "head_branch": "fix-login",
                    "head_commit": "0123456789abcdef0123456789abcdef01234567" },
        "status": "running", "item_status": "in-progress", "steps_done": 1, "steps_total": 2,
        "created_at": 1_767_603_600_000_u64, "updated_at": 1_767_603_720_000_u64
    });
    summary.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    summary
}

fn view(more: &Value, step: &Value) -> RunView {
    let mut gate = json!({
        "name": "gate", "kind": "ci-gate", "role": "gate", "status": "working", "attempt": 2,
        "digest": Digest::of(b"gate"), "needs": ["code"], "started_at": 1_767_603_700_000_u64,
        "waited_ms": 60_000, "invocations": 3
    });
    gate.as_object_mut().unwrap().extend(step.as_object().unwrap().clone());
    let code = json!({
        "name": "code", "kind": "agent", "role": "coder", "status": "done", "attempt": 1,
        "digest": Digest::of(b"code"), "needs": [], "started_at": 1_767_603_600_000_u64,
        "finished_at": 1_767_603_604_200_u64, "invocations": 2, "output": "done"
    });
    let mut view = summary(more);
    let rest = json!({ "description": "", "initiator": "anna", "steps": [code, gate],
        "facts": [{ "name": "estimate", "value": "3", "step": "code" }], "notices": [], "seq": 9 });
    view.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    serde_json::from_value(view).unwrap()
}

fn entry(step: Option<&str>, what: &str, text: &str) -> TimelineEntry {
    TimelineEntry {
        run: "run-019b8d1a2b3c4d5e6f708192".parse().unwrap(),
        seq: 1,
        at: Timestamp(1_767_603_600_000),
        step: step.map(str::to_owned),
        what: what.to_owned(),
        text: text.to_owned(),
    }
}

#[test]
fn a_timeline_is_aligned() {
    let entries = [
        entry(None, "created", "small: fix-login into main"),
        entry(Some("gate"), "invoked", "2 of 3 checks succeeded"),
        entry(Some("a-step-with-a-long-name"), "run-failed", "trapped: unreachable"),
    ];
    let lines = entries.map(|entry| plain().timeline_entry(&entry, None) + "\n").concat();
    expect![[r#"
        09:00:00  run              small: fix-login into main
        09:00:00  gate             2 of 3 checks succeeded
        09:00:00  a-step-with-a-long-name trapped: unreachable
    "#]]
    .assert_eq(&lines);
    let of_many = entry(Some("gate"), "asked", "q1 merge?");
    let coloured = Style::new(true, jiff::tz::TimeZone::UTC);
    expect!["09:00:00  6f708192  gate             q1 merge?"]
        .assert_eq(&plain().timeline_entry(&of_many, Some(&of_many.run)));
    expect![[
        r#""\u{1b}[2m09:00:00\u{1b}[0m  \u{1b}[1mgate\u{1b}[0m             \u{1b}[33mq1 merge?\u{1b}[0m""#
    ]]
    .assert_eq(&format!("{:?}", coloured.timeline_entry(&of_many, None)));
}

#[test]
fn what_a_terminal_would_obey_is_taken_out() {
    assert_eq!(clean("a\u{1b}[2Jb\u{1b}]0;title\u{7}c\r\nd\te"), "ab\u{fffd}]0;title\u{fffd}c\nd\te");
    let title = entry(Some("gate"), "invoked", "\u{1b}[31mred\u{1b}[0m\u{8}");
    assert!(!Style::new(true, jiff::tz::TimeZone::UTC).timeline_entry(&title, None).contains("\u{1b}[31m"));
    assert_eq!(plain().paint(Tone::Bad, "x"), "x");
}

#[test]
fn numbers_are_for_people() {
    let times = [0, 999, 1000, 59_999, 60_000, 3_599_000, 3_600_000, 86_399_000, 86_400_000, 277_200_000];
    expect!["0ms 999ms 1.0s 59.9s 1m 00s 59m 59s 1h 00m 23h 59m 1d 0h 3d 5h"]
        .assert_eq(&times.map(duration).join(" "));
    expect!["0 B 1023 B 1 KiB 1023 KiB 2.2 MiB"]
        .assert_eq(&[0, 1023, 1024, 1_048_575, 2_411_724].map(bytes).join(" "));
    expect!["0 999 1,000 1,234,567"].assert_eq(&[0, 999, 1000, 1_234_567].map(grouped).join(" "));
    assert_eq!(line("one\n  two   three", 9), "one two …");
}

#[test]
fn runs_are_a_table() {
    let long = "A title that is much longer than what a list of runs has room for";
    let list: Vec<RunSummary> = [
        summary(&json!({})),
        summary(&json!({ "status": "failed", "title": long })),
        summary(&json!({ "status": "blocked", "steps_total": 12 })),
    ]
    .map(|run| serde_json::from_value(run).unwrap())
    .into();
    expect![[r#"
        RUN       STATE    STEPS  TITLE                                         BRANCH     CHANGED
        6f708192  running  1/2    Fix the login                                 fix-login  3m 00s ago
        6f708192  failed   1/2    A title that is much longer than what a lis…  fix-login  3m 00s ago
        6f708192  blocked  1/12   Fix the login                                 fix-login  3m 00s ago
    "#]]
    .assert_eq(&runs(&plain(), &list, NOW));
    assert_eq!(runs(&plain(), &[], NOW), "no runs\n");
}

#[test]
fn a_run_shows_its_steps_and_what_it_waits_for() {
    let waiting = json!([{ "step": "gate", "on": "timer", "reason": "2 checks pending",
        "since": 1_767_603_800_000_u64, "act": "the host looks again at 2026-01-05T09:06:00.000Z" }]);
    let run = view(&json!({ "waiting": waiting }), &json!({}));
    expect![[r#"
        run-019b8d1a2b3c4d5e6f708192  running
        Fix the login

        change        fix-login at 0123456789ab into main
        repository    /repo
        pipeline      small
        item          login
        started       2026-01-05 09:00:00 by anna
        took          5m 00s

        STEP  KIND     STATE    TRY  TOOK    CALLS  COMPONENT
        code  agent    done          4.2s    2      5694d08a2e53
        gate  ci-gate  working  #2   2m 20s  3      c974e17b8e73

        fact estimate = 3

        09:00:00  run              small: a into b

        gate waits for timer (since 2026-01-05 09:03:20, 1m 40s)
          2 checks pending
          who can act: the host looks again at 2026-01-05T09:06:00.000Z
    "#]]
    .assert_eq(&show(&plain(), &run, &[entry(None, "created", "small: a into b")], &context(), NOW));
    expect![[r#"
        run-019b8d1a2b3c4d5e6f708192  running
        gate waits for timer (since 2026-01-05 09:03:20, 1m 40s)
          2 checks pending
          who can act: the host looks again at 2026-01-05T09:06:00.000Z
    "#]]
    .assert_eq(&why(&plain(), &run, &context(), NOW));
}

#[test]
fn a_parked_run_says_exactly_what_to_type() {
    let question = |question: Value| {
        let run = view(
            &json!({ "status": "blocked" }),
            &json!({ "status": "waiting-decision", "question": question }),
        );
        super::ending(&plain(), &run, &context(), true)
    };
    let approval = json!({ "id": 1, "kind": "approval", "prompt": "Merge it?", "asked_at": 0,
        "proposal": (1..=14).map(|n| format!("line {n}\n")).collect::<String>() });
    expect![[r#"
        gate needs an answer (q1)
          Merge it?
          | line 1
          | line 2
          | line 3
          | line 4
          | line 5
          | line 6
          | line 7
          | line 8
          | line 9
          | line 10
          | line 11
          | line 12
          | … 2 more lines
          lockstep --data '/d a' runs answer run-019b8d1a2b3c4d5e6f708192 q1 --approve
          lockstep --data '/d a' runs answer run-019b8d1a2b3c4d5e6f708192 q1 --request-changes 'WHAT'
          lockstep --data '/d a' runs answer run-019b8d1a2b3c4d5e6f708192 q1 --reject 'WHY'
        then go on with
          lockstep --data '/d a' run --resume run-019b8d1a2b3c4d5e6f708192
    "#]]
    .assert_eq(&question(approval));
    let choice = json!({ "id": 2, "kind": "cap", "prompt": "10 repairs did not help.\nWhat now?", "asked_at": 0,
        "options": ["retry", "give up"] });
    expect![[r#"
        gate needs an answer (q2)
          10 repairs did not help.
          What now?
          lockstep --data '/d a' runs answer run-019b8d1a2b3c4d5e6f708192 q2 --choose retry
          lockstep --data '/d a' runs answer run-019b8d1a2b3c4d5e6f708192 q2 --choose 'give up'
        then go on with
          lockstep --data '/d a' run --resume run-019b8d1a2b3c4d5e6f708192
    "#]]
    .assert_eq(&question(choice));
    let review = json!({ "id": 3, "kind": "review", "prompt": "2 findings", "asked_at": 0,
        "actions": ["reply", "incorporate"] });
    expect![[r#"
        gate needs an answer (q3)
          2 findings
          lockstep --data '/d a' runs act run-019b8d1a2b3c4d5e6f708192 reply --step gate
          lockstep --data '/d a' runs act run-019b8d1a2b3c4d5e6f708192 incorporate --step gate
        then go on with
          lockstep --data '/d a' run --resume run-019b8d1a2b3c4d5e6f708192
    "#]]
    .assert_eq(&question(review));
}

#[test]
fn a_parked_step_names_the_actions_it_takes() {
    let waiting = json!([{ "step": "gate", "on": "human-test", "reason": "try it",
        "since": 1_767_603_800_000_u64, "act": "a person: lockstep runs act R confirm --step gate" }]);
    let question = json!({ "id": 1, "kind": "human-test", "prompt": "try it", "asked_at": 0,
        "actions": ["confirm", "request-fix"] });
    let run = view(
        &json!({ "status": "blocked", "waiting": waiting }),
        &json!({ "status": "waiting-decision", "question": question }),
    );
    let text = why(&plain(), &run, &context(), NOW);
    expect![[r#"
        run-019b8d1a2b3c4d5e6f708192  blocked
        gate waits for human-test (since 2026-01-05 09:03:20, 1m 40s)
          try it
          who can act: a person
            lockstep --data '/d a' runs act run-019b8d1a2b3c4d5e6f708192 confirm --step gate
            lockstep --data '/d a' runs act run-019b8d1a2b3c4d5e6f708192 request-fix --step gate
    "#]]
    .assert_eq(&text);
    let lines = text.lines().skip(1).collect::<Vec<_>>().join("\n");
    assert!(show(&plain(), &run, &[], &context(), NOW).contains(&lines));
}

#[test]
fn every_end_of_a_run_has_its_line() {
    let failure = json!({ "class": "gate-exhausted", "message": "10 repairs did not help" });
    for (more, expected) in [
        (json!({ "status": "done", "steps_done": 2 }), expect!["done in 2m 00s: 2 of 2 steps"]),
        (
            json!({ "status": "failed", "failure": failure }),
            expect![[r#"
            failed after 2m 00s, 1 of 2 steps: gate-exhausted: 10 repairs did not help
              the automatic repairs were not enough; repair the change by hand, then retry
              retry   lockstep --data '/d a' runs retry run-019b8d1a2b3c4d5e6f708192"#]],
        ),
        (
            json!({ "status": "paused" }),
            expect![[r#"
            paused by an operator
              lockstep --data '/d a' runs resume run-019b8d1a2b3c4d5e6f708192
        "#]],
        ),
        (
            json!({ "status": "paused", "workspace": "ops", "waiting": [{ "step": "", "on": "budget",
                "reason": "spent", "since": 1_767_603_600_000_u64, "act": "the host" }] }),
            expect![[r#"
            paused: the budget of the month is spent
              lockstep --data '/d a' --workspace ops settings set --monthly-limit AMOUNT
        "#]],
        ),
    ] {
        expected.assert_eq(&super::ending(&plain(), &view(&more, &json!({})), &context(), false));
    }
}

fn call(number: u32, event: &Value, outcome: &Value) -> Value {
    let run = json!({ "id": "r", "item": "login", "title": "t", "description": "",
        "change": { "repository": "/repo", "base_branch": "main", "head_branch": "fix-login" },
        "item_status": "in-progress", "now": 1_767_603_700_000_u64 });
    let step = json!({ "name": "gate", "kind": "ci-gate", "role": "gate", "config": "{}", "policy": "{}",
        "attempt": 1, "is_final": false });
    let checks = json!([{ "name": "test", "status": "completed", "conclusion": "failure" },
        { "name": "lint", "status": "queued" }]);
    let observation = json!({ "request": "checks", "answer": { "checks": { "checks": checks } } });
    json!({ "seq": 4, "number": number, "step": "gate", "kind": "ci-gate", "invocation": {
        "digest": Digest::of(b"gate"), "fingerprint": Digest::zero(),
        "input": { "run": run, "step": step, "event": event }, "observations": [observation],
        "logs": [{ "level": "warn", "message": "one check failed" }],
        "outcome": outcome, "fuel": 12345, "peak_memory": 1_179_648 } })
}

#[test]
fn a_step_shows_what_it_saw_and_decided() {
    let dispatch = json!({ "kind": "ci-fixer", "access": "write", "input": "{}" });
    let transition = json!({ "transition": { "state": "{}", "note": "1 check failed", "next": { "dispatch": dispatch } } });
    let fault =
        json!({ "fault": { "class": "trapped", "message": "unreachable", "backtrace": "0: advance" } });
    let calls = json!([
        call(1, &json!("due"), &json!({ "fault": { "class": "out-of-fuel", "message": "" } })),
        call(2, &json!({ "started": null }), &transition),
        call(3, &json!("due"), &fault)
    ]);
    let state = json!({ "repairs": 1 });
    let page = StepPage {
        step: view(&json!({}), &json!({ "state": state, "output": "red" })).steps.remove(1),
        run: RunStatus::Running,
        invocations: serde_json::from_value(calls).unwrap(),
        log: Some("running 3 tests\n\u{1b}[31mfailed\u{1b}[0m\n".to_owned()),
        calls: 2,
        now: NOW,
    };
    expect![[r#"
        gate  working, attempt 2, 2m 20s
        kind ci-gate, role gate, component c974e17b8e73

        1 earlier call: --calls 3

        call 2 at 09:01:40  started  fuel 12,345, 1.1 MiB
          saw    checks.read: test failure, lint queued
          log    one check failed
          noted  1 check failed
          next   dispatch ci-fixer

        call 3 at 09:01:40  due  fuel 12,345, 1.1 MiB
          saw    checks.read: test failure, lint queued
          log    one check failed
          fault  trapped: unreachable
                 0: advance

        state
          {
            "repairs": 1
          }

        output
          red

        log
          running 3 tests
          failed
    "#]]
    .assert_eq(&step(&plain(), &page));
}

#[test]
fn reports_say_what_differs() {
    let mut report = ReplayReport {
        run: "run-1".parse().unwrap(),
        invocations: 41,
        migrations: 0,
        fuel: 9_876_543,
        differences: vec![],
    };
    let journal = |replay: &ReplayReport, problems: Vec<String>| {
        verify(
            &plain(),
            &VerifyReport { replay: replay.clone(), records: 60, head: Digest::of(b"head"), problems },
        )
    };
    expect![[r#"
        run-1: 41 calls, fuel 9,876,543: identical bit for bit
        journal: 60 records, head 9f2e6d33a371: the chain is whole and gives the stored run
    "#]]
    .assert_eq(&journal(&report, vec![]));
    report.differences.push(InvocationDifference {
        number: 7,
        step: "gate".to_owned(),
        what: "fuel".to_owned(),
        recorded: "100".to_owned(),
        replayed: "101".to_owned(),
    });
    expect![[r#"
        run-1: 41 calls, fuel 9,876,543: 1 difference
          call 7 of gate: fuel
            recorded  100
            replayed  101
    "#]]
    .assert_eq(&replay(&plain(), &report));
    expect![[r#"
        run-1: 41 calls, fuel 9,876,543: 1 difference
          call 7 of gate: fuel
            recorded  100
            replayed  101
        journal: 60 records, head 9f2e6d33a371: 1 problem
          record 12: its digest is wrong
    "#]]
    .assert_eq(&journal(&report, vec!["record 12: its digest is wrong".to_owned()]));
}

#[test]
fn a_step_is_not_said_to_wait_when_it_does_not() {
    let state = |run: RunStatus, status: &str| {
        let view = view(&json!({}), &json!({ "status": status }));
        super::run::step_state(run, &view.steps[1]).1
    };
    assert_eq!(state(RunStatus::Running, "waiting-decision"), "working", "it asked before, and nothing now");
    assert_eq!(state(RunStatus::Failed, "waiting-decision"), "cut short");
    assert_eq!(state(RunStatus::Failed, "working"), "cut short");
    assert_eq!(state(RunStatus::Failed, "pending"), "pending");
}

#[test]
fn what_a_review_found_is_shown_before_its_actions() {
    let question = json!({ "id": 1, "kind": "review", "prompt": "2 findings open.", "actions": ["reply"],
        "asked_at": 1_767_603_600_000_u64 });
    let parked = json!({ "status": "waiting-decision", "question": question });
    let run = view(&json!({ "status": "blocked", "workspace": "ops", "item": "ops-7" }), &parked);
    expect![[r#"
        gate needs an answer (q1)
          2 findings open.
          lockstep --data '/d a' --workspace ops reviews show ops-7
          lockstep --data '/d a' runs act run-019b8d1a2b3c4d5e6f708192 reply --step gate
    "#]]
    .assert_eq(&super::ending(&plain(), &run, &context(), false));
}

#[test]
fn a_job_under_way_shows_its_parts() {
    let progress = json!({ "job": "run-1/gate/1", "job_progress": { "completed": 1, "total": 3, "label": "com\u{1b}piles",
        "subtasks": [{ "title": "parser", "status": "done" }, { "title": "tests", "status": "running" }, { "title": "docs" }] } });
    let page = StepPage {
        step: view(&json!({}), &progress).steps.remove(1),
        run: RunStatus::Running,
        invocations: Vec::new(),
        log: None,
        calls: 3,
        now: NOW,
    };
    expect![[r#"
        gate  working, attempt 2, 2m 20s
        kind ci-gate, role gate, component c974e17b8e73
        job: 1 of 3 com�piles
          done     parser
          running  tests
          pending  docs
    "#]]
    .assert_eq(&step(&plain(), &page));
}
