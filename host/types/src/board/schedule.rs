use super::{ItemId, PipelineId, ScheduleId, yes};
use crate::{RunId, Timestamp};
use serde::{Deserialize, Serialize};

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "they are the days of the week")]
pub enum Weekday {
    Sunday,
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
}

/// When a schedule is due, in the hours of its zone's clocks (SPEC RC-1, RC-3, DEVIATIONS D-20).
///
/// A time that falls on a day or an hour it may not be due at is put off to the next hour that fits, and what follows is
/// counted from there: for a fixed hour of certain days, give a window of that hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Recurrence {
    /// Hours from one time to the next, 1 to 8760.
    pub interval_hours: u32,
    /// Days on which it may be due; none: all.
    #[serde(default)]
    pub weekdays: Vec<Weekday>,
    /// First hour at which it may be due, 0 to 23; none: 0.
    #[serde(default)]
    pub window_start_hour: Option<u8>,
    /// Hour before which it is due, 0 to 23; none: 24. Not after the start: the window goes past midnight.
    #[serde(default)]
    pub window_end_hour: Option<u8>,
    /// IANA name, such as `Europe/Berlin`.
    pub timezone: String,
}

/// What a schedule is for; it gives the description of its task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleTemplate {
    /// Bring dependencies up to date.
    DepUpdate,
    /// Find technical debt and file it.
    TechDebt,
    /// Whatever its description says.
    #[default]
    Custom,
}

/// A pipeline that is started again and again on one task (SPEC section 22).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Schedule {
    /// Its id.
    pub id: ScheduleId,
    /// 1 to 120 characters; also the title of its task.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub template: ScheduleTemplate,
    /// When it is due.
    pub recurrence: Recurrence,
    /// The pipeline it starts.
    pub pipeline: PipelineId,
    /// The reusable task it starts it on.
    pub task: ItemId,
    /// Whether it is started when it is due.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// When it is due next.
    pub next_run: Timestamp,
    /// Minutes by which that is later than its hour, which the clocks skip on that day.
    #[serde(default)]
    pub late_minutes: u32,
    /// When it was last started, or refused.
    #[serde(default)]
    pub last_run: Option<Timestamp>,
    /// Number of its latest history row.
    #[serde(default)]
    pub runs: u32,
    /// When it was made.
    pub created_at: Timestamp,
}

/// How one time of a schedule went (SPEC RC-8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleRunState {
    /// Its run is live.
    Running,
    /// Its run ended well.
    Done,
    /// Its run failed, or could not start.
    Failed,
    /// The run before was still live.
    Skipped,
}

/// A row of a schedule's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ScheduleRun {
    /// Whose.
    pub schedule: ScheduleId,
    /// From 1, the latest is the highest.
    pub number: u32,
    /// The run, if one was started.
    #[serde(default)]
    pub run: Option<RunId>,
    /// Whether a person asked for it.
    #[serde(default)]
    pub forced: bool,
    /// How it went.
    pub state: ScheduleRunState,
    /// Why it failed or was skipped.
    #[serde(default)]
    pub outcome: Option<String>,
    /// When it was due and taken up.
    pub started_at: Timestamp,
    /// When its run ended.
    #[serde(default)]
    pub finished_at: Option<Timestamp>,
}

/// What a person sets on a schedule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct SchedulePatch {
    /// See [`Schedule::name`].
    pub name: Option<String>,
    /// The description of its task; without one the template gives it.
    pub description: Option<String>,
    /// The whole of it; the next time is counted from now.
    pub recurrence: Option<Recurrence>,
    /// See [`Schedule::pipeline`].
    pub pipeline: Option<PipelineId>,
    /// See [`Schedule::enabled`].
    pub enabled: Option<bool>,
}
