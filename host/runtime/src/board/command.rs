//! Commands: decided by the board, stored, and only then true.

use super::{Desk, Writer};
use crate::runtime::Runtime;
use crate::service::{journal, rejected};
use lockstep_board::Board;
use lockstep_ports::{BoardCommand, BoardReply, RunAction, RunService, ServiceError};
use lockstep_types::board::{Change, ItemId, Row, RowKey, ScheduleId};
use lockstep_types::{Rejected, RunId, RunStatus, Timestamp};
use std::sync::Arc;

/// What a command is about, and what it changes.
type Decided = Result<(Option<RowKey>, Vec<Change>), Rejected>;

/// Times the runs below an item are stopped before it is deleted: somebody may start one meanwhile.
const STOP_TRIES: usize = 8;

impl Runtime {
    /// Makes changes durable, then true.
    pub(crate) async fn write(&self, writer: &Writer, changes: &[Change]) -> Result<(), ServiceError> {
        let shared = &self.shared;
        let written = writer.commit(&shared.boards, &*shared.outside.journal, changes).await;
        written.map_err(|error| journal(&error))
    }

    pub(crate) async fn carry_out(
        &self,
        desk: &Arc<Desk>,
        command: BoardCommand,
        by: &str,
    ) -> Result<BoardReply, ServiceError> {
        match command {
            BoardCommand::RunSchedule { id } => {
                let run = self.fire(desk, &id, true, by).await?;
                let rows = desk.read(|board| board.schedule(&id).cloned()).map(Row::Schedule);
                Ok(BoardReply { rows: rows.into_iter().collect(), run })
            }
            BoardCommand::DeleteItem { id } => {
                self.delete(desk, &id, by, |board, now| Ok(board.delete_item(&id, now))).await
            }
            BoardCommand::DeleteSchedule { id } => {
                let task = desk.read(|board| board.schedule(&id).map(|schedule| schedule.task.clone()));
                match task {
                    Ok(task) => {
                        self.delete(desk, &task, by, |board, now| Ok(board.delete_schedule(&id, now))).await
                    }
                    // One that is gone changes nothing.
                    Err(_) => Ok(BoardReply::default()),
                }
            }
            command => self.change(desk, command).await,
        }
    }

    async fn change(&self, desk: &Arc<Desk>, command: BoardCommand) -> Result<BoardReply, ServiceError> {
        let kinds = Arc::clone(&*self.shared.kinds.read().await);
        let writer = desk.writer().await;
        let now = self.shared.outside.clock.now();
        let decided = kinds.descriptors(|kinds| desk.read(|board| decide(board, command, kinds, now)));
        let (about, changes) = decided.map_err(rejected)?;
        self.write(&writer, &changes).await?;
        Ok(reply(desk, about, &changes))
    }

    /// Stops the runs of an item and of all below it, then deletes (SPEC SC-5, BD-6).
    async fn delete(
        &self,
        desk: &Arc<Desk>,
        root: &ItemId,
        by: &str,
        delete: impl Fn(&Board, Timestamp) -> Result<Vec<Change>, Rejected> + Send + Sync,
    ) -> Result<BoardReply, ServiceError> {
        for _ in 0..STOP_TRIES {
            self.stop_below(desk, root, by).await?;
            let writer = desk.writer().await;
            let below =
                |board: &Board| board.subtree(root).iter().any(|item| desk.live_run(&item.id).is_some());
            if desk.read(below) {
                continue;
            }
            let now = self.shared.outside.clock.now();
            let changes = desk.read(|board| delete(board, now)).map_err(rejected)?;
            self.write(&writer, &changes).await?;
            return Ok(reply(desk, None, &changes));
        }
        Err(ServiceError::Conflict(format!(
            "runs of {root} are started again and again: see who does, then try again"
        )))
    }

    /// Stops live runs, and has torn down what items still have.
    async fn stop_below(&self, desk: &Desk, root: &ItemId, by: &str) -> Result<(), ServiceError> {
        let below: Vec<(ItemId, Option<RunId>)> = desk.read(|board| {
            let with_environments = board.subtree(root).into_iter();
            let run = |item: &lockstep_types::board::Item| {
                item.current_run.clone().filter(|_| !item.environments.is_empty())
            };
            with_environments.map(|item| (item.id.clone(), run(item))).collect()
        });
        for (item, has_environments) in below {
            if let Some(run) = desk.live_run(&item) {
                self.stop_run(&run, &format!("{root} is deleted"), by).await?;
            }
            if let Some(run) = has_environments {
                self.act(&run, RunAction::TearDown, by).await?;
            }
        }
        Ok(())
    }

    /// Drops the run of an item, which is planned again (SPEC SC-4).
    pub(crate) async fn cancel(&self, desk: &Arc<Desk>, id: &ItemId, by: &str) -> Result<(), ServiceError> {
        let item = desk.read(|board| board.item(id).cloned()).map_err(rejected)?;
        if let Some(run) = &item.current_run
            && self.recorded(run).await?.run.status().is_live()
        {
            self.stop_run(run, "", by).await?;
        }
        let writer = desk.writer().await;
        let item = desk.read(|board| board.item(id).cloned()).map_err(rejected)?;
        let record = match &item.current_run {
            None => lockstep_board::ItemRecord {
                status: Some(lockstep_types::ItemStatus::Planned),
                ..Default::default()
            },
            Some(run) => super::left::dropped(&item, &self.recorded(run).await?.run),
        };
        if let Some(run) = desk.live_run(id) {
            return Err(ServiceError::Conflict(format!(
                "{id} was started again as {run} meanwhile: cancel that one"
            )));
        }
        let now = self.shared.outside.clock.now();
        let changes = desk.read(|board| board.record(id, record, now)).map_err(rejected)?;
        self.write(&writer, &changes).await?;
        let open = self.notices_of(item.current_run.as_ref()).await?;
        self.close_cards(item.current_run, open);
        Ok(())
    }

    /// Starts the task of a schedule, or writes down why not (SPEC RC-6 to RC-9). What a person forced tells that person
    /// of its error as well (DEVIATIONS D-20).
    pub(crate) async fn fire(
        &self,
        desk: &Arc<Desk>,
        id: &ScheduleId,
        forced: bool,
        by: &str,
    ) -> Result<Option<lockstep_types::RunSummary>, ServiceError> {
        let task =
            desk.read(|board| board.schedule(id).map(|schedule| schedule.task.clone())).map_err(rejected)?;
        let writer = desk.writer().await;
        let now = self.shared.outside.clock.now();
        let live = desk.live_run(&task);
        let firing =
            desk.read(|board| board.fire_schedule(id, live.as_ref(), forced, now)).map_err(rejected)?;
        let (task, pipeline) = match firing {
            lockstep_board::Firing::Skip(changes) => {
                self.write(&writer, &changes).await?;
                return Ok(None);
            }
            lockstep_board::Firing::Start { task, pipeline } => (task, pipeline),
        };
        drop(writer);
        let asked = lockstep_ports::StartItem {
            pipeline: Some(pipeline),
            by: Some(by.to_owned()),
            ..Default::default()
        };
        let starting = super::start::Starting { item: task, asked, fired: Some((id.clone(), forced)) };
        let error = match self.start_on_board(Arc::clone(desk), starting).await {
            Ok(run) => return Ok(Some(run)),
            // Nothing is written down of what is tried again.
            Err(error @ (ServiceError::Unavailable(_) | ServiceError::Internal(_))) if !forced => {
                return Err(error);
            }
            Err(error) => error,
        };
        let writer = desk.writer().await;
        let refused = Rejected::Conflict(error.to_string());
        let now = self.shared.outside.clock.now();
        let changes = desk.read(|board| board.schedule_started(id, Err(&refused), forced, now));
        self.write(&writer, &changes.map_err(rejected)?).await?;
        if forced { Err(error) } else { Ok(None) }
    }

    /// Lets the runs go on that wait for a budget (SPEC SP-5). One that still finds none waits again.
    pub(crate) async fn resume_all(
        &self,
        desk: &Desk,
        by: &str,
    ) -> Result<Vec<lockstep_types::RunSummary>, ServiceError> {
        let mut resumed = Vec::new();
        for run in desk.paused() {
            let summary = self.act(&run, RunAction::Resume, by).await;
            match summary {
                Ok(summary) => resumed.push(summary),
                Err(error @ ServiceError::Unavailable(_)) => return Err(error),
                Err(error) => tracing::warn!(%run, %error, "a paused run does not go on"),
            }
        }
        Ok(resumed)
    }

    /// Runs that wait for a budget.
    pub(crate) async fn paused_runs(
        &self,
        desk: &Desk,
    ) -> Result<Vec<lockstep_types::RunSummary>, ServiceError> {
        let mut paused = Vec::new();
        for run in desk.paused() {
            let row = self.shared.outside.journal.row(&run).await.map_err(|error| journal(&error))?;
            paused.extend(row.map(|row| row.summary).filter(|summary| summary.status == RunStatus::Paused));
        }
        Ok(paused)
    }
}

fn decide(board: &Board, command: BoardCommand, kinds: lockstep_board::Kinds<'_>, now: Timestamp) -> Decided {
    match command {
        BoardCommand::CreateItem { level, parent, item } => {
            let (id, changes) = board.create_item(level, parent.as_ref(), item, now)?;
            Ok((Some(RowKey::Item(id)), changes))
        }
        BoardCommand::EditItem { id, item } => {
            let changes = board.edit_item(&id, item, now)?;
            Ok((Some(RowKey::Item(id)), changes))
        }
        BoardCommand::MoveItem { id, parent } => {
            let changes = board.move_item(&id, parent.as_ref(), now)?;
            Ok((Some(RowKey::Item(id)), changes))
        }
        BoardCommand::ToggleDependency { id, on } => {
            let changes = board.toggle_dependency(&id, &on, now)?;
            Ok((Some(RowKey::Item(id)), changes))
        }
        BoardCommand::EditSettings(patch) => Ok((Some(RowKey::Settings), board.edit_settings(patch)?)),
        BoardCommand::CreateSchedule { service, template, schedule } => {
            let (id, changes) = board.create_schedule(&service, template, schedule, now)?;
            Ok((Some(RowKey::Schedule(id)), changes))
        }
        BoardCommand::EditSchedule { id, schedule } => {
            let changes = board.edit_schedule(&id, schedule, now)?;
            Ok((Some(RowKey::Schedule(id)), changes))
        }
        BoardCommand::DeleteItem { id } => Ok((None, board.delete_item(&id, now))),
        BoardCommand::DeleteSchedule { id } => Ok((None, board.delete_schedule(&id, now))),
        BoardCommand::RunSchedule { id } => Ok((Some(RowKey::Schedule(id)), Vec::new())),
        command => decide_plans(board, command, kinds, now),
    }
}

/// Presets and pipelines.
fn decide_plans(
    board: &Board,
    command: BoardCommand,
    kinds: lockstep_board::Kinds<'_>,
    now: Timestamp,
) -> Decided {
    match command {
        BoardCommand::CreatePreset(patch) => {
            let (id, changes) = board.create_preset(patch)?;
            Ok((Some(RowKey::Preset(id)), changes))
        }
        BoardCommand::EditPreset { id, preset } => {
            let changes = board.edit_preset(&id, preset)?;
            Ok((Some(RowKey::Preset(id)), changes))
        }
        BoardCommand::DeletePreset { id } => Ok((None, board.delete_preset(&id)?)),
        BoardCommand::CreatePipeline(patch) => {
            let (id, changes) = board.create_pipeline(patch, kinds, now)?;
            Ok((Some(RowKey::Pipeline(id)), changes))
        }
        BoardCommand::EditPipeline { id, pipeline } => {
            let changes = board.update_pipeline(&id, pipeline, kinds, now)?;
            Ok((Some(RowKey::Pipeline(id)), changes))
        }
        BoardCommand::ClonePipeline { id, name } => {
            let (id, changes) = board.clone_pipeline(&id, name, kinds, now)?;
            Ok((Some(RowKey::Pipeline(id)), changes))
        }
        BoardCommand::DeletePipeline { id } => Ok((None, board.delete_pipeline(&id, now)?)),
        _ => Ok((None, Vec::new())),
    }
}

/// The rows a command is about as they are now, the one it names first.
fn reply(desk: &Desk, about: Option<RowKey>, changes: &[Change]) -> BoardReply {
    let changed = changes.iter().filter_map(|change| match change {
        Change::Put(Row::Workspace(_)) | Change::Remove(_) => None,
        Change::Put(row) => Some(row.clone()),
    });
    let mut rows: Vec<Row> = changed.filter(|row| Some(row.key()) != about).collect();
    if let Some(row) = about.and_then(|key| desk.read(|board| row_of(board, &key))) {
        rows.insert(0, row);
    }
    BoardReply { rows, run: None }
}

fn row_of(board: &Board, key: &RowKey) -> Option<Row> {
    match key {
        RowKey::Settings => Some(Row::Settings(board.settings().clone())),
        RowKey::Item(id) => board.item(id).ok().cloned().map(Row::Item),
        RowKey::Preset(id) => board.preset(id).ok().cloned().map(Row::Preset),
        RowKey::Pipeline(id) => board.pipeline(id).ok().cloned().map(Row::Pipeline),
        RowKey::Schedule(id) => board.schedule(id).ok().cloned().map(Row::Schedule),
        RowKey::Workspace | RowKey::ScheduleRun(..) | RowKey::Spend(_) => None,
    }
}
