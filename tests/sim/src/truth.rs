//! What must hold of a board: it tells the same story as the runs, and nothing people were told of it is lost.

use crate::board::{Deed, Place, Reply, What, workspace};
use crate::outside::lock;
use crate::world::{Host, World, shown};
use lockstep_ports::{BoardService, Journal, RunService, ServiceError};
use lockstep_types::board::{
    Item, ItemId, Money, Month, Row, ScheduleRun, ScheduleRunState, Settings, SpendMonth,
};
use lockstep_types::{ItemLevel, ItemStatus, NoticeId, NoticeState, RunId, RunRow, Severity};
use std::collections::{BTreeMap, BTreeSet};

/// A board as it is stored.
#[derive(Default)]
struct Stored {
    items: BTreeMap<ItemId, Item>,
    names: Vec<(Place, String)>,
    history: Vec<ScheduleRun>,
    spend: BTreeMap<Month, SpendMonth>,
    settings: Settings,
}

async fn stored(world: &World) -> Result<Stored, String> {
    let mut board = Stored::default();
    for (_, row) in world.journal.boards().await.map_err(shown)? {
        match row {
            Row::Item(item) => {
                board.names.push((Place::Title(item.id.clone()), item.title.clone()));
                board.items.insert(item.id.clone(), item);
            }
            Row::Preset(preset) => board.names.push((Place::Preset(preset.id), preset.name)),
            Row::Schedule(schedule) => board.names.push((Place::Schedule(schedule.id), schedule.name)),
            Row::ScheduleRun(run) => board.history.push(run),
            Row::Spend(month) => drop(board.spend.insert(month.month, month)),
            Row::Settings(settings) => board.settings = settings,
            Row::Workspace(_) | Row::Pipeline(_) => {}
        }
    }
    board.names.push((Place::Minutes, board.settings.waiting_escalation_minutes.to_string()));
    Ok(board)
}

/// What is stored of the board agrees with itself, with the journals, and with what people were told.
pub(crate) async fn board_is_true(world: &World, rows: &[RunRow]) -> Result<(), String> {
    let board = stored(world).await?;
    for item in board.items.values().filter(|item| item.level == ItemLevel::Task) {
        item_is_true(world, item, rows)?;
    }
    for run in rows.iter().map(|row| &row.summary).filter(|run| run.workspace.is_some() && !run.is_errand) {
        let item = run.item.parse().ok().and_then(|id: ItemId| board.items.get(&id));
        if run.status.is_live() && item.is_none_or(|item| item.current_run.as_ref() != Some(&run.id)) {
            let named = item.map(|item| (item.status, &item.current_run));
            return Err(format!("{} is live, and {} does not name it: {named:?}", run.id, run.item));
        }
    }
    spend_is_true(world, &board)?;
    history_is_true(&board, rows)?;
    let ledger = lock(&world.ledger);
    for (place, value) in &board.names {
        nothing_is_overwritten(&ledger.deeds, place, value)?;
    }
    ledger.deeds.iter().try_for_each(|deed| deed_is_true(world, &board, &ledger.deeds, deed))
}

fn item_is_true(world: &World, item: &Item, rows: &[RunRow]) -> Result<(), String> {
    let id = &item.id;
    let Some(current) = &item.current_run else {
        return match item.status {
            ItemStatus::Planned => Ok(()),
            status => Err(format!("{id} has no run and is {status:?}")),
        };
    };
    let run = rows.iter().map(|row| &row.summary).find(|run| run.id == *current);
    let run = run.ok_or_else(|| format!("{id} names {current}, which is not there"))?;
    if item.status != run.item_status {
        return Err(format!("{id} is {:?}, and its run {current} says {:?}", item.status, run.item_status));
    }
    let left = world.seen.get(current).map(|seen| &seen.documents);
    if left != Some(&item.documents) {
        return Err(format!("{id} has the documents {:?}, and its run {current} {left:?}", item.documents));
    }
    Ok(())
}

/// Every job that was taken is paid for once, in the month it was taken.
fn spend_is_true(world: &World, board: &Stored) -> Result<(), String> {
    let mut paid: BTreeMap<Month, (u64, u64, u64)> = BTreeMap::new();
    for (month, usage) in world.seen.values().flat_map(|seen| &seen.spent) {
        let sum = paid.entry(*month).or_default();
        let price = Settings::default().pricing.default_price;
        let part = |tokens: u64, price: Money| tokens * price.millionths();
        let cost = part(usage.input_tokens, price.input_per_million)
            + part(usage.output_tokens, price.output_per_million);
        sum.0 += usage.input_tokens;
        sum.1 += usage.output_tokens;
        sum.2 += (cost + 500_000) / 1_000_000;
    }
    let stored = board.spend.values();
    let stored: BTreeMap<Month, (u64, u64, u64)> = stored
        .map(|spent| (spent.month, (spent.input_tokens, spent.output_tokens, spent.cost.millionths())))
        .collect();
    if paid == stored { Ok(()) } else { Err(format!("jobs cost {paid:?}, and the board says {stored:?}")) }
}

/// A run of a schedule stands in its history once, and the history says how it ended.
fn history_is_true(board: &Stored, rows: &[RunRow]) -> Result<(), String> {
    let mut named = BTreeSet::new();
    let mut numbers = BTreeSet::new();
    for entry in &board.history {
        if !numbers.insert(entry.number) {
            return Err(format!("the history has {} twice", entry.number));
        }
        let Some(id) = &entry.run else { continue };
        if !named.insert(id) {
            return Err(format!("{id} stands in the history twice"));
        }
        let run = rows.iter().map(|row| &row.summary).find(|run| run.id == *id);
        let run = run.ok_or_else(|| format!("the history names {id}, which is not there"))?;
        // A run that was begun again is told of as it first ended.
        let is_live = entry.state == ScheduleRunState::Running;
        if is_live && !run.status.is_live() {
            return Err(format!("{id} has ended, and the history says {:?}", entry.state));
        }
    }
    let of_schedule = |row: &&RunRow| {
        board.items.values().any(|item| {
            item.id.as_str() == row.summary.item
                && item.task_type == lockstep_types::board::TaskType::Recurring
                && !row.summary.is_errand
        })
    };
    match rows.iter().filter(of_schedule).find(|row| !named.contains(&row.summary.id)) {
        Some(row) => Err(format!("{} of the schedule does not stand in its history", row.summary.id)),
        None => Ok(()),
    }
}

/// The stored value is the last one somebody was told is stored, or one written beside it or after it.
fn nothing_is_overwritten(deeds: &[Deed], place: &Place, value: &str) -> Result<(), String> {
    let writes: Vec<(&Deed, &str)> = deeds
        .iter()
        .filter_map(|deed| match &deed.what {
            What::Write(to, value) if to == place => Some((deed, value.as_str())),
            _ => None,
        })
        .collect();
    let done = |deed: &Deed| matches!(deed.told, Some((_, Ok(_))));
    let later = |ended: usize| writes.iter().any(|(other, _)| done(other) && other.begun > ended);
    let mut of_value = writes.iter().filter(|(_, written)| *written == value).peekable();
    if of_value.peek().is_none() {
        // What stood there before anybody wrote.
        return if later(0) {
            Err(format!("{place:?} is {value:?}: what was written is lost"))
        } else {
            Ok(())
        };
    }
    let may_stand = |deed: &Deed| match &deed.told {
        None => true,
        Some((_, Err(_))) => false,
        Some((ended, Ok(_))) => !later(*ended),
    };
    if of_value.any(|(deed, _)| may_stand(deed)) {
        Ok(())
    } else {
        Err(format!("{place:?} is {value:?}, which was refused or overwritten"))
    }
}

fn deed_is_true(world: &World, board: &Stored, deeds: &[Deed], deed: &Deed) -> Result<(), String> {
    let Deed { by, what, told, .. } = deed;
    let Some((_, told)) = told else { return Ok(()) };
    if let Err(ServiceError::Internal(why)) = told {
        return Err(format!("{by} was told of {what:?}: {why}"));
    }
    let lost = || Err(format!("{by} was told that {what:?} was done ({told:?}), and it was not"));
    let is_there = match (what, told) {
        (What::Create { title }, told) => {
            let alike = board.items.values().filter(|item| item.title == *title).count();
            let made = deeds
                .iter()
                .filter(|other| matches!(&other.what, What::Create { title: other } if other == title));
            let (mut sure, mut possible) = (0, 0);
            for other in made {
                match &other.told {
                    Some((_, Ok(_))) => (sure, possible) = (sure + 1, possible + 1),
                    None => possible += 1,
                    Some((_, Err(_))) => {}
                }
            }
            let is_deleted = deeds.iter().any(|other| {
                matches!(&other.what, What::Delete { .. }) && !matches!(&other.told, Some((_, Err(_))))
            });
            if alike > possible {
                return Err(format!("{title:?} is there {alike} times: {by} was told {told:?}"));
            }
            alike >= sure || is_deleted
        }
        (_, Err(_)) => true,
        (What::Delete { item }, _) => !board.items.contains_key(item),
        (What::Cancel { item, was: Some(was) }, _) => {
            board.items.get(item).is_none_or(|item| item.current_run.as_ref() != Some(was))
        }
        (What::Card { id, .. }, Ok(Reply::Card(card))) => match id.rsplit_once(":n") {
            Some((run, number)) => {
                let seen = run.parse::<RunId>().ok().and_then(|run| world.seen.get(&run));
                let number = number.parse().map(NoticeId).map_err(shown)?;
                seen.is_none_or(|seen| seen.cards.get(&number) == Some(&card.notice.state))
                    && card.notice.state != NoticeState::Open
            }
            None => false,
        },
        (What::Merge { .. }, _) => {
            let done = |by: &str| world.seen.values().any(|seen| seen.by.contains(by));
            done(by)
        }
        (What::Fire { .. }, Ok(Reply::Run(run))) => world.seen.contains_key(run),
        _ => true,
    };
    if is_there { Ok(()) } else { lost() }
}

/// What the host shows is what is stored. Only to be asked while nothing goes on and nothing waits to be stored.
pub(crate) async fn host_agrees(world: &World, host: &Host) -> Result<(), String> {
    let (board, of) = (stored(world).await?, workspace());
    let shown_items = host.runtime.items(&of).await.map_err(shown)?;
    let same = shown_items.len() == board.items.len()
        && shown_items.iter().all(|item| board.items.get(&item.id) == Some(item));
    if !same {
        return Err("the host shows other items than are stored".to_owned());
    }
    let mut spend = Vec::new();
    for month in board.spend.values() {
        spend.push(host.runtime.spend(&of, Some(month.month)).await.map_err(shown)?);
    }
    if spend.iter().map(|view| view.spent).ne(board.spend.values().copied()) {
        return Err("the host shows another spend than is stored".to_owned());
    }
    let rows = world.rows().await?;
    let mut open = BTreeMap::new();
    for row in rows.iter().map(|row| &row.summary).filter(|run| !run.is_errand) {
        let item = row.item.parse().ok().and_then(|id: ItemId| board.items.get(&id));
        let counts =
            row.workspace.is_none() || item.is_some_and(|item| item.current_run.as_ref() == Some(&row.id));
        let notices = row.open_notices.iter().filter(|_| counts);
        open.extend(notices.map(|notice| (format!("{}:{}", row.id, notice.id), notice.clone())));
    }
    for item in board.items.values() {
        let notices = item.notices.iter().filter(|notice| notice.state == NoticeState::Open);
        open.extend(notices.map(|notice| (format!("{}:{}", item.id, notice.id), notice.clone())));
    }
    let cards = host.runtime.cards(None).await.map_err(shown)?;
    let cards: BTreeMap<_, _> = cards.into_iter().map(|card| (card.id, card.notice)).collect();
    if cards != open {
        let (cards, open) = (cards.keys(), open.keys());
        return Err(format!("the host shows the cards {cards:?}, and stored are {open:?}"));
    }
    for row in &rows {
        let run = host.runtime.get(&row.summary.id).await.map_err(shown)?;
        if run.summary != row.summary {
            return Err(format!("the host shows another {} than is stored", row.summary.id));
        }
    }
    Ok(())
}

/// Whether the host still owes the board something: tasks to start after a merge.
pub(crate) async fn is_owed(world: &World) -> Result<bool, String> {
    let board = stored(world).await?;
    Ok(board.items.values().any(|item| item.status == ItemStatus::Done && item.auto_start_dependents))
}

/// Minutes after which every open card is urgent, those of runs of no board too.
pub(crate) async fn patience(world: &World) -> Result<u64, String> {
    let of_board = stored(world).await?.settings.waiting_escalation_minutes;
    Ok(of_board.max(Settings::default().waiting_escalation_minutes).into())
}

/// Nobody is left waiting quietly.
pub(crate) async fn all_cards_are_urgent(host: &Host) -> Result<(), String> {
    let cards = host.runtime.cards(None).await.map_err(shown)?;
    match cards.into_iter().find(|card| card.notice.severity != Severity::Urgent) {
        Some(card) => Err(format!("a card waited too long and is not urgent: {card:?}")),
        None => Ok(()),
    }
}

/// How often people were told yes, by what they had asked for, and how often the board did something by itself.
pub(crate) async fn counted(world: &World) -> Result<BTreeMap<&'static str, u64>, String> {
    let mut counts = BTreeMap::new();
    for deed in &lock(&world.ledger).deeds {
        let word = match &deed.what {
            What::Write(..) => "written",
            What::Create { .. } => "made",
            What::Delete { .. } => "deleted",
            What::Cancel { .. } => "cancelled",
            What::Merge { .. } => "merged by hand",
            What::Card { .. } => "cards settled",
            What::Fire { .. } => "fired by hand",
            What::Review { .. } => "reviewed",
            What::Wait { .. } => "made to wait",
            What::ResumePaused => "resumed",
        };
        *counts.entry(word).or_default() += u64::from(matches!(deed.told, Some((_, Ok(_)))));
    }
    let board = stored(world).await?;
    counts.insert(
        "fired",
        board.history.iter().filter(|entry| !entry.forced && entry.run.is_some()).count() as u64,
    );
    for seen in world.seen.values() {
        *counts.entry("jobs paid for").or_default() += seen.spent.len() as u64;
        *counts.entry("held for a budget").or_default() += u64::from(seen.was_over_budget);
        *counts.entry("started by a merge").or_default() += u64::from(seen.is_started_by_merge);
    }
    Ok(counts)
}
