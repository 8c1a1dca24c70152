//! What operators do to a run: stop, retry, restart, pause, resume (SPEC sections 18 and 19).

use super::Decider;
use crate::notices::COMPONENT_STOPPED;
use crate::run::{Phase, Run};
use lockstep_types::{
    Event, Failure, FailureClass, ItemStatus, Notice, NoticeId, NoticeState, Rejected, Repin, RunStatus,
    StepIx, StepStatus,
};

impl Decider {
    /// Ends the run because its driver cannot go on with it (SPEC FK-4); one that has ended stays as it is (D-6).
    pub(super) fn give_up(&mut self, failure: &Failure) {
        if self.run.status.is_live() {
            let under_way = self.run.steps.iter().position(|step| step.phase != Phase::Idle);
            self.fail(under_way, failure.clone());
        }
    }

    /// Ends the run; one that has ended stays as it is (SPEC SC-1, SC-2).
    pub(super) fn stop(&mut self, reason: &str, class: Option<FailureClass>, by: &str) {
        if !self.run.status.is_live() {
            return;
        }
        let message = match reason.trim() {
            "" => format!("stopped by {by}"),
            reason => format!("stopped by {by}: {reason}"),
        };
        // Whatever class it is given, a person did it: no card tells them (DEVIATIONS reading 13).
        self.end_failed(None, Failure::new(class.unwrap_or(FailureClass::Cancelled), message));
        self.dismiss(|_| true);
        self.tear_down_with_steps();
    }

    /// A person merged the change, which only one that awaits it can be (SPEC MR-12).
    pub(super) fn merged_by_hand(&mut self, by: &str) -> Result<(), Rejected> {
        if self.run.item_status != ItemStatus::PrReady {
            let item = &self.run.spec.item;
            return Err(Rejected::Conflict(format!(
                "{item} does not await a merge: see `lockstep items show {item}`"
            )));
        }
        self.emit(Event::MergedByHand { by: by.to_owned() });
        Ok(())
    }

    /// Cards of an errand become this run's (DEVIATIONS reading 7c); one that is open already only keeps its place.
    pub(super) fn adopt(&self, notices: &[Notice]) -> Vec<Notice> {
        let is_open = |kind: &str| {
            self.run.notices.iter().any(|known| known.kind == kind && known.state == NoticeState::Open)
        };
        let next = u32::try_from(self.run.notices.len()).unwrap_or(u32::MAX);
        let new = notices.iter().filter(|notice| !is_open(&notice.kind));
        let numbered = (1..).zip(new);
        numbered
            .map(|(at, notice)| Notice {
                id: NoticeId(next.saturating_add(at)),
                is_loose: false,
                ..notice.clone()
            })
            .collect()
    }

    /// Goes on at the first step that is not done (SPEC RT-1).
    pub(super) fn retry(&mut self, head_commit: Option<&str>, by: &str) -> Result<(), Rejected> {
        if self.run.status != RunStatus::Failed {
            let (id, status) = (&self.run.spec.id, self.run.status.word());
            return Err(Rejected::Conflict(format!(
                "run {id} is {status}, only a failed run can be retried: use `lockstep runs restart {id} --step STEP`"
            )));
        }
        let unfinished = |ix: &StepIx| self.run.steps[*ix].status != StepStatus::Done;
        let mut steps: Vec<StepIx> = (0..self.run.steps.len()).filter(unfinished).collect();
        if steps.is_empty() {
            steps = vec![self.run.steps.len() - 1];
        }
        self.clear(
            Event::StepsCleared { steps, by: by.to_owned(), retry: true, passed_over: Vec::new() },
            head_commit,
        );
        Ok(())
    }

    /// Goes back to a step, whatever the state of the run (SPEC RT-2).
    pub(super) fn restart(
        &mut self,
        name: &str,
        head_commit: Option<&str>,
        by: &str,
        repin: Option<&Repin>,
    ) -> Result<(), Rejected> {
        let ix = self.step_named(name)?;
        let mut steps = self.run.with_descendants(ix);
        let passed_over = self.run.passed_over_by(ix, &steps);
        // Steps beside this one that a failure cut short begin again too, or nobody would ever finish them.
        let ended = !self.run.status.is_live();
        let cut_short = |ix: &StepIx| ended && !self.run.steps[*ix].is_behind() && !passed_over.contains(ix);
        steps.extend((0..self.run.steps.len()).filter(cut_short));
        steps.sort_unstable();
        steps.dedup();
        self.tear_down_with_steps();
        self.clear(Event::StepsCleared { steps, by: by.to_owned(), retry: false, passed_over }, head_commit);
        repin.map_or(Ok(()), |repin| self.repin(repin))
    }

    pub(super) fn step_named(&self, name: &str) -> Result<StepIx, Rejected> {
        let steps = &self.run.spec.pipeline.steps;
        steps.iter().position(|step| step.name == name).ok_or_else(|| {
            let names: Vec<&str> = steps.iter().map(|step| step.name.as_str()).collect();
            let id = &self.run.spec.id;
            Rejected::Invalid(format!("run {id} has no step {name:?}: it has {}", names.join(", ")))
        })
    }

    pub(super) fn clear(&mut self, cleared: Event, head_commit: Option<&str>) {
        self.dismiss(|_| true);
        self.emit(cleared);
        let head_commit = head_commit.map(str::to_owned);
        if head_commit.is_some() && head_commit != self.run.change.head_commit {
            self.emit(Event::ChangeUpdated { head_commit, pull_request: None });
        }
        // A merge that lies before the steps that begin again stays true (D-4).
        let decided = self.run.steps.iter().any(|step| step.item_status.is_some());
        let merged = decided && self.run.item_status == ItemStatus::Done;
        if !merged && self.run.item_status != ItemStatus::InProgress {
            self.emit(Event::ItemMoved { to: ItemStatus::InProgress });
        }
    }

    pub(super) fn pause(&mut self, by: &str, over_budget: bool) -> Result<(), Rejected> {
        match self.run.status {
            // A person who pauses a held run wants it paused, whatever becomes of the component.
            RunStatus::Paused if self.run.held_for.is_none() || over_budget => Ok(()),
            RunStatus::Running | RunStatus::Blocked | RunStatus::Paused => {
                self.emit(Event::RunPaused { by: by.to_owned(), over_budget, stopped: None });
                self.dismiss(|kind| kind == COMPONENT_STOPPED);
                Ok(())
            }
            RunStatus::Done | RunStatus::Failed => Err(self.has_ended("paused")),
        }
    }

    pub(super) fn resume(&mut self, by: &str) -> Result<(), Rejected> {
        match self.run.status {
            RunStatus::Paused => {
                if self.run.held_for.is_some() {
                    self.refuse_held()?;
                }
                self.emit(Event::RunResumed { by: by.to_owned() });
                self.dismiss(|kind| kind == COMPONENT_STOPPED);
                Ok(())
            }
            RunStatus::Running | RunStatus::Blocked => Ok(()),
            RunStatus::Done | RunStatus::Failed => Err(self.has_ended("resumed")),
        }
    }

    fn has_ended(&self, what: &str) -> Rejected {
        let (id, status) = (&self.run.spec.id, self.run.status.word());
        Rejected::Conflict(format!("run {id} is {status} and cannot be {what}"))
    }
}

impl Run {
    /// The unfinished steps that a restart at `ix` leaves behind: those before it, and what depends on them without
    /// beginning again with it.
    fn passed_over_by(&self, ix: StepIx, restarted: &[StepIx]) -> Vec<StepIx> {
        let unfinished = |step: &StepIx| self.steps[*step].status != StepStatus::Done;
        let before = (0..ix).filter(unfinished).map(|step| self.with_descendants(step));
        let mut left: Vec<StepIx> = before.filter(|after| after.contains(&ix)).flatten().collect();
        left.retain(|step| unfinished(step) && !restarted.contains(step));
        left.sort_unstable();
        left.dedup();
        left
    }
}
