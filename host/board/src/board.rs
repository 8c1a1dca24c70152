use crate::text::unknown;
use lockstep_types::Rejected;
use lockstep_types::board::{
    Change, Item, ItemId, Month, PipelineDef, PipelineId, Preset, PresetId, Row, RowKey, Schedule,
    ScheduleId, ScheduleRun, Settings, SpendMonth, Workspace,
};
use std::collections::BTreeMap;

/// One workspace with everything on it, in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Board {
    workspace: Workspace,
    settings: Settings,
    items: BTreeMap<ItemId, Item>,
    presets: BTreeMap<PresetId, Preset>,
    pipelines: BTreeMap<PipelineId, PipelineDef>,
    schedules: BTreeMap<ScheduleId, Schedule>,
    schedule_runs: BTreeMap<(ScheduleId, u32), ScheduleRun>,
    spend: BTreeMap<Month, SpendMonth>,
}

impl Board {
    /// A board with nothing on it, not even what [`Board::create`] gives a new one.
    #[must_use]
    pub fn empty(workspace: Workspace) -> Self {
        Self {
            workspace,
            settings: Settings::default(),
            items: BTreeMap::new(),
            presets: BTreeMap::new(),
            pipelines: BTreeMap::new(),
            schedules: BTreeMap::new(),
            schedule_runs: BTreeMap::new(),
            spend: BTreeMap::new(),
        }
    }

    /// The board that is stored as these rows, in any order.
    ///
    /// # Errors
    /// `NotFound` if no row of the workspace itself is among them.
    pub fn from_rows(rows: impl IntoIterator<Item = Row>) -> Result<Self, Rejected> {
        let rows: Vec<Row> = rows.into_iter().collect();
        let workspace = rows.iter().find_map(|row| match row {
            Row::Workspace(workspace) => Some(workspace.clone()),
            _ => None,
        });
        let workspace = workspace.ok_or_else(|| {
            Rejected::NotFound("the stored rows name no workspace: restore them from a backup".to_owned())
        })?;
        let mut board = Self::empty(workspace);
        rows.into_iter().for_each(|row| board.put(row));
        Ok(board)
    }

    /// Everything the board is stored as.
    pub fn rows(&self) -> impl Iterator<Item = Row> + '_ {
        [Row::Workspace(self.workspace.clone()), Row::Settings(self.settings.clone())]
            .into_iter()
            .chain(self.items.values().cloned().map(Row::Item))
            .chain(self.presets.values().cloned().map(Row::Preset))
            .chain(self.pipelines.values().cloned().map(Row::Pipeline))
            .chain(self.schedules.values().cloned().map(Row::Schedule))
            .chain(self.schedule_runs.values().cloned().map(Row::ScheduleRun))
            .chain(self.spend.values().copied().map(Row::Spend))
    }

    /// Makes true what a command returned. Doing it twice changes nothing more.
    pub fn apply(&mut self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::Put(row) => self.put(row.clone()),
                Change::Remove(key) => self.remove(key),
            }
        }
    }

    fn put(&mut self, row: Row) {
        match row {
            Row::Workspace(workspace) => self.workspace = workspace,
            Row::Settings(settings) => self.settings = settings,
            Row::Item(item) => drop(self.items.insert(item.id.clone(), item)),
            Row::Preset(preset) => drop(self.presets.insert(preset.id.clone(), preset)),
            Row::Pipeline(pipeline) => drop(self.pipelines.insert(pipeline.id.clone(), pipeline)),
            Row::Schedule(schedule) => drop(self.schedules.insert(schedule.id.clone(), schedule)),
            Row::ScheduleRun(run) => {
                drop(self.schedule_runs.insert((run.schedule.clone(), run.number), run));
            }
            Row::Spend(spend) => _ = self.spend.insert(spend.month, spend),
        }
    }

    fn remove(&mut self, key: &RowKey) {
        match key {
            RowKey::Workspace => {}
            RowKey::Settings => self.settings = Settings::default(),
            RowKey::Item(id) => drop(self.items.remove(id)),
            RowKey::Preset(id) => drop(self.presets.remove(id)),
            RowKey::Pipeline(id) => drop(self.pipelines.remove(id)),
            RowKey::Schedule(id) => drop(self.schedules.remove(id)),
            RowKey::ScheduleRun(id, number) => drop(self.schedule_runs.remove(&(id.clone(), *number))),
            RowKey::Spend(month) => _ = self.spend.remove(month),
        }
    }

    /// The board itself.
    #[must_use]
    pub fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    /// What holds for all of it.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// All items, the oldest first.
    pub fn items(&self) -> impl DoubleEndedIterator<Item = &Item> + ExactSizeIterator {
        self.items.values()
    }

    /// One item.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn item(&self, id: &ItemId) -> Result<&Item, Rejected> {
        self.items.get(id).ok_or_else(|| unknown("item", id))
    }

    /// All presets, the oldest first.
    pub fn presets(&self) -> impl DoubleEndedIterator<Item = &Preset> + ExactSizeIterator {
        self.presets.values()
    }

    /// One preset.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn preset(&self, id: &PresetId) -> Result<&Preset, Rejected> {
        self.presets.get(id).ok_or_else(|| unknown("preset", id))
    }

    /// All pipelines, the oldest first.
    pub fn pipelines(&self) -> impl DoubleEndedIterator<Item = &PipelineDef> + ExactSizeIterator {
        self.pipelines.values()
    }

    /// One pipeline.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn pipeline(&self, id: &PipelineId) -> Result<&PipelineDef, Rejected> {
        self.pipelines.get(id).ok_or_else(|| unknown("pipeline", id))
    }

    /// All schedules, the oldest first.
    pub fn schedules(&self) -> impl DoubleEndedIterator<Item = &Schedule> + ExactSizeIterator {
        self.schedules.values()
    }

    /// One schedule.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn schedule(&self, id: &ScheduleId) -> Result<&Schedule, Rejected> {
        self.schedules.get(id).ok_or_else(|| unknown("schedule", id))
    }

    /// The history of a schedule, the oldest row first.
    pub fn schedule_runs(&self, id: &ScheduleId) -> impl DoubleEndedIterator<Item = &ScheduleRun> {
        self.schedule_runs.range((id.clone(), 0)..=(id.clone(), u32::MAX)).map(|(_, run)| run)
    }

    /// What was spent in a month.
    #[must_use]
    pub fn spent(&self, month: Month) -> SpendMonth {
        let nothing = SpendMonth { month, cost: Default::default(), input_tokens: 0, output_tokens: 0 };
        self.spend.get(&month).copied().unwrap_or(nothing)
    }
}
