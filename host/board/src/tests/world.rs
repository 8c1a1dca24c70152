//! A board that tells in text what commands do to it.

use crate::Board;
use lockstep_types::board::{Change, Item, ItemId, ItemPatch, Row};
use lockstep_types::{Access, Descriptor, Grading, ItemLevel, ItemStatus, JsonText, Rejected, Timestamp};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Monday 2026-01-05, 09:00 UTC.
pub(super) const NOW: Timestamp = Timestamp(1_767_603_600_000);

pub(super) struct World {
    pub(super) board: Board,
    told: String,
}

impl World {
    /// The board of a new workspace.
    pub(super) fn new() -> Self {
        let changes = Board::create("shop".parse().unwrap(), "Shop", NOW).unwrap();
        let rows = changes.into_iter().map(|change| match change {
            Change::Put(row) => row,
            Change::Remove(key) => panic!("a new board removes {key}"),
        });
        Self { board: Board::from_rows(rows).unwrap(), told: String::new() }
    }

    /// Makes an item that must be accepted.
    pub(super) fn item(&mut self, level: ItemLevel, parent: Option<&ItemId>, title: &str) -> ItemId {
        let patch = ItemPatch { title: Some(title.to_owned()), ..ItemPatch::default() };
        let (id, changes) = self.board.create_item(level, parent, patch, NOW).unwrap();
        self.board.apply(&changes);
        id
    }

    pub(super) fn service(&mut self, title: &str) -> ItemId {
        self.item(ItemLevel::Service, None, title)
    }

    pub(super) fn task(&mut self, parent: &ItemId, title: &str) -> ItemId {
        self.item(ItemLevel::Task, Some(parent), title)
    }

    pub(super) fn edit(&mut self, id: &ItemId, patch: ItemPatch) {
        let changes = self.board.edit_item(id, patch, NOW).unwrap();
        self.board.apply(&changes);
    }

    pub(super) fn stands(&mut self, id: &ItemId, status: ItemStatus) {
        let record = crate::ItemRecord { status: Some(status), ..Default::default() };
        let changes = self.board.record(id, record, NOW).unwrap();
        self.board.apply(&changes);
    }

    /// Tells what a command answers, and applies it.
    pub(super) fn tell(&mut self, what: &str, answer: Result<Vec<Change>, Rejected>) {
        writeln!(self.told, "{what}").unwrap();
        match answer {
            Ok(changes) => {
                let shown = changes.iter().filter(|change| !matches!(change, Change::Put(Row::Workspace(_))));
                shown.for_each(|change| writeln!(self.told, "    {}", change_text(change)).unwrap());
                self.board.apply(&changes);
            }
            Err(rejected) => writeln!(self.told, "    {}", refusal(&rejected)).unwrap(),
        }
    }

    pub(super) fn note(&mut self, text: impl std::fmt::Display) {
        writeln!(self.told, "{text}").unwrap();
    }

    pub(super) fn told(self) -> String {
        self.told
    }
}

pub(super) fn refusal(rejected: &Rejected) -> String {
    let class = match rejected {
        Rejected::NotFound(_) => "not found",
        Rejected::Conflict(_) => "conflict",
        Rejected::Invalid(_) => "invalid",
    };
    format!("{class}: {rejected}")
}

pub(super) fn verdict(answer: Result<(), Rejected>) -> String {
    answer.err().map_or_else(|| "ok".to_owned(), |rejected| refusal(&rejected))
}

fn change_text(change: &Change) -> String {
    match change {
        Change::Remove(key) => format!("- {key}"),
        Change::Put(row) => format!("+ {} {}", row.key(), row_text(row)).trim_end().to_owned(),
    }
}

fn row_text(row: &Row) -> String {
    match row {
        Row::Workspace(_) | Row::Settings(_) => String::new(),
        Row::Item(item) => item_text(item),
        Row::Preset(preset) => {
            format!("{:?}{}", preset.name, if preset.is_default { " default" } else { "" })
        }
        Row::Pipeline(pipeline) => {
            let steps: Vec<&str> = pipeline.steps.iter().map(|step| step.name.as_str()).collect();
            format!("{:?} {:?} {}", pipeline.name, pipeline.labels, steps.join(" "))
        }
        Row::Schedule(schedule) => {
            let on = if schedule.enabled { "" } else { " off" };
            format!("{:?} on {} next {}{on}", schedule.name, schedule.task, schedule.next_run)
        }
        Row::ScheduleRun(row) => {
            let run = row.run.as_ref().map(ToString::to_string).unwrap_or_default();
            format!("{:?} {run} {}", row.state, row.outcome.as_deref().unwrap_or(""))
        }
        Row::Spend(month) => format!("{} {}/{}", month.cost, month.input_tokens, month.output_tokens),
    }
}

fn item_text(item: &Item) -> String {
    let mut text = format!("{:?} {:?} {:?}", item.level, item.title, item.status);
    if let Some(parent) = &item.parent {
        write!(text, " in {parent}").unwrap();
    }
    if !item.depends_on.is_empty() {
        let on: Vec<&str> = item.depends_on.iter().map(ItemId::as_str).collect();
        write!(text, " waits for {}", on.join(" ")).unwrap();
    }
    if !item.labels.is_empty() {
        write!(text, " {:?}", item.labels).unwrap();
    }
    if !item.description.is_empty() {
        write!(text, " {:?}", item.description.chars().take(40).collect::<String>()).unwrap();
    }
    for notice in &item.notices {
        write!(text, " #{} {} {:?} {:?}", notice.id.0, notice.kind, notice.severity, notice.state).unwrap();
    }
    text
}

/// The step kinds of a host, as far as the rules of shape ask.
pub(super) fn kinds() -> BTreeMap<String, Descriptor> {
    let descriptor = |kind: &str| Descriptor {
        kind: kind.to_owned(),
        version: "1.0.0".to_owned(),
        state_version: 1,
        summary: String::new(),
        config_schema: JsonText::null(),
        jobs: Vec::new(),
        effects: Vec::new(),
        access: Access::ReadOnly,
        documents: Vec::new(),
        grades: Vec::new(),
        needs: Vec::new(),
    };
    let grading = |(role, producer): (&str, &str)| Grading {
        role: role.to_owned(),
        producers: vec![producer.to_owned()],
    };
    let graders =
        [("architect-companion", "architect"), ("spec-companion", "spec-writer"), ("reviewer", "coder")];
    let all = [
        descriptor("agent"),
        descriptor("ci-gate"),
        Descriptor { grades: graders.map(grading).into(), ..descriptor("companion-grader") },
        Descriptor { documents: vec!["estimate".to_owned()], ..descriptor("task-estimator") },
        Descriptor { needs: vec!["test-infrastructure".to_owned()], ..descriptor("tester") },
        Descriptor { needs: vec!["observability".to_owned()], ..descriptor("release-health-gate") },
    ];
    all.into_iter().map(|known| (known.kind.clone(), known)).collect()
}
