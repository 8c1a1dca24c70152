use crate::{Served, shown, write};
use expect_test::expect;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

fn served() -> Served {
    let served = Served::new();
    write(served.folder.path(), "p.toml", "name = 'small'");
    write(served.folder.path(), "w.toml", "kind = 'wrong'");
    served
}

#[test]
fn a_run_is_watched_to_its_end_and_the_exit_status_says_which() {
    let mut text = String::new();
    let served = served();
    for branch in ["good", "bad", "ask"] {
        text.push_str(&served.transcript(&format!("run --pipeline p.toml --branch {branch}")));
    }
    let text = without_port(&text);
    expect![[r#"
        $ lockstep run --pipeline p.toml --branch good
        09:00:01  run              small: into main
        09:00:02  merge it         ends

        done in 1m 00s: 1 of 1 steps
        ! run run-019b8d1a2b30000000000001 on the server at http://127.0.0.1:PORT
        = 0
        $ lockstep run --pipeline p.toml --branch bad
        09:00:01  run              small: into main
        09:00:02  merge it         ends

        failed after 1m 00s, 1 of 1 steps: timeout: too slow
          it took too long; see what it waited for with `lockstep why`, then retry
          retry   lockstep runs retry run-019b8d1a2b30000000000001
        ! run run-019b8d1a2b30000000000001 on the server at http://127.0.0.1:PORT
        = 3
        $ lockstep run --pipeline p.toml --branch ask
        09:00:01  run              small: into main
        09:00:02  merge it         ends

        merge it needs an answer (q1)
          Merge?
          lockstep runs answer run-019b8d1a2b30000000000001 q1 --approve
          lockstep runs answer run-019b8d1a2b30000000000001 q1 --request-changes 'WHAT'
          lockstep runs answer run-019b8d1a2b30000000000001 q1 --reject 'WHY'
        ! run run-019b8d1a2b30000000000001 on the server at http://127.0.0.1:PORT
        = 4
    "#]]
    .assert_eq(&text);
    expect![[r#"
        start good by Some("anna"), once
        start bad by Some("anna"), once
        start ask by Some("anna"), once"#]]
    .assert_eq(&served.service.calls());
}

/// The text with the port of the server taken out, which is another one each time.
fn without_port(text: &str) -> String {
    let mut parts = text.split("http://127.0.0.1:");
    let mut clean = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        clean.push_str("http://127.0.0.1:PORT");
        clean.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    clean
}

#[test]
fn what_is_wrong_is_refused_line_by_line() {
    let served = served();
    let mut text = String::new();
    for line in [
        "run --pipeline w.toml --branch good",
        "run --pipeline missing.toml --branch good",
        "run --pipeline p.toml --branch good --repo missing",
        "pipeline check w.toml",
        "pipeline check p.toml",
        "runs show latest",
        "runs show nothing-like-it",
        "runs show a/b",
        "why abc",
    ] {
        text.push_str(&served.transcript(line));
    }
    expect![[r#"
        $ lockstep run --pipeline w.toml --branch good
        ! lockstep: p.toml:1: no kind `wrong`
        ! lockstep: p.toml:2: no kind `worse`
        = 5
        $ lockstep run --pipeline missing.toml --branch good
        ! lockstep: missing.toml cannot be read: No such file or directory (os error 2)
        = 5
        $ lockstep run --pipeline p.toml --branch good --repo missing
        ! lockstep: the repository missing cannot be opened: No such file or directory (os error 2)
        = 5
        $ lockstep pipeline check w.toml
        ! lockstep: w.toml:1: no kind `wrong`
        = 5
        $ lockstep pipeline check p.toml
        p.toml: nothing is wrong with it
        = 0
        $ lockstep runs show latest
        ! lockstep: there is no run yet: start one with `lockstep run`
        = 5
        $ lockstep runs show nothing-like-it
        ! lockstep: there is no run nothing-like-it: see `lockstep runs list`
        = 5
        $ lockstep runs show a/b
        ! lockstep: "a/b" is no run id: see `lockstep runs list`
        = 5
        $ lockstep why abc
        ! lockstep: "abc" is too short: write 4 characters of the id or more
        = 5
    "#]]
    .assert_eq(&text);
    assert_eq!(served.command("run --pipeline p.toml").output().unwrap().status.code(), Some(2));
}

#[test]
fn a_run_can_be_acted_on() {
    let served = served();
    served.transcript("run --pipeline p.toml --branch ask");
    let mut text = String::new();
    for line in [
        "runs answer latest --approve",
        "runs answer 0001 q1 --choose yes --text now",
        "runs stop 019b8d1a --reason enough",
        "runs retry latest",
        "runs restart latest --step code",
        "runs restart latest --step code --digest 3fa1",
        "runs repin latest agent=3fa1 ci-gate=77 --reason better",
        "runs pause latest",
        "runs resume latest",
    ] {
        text.push_str(&served.transcript(line));
    }
    expect![[r#"
        $ lockstep runs answer latest --approve
        answer: run-019b8d1a2b30000000000001 is blocked now
        = 0
        $ lockstep runs answer 0001 q1 --choose yes --text now
        answer: run-019b8d1a2b30000000000001 is blocked now
        = 0
        $ lockstep runs stop 019b8d1a --reason enough
        stop: run-019b8d1a2b30000000000001 is blocked now
        = 0
        $ lockstep runs retry latest
        retry: run-019b8d1a2b30000000000001 is blocked now
        = 0
        $ lockstep runs restart latest --step code
        restart: run-019b8d1a2b30000000000001 is blocked now
        = 0
        $ lockstep runs restart latest --step code --digest 3fa1
        restart: run-019b8d1a2b30000000000001 is blocked now
        = 0
        $ lockstep runs repin latest agent=3fa1 ci-gate=77 --reason better
        repin: run-019b8d1a2b30000000000001 is blocked now
        = 0
        $ lockstep runs pause latest
        pause: run-019b8d1a2b30000000000001 is blocked now
        = 0
        $ lockstep runs resume latest
        resume: run-019b8d1a2b30000000000001 is blocked now
        = 0
    "#]]
    .assert_eq(&text);
    expect![[r#"
        start ask by Some("anna"), once
        list RunQuery { status: None, waits: None, item: None, pipeline: None, text: None, before: None, limit: Some(8) }
        answer None Approve { proposal: None } once by anna
        list RunQuery { status: None, waits: None, item: None, pipeline: None, text: None, before: None, limit: Some(500) }
        answer Some(QuestionId(1)) Choose { choice: "yes", text: Some("now"), comments: [] } once by anna
        list RunQuery { status: None, waits: None, item: None, pipeline: None, text: None, before: None, limit: Some(500) }
        Stop { reason: "enough" } by anna
        list RunQuery { status: None, waits: None, item: None, pipeline: None, text: None, before: None, limit: Some(8) }
        Retry by anna
        list RunQuery { status: None, waits: None, item: None, pipeline: None, text: None, before: None, limit: Some(8) }
        Restart { step: "code", digest: None } by anna
        list RunQuery { status: None, waits: None, item: None, pipeline: None, text: None, before: None, limit: Some(8) }
        Restart { step: "code", digest: Some("3fa1") } by anna
        list RunQuery { status: None, waits: None, item: None, pipeline: None, text: None, before: None, limit: Some(8) }
        Repin { pins: {"agent": "3fa1", "ci-gate": "77"}, reason: "better" } by anna
        list RunQuery { status: None, waits: None, item: None, pipeline: None, text: None, before: None, limit: Some(8) }
        Pause by anna
        list RunQuery { status: None, waits: None, item: None, pipeline: None, text: None, before: None, limit: Some(8) }
        Resume by anna"#]]
    .assert_eq(&served.service.calls());
}

#[test]
fn a_run_can_be_looked_at() {
    let served = served();
    served.transcript("run --pipeline p.toml --branch ask");
    let lines = ["runs watch latest", "why latest", "replay latest", "verify latest"];
    expect![[r#"
        $ lockstep runs watch latest
        09:00:01  run              small: into main
        09:00:02  merge it         ends

        merge it needs an answer (q1)
          Merge?
          lockstep runs answer run-019b8d1a2b30000000000001 q1 --approve
          lockstep runs answer run-019b8d1a2b30000000000001 q1 --request-changes 'WHAT'
          lockstep runs answer run-019b8d1a2b30000000000001 q1 --reject 'WHY'
        = 4
        $ lockstep why latest
        run-019b8d1a2b30000000000001  blocked
        It waits for nothing: the host is at work on it.
        = 0
        $ lockstep replay latest
        run-019b8d1a2b30000000000001: 2 calls, fuel 1,000: identical bit for bit
        = 0
        $ lockstep verify latest
        run-019b8d1a2b30000000000001: 2 calls, fuel 1,000: identical bit for bit
        journal: 2 records, head 000000000000: 1 problem
          record 2: its digest is wrong
        = 3
    "#]]
    .assert_eq(&lines.map(|line| served.transcript(line)).concat());
}

#[test]
fn a_step_of_any_name_is_found() {
    let served = served();
    served.transcript("run --pipeline p.toml --branch good");
    let mut command = served.command("step show latest");
    let line = "step show latest 'merge it'";
    expect![[r#"
        $ lockstep step show latest 'merge it'
        merge it  done
        kind merge-resolver, role merge, component 62c66a7a5dd7

        log
          merged
        = 0
    "#]]
    .assert_eq(&shown(line, &command.arg("merge it").output().unwrap()));
    expect![[r#"
        $ lockstep step show latest code
        ! lockstep: the run has no step "code", only merge it
        = 5
    "#]]
    .assert_eq(&served.transcript("step show latest code"));
}

#[test]
fn components_are_added_and_activated() {
    let served = served();
    write(served.folder.path(), "gate.wasm", "one");
    let mut text = String::new();
    for line in [
        "component add gate.wasm",
        "component list",
        "component activate gate 7692 --grant-import checks --grant-import log --grant-job ci-fixer",
        "component activate gate 7692",
        "component history gate",
        "component add missing.wasm",
    ] {
        text.push_str(&served.transcript(line));
    }
    expect![[r#"
        $ lockstep component add gate.wasm
        added 7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed gate 2 (3 B)
          imports: checks
          jobs: ci-fixer
        nothing uses it yet: lockstep component activate gate 7692c3ad3540
        = 0
        $ lockstep component list
        DIGEST        KIND  VERSION  SIZE  USE              IMPORTS  SUMMARY
        7692c3ad3540  gate  2        3 B   -                checks   looks
        3fc4ccfe7458  gate  2        3 B   canary, stopped  checks   looks
        = 0
        $ lockstep component activate gate 7692 --grant-import checks --grant-import log --grant-job ci-fixer
        gate runs on 7692c3ad3540 from now on; live runs keep what they began with
          it may: import log
        warning: it refuses the config of step ci of pipeline "Quick"
        = 0
        $ lockstep component activate gate 7692
        gate runs on 7692c3ad3540 from now on; live runs keep what they began with
          it may: import log
        warning: it refuses the config of step ci of pipeline "Quick"
        = 0
        $ lockstep component history gate
        WHEN                 DIGEST        BY    MAY         REASON
        2026-01-05 09:00:00  7692c3ad3540  anna  import log  first
        = 0
        $ lockstep component add missing.wasm
        ! lockstep: missing.wasm cannot be read: No such file or directory (os error 2)
        = 5
    "#]]
    .assert_eq(&text);
    expect![[r#"
        add 3 bytes, None, by Some("anna") because None
        activate gate by Some("anna") Some(Grant { imports: ["log", "checks"], jobs: ["ci-fixer"], effects: ["merge"], dirs: [] })
        activate gate by Some("anna") None"#]].assert_eq(&served.service.calls());
}

#[test]
fn json_is_one_document_or_one_line_per_event() {
    let served = served();
    let stream = served.command("run --json --pipeline p.toml --branch good").output().unwrap();
    let lines: Vec<serde_json::Value> = stream
        .stdout
        .split(|b| *b == b'\n')
        .filter(|l| !l.is_empty())
        .map(|l| serde_json::from_slice(l).unwrap())
        .collect();
    let kinds: Vec<&String> = lines.iter().flat_map(|line| line.as_object().unwrap().keys()).collect();
    assert_eq!(kinds, ["timeline", "timeline", "run"]);
    assert!(stream.stderr.is_empty());
    let list =
        served.command("runs list --json --status done --waits person --item i --limit 7").output().unwrap();
    let list: serde_json::Value = serde_json::from_slice(&list.stdout).unwrap();
    assert_eq!(list[0]["status"], "done");
    assert!(
        served
            .service
            .calls()
            .ends_with("list RunQuery { status: Some(Done), waits: Some(\"person\"), item: Some(\"i\"), pipeline: None, text: None, before: None, limit: Some(7) }")
    );
}

#[test]
fn ctrl_c_says_how_to_go_on() {
    let served = served();
    let line = "run --pipeline p.toml --branch slow";
    let mut child = served.command(line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    stdout.read_line(&mut first).unwrap();
    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    expect![[r#"
        09:00:01  run              small: into main
        $ lockstep run --pipeline p.toml --branch slow
        ! run run-019b8d1a2b30000000000001 on the server at http://127.0.0.1:PORT
        ! lockstep: no longer watching; the server goes on. Watch again: `lockstep runs watch run-019b8d1a2b30000000000001`
        = 130
    "#]].assert_eq(&without_port(&(first + &shown(line, &child.wait_with_output().unwrap()))));
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let served = served();
    let mut command = served.command("run --pipeline p.toml --branch good");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(141));
    assert_eq!(String::from_utf8_lossy(&output.stderr).lines().count(), 1, "only the note with the run's id");
}
