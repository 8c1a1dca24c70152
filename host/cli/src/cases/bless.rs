use super::pattern::as_expectation;
use super::{CaseReport, wrong};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use std::fs;
use toml_edit::{ArrayOfTables, DocumentMut, InlineTable, Item, Table, TableLike, Value};

/// How many expectations were written, and cases that could not be.
pub(crate) struct Blessing {
    pub(crate) written: usize,
    /// One line each.
    pub(crate) left: Vec<String>,
}

/// Writes what came out into the files of the cases that say nothing else or nothing yet. Everything else in the files
/// stays as it is, comments too.
pub(crate) fn bless(reports: &[CaseReport]) -> anyhow::Result<Blessing> {
    let mut blessing = Blessing { written: 0, left: Vec::new() };
    let mut files: BTreeMap<&str, Vec<(usize, &CaseReport)>> = BTreeMap::new();
    for report in reports {
        let is_settled = report.calls.iter().all(|call| call.was_expected && call.mismatches.is_empty());
        if is_settled {
            continue;
        }
        let asked = report.calls.iter().any(|call| !call.problems.is_empty());
        match report.at.filter(|_| report.file.ends_with(".toml") && !asked) {
            Some(at) => files.entry(&report.file).or_default().push((at, report)),
            None => blessing.left.push(reason(report, asked)),
        }
    }
    for (file, reports) in files {
        let text = crate::commands::read_text(file.as_ref(), u64::from(u32::MAX))?;
        let mut document: DocumentMut = text.parse().map_err(|error| wrong(file, None, error))?;
        for (at, report) in reports {
            let cases = document.get_mut("case").and_then(Item::as_array_of_tables_mut);
            let Some(case) = cases.and_then(|cases| cases.get_mut(at)) else {
                blessing.left.push(format!(
                    "{file}: case {:?}: it is not written as `[[case]]`: write it so, then bless again",
                    report.name
                ));
                continue;
            };
            blessing.written += in_case(case, report);
        }
        fs::write(file, document.to_string()).map_err(|error| wrong(file, None, error))?;
    }
    Ok(blessing)
}

fn reason(report: &CaseReport, asked: bool) -> String {
    let why = if asked {
        "what it asks is not answered: add that first"
    } else {
        "only cases written in TOML can be blessed"
    };
    format!("{}: case {:?}: {why}", report.file, report.name)
}

/// Writes into a case and the calls after its first; gives how many expectations changed.
fn in_case(case: &mut Table, report: &CaseReport) -> usize {
    let mut written = 0;
    for (at, call) in report.calls.iter().enumerate() {
        if call.was_expected && call.mismatches.is_empty() {
            continue;
        }
        let table: Option<&mut dyn TableLike> = match at.checked_sub(1) {
            None => Some(case),
            Some(at) => case.get_mut("then").and_then(|then| nth(then, at)),
        };
        if let Some(table) = table {
            expectation(table, as_expectation(&call.outcome), call.fuel);
            written += 1;
        }
    }
    written
}

fn nth(then: &mut Item, at: usize) -> Option<&mut dyn TableLike> {
    match then {
        Item::ArrayOfTables(tables) => {
            let tables: &mut ArrayOfTables = tables;
            tables.get_mut(at).map(|table| table as &mut dyn TableLike)
        }
        Item::Value(Value::Array(list)) => {
            list.get_mut(at)?.as_inline_table_mut().map(|table| table as &mut dyn TableLike)
        }
        _ => None,
    }
}

/// Puts what came out in place of what was expected: the fields that were named, or all where none were.
fn expectation(call: &mut dyn TableLike, came: Map<String, Json>, fuel: u64) {
    let named: Vec<String> = call
        .get("expect")
        .and_then(Item::as_table_like)
        .map(|expect| expect.iter().map(|(name, _)| name.to_owned()).collect())
        .unwrap_or_default();
    if !call.get("expect").is_some_and(Item::is_table_like) {
        let mut table = Table::new();
        table.set_dotted(true);
        call.insert("expect", Item::Table(table));
    }
    let Some(expect) = call.get_mut("expect").and_then(Item::as_table_like_mut) else { return };
    let ends = ["next", "fault"];
    for name in &named {
        if !came.contains_key(name) || name == "max_fuel" {
            expect.remove(name);
        }
    }
    for (name, value) in came {
        let is_wanted = named.is_empty() || named.contains(&name) || ends.contains(&name.as_str());
        if let Some(value) = toml(&value).filter(|_| is_wanted) {
            expect.insert(&name, Item::Value(value));
        }
    }
    if named.iter().any(|name| name == "max_fuel") {
        expect.insert("max_fuel", toml_edit::value(i64::try_from(fuel).unwrap_or(i64::MAX)));
    }
}

/// A JSON value in TOML, which has no null: that is left out.
fn toml(value: &Json) -> Option<Value> {
    Some(match value {
        Json::Null => return None,
        Json::Bool(value) => (*value).into(),
        Json::Number(number) => match number.as_i64() {
            Some(integer) => integer.into(),
            None => number.as_f64()?.into(),
        },
        Json::String(text) => text.as_str().into(),
        Json::Array(list) => Value::Array(list.iter().filter_map(toml).collect()),
        Json::Object(fields) => {
            let mut table = InlineTable::new();
            for (name, value) in fields {
                if let Some(value) = toml(value) {
                    table.insert(name, value);
                }
            }
            Value::InlineTable(table)
        }
    })
}
