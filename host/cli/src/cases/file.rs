use super::fields::laid_over;
use super::wrong;
use crate::exit::Refused;
use lockstep_types::Capsule;
use lockstep_types::capsule_text;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::fs;
use std::path::{Path, PathBuf};

/// Largest case file: a capsule holds an input of at most 8 MiB and answers of as many.
const FILE_MAX: u64 = 64 << 20;
/// Files of a folder: more than anybody writes, and a guard against pointing at the wrong folder.
const FILES_MAX: usize = 10_000;

/// A case of a component.
pub(crate) struct Case {
    /// The file it stands in, for messages.
    pub(crate) file: String,
    pub(crate) name: String,
    pub(super) what: What,
}

pub(super) enum What {
    /// Calls of one step one after the other, with everything that is said of them.
    Written {
        /// Place in the file, from 0.
        at: usize,
        calls: Vec<Map<String, Value>>,
    },
    /// A recorded call, to be made again exactly.
    Recorded(Box<Capsule>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    kind: Option<String>,
    #[serde(default)]
    defaults: Map<String, Value>,
    #[serde(default, rename = "case")]
    cases: Vec<Map<String, Value>>,
}

/// Reads the cases of a file, or of the files of a folder in the order of their names, for a component of `kind`.
pub(crate) fn read(path: &Path, kind: &str) -> anyhow::Result<Vec<Case>> {
    let mut cases = Vec::new();
    for file in files(path)? {
        let text = crate::commands::read_text(&file, FILE_MAX)?;
        let is_toml = file.extension().is_some_and(|extension| extension == "toml");
        cases.extend(read_text(&file.display().to_string(), &text, is_toml, kind)?);
    }
    if cases.is_empty() {
        return Err(wrong(
            &path.display().to_string(),
            None,
            "there is no case in it: write a `[[case]]` with a `name`",
        ));
    }
    Ok(cases)
}

fn files(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let shown = path.display();
    let unreadable = |error: std::io::Error| Refused(format!("{shown} cannot be read: {error}"));
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        if file.extension().is_some_and(|extension| extension == "toml" || extension == "json") {
            files.push(file);
        }
    }
    files.sort();
    if files.len() > FILES_MAX {
        return Refused::because(format!("{shown} has more than {FILES_MAX} case files: name one of them"));
    }
    if files.is_empty() {
        return Refused::because(format!("{shown} has no case files: they end in .toml or .json"));
    }
    Ok(files)
}

/// Reads the cases in `text`, of the file that is shown as `file`.
pub(crate) fn read_text(file: &str, text: &str, is_toml: bool, kind: &str) -> anyhow::Result<Vec<Case>> {
    if !is_toml && capsule_text::is_one(text) {
        let capsule = capsule_text::read(text).map_err(|error| wrong(file, None, error))?;
        check_kind(file, &capsule.kind, kind)?;
        let name = format!("call {} of {}", capsule.call, capsule.run);
        return Ok(vec![Case { file: file.to_owned(), name, what: What::Recorded(Box::new(capsule)) }]);
    }
    let written: Written = if is_toml {
        toml::from_str(text).map_err(|error| wrong(file, None, error.to_string().trim_end()))?
    } else {
        serde_json::from_str(text).map_err(|error| wrong(file, None, error))?
    };
    if let Some(own) = &written.kind {
        check_kind(file, own, kind)?;
    }
    let mut cases = Vec::new();
    for (at, fields) in written.cases.into_iter().enumerate() {
        cases.push(written_case(file, at, &written.defaults, fields)?);
    }
    Ok(cases)
}

fn check_kind(file: &str, own: &str, kind: &str) -> anyhow::Result<()> {
    if own == kind {
        return Ok(());
    }
    Err(wrong(
        file,
        None,
        format!(
            "its cases are for kind {own}, and the component implements {kind}: give the cases of {kind}"
        ),
    ))
}

/// Takes a case apart into its calls, each with what was said before laid under it.
fn written_case(
    file: &str,
    at: usize,
    defaults: &Map<String, Value>,
    mut fields: Map<String, Value>,
) -> anyhow::Result<Case> {
    let nameless = format!("number {}", at + 1);
    let name = match fields.remove("name") {
        Some(Value::String(name)) => name,
        Some(_) => return Err(wrong(file, Some(&nameless), "`name` is not a text")),
        None => {
            return Err(wrong(file, Some(&nameless), "it has no `name`: add one that says what it shows"));
        }
    };
    let then = match fields.remove("then") {
        None => Vec::new(),
        Some(then) => serde_json::from_value::<Vec<Map<String, Value>>>(then)
            .map_err(|_| wrong(file, Some(&name), "`then` is not a list of tables: write `[[case.then]]`"))?,
    };
    let mut calls = vec![laid_over(defaults, &fields)];
    for call in then {
        let mut before = calls.last().cloned().unwrap_or_default();
        for of_one_call in ["expect", "state", "now"] {
            before.remove(of_one_call);
        }
        if !call.contains_key("event") {
            before.insert("event".to_owned(), "due".into());
        }
        calls.push(laid_over(&before, &call));
    }
    Ok(Case { file: file.to_owned(), name, what: What::Written { at, calls } })
}
