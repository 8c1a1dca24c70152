//! Between the texts of the contract and the types of a step.

use crate::bindings;
use crate::text::json_error;
use crate::{
    Call, Descriptor, Event, Host, Policy, Refusal, Step, StepError, StepInput, Transition, json_text,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The descriptor of `S`.
#[must_use]
pub fn describe<S: Step>() -> Descriptor {
    S::descriptor()
}

/// Reads the input, asks `S`, writes the transition.
///
/// # Errors
/// The text of a [`StepError`].
pub fn advance<S: Step>(input: StepInput, host: &impl Host) -> Result<bindings::Transition, String> {
    advance_typed::<S>(input, host).map_err(|error| error.to_string())
}

fn advance_typed<S: Step>(input: StepInput, host: &impl Host) -> Result<bindings::Transition, StepError> {
    let StepInput { run, step, decisions, state, event } = input;
    let config = read_config(&step.name, &step.config)?;
    let policy = read_policy(&step.policy)?;
    let state = match state {
        None => S::State::default(),
        Some(text) => read_state(&step.name, &text)?,
    };
    let call = Call { run, step, decisions, config, policy };
    let action = match &event {
        Event::Acted(action) => Some(action.name.clone()),
        _ => None,
    };
    match (S::advance(&call, state, event, host), action) {
        (Ok(transition), _) => Ok(transition.into_raw()),
        // What a person tries must not cost the run.
        (Err(StepError::UnexpectedEvent { doing, .. }), Some(action)) => Ok(refused(&call, &action, doing)),
        (Err(error), _) => Err(error),
    }
}

/// The answer to an action that the step has not. Its state is not kept.
fn refused<C>(call: &Call<C>, action: &str, doing: &str) -> bindings::Transition {
    let step = &call.step.name;
    let why = format!("step `{step}` has no action `{action}` now: {doing}");
    Transition::new((), Refusal::conflict(why)).into_raw()
}

impl<S: Serialize> Transition<S> {
    fn into_raw(self) -> bindings::Transition {
        bindings::Transition {
            state: json_text(&self.state),
            note: self.note,
            progress: self.progress,
            facts: self.facts,
            notices: self.notices,
            settled_notices: self.settled_notices,
            documents: self.documents,
            teardowns: self.teardowns,
            next: self.next,
        }
    }
}

/// Turns a state into one of the current version; a current one only has to be readable.
///
/// # Errors
/// The text of a [`StepError`].
pub fn migrate<S: Step>(from_version: u32, state: &str) -> Result<String, String> {
    let current = S::descriptor().state_version;
    let state = if from_version == current {
        read_state::<S::State>("", state)
    } else {
        S::migrate(from_version, state)
    };
    state.map(|state| json_text(&state)).map_err(|error| error.to_string())
}

fn read_config<C: DeserializeOwned>(step: &str, text: &str) -> Result<C, StepError> {
    let text = if matches!(text, "" | "null") { "{}" } else { text };
    serde_json::from_str(text).map_err(|error| {
        let field = setting_before(text, error.line(), error.column());
        StepError::Config { step: step.to_owned(), field: field.to_owned(), reason: json_error(&error) }
    })
}

/// The setting a reader had come to at this line and column: the last key of the outermost object before it.
///
/// Only a config that is wrong pays for this; tracking the path while reading would cost every call.
fn setting_before(text: &str, line: usize, column: usize) -> &str {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let read = text.get(..before.saturating_add(column)).unwrap_or(text);
    let (mut depth, mut setting) = (0_usize, "");
    let (mut expects_key, mut string_start, mut is_escaped) = (false, None, false);
    for (at, byte) in read.bytes().enumerate() {
        match (string_start, byte) {
            (Some(_), _) if is_escaped => is_escaped = false,
            (Some(_), b'\\') => is_escaped = true,
            (Some(start), b'"') => {
                if depth == 1 && expects_key {
                    (setting, expects_key) = (&read[start..at], false);
                }
                string_start = None;
            }
            (Some(_), _) => {}
            (None, b'"') => string_start = Some(at + 1),
            (None, b'{' | b'[') => {
                depth += 1;
                expects_key = depth == 1;
            }
            (None, b'}' | b']') => depth = depth.saturating_sub(1),
            (None, b',') => expects_key = depth == 1,
            (None, _) => {}
        }
    }
    // With the object closed the mistake is not in its last setting.
    if depth == 0 || setting.is_empty() { "(whole)" } else { setting }
}

fn read_policy(text: &str) -> Result<Policy, StepError> {
    let text = if matches!(text, "" | "null") { "{}" } else { text };
    serde_json::from_str(text).map_err(|error| StepError::Policy { reason: error.to_string() })
}

fn read_state<S: DeserializeOwned>(step: &str, text: &str) -> Result<S, StepError> {
    serde_json::from_str(text)
        .map_err(|error| StepError::State { step: step.to_owned(), reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only read")]
    struct Config {
        name: String,
        #[serde(default)]
        sizes: Vec<u32>,
    }

    #[test]
    fn a_config_that_is_wrong_names_the_setting() {
        let wrong = [
            r#"{"name":7}"#,
            r#"{"name":"a,\"b\":{","sizes":[1,{"x":2}]}"#,
            "{\n  \"name\": \"a\",\n  \"sizes\": [1, -2]\n}",
            r#"{"name":"a","size":[1]}"#,
            "{}",
            "7",
        ];
        let mut text = String::new();
        for config in wrong {
            let error = read_config::<Config>("s", config).expect_err("it is wrong").to_string();
            text.push_str(error.split(';').next().unwrap_or_default());
            text.push('\n');
        }
        expect_test::expect![[r#"
            step `s`, config name: invalid type: integer `7`, expected a string
            step `s`, config sizes: invalid type: map, expected u32
            step `s`, config sizes: invalid value: integer `-2`, expected u32
            step `s`, config size: unknown field `size`, expected `name` or `sizes`
            step `s`, config (whole): missing field `name`
            step `s`, config (whole): invalid type: integer `7`, expected struct Config
        "#]]
        .assert_eq(&text);
    }

    #[test]
    fn no_config_is_an_empty_one() {
        #[derive(serde::Deserialize)]
        struct Empty {}
        assert!(read_config::<Empty>("s", "").is_ok() && read_config::<Empty>("s", "null").is_ok());
    }
}
