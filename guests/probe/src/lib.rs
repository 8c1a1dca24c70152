//! Step kind `probe`: does what its config says, faults included. For tests of the host and for the benchmark.
//!
//! `{"do": "complete"}` is the least a component can do. It is written against the raw contract, because half of
//! what it does the SDK would not let it do. See [`act`] for the list.

mod act;
mod fault;

use lockstep_sdk::bindings::{Guest, Transition};
use lockstep_sdk::{Access, Completion, Descriptor, Event, Next, StepInput};
use serde::Deserialize;

struct Probe;

/// What to do, with what it may need.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(rename = "do", default = "complete")]
    action: String,
    /// How many, how long, how big.
    #[serde(default)]
    n: Option<u64>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    list: Vec<String>,
    #[serde(default)]
    write: bool,
}

fn complete() -> String {
    "complete".to_owned()
}

impl Config {
    fn text(&self, default: &str) -> String {
        self.text.as_deref().unwrap_or(default).to_owned()
    }
}

impl Guest for Probe {
    fn describe() -> Descriptor {
        Descriptor {
            kind: "probe".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            state_version: 2,
            summary: "Does what its config says.".to_owned(),
            config_schema: include_str!("config.schema.json").to_owned(),
            jobs: vec!["{role}".to_owned()],
            effects: vec!["merge".to_owned()],
            access: Access::Write,
            documents: Vec::new(),
            grades: Vec::new(),
            needs: Vec::new(),
        }
    }

    fn advance(input: StepInput) -> Result<Transition, String> {
        let config: Config = serde_json::from_str(&input.step.config).map_err(|error| error.to_string())?;
        match &input.event {
            Event::Started(_) => act::started(&config, &input),
            other => Ok(act::later(&config, &input, other)),
        }
    }

    /// Version 1 is read as it is, others are refused.
    fn migrate(from_version: u32, state: String) -> Result<String, String> {
        match from_version {
            1 | 2 => Ok(state),
            other => Err(format!("a state of version {other} is not known")),
        }
    }
}

/// A transition that keeps `state` and says nothing more.
fn to(state: impl Into<String>, next: impl Into<Next>) -> Transition {
    Transition {
        state: state.into(),
        note: None,
        progress: None,
        facts: Vec::new(),
        notices: Vec::new(),
        settled_notices: Vec::new(),
        documents: Vec::new(),
        teardowns: Vec::new(),
        next: next.into(),
    }
}

fn completed(output: String) -> Transition {
    to("{}", Completion { output: Some(output), ..Completion::new() })
}

lockstep_sdk::export_raw!(Probe);

#[cfg(test)]
mod tests;
