use super::{read_text, run};
use crate::{STANDARD_COMPONENTS, cases, render, wiring};
use expect_test::expect;
use lockstep_ports::{Inspected, StepExecutor};
use lockstep_sandbox::Sandbox;
use std::path::Path;

async fn standard(name: &str) -> (Sandbox, Inspected) {
    let (_, bytes) = STANDARD_COMPONENTS
        .iter()
        .find(|(standard, _)| *standard == name)
        .expect("the standard components: run `cargo xtask guests`");
    let folder = tempfile::tempdir().unwrap();
    let sandbox = wiring::open_bench(folder.path()).unwrap();
    let inspected = sandbox.inspect(bytes).await.unwrap();
    (sandbox, inspected)
}

async fn tested(text: &str) -> String {
    let (sandbox, component) = standard("ci-gate").await;
    let cases = match read_text("cases.toml", text, true, "ci-gate") {
        Ok(cases) => cases,
        Err(error) => return format!("{error}\n"),
    };
    match run(&sandbox, &component, &cases, false).await {
        Ok(cases) => {
            let reports = cases.iter().flat_map(|case| case.calls.iter().map(move |call| (case, call)));
            let line = |(case, call): (&cases::CaseReport, &cases::CallReport)| {
                let mismatches: String = call
                    .mismatches
                    .iter()
                    .map(|one| format!("  {}: expected {}, came {}\n", one.field, one.expected, one.came))
                    .collect();
                let problems: String = call.problems.iter().map(|problem| format!("  {problem}\n")).collect();
                format!("{}: {}\n{mismatches}{problems}", case.name, render::clean(&call.came))
            };
            reports.map(line).collect()
        }
        Err(error) => format!("{error}\n"),
    }
}

#[tokio::test]
async fn every_standard_component_does_what_its_kind_must() {
    for kind in super::kinds() {
        let (sandbox, component) = standard(kind).await;
        let cases = super::of_kind(kind).unwrap().unwrap();
        assert!(cases.len() >= 3, "{kind} has too few cases");
        let reports = run(&sandbox, &component, &cases, false).await.unwrap();
        for report in reports {
            let differs: Vec<_> =
                report.calls.iter().map(|call| (&call.mismatches, &call.problems)).collect();
            assert!(report.passed, "{kind}: {}: {differs:?}", report.name);
        }
    }
    for (name, _) in STANDARD_COMPONENTS {
        assert!(super::kinds().any(|kind| kind == *name), "{name} has no cases");
    }
}

#[tokio::test]
async fn the_example_cases_pass() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guests/ci-gate/cases.toml");
    let (sandbox, component) = standard("ci-gate").await;
    let cases = super::read(&file, "ci-gate").unwrap();
    for report in run(&sandbox, &component, &cases, false).await.unwrap() {
        let differs: Vec<_> = report.calls.iter().map(|call| (&call.mismatches, &call.problems)).collect();
        assert!(report.passed, "{}: {differs:?}", report.name);
    }
}

#[tokio::test]
async fn a_case_goes_on_with_what_the_last_call_left() {
    let text = r#"
        [defaults]
        policy = { ci_max_attempts = 1 }
        [[case]]
        name = "repaired"
        observations.checks = ["build=failure"]
        expect.next = { dispatch = { kind = "ci-fixer" } }
        [[case.then]]
        event = { job = "ci-fixer", output = "mended" }
        expect = { next = { wait = { ms = 30000 } }, state = { attempts = 1 } }
        [[case.then]]
        observations.checks = ["build=success"]
        expect.next = "wait"
    "#;
    expect![[r#"
        repaired: dispatch ci-fixer
        repaired: wait 30000 ms: CI has to look at the repaired change
        repaired: complete 1 check green
          next: expected wait, came complete 1 check green
    "#]]
    .assert_eq(&tested(text).await);
}

#[tokio::test]
async fn a_wrong_case_explains_itself() {
    let mut text = String::new();
    for wrong in [
        "[[case]]\nexpect.next = 'wait'",
        "[[case]]\nname = 'a'\nconfg = {}",
        "[[case]]\nname = 'a'\nevent = 'begun'",
        "[[case]]\nname = 'a'\nevent = { job = 'x', answer = 'y' }",
        "[[case]]\nname = 'a'\nobservations.checks = ['build']",
        "[[case]]\nname = 'a'\nobservations.weather = 'fine'",
        "[[case]]\nname = 'a'\nexpect.nxt = 'wait'",
        "kind = 'tester'\n[[case]]\nname = 'a'",
        "[[case]]\nname = 'a'",
    ] {
        text.push_str(&tested(wrong).await);
    }
    expect![[r#"
        cases.toml: case "number 1": it has no `name`: add one that says what it shows
        cases.toml: case "a": unknown field `confg`, expected one of `event`, `config`, `policy`, `state`, `facts`, `documents`, `outputs`, `decisions`, `title`, `description`, `item_status`, `head`, `base`, `branch`, `pull_request`, `step`, `role`, `attempt`, `final`, `errand`, `initiator`, `now`, `wired`, `observations`, `expect`
        cases.toml: case "a": `event` is "begun": write "started", "due", or a table with `rework`, `job`, `answer`, `effect` or `action`
        cases.toml: case "a": `event` needs exactly one of `rework`, `job`, `answer`, `effect` and `action`
        cases.toml: case "a": `observations.checks` cannot be read: check "build": write NAME=CONCLUSION or NAME=STATUS, such as "build=success"
        cases.toml: case "a": unknown field `weather`, expected one of `checks`, `mergeability`, `changed_files`, `files`, `diffs`, `attempts`, `release_health`, `evidence`, `environment`
        cases.toml: case "a": `expect` cannot be read: unknown field `nxt`, expected one of `next`, `state`, `note`, `progress`, `facts`, `documents`, `notices`, `settled_notices`, `teardowns`, `fault`, `max_fuel`
        cases.toml: its cases are for kind tester, and the component implements ci-gate: give the cases of ci-gate
        a: fail agent: CI cannot be read: the case does not say
          it asked checks.read, which the case does not answer: add `observations.checks`
          it does not say what has to come out: add `expect`, or let `--bless` write it
    "#]].assert_eq(&text);
}
