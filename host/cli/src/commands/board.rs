//! What the commands about boards share.

use crate::context::Context;
use crate::exit::{Exit, Refused};
use crate::render;
use lockstep_ports::{BoardReply, BoardService};
use lockstep_types::JsonText;
use lockstep_types::board::{ItemId, PipelineId, PresetId, ScheduleId, WorkspaceId};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::fmt::Display;

/// Names said when none fits.
const NAMED_MAX: usize = 12;

/// The item that is meant: an id, or the number at its end.
pub(super) fn item(workspace: &WorkspaceId, given: &ItemId) -> anyhow::Result<ItemId> {
    if given.as_str().bytes().all(|b| b.is_ascii_digit()) {
        return Ok(format!("{workspace}-{given}").parse()?);
    }
    Ok(given.clone())
}

/// A word of a list that the command line has checked.
pub(super) fn word<T: DeserializeOwned>(text: &str) -> anyhow::Result<T> {
    Ok(serde_json::from_value(text.into())?)
}

/// The same for a word that need not be there.
pub(super) fn maybe_word<T: DeserializeOwned>(text: Option<&str>) -> anyhow::Result<Option<T>> {
    text.map(word).transpose()
}

/// What `given` names among `known`: by its id, the number at its end, or its name.
fn pick<T: Clone + Display>(what: &str, known: &[(T, &str)], given: &str) -> anyhow::Result<T> {
    let is_it = |id: &T| {
        let id = id.to_string();
        let is_number = given.bytes().all(|b| b.is_ascii_digit());
        id == given || (is_number && id.rsplit('-').next() == Some(given))
    };
    let by_id = known.iter().find(|(id, _)| is_it(id));
    let named: Vec<_> = known.iter().filter(|(_, name)| name.eq_ignore_ascii_case(given)).collect();
    match (by_id, named.as_slice()) {
        (Some((id, _)), _) | (None, [(id, _)]) => Ok(id.clone()),
        (None, []) => {
            let mut names: Vec<&str> = known.iter().map(|(_, name)| *name).take(NAMED_MAX).collect();
            if known.len() > NAMED_MAX {
                names.push("…");
            }
            let names = render::clean(&names.join(", "));
            Refused::because(format!(
                "there is no {what} {given:?}, only {names}: see `lockstep {what}s list`"
            ))
        }
        (None, several) => {
            let ids: Vec<String> = several.iter().map(|(id, _)| id.to_string()).collect();
            Refused::because(format!("{given:?} could be {}: write the id", ids.join(", ")))
        }
    }
}

pub(super) async fn pipeline(
    board: &dyn BoardService,
    workspace: &WorkspaceId,
    given: &str,
) -> anyhow::Result<PipelineId> {
    let list = board.pipelines(workspace).await?;
    let known: Vec<_> = list.iter().map(|row| (row.id.clone(), row.name.as_str())).collect();
    pick("pipeline", &known, given)
}

pub(super) async fn preset(
    board: &dyn BoardService,
    workspace: &WorkspaceId,
    given: &str,
) -> anyhow::Result<PresetId> {
    let list = board.presets(workspace).await?;
    let known: Vec<_> = list.iter().map(|row| (row.id.clone(), row.name.as_str())).collect();
    pick("preset", &known, given)
}

pub(super) async fn schedule(
    board: &dyn BoardService,
    workspace: &WorkspaceId,
    given: &str,
) -> anyhow::Result<ScheduleId> {
    let list = board.schedules(workspace).await?;
    let known: Vec<_> = list.iter().map(|row| (row.id.clone(), row.name.as_str())).collect();
    pick("schedule", &known, given)
}

/// The arguments of an action: one JSON object, or `key=value` fields whose values are JSON where they can be.
pub(super) fn input(given: &[String]) -> anyhow::Result<JsonText> {
    if let [text] = given
        && text.trim_start().starts_with('{')
    {
        return match serde_json::from_str::<Map<String, Value>>(text) {
            Ok(_) => Ok(JsonText::new(text)?),
            Err(error) => Refused::because(format!("the input of the action is not a JSON object: {error}")),
        };
    }
    let mut fields = Map::new();
    for field in given {
        let Some((name, value)) = field.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            return Refused::because(format!("{field:?} is no field: write KEY=VALUE, or one JSON object"));
        };
        let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
        if fields.insert(name.to_owned(), value).is_some() {
            return Refused::because(format!("{name:?} is given twice: write it once"));
        }
    }
    Ok(JsonText::of(&fields))
}

/// Says what a command did.
pub(super) fn told(context: &Context, what: &str, reply: &BoardReply) -> anyhow::Result<Exit> {
    context.term.show(reply, |_, reply| render::reply(what, reply, context))?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::{input, pick};
    use expect_test::expect;

    #[test]
    fn the_input_of_an_action_is_an_object_or_fields() {
        let given = [
            &["item=0", "text=in euros", "force=true", "note=\"3\""][..],
            &["{\"a\": [1, 2]}"],
            &[],
            &["{\"a\": "],
            &["[1]"],
            &["=x"],
            &["a=1", "a=2"],
        ];
        let shown = given.map(|words| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            format!(
                "{words:?}\n    {}\n",
                input(&words).map_or_else(|why| why.to_string(), |json| format!("{json:?}"))
            )
        });
        expect![[r#"
            ["item=0", "text=in euros", "force=true", "note=\"3\""]
                {"force":true,"item":0,"note":"3","text":"in euros"}
            ["{\"a\": [1, 2]}"]
                {"a": [1, 2]}
            []
                {}
            ["{\"a\": "]
                the input of the action is not a JSON object: EOF while parsing a value at line 1 column 6
            ["[1]"]
                "[1]" is no field: write KEY=VALUE, or one JSON object
            ["=x"]
                "=x" is no field: write KEY=VALUE, or one JSON object
            ["a=1", "a=2"]
                "a" is given twice: write it once
        "#]]
        .assert_eq(&shown.concat());
    }

    #[test]
    fn rows_are_found_by_id_number_and_name() {
        let known =
            [("preset-1", "Balanced"), ("preset-12", "Fast"), ("preset-2", "fast"), ("preset-3", "12")];
        let found = |given| pick("preset", &known, given).map_or_else(|why| why.to_string(), str::to_owned);
        let given = ["preset-1", "12", "balanced", "Fast", "3", "7", "Slow", ""];
        expect![[r#"
            "preset-1": preset-1
            "12": preset-12
            "balanced": preset-1
            "Fast": "Fast" could be preset-12, preset-2: write the id
            "3": preset-3
            "7": there is no preset "7", only Balanced, Fast, fast, 12: see `lockstep presets list`
            "Slow": there is no preset "Slow", only Balanced, Fast, fast, 12: see `lockstep presets list`
            "": there is no preset "", only Balanced, Fast, fast, 12: see `lockstep presets list`
        "#]]
        .assert_eq(&given.map(|given| format!("{given:?}: {}\n", found(given))).concat());
    }
}
