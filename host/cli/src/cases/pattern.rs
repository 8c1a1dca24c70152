use lockstep_runtime::backtest::in_words;
use lockstep_types::{Outcome, Transition};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Characters of a value that are shown.
const VALUE_MAX: usize = 300;

/// Something that did not come out as expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Mismatch {
    /// Its path: `next.wait.ms`.
    pub(crate) field: String,
    pub(crate) expected: String,
    pub(crate) came: String,
}

/// What has to come of a call: a pattern, in which what is named must be so.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Expect {
    next: Option<Value>,
    state: Option<Value>,
    note: Option<Value>,
    progress: Option<Value>,
    facts: Option<Value>,
    documents: Option<Value>,
    notices: Option<Value>,
    settled_notices: Option<Value>,
    teardowns: Option<Value>,
    fault: Option<Value>,
    max_fuel: Option<u64>,
}

impl Expect {
    pub(super) fn read(value: Value) -> Result<Self, String> {
        let expect: Self =
            serde_json::from_value(value).map_err(|error| format!("`expect` cannot be read: {error}"))?;
        if expect.fault.is_some() && expect.next.is_some() {
            return Err("`expect` has both `next` and `fault`: a call comes to one of them".to_owned());
        }
        Ok(expect)
    }

    /// What did not come out as it has to.
    pub(super) fn mismatches(&self, outcome: &Outcome, fuel: u64) -> Vec<Mismatch> {
        let mut found = Vec::new();
        if let Some(max) = self.max_fuel.filter(|max| fuel > *max) {
            let (expected, came) = (format!("at most {max}"), fuel.to_string());
            found.push(Mismatch { field: "fuel".to_owned(), expected, came });
        }
        let transition = match (outcome, &self.fault) {
            (Outcome::Fault(fault), Some(pattern)) => {
                let came = json!({ "class": fault.class, "message": fault.message });
                let pattern = match pattern {
                    Value::String(class) => json!({ "class": class }),
                    other => other.clone(),
                };
                matches("fault", &pattern, Some(&came), &mut found);
                return found;
            }
            (outcome, Some(pattern)) => {
                found.push(mismatch("fault", pattern, &Value::String(in_words(outcome))));
                return found;
            }
            (Outcome::Fault(_), None) => {
                let expected = self.next.as_ref().map_or_else(|| "a transition".to_owned(), shown);
                found.push(Mismatch { field: "next".to_owned(), expected, came: in_words(outcome) });
                return found;
            }
            (Outcome::Transition(transition), None) => transition,
        };
        let came = shape(transition);
        if let Some(next) = &self.next {
            self.match_next(next, transition, &came["next"], &mut found);
        }
        for (field, pattern) in self.beside_next() {
            if let Some(pattern) = pattern {
                matches(field, pattern, came.get(field), &mut found);
            }
        }
        found
    }

    fn match_next(&self, next: &Value, transition: &Transition, came: &Value, found: &mut Vec<Mismatch>) {
        let name = match next {
            Value::String(name) => Some(name),
            Value::Object(fields) if fields.len() == 1 => fields.keys().next(),
            _ => None,
        };
        if name.is_some_and(|name| name == transition.next.name()) {
            if next.is_object() {
                matches("next", next, Some(came), found);
            }
        } else {
            let came = in_words(&Outcome::Transition(Box::new(transition.clone())));
            found.push(Mismatch { field: "next".to_owned(), expected: shown(next), came });
        }
    }

    fn beside_next(&self) -> [(&'static str, Option<&Value>); 8] {
        [
            ("state", self.state.as_ref()),
            ("note", self.note.as_ref()),
            ("progress", self.progress.as_ref()),
            ("facts", self.facts.as_ref()),
            ("documents", self.documents.as_ref()),
            ("notices", self.notices.as_ref()),
            ("settled_notices", self.settled_notices.as_ref()),
            ("teardowns", self.teardowns.as_ref()),
        ]
    }
}

/// What came of a call in the words of `expect`, with everything in it.
pub(super) fn as_expectation(outcome: &Outcome) -> Map<String, Value> {
    match outcome {
        Outcome::Transition(transition) => {
            let mut fields = shape(transition);
            fields.retain(|field, value| match value {
                Value::Null => false,
                Value::Array(list) => !list.is_empty(),
                Value::Object(map) => !map.is_empty() || field == "state",
                _ => true,
            });
            fields
        }
        Outcome::Fault(fault) => {
            let fault = json!({ "class": fault.class, "message": fault.message });
            Map::from_iter([("fault".to_owned(), fault)])
        }
    }
}

/// A transition with JSON texts as values, and what has a name under its name.
fn shape(transition: &Transition) -> Map<String, Value> {
    let Transition { state, note, progress, facts, notices, settled_notices, documents, teardowns, next } =
        transition;
    let mut next = json!(next);
    for place in ["/dispatch/input", "/perform/effect/open-ticket", "/perform/effect/provision/input"]
        .into_iter()
        .chain(["/perform/effect/teardown", "/perform/effect/annotate-incident"])
    {
        if let Some(value) = next.pointer_mut(place)
            && let Some(text) = value.as_str()
        {
            *value = serde_json::from_str(text).unwrap_or_default();
        }
    }
    without_nulls(&mut next);
    let facts: Map<_, _> = facts.iter().map(|fact| (fact.name.clone(), fact.value.value())).collect();
    let documents: Map<_, _> =
        documents.iter().map(|document| (document.name.clone(), document.value.value())).collect();
    let teardowns: Vec<Value> = teardowns.iter().map(lockstep_types::JsonText::value).collect();
    let fields = json!({
        "next": next, "state": state.value(), "note": note, "progress": progress, "facts": facts,
        "documents": documents, "notices": notices, "settled_notices": settled_notices, "teardowns": teardowns,
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// What is absent need not be told of.
fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(without_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

/// Finds where `came` is not as `pattern` says.
fn matches(path: &str, pattern: &Value, came: Option<&Value>, found: &mut Vec<Mismatch>) {
    let came = came.unwrap_or(&Value::Null);
    match (pattern, came) {
        (Value::Object(fields), Value::Object(came)) => {
            for (field, pattern) in fields {
                matches(&format!("{path}.{field}"), pattern, came.get(field), found);
            }
        }
        (Value::Array(list), Value::Array(came)) if list.len() == came.len() => {
            for (at, (pattern, came)) in list.iter().zip(came).enumerate() {
                matches(&format!("{path}[{at}]"), pattern, Some(came), found);
            }
        }
        // Of what has a name, the name may stand for it.
        (Value::String(_), Value::Object(fields))
            if fields.contains_key("kind") || fields.contains_key("name") =>
        {
            matches(path, pattern, fields.get("kind").or_else(|| fields.get("name")), found);
        }
        (Value::String(glob), Value::String(text)) => {
            if !fits(glob, text) {
                found.push(mismatch(path, pattern, came));
            }
        }
        (Value::Number(pattern_number), Value::Number(number)) => {
            if pattern_number.as_f64() != number.as_f64() {
                found.push(mismatch(path, pattern, came));
            }
        }
        _ => {
            if pattern != came {
                found.push(mismatch(path, pattern, came));
            }
        }
    }
}

/// Whether `text` is `pattern`, in which `*` stands for anything.
fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

fn mismatch(path: &str, pattern: &Value, came: &Value) -> Mismatch {
    let came = if came.is_null() { "nothing".to_owned() } else { shown(came) };
    Mismatch { field: path.to_owned(), expected: shown(pattern), came }
}

fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.chars().count() <= VALUE_MAX {
        return text;
    }
    text.chars().take(VALUE_MAX).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::{Expect, fits};
    use expect_test::expect;
    use lockstep_types::{Completion, JsonText, NewNotice, Next, Outcome, Severity, Transition};
    use serde_json::{Value, json};

    fn completed() -> Outcome {
        let completion = Completion { output: Some("3 checks green".to_owned()), ..Completion::default() };
        let mut transition = Transition::new(
            JsonText::new(r#"{"polls":2,"seen":["a"]}"#).unwrap(),
            Next::Complete(completion),
        );
        transition.notices.push(NewNotice {
            kind: "ci_failed".to_owned(),
            severity: Severity::Normal,
            title: "CI".to_owned(),
            body: String::new(),
        });
        Outcome::Transition(Box::new(transition))
    }

    fn shown(expect: Value) -> String {
        let expect = Expect::read(expect).unwrap();
        let lines = expect.mismatches(&completed(), 10);
        let line = |m: &super::Mismatch| format!("{}: {} / {}", m.field, m.expected, m.came);
        lines.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_is_named_must_be_so_and_nothing_else() {
        let good = [
            json!({}),
            json!({ "next": "complete" }),
            json!({ "next": { "complete": { "output": "* checks green" } }, "state": { "polls": 2.0 } }),
            json!({ "notices": ["ci_failed"], "state": { "seen": ["a"] }, "max_fuel": 10 }),
            json!({ "notices": [{ "kind": "ci_failed", "title": "CI" }], "teardowns": [] }),
        ];
        for expect in good {
            assert_eq!(shown(expect.clone()), "", "{expect}");
        }
        expect![[r#"
            fuel: at most 9 / 10
            next.complete.output: 2 * / 3 checks green
            state.gone: 1 / nothing
            state.seen: [] / ["a"]
            note: looked / nothing
            notices[0]: test_failed / ci_failed"#]]
        .assert_eq(&shown(json!({
            "next": { "complete": { "output": "2 *" } }, "state": { "seen": [], "gone": 1 },
            "note": "looked", "notices": ["test_failed"], "max_fuel": 9,
        })));
        expect!["next: wait / complete 3 checks green"].assert_eq(&shown(json!({ "next": "wait" })));
        expect!["fault: trapped / complete 3 checks green"].assert_eq(&shown(json!({ "fault": "trapped" })));
    }

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*c", "abc", true),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("ab*b", "ab", false),
            ("*é*", "café!", true),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }
}
