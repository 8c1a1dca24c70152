use super::world::{NOW, World};
use crate::recurrence::{Due, next_after, next_due};
use crate::{Firing, recurrence};
use expect_test::expect;
use lockstep_types::board::{
    Change, Recurrence, ScheduleId, SchedulePatch, ScheduleRunState, ScheduleTemplate, Weekday,
};
use lockstep_types::{Rejected, RunId, Timestamp};
use std::fmt::Write as _;

const HOUR_MS: u64 = 3_600_000;

pub(super) fn every(interval_hours: u32, timezone: &str) -> Recurrence {
    Recurrence {
        interval_hours,
        weekdays: Vec::new(),
        window_start_hour: None,
        window_end_hour: None,
        timezone: timezone.to_owned(),
    }
}

fn at(text: &str) -> Timestamp {
    let ms = text.parse::<jiff::Timestamp>().unwrap().as_millisecond();
    Timestamp(u64::try_from(ms).unwrap())
}

/// The next times in the zone's own hours.
fn series(recurrence: &Recurrence, from: &str, count: usize) -> String {
    let zone = jiff::tz::TimeZoneDatabase::bundled().get(&recurrence.timezone).unwrap();
    let mut told = String::new();
    let mut next = Due::from(at(from));
    for _ in 0..count {
        next = next_after(recurrence, next).unwrap();
        let instant = jiff::Timestamp::from_millisecond(i64::try_from(next.at.0).unwrap()).unwrap();
        writeln!(told, "{}", instant.to_zoned(zone.clone()).strftime("%a %F %H:%M %:z")).unwrap();
    }
    told
}

#[test]
fn a_daily_schedule_keeps_its_hour_when_the_clocks_change() {
    let berlin = every(24, "Europe/Berlin");
    expect![[r#"
        Sat 2026-03-28 09:00 +01:00
        Sun 2026-03-29 09:00 +02:00
        Mon 2026-03-30 09:00 +02:00
    "#]]
    .assert_eq(&series(&berlin, "2026-03-27T09:00:00+01:00", 3));
    expect![[r#"
        Sat 2026-10-24 09:00 +02:00
        Sun 2026-10-25 09:00 +01:00
        Mon 2026-10-26 09:00 +01:00
    "#]]
    .assert_eq(&series(&berlin, "2026-10-23T09:00:00+02:00", 3));
}

#[test]
fn an_hour_that_is_skipped_is_made_up_for_and_one_that_comes_twice_counts_once() {
    let berlin = every(1, "Europe/Berlin");
    expect![[r#"
        Sun 2026-03-29 01:00 +01:00
        Sun 2026-03-29 03:00 +02:00
        Sun 2026-03-29 04:00 +02:00
        Sun 2026-03-29 05:00 +02:00
    "#]]
    .assert_eq(&series(&berlin, "2026-03-29T00:00:00+01:00", 4));
    expect![[r#"
        Sun 2026-10-25 02:00 +02:00
        Sun 2026-10-25 03:00 +01:00
        Sun 2026-10-25 04:00 +01:00
        Sun 2026-10-25 05:00 +01:00
    "#]]
    .assert_eq(&series(&berlin, "2026-10-25T00:30:00+02:00", 4));
    let sixth = every(6, "Europe/Berlin");
    expect![[r#"
        Sun 2026-03-29 03:00 +02:00
        Sun 2026-03-29 08:00 +02:00
        Sun 2026-03-29 14:00 +02:00
    "#]]
    .assert_eq(&series(&sixth, "2026-03-28T20:00:00+01:00", 3));
    let at_two =
        Recurrence { window_start_hour: Some(2), window_end_hour: Some(3), ..every(24, "Europe/Berlin") };
    expect![[r#"
        Sat 2026-03-28 02:00 +01:00
        Sun 2026-03-29 03:00 +02:00
        Mon 2026-03-30 02:00 +02:00
    "#]]
    .assert_eq(&series(&at_two, "2026-03-27T02:00:00+01:00", 3));
}

#[test]
fn zones_off_by_half_an_hour_have_whole_hours_too() {
    expect![[r#"
        Mon 2026-01-05 21:00 +05:30
        Tue 2026-01-06 03:00 +05:30
        Tue 2026-01-06 09:00 +05:30
    "#]]
    .assert_eq(&series(&every(6, "Asia/Kolkata"), "2026-01-05T09:10:00Z", 3));
}

#[test]
fn windows_and_weekdays_hold_on_the_clocks_of_the_zone() {
    let office = Recurrence {
        weekdays: vec![Weekday::Monday, Weekday::Friday],
        window_start_hour: Some(9),
        window_end_hour: Some(11),
        ..every(1, "America/New_York")
    };
    expect![[r#"
        Fri 2026-01-02 09:00 -05:00
        Fri 2026-01-02 10:00 -05:00
        Mon 2026-01-05 09:00 -05:00
        Mon 2026-01-05 10:00 -05:00
        Fri 2026-01-09 09:00 -05:00
    "#]]
    .assert_eq(&series(&office, "2026-01-02T12:00:00Z", 5));
    let night = Recurrence { window_start_hour: Some(22), window_end_hour: Some(2), ..every(2, "UTC") };
    expect![[r#"
        Fri 2026-01-02 22:00 +00:00
        Sat 2026-01-03 00:00 +00:00
        Sat 2026-01-03 22:00 +00:00
        Sun 2026-01-04 00:00 +00:00
    "#]]
    .assert_eq(&series(&night, "2026-01-02T12:00:00Z", 4));
    let equal = Recurrence { window_start_hour: Some(5), window_end_hour: Some(5), ..every(7, "UTC") };
    expect![[r#"
        Fri 2026-01-02 19:00 +00:00
        Sat 2026-01-03 02:00 +00:00
    "#]]
    .assert_eq(&series(&equal, "2026-01-02T12:00:00Z", 2));
}

#[test]
fn missed_times_are_passed_over_without_drifting() {
    let daily = every(24, "UTC");
    let due = at("2026-01-05T03:00:00Z");
    let next = |recurrence, now| next_due(recurrence, due.into(), at(now)).unwrap().at;
    assert_eq!(next(&daily, "2026-01-05T03:20:00Z"), at("2026-01-06T03:00:00Z"));
    assert_eq!(next(&daily, "2026-01-09T17:20:00Z"), at("2026-01-10T03:00:00Z"));
    assert_eq!(next(&daily, "2026-01-04T17:20:00Z"), due, "it is still to come");
    assert_eq!(next(&every(1, "UTC"), "2040-01-01T00:30:00Z"), at("2040-01-01T02:00:00Z"));
}

#[test]
fn recurrences_keep_their_bounds() {
    let window = Recurrence { window_end_hour: Some(24), ..every(1, "UTC") };
    let told: Vec<String> = [every(0, "UTC"), every(8761, "UTC"), window, every(1, "Mars/Olympus")]
        .iter()
        .map(|one| recurrence::check(one).unwrap_err().to_string())
        .collect();
    expect![[r#"
        the interval must be 1 to 8760 hours
        the interval must be 1 to 8760 hours
        the hours of the window must be 0 to 23, or left out
        "Mars/Olympus" is not a time zone: name one as in the IANA database, such as Europe/Berlin"#]]
    .assert_eq(&told.join("\n"));
    let end = next_after(&every(1, "UTC"), Timestamp(u64::MAX).into()).unwrap_err();
    assert_eq!(end, Rejected::Invalid("the next time is beyond the calendar: check the clock".to_owned()));
}

fn scheduled(world: &mut World) -> ScheduleId {
    let service = world.service("Checkout");
    let pipeline = world.board.pipelines().next().unwrap().id.clone();
    let patch = SchedulePatch {
        name: Some("Nightly".to_owned()),
        recurrence: Some(every(24, "UTC")),
        pipeline: Some(pipeline),
        ..SchedulePatch::default()
    };
    let created = world.board.create_schedule(&service, ScheduleTemplate::DepUpdate, patch, NOW);
    let (id, changes) = created.unwrap();
    world.tell("create", Ok(changes));
    id
}

fn run(number: u32) -> RunId {
    format!("run-{number}").parse().unwrap()
}

#[test]
fn a_schedule_starts_skips_and_tells_how_it_went() {
    let mut world = World::new();
    let id = scheduled(&mut world);
    let day = |days: u64| NOW.plus_ms(days * 24 * HOUR_MS + 60_000);
    world.note(format!("due at once: {}", world.board.due_schedules(NOW).len()));
    world.note(format!("due the next day: {}", world.board.due_schedules(day(1)).len()));
    world.note(format!("{:?}", world.board.fire_schedule(&id, None, false, day(1)).unwrap()));
    let answer = world.board.schedule_started(&id, Ok(&run(1)), false, day(1));
    world.tell("started", answer);
    let answer = world.board.fire_schedule(&id, Some(&run(1)), false, day(2)).map(|firing| match firing {
        Firing::Skip(changes) => changes,
        start @ Firing::Start { .. } => panic!("{start:?} over a live run"),
    });
    world.tell("due while it runs", answer);
    let answer = world.board.fire_schedule(&id, Some(&run(1)), true, day(2)).map(|_| Vec::new());
    world.tell("forced while it runs", answer);
    let answer = Ok(world.board.schedule_run_ended(&run(1), Some("CI is red"), day(2)));
    world.tell("it ends", answer);
    let answer = Ok(world.board.schedule_run_ended(&run(1), None, day(2)));
    world.tell("it ends again", answer);
    let refused = Rejected::Conflict("no budget".to_owned());
    let answer = world.board.schedule_started(&id, Err(&refused), true, day(2).plus_ms(HOUR_MS));
    world.tell("forced, and refused", answer);
    let answer = world.board.schedule_started(&id, Ok(&run(2)), false, day(3));
    world.tell("started", answer);
    let answer = world.board.schedule_started(&id, Ok(&run(3)), false, day(4));
    world.tell("started after an end nobody told of", answer);
    let answer = Ok(world.board.delete_schedule(&id, NOW));
    world.tell("delete", answer);
    expect![[r#"
        create
            + item/shop-15 Task "Nightly" Planned in shop-14 "Bring the dependencies of this service u"
            + schedule/schedule-16 "Nightly" on shop-15 next 2026-01-06T09:00:00.000Z
        due at once: 0
        due the next day: 1
        Start { task: ItemId("shop-15"), pipeline: PipelineId("pipeline-2") }
        started
            + schedule/schedule-16 "Nightly" on shop-15 next 2026-01-07T09:00:00.000Z
            + schedule-run/schedule-16/0000000001 Running run-1
        due while it runs
            + schedule/schedule-16 "Nightly" on shop-15 next 2026-01-08T09:00:00.000Z
            + schedule-run/schedule-16/0000000002 Skipped  run-1 had not ended
        forced while it runs
            conflict: run-1 of schedule "Nightly" has not ended: wait for it or stop it
        it ends
            + schedule-run/schedule-16/0000000001 Failed run-1 CI is red
        it ends again
        forced, and refused
            + schedule/schedule-16 "Nightly" on shop-15 next 2026-01-08T09:00:00.000Z
            + schedule-run/schedule-16/0000000003 Failed  no budget
        started
            + schedule/schedule-16 "Nightly" on shop-15 next 2026-01-09T09:00:00.000Z
            + schedule-run/schedule-16/0000000004 Running run-2
        started after an end nobody told of
            + schedule-run/schedule-16/0000000004 Done run-2
            + schedule/schedule-16 "Nightly" on shop-15 next 2026-01-10T09:00:00.000Z
            + schedule-run/schedule-16/0000000005 Running run-3
        delete
            - schedule/schedule-16
            - schedule-run/schedule-16/0000000001
            - schedule-run/schedule-16/0000000002
            - schedule-run/schedule-16/0000000003
            - schedule-run/schedule-16/0000000004
            - schedule-run/schedule-16/0000000005
            - item/shop-15
    "#]]
    .assert_eq(&world.told());
}

#[test]
fn schedules_are_made_for_services_and_edited() {
    let mut world = World::new();
    let id = scheduled(&mut world);
    let task = world.board.schedule(&id).unwrap().task.clone();
    let later = NOW.plus_ms(10 * HOUR_MS);
    let bare = SchedulePatch::default;
    let answer = world.board.create_schedule(&task, ScheduleTemplate::Custom, bare(), NOW);
    world.tell("for a task", answer.map(|(_, changes)| changes));
    for (what, patch) in [
        ("rename", SchedulePatch { name: Some("Weekly".to_owned()), ..bare() }),
        ("switch off", SchedulePatch { enabled: Some(false), ..bare() }),
        ("switch on", SchedulePatch { enabled: Some(true), ..bare() }),
        ("every week", SchedulePatch { recurrence: Some(every(168, "UTC")), ..bare() }),
        ("never", SchedulePatch { recurrence: Some(every(0, "UTC")), ..bare() }),
        ("another pipeline", SchedulePatch { pipeline: Some("pipeline-99".parse().unwrap()), ..bare() }),
    ] {
        let answer = world.board.edit_schedule(&id, patch, later);
        world.tell(what, answer);
    }
    expect![[r#"
        create
            + item/shop-15 Task "Nightly" Planned in shop-14 "Bring the dependencies of this service u"
            + schedule/schedule-16 "Nightly" on shop-15 next 2026-01-06T09:00:00.000Z
        for a task
            conflict: shop-15 is not a service: schedules are made for services
        rename
            + item/shop-15 Task "Weekly" Planned in shop-14 "Bring the dependencies of this service u"
            + schedule/schedule-16 "Weekly" on shop-15 next 2026-01-06T09:00:00.000Z
        switch off
            + schedule/schedule-16 "Weekly" on shop-15 next 2026-01-06T09:00:00.000Z off
        switch on
            + schedule/schedule-16 "Weekly" on shop-15 next 2026-01-06T09:00:00.000Z
        every week
            + schedule/schedule-16 "Weekly" on shop-15 next 2026-01-12T19:00:00.000Z
        never
            invalid: the interval must be 1 to 8760 hours
        another pipeline
            not found: there is no pipeline pipeline-99 on this board: list the pipelines to see their ids
    "#]]
    .assert_eq(&world.told());
}

#[test]
fn history_is_bounded_and_keeps_the_row_of_a_live_run() {
    let mut world = World::new();
    let id = scheduled(&mut world);
    let changes = world.board.schedule_started(&id, Ok(&run(1)), false, NOW).unwrap();
    world.board.apply(&changes);
    for day in 1..300 {
        let now = NOW.plus_ms(day * 24 * HOUR_MS);
        let Ok(Firing::Skip(changes)) = world.board.fire_schedule(&id, Some(&run(1)), false, now) else {
            panic!("the run is live")
        };
        world.board.apply(&changes);
    }
    let history: Vec<_> = world.board.schedule_runs(&id).collect();
    assert_eq!(history.len(), 101);
    assert_eq!((history[0].number, history[0].state), (1, ScheduleRunState::Running));
    assert_eq!(history[100].number, 300);
    let removed: Vec<Change> = world.board.delete_schedule(&id, NOW);
    assert_eq!(removed.len(), 103, "the schedule, its task and its history");
}
