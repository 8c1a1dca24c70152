//! Runs that begin again and again (SPEC section 22, DEVIATIONS D-20).

use crate::lifecycle::Beginning;
use crate::world::{Refusal, World};
use crate::{Action, mapping};
use lockstep_board::Firing;
use lockstep_types::board::{
    Change, PipelineId, Recurrence, Row, Schedule, ScheduleId, SchedulePatch, ScheduleTemplate, Weekday,
};
use lockstep_types::{Rejected, RunStatus};
use serde::Deserialize;
use serde_json::Value;

/// The schedule of an action that names none.
const FIRST: &str = "sch_1";

/// What a script says of a schedule.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ScheduleInput {
    #[serde(alias = "block", alias = "frameId", alias = "serviceId")]
    block_id: Option<String>,
    name: Option<String>,
    description: Option<String>,
    #[serde(default)]
    template: ScheduleTemplate,
    #[serde(alias = "pipeline")]
    pipeline_id: Option<String>,
    recurrence: Option<RecurrenceInput>,
    enabled: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RecurrenceInput {
    interval_hours: u32,
    /// 0 is Sunday.
    #[serde(default)]
    weekdays: Vec<u8>,
    window_start_hour: Option<u8>,
    window_end_hour: Option<u8>,
    #[serde(default = "utc")]
    timezone: String,
}

fn utc() -> String {
    "UTC".to_owned()
}

impl ScheduleInput {
    fn of(action: &Action, name: &str) -> Result<Self, Rejected> {
        let given = action.args.get(name).cloned().unwrap_or_else(|| Value::Object(Default::default()));
        serde_json::from_value(given).map_err(|error| Rejected::Invalid(format!("the schedule: {error}")))
    }

    fn patch(self) -> Result<SchedulePatch, Refusal> {
        let pipeline: Option<PipelineId> = self.pipeline_id.as_deref().map(mapping::id).transpose()?;
        let recurrence = self.recurrence.map(RecurrenceInput::recurrence).transpose()?;
        let Self { name, description, enabled, .. } = self;
        Ok(SchedulePatch { name, description, recurrence, pipeline, enabled })
    }
}

impl RecurrenceInput {
    fn recurrence(self) -> Result<Recurrence, Rejected> {
        const DAYS: [Weekday; 7] = [
            Weekday::Sunday,
            Weekday::Monday,
            Weekday::Tuesday,
            Weekday::Wednesday,
            Weekday::Thursday,
            Weekday::Friday,
            Weekday::Saturday,
        ];
        let day = |number: u8| {
            let unknown = || Rejected::Invalid(format!("{number} is no weekday: use 0, a Sunday, to 6"));
            DAYS.get(usize::from(number)).copied().ok_or_else(unknown)
        };
        Ok(Recurrence {
            interval_hours: self.interval_hours,
            weekdays: self.weekdays.into_iter().map(day).collect::<Result<_, _>>()?,
            window_start_hour: self.window_start_hour,
            window_end_hour: self.window_end_hour,
            timezone: self.timezone,
        })
    }
}

impl World<'_> {
    pub(crate) async fn schedule(&mut self, action: &Action) -> Result<(), Refusal> {
        let id: ScheduleId = mapping::id(action.text("id").unwrap_or(FIRST))?;
        match action.name.as_str() {
            "schedule_create" => self.create_schedule(action),
            "schedule_update" => {
                let patch = ScheduleInput::of(action, "patch")?.patch()?;
                let changes = self.board.edit_schedule(&id, patch, self.now)?;
                self.change(&changes);
                Ok(())
            }
            "schedule_remove" => self.remove_schedule(&id).await,
            "run_due" => self.run_due().await,
            "run_now" => self.fire(&id, true).await,
            // `schedule_runs` only reads.
            _ => Ok(self.board.schedule(&id).map(drop)?),
        }
    }

    fn create_schedule(&mut self, action: &Action) -> Result<(), Refusal> {
        let input = ScheduleInput::of(action, "input")?;
        let service = self.item_id(input.block_id.as_deref().unwrap_or("svc"))?;
        let template = input.template;
        let (_, mut changes) = self.board.create_schedule(&service, template, input.patch()?, self.now)?;
        let id: ScheduleId = mapping::id(&self.counters.next_schedule())?;
        for change in &mut changes {
            if let Change::Put(Row::Schedule(schedule)) = change {
                schedule.id = id.clone();
            }
        }
        self.change(&changes);
        Ok(())
    }

    async fn remove_schedule(&mut self, id: &ScheduleId) -> Result<(), Refusal> {
        let task = self.board.schedule(id)?.task.clone();
        if let Some(at) = self.run_of(task.as_str()) {
            self.remove_run(at).await?;
        }
        let changes = self.board.delete_schedule(id, self.now);
        self.change(&changes);
        Ok(())
    }

    async fn run_due(&mut self) -> Result<(), Refusal> {
        let due: Vec<ScheduleId> =
            self.board.due_schedules(self.now).into_iter().map(|one: &Schedule| one.id.clone()).collect();
        for id in due {
            self.fire(&id, false).await?;
            self.look()?;
        }
        Ok(())
    }

    /// What a person forced tells that person of its error; else it is only written down (D-20).
    async fn fire(&mut self, id: &ScheduleId, forced: bool) -> Result<(), Refusal> {
        let task = self.board.schedule(id)?.task.clone();
        let live = self.run_of(task.as_str()).map(|at| self.runs[at].run());
        let live = live.filter(|run| run.status().is_live()).map(|run| run.spec().id.clone());
        let changes = match self.board.fire_schedule(id, live.as_ref(), forced, self.now)? {
            Firing::Skip(changes) => changes,
            Firing::Start { task, pipeline } => {
                let beginning =
                    Beginning { pipeline: Some(pipeline.as_str()), replace: false, activate_fails: false };
                match self.begin(&task, &beginning).await {
                    Ok(run) => self.board.schedule_started(id, Ok(&run), forced, self.now)?,
                    Err(Refusal::Rejected(why)) => {
                        let changes = self.board.schedule_started(id, Err(&why), forced, self.now)?;
                        self.change(&changes);
                        return if forced { Err(why.into()) } else { Ok(()) };
                    }
                    Err(other) => return Err(other),
                }
            }
        };
        self.change(&changes);
        Ok(())
    }

    /// Keeps how runs of schedules have ended.
    pub(crate) fn note_scheduled_end(&mut self, at: usize) {
        let summary = self.runs[at].run().summary();
        if matches!(summary.status, RunStatus::Done | RunStatus::Failed) {
            let failure = summary.failure.as_ref().map(|failure| failure.message.as_str());
            let changes = self.board.schedule_run_ended(&summary.id, failure, self.now);
            self.change(&changes);
        }
    }
}
