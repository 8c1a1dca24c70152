//! A scenario under way.

use crate::notices::Cards;
use crate::outside::Outside;
use crate::runs::{Counters, RunEntry};
use crate::trace::{DEFAULT_BLOCK, Trace, final_state, item_word, run_word};
use crate::{Action, Kinds, Scenario, SimulationError, items, mapping};
use lockstep_board::{Board, ItemRecord};
use lockstep_ports::StepExecutor;
use lockstep_types::board::{Change, ItemId, Row};
use lockstep_types::{
    Admission, ItemLevel, ItemStatus, NoticeState, Pipeline, Rejected, TimelineEntry, Timestamp,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// 2026-01-05T09:00:00Z.
const CLOCK_START: Timestamp = Timestamp(1_767_603_600_000);

/// Calls of the engine in one scenario, unless it says otherwise. More means that it turns for ever.
const CALLS_MAX: u32 = 5000;

/// Who does everything in a scenario that does not say who.
pub(crate) const PERSON: &str = "someone";

/// Why an action was not carried out.
pub(crate) enum Refusal {
    /// It was refused; part of the trace.
    Rejected(Rejected),
    /// Something outside failed: class `error` in the trace.
    Failed(String),
    /// The scenario cannot go on.
    Stop(SimulationError),
}

impl From<Rejected> for Refusal {
    fn from(rejected: Rejected) -> Self {
        Self::Rejected(rejected)
    }
}

impl From<SimulationError> for Refusal {
    fn from(error: SimulationError) -> Self {
        Self::Stop(error)
    }
}

/// What became of a scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Simulated {
    /// The reduced trace (FORMAT.md section 3).
    pub trace: Value,
    /// Everything that happened, for people: the line of the script, the run's block and what it did.
    pub timeline: Vec<(usize, String, TimelineEntry)>,
    /// Actions that were refused, and why.
    pub refused: Vec<(usize, String)>,
}

/// What is going on within the action at hand.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stage {
    /// Somebody advances the engine by hand, and sees what it throws.
    pub(crate) is_single: bool,
    /// An advance is under way that the budget let begin.
    pub(crate) is_admitted: bool,
}

pub(crate) struct World<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) kinds: &'a Kinds,
    pub(crate) executor: &'a dyn StepExecutor,
    /// The pipeline the user brought.
    pub(crate) file: Option<&'a Pipeline>,
    pub(crate) board: Board,
    /// Parents of items at the beginning.
    parents: BTreeMap<ItemId, Option<ItemId>>,
    pub(crate) runs: Vec<RunEntry>,
    pub(crate) counters: Counters,
    pub(crate) cards: Cards,
    pub(crate) outside: Outside,
    pub(crate) trace: Trace,
    pub(crate) timeline: Vec<(usize, String, TimelineEntry)>,
    pub(crate) stage: Stage,
    pub(crate) now: Timestamp,
    /// Calls of the engine that may still be made.
    calls_left: u32,
    /// The run as it stood before its last turn: what a helper that could not be started leaves (reading 17).
    pub(crate) before_turn: Option<RunEntry>,
    /// A start of a job failed in the last poll: shown once, however often it is tried.
    pub(crate) failing_start: Option<String>,
}

/// Runs a scenario with the given components. `pipeline` is used by `start` in place of the scenario's first one.
///
/// # Errors
/// `SimulationError` if the scenario is wrong or never ends.
pub async fn simulate(
    scenario: &Scenario,
    kinds: &Kinds,
    executor: &dyn StepExecutor,
    pipeline: Option<&Pipeline>,
) -> Result<Simulated, SimulationError> {
    let mut world = World::new(scenario, kinds, executor, pipeline)?;
    let mut refused = Vec::new();
    for (at, action) in scenario.script.iter().enumerate() {
        world.trace.begin(at);
        world.stage = Stage::default();
        let (class, why) = match world.act(action).await {
            Ok(()) => {
                world.look()?;
                continue;
            }
            Err(Refusal::Stop(error)) => return Err(error),
            Err(Refusal::Failed(why)) => ("error", why),
            Err(Refusal::Rejected(Rejected::NotFound(why))) => ("not-found", why),
            Err(Refusal::Rejected(Rejected::Conflict(why))) => ("conflict", why),
            Err(Refusal::Rejected(Rejected::Invalid(why))) => ("validation", why),
        };
        world.trace.rejected(&action.name, class);
        refused.push((at, why));
        world.look()?;
    }
    let timeline = std::mem::take(&mut world.timeline);
    Ok(Simulated { trace: world.into_trace(), timeline, refused })
}

impl<'a> World<'a> {
    fn new(
        scenario: &'a Scenario,
        kinds: &'a Kinds,
        executor: &'a dyn StepExecutor,
        pipeline: Option<&'a Pipeline>,
    ) -> Result<Self, SimulationError> {
        let now = scenario.config.clock_start.map_or(CLOCK_START, Timestamp);
        let mut board = items::board(scenario, now)?;
        for given in &scenario.pipelines {
            let def = mapping::pipeline_def(scenario, kinds, given)?;
            board.apply(&[Change::Put(Row::Pipeline(def))]);
        }
        Ok(Self {
            scenario,
            kinds,
            executor,
            file: pipeline,
            parents: board.items().map(|item| (item.id.clone(), item.parent.clone())).collect(),
            board,
            runs: Vec::new(),
            counters: Counters::default(),
            cards: Cards::default(),
            outside: Outside::new(scenario),
            trace: Trace::default(),
            timeline: Vec::new(),
            stage: Stage::default(),
            now,
            calls_left: scenario.config.max_calls.unwrap_or(CALLS_MAX),
            before_turn: None,
            failing_start: None,
        })
    }

    pub(crate) fn count_call(&mut self) -> Result<(), SimulationError> {
        let left = self.calls_left.checked_sub(1);
        self.calls_left = left.ok_or_else(|| {
            SimulationError::Stuck(
                "the scenario does not come to an end: raise config.maxCalls if it should take that long"
                    .to_owned(),
            )
        })?;
        Ok(())
    }

    /// What the workspace lets a run begin (SPEC SP-3, SP-4). An advance is admitted once, when it begins (reading 16).
    pub(crate) fn admission(&self) -> Admission {
        Admission {
            over_budget: !self.stage.is_admitted && self.board.is_over_budget(self.now),
            exempt: self.scenario.quota_kinds.clone().unwrap_or_default(),
            ..Admission::default()
        }
    }

    /// The run an action is about (FORMAT.md section 1.6).
    pub(crate) fn addressed(&self, action: &Action) -> Result<usize, Refusal> {
        let found = match action.text("run") {
            Some(id) => self.runs.iter().position(|entry| entry.id == id),
            None => self.run_of(action.block()).or(if self.runs.is_empty() { None } else { Some(0) }),
        };
        found.ok_or_else(|| Rejected::NotFound("there is no such run".to_owned()).into())
    }

    pub(crate) fn run_of(&self, block: &str) -> Option<usize> {
        self.runs.iter().position(|entry| entry.block.as_str() == block)
    }

    pub(crate) fn item_id(&self, block: &str) -> Result<ItemId, Refusal> {
        let unknown = || Rejected::NotFound(format!("there is no block {block}"));
        let item = self.board.items().find(|item| item.id.as_str() == block);
        Ok(item.ok_or_else(unknown)?.id.clone())
    }

    /// Makes changes of the board true, and shows the items that are new.
    pub(crate) fn change(&mut self, changes: &[Change]) {
        for change in changes {
            if let Change::Put(Row::Item(item)) = change
                && self.board.item(&item.id).is_err()
            {
                let parent = item.parent.as_ref().map(ItemId::as_str);
                self.trace.block_added(level_word(item.level), parent);
            }
        }
        self.board.apply(changes);
    }

    pub(crate) fn record(&mut self, item: &ItemId, record: ItemRecord) -> Result<(), SimulationError> {
        let changes = self.board.record(item, record, self.now);
        let changes = changes.map_err(|error| SimulationError::Stuck(error.to_string()))?;
        self.change(&changes);
        Ok(())
    }

    pub(crate) fn set_status(&mut self, item: &ItemId, to: ItemStatus) -> Result<(), SimulationError> {
        if self.board.item(item).is_ok_and(|known| known.status == to) {
            return Ok(());
        }
        self.record(item, ItemRecord { status: Some(to), ..ItemRecord::default() })?;
        self.trace.block_status(item.as_str(), item_word(to));
        Ok(())
    }

    /// Notes what has become of runs and items since the last look: after each call of the engine and each action.
    pub(crate) fn look(&mut self) -> Result<(), SimulationError> {
        for at in 0..self.runs.len() {
            let entry = &mut self.runs[at];
            let now = entry.status_text();
            if entry.seen != now {
                entry.seen = now;
                let summary = entry.recorded.run.summary();
                let class = summary.failure.map(|failure| failure.class);
                self.trace.run_status(entry.block.as_str(), run_word(summary.status), class);
                self.note_scheduled_end(at);
            }
            self.keep(at)?;
        }
        Ok(())
    }

    /// Keeps on the item what its run has left there.
    fn keep(&mut self, at: usize) -> Result<(), SimulationError> {
        let entry = &mut self.runs[at];
        let (run, block) = (&entry.recorded.run, entry.block.clone());
        let status = run.item_status();
        let moved = std::mem::replace(&mut entry.seen_item, status) != status;
        let held = run.environments().iter().filter(|held| !held.released);
        let record = ItemRecord {
            pull_request: run.change().pull_request.clone(),
            documents: Some(run.documents().to_vec()),
            environments: Some(held.map(|held| held.environment.clone()).collect()),
            ..ItemRecord::default()
        };
        self.record(&block, record)?;
        if moved { self.set_status(&block, status) } else { Ok(()) }
    }

    fn into_trace(mut self) -> Value {
        self.runs.sort_by(|a, b| a.block.as_str().cmp(b.block.as_str()));
        let runs: Vec<Value> = self.runs.iter().map(RunEntry::final_run).collect();
        let shown = |id: &ItemId| match self.board.item(id) {
            Ok(item) if !self.parents.contains_key(id) => {
                format!("+{}:{}", level_word(item.level), item.title)
            }
            _ => id.as_str().to_owned(),
        };
        let blocks: BTreeMap<String, &str> =
            self.board.items().map(|item| (shown(&item.id), item_word(item.status))).collect();
        let mut state = final_state(runs, &blocks, self.open_cards());
        let moved = self.board.items().filter_map(|item| {
            let before = self.parents.get(&item.id)?;
            let parent = item.parent.as_ref().filter(|_| *before != item.parent)?;
            Some((item.id.as_str().to_owned(), json!(shown(parent))))
        });
        let moved: serde_json::Map<String, Value> = moved.collect();
        if !moved.is_empty() {
            state["moved"] = Value::Object(moved);
        }
        let reviews = self.final_reviews();
        if !reviews.is_empty() {
            state["reviews"] = Value::Object(reviews);
        }
        let (effects, contexts) = self.trace.into_parts();
        json!({
            "format": 1,
            "scenario": self.scenario.name,
            "component": self.scenario.component,
            "engine": self.scenario.engine,
            "effects": effects,
            "contexts": contexts,
            "final": state,
        })
    }

    fn open_cards(&self) -> Vec<String> {
        if !self.outside.wired.notifications {
            return Vec::new();
        }
        let mut open = Vec::new();
        for item in self.board.items() {
            let of_run = self.run_of(item.id.as_str()).map(|at| self.runs[at].run().notices());
            let cards = item.notices.iter().chain(of_run.unwrap_or_default());
            for card in cards.filter(|card| card.state == NoticeState::Open) {
                let urgent = if card.severity == lockstep_types::Severity::Urgent { ":urgent" } else { "" };
                let at =
                    if item.id.as_str() == DEFAULT_BLOCK { String::new() } else { format!("@{}", item.id) };
                open.push(format!("{}{urgent}{at}", card.kind));
            }
        }
        open
    }

    fn final_reviews(&self) -> serde_json::Map<String, Value> {
        let mut reviews = serde_json::Map::new();
        for document in self.board.items().flat_map(|item| &item.documents) {
            if ["requirements", "clarity"].contains(&document.name.as_str()) {
                let row = document.value.value();
                let shown =
                    json!({"status": row["status"], "iteration": row["iteration"], "max": row["max"]});
                reviews.insert(document.name.clone(), shown);
            }
        }
        reviews
    }
}

fn level_word(level: ItemLevel) -> &'static str {
    match level {
        ItemLevel::Service => "frame",
        ItemLevel::Module => "module",
        ItemLevel::Task => "task",
    }
}
