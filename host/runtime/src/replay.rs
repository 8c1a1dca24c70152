//! Making recorded invocations again, from the journal alone.

use crate::runtime::Shared;
use lockstep_engine::{Recorded, ReplayError, Run};
use lockstep_ports::{InvocationDifference, RecordedObserver, ReplayReport, ServiceError, VerifyReport};
use lockstep_types::{Digest, Event, Invocation, Migration, Outcome, RunId, TurnRecord};
use std::sync::Arc;

/// Characters of a value shown in a difference.
const SHOWN_MAX: usize = 2000;

/// An invocation with its place in the run.
pub(crate) struct Placed {
    pub(crate) seq: u64,
    pub(crate) number: u32,
    pub(crate) step: usize,
    pub(crate) invocation: Invocation,
}

/// The invocations in some records, in order.
pub(crate) fn invocations(records: Vec<TurnRecord>) -> Vec<Placed> {
    let mut placed = Vec::new();
    for record in records {
        for event in record.events {
            if let Event::Invoked { step, invocation } = event {
                let number = u32::try_from(placed.len() + 1).unwrap_or(u32::MAX);
                placed.push(Placed {
                    seq: record.seq,
                    number,
                    step,
                    invocation: Arc::unwrap_or_clone(invocation),
                });
            }
        }
    }
    placed
}

impl Shared {
    /// Reads a run's records and checks that they follow from each other.
    pub(crate) async fn records(&self, id: &RunId) -> Result<Vec<TurnRecord>, ServiceError> {
        let stored =
            self.outside.journal.records(id, 1).await.map_err(|error| crate::service::journal(&error))?;
        let mut previous = Digest::zero();
        let mut records = Vec::new();
        for (bytes, seq) in stored.iter().zip(1..) {
            let (record, digest) = TurnRecord::decode(bytes, id, seq, previous).map_err(|error| {
                ServiceError::Internal(format!("the journal of {id} is damaged: {error}"))
            })?;
            previous = digest;
            records.push(record);
        }
        if records.is_empty() {
            return Err(crate::service::no_such_run(id));
        }
        Ok(records)
    }

    pub(crate) async fn replay(&self, id: &RunId) -> Result<ReplayReport, ServiceError> {
        let records = self.records(id).await?;
        let mut report = ReplayReport::of(id);
        let mut run: Option<Run> = None;
        for record in records {
            for event in record.events {
                if let Some(run) = &run {
                    self.again(run, &event, &mut report).await;
                }
                match &mut run {
                    Some(run) => run.apply(record.at, &event).map_err(|error| damaged(id, &error))?,
                    None => run = Some(Run::create(&event).map_err(|error| damaged(id, &error))?),
                }
            }
        }
        Ok(report)
    }

    /// Makes again what a component did in an event, as the run stood then.
    async fn again(&self, run: &Run, event: &Event, report: &mut ReplayReport) {
        let executor = &self.outside.executor;
        let name =
            |step: usize| run.spec().pipeline.steps.get(step).map(|def| def.name.clone()).unwrap_or_default();
        match event {
            Event::Invoked { step, invocation: recorded } => {
                let pin = run.pin(*step);
                let grant = pin.map(|pin| pin.grant.clone()).unwrap_or_default();
                let observer = RecordedObserver::new(recorded.observations.clone());
                let again = executor.invoke(recorded.digest, &grant, recorded.input.clone(), &observer).await;
                report.invocations += 1;
                report.fuel += again.fuel;
                let mut found =
                    Differences { number: report.invocations, step: name(*step), found: Vec::new() };
                let pinned = pin.map_or(Digest::zero(), |pin| pin.digest);
                found.compare("component", pinned.to_string(), recorded.digest.to_string());
                found.invocation(recorded, &again);
                report.differences.extend(found.found);
            }
            Event::Repinned(repinned) => {
                for Migration { step, digest, from_version, before, after } in &repinned.migrations {
                    let again = executor.migrate(*digest, *from_version, before).await;
                    report.migrations += 1;
                    let mut found =
                        Differences { number: report.invocations, step: name(*step), found: Vec::new() };
                    let again = again.map_or_else(|fault| json(&fault), |state| state.as_str().to_owned());
                    found.compare("migration", after.as_str().to_owned(), again);
                    report.differences.extend(found.found);
                }
            }
            _ => {}
        }
    }

    pub(crate) async fn verify(&self, id: &RunId) -> Result<VerifyReport, ServiceError> {
        let failed = |error| crate::service::journal(&error);
        let stored = self.outside.journal.records(id, 1).await.map_err(failed)?;
        let row = self
            .outside
            .journal
            .row(id)
            .await
            .map_err(failed)?
            .ok_or_else(|| crate::service::no_such_run(id))?;
        let mut problems = Vec::new();
        let mut head = Digest::zero();
        match Recorded::replay(id, stored.iter().map(Vec::as_slice)) {
            Ok(recorded) => {
                head = recorded.head;
                problems = recorded.problems_of(&row);
            }
            Err(error) => problems.push(error.to_string()),
        }
        let replay = if problems.is_empty() { self.replay(id).await? } else { ReplayReport::of(id) };
        Ok(VerifyReport { replay, records: stored.len() as u64, head, problems })
    }
}

pub(crate) fn damaged(id: &RunId, error: &ReplayError) -> ServiceError {
    ServiceError::Internal(format!("{error}: see `lockstep verify {id}`"))
}

/// What came out differently in one call.
struct Differences {
    number: u32,
    step: String,
    found: Vec<InvocationDifference>,
}

impl Differences {
    fn compare(&mut self, what: &str, recorded: String, replayed: String) {
        if recorded != replayed {
            let cut = |text: String| text.chars().take(SHOWN_MAX).collect();
            self.found.push(InvocationDifference {
                number: self.number,
                step: self.step.clone(),
                what: what.to_owned(),
                recorded: cut(recorded),
                replayed: cut(replayed),
            });
        }
    }

    fn invocation(&mut self, recorded: &Invocation, again: &Invocation) {
        self.compare("fingerprint", recorded.fingerprint.to_string(), again.fingerprint.to_string());
        self.compare("observations", json(&recorded.observations), json(&again.observations));
        self.compare("outcome", outcome(recorded), outcome(again));
        self.compare("logs", json(&recorded.logs), json(&again.logs));
        self.compare("fuel", recorded.fuel.to_string(), again.fuel.to_string());
        self.compare("memory", recorded.peak_memory.to_string(), again.peak_memory.to_string());
    }
}

fn outcome(invocation: &Invocation) -> String {
    match &invocation.outcome {
        Outcome::Transition(transition) => json(transition),
        Outcome::Fault(fault) => json(fault),
    }
}

fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
