//! Pipelines that are started again and again.

use super::workspace;
use crate::host::{Host, World, complete, dispatch, done};
use lockstep_ports::{BoardCommand, BoardService, ServiceError};
use lockstep_types::board::{
    ItemId, PipelineId, Recurrence, Row, Schedule, SchedulePatch, ScheduleRunState, ScheduleTemplate,
};
use lockstep_types::{RunStatus, Timestamp};

/// 2026-01-05T09:00:00Z.
const MORNING: Timestamp = Timestamp(1_767_603_600_000);
const HOUR_MS: u64 = 3_600_000;

fn schedule(host: &Host, service: &ItemId, pipeline: &PipelineId) -> Schedule {
    let recurrence = Recurrence {
        interval_hours: 1,
        weekdays: Vec::new(),
        window_start_hour: None,
        window_end_hour: None,
        timezone: "UTC".to_owned(),
    };
    let schedule = SchedulePatch {
        name: Some("hourly".to_owned()),
        recurrence: Some(recurrence),
        pipeline: Some(pipeline.clone()),
        ..SchedulePatch::default()
    };
    let command = BoardCommand::CreateSchedule {
        service: service.clone(),
        template: ScheduleTemplate::Custom,
        schedule,
    };
    match host.command(command).unwrap().rows.swap_remove(0) {
        Row::Schedule(schedule) => schedule,
        row => panic!("{row:?}"),
    }
}

/// How each time went, the newest first.
fn went(host: &Host, schedule: &Schedule) -> Vec<ScheduleRunState> {
    let runs = host.run(host.runtime.schedule_runs(&workspace(), &schedule.id)).unwrap();
    runs.into_iter().map(|run| run.state).collect()
}

fn hour(world: &World, host: &Host) {
    world.clock.advance_ms(HOUR_MS);
    host.settle();
}

#[test]
fn a_schedule_starts_its_task_each_time_and_skips_what_is_still_live() {
    use ScheduleRunState::{Done, Running, Skipped};
    let mut world = World::new();
    world.clock.advance_to(MORNING);
    world.says("build", [dispatch(), complete("built"), dispatch()]);
    let host = world.open();
    let schedule = schedule(&host, &host.service(), &host.pipeline(&["build"]));
    assert_eq!(went(&host, &schedule), []);
    hour(&world, &host);
    assert_eq!(went(&host, &schedule), [Running]);
    let run = host.item(&schedule.task).current_run.unwrap();
    hour(&world, &host);
    assert_eq!(went(&host, &schedule), [Skipped, Running]);
    let forced = host.command(BoardCommand::RunSchedule { id: schedule.id.clone() });
    assert!(matches!(forced, Err(ServiceError::Conflict(text)) if text.contains("has not ended")));
    let host = world.crash(host);
    world.jobs.settle(&world.jobs.under_way()[0], done("built"));
    host.settle();
    assert_eq!((host.status(&run), went(&host, &schedule)), (RunStatus::Done, vec![Skipped, Done]));
    hour(&world, &host);
    assert_eq!(went(&host, &schedule), [Running, Skipped, Done]);
    assert_ne!(host.item(&schedule.task).current_run, Some(run));
}

#[test]
fn a_schedule_that_was_due_while_the_host_was_down_is_taken_up_once() {
    let mut world = World::new();
    world.clock.advance_to(MORNING);
    world.says("build", [dispatch()]);
    let host = world.open();
    let schedule = schedule(&host, &host.service(), &host.pipeline(&["build"]));
    drop(host);
    world.journal = world.journal.crash();
    world.clock.advance_ms(5 * HOUR_MS);
    let host = world.open();
    host.settle();
    assert_eq!(went(&host, &schedule), [ScheduleRunState::Running]);
    assert_eq!(world.jobs.orders().len(), 1);
}

#[test]
fn a_start_that_is_refused_is_written_down_and_a_person_is_told() {
    use ScheduleRunState::Failed;
    let world = World::new();
    world.clock.advance_to(MORNING);
    let host = world.open();
    let service = host.service();
    let schedule = schedule(&host, &service, &host.pipeline(&["build"]));
    let none = lockstep_types::board::ItemPatch { repository: Some(None), ..Default::default() };
    host.command(BoardCommand::EditItem { id: service, item: none }).unwrap();
    hour(&world, &host);
    assert_eq!(went(&host, &schedule), [Failed]);
    let forced = host.command(BoardCommand::RunSchedule { id: schedule.id.clone() });
    assert!(matches!(forced, Err(ServiceError::Invalid(text)) if text.contains("has no repository")));
    assert_eq!(went(&host, &schedule), [Failed, Failed]);
}

#[test]
fn a_schedule_runs_when_a_person_wants_and_goes_with_its_task() {
    let world = World::new();
    world.says("build", [dispatch()]);
    let host = world.open();
    let schedule = schedule(&host, &host.service(), &host.pipeline(&["build"]));
    let off = SchedulePatch { enabled: Some(false), ..SchedulePatch::default() };
    host.command(BoardCommand::EditSchedule { id: schedule.id.clone(), schedule: off }).unwrap();
    let forced = host.command(BoardCommand::RunSchedule { id: schedule.id.clone() }).unwrap();
    let run = forced.run.unwrap().id;
    host.command(BoardCommand::DeleteSchedule { id: schedule.id.clone() }).unwrap();
    assert_eq!(host.status(&run), RunStatus::Failed);
    assert!(host.run(host.runtime.schedules(&workspace())).unwrap().is_empty());
    assert!(matches!(
        host.run(host.runtime.item(&workspace(), &schedule.task)),
        Err(ServiceError::NotFound(_))
    ));
}
