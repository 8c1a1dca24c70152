//! When a schedule is due (SPEC RC-1 to RC-3, DEVIATIONS D-20).
//!
//! Hours are counted on the clocks of the zone, so that a schedule of every 24 hours keeps its hour when the clocks
//! change. An hour that the clocks skip is due when they go on, and what follows is counted from the skipped hour; an
//! hour that comes twice counts once.

use crate::text::invalid;
use jiff::SignedDuration;
use jiff::civil::DateTime;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use lockstep_types::board::{Recurrence, Weekday};
use lockstep_types::{Rejected, Timestamp};
use std::sync::LazyLock;

/// Hours tried for one that fits, a leap year of them (SPEC RC-2). Any recurrence within its bounds fits within weeks.
const HORIZON_HOURS: u32 = 8784;
/// Missed times passed over one by one, a year of hourly ones; after a longer absence it is counted from now.
const MISSED_MAX: u32 = 8784;
/// Hours from one time to the next (SPEC RC-1).
const INTERVAL_HOURS_MAX: u32 = 8760;

/// The zones as they were known when this was built, so that every machine has the same.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// Refuses a recurrence out of bounds.
pub(crate) fn check(recurrence: &Recurrence) -> Result<(), Rejected> {
    if !(1..=INTERVAL_HOURS_MAX).contains(&recurrence.interval_hours) {
        return Err(invalid(format!("the interval must be 1 to {INTERVAL_HOURS_MAX} hours")));
    }
    let hours = [recurrence.window_start_hour, recurrence.window_end_hour];
    if hours.into_iter().flatten().any(|hour| hour > 23) {
        return Err(invalid("the hours of the window must be 0 to 23, or left out"));
    }
    zone(recurrence).map(|_| ())
}

/// A time at which a schedule is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) at: Timestamp,
    /// Minutes by which it is later than its hour, which the clocks skip.
    pub(crate) late_minutes: u32,
}

impl From<Timestamp> for Due {
    fn from(at: Timestamp) -> Self {
        Self { at, late_minutes: 0 }
    }
}

/// The first whole hour that fits, at least the interval after `from`.
pub(crate) fn next_after(recurrence: &Recurrence, from: Due) -> Result<Due, Rejected> {
    let out_of_range = |_| invalid("the next time is beyond the calendar: check the clock");
    let zone = zone(recurrence)?;
    let from_ms = i64::try_from(from.at.0).unwrap_or(i64::MAX);
    let begun = jiff::Timestamp::from_millisecond(from_ms).map_err(out_of_range)?;
    let hour = zone.to_datetime(begun).checked_sub(minutes(from.late_minutes)).map_err(out_of_range)?;
    let interval = SignedDuration::from_hours(i64::from(recurrence.interval_hours));
    let mut hour = hour.checked_add(interval).and_then(whole_hour).map_err(out_of_range)?;
    for _ in 0..HORIZON_HOURS {
        if fits(recurrence, hour) {
            // The first of two hours of that name; the end of the gap if there is none.
            let instant = zone.to_ambiguous_timestamp(hour).compatible().map_err(out_of_range)?;
            let late = zone.to_datetime(instant).duration_since(hour).as_mins();
            let at = Timestamp(u64::try_from(instant.as_millisecond()).unwrap_or_default());
            if at > from.at {
                return Ok(Due { at, late_minutes: u32::try_from(late).unwrap_or_default() });
            }
        }
        hour = hour.checked_add(SignedDuration::from_hours(1)).map_err(out_of_range)?;
    }
    Err(invalid("no hour of a year fits the weekdays and the window: widen them"))
}

/// The first time after `now` of the series that `scheduled` belongs to; `scheduled` itself while it is to come. Missed
/// times are passed over, so that a host that was away starts a pipeline once and not once for each.
pub(crate) fn next_due(recurrence: &Recurrence, scheduled: Due, now: Timestamp) -> Result<Due, Rejected> {
    let mut next = scheduled;
    for _ in 0..MISSED_MAX {
        if next.at > now {
            return Ok(next);
        }
        next = next_after(recurrence, next)?;
    }
    next_after(recurrence, now.into())
}

fn minutes(count: u32) -> SignedDuration {
    SignedDuration::from_mins(i64::from(count))
}

fn zone(recurrence: &Recurrence) -> Result<TimeZone, Rejected> {
    let name = &recurrence.timezone;
    ZONES.get(name).map_err(|_| {
        invalid(format!(
            "{name:?} is not a time zone: name one as in the IANA database, such as Europe/Berlin"
        ))
    })
}

/// The time itself, or the next whole hour.
fn whole_hour(time: DateTime) -> Result<DateTime, jiff::Error> {
    let begun = time.date().at(time.hour(), 0, 0, 0);
    if begun == time { Ok(time) } else { begun.checked_add(SignedDuration::from_hours(1)) }
}

fn fits(recurrence: &Recurrence, time: DateTime) -> bool {
    let weekday = match time.weekday() {
        jiff::civil::Weekday::Sunday => Weekday::Sunday,
        jiff::civil::Weekday::Monday => Weekday::Monday,
        jiff::civil::Weekday::Tuesday => Weekday::Tuesday,
        jiff::civil::Weekday::Wednesday => Weekday::Wednesday,
        jiff::civil::Weekday::Thursday => Weekday::Thursday,
        jiff::civil::Weekday::Friday => Weekday::Friday,
        jiff::civil::Weekday::Saturday => Weekday::Saturday,
    };
    let start = recurrence.window_start_hour.unwrap_or(0);
    let end = recurrence.window_end_hour.unwrap_or(24);
    let hour = time.hour().unsigned_abs();
    let in_window = if start < end { start <= hour && hour < end } else { start <= hour || hour < end };
    in_window && (recurrence.weekdays.is_empty() || recurrence.weekdays.contains(&weekday))
}
