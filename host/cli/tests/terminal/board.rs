use crate::{Served, write};
use expect_test::{ExpectFile, expect, expect_file};

/// Compares what command lines write, and below that what the service was asked.
fn transcript(lines: &[&str], expected: ExpectFile) {
    let served = Served::new();
    write(served.folder.path(), "p.toml", PIPELINE);
    let text: String = lines.iter().map(|line| served.transcript(line)).collect();
    expected.assert_eq(&format!("{text}\n{}\n", served.service.calls()));
}

const PIPELINE: &str = "\
name = 'Mine'
[[steps]]
kind = 'agent'
role = 'coder'
[[steps]]
kind = 'ci-gate'
config = { max_attempts = 3 }
enabled = false
";

#[test]
fn items_are_listed_and_shown() {
    transcript(
        &[
            "items list",
            "items list --all --status done",
            "items list --in 2",
            "items list --level module",
            "items show 3",
            "items show default-1",
            "items show 9",
            "items list --workspace lab",
            "workspaces list",
            "workspaces add lab 'The lab'",
        ],
        expect_file!["./transcripts/items_shown.txt"],
    );
}

#[test]
fn items_are_made_and_changed() {
    transcript(
        &[
            "items add 'Sum in euros' --in 2 --task-type bug --label money --pipeline quick --repo git@host:shop",
            "items add Shop --level service --test-environment local",
            "items edit 3 --title Sum --preset 16 --archived true",
            "items edit 3 --clear preset,labels",
            "items edit 3",
            "items edit 3 --preset 16 --clear preset",
            "items edit 3 --preset slow",
            "items move 3 1",
            "items rm 2",
            "items rm 2 --recursive",
            "items depends 4 3 2",
            "items depends 4 3 2 --remove",
        ],
        expect_file!["./transcripts/items_changed.txt"],
    );
}

#[test]
fn items_are_run() {
    transcript(
        &[
            "items start 4",
            "items start 4 --pipeline Quick --branch b --replace",
            "items start 4 --pipeline slow",
            "items cancel 4",
            "items merge 4",
        ],
        expect_file!["./transcripts/items_run.txt"],
    );
}

#[test]
fn reviews_are_answered() {
    transcript(
        &[
            "reviews show 3",
            "reviews show 4 --kind clarity",
            "reviews reply 3 1 'the customer'",
            "reviews set-status 3 f2 dismissed --json",
        ],
        expect_file!["./transcripts/reviews.txt"],
    );
    let served = Served::new();
    for line in [
        "reviews review 4 --kind clarity",
        "reviews incorporate 3 --feedback shorter",
        "reviews incorporate 3",
        "reviews proceed 3 --force",
        "reviews proceed 3",
        "reviews extra-round 3",
        "reviews re-review 3",
        "reviews act 3 request-recommendation items=[0,1]",
    ] {
        assert!(served.transcript(line).ends_with("= 0\n"), "{line}");
    }
    expect![[r#"
        clarity-review of default-4: review {} by anna
        requirements-review of default-3: incorporate {"feedback":"shorter"} by anna
        requirements-review of default-3: incorporate {} by anna
        requirements-review of default-3: proceed {"force":true} by anna
        requirements-review of default-3: proceed {} by anna
        requirements-review of default-3: extra-round {} by anna
        requirements-review of default-3: re-review {} by anna
        requirements-review of default-3: request-recommendation {"items":[0,1]} by anna"#]]
    .assert_eq(&served.service.calls());
}

#[test]
fn a_parked_step_takes_actions() {
    let served = Served::new();
    write(served.folder.path(), "p.toml", PIPELINE);
    served.transcript("run --pipeline p.toml --branch try");
    let lines = [
        "why latest",
        "runs act latest confirm --step 'merge it'",
        "runs act latest request-fix 'findings=the total is wrong'",
        "runs act latest request-fix {\"findings\":\"x\"}",
        "runs act latest request-fix nonsense",
        "runs teardown latest",
    ];
    let text: String = lines.iter().map(|line| served.transcript(line)).collect();
    expect![[r#"
        $ lockstep why latest
        run-019b8d1a2b30000000000001  blocked
        merge it waits for human-test (since 2100-01-01 12:00:00, 0ms)
          Try it
          who can act: a person
            lockstep runs act run-019b8d1a2b30000000000001 confirm --step 'merge it'
            lockstep runs act run-019b8d1a2b30000000000001 request-fix --step 'merge it'
        = 0
        $ lockstep runs act latest confirm --step 'merge it'
        act: run-019b8d1a2b30000000000001 is blocked now
        = 0
        $ lockstep runs act latest request-fix 'findings=the total is wrong'
        act: run-019b8d1a2b30000000000001 is blocked now
        = 0
        $ lockstep runs act latest request-fix {"findings":"x"}
        act: run-019b8d1a2b30000000000001 is blocked now
        = 0
        $ lockstep runs act latest request-fix nonsense
        ! lockstep: "nonsense" is no field: write KEY=VALUE, or one JSON object
        = 5
        $ lockstep runs teardown latest
        teardown: run-019b8d1a2b30000000000001 is blocked now
        = 0
    "#]]
    .assert_eq(&text);
    let calls = served.service.calls();
    let acted: Vec<&str> = calls.lines().filter(|call| call.starts_with(['A', 'T'])).collect();
    expect![[r#"
        Act { step: Some("merge it"), action: "confirm", input: {} } by anna
        Act { step: None, action: "request-fix", input: {"findings":"the total is wrong"} } by anna
        Act { step: None, action: "request-fix", input: {"findings":"x"} } by anna
        TearDown by anna"#]]
    .assert_eq(&acted.join("\n"));
}

#[test]
fn what_items_choose_from_is_kept() {
    transcript(
        &[
            "presets list",
            "presets add Careful --max-risk 0.1 --tolerated-severity low",
            "presets edit Careful --default",
            "presets edit Careful",
            "presets rm 16",
            "pipelines list",
            "pipelines list --all --label small",
            "pipelines show Quick",
            "pipelines check p.toml",
            "pipelines add p.toml --description 'What we do' --label ours",
            "pipelines add missing.toml",
            "pipelines edit Quick --file p.toml",
            "pipelines clone Quick --name Slow",
            "pipelines label Quick a b",
            "pipelines archive Quick",
            "pipelines archive Old --undo",
            "pipelines rm Old",
        ],
        expect_file!["./transcripts/choices.txt"],
    );
}

#[test]
fn schedules_spend_settings_and_notices() {
    transcript(
        &[
            "schedules list",
            "schedules add Nightly --service 1 --pipeline Quick --every 24 --from 3 --to 4 --template tech-debt",
            "schedules add Nightly --service 1 --pipeline Quick",
            "schedules edit Weekly --every 24 --on any",
            "schedules edit Weekly --enabled false",
            "schedules run weekly",
            "schedules history 18",
            "schedules rm Weekly",
            "spend",
            "spend --month 2026-11 --workspace default",
            "spend resume",
            "settings show",
            "settings set --monthly-limit none --price anthropic=3/15 --task-limit 4",
            "settings set --no-price x",
            "settings set",
            "notices",
            "notices list --workspace default",
            "notices act run-1:n1",
            "notices dismiss run-1:n1",
        ],
        expect_file!["./transcripts/schedules_money_notices.txt"],
    );
}

#[test]
fn what_cannot_be_meant_is_refused_with_the_line_that_can() {
    let served = Served::new();
    for line in [
        "items add",
        "items show a/b",
        "items list --status asleep",
        "items depends 3",
        "reviews reply 3 1",
        "spend --month soon",
        "spend --month 2026-11 resume",
        "settings set --monthly-limit much",
        "schedules add x --service 1",
        "items list --workspace a/b",
    ] {
        let output = served.command(line).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{line}");
    }
    assert_eq!(served.service.calls(), "");
}

#[test]
fn lists_are_documents_for_programs() {
    let served = Served::new();
    let read = |line: &str| {
        let output = served.command(line).output().unwrap();
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    assert_eq!(read("items list --json")[3]["depends_on"][0], "default-3");
    assert_eq!(read("items show 3 --json")["cards"][0]["id"], "run-1:n1");
    assert_eq!(read("notices --json")[0]["notice"]["kind"], "merge_review");
    assert_eq!(read("spend --json")["over_budget"], true);
    assert_eq!(read("items add x --json")["rows"][0]["item"]["id"], "default-3");
    assert_eq!(read("pipelines show Quick --json")["steps"][1]["kind"], "ci-gate");
}
