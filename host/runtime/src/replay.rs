//! Making recorded invocations again, from the journal alone.

use crate::runtime::Shared;
use lockstep_engine::Recorded;
use lockstep_ports::{InvocationDifference, RecordedObserver, ReplayReport, ServiceError, VerifyReport};
use lockstep_types::{Digest, Event, Invocation, Outcome, RunId, TurnRecord};

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
                placed.push(Placed { seq: record.seq, number, step, invocation: *invocation });
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
        let Some(Event::Created(spec)) = records.first().and_then(|record| record.events.first()).cloned()
        else {
            return Err(ServiceError::Internal(format!(
                "the journal of {id} does not begin with its creation"
            )));
        };
        let mut report = ReplayReport { run: id.clone(), invocations: 0, fuel: 0, differences: Vec::new() };
        for placed in invocations(records) {
            let recorded = placed.invocation;
            let def = spec.pipeline.steps.get(placed.step);
            let pin = def.and_then(|def| spec.pins.get(&def.kind));
            let grant = pin.map(|pin| pin.grant.clone()).unwrap_or_default();
            let observer = RecordedObserver::new(recorded.observations.clone());
            let executor = &self.outside.executor;
            let again = executor.invoke(recorded.digest, &grant, recorded.input.clone(), &observer).await;
            report.invocations += 1;
            report.fuel += again.fuel;
            let step = def.map(|def| def.name.clone()).unwrap_or_default();
            report.differences.extend(differences(placed.number, &step, &recorded, &again));
        }
        Ok(report)
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
                if recorded.head != row.head || recorded.seq != row.seq {
                    problems.push(format!(
                        "the journal ends at record {}, the stored run at {}",
                        recorded.seq, row.seq
                    ));
                }
                if recorded.run.digest() != row.state {
                    problems.push("the journal does not fold to the stored run".to_owned());
                }
            }
            Err(error) => problems.push(error.to_string()),
        }
        let replay = if problems.is_empty() {
            self.replay(id).await?
        } else {
            ReplayReport { run: id.clone(), invocations: 0, fuel: 0, differences: Vec::new() }
        };
        Ok(VerifyReport { replay, records: stored.len() as u64, head, problems })
    }
}

fn differences(
    number: u32,
    step: &str,
    recorded: &Invocation,
    again: &Invocation,
) -> Vec<InvocationDifference> {
    let mut found = Vec::new();
    let mut compare = |what: &str, recorded: String, replayed: String| {
        if recorded != replayed {
            let cut = |text: String| text.chars().take(SHOWN_MAX).collect();
            found.push(InvocationDifference {
                number,
                step: step.to_owned(),
                what: what.to_owned(),
                recorded: cut(recorded),
                replayed: cut(replayed),
            });
        }
    };
    compare("fingerprint", recorded.fingerprint.to_string(), again.fingerprint.to_string());
    compare("observations", json(&recorded.observations), json(&again.observations));
    compare("outcome", outcome(recorded), outcome(again));
    compare("logs", json(&recorded.logs), json(&again.logs));
    compare("fuel", recorded.fuel.to_string(), again.fuel.to_string());
    compare("memory", recorded.peak_memory.to_string(), again.peak_memory.to_string());
    found
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
