//! What others do to the change outside: a forge's checks, reviewers and pushes send a run back, and a merge by somebody else
//! ends it. Nobody asked this host, so it happens beside its own effects, never in the middle of one.

use super::Decider;
use crate::run::{Phase, Step};
use lockstep_types::{Event, ItemStatus, Rejected, ReworkOrder, RunStatus, StepIx, StepStatus};

impl Decider {
    /// Begins steps again, with all that comes after them; the first does its work over if there is feedback. A live run
    /// keeps its counters then, as in any rework loop (SPEC EN-20). A paused run stays paused.
    pub(super) fn send_back(
        &mut self,
        names: &[String],
        feedback: Option<&str>,
        head_commit: Option<&str>,
        by: &str,
    ) -> Result<(), Rejected> {
        self.refuse_beside_effect()?;
        let roots = names.iter().map(|name| self.step_named(name)).collect::<Result<Vec<StepIx>, _>>()?;
        let paused = (self.run.status == RunStatus::Paused)
            .then(|| (self.run.pause.clone(), self.run.held_for.as_deref().cloned()));
        match (feedback, roots.first()) {
            (Some(feedback), Some(&producer)) if self.run.status.is_live() => {
                self.rework(producer, feedback.to_owned(), Vec::new(), by.to_owned());
                self.take_head(head_commit);
            }
            (feedback, first) => {
                let rework = first.zip(feedback).map(|(&producer, feedback)| {
                    let previous = self.run.steps[producer].output.clone();
                    let (feedback, by) = (feedback.to_owned(), by.to_owned());
                    (producer, ReworkOrder { feedback, comments: Vec::new(), previous, by })
                });
                let steps = self.with_all_after(&roots);
                if steps.is_empty() {
                    self.take_head(head_commit);
                    return Ok(());
                }
                self.tear_down_with_steps();
                let (by, passed_over) = (by.to_owned(), Vec::new());
                self.clear(Event::StepsCleared { steps, by, retry: false, passed_over }, head_commit);
                if let Some((step, rework)) = rework {
                    self.emit(Event::ReworkOrdered { step, rework });
                }
            }
        }
        if let Some((pause, stopped)) = paused.filter(|_| self.run.status != RunStatus::Paused) {
            let (by, over_budget) = (pause.by, pause.over_budget);
            self.emit(Event::RunPaused { by, over_budget, stopped: stopped.map(Box::new) });
        }
        Ok(())
    }

    /// Somebody else merged the change: the item is done, and so is the run, whatever it still meant to do.
    pub(super) fn merged_outside(&mut self, by: &str) -> Result<(), Rejected> {
        if self.run.item_status == ItemStatus::Done {
            return Ok(());
        }
        self.refuse_beside_effect()?;
        self.emit(Event::MergedByHand { by: by.to_owned() });
        if self.run.status.is_live() {
            self.tear_down_with_steps();
            let passed_over =
                (0..self.run.steps.len()).filter(|ix| !self.run.steps[*ix].is_behind()).collect();
            let (steps, by) = (Vec::new(), by.to_owned());
            self.emit(Event::StepsCleared { steps, by, retry: false, passed_over });
        }
        Ok(())
    }

    fn take_head(&mut self, head_commit: Option<&str>) {
        let head_commit = head_commit.map(str::to_owned);
        if head_commit.is_some() && head_commit != self.run.change.head_commit {
            self.emit(Event::ChangeUpdated { head_commit, pull_request: None });
        }
    }

    /// An effect under way may be the very thing that was seen outside.
    fn refuse_beside_effect(&self) -> Result<(), Rejected> {
        let performs = |step: &Step| matches!(step.phase, Phase::Effect(_));
        if self.run.status.is_live() && self.run.steps.iter().any(performs) {
            let text =
                format!("an effect of run {} is under way: try again when it has ended", self.run.spec.id);
            return Err(Rejected::Conflict(text));
        }
        Ok(())
    }

    /// Steps and all that comes after them, as far as they have begun; of an ended run also those that its end cut short.
    fn with_all_after(&self, roots: &[StepIx]) -> Vec<StepIx> {
        let ended = !self.run.status.is_live();
        let after = roots.iter().flat_map(|root| self.run.with_descendants(*root));
        let mut steps: Vec<StepIx> =
            after.filter(|ix| self.run.steps[*ix].status != StepStatus::Pending).collect();
        if !steps.is_empty() && ended {
            steps.extend((0..self.run.steps.len()).filter(|ix| !self.run.steps[*ix].is_behind()));
        }
        steps.sort_unstable();
        steps.dedup();
        steps
    }
}
