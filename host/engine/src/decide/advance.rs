//! What happens between inputs: steps start when what they need is done, the run ends, blocks and unblocks.

use super::Decider;
use crate::notices::{
    COMPONENT_STOPPED, DECISION_REQUIRED, PIPELINE_COMPLETE, RUN_FAILED, failure_raises_card,
};
use crate::run::{Phase, Run, Step};
use lockstep_types::{
    Access, Comment, Completion, Event, Failure, FailureClass, Gating, ItemLevel, ItemStatus, NewNotice,
    OnMissingEstimate, Pin, ReworkOrder, RunStatus, Severity, StepIx, StepStatus,
};
use serde::Deserialize;

/// The document that gating reads.
const ESTIMATE: &str = "estimate";
/// The effect that merges a change.
const MERGE: &str = "merge";

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
        if !self.run.steps.iter().any(Step::is_parked) {
            // A rework took back the question: its card goes with it.
            self.dismiss(|kind| kind == DECISION_REQUIRED);
        }
        if self.events.iter().any(changes_waits) {
            self.card_for_parked_steps();
        }
    }

    /// Starts pending steps whose needs are done. Of the steps that change the head branch only one works at a time.
    fn start_ready_steps(&mut self) {
        for ix in 0..self.run.steps.len() {
            let only_reads = self.pin_at_start(ix).is_some_and(|pin| pin.access == Access::ReadOnly);
            if self.run.can_start(ix, only_reads) {
                let rework = self.run.steps[ix].rework.clone();
                self.start_step(ix, rework);
            }
        }
    }

    /// Skips a step that has just begun if the estimate says that it is not worth its while (SPEC TE-3, TE-5). It is
    /// asked when its component would be called: what comes before it may have made the estimate.
    pub(crate) fn skip_by_estimate(&mut self, ix: StepIx) -> bool {
        let begins = self.run.begins(ix);
        let Some(gating) = self.run.def(ix).gating.as_ref().filter(|gating| gating.enabled && begins) else {
            return false;
        };
        let Some(reason) = skipped_by(gating, self.run.estimate().as_ref()) else {
            return false;
        };
        self.emit(Event::StepSkipped { step: ix, reason });
        self.settle();
        true
    }

    fn block_or_unblock(&mut self) {
        let active = |step: &Step| !step.is_parked() && step.phase != Phase::Idle;
        let blocked = self.run.steps.iter().any(Step::is_parked) && !self.run.steps.iter().any(active);
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
        let is_kept = self.run.item_status == ItemStatus::Done || self.run.is_errand();
        if self.run.item_status != to && !is_kept {
            self.emit(Event::ItemMoved { to });
        }
    }

    pub(crate) fn complete_step(&mut self, ix: StepIx, completion: Completion) {
        let item_status = completion.item_status;
        self.emit(Event::StepCompleted { step: ix, completion });
        match item_status.filter(|status| decides(*status)) {
            Some(status) => self.move_item(status),
            None if !self.run.is_final(ix) => self.move_item(ItemStatus::InProgress),
            None => {}
        }
    }

    /// The end of the run (SPEC EN-14, EN-15): an item nobody decided about awaits a person's merge.
    fn complete_run(&mut self) {
        if self.run.is_errand() {
            self.emit(Event::RunCompleted);
            return;
        }
        if self.run.spec.context.level != ItemLevel::Task {
            let ready = |step: &Step| step.item_status == Some(ItemStatus::Ready);
            let all_ready = self.run.steps.iter().all(ready);
            self.move_item(if all_ready { ItemStatus::Ready } else { ItemStatus::Done });
            self.emit(Event::RunCompleted);
            self.dismiss_at_completion();
            return;
        }
        let decided = (0..self.run.steps.len()).any(|ix| self.run.decides_item(ix));
        if !matches!(self.run.item_status, ItemStatus::Done | ItemStatus::PrReady) {
            self.move_item(ItemStatus::PrReady);
        }
        if !decided && self.run.item_status != ItemStatus::Done {
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
        self.end_failed(step, failure);
        if failure_raises_card(class) && !self.run.is_errand() {
            let title = format!("{} failed: {class}", self.run.spec.item);
            let body = format!("{message}. {}.", class.hint());
            let kind = RUN_FAILED.to_owned();
            self.raise(step, &NewNotice { kind, severity: Severity::Normal, title, body });
        }
    }

    /// Ends the run as failed and raises no card.
    pub(crate) fn end_failed(&mut self, step: Option<StepIx>, failure: Failure) {
        self.emit(Event::RunFailed { step, failure });
        self.dismiss(|kind| kind == DECISION_REQUIRED || kind == COMPONENT_STOPPED);
        self.move_item(ItemStatus::Blocked);
    }

    /// Ends the run because its component did what it must not.
    pub(crate) fn fail_component(&mut self, ix: StepIx, class: FailureClass, message: String) {
        self.fail(Some(ix), Failure::new(class, format!("{}: {message}", self.component_of(ix))));
    }

    /// Which component is at fault, for people: `step ci (ci-gate 3fa1b2c3d4e5)`.
    pub(crate) fn component_of(&self, ix: StepIx) -> String {
        let def = self.run.def(ix);
        let digest = self.run.pin(ix).map(|pin| pin.digest.short()).unwrap_or_default();
        format!("step {} ({} {digest})", def.name, def.kind)
    }

    /// Sends `producer` back to work, and with it all that came after (SPEC CO-13, EN-20).
    pub(crate) fn rework(&mut self, producer: StepIx, feedback: String, comments: Vec<Comment>, by: String) {
        let previous = self.run.steps[producer].output.clone();
        let begun = |ix: &StepIx| self.run.steps[*ix].status != StepStatus::Pending;
        let steps: Vec<StepIx> = self.run.with_descendants(producer).into_iter().filter(begun).collect();
        self.emit(Event::StepsReset { steps });
        let left_to_a_person = |step: &Step| step.item_status == Some(ItemStatus::PrReady);
        if self.run.item_status == ItemStatus::PrReady && !self.run.steps.iter().any(left_to_a_person) {
            self.move_item(ItemStatus::InProgress);
        }
        // It begins with the other steps that can, once no other step changes the head branch.
        let rework = ReworkOrder { feedback, comments, previous, by };
        self.emit(Event::ReworkOrdered { step: producer, rework });
    }
}

/// Whether somebody may be waited for now without a card (D-7 reading a): a question was asked, or the card of another
/// one went.
fn changes_waits(event: &Event) -> bool {
    matches!(event, Event::Asked { .. } | Event::NoticeClosed { .. })
}

/// Whether this is a decision about a change. Any other status says only where the item stands if the run ends there.
fn decides(status: ItemStatus) -> bool {
    matches!(status, ItemStatus::Done | ItemStatus::PrReady)
}

/// Why a gated step is skipped; none if it runs.
fn skipped_by(gating: &Gating, estimate: Option<&Estimate>) -> Option<String> {
    let Some(estimate) = estimate else {
        let skips = gating.on_missing_estimate == OnMissingEstimate::Skip;
        return skips.then(|| "the item has no estimate".to_owned());
    };
    let reaches = |least: Option<f64>, value: f64| least.is_some_and(|least| value >= least);
    let runs = reaches(gating.min_complexity, estimate.complexity)
        || reaches(gating.min_risk, estimate.risk)
        || reaches(gating.min_impact, estimate.impact);
    let Estimate { complexity, risk, impact } = estimate;
    (!runs)
        .then(|| format!("estimated complexity {complexity}, risk {risk} and impact {impact} do not need it"))
}

/// The item's estimate, of which the engine reads only the numbers (SPEC TE-2).
#[derive(Clone, Copy, Debug, Deserialize)]
struct Estimate {
    complexity: f64,
    risk: f64,
    impact: f64,
}

impl Run {
    /// The estimate is a document of the item, so that one made by an earlier run counts (SPEC TE-4).
    fn estimate(&self) -> Option<Estimate> {
        let document = self.documents.iter().find(|document| document.name == ESTIMATE)?;
        serde_json::from_str(document.value.as_str()).ok()
    }

    /// Whether a step has decided about the change, or is there to (SPEC EN-15): its kind may merge.
    fn decides_item(&self, ix: StepIx) -> bool {
        let may_merge = |pin: &Pin| pin.grant.effects.iter().any(|effect| effect == MERGE);
        self.steps[ix].item_status.is_some_and(decides) || self.pin(ix).is_some_and(may_merge)
    }

    fn can_start(&self, ix: StepIx, only_reads: bool) -> bool {
        let behind = |need: &StepIx| self.steps[*need].is_behind();
        self.steps[ix].status == StepStatus::Pending
            && !self.steps[ix].passed_over
            && self.def(ix).needs.iter().all(behind)
            && (only_reads || !self.is_writing())
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
