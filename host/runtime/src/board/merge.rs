//! Merges by hand, and what a merge starts (SPEC MR-12, MR-13).

use super::Desk;
use super::start::Starting;
use crate::runtime::Runtime;
use crate::service::{journal, no_such_run, rejected};
use lockstep_ports::{ServiceError, StartItem};
use lockstep_types::board::{ItemId, ItemPatch};
use lockstep_types::{Effect, EffectKey, EffectOrder, EffectOutcome, Input, ItemStatus, MergeMethod, RunId};
use std::sync::Arc;

/// Stands in place of a step in the key of a merge by hand.
const BY_HAND: &str = "merge-by-hand";
/// Who starts what waited for a merge.
const BY_MERGE: &str = "lockstep";

impl Runtime {
    /// Merges the change of an item that awaits it.
    pub(crate) async fn merge_on_board(
        &self,
        desk: &Desk,
        id: &ItemId,
        by: &str,
    ) -> Result<(), ServiceError> {
        let run = desk.read(|board| {
            board.check_manual_merge(id)?;
            Ok(board.item(id)?.current_run.clone())
        });
        let nothing =
            || ServiceError::Conflict(format!("nothing of {id} can be merged: it has no run with a change"));
        let run = run.map_err(rejected)?.ok_or_else(nothing)?;
        self.merge_run(&run, by).await
    }

    /// Merges the change of a run, then tells the run. Asked for twice it is one merge: the key and the time of the
    /// order are those of the head commit, whoever asks.
    pub(crate) async fn merge_run(&self, run: &RunId, by: &str) -> Result<(), ServiceError> {
        let outside = &self.shared.outside;
        let row = outside.journal.row(run).await.map_err(|error| journal(&error))?;
        let summary = row.ok_or_else(|| no_such_run(run))?.summary;
        let item = &summary.item;
        if summary.item_status != ItemStatus::PrReady {
            return Err(ServiceError::Conflict(format!(
                "{item} does not await a merge: see `lockstep why {run}`"
            )));
        }
        let Some(head) = &summary.change.head_commit else {
            return Err(ServiceError::Conflict(format!("{item} has no change to merge: it stays pr-ready")));
        };
        let key = EffectKey { run: run.clone(), step: format!("{BY_HAND}-{head}"), number: 1 };
        let order = EffectOrder {
            key,
            effect: Effect::Merge(MergeMethod::default()),
            change: summary.change.clone(),
            title: summary.title.clone(),
            requested_at: summary.created_at,
        };
        match outside.effects.perform(&order, None).await {
            EffectOutcome::Done(_) => {}
            EffectOutcome::Refused(why) | EffectOutcome::NotConfigured(why) => {
                return Err(ServiceError::Conflict(format!("{item} was not merged: {why}")));
            }
            EffectOutcome::Failed(why) => {
                return Err(ServiceError::Unavailable(format!("{item} was not merged: {why}")));
            }
        }
        self.send(run, Input::Merged { by: by.to_owned() }).await.map(drop)
    }

    /// Starts the tasks that waited for a merge; what cannot start stays as it is. This is owed once: the item no longer
    /// says so when it is done, and one that still does when the host begins is owed it since before a crash. False if it
    /// has to be tried again.
    pub(crate) async fn start_dependents(&self, desk: &Arc<Desk>, merged: &ItemId) -> bool {
        for (item, pipeline) in desk.read(|board| board.dependents_to_start(merged)) {
            let asked =
                StartItem { pipeline: Some(pipeline), by: Some(BY_MERGE.to_owned()), ..StartItem::default() };
            let starting = Starting { item: item.clone(), asked, fired: None };
            match self.start_on_board(Arc::clone(desk), starting).await {
                Ok(run) => tracing::info!(%item, run = %run.id, "started after the merge of {merged}"),
                Err(error @ ServiceError::Unavailable(_)) => {
                    tracing::warn!(%item, %error, "not started yet after the merge of {merged}");
                    return false;
                }
                Err(error) => tracing::warn!(%item, %error, "not started after the merge of {merged}"),
            }
        }
        let paid = ItemPatch { auto_start_dependents: Some(false), ..ItemPatch::default() };
        let writer = desk.writer().await;
        let now = self.shared.outside.clock.now();
        match desk.read(|board| board.edit_item(merged, paid, now)) {
            Ok(changes) => self.write(&writer, &changes).await.is_ok(),
            // It was deleted meanwhile.
            Err(_) => true,
        }
    }
}
