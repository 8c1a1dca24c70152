//! What holds whatever people do.

use super::schedules::every;
use super::world::{NOW, World};
use crate::Board;
use crate::recurrence::next_after;
use jiff::SignedDuration;
use jiff::civil::DateTime;
use jiff::tz::TimeZoneDatabase;
use lockstep_types::board::{Change, Item, ItemId, ItemPatch, PresetPatch, Recurrence, Row, RowKey, Weekday};
use lockstep_types::{ItemLevel, Rejected, Timestamp};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Zones with whole, half and quarter hours, with clocks that change by one hour and by half, and with none.
const ZONES: [&str; 7] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "America/St_Johns",
];
const WEEK: [Weekday; 7] = [
    Weekday::Sunday,
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
];

fn recurrences() -> impl Strategy<Value = Recurrence> {
    let hour = || prop::option::of(0..24_u8);
    let days = prop::sample::subsequence(WEEK.to_vec(), 0..=7);
    (1..200_u32, days, hour(), hour(), prop::sample::select(ZONES.to_vec())).prop_map(
        |(interval, weekdays, window_start_hour, window_end_hour, zone)| Recurrence {
            weekdays,
            window_start_hour,
            window_end_hour,
            ..every(interval, zone)
        },
    )
}

/// The same by looking at every quarter of an hour, at what the clocks show and at what they passed over to show it.
fn searched(recurrence: &Recurrence, from: Timestamp) -> Timestamp {
    const QUARTER_MS: u64 = 900_000;
    let zone = TimeZoneDatabase::bundled().get(&recurrence.timezone).unwrap();
    let local =
        |at: u64| zone.to_datetime(jiff::Timestamp::from_millisecond(i64::try_from(at).unwrap()).unwrap());
    let interval = SignedDuration::from_hours(i64::from(recurrence.interval_hours));
    let earliest = local(from.0).checked_add(interval).unwrap();
    let start = recurrence.window_start_hour.unwrap_or(0);
    let end = recurrence.window_end_hour.unwrap_or(24);
    let window: Vec<u8> =
        if start < end { (start..end).collect() } else { (start..24).chain(0..end).collect() };
    let fits = |time: DateTime| {
        let day = WEEK[usize::try_from(time.weekday().to_sunday_zero_offset()).unwrap()];
        let is_day = recurrence.weekdays.is_empty() || recurrence.weekdays.contains(&day);
        is_day && window.contains(&u8::try_from(time.hour()).unwrap())
    };
    let mut at = (from.0 / QUARTER_MS + 1) * QUARTER_MS;
    loop {
        let (before, shown) = (local(at - QUARTER_MS), local(at));
        let quarter = SignedDuration::from_mins(15);
        let mut passed = std::iter::successors(Some(shown), |time| time.checked_sub(quarter).ok())
            .take_while(|time| *time > before);
        if passed.any(|time| time.minute() == 0 && time >= earliest && fits(time)) {
            return Timestamp(at);
        }
        at += QUARTER_MS;
    }
}

#[derive(Clone, Debug)]
enum Act {
    Create(u8, u8),
    Move(u8, u8),
    Wait(u8, u8),
    Delete(u8),
    Merge(u8),
    Preset(u8, u8),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (0..3_u8, any::<u8>()).prop_map(|(level, parent)| Act::Create(level, parent)),
        2 => (any::<u8>(), any::<u8>()).prop_map(|(item, parent)| Act::Move(item, parent)),
        4 => (any::<u8>(), any::<u8>()).prop_map(|(item, on)| Act::Wait(item, on)),
        1 => any::<u8>().prop_map(Act::Delete),
        1 => any::<u8>().prop_map(Act::Merge),
        1 => (0..3_u8, any::<u8>()).prop_map(|(what, preset)| Act::Preset(what, preset)),
    ];
    prop::collection::vec(act, 1..60)
}

/// The item a number stands for; one that is not there if there is none.
fn pick(board: &Board, number: u8) -> ItemId {
    let items: Vec<&Item> = board.items().collect();
    let at = usize::from(number) % (items.len() + 1);
    items.get(at).map_or_else(|| "shop-9999".parse().unwrap(), |item| item.id.clone())
}

fn perform(board: &Board, act: &Act) -> Result<Vec<Change>, Rejected> {
    match act {
        Act::Create(level, parent) => {
            let level = [ItemLevel::Service, ItemLevel::Module, ItemLevel::Task][usize::from(*level)];
            let parent = (level != ItemLevel::Service).then(|| pick(board, *parent));
            let module_name = (level == ItemLevel::Task).then(|| Some("Cart".to_owned()));
            let patch = ItemPatch { title: Some("Title".to_owned()), module_name, ..ItemPatch::default() };
            board.create_item(level, parent.as_ref(), patch, NOW).map(|(_, changes)| changes)
        }
        Act::Move(item, parent) => board.move_item(&pick(board, *item), Some(&pick(board, *parent)), NOW),
        Act::Wait(item, on) => board.toggle_dependency(&pick(board, *item), &pick(board, *on), NOW),
        Act::Delete(item) => Ok(board.delete_item(&pick(board, *item), NOW)),
        Act::Merge(item) => board.merged(&pick(board, *item), NOW),
        Act::Preset(what, number) => {
            let presets: Vec<_> = board.presets().map(|preset| preset.id.clone()).collect();
            let id = &presets[usize::from(*number) % presets.len()];
            let is_default = Some(number % 2 == 0);
            let patch = PresetPatch { name: Some("Name".to_owned()), is_default, ..PresetPatch::default() };
            match what {
                0 => board.create_preset(patch).map(|(_, changes)| changes),
                1 => board.edit_preset(id, patch),
                _ => board.delete_preset(id),
            }
        }
    }
}

/// Levels above an item, from its parent up.
fn levels_above(board: &Board, item: &Item) -> Vec<ItemLevel> {
    let parents = std::iter::successors(item.parent.as_ref(), |id| board.item(id).unwrap().parent.as_ref());
    parents.map(|id| board.item(id).unwrap().level).collect()
}

fn check(board: &Board) -> Result<(), TestCaseError> {
    use ItemLevel::{Module, Service, Task};
    for item in board.items() {
        let above = levels_above(board, item);
        let is_placed = match item.level {
            Service => above.is_empty(),
            Module => above == [Service],
            Task => above == [Service] || above == [Module, Service],
        };
        prop_assert!(is_placed, "{} is in {above:?}", item.id);
        for on in &item.depends_on {
            prop_assert_eq!(board.item(on).unwrap().level, Task);
        }
        let mut reached = BTreeSet::new();
        let mut open: Vec<&ItemId> = item.depends_on.iter().collect();
        while let Some(id) = open.pop() {
            prop_assert_ne!(id, &item.id, "it waits for itself");
            if reached.insert(id) {
                open.extend(&board.item(id).unwrap().depends_on);
            }
        }
    }
    prop_assert_eq!(board.presets().filter(|preset| preset.is_default).count(), 1);
    Ok(())
}

proptest! {
    #[test]
    fn the_next_time_is_the_first_that_fits(recurrence in recurrences(), hours in 0..17_000_u64, ms in 0..3_600_000_u64) {
        let from = Timestamp(NOW.0 + hours * 3_600_000 + ms);
        prop_assert_eq!(next_after(&recurrence, from.into()).unwrap().at, searched(&recurrence, from));
    }

    #[test]
    fn boards_stay_in_order(acts in acts()) {
        let mut board = World::new().board;
        let mut ids = BTreeSet::new();
        for act in &acts {
            let Ok(changes) = perform(&board, act) else { continue };
            for change in &changes {
                if let Change::Put(Row::Item(item)) = change && board.item(&item.id).is_err() {
                    prop_assert!(ids.insert(item.id.clone()), "{} was used before", item.id);
                }
                if let Change::Remove(RowKey::Item(id)) = change {
                    prop_assert!(board.item(id).is_ok());
                }
            }
            board.apply(&changes);
            check(&board)?;
            let mut twice = board.clone();
            twice.apply(&changes);
            prop_assert!(twice == board, "changes that are applied again change nothing");
            prop_assert!(Board::from_rows(board.rows()).unwrap() == board, "a board is its rows");
        }
    }
}
