//! Where the turns of runs meet their boards: who may begin, what is stored with a turn, and how that is found again.

use super::desk::CardRow;
use super::{Desk, Left, Writer, left};
use crate::actor::TurnError;
use crate::runtime::{Runtime, RuntimeError, Shared, lock};
use lockstep_board::{Board, Start};
use lockstep_engine::{Finished, Recorded, Turn};
use lockstep_ports::{BoardCommit, Commit, JournalError, ServiceError};
use lockstep_types::board::{Change, Item, ItemId, PipelineStep, Row, Workspace, WorkspaceId};
use lockstep_types::{
    Admission, Event, Input, ItemStatus, Pipeline, Rejected, RunId, RunSpec, RunStatus, RunSummary,
    Timestamp, TurnRecord,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The workspace every host has.
const DEFAULT_WORKSPACE: &str = "default";

impl Shared {
    /// Makes a turn durable with what it leaves on its board, and gives its position in the feed. `begun`, with the right
    /// to change the board, is what the beginning of the run changes there before that. `record` is the turn's stored form.
    pub(crate) async fn commit(
        self: &Arc<Self>,
        left: Left<'_>,
        record: Vec<u8>,
        start_token: Option<String>,
        begun: Option<(Writer, Vec<Change>)>,
    ) -> Result<u64, JournalError> {
        let spec = left.finished.recorded.run.spec();
        let Some(desk) = self.boards.of(spec).filter(|_| left.touches()) else {
            return self.store(left.finished, record, start_token, None).await;
        };
        if spec.context.errand.is_some() && left.ended() {
            self.hand_over(&desk, left.finished).await?;
        }
        let (writer, begun) = match begun {
            Some(begun) => begun,
            None => (desk.writer().await, Vec::new()),
        };
        let now = left.finished.record.at;
        let changes = desk.read(|board| {
            if begun.is_empty() {
                return left.changes(board, now);
            }
            let mut next = board.clone();
            next.apply(&begun);
            begun.iter().cloned().chain(left.changes(&next, now)).collect::<Vec<Change>>()
        });
        let position = self.store(left.finished, record, start_token, writer.of(&changes)).await?;
        writer.apply(&self.boards, &changes);
        drop(writer);
        if left.merged()
            && let Ok(item) = spec.item.parse()
        {
            self.boards.tell_merged(desk, item);
        }
        Ok(position)
    }

    async fn store(
        &self,
        finished: &Finished,
        record: Vec<u8>,
        start_token: Option<String>,
        board: Option<BoardCommit>,
    ) -> Result<u64, JournalError> {
        let commit = Commit { row: finished.recorded.row(), record, start_token, board };
        let position = self.outside.journal.commit(commit).await?;
        self.boards.follow(&finished.recorded.run, &finished.record.events);
        Ok(position)
    }

    /// What the workspace of a run allows it to begin, and how the components stand. An errand goes on though the budget
    /// is spent: somebody waits for it (SPEC SP-3).
    pub(crate) async fn admission(&self, spec: &RunSpec, input: &Input, now: Timestamp) -> Admission {
        let desk = self.boards.of(spec).filter(|_| spec.context.errand.is_none());
        let over_budget = desk.is_some_and(|desk| desk.read(|board| left::is_over_budget(board, input, now)));
        let flat_rate = spec.pipeline.jobs.iter().filter(|(_, job)| job.flat_rate);
        let exempt = flat_rate.map(|(kind, _)| kind.clone()).collect();
        let kinds = self.kinds.read().await;
        let (active, stopped) = (kinds.taken_by_steps(spec), Arc::clone(kinds.stopped()));
        Admission { over_budget, exempt, active, stopped }
    }

    /// What must hold before a run of a board begins again, whether it was retried or restarted (DEVIATIONS D-2): first
    /// whether the run could, then the preconditions of a start.
    pub(crate) async fn check_again(
        &self,
        recorded: &Recorded,
        input: &Input,
    ) -> Result<Option<Writer>, TurnError> {
        let spec = recorded.run.spec();
        let Some(desk) = self.boards.of(spec) else { return Ok(None) };
        if spec.context.errand.is_some() {
            let text = format!("{} was one action on {}: ask for it again", spec.id, spec.item);
            return Err(Rejected::Conflict(text).into());
        }
        let now = self.outside.clock.now();
        drop(Turn::begin(Some(recorded), now, input, Admission::default())?);
        let item: ItemId = spec.item.parse().map_err(|_| Rejected::NotFound("no such item".to_owned()))?;
        let kinds = Arc::clone(&*self.kinds.read().await);
        let steps = stored_steps(&spec.pipeline);
        let steps = kinds.descriptors(|kinds| kinds.shape(&steps));
        let writer = desk.writer().await;
        let live = desk.live_items();
        desk.read(|board| {
            if board.item(&item)?.current_run.as_ref() != Some(&spec.id) {
                let text = format!("{item} has gone on without {}: start it again instead", spec.id);
                return Err(Rejected::Conflict(text));
            }
            board.check_start(&Start {
                item: &item,
                steps: &steps,
                live_run: None,
                infra: self.infra(),
                unusable_models: &[],
                live: &live,
            })
        })?;
        Ok(Some(writer))
    }

    /// Claims the item of a run (DEVIATIONS D-11). An errand is beside the item's run.
    pub(crate) fn reserve(&self, spec: &RunSpec) -> Result<(), Rejected> {
        let taken = |run: &RunId| {
            Rejected::Conflict(format!(
                "{} already has the live run {run}: wait for it, or stop it with `lockstep runs stop {run}`",
                spec.item
            ))
        };
        if spec.context.errand.is_some() {
            return Ok(());
        }
        if let Some((desk, item)) = self.place(spec) {
            return desk.claim(&item, &spec.id).map_err(|run| taken(&run));
        }
        let item = (spec.change.repository.clone(), spec.item.clone());
        let mut items = lock(&self.items);
        match items.get(&item) {
            Some(run) if *run != spec.id => Err(taken(run)),
            _ => {
                items.insert(item, spec.id.clone());
                Ok(())
            }
        }
    }

    /// Gives the item free, if it is this run that holds it.
    pub(crate) fn release(&self, spec: &RunSpec) {
        if let Some((desk, item)) = self.place(spec) {
            return desk.release(&item, &spec.id);
        }
        let item = (spec.change.repository.clone(), spec.item.clone());
        let mut items = lock(&self.items);
        if items.get(&item) == Some(&spec.id) {
            items.remove(&item);
        }
    }

    fn place(&self, spec: &RunSpec) -> Option<(Arc<Desk>, ItemId)> {
        Some((self.boards.of(spec)?, spec.item.parse().ok()?))
    }

    /// Brings up the boards, and the cards of all runs.
    pub(crate) async fn load_boards(&self) -> Result<(), JournalError> {
        let mut rows: BTreeMap<WorkspaceId, Vec<Row>> = BTreeMap::new();
        for (workspace, row) in self.outside.journal.boards().await? {
            rows.entry(workspace).or_default().push(row);
        }
        for (workspace, rows) in rows {
            match Board::from_rows(rows) {
                Ok(board) => {
                    let owes = |item: &&Item| item.status == ItemStatus::Done && item.auto_start_dependents;
                    let merged: Vec<ItemId> =
                        board.items().filter(owes).map(|item| item.id.clone()).collect();
                    let desk = self.boards.add(board);
                    merged.into_iter().for_each(|item| self.boards.tell_merged(Arc::clone(&desk), item));
                }
                Err(error) => tracing::error!(%workspace, %error, "a board cannot be brought up"),
            }
        }
        for run in self.outside.journal.with_cards().await? {
            if let Some(row) = self.outside.journal.row(&run).await? {
                let RunSummary { id, workspace, item, open_notices: notices, is_errand, .. } = row.summary;
                self.boards.keep_cards(&id, is_errand, CardRow { workspace, item, notices });
            }
        }
        Ok(())
    }

    /// Claims the item of a live run that was found again, and notes whether it waits for a budget.
    pub(crate) async fn recover_claim(&self, summary: &RunSummary) -> Result<(), JournalError> {
        if summary.is_errand {
            return Ok(());
        }
        self.claim(summary);
        let Some(desk) = summary.workspace.as_ref().and_then(|id| self.boards.desk(id)) else {
            return Ok(());
        };
        if summary.status == RunStatus::Paused && self.waits_for_budget(&summary.id).await? {
            desk.pause(&summary.id);
        }
        Ok(())
    }

    pub(crate) fn claim(&self, summary: &RunSummary) {
        let desk = summary.workspace.as_ref().and_then(|id| self.boards.desk(id));
        match (desk, summary.item.parse()) {
            (Some(desk), Ok(item)) => drop(desk.claim(&item, &summary.id)),
            _ => {
                let item = (summary.change.repository.clone(), summary.item.clone());
                lock(&self.items).insert(item, summary.id.clone());
            }
        }
    }

    /// Whether the last pause of a run was for want of a budget.
    async fn waits_for_budget(&self, run: &RunId) -> Result<bool, JournalError> {
        let records = self.outside.journal.records(run, 1).await?;
        let read = |bytes: &Vec<u8>| serde_json::from_slice::<TurnRecord>(bytes).ok();
        let mut events = records.iter().rev().filter_map(read).flat_map(|record| {
            let mut events = record.events;
            events.reverse();
            events
        });
        let last = events.find_map(|event| match event {
            Event::RunPaused { over_budget, .. } => Some(over_budget),
            _ => None,
        });
        Ok(last.unwrap_or(false))
    }
}

impl Runtime {
    /// Every host has a workspace, from its first start on.
    pub(crate) async fn create_default_workspace(&self) -> Result<(), RuntimeError> {
        let id: WorkspaceId = DEFAULT_WORKSPACE.parse().expect("a word is an id");
        if self.shared.boards.desk(&id).is_none() {
            match self.make_workspace(id, "Default").await {
                Ok(_) => {}
                Err(MakeError::Journal(error)) => return Err(error.into()),
                Err(MakeError::Rejected(error)) => {
                    tracing::error!(%error, "the default workspace is not made");
                }
            }
        }
        Ok(())
    }

    pub(crate) async fn make_workspace(&self, id: WorkspaceId, name: &str) -> Result<Workspace, MakeError> {
        let shared = &self.shared;
        let _alone = shared.boards.making.lock().await;
        if shared.boards.desk(&id).is_some() {
            let text = format!("there is a workspace {id} already: choose another id");
            return Err(MakeError::Rejected(Rejected::Conflict(text)));
        }
        let changes = Board::create(id.clone(), name, shared.outside.clock.now());
        let changes = changes.map_err(MakeError::Rejected)?;
        let rows = changes.iter().filter_map(|change| match change {
            Change::Put(row) => Some(row.clone()),
            Change::Remove(_) => None,
        });
        let board = Board::from_rows(rows).map_err(MakeError::Rejected)?;
        let workspace = board.workspace().clone();
        let commit = BoardCommit { workspace: id, changes };
        shared.outside.journal.commit_board(commit).await.map_err(MakeError::Journal)?;
        drop(shared.boards.add(board));
        Ok(workspace)
    }
}

/// Why a workspace was not made.
pub(crate) enum MakeError {
    Rejected(Rejected),
    Journal(JournalError),
}

impl From<MakeError> for ServiceError {
    fn from(error: MakeError) -> Self {
        match error {
            MakeError::Rejected(error) => crate::service::rejected(error),
            MakeError::Journal(error) => crate::service::journal(&error),
        }
    }
}

/// The steps of a run as the rules of the board know them.
fn stored_steps(pipeline: &Pipeline) -> Vec<PipelineStep> {
    let step = |step: &lockstep_types::StepDef| PipelineStep {
        name: step.name.clone(),
        kind: step.kind.clone(),
        role: Some(step.role.clone()),
        needs: None,
        approval: step.approval,
        enabled: true,
        gating: step.gating.clone(),
        config: step.config.clone(),
    };
    pipeline.steps.iter().map(step).collect()
}
