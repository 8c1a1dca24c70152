//! The board of a simulation: the real rules over the items a scenario describes.

use crate::mapping::{id, money, policy, preset, pricing, settings, word};
use crate::scenario::{BlockDef, Level};
use crate::{Scenario, SimulationError};
use lockstep_board::Board;
use lockstep_types::board::{
    Item, ItemId, Row, ServiceType, TaskType, TestEnvironment, TestSettings, Workspace, WorkspaceId,
};
use lockstep_types::{Document, ItemLevel, ItemStatus, JsonText, Policy, StandIn, Timestamp};
use serde_json::{Value, json};

/// The workspace of a simulation.
const WORKSPACE: &str = "simulation";

/// The board as the scenario begins.
pub(crate) fn board(scenario: &Scenario, now: Timestamp) -> Result<Board, SimulationError> {
    let workspace: WorkspaceId = id(WORKSPACE)?;
    let mut rows = vec![Row::Workspace(Workspace {
        id: workspace.clone(),
        name: WORKSPACE.to_owned(),
        last_number: 0,
        created_at: now,
    })];
    // SPEC TL-1: without settings there is no limit.
    let given = scenario.config.settings.clone().filter(|_| scenario.wiring.settings != Some(false));
    let mut config = settings(Default::default(), &given.unwrap_or_default())?;
    config.pricing = pricing(&scenario.config.pricing.clone().unwrap_or_default())?;
    rows.push(Row::Settings(config));
    for (at, given) in scenario.preset.iter().chain(&scenario.presets).enumerate() {
        rows.push(Row::Preset(preset(at, given)?));
    }
    for def in scenario.board() {
        let seeds = scenario.seed_reviews.iter();
        let seeds = seeds.filter(|seed| seed.block_id.as_deref().unwrap_or("task") == def.id);
        let documents = seeds.map(|seed| seeded(&seed.kind, &seed.row, now)).collect();
        let mut item = item(&workspace, &def, documents, now)?;
        if !scenario.knows_dependencies() {
            item.depends_on.clear();
        }
        rows.push(Row::Item(item));
    }
    Board::from_rows(rows).map_err(|error| SimulationError::Scenario(error.to_string()))
}

/// The policy of a run of an item (SPEC MP-1). Without a preset it is that of the pipeline file, if there is one.
pub(crate) fn policy_of(scenario: &Scenario, board: &Board, item: &Item, of_file: Option<&Policy>) -> Policy {
    board.policy_for(item, of_file.cloned().unwrap_or_else(|| policy(scenario)))
}

/// A review row under the names the review components use; what a scenario leaves out is filled in.
fn review_row(given: &serde_json::Map<String, Value>, now: Timestamp) -> serde_json::Map<String, Value> {
    let mut row = given.clone();
    let mut renamed = |from: &str, to: &str, default: Value| {
        let value = row.remove(to).or_else(|| row.remove(from)).unwrap_or(default);
        row.insert(to.to_owned(), value);
    };
    renamed("maxIterations", "max", json!(Policy::default().max_review_iterations));
    renamed("items", "findings", json!([]));
    renamed("text", "document", Value::Null);
    for (name, default) in [("id", json!("seeded")), ("status", json!("ready")), ("iteration", json!(1))] {
        row.entry(name).or_insert(default);
    }
    let findings = row.get_mut("findings").and_then(Value::as_array_mut);
    for (at, finding) in findings.into_iter().flatten().filter_map(Value::as_object_mut).enumerate() {
        let defaults = [("id", json!(format!("f1-{}", at + 1))), ("category", json!("question"))];
        let more = [("severity", json!("medium")), ("title", json!("")), ("detail", json!(""))];
        let dates = [("createdAt", json!(now)), ("updatedAt", json!(now))];
        let rest = [("status", json!("open")), ("reply", Value::Null)];
        for (name, default) in defaults.into_iter().chain(more).chain(dates).chain(rest) {
            finding.entry(name).or_insert(default);
        }
    }
    for name in ["createdAt", "updatedAt"] {
        row.entry(name).or_insert(json!(now));
    }
    row
}

fn seeded(kind: &str, given: &serde_json::Map<String, Value>, now: Timestamp) -> Document {
    let row = &review_row(given, now);
    let text = |name: &str| row.get(name).and_then(Value::as_str);
    let settled = text("status") == Some("incorporated");
    let rank = if kind == "requirements" { 2 } else { 1 };
    let stands_in = text("document").filter(|_| settled).map(|text| StandIn { text: text.to_owned(), rank });
    Document { name: kind.to_owned(), value: JsonText::of(row), stands_in }
}

fn item(
    workspace: &WorkspaceId,
    def: &BlockDef,
    mut documents: Vec<Document>,
    now: Timestamp,
) -> Result<Item, SimulationError> {
    if let Some(estimate) = &def.estimate {
        let value = JsonText::of(estimate);
        documents.push(Document { name: "estimate".to_owned(), value, stands_in: None });
    }
    let environment = match def.agent_config.get("tester.environment").and_then(Value::as_str) {
        Some("local") => Some(TestEnvironment::Local),
        Some(_) => Some(TestEnvironment::Ephemeral),
        None => def.default_test_environment,
    };
    Ok(Item {
        id: id(&def.id)?,
        workspace: workspace.clone(),
        title: def.title.clone().unwrap_or_else(|| def.id.clone()),
        level: match def.level {
            Level::Frame => ItemLevel::Service,
            Level::Module => ItemLevel::Module,
            Level::Task => ItemLevel::Task,
        },
        parent: def.parent_id.as_deref().map(id).transpose()?,
        service_type: def
            .service_type
            .as_deref()
            .map_or_else(|| Ok(ServiceType::default()), |name| word("type", name))?,
        task_type: def
            .task_type
            .as_deref()
            .map_or_else(|| Ok(TaskType::default()), |name| word("taskType", name))?,
        status: def.status.as_deref().map_or(Ok(ItemStatus::Planned), |name| word("status", name))?,
        description: def.description.clone(),
        depends_on: def.depends_on.iter().map(|on| id(on)).collect::<Result<Vec<ItemId>, _>>()?,
        preset: def.merge_preset_id.as_deref().map(id).transpose()?,
        pipeline: None,
        module_name: def.module_name.clone(),
        auto_start_dependents: def.auto_start_dependents.unwrap_or(false),
        labels: Vec::new(),
        archived: false,
        responsible: None,
        pull_request: def.pull_request.clone(),
        current_run: None,
        repository: None,
        directory: None,
        base_branch: None,
        head_branch: None,
        tests: TestSettings {
            compose_path: def.test_compose_path.clone().filter(|path| !path.trim().is_empty()),
            no_infra_dependencies: def.no_infra_dependencies.unwrap_or(false),
            environment,
        },
        documents,
        environments: Vec::new(),
        notices: Vec::new(),
        created_at: now,
        updated_at: now,
    })
}

/// An amount a script adds to the month.
pub(crate) fn cost(value: Option<&Value>) -> Result<lockstep_types::board::Money, SimulationError> {
    money(value.and_then(Value::as_f64).unwrap_or(0.0))
}
