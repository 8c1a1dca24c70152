use super::{board, with_board};
use crate::args::{RecurrenceFields, SchedulesCommand};
use crate::context::Context;
use crate::exit::{Exit, Refused};
use crate::render;
use lockstep_ports::{BoardCommand, BoardReply};
use lockstep_types::board::{Recurrence, ScheduleId, SchedulePatch, WorkspaceId};

/// The clocks that count where none are named.
const DEFAULT_ZONE: &str = "UTC";

/// `lockstep schedules …`
pub(super) async fn schedules(context: &Context, command: SchedulesCommand) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    match command {
        SchedulesCommand::List => {
            let list = with_board(context, "schedules list", async |board, _| {
                Ok(board.schedules(&workspace).await?)
            });
            context.term.show(&list.await?, |style, list| render::schedules(style, list))?;
            Ok(Exit::Done)
        }
        add @ SchedulesCommand::Add { .. } => self::add(context, &workspace, add).await,
        edit @ SchedulesCommand::Edit { .. } => self::edit(context, &workspace, edit).await,
        SchedulesCommand::Rm { schedule } => {
            let reply = on(context, &workspace, &schedule, |id| BoardCommand::DeleteSchedule { id }).await?;
            context.term.show(&reply, |_, _| {
                format!("removed schedule {} and its task\n", render::clean(&schedule))
            })?;
            Ok(Exit::Done)
        }
        SchedulesCommand::Run { schedule } => {
            let reply = on(context, &workspace, &schedule, |id| BoardCommand::RunSchedule { id }).await?;
            board::told(context, "taken up", &reply)
        }
        SchedulesCommand::History { schedule } => {
            let runs = with_board(context, "schedules history", async |board, _| {
                let id = board::schedule(&*board, &workspace, &schedule).await?;
                Ok(board.schedule_runs(&workspace, &id).await?)
            });
            context.term.show(&runs.await?, |style, runs| render::schedule_runs(style, runs))?;
            Ok(Exit::Done)
        }
    }
}

async fn on(
    context: &Context,
    workspace: &WorkspaceId,
    given: &str,
    command: impl FnOnce(ScheduleId) -> BoardCommand,
) -> anyhow::Result<BoardReply> {
    with_board(context, "schedules", async |board, _| {
        let id = board::schedule(&*board, workspace, given).await?;
        Ok(board.command(workspace, command(id), &context.by).await?)
    })
    .await
}

async fn add(context: &Context, workspace: &WorkspaceId, command: SchedulesCommand) -> anyhow::Result<Exit> {
    let SchedulesCommand::Add { name, service, pipeline, template, description, disabled, recurrence } =
        command
    else {
        return Refused::because("this is no new schedule");
    };
    let (service, template) = (board::item(workspace, &service)?, board::word(&template)?);
    let Some(recurrence) = recurrence_of(&recurrence, None)? else {
        return Refused::because("say how often it is due with --every HOURS");
    };
    let reply = with_board(context, "schedules add", async |board, _| {
        let schedule = SchedulePatch {
            name: Some(name),
            description,
            recurrence: Some(recurrence),
            pipeline: Some(board::pipeline(&*board, workspace, &pipeline).await?),
            enabled: Some(!disabled),
        };
        let command = BoardCommand::CreateSchedule { service, template, schedule };
        Ok(board.command(workspace, command, &context.by).await?)
    });
    board::told(context, "added", &reply.await?)
}

async fn edit(context: &Context, workspace: &WorkspaceId, command: SchedulesCommand) -> anyhow::Result<Exit> {
    let SchedulesCommand::Edit { schedule, name, pipeline, description, enabled, recurrence } = command
    else {
        return Refused::because("this is no change of a schedule");
    };
    let reply = with_board(context, "schedules edit", async |board, _| {
        let id = board::schedule(&*board, workspace, &schedule).await?;
        let known = board.schedules(workspace).await?.into_iter().find(|row| row.id == id);
        let pipeline = match &pipeline {
            Some(given) => Some(board::pipeline(&*board, workspace, given).await?),
            None => None,
        };
        let recurrence = recurrence_of(&recurrence, known.map(|row| row.recurrence))?;
        let patch = SchedulePatch { name, description, recurrence, pipeline, enabled };
        if patch == SchedulePatch::default() {
            return Refused::because("nothing to change: give a field, see `lockstep schedules edit --help`");
        }
        let command = BoardCommand::EditSchedule { id, schedule: patch };
        Ok(board.command(workspace, command, &context.by).await?)
    });
    board::told(context, "changed", &reply.await?)
}

/// The recurrence that is given, with what is not given as it is known; none if nothing is given.
fn recurrence_of(fields: &RecurrenceFields, known: Option<Recurrence>) -> anyhow::Result<Option<Recurrence>> {
    let is_given = fields.every.is_some()
        || !fields.on.is_empty()
        || fields.from.is_some()
        || fields.to.is_some()
        || fields.timezone.is_some();
    if !is_given {
        return Ok(None);
    }
    let Some(interval_hours) = fields.every.or_else(|| Some(known.as_ref()?.interval_hours)) else {
        return Ok(None);
    };
    let known = known.unwrap_or_else(|| Recurrence {
        interval_hours,
        weekdays: Vec::new(),
        window_start_hour: None,
        window_end_hour: None,
        timezone: DEFAULT_ZONE.to_owned(),
    });
    let weekdays = match fields.on.as_slice() {
        [] => known.weekdays,
        days if days.iter().any(|day| day == "any") => Vec::new(),
        days => days.iter().map(|day| board::word(day)).collect::<anyhow::Result<_>>()?,
    };
    Ok(Some(Recurrence {
        interval_hours,
        weekdays,
        window_start_hour: fields.from.or(known.window_start_hour),
        window_end_hour: fields.to.or(known.window_end_hour),
        timezone: fields.timezone.clone().unwrap_or(known.timezone),
    }))
}
