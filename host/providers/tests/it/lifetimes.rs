//! Programs that do everything to outlive what they were started for.

use crate::fixture::{Fixture, provider, read_fifo, sh};
use crate::jobs::processes_with;
use lockstep_ports::{Effects, Jobs};
use lockstep_types::{Access, Effect, EffectOutcome, JobOutcome, JsonText};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// A daemon as it is in the books, and then some: twice forked, in a session of its own, without its environment, its
/// outputs closed, deaf to every request to end, with children of its own. It says when it is there.
fn daemon(fixture: &Fixture) -> (String, PathBuf, PathBuf) {
    let (hold, begun) = (fixture.fifo("hold"), fixture.fifo("begun"));
    let script = fixture.root().join("daemon.sh");
    let text = format!(
        "trap '' TERM HUP INT QUIT\ncat {0} &\n(setsid cat {0} &)\necho x > {1}\nwhile :; do wait; cat {0}; done\n",
        hold.display(),
        begun.display()
    );
    std::fs::write(&script, text).unwrap();
    let start = format!(
        "(setsid env -i PATH=\"$PATH\" sh {} </dev/null >/dev/null 2>&1 &) </dev/null >/dev/null 2>&1",
        script.display()
    );
    (start, hold, begun)
}

fn none_left(fixture: &Fixture) {
    assert_eq!(processes_with(&fixture.root().join("hold")), 0);
    assert_eq!(processes_with(&fixture.root().join("daemon.sh")), 0);
}

#[tokio::test]
async fn a_daemon_ends_with_its_job() {
    let fixture = Fixture::new();
    let (start, ..) = daemon(&fixture);
    // It waits for the daemon to be there, and then ends as if nothing were.
    let script = format!("{start}; cat {} >/dev/null", fixture.root().join("begun").display());
    let outcome = fixture.jobs().carry_out(&fixture.job(Access::ReadOnly), Some(&sh(&script))).await;
    assert!(matches!(outcome, JobOutcome::Done(_)), "{outcome:?}");
    none_left(&fixture);
}

#[tokio::test]
async fn a_daemon_ends_at_the_time_limit() {
    let fixture = Fixture::new();
    let (start, ..) = daemon(&fixture);
    let begun = fixture.root().join("begun");
    let mut command = sh(&format!("{start}; cat {} >/dev/null; exec tail -f /dev/null", begun.display()));
    command.time_limit_s = Some(2);
    let outcome = fixture.jobs().carry_out(&fixture.job(Access::ReadOnly), Some(&command)).await;
    let JobOutcome::Failed(line) = outcome else { panic!("{outcome:?}") };
    assert!(line.contains("time limit"), "{line}");
    none_left(&fixture);
}

#[tokio::test]
async fn a_daemon_ends_when_its_job_is_stopped_or_swept() {
    for is_stopped in [true, false] {
        let fixture = Fixture::new();
        let (start, _, begun) = daemon(&fixture);
        let (jobs, order) = (fixture.jobs(), fixture.job(Access::ReadOnly));
        let (running, of_running, command) =
            (jobs.clone(), order.clone(), sh(&format!("{start}; exec tail -f /dev/null")));
        let carried = tokio::spawn(async move { running.carry_out(&of_running, Some(&command)).await });
        read_fifo(&begun).await;
        if is_stopped {
            jobs.stop(&order.key).await;
        } else {
            // As a host does that comes after one that was killed.
            fixture.jobs().sweep(&BTreeSet::new()).await;
        }
        none_left(&fixture);
        assert!(matches!(carried.await.unwrap(), JobOutcome::Failed(_)));
    }
}

/// A job whose folder was removed is known to nobody, and could be stopped by nobody.
#[tokio::test]
async fn a_job_without_a_folder_ends() {
    let fixture = Fixture::new();
    let (start, hold, begun) = daemon(&fixture);
    let (jobs, order) = (fixture.jobs(), fixture.job(Access::ReadOnly));
    let command = sh(&format!("{start}; exec tail -f {}", hold.display()));
    let carried = tokio::spawn(async move { jobs.carry_out(&order, Some(&command)).await });
    read_fifo(&begun).await;
    std::fs::remove_dir_all(fixture.root().join("data/jobs/run-1")).unwrap();
    // Returns once its supervisor is gone: a new one finds no way to begin, or ends the job as lost.
    drop(carried.await.unwrap());
    none_left(&fixture);
}

/// A job that kills its supervisor, again and again, is given up, and leaves nothing.
#[tokio::test]
async fn a_job_that_kills_its_supervisor_is_given_up_and_ended() {
    let fixture = Fixture::new();
    let hold = fixture.fifo("hold");
    let script = format!("(setsid cat {0} &); cat {0} & kill -9 $PPID; exec tail -f {0}", hold.display());
    let outcome = fixture.jobs().carry_out(&fixture.job(Access::ReadOnly), Some(&sh(&script))).await;
    assert!(matches!(outcome, JobOutcome::Evicted { transient: true, .. }), "{outcome:?}");
    none_left(&fixture);
}

#[tokio::test]
async fn an_effect_can_be_stopped_and_is_not_begun_anew() {
    for is_stopped in [true, false] {
        let fixture = Fixture::new();
        let (start, _, begun) = daemon(&fixture);
        let ticket = Effect::OpenTicket(JsonText::new("{}").unwrap());
        let order = fixture.effect(ticket, 7);
        let command = provider(&format!("{start}; exec tail -f /dev/null"));
        let (effects, of_running, by) = (fixture.effects(), order.clone(), command.clone());
        let running = tokio::spawn(async move { effects.perform(&of_running, Some(&by)).await });
        read_fifo(&begun).await;
        if is_stopped {
            fixture.effects().stop(&order.key).await;
        } else {
            fixture.effects().sweep(&BTreeSet::from([order.key.clone()])).await;
            assert!(processes_with(&fixture.root().join("hold")) > 0, "it is wanted");
            fixture.effects().sweep(&BTreeSet::new()).await;
        }
        none_left(&fixture);
        let stopped = EffectOutcome::Failed("open-ticket: its command was stopped".into());
        assert_eq!(running.await.unwrap(), stopped);
        assert_eq!(fixture.effects().perform(&order, Some(&command)).await, stopped);
        fixture.effects().stop(&order.key).await;
        none_left(&fixture);
    }
}
