//! The payloads that GitHub's users contributed as examples: each is taken, or ignored for a reason.

use crate::told;
use expect_test::{expect, expect_file};
use lockstep_hooks::github::UNKNOWN;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

#[test]
fn an_example_of_each_event_is_taken_or_ignored_for_a_reason() {
    let examples: Vec<Value> = serde_json::from_str(include_str!("../payloads/examples.json")).unwrap();
    let line = |example: &Value| {
        let event = example["event"].as_str().unwrap();
        let action = example["payload"]["action"].as_str().unwrap_or("-");
        format!("{event} {action}: {}\n", told(event, example["payload"].to_string().as_bytes()))
    };
    expect![[r#"
        ping -: ping
        pull_request opened: ignored: it was opened without a label
        pull_request labeled: Codertocat/Hello-World by Codertocat: #2 of changes labelled bug
        pull_request synchronize: Codertocat/Hello-World by Codertocat: #2 moved to ec26c3e
        pull_request closed: Codertocat/Hello-World by Codertocat: #2 closed, merged: false
        pull_request_review submitted: Codertocat/Hello-World by Codertocat: #2: review 237895671 by Codertocat (may write: true): Commented of ec26c3e: ""
        pull_request_review dismissed: Codertocat/Hello-World by Codertocat: #2: review 237895671 by Codertocat (may write: true): Dismissed of ec26c3e: ""
        issue_comment created: ignored: it is under an issue, which carries no change
        check_run completed: Codertocat/Hello-World by Codertocat: Octocoders-linter failed at ec26c3e, [2] changes
        check_suite completed: Codertocat/Hello-World by Codertocat: check suite passed at ec26c3e, [2] changes
        status -: Codertocat/Hello-World by Codertocat: default passed at 6113728, [] master, changes
        push -: ignored: it is no branch that was pushed
        merge_group checks_requested: ignored: the merge queue only begins to look at it
        star created: ignored: says nothing of a change
        workflow_run completed: ignored: its check suite tells of the same
    "#]].assert_eq(&examples.iter().map(line).collect::<String>());
}

/// All payloads of the package, if `cargo xtask payloads` has fetched it.
#[test]
fn every_published_example_is_taken_or_ignored_for_a_reason() {
    let package = "../../target/tools/webhooks-examples/node_modules/@octokit/webhooks-examples";
    let package = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(package);
    let Ok(editions) = fs::read_dir(&package) else {
        eprintln!("SKIPPED: the published payloads are not here: fetch them with `cargo xtask payloads`");
        return;
    };
    // How many payloads of an event and action were read as what.
    let mut table: BTreeMap<(String, String), u32> = BTreeMap::new();
    let mut payloads = 0;
    for edition in editions {
        let Ok(text) = fs::read(edition.unwrap().path().join("index.json")) else { continue };
        let events: Vec<Value> = serde_json::from_slice(&text).unwrap();
        for (event, example) in events.iter().flat_map(of_event) {
            let told = told(event, example.to_string().as_bytes());
            let outcome = match told.split_once(": ") {
                Some(("ignored", why)) if why == UNKNOWN => panic!("{event} is ignored by accident"),
                Some(("ignored", why)) => format!("ignored: {why}"),
                Some(("refused", why)) => panic!("{event} is refused: {why}"),
                _ => "taken".to_owned(),
            };
            let action = example["action"].as_str().unwrap_or("-");
            *table.entry((format!("{event} {action}"), outcome)).or_default() += 1;
            payloads += 1;
        }
    }
    let line =
        |((event, outcome), count): (&(String, String), &u32)| format!("{count:3} {event}: {outcome}\n");
    let lines: String = table.iter().map(line).collect();
    expect_file!["../payloads/table.txt"].assert_eq(&format!("{payloads} payloads\n{lines}"));
}

fn of_event(event: &Value) -> Vec<(&str, &Value)> {
    let name = event["name"].as_str().unwrap();
    event["examples"].as_array().unwrap().iter().map(|example| (name, example)).collect()
}
