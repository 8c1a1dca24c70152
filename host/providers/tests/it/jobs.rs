use crate::fixture::{Fixture, NOW, job_options, read_fifo, run_id, sh, write_fifo};
use lockstep_ports::Jobs;
use lockstep_providers::{JobOptions, LocalJobs};
use lockstep_types::{Access, JobOutcome, JobResult};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn done(outcome: &JobOutcome) -> &JobResult {
    let JobOutcome::Done(result) = outcome else { panic!("{outcome:?}") };
    result
}

fn failed(outcome: &JobOutcome) -> &str {
    let JobOutcome::Failed(text) = outcome else { panic!("{outcome:?}") };
    text
}

fn job_folder(fixture: &Fixture) -> PathBuf {
    fixture.root().join("data/jobs/run-1/code.1")
}

/// The processes of this machine whose environment or arguments name `text`.
pub(crate) fn processes_with(text: &Path) -> usize {
    let text = text.to_str().unwrap();
    let named = |entry: &std::fs::DirEntry| {
        ["environ", "cmdline"].iter().any(|file| {
            let bytes = std::fs::read(entry.path().join(file)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).contains(text)
        })
    };
    std::fs::read_dir("/proc").unwrap().flatten().filter(named).count()
}

#[tokio::test]
async fn a_job_reads_its_context_and_reports_a_result() {
    let fixture = Fixture::new();
    let seen = fixture.root().join("seen");
    let script = format!(
        "cat > {0}.stdin; cp $LOCKSTEP_CONTEXT {0}; \
         echo $LOCKSTEP_RUN $LOCKSTEP_STEP $LOCKSTEP_JOB_KIND $LOCKSTEP_KEY $EXTRA ${{CARGO_PKG_NAME-unset}}; \
         cat b.txt; git rev-parse HEAD; echo oops >&2; \
         echo '{{\"output\":\"fine\",\"report\":{{\"score\": 1}},\"confidence\":0.5}}' > $LOCKSTEP_RESULT",
        seen.display()
    );
    let mut command = sh(&script);
    command.env.insert("EXTRA".into(), "more".into());
    let (jobs, order) = (fixture.jobs(), fixture.job(Access::ReadOnly));
    let outcome = jobs.carry_out(&order, Some(&command)).await;
    let result = done(&outcome);
    let head = fixture.tip("feature");
    assert_eq!((result.output.as_str(), result.head_commit.as_deref()), ("fine", Some(head.as_str())));
    assert_eq!(result.report.as_ref().unwrap().as_str(), r#"{"score": 1}"#);
    let context: serde_json::Value = serde_json::from_slice(&std::fs::read(&seen).unwrap()).unwrap();
    assert_eq!(
        (context["input"]["prompt"].as_str(), context["title"].as_str()),
        (Some("write c"), Some("Write c"))
    );
    let stdin = std::fs::read(fixture.root().join("seen.stdin")).unwrap();
    assert_eq!(stdin, std::fs::read(&seen).unwrap());
    let log = jobs.log_tail(&order.key, 10_000).await.unwrap();
    let mut lines: Vec<&str> = log.lines().collect();
    lines.sort_unstable();
    let mut expected = ["run-1 code agent run-1/code/1 more unset", "b", &head, "oops"];
    expected.sort_unstable();
    assert_eq!(lines, expected);
    assert_eq!(jobs.log_tail(&order.key, 3).await.unwrap().len(), 3);
    assert!(fixture.worktrees().is_empty());
}

#[tokio::test]
async fn what_a_writing_job_leaves_becomes_a_commit_once() {
    let fixture = Fixture::new();
    fixture.run(&["checkout", "--quiet", "feature"]);
    let before = fixture.tip("feature");
    let counter = fixture.root().join("count");
    let script = format!("echo x >> {}; echo c > c.txt; rm b.txt; echo ' did it '", counter.display());
    let (jobs, order) = (fixture.jobs(), fixture.job(Access::Write));
    let outcome = jobs.carry_out(&order, Some(&sh(&script))).await;
    let tip = fixture.tip("feature");
    let result = done(&outcome);
    assert_eq!((result.output.as_str(), result.head_commit.as_deref()), ("did it", Some(tip.as_str())));
    assert_eq!(fixture.message(&tip), "agent: Write c\n\nLockstep-Job: run-1/code/1");
    let about = fixture.run(&["log", "-1", "--format=%P %an %at", &tip]);
    assert_eq!(about, format!("{before} Lockstep {}", NOW.0 / 1000));
    // The user's worktree has followed.
    assert_eq!(fixture.run(&["status", "--porcelain"]), "");
    assert!(fixture.path("c.txt").exists() && !fixture.path("b.txt").exists());
    // The same key again, also at another host: the kept outcome.
    assert_eq!(jobs.carry_out(&order, Some(&sh(&script))).await, outcome);
    assert_eq!(fixture.jobs().carry_out(&order, None).await, outcome);
    assert_eq!((std::fs::read_to_string(&counter).unwrap().as_str(), fixture.tip("feature")), ("x\n", tip));
    assert!(fixture.worktrees().is_empty());
}

#[tokio::test]
async fn commits_and_merges_a_job_made_itself_are_kept() {
    let fixture = Fixture::new();
    fixture.commit_on("feature", "a.txt", "one\nTWO\nthree\n", "theirs");
    fixture.commit("a.txt", "one\nzwei\nthree\n", "ours");
    let base = fixture.tip("main");
    let merge = "git -c user.name=A -c user.email=a@b merge main >/dev/null";
    let order = fixture.job(Access::Write);
    let outcome = fixture.jobs().carry_out(&order, Some(&sh(&format!("{merge}; true")))).await;
    assert!(failed(&outcome).starts_with("agent: it left conflict markers in a.txt"), "{outcome:?}");
    let mut order = fixture.job(Access::Write);
    order.key.number = 2;
    let script = format!(
        "git -c user.name=A -c user.email=a@b commit -q --allow-empty -m own; {merge}; echo both > a.txt"
    );
    let outcome = fixture.jobs().carry_out(&order, Some(&sh(&script))).await;
    let tip = done(&outcome).head_commit.clone().unwrap();
    assert_eq!(fixture.tip("feature"), tip);
    assert_eq!(fixture.tip(&format!("{tip}^2")), base);
    assert_eq!(fixture.message(&format!("{tip}^1")), "own");
    assert_eq!(fixture.run(&["show", &format!("{tip}:a.txt")]), "both");
}

#[tokio::test]
async fn a_reading_job_leaves_nothing() {
    let fixture = Fixture::new();
    let tip = fixture.tip("feature");
    let order = fixture.job(Access::ReadOnly);
    let outcome = fixture.jobs().carry_out(&order, Some(&sh("echo c > c.txt; git add c.txt"))).await;
    assert_eq!(done(&outcome).head_commit.as_deref(), Some(tip.as_str()));
    assert_eq!(fixture.tip("feature"), tip);
}

#[tokio::test]
async fn a_branch_that_moved_or_was_rewritten_is_not_overwritten() {
    let fixture = Fixture::new();
    let moves =
        format!("git -C {} update-ref refs/heads/feature main; echo c > c.txt", fixture.repo().display());
    let order = fixture.job(Access::Write);
    fixture.commit("x.txt", "x\n", "main goes on");
    let outcome = fixture.jobs().carry_out(&order, Some(&sh(&moves))).await;
    assert!(failed(&outcome).contains("feature moved from"), "{outcome:?}");
    assert_eq!(fixture.tip("feature"), fixture.tip("main"));
    let mut order = fixture.job(Access::Write);
    order.key.number = 2;
    let rewrites = "git -c user.name=A -c user.email=a@b commit -q --amend -m other";
    let outcome = fixture.jobs().carry_out(&order, Some(&sh(rewrites))).await;
    assert!(failed(&outcome).contains("it rewrote the branch"), "{outcome:?}");
    assert_eq!(fixture.tip("feature"), fixture.tip("main"));
}

#[tokio::test]
async fn changes_of_the_user_are_not_overwritten() {
    let fixture = Fixture::new();
    fixture.run(&["checkout", "--quiet", "feature"]);
    let tip = fixture.tip("feature");
    // They appear while the job runs.
    let script = format!("echo mine > {}; echo c > c.txt", fixture.path("b.txt").display());
    let outcome = fixture.jobs().carry_out(&fixture.job(Access::Write), Some(&sh(&script))).await;
    assert!(failed(&outcome).contains("has uncommitted changes: commit or stash them"), "{outcome:?}");
    // They are there before it begins.
    let mut order = fixture.job(Access::Write);
    order.key.number = 2;
    let outcome = fixture.jobs().carry_out(&order, Some(&sh("echo never > /dev/null"))).await;
    assert!(failed(&outcome).ends_with("with uncommitted changes: commit or stash them, then retry"));
    assert_eq!(fixture.tip("feature"), tip);
    assert_eq!(std::fs::read_to_string(fixture.path("b.txt")).unwrap(), "mine\n");
}

#[tokio::test]
async fn what_goes_wrong_is_one_line_and_the_output() {
    let fixture = Fixture::new();
    let jobs = fixture.jobs();
    let mut number = 0;
    let mut run = async |command: &lockstep_types::JobCommand| {
        let mut order = fixture.job(Access::ReadOnly);
        number += 1;
        order.key.number = number;
        jobs.carry_out(&order, Some(command)).await
    };
    let mut command = sh("echo first; echo broken >&2; exit 3");
    command.pass_env = vec!["NO_SUCH_KEY_HERE".into()];
    let outcome = run(&command).await;
    let text = failed(&outcome);
    assert!(text.starts_with(
        "agent: `sh -c echo first; echo broken >&2; exit 3` ended with status 3 (NO_SUCH_KEY_HERE"
    ));
    assert!(text.contains("\nfirst") && text.contains("\nbroken"), "{text}");
    command = sh("");
    command.command = vec!["no-such-program".into()];
    let text =
        "agent: there is no command `no-such-program`: install it or correct `command` in [jobs.agent]";
    assert_eq!(failed(&run(&command).await), text);
    command.command = Vec::new();
    assert!(failed(&run(&command).await).contains("[jobs.agent]"));
    let outcome = run(&sh("echo '{\"output\":1}' > $LOCKSTEP_RESULT")).await;
    assert!(
        failed(&outcome).starts_with("agent: its result is not a JobResult: invalid type"),
        "{outcome:?}"
    );
    let outcome = run(&sh("head -c 2000000 /dev/zero > $LOCKSTEP_RESULT")).await;
    assert!(failed(&outcome).contains("2000000 bytes, more than"), "{outcome:?}");
    let outcome = run(&sh("mkfifo $LOCKSTEP_RESULT")).await;
    assert!(failed(&outcome).contains("not a regular file"), "{outcome:?}");
    let outcome = run(&sh("ln -s /etc/passwd $LOCKSTEP_RESULT")).await;
    assert!(failed(&outcome).contains("cannot be read"), "{outcome:?}");
    let JobOutcome::Evicted { transient: false, .. } = run(&sh("kill -9 $$")).await else { panic!() };
    let outcome = run(&sh("kill -15 $$")).await;
    assert!(failed(&outcome).contains("ended by signal 15"), "{outcome:?}");
    let mut limited = sh("exec tail -f /dev/null");
    limited.time_limit_s = Some(0);
    assert!(failed(&run(&limited).await).contains("did not end within its time limit of 0 s"));
    assert!(fixture.worktrees().is_empty());
}

#[tokio::test]
async fn without_a_command_there_is_a_line_to_add() {
    let fixture = Fixture::new();
    let order = fixture.job(Access::ReadOnly);
    let JobOutcome::NotConfigured(text) = fixture.jobs().carry_out(&order, None).await else { panic!() };
    assert!(text.contains("[jobs.agent]"), "{text}");
    // Once there is one, the same key runs it.
    done(&fixture.jobs().carry_out(&order, Some(&sh("true"))).await);
}

#[tokio::test]
async fn a_new_host_finds_the_job_under_way() {
    let fixture = Fixture::new();
    let (begun, go) = (fixture.fifo("begun"), fixture.fifo("go"));
    let script = format!("echo x > {}; cat {} > c.txt", begun.display(), go.display());
    let order = fixture.job(Access::Write);
    let (jobs, of_first, command) = (fixture.jobs(), order.clone(), sh(&script));
    let first = tokio::spawn(async move { jobs.carry_out(&of_first, Some(&command)).await });
    read_fifo(&begun).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    let next = fixture.jobs();
    // It is wanted, so nothing happens to it.
    next.sweep(&BTreeSet::from([order.key.clone()])).await;
    let command = sh("exit 9");
    let waiting = next.carry_out(&order, Some(&command));
    let (outcome, ()) = tokio::join!(waiting, write_fifo(&go, "text\n"));
    assert_eq!(done(&outcome).head_commit, Some(fixture.tip("feature")));
    assert_eq!(fixture.run(&["show", "feature:c.txt"]), "text");
}

/// Killed outright, told to end as in a shutdown, and told together with its program.
#[tokio::test]
async fn a_job_lost_with_its_supervisor_begins_anew() {
    for signal in ["kill -9 $1", "kill -15 $1", "kill -15 $2; kill -15 $1"] {
        begins_anew_after(signal).await;
    }
}

async fn begins_anew_after(signal: &str) {
    let fixture = Fixture::new();
    let (begun, runs, pid_file) =
        (fixture.fifo("begun"), fixture.root().join("runs"), fixture.root().join("pid"));
    // The first run never ends by itself; the second finds the worktree as it was.
    let script = format!(
        "echo x >> {0}; test -e dirt && exit 8; echo dirt > dirt; \
         if [ $(wc -l < {0}) = 1 ]; then echo $$ > {2}; echo x > {1}; exec tail -f /dev/null; fi; mv dirt c.txt",
        runs.display(),
        begun.display(),
        pid_file.display()
    );
    let (jobs, order, command) = (fixture.jobs(), fixture.job(Access::Write), sh(&script));
    let carried = jobs.carry_out(&order, Some(&command));
    let killed = async {
        read_fifo(&begun).await;
        let running = std::fs::read(job_folder(&fixture).join("supervisor.json")).unwrap();
        let running: serde_json::Value = serde_json::from_slice(&running).unwrap();
        let (pid, program) = (running["pid"].to_string(), std::fs::read_to_string(&pid_file).unwrap());
        let kill = std::process::Command::new("sh").args(["-c", signal, "sh", &pid, program.trim()]).status();
        assert!(kill.unwrap().success());
    };
    let (outcome, ()) = tokio::join!(carried, killed);
    done(&outcome);
    assert_eq!(std::fs::read_to_string(&runs).unwrap(), "x\nx\n");
    assert_eq!(fixture.run(&["show", "--stat", "--format=", "--name-only", "feature"]), "c.txt");
    assert_eq!(processes_with(&job_folder(&fixture)), 0);
}

#[tokio::test]
async fn a_crash_between_commit_and_outcome_commits_once() {
    let fixture = Fixture::new();
    fixture.run(&["checkout", "--quiet", "feature"]);
    let order = fixture.job(Access::Write);
    let before = fixture.tip("feature");
    let outcome = fixture.jobs().carry_out(&order, Some(&sh("echo c > c.txt; echo said"))).await;
    let tip = fixture.tip("feature");
    // As if the host had ended just before it kept the outcome, and before the user's worktree followed.
    std::fs::remove_file(job_folder(&fixture).join("outcome.json")).unwrap();
    fixture.run(&["read-tree", "-m", "-u", &tip, &before]);
    assert_eq!(fixture.jobs().carry_out(&order, None).await, outcome);
    assert_eq!(
        (fixture.tip("feature"), fixture.run(&["status", "--porcelain"])),
        (tip.clone(), String::new())
    );
    // As if it had ended before it moved the branch.
    std::fs::remove_file(job_folder(&fixture).join("outcome.json")).unwrap();
    fixture.run(&["reset", "--quiet", "--hard", &before]);
    assert_eq!(fixture.jobs().carry_out(&order, None).await, outcome);
    assert_eq!((fixture.tip("feature"), fixture.run(&["status", "--porcelain"])), (tip, String::new()));
}

#[tokio::test]
async fn a_stop_ends_every_process() {
    let fixture = Fixture::new();
    let begun = fixture.fifo("begun");
    // One that ignores requests to end, one in a session of its own whose parent is gone, and one in the way of both.
    let hold = fixture.fifo("hold");
    let script = format!(
        "trap '' TERM; (setsid cat {0} &) ; cat {0} & echo x > {1}; while :; do wait; done",
        hold.display(),
        begun.display()
    );
    let (jobs, order) = (fixture.jobs(), fixture.job(Access::Write));
    let (running, of_running, command) = (jobs.clone(), order.clone(), sh(&script));
    let carried = tokio::spawn(async move { running.carry_out(&of_running, Some(&command)).await });
    read_fifo(&begun).await;
    // A process that is becoming another program has no name for a moment.
    let all_there = (0..10_000).any(|_| processes_with(&job_folder(&fixture)) >= 4);
    assert!(all_there);
    jobs.stop(&order.key).await;
    assert_eq!(processes_with(&job_folder(&fixture)), 0);
    assert_eq!(failed(&carried.await.unwrap()), "the job was stopped");
    assert!(fixture.worktrees().is_empty());
    jobs.stop(&order.key).await;
    assert_eq!(failed(&fixture.jobs().carry_out(&order, Some(&sh("true"))).await), "the job was stopped");
    assert!(jobs.log_tail(&order.key, 100).await.is_some());
}

#[tokio::test]
async fn what_a_job_leaves_running_ends_with_it() {
    let fixture = Fixture::new();
    let script = format!("(setsid cat {0} &) ; cat {0} & echo done", fixture.fifo("hold").display());
    let outcome = fixture.jobs().carry_out(&fixture.job(Access::ReadOnly), Some(&sh(&script))).await;
    assert_eq!(done(&outcome).output, "done");
    assert_eq!(processes_with(&job_folder(&fixture)), 0);
}

#[tokio::test]
async fn a_job_that_waits_for_its_turn_can_be_stopped() {
    let fixture = Fixture::new();
    let (begun, go) = (fixture.fifo("begun"), fixture.fifo("go"));
    let options = JobOptions { parallel: 1, ..job_options() };
    let jobs = LocalJobs::new(fixture.git.clone(), options).unwrap();
    let mut second = fixture.job(Access::ReadOnly);
    second.key.number = 2;
    let first = fixture.job(Access::ReadOnly);
    let (running, command) =
        (jobs.clone(), sh(&format!("echo x > {}; cat {}", begun.display(), go.display())));
    let carried = tokio::spawn(async move { running.carry_out(&first, Some(&command)).await });
    read_fifo(&begun).await;
    let never = sh("exit 7");
    let waiting = jobs.carry_out(&second, Some(&never));
    let (outcome, ()) = tokio::join!(waiting, jobs.stop(&second.key));
    assert_eq!(failed(&outcome), "the job was stopped");
    write_fifo(&go, "went on").await;
    assert_eq!(done(&carried.await.unwrap()).output, "went on");
}

#[tokio::test]
async fn a_job_whose_folder_is_gone_ends_because_nobody_can_ever_find_it() {
    let fixture = Fixture::new();
    let (begun, alive) = (fixture.fifo("begun"), fixture.fifo("alive"));
    let order = fixture.job(Access::ReadOnly);
    let script = format!("exec 3> {}; echo x > {}; exec tail -f /dev/null", alive.display(), begun.display());
    let jobs = fixture.jobs();
    let carried = tokio::spawn(async move { jobs.carry_out(&order, Some(&sh(&script))).await });
    // It is read to its end when the job, which has it open, is gone.
    let held = tokio::spawn(async move { read_fifo(&alive).await });
    read_fifo(&begun).await;
    carried.abort();
    // At once: file by file, the supervisor may still write one into what is being removed.
    std::fs::rename(job_folder(&fixture), fixture.root().join("elsewhere")).unwrap();
    assert_eq!(held.await.unwrap(), "");
}

#[tokio::test]
async fn jobs_nobody_wants_are_swept_and_runs_forgotten() {
    let fixture = Fixture::new();
    let begun = fixture.fifo("begun");
    let order = fixture.job(Access::ReadOnly);
    let (jobs, of_first) = (fixture.jobs(), order.clone());
    let command = sh(&format!("echo x > {}; exec tail -f /dev/null", begun.display()));
    let first = tokio::spawn(async move { jobs.carry_out(&of_first, Some(&command)).await });
    read_fifo(&begun).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    let next = fixture.jobs();
    next.sweep(&BTreeSet::new()).await;
    assert_eq!((processes_with(&job_folder(&fixture)), fixture.worktrees().len()), (0, 0));
    assert_eq!(failed(&next.carry_out(&order, None).await), "the job was stopped");
    next.forget(&run_id()).await;
    assert!(!fixture.root().join("data/jobs/run-1").exists());
    assert_eq!(next.log_tail(&order.key, 10).await, None);
}

#[tokio::test]
async fn a_command_says_how_far_it_has_come() {
    let fixture = Fixture::new();
    let (begun, go_on) = (fixture.fifo("begun"), fixture.fifo("go-on"));
    let script = format!(
        "echo '{{\"completed\":1,\"total\":3,\"label\":\"with s3cret-value\",\"subtasks\":[{{\"title\":\"a\"}}]}}' \
         > $LOCKSTEP_PROGRESS; echo x > {}; cat {}",
        begun.display(),
        go_on.display()
    );
    let mut command = sh(&script);
    command.env.insert("MY_TOKEN".into(), "s3cret-value".into());
    let (jobs, order) = (fixture.jobs(), fixture.job(Access::ReadOnly));
    assert_eq!(jobs.progress(&order.key).await, None);
    let outcome = tokio::spawn({
        let (jobs, order) = (jobs.clone(), order.clone());
        async move { jobs.carry_out(&order, Some(&command)).await }
    });
    read_fifo(&begun).await;
    let progress = jobs.progress(&order.key).await.unwrap();
    assert_eq!((progress.completed, progress.total, progress.subtasks.len()), (1, 3, 1));
    assert_eq!(progress.label.as_deref(), Some("with ***"));
    write_fifo(&go_on, "").await;
    done(&outcome.await.unwrap());
    assert_eq!(jobs.progress(&order.key).await, None, "what has ended has no progress");
}
