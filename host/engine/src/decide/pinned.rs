//! What follows from the components of a run: a step that starts may take one, others take over, and one that must not be
//! called holds the run.

use super::Decider;
use crate::notices::COMPONENT_STOPPED;
use crate::run::{Phase, Run};
use lockstep_types::{
    Event, NewNotice, Pin, Rejected, Repin, Repinned, RepinnedKind, ReworkOrder, RunSpec, RunStatus,
    Severity, StepIx, StepStatus, Stop,
};
use std::collections::BTreeMap;

/// Who lets a run go on that was held for a component.
const HOST: &str = "lockstep";

impl Decider {
    /// A step begins, or begins again; it may take its component now.
    pub(super) fn start_step(&mut self, ix: StepIx, rework: Option<ReworkOrder>) {
        let pin = self.pin_taken(ix).cloned().map(Box::new);
        self.emit(Event::StepStarted { step: ix, rework, pin });
    }

    /// The component a step would be called on if it started now.
    pub(super) fn pin_at_start(&self, ix: StepIx) -> Option<&Pin> {
        self.pin_taken(ix).or_else(|| self.run.pin(ix))
    }

    fn pin_taken(&self, ix: StepIx) -> Option<&Pin> {
        self.admission.active.get(&self.run.def(ix).kind).filter(|_| self.run.takes_active(ix))
    }

    /// Other components take over kinds of the run, with the states their migrations gave.
    pub(super) fn repin(&mut self, repin: &Repin) -> Result<(), Rejected> {
        let id = &self.run.spec.id;
        let mut kinds = Vec::new();
        for (kind, new) in &repin.pins {
            let has_step = self.run.spec.pipeline.steps.iter().any(|step| step.kind == *kind);
            let Some(old) = self.run.old_pin(kind).filter(|_| has_step) else {
                let mut known: Vec<&str> =
                    self.run.spec.pipeline.steps.iter().map(|step| step.kind.as_str()).collect();
                known.sort_unstable();
                known.dedup();
                return Err(Rejected::Invalid(format!(
                    "run {id} has no step of kind {kind}: it has {}",
                    known.join(", ")
                )));
            };
            if let Some(ix) = self.run.changes_access_under_way(kind, new) {
                let name = &self.run.def(ix).name;
                return Err(Rejected::Conflict(format!(
                    "component {} differs from the present one in whether it writes, and step {name} is under way: use `lockstep runs restart {id} --step {name} --digest {0}`",
                    new.digest.short()
                )));
            }
            if let Some(stop) = self.admission.stopped.get(&new.digest) {
                return Err(Rejected::Conflict(format!(
                    "{}: choose another component, or {}",
                    stopped(kind, stop),
                    resume_hint(stop)
                )));
            }
            kinds.push(RepinnedKind { kind: kind.clone(), old: old.digest, new: new.clone() });
        }
        for migration in &repin.migrations {
            let step = self.run.steps.get(migration.step);
            if step.and_then(|step| step.memory.as_ref()) != Some(&migration.before) {
                return Err(Rejected::Conflict(format!("run {id} has gone on meanwhile: repin it again")));
            }
        }
        let (by, reason) = (repin.by.clone(), repin.reason.clone());
        let migrations = repin.migrations.clone();
        self.emit(Event::Repinned(Box::new(Repinned { kinds, migrations, by, reason })));
        Ok(())
    }

    /// A run that is over for good has nothing left to call.
    pub(super) fn repin_alone(&mut self, repin: &Repin) -> Result<(), Rejected> {
        if self.run.status == RunStatus::Done {
            let id = &self.run.spec.id;
            return Err(Rejected::Conflict(format!(
                "run {id} is done and calls nothing more: use `lockstep runs restart {id} --step STEP --digest DIGEST`"
            )));
        }
        self.repin(repin)
    }

    /// Whether the component of a step must not be called.
    pub(crate) fn stop_of(&self, ix: StepIx) -> Option<&Stop> {
        self.admission.stopped.get(&self.run.pin(ix)?.digest)
    }

    /// The run waits with all it has to call until the component of this step may be called again, or is replaced.
    pub(crate) fn hold_for_component(&mut self, ix: StepIx) {
        let Some(stop) = self.stop_of(ix).cloned() else { return };
        let kind = self.run.def(ix).kind.clone();
        let by = stop.by.clone();
        self.emit(Event::RunPaused { by, over_budget: false, stopped: Some(Box::new(stop.clone())) });
        if !self.run.is_errand() {
            let title = format!("{} is held: {}", self.run.spec.item, stopped(&kind, &stop));
            let body = self.run.ways_on(&kind, &stop);
            let new =
                NewNotice { kind: COMPONENT_STOPPED.to_owned(), severity: Severity::Normal, title, body };
            self.raise(Some(ix), &new);
        }
    }

    /// Lets a run that was held go on once nothing it has to call is stopped.
    pub(super) fn look_at_hold(&mut self) {
        let Some(held) = self.run.held_for.as_deref() else { return };
        match self.stopped_call() {
            None => {
                self.emit(Event::RunResumed { by: HOST.to_owned() });
                self.dismiss(|kind| kind == COMPONENT_STOPPED);
            }
            Some(ix) if self.stop_of(ix) != Some(held) => self.hold_for_component(ix),
            Some(_) => {}
        }
    }

    /// A step whose component is to be called and must not be.
    fn stopped_call(&self) -> Option<StepIx> {
        let ready = |ix: &StepIx| matches!(self.run.steps[*ix].phase, Phase::Ready(_));
        (0..self.run.steps.len()).filter(ready).find(|ix| self.stop_of(*ix).is_some())
    }

    /// Why nobody can have the answer of a step's component now.
    pub(super) fn refuse_stopped(&self, ix: StepIx) -> Result<(), Rejected> {
        match self.stop_of(ix) {
            None => Ok(()),
            Some(stop) => {
                let kind = &self.run.def(ix).kind;
                Err(Rejected::Conflict(format!("{}: {}", stopped(kind, stop), self.run.ways_on(kind, stop))))
            }
        }
    }

    /// Why a held run does not go on.
    pub(super) fn refuse_held(&self) -> Result<(), Rejected> {
        self.stopped_call().map_or(Ok(()), |ix| self.refuse_stopped(ix))
    }
}

impl Run {
    /// A step that works now on a component that writes where the new one only reads, or the other way round: whether it
    /// could start was decided by that.
    fn changes_access_under_way(&self, kind: &str, new: &Pin) -> Option<StepIx> {
        let works = |ix: &StepIx| {
            let step = &self.steps[*ix];
            step.status != StepStatus::Pending && !step.passed_over
        };
        let differs = |ix: &StepIx| self.pin(*ix).is_some_and(|pin| pin.access != new.access);
        self.unfinished_of(kind).filter(works).find(differs)
    }

    /// What helps a run that is held.
    pub(crate) fn ways_on(&self, kind: &str, stop: &Stop) -> String {
        format!(
            "replace it with `lockstep runs repin {} {kind}=DIGEST`, or {}",
            self.spec.id,
            resume_hint(stop)
        )
    }
}

/// Nothing begins on a component that must not be called.
pub(super) fn refuse_start(
    spec: &RunSpec,
    all: &BTreeMap<lockstep_types::Digest, Stop>,
) -> Result<(), Rejected> {
    for (kind, pin) in &spec.pins {
        if let Some(stop) = all.get(&pin.digest) {
            return Err(Rejected::Conflict(format!(
                "{}: activate another one with `lockstep component activate {kind} DIGEST`, or {}",
                stopped(kind, stop),
                resume_hint(stop)
            )));
        }
    }
    Ok(())
}

/// What happened to a component.
pub(crate) fn stopped(kind: &str, stop: &Stop) -> String {
    let digest = stop.digest.short();
    let reason = stop.reason.trim();
    let why = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
    format!("component {digest} of kind {kind} was stopped by {}{why}", stop.by)
}

fn resume_hint(stop: &Stop) -> String {
    format!("let it be called again with `lockstep component resume-digest {}`", stop.digest.short())
}
