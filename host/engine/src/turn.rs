use crate::apply::ReplayError;
use crate::decide::Decider;
use crate::run::{Command, Run};
use lockstep_types::{
    Admission, Digest, Grant, Input, Invocation, Next, Observation, ObservationAnswer, Outcome, Rejected,
    RunId, RunRow, RunSummary, SCHEMA_VERSION, StepInput, StepIx, Timestamp, TurnRecord,
};
use std::sync::Arc;

/// Calls in one turn. A run that needs more is committed in between: a turn is a unit of work that a crash loses.
const CALLS_PER_TURN_MAX: usize = 64;
/// Bytes of text in the calls of one turn, for the same reason and because a turn is stored in one piece. One call more
/// may go beyond it; what a single call may hold is the sandbox's to bound.
const BYTES_PER_TURN_MAX: usize = 8 << 20;

/// A run and where its journal ends.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// The run.
    pub run: Run,
    /// Position of its last record.
    pub seq: u64,
    /// Digest of its last record.
    pub head: Digest,
}

impl Recorded {
    /// Folds a journal, given as its stored records in order.
    ///
    /// # Errors
    /// `ReplayError` names the first record that does not fit.
    pub fn replay<'a>(id: &RunId, records: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, ReplayError> {
        let mut recorded: Option<Self> = None;
        for (bytes, seq) in records.into_iter().zip(1..) {
            let previous = recorded.as_ref().map_or(Digest::zero(), |recorded| recorded.head);
            let (record, head) = TurnRecord::decode(bytes, id, seq, previous)?;
            let run = recorded.take().map(|recorded| recorded.run);
            recorded = fold(run, &record)?.map(|run| Self { run, seq, head });
            // The chain says whose record it is; the run that is created must be no other.
            if recorded.as_ref().is_some_and(|recorded| recorded.run.spec().id != *id) {
                return Err(ReplayError::Misfit { event: "created" });
            }
        }
        recorded.ok_or_else(|| ReplayError::NoBeginning { run: id.to_string() })
    }

    /// The row stored beside the journal.
    #[must_use]
    pub fn row(&self) -> RunRow {
        RunRow {
            schema: SCHEMA_VERSION,
            seq: self.seq,
            head: self.head,
            state: self.run.digest(),
            summary: self.run.summary(),
        }
    }
}

impl Recorded {
    /// What a stored row says of the run that its journal does not, one line each; none if it is the row of this run. What
    /// lists show of the waiting steps is left out: another version may word it otherwise.
    #[must_use]
    pub fn problems_of(&self, row: &RunRow) -> Vec<String> {
        let own = self.row();
        let mut problems = Vec::new();
        if !(1..=SCHEMA_VERSION).contains(&row.schema) {
            problems.push(format!(
                "the stored run has format {}, this version reads up to {SCHEMA_VERSION}",
                row.schema
            ));
        }
        if (own.head, own.seq) != (row.head, row.seq) {
            problems.push(format!("the journal ends at record {}, the stored run at {}", own.seq, row.seq));
        }
        if own.state != row.state {
            problems.push("the journal does not fold to the stored run".to_owned());
        }
        let shown = RunSummary { waiting: own.summary.waiting.clone(), ..row.summary.clone() };
        if shown != own.summary {
            problems.push("lists show the run otherwise than its journal tells it".to_owned());
        }
        problems
    }
}

fn fold(run: Option<Run>, record: &TurnRecord) -> Result<Option<Run>, ReplayError> {
    let mut run = run;
    for event in &record.events {
        match &mut run {
            Some(run) => run.apply(record.at, event)?,
            None => run = Some(Run::create(event)?),
        }
    }
    Ok(run)
}

/// A call of a component that a turn needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The step.
    pub step: StepIx,
    /// The component.
    pub digest: Digest,
    /// What its kind was granted.
    pub grant: Arc<Grant>,
    /// What it is given.
    pub input: StepInput,
}

/// A turn: from one input to where the run waits for the outside again. It works on a copy; dropping it changes nothing.
pub struct Turn {
    decider: Decider,
    seq: u64,
    head: Digest,
    calls: usize,
    bytes: usize,
}

fn invoked(command: Command<'_>) -> Option<StepIx> {
    match command {
        Command::Invoke(step) => Some(step),
        Command::Dispatch(_) | Command::Perform(_) => None,
    }
}

/// About how many bytes a call adds to the record: the texts in it that may be large.
fn texts(invocation: &Invocation) -> usize {
    let run = &invocation.input.run;
    let outputs: usize = run.outputs.iter().map(|output| output.output.len()).sum();
    let facts: usize = run.facts.iter().map(|fact| fact.value.as_str().len()).sum();
    let state = invocation.input.state.as_ref().map_or(0, |state| state.as_str().len());
    let answer = match &invocation.outcome {
        Outcome::Transition(transition) => match &transition.next {
            Next::Complete(completion) => completion.output.as_ref().map_or(0, String::len),
            _ => transition.state.as_str().len(),
        },
        Outcome::Fault(_) => 0,
    };
    // A file is stored as a list of numbers, some four characters a byte.
    let file = |observation: &Observation| match &observation.answer {
        ObservationAnswer::ReadFile(Some(bytes)) => 4 * bytes.len(),
        ObservationAnswer::Diff(Some(text)) => text.len(),
        _ => 0,
    };
    let files: usize = invocation.observations.iter().map(file).sum();
    run.description.len() + outputs + facts + state + files + answer
}

/// A turn to be committed.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The run after it, to take the place of the old one once the record is durable.
    pub recorded: Recorded,
    /// What became true.
    pub record: TurnRecord,
    /// Its stored form.
    pub bytes: Vec<u8>,
}

impl Turn {
    /// Takes an input. `recorded` is the run as it stands, none for `Input::Start`.
    ///
    /// # Errors
    /// `Rejected` if the input cannot be taken; nothing has changed then.
    pub fn begin(
        recorded: Option<&Recorded>,
        now: Timestamp,
        input: &Input,
        admission: Admission,
    ) -> Result<Self, Rejected> {
        match (recorded, input) {
            (Some(recorded), input) => {
                let mut decider = Decider::new(recorded.run.clone(), now, admission);
                decider.take(input)?;
                Ok(Self { decider, seq: recorded.seq, head: recorded.head, calls: 0, bytes: 0 })
            }
            (None, Input::Start(spec)) => {
                let decider = Decider::start(now, spec, admission)?;
                Ok(Self { decider, seq: 0, head: Digest::zero(), calls: 0, bytes: 0 })
            }
            (None, _) => Err(Rejected::NotFound("there is no such run".to_owned())),
        }
    }

    /// The next component to call before the turn can be committed; none when the run waits for something else. A step
    /// that begins may be skipped here by its estimate, or held because the budget is spent (SPEC EN-7, SP-3).
    pub fn next_call(&mut self) -> Option<Call> {
        if self.calls >= CALLS_PER_TURN_MAX || self.bytes >= BYTES_PER_TURN_MAX {
            return None;
        }
        let step = self.next_step()?;
        let run = &self.decider.run;
        let pin = run.pin(step)?;
        let input = run.step_input(step, self.decider.now)?;
        Some(Call { step, digest: pin.digest, grant: Arc::clone(&pin.grant), input })
    }

    /// Whether the next component to call is that of a step that begins: a driver may stop here and go on in a later
    /// turn.
    #[must_use]
    pub fn next_begins(&self) -> bool {
        let run = &self.decider.run;
        run.outstanding().into_iter().find_map(invoked).is_some_and(|step| run.begins(step))
    }

    fn next_step(&mut self) -> Option<StepIx> {
        loop {
            let run = &self.decider.run;
            let due: Vec<StepIx> = run.outstanding().into_iter().filter_map(invoked).collect();
            let Some(step) = due.iter().copied().find(|step| self.decider.stop_of(*step).is_none()) else {
                // Nothing is left to call but components that must not be called.
                if due.iter().any(|step| self.decider.skip_by_estimate(*step)) {
                    continue;
                }
                self.decider.hold_for_component(*due.first()?);
                return None;
            };
            if run.begins(step) && !self.decider.admission.admits(&run.def(step).role) {
                self.decider.hold_for_budget();
                return None;
            }
            if !self.decider.skip_by_estimate(step) {
                return Some(step);
            }
        }
    }

    /// Takes the record of a call that `next_call` asked for.
    ///
    /// # Errors
    /// `Rejected` if no such call was due.
    pub fn called(&mut self, step: StepIx, invocation: Invocation) -> Result<(), Rejected> {
        self.calls += 1;
        self.bytes = self.bytes.saturating_add(texts(&invocation));
        self.decider.take(&Input::Invoked { step, invocation: Arc::new(invocation) })
    }

    /// The run as it stands within the turn: what observations are answered from.
    #[must_use]
    pub fn run(&self) -> &Run {
        &self.decider.run
    }

    /// The record to commit; none if nothing became true.
    #[must_use]
    pub fn finish(self) -> Option<Finished> {
        let Decider { run, now, events, .. } = self.decider;
        if events.is_empty() {
            return None;
        }
        let seq = self.seq + 1;
        let id = run.spec().id.clone();
        let record =
            TurnRecord { schema: SCHEMA_VERSION, run: id, seq, previous: self.head, at: now, events };
        let (bytes, head) = record.encode();
        Some(Finished { recorded: Recorded { run, seq, head }, record, bytes })
    }
}
