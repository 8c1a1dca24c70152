//! What happens between inputs: steps start when what they need is done, the run ends, blocks and unblocks.

use super::Decider;
use crate::notices::{DECISION_REQUIRED, PIPELINE_COMPLETE, RUN_FAILED, failure_raises_card};
use crate::run::{Phase, Run, Step};
use lockstep_types::{
    Access, Comment, Completion, Event, Failure, FailureClass, ItemStatus, NewNotice, ReworkOrder, RunStatus,
    Severity, StepIx, StepStatus,
};

impl Decider {
    /// Brings the run to where it waits: called once after each input that changed something.
    pub(crate) fn settle(&mut self) {
        if !self.run.status.is_live() {
            return;
        }
        if self.run.status != RunStatus::Paused {
            self.start_ready_steps();
            if self.run.steps.iter().all(Step::is_behind) {
                self.complete_run();
                return;
            }
            self.block_or_unblock();
        }
        self.card_for_parked_steps();
    }

    /// Starts pending steps whose needs are done. Of the steps that change the head branch only one works at a time.
    fn start_ready_steps(&mut self) {
        for ix in 0..self.run.steps.len() {
            if self.run.can_start(ix) {
                self.emit(Event::StepStarted { step: ix, rework: None });
            }
        }
    }

    fn block_or_unblock(&mut self) {
        let parked = |phase: &Phase| matches!(phase, Phase::Question { .. });
        let active = |phase: &Phase| !matches!(phase, Phase::Idle | Phase::Question { .. });
        let blocked = self.run.steps.iter().any(|step| parked(&step.phase))
            && !self.run.steps.iter().any(|step| active(&step.phase));
        if blocked && self.run.status != RunStatus::Blocked {
            self.emit(Event::RunBlocked);
            self.move_item(ItemStatus::Blocked);
        } else if !blocked && self.run.status == RunStatus::Blocked {
            self.unblock();
        }
    }

    /// The run works again; a status that only said that it waited goes (D-24).
    pub(crate) fn unblock(&mut self) {
        if self.run.status == RunStatus::Blocked {
            self.emit(Event::RunUnblocked);
        }
        if self.run.item_status == ItemStatus::Blocked {
            self.move_item(ItemStatus::InProgress);
        }
    }

    /// Moves the item, except that what was merged stays done (D-4).
    pub(crate) fn move_item(&mut self, to: ItemStatus) {
        if self.run.item_status != to && self.run.item_status != ItemStatus::Done {
            self.emit(Event::ItemMoved { to });
        }
    }

    pub(crate) fn complete_step(&mut self, ix: StepIx, completion: Completion) {
        let item_status = completion.item_status;
        self.emit(Event::StepCompleted { step: ix, completion });
        match item_status {
            Some(status) => self.move_item(status),
            None if !self.run.is_final(ix) => self.move_item(ItemStatus::InProgress),
            None => {}
        }
    }

    /// The end of the run (SPEC EN-14, EN-15): an item nobody decided about awaits a person's merge.
    fn complete_run(&mut self) {
        let decided = self.run.steps.iter().any(|step| step.item_status.is_some());
        if !matches!(self.run.item_status, ItemStatus::Done | ItemStatus::PrReady) {
            self.move_item(ItemStatus::PrReady);
        }
        if !decided {
            let title = format!("{} went through {}", self.run.spec.item, self.run.spec.pipeline.name);
            let body = "No step of the pipeline merges: look at the change and merge it by hand.".to_owned();
            let kind = PIPELINE_COMPLETE.to_owned();
            self.raise(None, &NewNotice { kind, severity: Severity::Normal, title, body });
        }
        self.emit(Event::RunCompleted);
        self.dismiss_at_completion();
    }

    /// Ends the run as failed (SPEC FK-4, D-6).
    pub(crate) fn fail(&mut self, step: Option<StepIx>, failure: Failure) {
        let class = failure.class;
        let message = failure.message.clone();
        self.emit(Event::RunFailed { step, failure });
        self.dismiss(|kind| kind == DECISION_REQUIRED);
        self.move_item(ItemStatus::Blocked);
        if failure_raises_card(class) {
            let title = format!("{} failed: {class}", self.run.spec.item);
            let body = format!("{message}. {}.", class.hint());
            let kind = RUN_FAILED.to_owned();
            self.raise(step, &NewNotice { kind, severity: Severity::Normal, title, body });
        }
    }

    /// Ends the run because its component did what it must not.
    pub(crate) fn fail_component(&mut self, ix: StepIx, class: FailureClass, message: String) {
        let def = self.run.def(ix);
        let message = format!("step {} ({}): {message}", def.name, def.kind);
        self.fail(Some(ix), Failure::new(class, message));
    }

    /// Sends `producer` back to work, and with it all that came after (SPEC CO-13, EN-20).
    pub(crate) fn rework(&mut self, producer: StepIx, feedback: String, comments: Vec<Comment>, by: String) {
        let previous = self.run.steps[producer].output.clone();
        let begun = |ix: &StepIx| self.run.steps[*ix].status != StepStatus::Pending;
        let steps: Vec<StepIx> = self.run.with_descendants(producer).into_iter().filter(begun).collect();
        self.emit(Event::StepsReset { steps });
        let rework = Some(ReworkOrder { feedback, comments, previous, by });
        self.emit(Event::StepStarted { step: producer, rework });
    }
}

impl Run {
    fn can_start(&self, ix: StepIx) -> bool {
        let behind = |need: &StepIx| self.steps[*need].is_behind();
        self.steps[ix].status == StepStatus::Pending
            && !self.steps[ix].passed_over
            && self.def(ix).needs.iter().all(behind)
            && (self.only_reads(ix) || !self.is_writing())
    }

    fn only_reads(&self, ix: StepIx) -> bool {
        self.pin(ix).is_some_and(|pin| pin.access == Access::ReadOnly)
    }

    fn is_writing(&self) -> bool {
        let under_way = |step: &Step| {
            matches!(step.status, StepStatus::Working | StepStatus::WaitingDecision) && !step.passed_over
        };
        (0..self.steps.len()).any(|ix| under_way(&self.steps[ix]) && !self.only_reads(ix))
    }
}
