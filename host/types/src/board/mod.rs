//! The vocabulary of the board: items of work, presets, pipelines, settings, spend and schedules (SPEC sections 9, 20
//! to 24 and 28).
//!
//! A [`Row`] is what is stored; a [`Change`] is what a command makes of rows. A `Patch` is what a person sends to make
//! or change a row: fields that are left out keep their value, or take the default when the row is made.

mod ids;
mod item;
mod money;
mod pipeline;
mod preset;
mod row;
mod schedule;
mod settings;

pub use ids::{ItemId, PipelineId, PresetId, ScheduleId, WorkspaceId};
pub use item::{Item, ItemPatch, ServiceType, TaskType, TestEnvironment, TestSettings};
pub use money::{Money, Month, SpendLimit, SpendMonth};
pub use pipeline::{PipelineDef, PipelinePatch, PipelineStep};
pub use preset::{Preset, PresetPatch};
pub use row::{Change, Row, RowKey, Workspace};
pub use schedule::{
    Recurrence, Schedule, SchedulePatch, ScheduleRun, ScheduleRunState, ScheduleTemplate, Weekday,
};
pub use settings::{Price, Pricing, Settings, SettingsPatch, TaskLimit};

use serde::{Deserialize, Deserializer};

fn yes() -> bool {
    true
}

/// Reads a field of a patch that can be cleared: absent keeps, `null` clears, a value sets.
fn clearable<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Some)
}
