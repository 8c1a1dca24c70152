//! What differs between two transitions, field by field, for people.

use lockstep_ports::FieldDifference;
use lockstep_types::{Next, Outcome, Transition};
use serde::Serialize;
use serde_json::{Map, Value};

/// Differences told of one pair: the first few show what is going on.
const DIFFERENCES_MAX: usize = 24;
/// Characters of a value that are shown.
const VALUE_MAX: usize = 160;
/// Characters shown before the place where two texts part.
const BEFORE_PARTING: usize = 30;

/// What two outcomes of a call differ in; empty if they mean the same. JSON texts are compared as values: the order of
/// their keys is no difference.
#[must_use]
pub fn differences(recorded: &Outcome, candidate: &Outcome) -> Vec<FieldDifference> {
    match (recorded, candidate) {
        (Outcome::Transition(recorded), Outcome::Transition(candidate)) => {
            if recorded == candidate {
                return Vec::new();
            }
            of_transitions(recorded, candidate)
        }
        (Outcome::Fault(recorded), Outcome::Fault(candidate)) => {
            let (recorded, candidate) = (
                format!("{}: {}", recorded.class, recorded.message),
                format!("{}: {}", candidate.class, candidate.message),
            );
            let same = recorded == candidate;
            if same { Vec::new() } else { vec![told("fault", Some(&recorded), Some(&candidate))] }
        }
        _ => vec![told("outcome", Some(&in_words(recorded)), Some(&in_words(candidate)))],
    }
}

/// What came of a call, on one line.
#[must_use]
pub fn in_words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Transition(transition) => next_in_words(&transition.next),
        Outcome::Fault(fault) => format!("fault {}: {}", fault.class, fault.message),
    }
}

fn next_in_words(next: &Next) -> String {
    let detail = match next {
        Next::Wait { ms, reason } => format!("{ms} ms: {reason}"),
        _ => next.detail(),
    };
    let line = detail.split_whitespace().collect::<Vec<_>>().join(" ");
    cut(format!("{} {line}", next.name()).trim_end(), 0)
}

fn of_transitions(recorded: &Transition, candidate: &Transition) -> Vec<FieldDifference> {
    let mut found = Vec::new();
    let (mut before, mut after) = (object(recorded), object(candidate));
    if recorded.next.name() == candidate.next.name() {
        let name = recorded.next.name();
        let (before, after) = (before.remove("next"), after.remove("next"));
        let inner = |next: Option<Value>| next.and_then(|mut next| next.get_mut(name).map(Value::take));
        compare(&format!("next.{name}"), inner(before).as_ref(), inner(after).as_ref(), &mut found);
    } else {
        before.remove("next");
        after.remove("next");
        let (before, after) = (next_in_words(&recorded.next), next_in_words(&candidate.next));
        found.push(told("next", Some(&before), Some(&after)));
    }
    compare_objects("", &before, &after, &mut found);
    found.truncate(DIFFERENCES_MAX);
    found
}

fn object(value: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

fn compare(path: &str, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<FieldDifference>) {
    if before == after || found.len() >= DIFFERENCES_MAX {
        return;
    }
    match (before, after) {
        (Some(Value::Object(before)), Some(Value::Object(after))) => {
            compare_objects(path, before, after, found);
        }
        (Some(Value::Array(before)), Some(Value::Array(after))) => {
            compare_lists(path, before, after, found);
        }
        (Some(Value::String(before)), Some(Value::String(after))) => match (json(before), json(after)) {
            (Some(before), Some(after)) => compare(path, Some(&before), Some(&after), found),
            _ => {
                let parting = parting(before, after);
                let (recorded, candidate) = (Some(cut(before, parting)), Some(cut(after, parting)));
                found.push(FieldDifference { field: path.to_owned(), recorded, candidate });
            }
        },
        _ => {
            let text = |value: &Value| match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            found.push(told(path, before.map(text).as_deref(), after.map(text).as_deref()));
        }
    }
}

fn compare_objects(
    path: &str,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    found: &mut Vec<FieldDifference>,
) {
    let added = after.keys().filter(|key| !before.contains_key(*key));
    for key in before.keys().chain(added) {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        compare(&path, before.get(key), after.get(key), found);
    }
}

/// Lists of things that have names are compared by name, others by place.
fn compare_lists(path: &str, before: &[Value], after: &[Value], found: &mut Vec<FieldDifference>) {
    if let (Some(before), Some(after)) = (named(before), named(after)) {
        let added = after.iter().filter(|(name, _)| before.iter().all(|(other, _)| other != name));
        for (name, _) in before.iter().chain(added) {
            let of = |list: &[(&str, &Value)]| {
                list.iter().find(|(other, _)| other == name).map(|(_, value)| (*value).clone())
            };
            compare(&format!("{path}[{name}]"), of(&before).as_ref(), of(&after).as_ref(), found);
        }
        return;
    }
    for at in 0..before.len().max(after.len()) {
        compare(&format!("{path}[{at}]"), before.get(at), after.get(at), found);
    }
}

fn named(list: &[Value]) -> Option<Vec<(&str, &Value)>> {
    let mut named: Vec<(&str, &Value)> = Vec::with_capacity(list.len());
    for value in list {
        let name = value.get("name").or_else(|| value.get("kind"))?.as_str()?;
        if named.iter().any(|(other, _)| *other == name) {
            return None;
        }
        named.push((name, value));
    }
    Some(named)
}

/// The value of a text that is a JSON object or list.
fn json(text: &str) -> Option<Value> {
    let is_json = text.starts_with('{') || text.starts_with('[');
    is_json.then(|| serde_json::from_str(text).ok()).flatten()
}

fn told(field: &str, recorded: Option<&str>, candidate: Option<&str>) -> FieldDifference {
    let parting = recorded.zip(candidate).map_or(0, |(recorded, candidate)| parting(recorded, candidate));
    FieldDifference {
        field: field.to_owned(),
        recorded: recorded.map(|text| cut(text, parting)),
        candidate: candidate.map(|text| cut(text, parting)),
    }
}

/// Characters that two texts have in common at their beginning.
fn parting(one: &str, other: &str) -> usize {
    one.chars().zip(other.chars()).take_while(|(one, other)| one == other).count()
}

/// At most `VALUE_MAX` characters of a text, around the place where it parts from the other one.
fn cut(text: &str, parting: usize) -> String {
    if text.chars().count() <= VALUE_MAX {
        return text.to_owned();
    }
    let begin = if parting < VALUE_MAX { 0 } else { parting - BEFORE_PARTING };
    let mut rest = text.chars().skip(begin);
    let mut shown: String = rest.by_ref().take(VALUE_MAX).collect();
    if begin > 0 {
        shown.insert(0, '…');
    }
    if rest.next().is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::{VALUE_MAX, differences};
    use expect_test::expect;
    use lockstep_types::{Completion, Fact, FailureClass, Fault, JsonText, Next, Outcome, Transition};

    fn shown(one: Transition, other: Transition) -> String {
        let (one, other) = (Outcome::Transition(Box::new(one)), Outcome::Transition(Box::new(other)));
        let line = |difference: super::FieldDifference| {
            let text = |side: Option<String>| side.unwrap_or_else(|| "nothing".to_owned());
            format!("{}: {} -> {}", difference.field, text(difference.recorded), text(difference.candidate))
        };
        differences(&one, &other).into_iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn waits(ms: u64, state: &str) -> Transition {
        let next = Next::Wait { ms, reason: "build is running".to_owned() };
        Transition::new(JsonText::new(state).unwrap(), next)
    }

    #[test]
    fn fields_are_named_down_to_where_they_differ() {
        let mut one = waits(1000, r#"{"polls":1,"seen":["a"]}"#);
        let mut other = waits(2000, r#"{"seen":["a","b"],"polls":1}"#);
        let fact = |value: &str| Fact {
            name: "estimate".to_owned(),
            value: JsonText::new(value).unwrap(),
            step: String::new(),
        };
        one.facts.push(fact(r#"{"risk":0.1}"#));
        other.facts.push(fact(r#"{"risk":0.2}"#));
        other.note = Some("looked".to_owned());
        expect![[r#"
            next.wait.ms: 1000 -> 2000
            facts[estimate].value.risk: 0.1 -> 0.2
            state.seen[1]: nothing -> b
            note: nothing -> looked"#]]
        .assert_eq(&shown(one, other));
    }

    #[test]
    fn another_next_is_told_in_words() {
        let done = Transition::new(
            JsonText::null(),
            Next::Complete(Completion { output: Some("all\ngreen".to_owned()), ..Completion::default() }),
        );
        let mut waits = waits(500, "null");
        waits.state = JsonText::null();
        expect!["next: wait 500 ms: build is running -> complete all green"].assert_eq(&shown(waits, done));
    }

    #[test]
    fn the_order_of_keys_is_no_difference() {
        assert_eq!(shown(waits(1, r#"{"a":1,"b":2}"#), waits(1, r#"{"b": 2, "a": 1}"#)), "");
    }

    #[test]
    fn a_long_text_is_shown_where_it_parts() {
        let text = |end: &str| {
            let output = Some(format!("{}{end}", "x".repeat(5 * VALUE_MAX)));
            Transition::new(JsonText::null(), Next::Complete(Completion { output, ..Completion::default() }))
        };
        let shown = shown(text("one"), text("two"));
        assert!(shown.contains("xxone -> …xx") && shown.len() < 2 * VALUE_MAX, "{shown}");
    }

    #[test]
    fn a_fault_is_compared_by_class_and_message() {
        let fault = |backtrace: Option<&str>| {
            Outcome::Fault(Fault {
                class: FailureClass::Trapped,
                message: "unreachable".to_owned(),
                backtrace: backtrace.map(str::to_owned),
            })
        };
        assert!(differences(&fault(None), &fault(Some("at f"))).is_empty());
        let answered = Outcome::Transition(Box::new(waits(1, "null")));
        assert_eq!(differences(&fault(None), &answered)[0].field, "outcome");
    }
}
