//! Actions on an item that no run is parked for: one step beside the item's run (SPEC RV-12, DEVIATIONS reading 7c).

use super::{Desk, left};
use crate::actor::LiveRun;
use crate::runtime::{Runtime, Shared};
use crate::service::journal;
use lockstep_engine::{Finished, Phase, Recorded};
use lockstep_ports::{JournalError, ServiceError};
use lockstep_types::board::ItemId;
use lockstep_types::{
    Errand, FailureClass, Input, JsonText, NoticeState, RunId, RunStatus, StepAction, StepDef,
};
use std::sync::Arc;

/// The action that begins a review, which a parked run has already done.
const REVIEW: &str = "review";

impl Runtime {
    /// Acts on a review: by the run that is parked on it, else as an errand whose end is awaited.
    pub(crate) async fn review(
        &self,
        desk: &Arc<Desk>,
        id: &ItemId,
        kind: &str,
        action: StepAction,
    ) -> Result<(), ServiceError> {
        let item = desk.read(|board| board.item(id).cloned()).map_err(crate::service::rejected)?;
        if let Some(run) = &item.current_run
            && action.name != REVIEW
            && let Some(step) = parked_on(&*self.recorded(run).await?, kind)
        {
            return self.send(run, Input::Act { step, action }).await.map(drop);
        }
        let kinds = Arc::clone(&*self.shared.kinds.read().await);
        if crate::pipeline_file::Kinds::descriptor(&*kinds, kind).is_none() {
            let text = format!("there is no step kind {kind}: use one that has a component");
            return Err(ServiceError::Invalid(text));
        }
        let planned = self.plan_step(desk, id, one_step(kind))?;
        let sources = self.sources(&planned).await?;
        // Cards of the current run are open too: the errand does not show them again.
        let open = self.notices_of(planned.item.current_run.as_ref()).await?;
        let by = action.by.clone();
        let mut spec = self.spec_on_board(&planned, sources, &kinds, by, &[]);
        let known = planned.item.notices.iter().chain(&open);
        let known = known.filter(|notice| notice.state == NoticeState::Open).cloned();
        spec.context.notices = left::renumbered(known);
        spec.context.errand = Some(Errand { action, item_status: planned.item.status });
        let run = self.launch(Arc::new(spec), None, None).await?.id;
        self.errand_ended(&run).await
    }

    /// Waits for the end of an errand, which tells what its component refused.
    async fn errand_ended(&self, run: &RunId) -> Result<(), ServiceError> {
        let live = self.shared.live.lock().await.get(run).map(LiveRun::follow);
        if let Some(mut state) = live {
            // It ends early when the task has gone, and then the journal tells.
            drop(state.wait_for(|recorded| !recorded.run.status().is_live()).await);
        }
        let row = self.shared.outside.journal.row(run).await.map_err(|error| journal(&error))?;
        let summary = row.map(|row| row.summary).ok_or_else(|| crate::service::no_such_run(run))?;
        if summary.status.is_live() {
            return Err(ServiceError::Unavailable(format!(
                "the host goes down; {run} goes on when it is back"
            )));
        }
        let Some(failure) = summary.failure else { return Ok(()) };
        Err(match failure.class {
            FailureClass::ReviewRejected | FailureClass::Agent => ServiceError::Invalid(failure.message),
            _ => ServiceError::Conflict(failure.message),
        })
    }
}

impl Shared {
    /// Gives what an errand left to the current run of its item. This comes before the end of the errand is stored: a
    /// crash in between makes it again, and being told twice changes nothing.
    pub(crate) async fn hand_over(
        self: &Arc<Self>,
        desk: &Desk,
        finished: &Finished,
    ) -> Result<(), JournalError> {
        let errand = &finished.recorded.run;
        let Ok(id) = errand.spec().item.parse::<ItemId>() else { return Ok(()) };
        let current = desk.read(|board| board.item(&id).ok().and_then(|item| item.current_run.clone()));
        let Some(current) = current else { return Ok(()) };
        let documents = errand.documents().to_vec();
        let notices = left::raised(errand, &[]);
        let runtime = Runtime { shared: Arc::clone(self) };
        match runtime.send(&current, Input::ItemChanged { documents, notices }).await {
            Ok(_) => Ok(()),
            // Tried again with the whole turn.
            Err(ServiceError::Unavailable(_)) => Err(JournalError::Closed),
            Err(error) => {
                tracing::error!(run = %current, %error, "what an errand left cannot be given to the run");
                Ok(())
            }
        }
    }
}

/// The step of a kind that a run waits at.
fn parked_on(recorded: &Recorded, kind: &str) -> Option<String> {
    let run = &recorded.run;
    if !matches!(run.status(), RunStatus::Running | RunStatus::Blocked) {
        return None;
    }
    let waits = |phase: &Phase| matches!(phase, Phase::Question { .. } | Phase::Timer { .. });
    let mut steps = run.spec().pipeline.steps.iter().zip(run.steps());
    let found = steps.find(|(def, step)| def.kind == kind && waits(&step.phase));
    found.map(|(def, _)| def.name.clone())
}

fn one_step(kind: &str) -> StepDef {
    StepDef {
        name: kind.to_owned(),
        kind: kind.to_owned(),
        role: kind.to_owned(),
        needs: Vec::new(),
        approval: false,
        gating: None,
        config: JsonText::of(&serde_json::json!({})),
    }
}
