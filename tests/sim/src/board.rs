//! The board of every world: what stands on it from the first life on, and what people do to it.

use crate::outside::lock;
use crate::people::Person;
use crate::pipeline;
use crate::random::Random;
use crate::world::{Host, World, shown};
use lockstep_ports::{BoardCommand, BoardService, Card, CardAction, ServiceError, StartItem};
use lockstep_runtime::Runtime;
use lockstep_types::board::{
    Item, ItemId, ItemPatch, Money, PipelineId, PresetId, PresetPatch, Pricing, Recurrence, Row, ScheduleId,
    SchedulePatch, ScheduleTemplate, SettingsPatch, SpendLimit, TaskLimit, WorkspaceId,
};
use lockstep_types::{ItemLevel, ItemStatus, JsonText, RunId, StepAction};

/// Tasks of a board, fewer than starts, so that runs want the same one.
const TASKS: u64 = 5;
/// Percent of the boards that have a budget, and the most it is: what a few jobs cost.
const BUDGETED_PERCENT: u64 = 30;
const BUDGET_UNITS: u64 = 3;
/// Percent of the boards on which only few tasks may run at once, and how many.
const LIMITED_PERCENT: u64 = 15;
const TASKS_AT_ONCE: u32 = 2;
/// What the titles of items begin with that people make and delete.
const EXTRA: &str = "extra";

/// The workspace every host has.
pub(crate) fn workspace() -> WorkspaceId {
    "default".parse().expect("a word is an id")
}

/// What is on the board before anything goes wrong.
pub(crate) struct Site {
    service: ItemId,
    pub(crate) tasks: Vec<ItemId>,
    pipelines: Vec<PipelineId>,
    pub(crate) schedule: ScheduleId,
    preset: PresetId,
}

/// A value on the board that people overwrite, each with one of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Title(ItemId),
    Minutes,
    Preset(PresetId),
    Schedule(ScheduleId),
}

/// Something a person does to the board.
#[derive(Clone, Debug)]
pub(crate) enum What {
    Write(Place, String),
    Create { title: String },
    Delete { item: ItemId },
    Cancel { item: ItemId, was: Option<RunId> },
    Merge { item: ItemId },
    Card { id: String, action: CardAction },
    Fire { schedule: ScheduleId },
    Review { item: ItemId },
    Wait { item: ItemId, on: ItemId },
    ResumePaused,
}

/// What people are told beside yes.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Yes,
    Card(Box<Card>),
    Run(RunId),
}

/// Something done to the board, begun and ended at moments of the ledger.
pub(crate) struct Deed {
    pub(crate) by: String,
    pub(crate) what: What,
    pub(crate) begun: usize,
    /// None: the host did not live to say.
    pub(crate) told: Option<(usize, Result<Reply, ServiceError>)>,
}

/// Puts a service with tasks, pipelines and a schedule on the board of a new host.
pub(crate) async fn set_up(world: &mut World, host: &Host) -> Result<(), String> {
    let random = &mut Random::new(world.random.number());
    let service = make(host, ItemLevel::Service, None, patch("service", random)).await?;
    let mut pipelines = Vec::new();
    for _ in 0..3 {
        let command = BoardCommand::CreatePipeline(pipeline::stored(random));
        match first(host, command).await? {
            Row::Pipeline(pipeline) => pipelines.push(pipeline.id),
            row => return Err(format!("a pipeline was made, and the reply is {row:?}")),
        }
    }
    let mut tasks: Vec<ItemId> = Vec::new();
    for number in 0..TASKS {
        let patch = ItemPatch {
            pipeline: Some(Some(pipelines[random.index(pipelines.len())].clone())),
            auto_start_dependents: Some(random.chance(40)),
            ..patch(&format!("task-{number}"), random)
        };
        let task = make(host, ItemLevel::Task, Some(&service), patch).await?;
        if random.chance(30) && !tasks.is_empty() {
            let on = tasks[random.index(tasks.len())].clone();
            send(&host.runtime, BoardCommand::ToggleDependency { id: task.clone(), on }).await?;
        }
        tasks.push(task);
    }
    let schedule = SchedulePatch {
        name: Some("nightly".to_owned()),
        pipeline: Some(pipelines[0].clone()),
        recurrence: Some(Recurrence {
            interval_hours: 1,
            weekdays: Vec::new(),
            window_start_hour: None,
            window_end_hour: None,
            timezone: "UTC".to_owned(),
        }),
        ..SchedulePatch::default()
    };
    let template = ScheduleTemplate::Custom;
    let command = BoardCommand::CreateSchedule { service: service.clone(), template, schedule };
    let Row::Schedule(schedule) = first(host, command).await? else {
        return Err("a schedule was made, and the reply is another row".to_owned());
    };
    send(&host.runtime, BoardCommand::EditSettings(settings(random))).await?;
    let presets = host.runtime.presets(&workspace()).await.map_err(shown)?;
    let preset = presets.first().ok_or("a new workspace has no preset")?.id.clone();
    world.site = Some(Site { service, tasks, pipelines, schedule: schedule.id, preset });
    Ok(())
}

fn patch(title: &str, random: &mut Random) -> ItemPatch {
    let module_name = random.chance(20).then(|| Some("module".to_owned()));
    let of_task = title != "service";
    ItemPatch {
        title: Some(title.to_owned()),
        repository: (!of_task).then(|| Some(crate::people::REPOSITORY.to_owned())),
        module_name: module_name.filter(|_| of_task),
        ..ItemPatch::default()
    }
}

fn settings(random: &mut Random) -> SettingsPatch {
    let budget = SpendLimit::Amount(Money::from_millionths(1_000_000 * random.below(BUDGET_UNITS)));
    let monthly_limit = if random.chance(BUDGETED_PERCENT) { budget } else { SpendLimit::None };
    let shared = TaskLimit::Shared { limit: TASKS_AT_ONCE };
    SettingsPatch {
        pricing: Some(Pricing { monthly_limit, ..Pricing::default() }),
        task_limit: random.chance(LIMITED_PERCENT).then_some(shared),
        waiting_escalation_minutes: None,
    }
}

async fn make(
    host: &Host,
    level: ItemLevel,
    parent: Option<&ItemId>,
    item: ItemPatch,
) -> Result<ItemId, String> {
    match first(host, BoardCommand::CreateItem { level, parent: parent.cloned(), item }).await? {
        Row::Item(item) => Ok(item.id),
        row => Err(format!("an item was made, and the reply is {row:?}")),
    }
}

async fn first(host: &Host, command: BoardCommand) -> Result<Row, String> {
    let rows = send(&host.runtime, command).await?;
    rows.into_iter().next().ok_or_else(|| "a command changed no row".to_owned())
}

async fn send(runtime: &Runtime, command: BoardCommand) -> Result<Vec<Row>, String> {
    let reply = runtime.command(&workspace(), command, "founder").await;
    Ok(reply.map_err(shown)?.rows)
}

/// Nothing is held back any more, and the schedule fires no more.
pub(crate) async fn relax(runtime: Runtime, schedule: ScheduleId) -> Result<(), String> {
    let pricing = Some(Pricing { monthly_limit: SpendLimit::None, ..Pricing::default() });
    let task_limit = Some(TaskLimit::Off);
    let patch = SettingsPatch { pricing, task_limit, waiting_escalation_minutes: None };
    send(&runtime, BoardCommand::EditSettings(patch)).await?;
    let disabled = SchedulePatch { enabled: Some(false), ..SchedulePatch::default() };
    send(&runtime, BoardCommand::EditSchedule { id: schedule, schedule: disabled }).await.map(drop)
}

/// The start of a task under a token, the same whenever it is asked for.
pub(crate) fn start(site: &Site, number: u64) -> (ItemId, StartItem) {
    let random = &mut Random::new(number);
    let item = site.tasks[random.index(site.tasks.len())].clone();
    let pipeline = &site.pipelines[random.index(site.pipelines.len())];
    let request = StartItem {
        pipeline: random.chance(50).then(|| pipeline.clone()),
        replace: random.chance(20),
        token: Some(format!("token-{number}")),
        ..StartItem::default()
    };
    (item, request)
}

/// Somebody is about to do something to the board, sensible or not.
pub(crate) async fn some_deed(world: &mut World, host: &Host, by: &str) -> Result<What, String> {
    let items = host.runtime.items(&workspace()).await.map_err(shown)?;
    let cards = host.runtime.cards(None).await.map_err(shown)?;
    let (random, site) = (&mut world.random, world.site.as_ref().ok_or("there is no board")?);
    let task = site.tasks[random.index(site.tasks.len())].clone();
    let extra: Vec<&ItemId> =
        items.iter().filter(|item| item.title.starts_with(EXTRA)).map(|item| &item.id).collect();
    let current =
        |id: &ItemId| items.iter().find(|item| item.id == *id).and_then(|item| item.current_run.clone());
    Ok(match random.below(100) {
        0..12 => What::Write(Place::Title(task), by.to_owned()),
        12..16 => What::Write(Place::Minutes, (30 + random.below(90_000)).to_string()),
        16..20 => What::Write(Place::Preset(site.preset.clone()), by.to_owned()),
        20..24 => What::Write(Place::Schedule(site.schedule.clone()), by.to_owned()),
        24..32 => What::Create { title: format!("{EXTRA} {by}") },
        32..38 if !extra.is_empty() => What::Delete { item: extra[random.index(extra.len())].clone() },
        38..46 => What::Cancel { was: current(&task), item: task },
        46..56 => {
            let mergeable = |item: &&Item| item.status == ItemStatus::PrReady;
            What::Merge { item: items.iter().find(mergeable).map_or(task, |item| item.id.clone()) }
        }
        56..76 if !cards.is_empty() => {
            let id = cards[random.index(cards.len())].id.clone();
            let action = if random.chance(50) { CardAction::Act } else { CardAction::Dismiss };
            What::Card { id, action }
        }
        76..82 => What::Fire { schedule: site.schedule.clone() },
        82..92 => What::Review { item: task },
        92..96 => What::Wait { item: task, on: site.tasks[random.index(site.tasks.len())].clone() },
        _ => What::ResumePaused,
    })
}

impl Person {
    pub(crate) async fn start_item(self, item: ItemId, request: StartItem) {
        let token = request.token.clone().unwrap_or_default();
        let told = self.runtime.start_item(&workspace(), &item, request).await;
        lock(&self.ledger).starts.push(crate::people::Start { token, told });
    }

    /// Does something to the board, now and then twice.
    pub(crate) async fn do_to_board(self, what: What, service: ItemId, times: u32) {
        for _ in 0..times {
            let index = {
                let ledger = &mut *lock(&self.ledger);
                ledger.moments += 1;
                let (by, what, begun) = (self.by.clone(), what.clone(), ledger.moments);
                ledger.deeds.push(Deed { by, what, begun, told: None });
                ledger.deeds.len() - 1
            };
            let told = self.carry_out(&what, &service).await;
            let ledger = &mut *lock(&self.ledger);
            ledger.moments += 1;
            ledger.deeds[index].told = Some((ledger.moments, told));
        }
    }

    async fn carry_out(&self, what: &What, service: &ItemId) -> Result<Reply, ServiceError> {
        let (runtime, by, of) = (&self.runtime, self.by.as_str(), workspace());
        match what {
            What::Write(place, value) => runtime.command(&of, writing(place, value), by).await.map(yes),
            What::Create { title } => {
                let item = ItemPatch { title: Some(title.clone()), ..ItemPatch::default() };
                let parent = Some(service.clone());
                let command = BoardCommand::CreateItem { level: ItemLevel::Task, parent, item };
                runtime.command(&of, command, by).await.map(yes)
            }
            What::Delete { item } => {
                runtime.command(&of, BoardCommand::DeleteItem { id: item.clone() }, by).await.map(yes)
            }
            What::Cancel { item, .. } => runtime.cancel_item(&of, item, by).await.map(yes),
            What::Merge { item } => runtime.merge_item(&of, item, by).await.map(yes),
            What::Card { id, action } => {
                runtime.settle_card(id, *action, by).await.map(|card| Reply::Card(Box::new(card)))
            }
            What::Fire { schedule } => {
                let command = BoardCommand::RunSchedule { id: schedule.clone() };
                let reply = runtime.command(&of, command, by).await?;
                Ok(reply.run.map_or(Reply::Yes, |run| Reply::Run(run.id)))
            }
            What::Review { item } => {
                let action =
                    StepAction { name: "review".to_owned(), input: JsonText::null(), by: by.to_owned() };
                runtime.review_item(&of, item, "reader", action).await.map(yes)
            }
            What::Wait { item, on } => {
                let command = BoardCommand::ToggleDependency { id: item.clone(), on: on.clone() };
                runtime.command(&of, command, by).await.map(yes)
            }
            What::ResumePaused => runtime.resume_paused(&of, by).await.map(yes),
        }
    }
}

fn yes<T>(_: T) -> Reply {
    Reply::Yes
}

fn writing(place: &Place, value: &str) -> BoardCommand {
    let value = value.to_owned();
    match place {
        Place::Title(id) => {
            let item = ItemPatch { title: Some(value), ..ItemPatch::default() };
            BoardCommand::EditItem { id: id.clone(), item }
        }
        Place::Minutes => BoardCommand::EditSettings(SettingsPatch {
            waiting_escalation_minutes: value.parse().ok(),
            ..SettingsPatch::default()
        }),
        Place::Preset(id) => {
            let preset = PresetPatch { name: Some(value), ..PresetPatch::default() };
            BoardCommand::EditPreset { id: id.clone(), preset }
        }
        Place::Schedule(id) => {
            let schedule = SchedulePatch { name: Some(value), ..SchedulePatch::default() };
            BoardCommand::EditSchedule { id: id.clone(), schedule }
        }
    }
}

impl Site {
    pub(crate) fn service(&self) -> &ItemId {
        &self.service
    }
}
