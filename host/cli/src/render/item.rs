use super::{Style, Tone, duration, grouped, indented, line, short, status_tone};
use crate::context::Context;
use lockstep_ports::ItemView;
use lockstep_types::board::{Item, ItemId, TaskType};
use lockstep_types::{ItemLevel, ItemStatus, Timestamp};
use std::collections::{HashMap, HashSet};

/// Longest title in a list.
const TITLE_MAX: usize = 60;

/// The word of a state.
pub(crate) fn status_word(status: ItemStatus) -> &'static str {
    match status {
        ItemStatus::Planned => "planned",
        ItemStatus::Ready => "ready",
        ItemStatus::InProgress => "in-progress",
        ItemStatus::Blocked => "blocked",
        ItemStatus::PrReady => "pr-ready",
        ItemStatus::Done => "done",
    }
}

fn item_tone(status: ItemStatus) -> Tone {
    match status {
        ItemStatus::Planned | ItemStatus::Ready => Tone::Faint,
        ItemStatus::InProgress => Tone::Plain,
        ItemStatus::Blocked | ItemStatus::PrReady => Tone::Attention,
        ItemStatus::Done => Tone::Good,
    }
}

/// What an item is: its type where it has one.
fn what(item: &Item) -> String {
    match item.level {
        ItemLevel::Service => "service".to_owned(),
        ItemLevel::Module => "module".to_owned(),
        ItemLevel::Task if item.task_type == TaskType::Feature => "task".to_owned(),
        ItemLevel::Task => format!("task, {}", item.task_type.word()),
    }
}

/// Items, each indented below what it belongs to if that is in the list too.
pub(crate) fn items(style: &Style, items: &[Item]) -> String {
    if items.is_empty() {
        return "no items\n".to_owned();
    }
    let listed: HashSet<&ItemId> = items.iter().map(|item| &item.id).collect();
    let mut below: HashMap<Option<&ItemId>, Vec<&Item>> = HashMap::new();
    for item in items {
        below.entry(item.parent.as_ref().filter(|parent| listed.contains(parent))).or_default().push(item);
    }
    let mut rows = Vec::new();
    let mut open: Vec<(&Item, usize)> = Vec::new();
    let children = |of: Option<&ItemId>, depth: usize| {
        below.get(&of).into_iter().flatten().rev().map(move |item| (*item, depth)).collect::<Vec<_>>()
    };
    open.extend(children(None, 0));
    while let Some((item, depth)) = open.pop() {
        let waits: Vec<&str> = item.depends_on.iter().map(ItemId::as_str).collect();
        rows.push(vec![
            (Tone::Strong, item.id.to_string()),
            (Tone::Plain, what(item)),
            (item_tone(item.status), status_word(item.status).to_owned()),
            (Tone::Plain, format!("{}{}", "  ".repeat(depth), line(&item.title, TITLE_MAX))),
            (Tone::Faint, line(&waits.join(", "), TITLE_MAX)),
            (Tone::Faint, line(&item.labels.join(", "), TITLE_MAX)),
        ]);
        open.extend(children(Some(&item.id), depth + 1));
    }
    style.table(&["ITEM", "WHAT", "STATE", "TITLE", "WAITS FOR", "LABELS"], &rows)
}

/// An item whole.
pub(crate) fn item(style: &Style, view: &ItemView, context: &Context, now: Timestamp) -> String {
    let item = &view.item;
    let mut text = format!(
        "{}  {}\n{}\n\n",
        style.paint(Tone::Strong, item.id.as_str()),
        style.paint(item_tone(item.status), status_word(item.status)),
        style.paint(Tone::Plain, &line(&item.title, usize::MAX)),
    );
    text.push_str(&facts(style, item));
    if let Some(run) = &view.run {
        text.push_str(&format!(
            "\n{} {} {}  {}\n",
            style.paint(Tone::Faint, "run"),
            style.paint(Tone::Strong, run.id.as_str()),
            style.paint(status_tone(run.status), run.status.word()),
            context.command(&format!("why {}", short(&run.id))),
        ));
    }
    if !item.description.trim().is_empty() {
        text.push_str(&format!("\n{}", indented(&item.description, "  ")));
    }
    for card in &view.cards {
        let age = duration(now.ms_since(card.notice.raised_at));
        let title = format!("notice {}: {}", card.id, line(&card.notice.title, usize::MAX));
        text.push_str(&format!("\n{} ({age})\n", style.paint(Tone::Attention, &title)));
        text.push_str(&indented(&card.notice.body, "  "));
    }
    text
}

fn facts(style: &Style, item: &Item) -> String {
    let joined = |ids: &[String]| ids.join(", ");
    let waits: Vec<String> = item.depends_on.iter().map(ToString::to_string).collect();
    let documents: Vec<String> = item
        .documents
        .iter()
        .map(|document| format!("{} ({} B)", document.name, grouped(document.value.as_str().len() as u64)))
        .collect();
    let environments: Vec<String> =
        item.environments.iter().map(|environment| environment.id.clone()).collect();
    let id = |id: &Option<String>| id.clone().unwrap_or_default();
    let rows = [
        ("what", what(item)),
        ("belongs to", id(&item.parent.as_ref().map(ToString::to_string))),
        ("waits for", joined(&waits)),
        ("pipeline", id(&item.pipeline.as_ref().map(ToString::to_string))),
        ("preset", id(&item.preset.as_ref().map(ToString::to_string))),
        ("repository", id(&item.repository)),
        ("directory", id(&item.directory)),
        ("base branch", id(&item.base_branch)),
        ("branch", id(&item.head_branch)),
        ("pull request", item.pull_request.as_ref().map(|request| request.url.clone()).unwrap_or_default()),
        ("module", id(&item.module_name)),
        ("responsible", id(&item.responsible)),
        ("labels", joined(&item.labels)),
        ("documents", joined(&documents)),
        ("environments", joined(&environments)),
        ("archived", if item.archived { "yes".to_owned() } else { String::new() }),
        ("changed", style.moment(item.updated_at)),
    ];
    let rows = rows.iter().filter(|(_, value)| !value.is_empty());
    rows.map(|(name, value)| {
        let value = style.paint(Tone::Plain, &line(value, usize::MAX));
        format!("{}  {value}\n", style.cell(Tone::Faint, name, 12))
    })
    .collect()
}
