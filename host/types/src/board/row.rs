use super::{
    Item, ItemId, Month, PipelineDef, PipelineId, Preset, PresetId, Schedule, ScheduleId, ScheduleRun,
    Settings, SpendMonth, WorkspaceId,
};
use crate::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A board.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Workspace {
    /// Its id.
    pub id: WorkspaceId,
    /// For people.
    pub name: String,
    /// The last number an id was made of; none is used twice, so that a new item never takes over an old one's runs.
    #[serde(default)]
    pub last_number: u64,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Everything a board is stored as.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Row {
    /// The board itself.
    Workspace(Workspace),
    /// What holds for all of it.
    Settings(Settings),
    /// An item of work.
    Item(Item),
    /// A preset.
    Preset(Preset),
    /// A pipeline.
    Pipeline(PipelineDef),
    /// A schedule.
    Schedule(Schedule),
    /// A row of a schedule's history.
    ScheduleRun(ScheduleRun),
    /// A month's spend.
    Spend(SpendMonth),
}

impl Row {
    /// What it is stored under.
    #[must_use]
    pub fn key(&self) -> RowKey {
        match self {
            Self::Workspace(_) => RowKey::Workspace,
            Self::Settings(_) => RowKey::Settings,
            Self::Item(item) => RowKey::Item(item.id.clone()),
            Self::Preset(preset) => RowKey::Preset(preset.id.clone()),
            Self::Pipeline(pipeline) => RowKey::Pipeline(pipeline.id.clone()),
            Self::Schedule(schedule) => RowKey::Schedule(schedule.id.clone()),
            Self::ScheduleRun(run) => RowKey::ScheduleRun(run.schedule.clone(), run.number),
            Self::Spend(spend) => RowKey::Spend(spend.month),
        }
    }
}

/// What a row is stored under, within its workspace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum RowKey {
    /// The board itself.
    Workspace,
    /// What holds for all of it.
    Settings,
    /// An item of work.
    Item(ItemId),
    /// A preset.
    Preset(PresetId),
    /// A pipeline.
    Pipeline(PipelineId),
    /// A schedule.
    Schedule(ScheduleId),
    /// A row of a schedule's history, by its number.
    ScheduleRun(ScheduleId, u32),
    /// A month's spend.
    Spend(Month),
}

impl fmt::Display for RowKey {
    /// `item/shop-7`, unique within the workspace and fit to be part of a store's key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workspace => f.write_str("workspace"),
            Self::Settings => f.write_str("settings"),
            Self::Item(id) => write!(f, "item/{id}"),
            Self::Preset(id) => write!(f, "preset/{id}"),
            Self::Pipeline(id) => write!(f, "pipeline/{id}"),
            Self::Schedule(id) => write!(f, "schedule/{id}"),
            Self::ScheduleRun(id, number) => write!(f, "schedule-run/{id}/{number:010}"),
            Self::Spend(month) => write!(f, "spend/{month}"),
        }
    }
}

/// What a command makes true of the stored rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// The row is there and is this.
    Put(Row),
    /// The row is gone.
    Remove(RowKey),
}
