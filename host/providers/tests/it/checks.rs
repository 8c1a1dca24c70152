use crate::fixture::{Fixture, read_fifo, run_id, supervisor, write_fifo};
use lockstep_ports::{CheckOrder, Checks, Wake};
use lockstep_providers::{CheckOptions, LocalChecks};
use lockstep_types::{Change, CheckCommand, CheckReport, RunId};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

type Commands = BTreeMap<String, CheckCommand>;

fn checks(fixture: &Fixture) -> (LocalChecks, UnboundedReceiver<RunId>) {
    let (woken, wakes) = unbounded_channel();
    let wake: Wake = Arc::new(move |run: &RunId| woken.send(run.clone()).unwrap_or_default());
    (LocalChecks::new(fixture.git.clone(), CheckOptions::new(supervisor()), wake).unwrap(), wakes)
}

fn command(script: &str) -> CheckCommand {
    CheckCommand {
        command: vec!["sh".into(), "-c".into(), script.into()],
        time_limit_s: None,
        env: [].into(),
    }
}

fn commands(scripts: &[(&str, &str)]) -> Commands {
    scripts.iter().map(|(name, script)| ((*name).to_owned(), command(script))).collect()
}

fn order<'a>(run: &'a RunId, change: &'a Change, commands: &'a Commands) -> CheckOrder<'a> {
    CheckOrder { run, change, title: "Add b", description: "", commands }
}

async fn look(checks: &LocalChecks, change: &Change, commands: &Commands) -> CheckReport {
    checks.read(order(&run_id(), change, commands)).await.unwrap()
}

/// Looks again each time the run is woken, until every check is completed.
async fn settled(
    checks: &LocalChecks,
    wakes: &mut UnboundedReceiver<RunId>,
    change: &Change,
    commands: &Commands,
) -> Vec<String> {
    loop {
        let report = look(checks, change, commands).await;
        if report.checks.iter().all(|check| check.status == "completed") {
            let line = |check: &lockstep_types::Check| {
                let conclusion = check.conclusion.clone().unwrap_or_default();
                format!("{}: {conclusion}: {}", check.name, check.summary.clone().unwrap_or_default())
            };
            return report.checks.iter().map(line).collect();
        }
        assert_eq!(wakes.recv().await, Some(run_id()));
    }
}

#[tokio::test]
async fn without_checks_the_report_is_empty() {
    let fixture = Fixture::new();
    let (checks, _wakes) = checks(&fixture);
    let mut change = fixture.change();
    let report = look(&checks, &change, &Commands::new()).await;
    assert_eq!(report, CheckReport { head_commit: change.head_commit.clone(), ..CheckReport::default() });
    change.head_branch = "gone".into();
    assert_eq!(look(&checks, &change, &commands(&[("a", "true")])).await, CheckReport::default());
}

#[tokio::test]
async fn every_end_has_its_conclusion() {
    let fixture = Fixture::new();
    let (checks, mut wakes) = checks(&fixture);
    let mut commands = commands(&[
        ("a-good", "cat b.txt"),
        ("b-bad", "echo broken; exit 2"),
        ("c-skipped", "exit 77"),
        ("d-slow", "exec tail -f /dev/null"),
        ("e-absent", ""),
        ("f-killed", "kill -9 $$"),
    ]);
    commands.get_mut("d-slow").unwrap().time_limit_s = Some(0);
    commands.get_mut("e-absent").unwrap().command = vec!["no-such-program".into()];
    let lines = settled(&checks, &mut wakes, &fixture.change(), &commands).await;
    let expected = [
        "a-good: success: b",
        "b-bad: failure: ended with status 2\nbroken",
        "c-skipped: skipped: ",
        "d-slow: timed_out: did not end within its time limit",
        "e-absent: failure: there is no command no-such-program: install it or correct the check",
        "f-killed: failure: ended by signal 9",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn a_check_runs_once_per_commit_and_command() {
    let fixture = Fixture::new();
    let count = fixture.root().join("count");
    let commands = commands(&[("count", &format!("echo x >> {}", count.display()))]);
    let counted = || std::fs::read_to_string(&count).unwrap().lines().count();
    let (first, mut wakes) = checks(&fixture);
    let (change, other) = (fixture.change(), RunId::try_from("run-2".to_owned()).unwrap());
    // Two runs ask at once: one check, and both are woken.
    look(&first, &change, &commands).await;
    first.read(order(&other, &change, &commands)).await.unwrap();
    let woken = [wakes.recv().await.unwrap(), wakes.recv().await.unwrap()];
    assert_eq!(woken, [run_id(), other]);
    settled(&first, &mut wakes, &change, &commands).await;
    assert_eq!(counted(), 1);
    // A host that comes after knows the result.
    let (next, mut wakes) = checks(&fixture);
    let report = look(&next, &change, &commands).await;
    assert_eq!((report.checks[0].status.as_str(), counted()), ("completed", 1));
    // The tip is read anew each time.
    let tip = fixture.commit_on("feature", "b.txt", "b2\n", "more");
    assert_eq!(look(&next, &change, &commands).await.head_commit, Some(tip));
    settled(&next, &mut wakes, &change, &commands).await;
    assert_eq!(counted(), 2);
}

#[tokio::test]
async fn a_check_sees_its_commit_and_only_kept_folders_of_others() {
    let fixture = Fixture::new();
    let (checks, mut wakes) = checks(&fixture);
    let look_around = "echo $(ls -A); cat a.txt | head -1; mkdir -p target; echo x > target/cache; echo y > litter; \
                       echo changed > a.txt";
    let commands = commands(&[("look", look_around)]);
    let lines = settled(&checks, &mut wakes, &fixture.change(), &commands).await;
    assert_eq!(lines, ["look: success: .git a.txt b.txt\none"]);
    fixture.commit_on("feature", "c.txt", "c\n", "more");
    let lines = settled(&checks, &mut wakes, &fixture.change(), &commands).await;
    assert_eq!(lines, ["look: success: .git a.txt b.txt c.txt target\none"]);
    assert_eq!(fixture.worktrees(), ["lockstep-check-0"]);
}

#[tokio::test]
async fn a_check_nobody_waits_for_is_ended() {
    let fixture = Fixture::new();
    let (checks, mut wakes) = checks(&fixture);
    let (begun, ended, go) = (fixture.fifo("begun"), fixture.fifo("ended"), fixture.fifo("go"));
    let script = format!(
        "trap 'echo x > {}; exit 1' TERM; echo x > {}; read x < {}",
        ended.display(),
        begun.display(),
        go.display()
    );
    let commands = commands(&[("block", &script)]);
    assert_eq!(look(&checks, &fixture.change(), &commands).await.checks[0].status, "queued");
    read_fifo(&begun).await;
    assert_eq!(look(&checks, &fixture.change(), &commands).await.checks[0].status, "in_progress");
    checks.forget(&run_id()).await;
    read_fifo(&ended).await;
    // Whoever asks later has it run again.
    let again = async {
        read_fifo(&begun).await;
        write_fifo(&go, "on\n").await;
    };
    let change = fixture.change();
    let (lines, ()) = tokio::join!(settled(&checks, &mut wakes, &change, &commands), again);
    assert_eq!(lines, ["block: success: "]);
}

#[tokio::test]
async fn a_check_of_an_earlier_commit_is_ended() {
    let fixture = Fixture::new();
    let (checks, mut wakes) = checks(&fixture);
    let (begun, ended) = (fixture.fifo("begun"), fixture.fifo("ended"));
    let script = format!(
        "test -e c.txt && exit 0; trap 'echo x > {}; exit 1' TERM; echo x > {}; tail -f /dev/null & wait",
        ended.display(),
        begun.display()
    );
    let commands = commands(&[("block", &script)]);
    look(&checks, &fixture.change(), &commands).await;
    read_fifo(&begun).await;
    fixture.commit_on("feature", "c.txt", "c\n", "more");
    let change = fixture.change();
    let (lines, _) = tokio::join!(settled(&checks, &mut wakes, &change, &commands), read_fifo(&ended));
    assert_eq!(lines, ["block: success: "]);
}
