//! Pipelines that are started again and again (SPEC section 22, DEVIATIONS D-20).

use crate::bounds::{ITEMS_MAX, NAME_CHARS_MAX, SCHEDULE_RUNS_MAX, SCHEDULES_MAX};
use crate::changes::Changes;
use crate::text::{conflict, invalid, name, room};
use crate::{Board, recurrence};
use lockstep_types::board::{
    Change, Item, ItemId, ItemPatch, PipelineId, Row, RowKey, Schedule, ScheduleId, SchedulePatch,
    ScheduleRun, ScheduleRunState, ScheduleTemplate, TaskType,
};
use lockstep_types::{ItemLevel, Rejected, RunId, Timestamp};

/// What to do for a schedule that is taken up.
#[derive(Clone, Debug, PartialEq)]
pub enum Firing {
    /// Start this pipeline on this task, then tell [`Board::schedule_started`] how that went.
    Start {
        /// The task.
        task: ItemId,
        /// The pipeline.
        pipeline: PipelineId,
    },
    /// Start nothing: the run before is still live.
    Skip(Vec<Change>),
}

impl Board {
    /// Makes a schedule for a service, with the task it starts its pipeline on (SPEC RC-4). It is due for the first
    /// time one interval from now.
    ///
    /// # Errors
    /// `NotFound` for the service or the pipeline, `Conflict` for an item that is no service and on a full board,
    /// `Invalid` without name, recurrence or pipeline, or with one out of bounds.
    pub fn create_schedule(
        &self,
        service: &ItemId,
        template: ScheduleTemplate,
        patch: SchedulePatch,
        now: Timestamp,
    ) -> Result<(ScheduleId, Vec<Change>), Rejected> {
        room("schedules", self.schedules().len(), SCHEDULES_MAX)?;
        room("items", self.items().len(), ITEMS_MAX)?;
        if self.item(service)?.level != ItemLevel::Service {
            return Err(conflict(format!("{service} is not a service: schedules are made for services")));
        }
        let missing = |what: &str| invalid(format!("the schedule has no {what}: give one"));
        let title = patch.name.ok_or_else(|| missing("name"))?;
        let title = name("schedule's name", &title, NAME_CHARS_MAX)?;
        let pipeline = patch.pipeline.ok_or_else(|| missing("pipeline"))?;
        self.pipeline(&pipeline)?;
        let recurrence = patch.recurrence.ok_or_else(|| missing("recurrence"))?;
        recurrence::check(&recurrence)?;

        let mut changes = Changes::of(self);
        let about = patch.description.filter(|given| !given.trim().is_empty());
        let about = about.unwrap_or_else(|| seed(template).to_owned());
        let task = ItemPatch { title: Some(title.clone()), description: Some(about), ..ItemPatch::default() };
        let task = self.new_item(&mut changes, ItemLevel::Task, Some(service), task, now)?;
        let due = recurrence::next_after(&recurrence, now.into())?;
        let schedule = Schedule {
            id: changes.id("schedule"),
            name: title,
            template,
            next_run: due.at,
            late_minutes: due.late_minutes,
            recurrence,
            pipeline,
            task: task.id.clone(),
            enabled: patch.enabled.unwrap_or(true),
            last_run: None,
            runs: 0,
            created_at: now,
        };
        let id = schedule.id.clone();
        changes.put(Row::Item(Item { task_type: TaskType::Recurring, ..task }));
        changes.put(Row::Schedule(schedule));
        Ok((id, changes.finish()))
    }

    /// Changes a schedule. A new recurrence counts from now; a new name is that of its task too; being enabled again
    /// leaves the next time as it is (SPEC RC-5).
    ///
    /// # Errors
    /// As [`Board::create_schedule`].
    pub fn edit_schedule(
        &self,
        id: &ScheduleId,
        patch: SchedulePatch,
        now: Timestamp,
    ) -> Result<Vec<Change>, Rejected> {
        let mut schedule = self.schedule(id)?.clone();
        let mut changes = Vec::new();
        if patch.name.is_some() || patch.description.is_some() {
            let title =
                patch.name.map(|given| name("schedule's name", &given, NAME_CHARS_MAX)).transpose()?;
            schedule.name = title.clone().unwrap_or(schedule.name);
            let task = ItemPatch { title, description: patch.description, ..ItemPatch::default() };
            changes = self.edit_item(&schedule.task, task, now)?;
        }
        if let Some(recurrence) = patch.recurrence {
            recurrence::check(&recurrence)?;
            let due = recurrence::next_after(&recurrence, now.into())?;
            (schedule.next_run, schedule.late_minutes) = (due.at, due.late_minutes);
            schedule.recurrence = recurrence;
        }
        if let Some(pipeline) = patch.pipeline {
            self.pipeline(&pipeline)?;
            schedule.pipeline = pipeline;
        }
        schedule.enabled = patch.enabled.unwrap_or(schedule.enabled);
        changes.push(Change::Put(Row::Schedule(schedule)));
        Ok(changes)
    }

    /// Deletes a schedule with its history and its task; a live run of the task is the caller's to stop first (SPEC
    /// RC-9). An unknown one changes nothing.
    #[must_use]
    pub fn delete_schedule(&self, id: &ScheduleId, now: Timestamp) -> Vec<Change> {
        let Ok(schedule) = self.schedule(id) else { return Vec::new() };
        if self.item(&schedule.task).is_ok() {
            return self.delete_item(&schedule.task, now);
        }
        let mut changes = Changes::of(self);
        self.remove_schedule_rows(id, &mut changes);
        changes.finish()
    }

    pub(crate) fn remove_schedule_rows(&self, id: &ScheduleId, changes: &mut Changes) {
        changes.remove(RowKey::Schedule(id.clone()));
        for run in self.schedule_runs(id) {
            changes.remove(RowKey::ScheduleRun(id.clone(), run.number));
        }
    }

    /// The enabled schedules whose time has come, the longest due first.
    #[must_use]
    pub fn due_schedules(&self, now: Timestamp) -> Vec<&Schedule> {
        let mut due: Vec<&Schedule> =
            self.schedules().filter(|one| one.enabled && one.next_run <= now).collect();
        due.sort_by_key(|schedule| schedule.next_run);
        due
    }

    /// What to do for a schedule that is due, or that a person wants to run now (`forced`), enabled or not. `live_run`
    /// is the live run of its task, one that waits for a person included.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` when it is forced over a live run.
    pub fn fire_schedule(
        &self,
        id: &ScheduleId,
        live_run: Option<&RunId>,
        forced: bool,
        now: Timestamp,
    ) -> Result<Firing, Rejected> {
        let schedule = self.schedule(id)?;
        match live_run {
            None => Ok(Firing::Start { task: schedule.task.clone(), pipeline: schedule.pipeline.clone() }),
            Some(run) if forced => Err(conflict(format!(
                "{run} of schedule {:?} has not ended: wait for it or stop it",
                schedule.name
            ))),
            Some(run) => {
                let mut changes = Changes::of(self);
                let row = ScheduleRun {
                    state: ScheduleRunState::Skipped,
                    outcome: Some(format!("{run} had not ended")),
                    finished_at: Some(now),
                    ..next_row(schedule, forced, now)
                };
                self.put_row(schedule, row, now, &mut changes)?;
                Ok(Firing::Skip(changes.finish()))
            }
        }
    }

    /// Keeps how the start went: the run, or the error, which whoever forced it is told as well. The next time follows
    /// from the scheduled one, so that the schedule does not drift.
    ///
    /// # Errors
    /// `NotFound`, and `Invalid` when no next time can be found.
    pub fn schedule_started(
        &self,
        id: &ScheduleId,
        started: Result<&RunId, &Rejected>,
        forced: bool,
        now: Timestamp,
    ) -> Result<Vec<Change>, Rejected> {
        let schedule = self.schedule(id)?;
        let mut changes = Changes::of(self);
        // No run is live, so rows that say otherwise are of runs whose end nobody told.
        for row in self.schedule_runs(id).filter(|row| row.state == ScheduleRunState::Running) {
            let state = ScheduleRunState::Done;
            changes.put(Row::ScheduleRun(ScheduleRun { state, finished_at: Some(now), ..row.clone() }));
        }
        let row = next_row(schedule, forced, now);
        let row = match started {
            Ok(run) => ScheduleRun { run: Some(run.clone()), ..row },
            Err(error) => ScheduleRun {
                state: ScheduleRunState::Failed,
                outcome: Some(error.to_string()),
                finished_at: Some(now),
                ..row
            },
        };
        self.put_row(schedule, row, now, &mut changes)?;
        Ok(changes.finish())
    }

    /// Keeps how a run of a schedule ended; nothing if it was none.
    #[must_use]
    pub fn schedule_run_ended(&self, run: &RunId, failure: Option<&str>, at: Timestamp) -> Vec<Change> {
        let rows = self.schedules().flat_map(|schedule| self.schedule_runs(&schedule.id));
        let mut rows = rows.filter(|row| row.state == ScheduleRunState::Running);
        let Some(row) = rows.find(|row| row.run.as_ref() == Some(run)) else { return Vec::new() };
        let state = if failure.is_some() { ScheduleRunState::Failed } else { ScheduleRunState::Done };
        let outcome = failure.unwrap_or("completed").to_owned();
        let row = ScheduleRun { state, outcome: Some(outcome), finished_at: Some(at), ..row.clone() };
        vec![Change::Put(Row::ScheduleRun(row))]
    }

    /// Adds a row to the history, and moves the schedule on.
    fn put_row(
        &self,
        schedule: &Schedule,
        row: ScheduleRun,
        now: Timestamp,
        changes: &mut Changes,
    ) -> Result<(), Rejected> {
        // A row whose run is live is kept: its end is still to be written down.
        let ended = self.schedule_runs(&schedule.id).filter(|row| row.state != ScheduleRunState::Running);
        for old in ended.take_while(|old| old.number + SCHEDULE_RUNS_MAX <= row.number) {
            changes.remove(RowKey::ScheduleRun(schedule.id.clone(), old.number));
        }
        let scheduled = recurrence::Due { at: schedule.next_run, late_minutes: schedule.late_minutes };
        let due = recurrence::next_due(&schedule.recurrence, scheduled, now)?;
        changes.put(Row::Schedule(Schedule {
            runs: row.number,
            last_run: Some(now),
            next_run: due.at,
            late_minutes: due.late_minutes,
            ..schedule.clone()
        }));
        changes.put(Row::ScheduleRun(row));
        Ok(())
    }
}

fn next_row(schedule: &Schedule, forced: bool, now: Timestamp) -> ScheduleRun {
    ScheduleRun {
        schedule: schedule.id.clone(),
        number: schedule.runs.saturating_add(1),
        run: None,
        forced,
        state: ScheduleRunState::Running,
        outcome: None,
        started_at: now,
        finished_at: None,
    }
}

/// What the task of a template says when nobody says more.
fn seed(template: ScheduleTemplate) -> &'static str {
    match template {
        ScheduleTemplate::DepUpdate => {
            "Bring the dependencies of this service up to date. Take the newest versions that stay compatible, adapt \
             the code to them, and say what was left behind and why."
        }
        ScheduleTemplate::TechDebt => {
            "Look through this service for technical debt: duplication, dead code, missing tests, outdated patterns. \
             Describe the one finding that is most worth repairing, with the places it concerns."
        }
        ScheduleTemplate::Custom => "",
    }
}
