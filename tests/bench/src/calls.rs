//! What one call of a component costs, part by part: in processor time, as nothing of it waits.

use crate::host::{Host, Shape};
use crate::machine::cpu_time;
use crate::report::{Better, Report};
use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use lockstep_engine::Turn;
use lockstep_ports::{Observer, StepExecutor};
use lockstep_types::{
    Admission, Event, Input, Invocation, JsonText, ObservationAnswer, ObservationRequest, ObserveFailure,
    Outcome, RunSpec, TurnRecord,
};
use std::sync::Arc;
use std::time::Duration;

/// The probe takes over states of this version as they are.
const STATE_VERSION: u32 = 1;
const GROUP: &str = "one call of a component";

struct Unasked;

#[async_trait]
impl Observer for Unasked {
    async fn observe(&self, _: &ObservationRequest) -> ObservationAnswer {
        ObservationAnswer::Failed(ObserveFailure::NotConfigured)
    }
}

/// Measures on a warm host; `count` calls of each sort. `commit_us` is what a commit alone on the disk took.
pub(crate) async fn measure(host: &Host, count: u32, commit_us: f64, report: &mut Report) -> Result<()> {
    let calls = host.invocations(Shape::CommitPerRun).await?;
    let first = calls.first().context("a run calls components")?;
    let invoke = time_invoke(host, first, count).await;
    let instantiate = time_migrate(host, count).await?;
    let record = time_record(host, &calls, count).await?;
    let mut add = |name: &str, time: Duration, aim: Option<f64>| {
        let us = time.as_secs_f64() * 1e6;
        match aim {
            Some(aim) => report.add_aimed(GROUP, name, "µs", us, Better::Less, aim),
            None => report.add(GROUP, name, "µs", us, Better::Less),
        }
    };
    add("instantiate: a fresh instance that gives back its argument", instantiate, None);
    add("call: what a transition takes beyond that", invoke.saturating_sub(instantiate), None);
    add("invocation: both", invoke, Some(25.0));
    add("record: decide, apply, encode, hash", record, None);
    report.add(GROUP, "commit: from handing it over until durable, alone", "µs", commit_us, Better::Less);
    Ok(())
}

async fn time_invoke(host: &Host, call: &Invocation, count: u32) -> Duration {
    let mut begin = cpu_time();
    for at in 0..2 * count {
        if at == count {
            begin = cpu_time();
        }
        let input = call.input.clone();
        let invocation = host.executor.invoke(host.digest, &host.grant, input, &Unasked).await;
        assert!(matches!(invocation.outcome, Outcome::Transition(_)), "{:?}", invocation.outcome);
    }
    (cpu_time() - begin) / count
}

async fn time_migrate(host: &Host, count: u32) -> Result<Duration> {
    let state = JsonText::null();
    let begin = cpu_time();
    for _ in 0..count {
        let taken = host.executor.migrate(host.digest, STATE_VERSION, &state).await;
        ensure!(taken.is_ok(), "the probe does not take over a state: {taken:?}");
    }
    Ok((cpu_time() - begin) / count)
}

/// The engine's part of a call, with calls that were made before: a share of a whole run.
async fn time_record(host: &Host, calls: &[Invocation], count: u32) -> Result<Duration> {
    let spec = spec(host).await?;
    let (now, turns) = (spec.created_at, count / 10);
    let begin = cpu_time();
    for _ in 0..turns {
        let mut turn = Turn::begin(None, now, &Input::Start(Arc::clone(&spec)), Admission::default())?;
        let mut answers = calls.iter();
        while let Some(call) = turn.next_call() {
            let answer = answers.next().context("the run calls more than before")?;
            turn.called(call.step, Invocation { input: call.input, ..answer.clone() })?;
        }
        let finished = turn.finish().context("a run has a beginning")?;
        ensure!(!finished.recorded.run.status().is_live(), "the run did not end");
        drop(finished.recorded.row());
    }
    Ok((cpu_time() - begin) / (turns * u32::try_from(calls.len())?))
}

async fn spec(host: &Host) -> Result<Arc<RunSpec>> {
    let run = host.run(Shape::CommitPerRun).await?;
    // The first record holds what the run was made from.
    let records = host.records(&run).await?;
    let record: TurnRecord = serde_json::from_slice(records.first().context("a run has a record")?)?;
    let created = record.events.into_iter().find_map(|event| match event {
        Event::Created(spec) => Some(spec),
        _ => None,
    });
    created.context("a journal begins with what its run was made from")
}
