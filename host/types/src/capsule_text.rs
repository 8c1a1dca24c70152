//! Capsules as files: JSON that people can read and compare, and that gives every JSON text back to the byte.
//!
//! In the journal a JSON text (a state, a config) is a string. In a capsule it stands as the value it is; where its
//! text has spaces, so that writing it out would change it, it is kept as `{"json-text": "…"}`. Files that a component
//! read are texts where they are UTF-8.

use crate::{CAPSULE_VERSION, Capsule};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Where JSON texts stand; `*` is any place of a list.
const JSON_TEXTS: [&str; 16] = [
    "input/run/facts/*/value",
    "input/run/documents/*/value",
    "input/step/config",
    "input/step/policy",
    "input/state",
    "input/event/job-settled/outcome/done/report",
    "input/event/effect-settled/done",
    "input/event/acted/input",
    "expected/transition/state",
    "expected/transition/facts/*/value",
    "expected/transition/documents/*/value",
    "expected/transition/teardowns/*",
    "expected/transition/next/dispatch/input",
    "expected/transition/next/perform/effect/provision/input",
    "expected/transition/next/perform/effect/open-ticket",
    "expected/transition/next/perform/effect/annotate-incident",
];
/// Where the content of a file stands.
const FILE: &str = "observations/*/answer/read-file";
/// The field of a JSON text that is kept as text.
const AS_TEXT: &str = "json-text";

/// Whether a JSON document is a capsule and not a file of written cases.
#[must_use]
pub fn is_one(text: &str) -> bool {
    serde_json::from_str::<BTreeMap<String, &RawValue>>(text)
        .is_ok_and(|fields| fields.contains_key("capsule"))
}

/// A capsule as a file.
#[must_use]
pub fn write(capsule: &Capsule) -> String {
    let mut text = String::new();
    emit(&json!(capsule), &mut Vec::new(), &mut text);
    text.push('\n');
    text
}

/// Reads a capsule.
///
/// # Errors
/// What is wrong with it, and what to do.
pub fn read(text: &str) -> Result<Capsule, String> {
    let raw: &RawValue = serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))?;
    let value = restore(raw, &mut Vec::new()).map_err(|error| format!("it cannot be read: {error}"))?;
    match value["capsule"].as_u64() {
        Some(version) if version > u64::from(CAPSULE_VERSION) => Err(format!(
            "it has format {version}, this version reads up to {CAPSULE_VERSION}: upgrade lockstep"
        )),
        _ => serde_json::from_value(value)
            .map_err(|error| format!("it is not a capsule ({error}): export it again")),
    }
}

fn is_json_text(path: &[String]) -> bool {
    JSON_TEXTS.iter().any(|place| fits(place, path))
        || fits("expected/transition/next/perform/effect/teardown", path)
}

fn fits(place: &str, path: &[String]) -> bool {
    let mut path = path.iter();
    place.split('/').all(|part| path.next().is_some_and(|at| part == "*" || part == at))
        && path.next().is_none()
}

fn emit(value: &Value, path: &mut Vec<String>, out: &mut String) {
    let depth = path.len();
    match value {
        Value::String(text) if is_json_text(path) => {
            if text != "null" && minified(text) == *text {
                pretty(text, depth, out);
            } else {
                out.push_str(&json!({ AS_TEXT: text }).to_string());
            }
        }
        Value::Array(bytes) if fits(FILE, path) => {
            let bytes: Option<Vec<u8>> =
                bytes.iter().map(|byte| byte.as_u64().and_then(|byte| u8::try_from(byte).ok())).collect();
            let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
            out.push_str(&text.map_or_else(|| value.to_string(), |text| json!(text).to_string()));
        }
        Value::Array(list) if !list.is_empty() => {
            let items = list.iter().enumerate().map(|(at, value)| (at.to_string(), value, false));
            emit_all(['[', ']'], items, path, out);
        }
        Value::Object(fields) if !fields.is_empty() => {
            // The version comes first, whatever the order of names.
            let is_version = |name: &str| name == "capsule" && depth == 0;
            let first = fields.iter().filter(|(name, _)| is_version(name));
            let rest = fields.iter().filter(|(name, _)| !is_version(name));
            let items = first.chain(rest).map(|(name, value)| (name.clone(), value, true));
            emit_all(['{', '}'], items, path, out);
        }
        other => out.push_str(&other.to_string()),
    }
}

fn emit_all<'a>(
    [open, close]: [char; 2],
    items: impl Iterator<Item = (String, &'a Value, bool)>,
    path: &mut Vec<String>,
    out: &mut String,
) {
    out.push(open);
    for (at, (name, value, is_field)) in items.enumerate() {
        if at > 0 {
            out.push(',');
        }
        line_end(path.len() + 1, out);
        if is_field {
            out.push_str(&format!("{}: ", json!(name)));
        }
        path.push(name);
        emit(value, path, out);
        path.pop();
    }
    line_end(path.len(), out);
    out.push(close);
}

fn line_end(depth: usize, out: &mut String) {
    out.push('\n');
    out.push_str(&"  ".repeat(depth));
}

/// JSON without the spaces between its parts.
fn minified(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    outside_texts(json, &mut out, |c, _, out| {
        if !c.is_ascii_whitespace() {
            out.push(c);
        }
    });
    out
}

/// Minified JSON on lines of their own; its parts stay as they are, and in their order.
fn pretty(json: &str, depth: usize, out: &mut String) {
    let mut depth = depth;
    outside_texts(json, out, |c, next, out| match c {
        '{' | '[' => {
            out.push(c);
            depth += 1;
            if !matches!(next, Some('}' | ']')) {
                line_end(depth, out);
            }
        }
        '}' | ']' => {
            depth = depth.saturating_sub(1);
            if !out.ends_with(['{', '[']) {
                line_end(depth, out);
            }
            out.push(c);
        }
        ',' => {
            out.push(c);
            line_end(depth, out);
        }
        ':' => out.push_str(": "),
        c => out.push(c),
    });
}

/// Copies the strings in `json`, and lets `each` copy what stands between them; it is told the character after.
fn outside_texts(json: &str, out: &mut String, mut each: impl FnMut(char, Option<char>, &mut String)) {
    let (mut is_inside, mut is_escaped) = (false, false);
    let mut chars = json.chars().peekable();
    while let Some(c) = chars.next() {
        if is_inside {
            out.push(c);
            is_inside = is_escaped || c != '"';
            is_escaped = !is_escaped && c == '\\';
        } else if c == '"' {
            out.push(c);
            is_inside = true;
        } else {
            each(c, chars.peek().copied(), out);
        }
    }
}

fn restore(raw: &RawValue, path: &mut Vec<String>) -> Result<Value, serde_json::Error> {
    let text = raw.get();
    if text == "null" {
        return Ok(Value::Null);
    }
    if is_json_text(path) {
        let kept = serde_json::from_str::<BTreeMap<String, String>>(text).ok();
        let kept = kept.filter(|fields| fields.len() == 1).and_then(|mut fields| fields.remove(AS_TEXT));
        return Ok(Value::String(kept.unwrap_or_else(|| minified(text))));
    }
    if text.starts_with('{') {
        let mut fields = Map::new();
        for (name, value) in serde_json::from_str::<BTreeMap<String, &RawValue>>(text)? {
            path.push(name.clone());
            fields.insert(name, restore(value, path)?);
            path.pop();
        }
        return Ok(Value::Object(fields));
    }
    if text.starts_with('[') {
        let mut list = Vec::new();
        for (at, value) in serde_json::from_str::<Vec<&RawValue>>(text)?.into_iter().enumerate() {
            path.push(at.to_string());
            list.push(restore(value, path)?);
            path.pop();
        }
        return Ok(Value::Array(list));
    }
    let value: Value = serde_json::from_str(text)?;
    match value {
        Value::String(text) if fits(FILE, path) => Ok(json!(text.into_bytes())),
        value => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::{is_one, read, write};
    use crate::{
        Capsule, Change, Completion, Digest, Fact, Invocation, ItemStatus, JsonText, Next, Observation,
        ObservationAnswer, ObservationRequest, Outcome, RunInfo, StepEvent, StepInfo, StepInput, Timestamp,
        Transition,
    };
    use expect_test::expect;

    fn capsule() -> Capsule {
        let json = |text: &str| JsonText::new(text).unwrap();
        let fact = |value: &str| Fact { name: "f".to_owned(), value: json(value), step: String::new() };
        let input = StepInput {
            run: RunInfo {
                id: "run-1".to_owned(),
                item: "i".to_owned(),
                title: "t".to_owned(),
                description: String::new(),
                change: Change {
                    repository: "r".to_owned(),
                    base_branch: "main".to_owned(),
                    head_branch: "b".to_owned(),
                    head_commit: None,
                    pull_request: None,
                },
                facts: vec![fact(r#""a \" {text} \\""#), fact("1.50"), fact("null"), fact("{}"), fact("[ ]")],
                outputs: Vec::new(),
                item_status: ItemStatus::InProgress,
                documents: Vec::new(),
                is_errand: false,
                initiator: String::new(),
                now: Timestamp(5),
            },
            step: StepInfo {
                name: "ci".to_owned(),
                kind: "ci-gate".to_owned(),
                role: "ci".to_owned(),
                config: json(r#"{"z":[1,{"a":"x, y: z"}],"a":[]}"#),
                policy: json(r#"{"spaced": 1}"#),
                attempt: 1,
                is_final: false,
                wired: Vec::new(),
            },
            decisions: Vec::new(),
            state: None,
            event: StepEvent::Due,
        };
        let read = |path: &str, bytes: &[u8]| Observation {
            request: ObservationRequest::ReadFile { path: path.to_owned() },
            answer: ObservationAnswer::ReadFile(Some(bytes.to_vec())),
        };
        let completed = Next::Complete(Completion::default());
        Capsule::new(
            "run-1".parse().unwrap(),
            3,
            Invocation {
                digest: Digest::zero(),
                fingerprint: Digest::zero(),
                input,
                observations: vec![read("a", "line\n".as_bytes()), read("b", &[0xff, 0])],
                logs: Vec::new(),
                outcome: Outcome::Transition(Box::new(Transition::new(json(r#"{"b":1,"a":2}"#), completed))),
                fuel: 7,
                peak_memory: 0,
            },
        )
    }

    #[test]
    fn a_capsule_comes_back_to_the_byte() {
        let capsule = capsule();
        let text = write(&capsule);
        assert!(is_one(&text));
        assert_eq!(read(&text).unwrap(), capsule);
        let config = text.lines().skip_while(|line| !line.contains("\"config\"")).take(9);
        // The text of an expectation begins where its first line does.
        let config = config.map(|line| line.strip_prefix("      ").unwrap_or(line));
        expect![[r#"
                  "config": {
                    "z": [
                      1,
                      {
                        "a": "x, y: z"
                      }
                    ],
                    "a": []
                  },"#]]
        .assert_eq(&config.collect::<Vec<_>>().join("\n"));
        assert!(text.contains(r#""policy": {"json-text":"{\"spaced\": 1}"}"#), "{text}");
        assert!(text.contains(r#""read-file": "line\n""#), "{text}");
    }

    #[test]
    fn what_is_no_capsule_says_so() {
        assert!(!is_one(r#"{"case": []}"#) && !is_one("[1"));
        let newer = write(&capsule()).replace("\"capsule\": 1", "\"capsule\": 9");
        expect!["it has format 9, this version reads up to 1: upgrade lockstep"]
            .assert_eq(&read(&newer).unwrap_err());
        assert!(read(r#"{"capsule":1}"#).unwrap_err().starts_with("it is not a capsule (missing field"));
    }
}
