use super::{Style, Tone, counted, duration, grouped, line, runs, short};
use crate::context::Context;
use lockstep_ports::{BoardReply, Card, SpendView};
use lockstep_types::board::{
    PipelineDef, Preset, Price, Recurrence, Row, Schedule, ScheduleRun, ScheduleRunState, Settings,
    SpendLimit, TaskLimit, Weekday, Workspace,
};
use lockstep_types::{Pinning, Severity, Timestamp};

/// Longest name in a list.
const NAME_MAX: usize = 50;

/// Columns of the names of values.
const NAME_WIDTH: usize = 15;

/// What a command did, and what it is about.
pub(crate) fn reply(what: &str, reply: &BoardReply, context: &Context) -> String {
    let mut text = match reply.rows.first() {
        Some(row) => format!("{what} {}\n", row_line(row)),
        None => format!("{what}\n"),
    };
    if let Some(run) = &reply.run {
        text.push_str(&format!("watch its run: `{}`\n", context.command(&format!("runs watch {}", run.id))));
    }
    text
}

fn row_line(row: &Row) -> String {
    let named = |id: &dyn std::fmt::Display, name: &str| format!("{id}: {}", line(name, usize::MAX));
    match row {
        Row::Workspace(row) => named(&row.id, &row.name),
        Row::Settings(_) => "the settings".to_owned(),
        Row::Item(row) => named(&row.id, &row.title),
        Row::Preset(row) => named(&row.id, &row.name),
        Row::Pipeline(row) => {
            format!("{}, {}", named(&row.id, &row.name), counted(row.steps.len(), "step"))
        }
        Row::Schedule(row) => named(&row.id, &row.name),
        Row::ScheduleRun(row) => {
            let outcome = row.outcome.as_deref().map(|why| format!(": {}", line(why, usize::MAX)));
            format!("{}, {}{}", row.schedule, state_word(row.state).1, outcome.unwrap_or_default())
        }
        Row::Spend(row) => row.month.to_string(),
    }
}

pub(crate) fn workspaces(style: &Style, list: &[Workspace]) -> String {
    if list.is_empty() {
        return "no workspaces\n".to_owned();
    }
    let row = |row: &Workspace| {
        vec![
            (Tone::Strong, row.id.to_string()),
            (Tone::Plain, line(&row.name, NAME_MAX)),
            (Tone::Faint, style.moment(row.created_at)),
        ]
    };
    style.table(&["WORKSPACE", "NAME", "MADE"], &list.iter().map(row).collect::<Vec<_>>())
}

pub(crate) fn presets(style: &Style, list: &[Preset]) -> String {
    let row = |row: &Preset| {
        let tolerated = format!("{:?}", row.tolerated_severity).to_lowercase();
        vec![
            (Tone::Strong, row.id.to_string()),
            (Tone::Plain, line(&row.name, NAME_MAX)),
            (Tone::Good, if row.is_default { "yes".to_owned() } else { String::new() }),
            (Tone::Plain, format!("{}/{}/{}", row.max_complexity, row.max_risk, row.max_impact)),
            (Tone::Plain, row.ci_max_attempts.to_string()),
            (Tone::Plain, row.max_review_iterations.to_string()),
            (Tone::Plain, tolerated),
            (Tone::Plain, format!("{} min, {}", row.release_watch_minutes, row.release_max_attempts)),
        ]
    };
    let headings =
        ["PRESET", "NAME", "DEFAULT", "COMPLEXITY/RISK/IMPACT", "REPAIRS", "REVIEWS", "TOLERATES", "RELEASE"];
    style.table(&headings, &list.iter().map(row).collect::<Vec<_>>())
}

pub(crate) fn pipelines(style: &Style, list: &[PipelineDef]) -> String {
    if list.is_empty() {
        return "no pipelines\n".to_owned();
    }
    let row = |row: &PipelineDef| {
        let kept = match (row.builtin, row.archived) {
            (_, true) => "archived",
            (true, false) => "built in",
            (false, false) => "",
        };
        vec![
            (Tone::Strong, row.id.to_string()),
            (Tone::Plain, line(&row.name, NAME_MAX)),
            (Tone::Plain, row.steps.len().to_string()),
            (Tone::Faint, kept.to_owned()),
            (Tone::Faint, line(&row.labels.join(", "), NAME_MAX)),
            (Tone::Faint, line(&row.description, NAME_MAX)),
        ]
    };
    let headings = ["PIPELINE", "NAME", "STEPS", "", "LABELS", "WHAT IT IS FOR"];
    style.table(&headings, &list.iter().map(row).collect::<Vec<_>>())
}

/// A pipeline with its steps.
pub(crate) fn pipeline(style: &Style, shown: &PipelineDef) -> String {
    let name = style.paint(Tone::Strong, &line(&shown.name, usize::MAX));
    let mut text = format!("{name}  {}\n", shown.id);
    if !shown.description.is_empty() {
        text.push_str(&format!("{}\n", style.paint(Tone::Plain, &line(&shown.description, usize::MAX))));
    }
    if shown.pin == Pinning::Step {
        text.push_str("each step takes the active component of its kind when it starts\n");
    }
    let rows: Vec<_> = shown
        .steps
        .iter()
        .map(|step| {
            let mut notes = Vec::new();
            if !step.enabled {
                notes.push("disabled".to_owned());
            }
            if step.approval {
                notes.push("asks for consent".to_owned());
            }
            if step.gating.as_ref().is_some_and(|gating| gating.enabled) {
                notes.push("by estimate".to_owned());
            }
            if let Some(needs) = &step.needs {
                notes.push(format!(
                    "after {}",
                    if needs.is_empty() { "nothing".into() } else { needs.join(", ") }
                ));
            }
            let config = Some(step.config.as_str()).filter(|text| !["null", "{}"].contains(text));
            vec![
                (Tone::Strong, line(&step.name, NAME_MAX)),
                (Tone::Plain, line(&step.kind, NAME_MAX)),
                (Tone::Plain, line(step.role(), NAME_MAX)),
                (Tone::Faint, line(&notes.join("; "), NAME_MAX)),
                (Tone::Faint, line(config.unwrap_or_default(), NAME_MAX)),
            ]
        })
        .collect();
    text.push('\n');
    text.push_str(&style.table(&["STEP", "KIND", "ROLE", "NOTES", "CONFIG"], &rows));
    text
}

pub(crate) fn schedules(style: &Style, list: &[Schedule]) -> String {
    if list.is_empty() {
        return "no schedules\n".to_owned();
    }
    let row = |row: &Schedule| {
        let next = if row.enabled { style.moment(row.next_run) } else { "disabled".to_owned() };
        vec![
            (Tone::Strong, row.id.to_string()),
            (Tone::Plain, line(&row.name, NAME_MAX)),
            (Tone::Plain, recurrence(&row.recurrence)),
            (Tone::Plain, next),
            (Tone::Plain, row.pipeline.to_string()),
            (Tone::Plain, row.task.to_string()),
            (Tone::Faint, row.last_run.map(|at| style.moment(at)).unwrap_or_default()),
        ]
    };
    let headings = ["SCHEDULE", "NAME", "WHEN", "NEXT", "PIPELINE", "TASK", "LAST"];
    style.table(&headings, &list.iter().map(row).collect::<Vec<_>>())
}

/// `every 168 h on sun, 3:00 to 4:00, Europe/Berlin`
fn recurrence(recurrence: &Recurrence) -> String {
    let mut text = format!("every {} h", recurrence.interval_hours);
    let days: Vec<&str> = recurrence.weekdays.iter().map(|day| short_day(*day)).collect();
    if !days.is_empty() {
        text.push_str(&format!(" on {}", days.join(" ")));
    }
    if recurrence.window_start_hour.is_some() || recurrence.window_end_hour.is_some() {
        let (from, to) =
            (recurrence.window_start_hour.unwrap_or(0), recurrence.window_end_hour.unwrap_or(24));
        text.push_str(&format!(", {from}:00 to {to}:00"));
    }
    format!("{text}, {}", line(&recurrence.timezone, NAME_MAX))
}

fn short_day(day: Weekday) -> &'static str {
    match day {
        Weekday::Sunday => "sun",
        Weekday::Monday => "mon",
        Weekday::Tuesday => "tue",
        Weekday::Wednesday => "wed",
        Weekday::Thursday => "thu",
        Weekday::Friday => "fri",
        Weekday::Saturday => "sat",
    }
}

fn state_word(state: ScheduleRunState) -> (Tone, &'static str) {
    match state {
        ScheduleRunState::Running => (Tone::Plain, "running"),
        ScheduleRunState::Done => (Tone::Good, "done"),
        ScheduleRunState::Failed => (Tone::Bad, "failed"),
        ScheduleRunState::Skipped => (Tone::Faint, "skipped"),
    }
}

/// What a schedule started.
pub(crate) fn schedule_runs(style: &Style, list: &[ScheduleRun]) -> String {
    if list.is_empty() {
        return "it has not been started yet\n".to_owned();
    }
    let row = |row: &ScheduleRun| {
        let (tone, state) = state_word(row.state);
        let took = row.finished_at.map(|end| duration(end.ms_since(row.started_at)));
        vec![
            (Tone::Strong, row.number.to_string()),
            (Tone::Plain, style.moment(row.started_at)),
            (tone, state.to_owned()),
            (Tone::Plain, row.run.as_ref().map(|run| short(run).to_owned()).unwrap_or_default()),
            (Tone::Plain, took.unwrap_or_default()),
            (Tone::Faint, if row.forced { "by hand".to_owned() } else { String::new() }),
            (Tone::Plain, line(row.outcome.as_deref().unwrap_or_default(), NAME_MAX)),
        ]
    };
    let headings = ["NO", "STARTED", "STATE", "RUN", "TOOK", "", "OUTCOME"];
    style.table(&headings, &list.iter().map(row).collect::<Vec<_>>())
}

/// Open cards, and how to deal with them.
pub(crate) fn cards(style: &Style, list: &[Card], context: &Context, now: Timestamp) -> String {
    if list.is_empty() {
        return "nothing waits for anybody\n".to_owned();
    }
    let row = |card: &Card| {
        let urgent = card.notice.severity == Severity::Urgent;
        vec![
            (Tone::Strong, line(&card.id, usize::MAX)),
            (Tone::Faint, duration(now.ms_since(card.notice.raised_at))),
            (
                if urgent { Tone::Bad } else { Tone::Plain },
                (if urgent { "urgent" } else { "normal" }).to_owned(),
            ),
            (Tone::Plain, line(&card.item, NAME_MAX)),
            (Tone::Plain, line(&card.notice.kind, NAME_MAX)),
            (Tone::Plain, line(&card.act, NAME_MAX)),
            (Tone::Plain, line(&card.notice.title, NAME_MAX)),
        ]
    };
    let headings = ["NOTICE", "SINCE", "SEVERITY", "ITEM", "KIND", "ACT", "TITLE"];
    let table = style.table(&headings, &list.iter().map(row).collect::<Vec<_>>());
    let (act, dismiss) = (context.command("notices act NOTICE"), context.command("notices dismiss NOTICE"));
    format!("{table}\ndo what one asks for with `{act}`, close it with `{dismiss}`\n")
}

/// A month's spend against the limit.
pub(crate) fn spend(style: &Style, view: &SpendView, context: &Context, now: Timestamp) -> String {
    let (spent, pricing) = (&view.spent, &view.settings.pricing);
    let currency = line(&pricing.currency, 8);
    let limit = match pricing.monthly_limit {
        SpendLimit::Amount(limit) => format!("of {limit} {currency}"),
        SpendLimit::None => "without limit".to_owned(),
    };
    let mut text = format!(
        "{}  {} {currency} {limit}\ntokens: {} read, {} written\n",
        style.paint(Tone::Strong, &spent.month.to_string()),
        spent.cost,
        grouped(spent.input_tokens),
        grouped(spent.output_tokens),
    );
    if view.over_budget {
        text.push_str(&format!("{}\n", style.paint(Tone::Bad, "nothing more may be spent this month")));
        let raise = context.board_command("settings set --monthly-limit AMOUNT");
        text.push_str(&format!("  raise the limit: {raise}\n"));
    }
    if !view.paused.is_empty() {
        text.push_str(&format!(
            "\n{} for a budget:\n",
            if view.paused.len() == 1 { "waits" } else { "wait" }
        ));
        text.push_str(&runs(style, &view.paused, now));
        text.push_str(&format!("\nlet them go on: {}\n", context.board_command("spend resume")));
    }
    text
}

/// The settings of a workspace.
pub(crate) fn settings(style: &Style, settings: &Settings) -> String {
    let pricing = &settings.pricing;
    let currency = line(&pricing.currency, 8);
    let tasks = match &settings.task_limit {
        TaskLimit::Off => "any number of tasks of a service at once".to_owned(),
        TaskLimit::Shared { limit } => format!("{} of a service at once", counted(*limit as usize, "task")),
        TaskLimit::PerType { limits } => {
            let limits: Vec<_> =
                limits.iter().map(|(what, limit)| format!("{}={limit}", what.word())).collect();
            format!("{} of a service at once", limits.join(", "))
        }
    };
    let limit = match pricing.monthly_limit {
        SpendLimit::Amount(limit) => format!("{limit} {currency} a month"),
        SpendLimit::None => "none".to_owned(),
    };
    let price = |price: &Price| {
        format!(
            "{}/{} {currency} a million tokens read/written",
            price.input_per_million, price.output_per_million
        )
    };
    let mut rows = vec![
        ("task limit".to_owned(), tasks),
        (
            "escalation".to_owned(),
            format!("open cards are urgent after {} min", settings.waiting_escalation_minutes),
        ),
        ("budget".to_owned(), limit),
        ("default price".to_owned(), price(&pricing.default_price)),
    ];
    rows.extend(pricing.prices.iter().map(|(model, amount)| (line(model, NAME_MAX), price(amount))));
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).max(NAME_WIDTH);
    let row =
        |(name, value): &(String, String)| format!("{}  {value}\n", style.cell(Tone::Faint, name, width));
    rows.iter().map(row).collect()
}
