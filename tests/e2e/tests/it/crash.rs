//! `kill -9` at any moment and a start after it: every run goes on, nothing happens twice, nothing acknowledged is lost.

use crate::host::Host;
use crate::shop::Shop;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

/// Times the binary is killed.
const KILLS: usize = 50;
/// Runs that are enough for so many kills: each has some thirty lines.
const RUNS_MAX: usize = 12;

/// The pipeline of the example, with a person's consent before the merge.
fn pipeline(shop: &Shop) -> String {
    let text = std::fs::read_to_string(shop.pipeline()).unwrap();
    let with_consent = text.replace(
        "kind = \"merge-resolver\"",
        "kind = \"merge-resolver\"\napproval = true\n\n[[steps]]\nname = \"after\"\nkind = \"conflicts-gate\"",
    );
    shop.write_pipeline(&with_consent).to_string_lossy().into_owned()
}

/// How a watched run was left.
#[derive(Debug, PartialEq, Eq)]
enum Left {
    Killed,
    Ended(Option<i32>),
}

/// Lets the host go on until it has shown so many lines more than were ever shown, then kills it.
fn watch(host: &Host, args: &[&str], seen: &mut usize, more: usize) -> Left {
    let mut child = host
        .command(args)
        .arg("--json")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let lines = BufReader::new(child.stdout.take().expect("its output is piped")).lines();
    let stop_at = *seen + more;
    for (shown, line) in lines.map_while(Result::ok).enumerate() {
        assert!(line.starts_with('{'), "not a JSON line: {line}");
        *seen = (*seen).max(shown + 1);
        if shown + 1 >= stop_at {
            kill(child);
            return Left::Killed;
        }
    }
    Left::Ended(child.wait().expect("it ended").code())
}

fn kill(mut child: Child) {
    child.kill().expect("it can be killed");
    child.wait().expect("it ended");
}

#[test]
fn fifty_kills_lose_nothing_and_repeat_nothing() {
    let mut kills = 0;
    for round in 0..RUNS_MAX {
        if kills >= KILLS {
            break;
        }
        kills += one_run_under_fire(round);
    }
    assert!(kills >= KILLS, "only {kills} kills in {RUNS_MAX} runs");
}

/// Takes a run to its end, killing the host all the way, and checks from outside what it did. Gives the kills.
fn one_run_under_fire(round: usize) -> usize {
    let shop = Shop::new();
    let (pipeline, repo) = (pipeline(&shop), shop.repo().to_string_lossy().into_owned());
    let start = shop.run_args(&pipeline, &repo, "discount");
    let resume = ["run", "--resume", "latest"];
    let mut seen = 0;
    let mut kills = 0;
    let mut answers = 0;
    // The first line is shown once the run is durable: from then on it must never be lost.
    let mut left = watch(&shop.host, &start, &mut seen, 1);
    loop {
        match left {
            Left::Killed => kills += 1,
            Left::Ended(Some(4)) => {
                answers += 1;
                assert_eq!(answers, 1, "an acknowledged answer was lost");
                let answered = shop.host.run(&["runs", "answer", "latest", "--approve"]);
                assert_eq!(answered.status, Some(0), "{answered:?}");
            }
            Left::Ended(Some(0)) => break,
            Left::Ended(status) => {
                let shown = shop.host.run(&["runs", "show", "latest", "--timeline"]);
                panic!("round {round}: the run ended with {status:?} after {kills} kills: {shown:?}");
            }
        }
        // After one line, or two, or in the middle of the start.
        let more = [1, 2, 0][kills % 3];
        left = watch(&shop.host, &resume, &mut seen, more);
    }
    check_from_outside(&shop);
    kills
}

fn check_from_outside(shop: &Shop) {
    let merges = shop.trailers("main", "Lockstep-Effect:");
    assert_eq!(merges.len(), 1, "merged once: {merges:?}");
    let mut jobs = shop.trailers("main", "Lockstep-Job:");
    let all = jobs.len();
    jobs.sort();
    jobs.dedup();
    assert_eq!(jobs.len(), all, "a job had its effect twice: {jobs:?}");
    let notes = shop.git(&["show", "main:changes/discount.md"]);
    assert_eq!(notes.lines().count(), 1, "the coder's line was added once: {notes}");
    let lib = shop.git(&["show", "main:src/lib.rs"]);
    assert!(lib.contains("pieces >= LARGE") && lib.contains("/// Computes the discount"));
    let verified = shop.host.json(&["verify", "latest"]);
    assert_eq!(verified["problems"].as_array().map(Vec::len), Some(0), "{verified}");
    assert_eq!(verified["replay"]["differences"].as_array().map(Vec::len), Some(0), "{verified}");
    assert_eq!(shop.host.json(&["runs", "list"]).as_array().map(Vec::len), Some(1), "one run, not two");
}
