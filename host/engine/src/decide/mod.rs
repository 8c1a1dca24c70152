//! What follows from an input. Every function here only adds events; the state changes by applying them.

mod acted;
mod advance;
mod answered;
mod control;
mod environments;
mod forge;
mod invoked;
mod pinned;
mod settled;

pub(crate) use pinned::stopped;

use crate::run::{Phase, Run};
use lockstep_types::{Admission, Event, Input, Rejected, RunSpec, StepIx, Timestamp};
use std::sync::Arc;

/// A run on its way through one input: the state so far and the events that led to it.
pub(crate) struct Decider {
    pub(crate) run: Run,
    pub(crate) now: Timestamp,
    pub(crate) events: Vec<Event>,
    /// What the workspace lets it begin.
    pub(crate) admission: Admission,
}

impl Run {
    /// What follows from an input at a time. Changes nothing: the events have to be made durable, then applied.
    ///
    /// # Errors
    /// `Rejected` if the input cannot be taken; then nothing follows from it.
    pub fn decide(&self, now: Timestamp, input: &Input) -> Result<Vec<Event>, Rejected> {
        let mut decider = Decider::new(self.clone(), now, Admission::default());
        decider.take(input)?;
        Ok(decider.events)
    }
}

impl Decider {
    pub(crate) fn new(run: Run, now: Timestamp, admission: Admission) -> Self {
        Self { run, now, events: Vec::new(), admission }
    }

    /// A new run.
    pub(crate) fn start(now: Timestamp, spec: &Arc<RunSpec>, admission: Admission) -> Result<Self, Rejected> {
        if spec.pipeline.steps.is_empty() {
            let name = &spec.pipeline.name;
            return Err(Rejected::Invalid(format!(
                "pipeline {name} has no enabled step: enable at least one"
            )));
        }
        pinned::refuse_start(spec, &admission.stopped)?;
        let created = Event::Created(Arc::clone(spec));
        let run = Run::create(&created).map_err(|error| Rejected::Invalid(error.to_string()))?;
        let mut decider = Self { run, now, events: vec![created], admission };
        decider.settle();
        Ok(decider)
    }

    pub(crate) fn take(&mut self, input: &Input) -> Result<(), Rejected> {
        let before = self.events.len();
        match input {
            Input::Start(_) => {
                return Err(Rejected::Conflict(format!("run {} exists already", self.run.spec.id)));
            }
            Input::Tick => self.fire(|due, now| due <= now),
            Input::Poke => self.fire(|_, _| true),
            Input::Invoked { step, invocation } => self.invoked(*step, invocation)?,
            Input::JobSettled { key, outcome } => self.job_settled(key, outcome),
            Input::EffectSettled { key, outcome } => self.effect_settled(key, outcome),
            Input::Answered { question, answer, token, by } => {
                self.answered(*question, answer, token.as_deref(), by)?;
            }
            Input::Act { step, action } => self.act(step, action)?,
            Input::Fail { failure } => self.give_up(failure),
            Input::Stop { reason, class, by } => self.stop(reason, *class, by),
            Input::Retry { head_commit, by } => self.retry(head_commit.as_deref(), by)?,
            Input::Restart { step, head_commit, by, repin } => {
                self.restart(step, head_commit.as_deref(), by, repin.as_deref())?;
            }
            Input::SendBack { steps, feedback, head_commit, by } => {
                self.send_back(steps, feedback.as_deref(), head_commit.as_deref(), by)?;
            }
            Input::MergedOutside { by } => self.merged_outside(by)?,
            Input::Raise(notice) => self.raise(None, notice),
            Input::Repin(repin) => self.repin_alone(repin)?,
            Input::Pause { by, over_budget } => self.pause(by, *over_budget)?,
            Input::Merged { by } => self.merged_by_hand(by)?,
            Input::TearDown => self.tear_down(|_| true),
            // A card that a person settles changes nothing about the wait, and is not raised again.
            Input::NoticeSettled { id, state } => return self.notice_settled(*id, *state),
            Input::Escalate { id } => self.escalate(*id)?,
            Input::ItemChanged { documents, notices } => {
                let (documents, notices) = (documents.clone(), self.adopt(notices));
                self.emit(Event::ItemChanged { documents, notices });
            }
            Input::Resume { by } => self.resume(by)?,
        }
        self.look_at_hold();
        if self.events.len() > before {
            self.settle();
        }
        Ok(())
    }

    /// Makes an event true of the working copy and keeps it.
    pub(crate) fn emit(&mut self, event: Event) {
        self.run.apply(self.now, &event).expect("an event decided on this very state fits it");
        self.events.push(event);
    }

    fn fire(&mut self, is_due: impl Fn(Timestamp, Timestamp) -> bool) {
        if self.run.next_wakeup().is_none() {
            return;
        }
        let now = self.now;
        let due: Vec<StepIx> = self
            .run
            .steps
            .iter()
            .enumerate()
            .filter_map(|(ix, step)| match step.phase {
                Phase::Timer { due, .. } if is_due(due, now) => Some(ix),
                _ => None,
            })
            .collect();
        for step in due {
            self.emit(Event::TimerFired { step });
        }
    }
}
