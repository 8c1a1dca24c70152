//! What the host offers about boards: workspaces with their items, presets, pipelines, schedules, spend and notices.

use crate::ServiceError;
use async_trait::async_trait;
use lockstep_types::board::{
    Change, Item, ItemId, ItemPatch, Month, PipelineDef, PipelineId, PipelinePatch, Preset, PresetId,
    PresetPatch, Row, Schedule, ScheduleId, SchedulePatch, ScheduleRun, ScheduleTemplate, Settings,
    SettingsPatch, SpendMonth, Workspace, WorkspaceId,
};
use lockstep_types::{ItemLevel, Notice, Pinning, RunSummary, StepAction};
use serde::{Deserialize, Serialize};

/// Changes of one workspace's board, to be stored together.
#[derive(Clone, Debug, PartialEq)]
pub struct BoardCommit {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// What becomes true, in order.
    pub changes: Vec<Change>,
}

/// Something a person does to a board.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BoardCommand {
    /// Makes an item.
    CreateItem {
        /// What kind of item.
        level: ItemLevel,
        /// The item it belongs to; none for a service.
        #[serde(default)]
        parent: Option<ItemId>,
        /// Its fields.
        #[serde(default)]
        item: ItemPatch,
    },
    /// Changes fields of an item.
    EditItem {
        /// Which.
        id: ItemId,
        /// The fields.
        item: ItemPatch,
    },
    /// Puts an item elsewhere.
    MoveItem {
        /// Which.
        id: ItemId,
        /// Where; none for a service.
        parent: Option<ItemId>,
    },
    /// Removes an item and all below it; their runs are stopped first (SPEC SC-5, BD-6).
    DeleteItem {
        /// Which.
        id: ItemId,
    },
    /// Makes one task wait for another, or no longer.
    ToggleDependency {
        /// The task that waits.
        id: ItemId,
        /// The one it waits for.
        on: ItemId,
    },
    /// Makes a preset.
    CreatePreset(PresetPatch),
    /// Changes a preset.
    EditPreset {
        /// Which.
        id: PresetId,
        /// The fields.
        preset: PresetPatch,
    },
    /// Removes a preset that is not the default.
    DeletePreset {
        /// Which.
        id: PresetId,
    },
    /// Makes a pipeline.
    CreatePipeline(PipelinePatch),
    /// Changes a pipeline; a built-in one can only be labelled and archived.
    EditPipeline {
        /// Which.
        id: PipelineId,
        /// The fields.
        pipeline: PipelinePatch,
    },
    /// Makes a pipeline like another.
    ClonePipeline {
        /// Which.
        id: PipelineId,
        /// Its name; none: the other's with `(copy)`.
        #[serde(default)]
        name: Option<String>,
    },
    /// Removes a pipeline that is not built in.
    DeletePipeline {
        /// Which.
        id: PipelineId,
    },
    /// Changes the settings of the workspace.
    EditSettings(SettingsPatch),
    /// Makes a schedule and the task it starts.
    CreateSchedule {
        /// Service the task belongs to.
        service: ItemId,
        /// What it is for.
        template: ScheduleTemplate,
        /// Its fields.
        schedule: SchedulePatch,
    },
    /// Changes a schedule.
    EditSchedule {
        /// Which.
        id: ScheduleId,
        /// The fields.
        schedule: SchedulePatch,
    },
    /// Removes a schedule, its task and the task's run.
    DeleteSchedule {
        /// Which.
        id: ScheduleId,
    },
    /// Starts a schedule's task now, whatever its time.
    RunSchedule {
        /// Which.
        id: ScheduleId,
    },
}

/// What a command made or changed, for whoever sent it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BoardReply {
    /// Rows as they are now, the one the command is about first.
    pub rows: Vec<Row>,
    /// A run that was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunSummary>,
}

/// Asks for a run of an item.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct StartItem {
    /// Pipeline; none: the item's own, else the workspace's first.
    #[serde(default)]
    pub pipeline: Option<PipelineId>,
    /// Branch that carries the change; none: the item's, else `lockstep/ITEM`, made from the base branch if it is not
    /// there.
    #[serde(default)]
    pub branch: Option<String>,
    /// When the components of its steps are chosen; none: as the pipeline says.
    #[serde(default)]
    pub pin: Option<Pinning>,
    /// Whether a live run of the item is stopped first (DEVIATIONS D-11).
    #[serde(default)]
    pub replace: bool,
    /// Who asks.
    #[serde(default)]
    pub by: Option<String>,
    /// Client token.
    #[serde(default)]
    pub token: Option<String>,
}

/// An item with what belongs to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ItemView {
    /// The item.
    #[serde(flatten)]
    pub item: Item,
    /// Its current run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunSummary>,
    /// Its open cards, those of its run included, each under the id people address it by.
    pub cards: Vec<Card>,
}

/// A notice under the id people address it by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Card {
    /// `RUN:n3`, or `ITEM:n1` for a card of no run.
    pub id: String,
    /// The workspace; none for a run of no board.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<WorkspaceId>,
    /// The item.
    pub item: String,
    /// The card, which has a number of its own.
    pub notice: Notice,
    /// What acting on it does: `merge`, `retry` or `nothing` (SPEC NT-6).
    pub act: String,
}

/// How a person deals with a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CardAction {
    /// Does what it asks for; it stays open if that fails.
    Act,
    /// Closes it.
    Dismiss,
}

/// The month's spend against the limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SpendView {
    /// What was spent.
    #[serde(flatten)]
    pub spent: SpendMonth,
    /// The settings it is held against.
    pub settings: Settings,
    /// Whether nothing more may be spent.
    pub over_budget: bool,
    /// Runs that wait for a budget.
    pub paused: Vec<RunSummary>,
}

/// The host as those who work with boards see it. What a call did is durable when it returns.
#[async_trait]
pub trait BoardService: Send + Sync {
    /// All workspaces.
    async fn workspaces(&self) -> Result<Vec<Workspace>, ServiceError>;
    /// Makes a workspace with the default preset and the built-in pipelines.
    async fn create_workspace(&self, id: WorkspaceId, name: &str) -> Result<Workspace, ServiceError>;
    /// Items of a workspace.
    async fn items(&self, workspace: &WorkspaceId) -> Result<Vec<Item>, ServiceError>;
    /// An item whole.
    async fn item(&self, workspace: &WorkspaceId, id: &ItemId) -> Result<ItemView, ServiceError>;
    /// Presets, the default first.
    async fn presets(&self, workspace: &WorkspaceId) -> Result<Vec<Preset>, ServiceError>;
    /// Pipelines.
    async fn pipelines(&self, workspace: &WorkspaceId) -> Result<Vec<PipelineDef>, ServiceError>;
    /// Schedules.
    async fn schedules(&self, workspace: &WorkspaceId) -> Result<Vec<Schedule>, ServiceError>;
    /// What a schedule started, the newest first.
    async fn schedule_runs(
        &self,
        workspace: &WorkspaceId,
        id: &ScheduleId,
    ) -> Result<Vec<ScheduleRun>, ServiceError>;
    /// The spend of a month; none: the current one.
    async fn spend(&self, workspace: &WorkspaceId, month: Option<Month>) -> Result<SpendView, ServiceError>;
    /// Carries out a command.
    async fn command(
        &self,
        workspace: &WorkspaceId,
        command: BoardCommand,
        by: &str,
    ) -> Result<BoardReply, ServiceError>;
    /// Starts a run of an item, after everything that must hold before (SPEC EN-1, DEVIATIONS D-11).
    async fn start_item(
        &self,
        workspace: &WorkspaceId,
        id: &ItemId,
        request: StartItem,
    ) -> Result<RunSummary, ServiceError>;
    /// Drops the run of an item, which is planned again (SPEC SC-4).
    async fn cancel_item(&self, workspace: &WorkspaceId, id: &ItemId, by: &str)
    -> Result<Item, ServiceError>;
    /// Merges the change of an item that awaits it (SPEC MR-12).
    async fn merge_item(&self, workspace: &WorkspaceId, id: &ItemId, by: &str) -> Result<Item, ServiceError>;
    /// Acts on a review of an item: by the run that is parked on it, else as an errand of its own (SPEC RV-12).
    async fn review_item(
        &self,
        workspace: &WorkspaceId,
        id: &ItemId,
        kind: &str,
        action: StepAction,
    ) -> Result<ItemView, ServiceError>;
    /// Lets every run go on that waits for a budget (SPEC SP-5).
    async fn resume_paused(&self, workspace: &WorkspaceId, by: &str)
    -> Result<Vec<RunSummary>, ServiceError>;
    /// Open cards of all workspaces, or of one, the oldest first.
    async fn cards(&self, workspace: Option<&WorkspaceId>) -> Result<Vec<Card>, ServiceError>;
    /// Deals with a card; one that is no longer open stays as it ended.
    async fn settle_card(&self, id: &str, action: CardAction, by: &str) -> Result<Card, ServiceError>;
}
