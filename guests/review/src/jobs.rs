//! What the models are given.

use crate::{Config, Finding, Gate, Row};
use lockstep_sdk::{Access, Call, JobRequest};
use serde::Serialize;

/// SPEC RV-20.
const REVIEW_TOKENS: u32 = 5_000;

/// SPEC RV-20.
const REWORK_TOKENS: u32 = 16_000;

/// SPEC RV-21.
const RECOMMENDATION_TOKENS: u32 = 6_000;

/// SPEC RV-20.
const TEMPERATURE: f64 = 0.2;

#[derive(Serialize)]
struct Input<'a> {
    /// What is to be reviewed or rewritten.
    subject: &'a str,
    /// Whether that is an earlier rewrite (SPEC RV-15).
    is_document: bool,
    iteration: u32,
    /// To be worked in, or to be replied to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<&'a Finding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    feedback: Option<&'a str>,
    max_output_tokens: u32,
    temperature: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<&'a str>,
}

/// RV-15, RV-19: a rewrite, once there is one; else the description with what was investigated before.
fn subject(gate: &Gate, call: &Call<Config>, row: Option<&Row>, is_review: bool) -> String {
    let document = row.and_then(|row| row.document.as_deref());
    let investigation = gate.investigator.and_then(|role| call.run.latest_output(role));
    let subject = document.unwrap_or(&call.run.description);
    match investigation {
        // A rewrite that is reviewed has superseded the investigation (surprising).
        Some(text) if !(is_review && row.is_some()) => format!("{subject}\n\nWhat was investigated:\n{text}"),
        _ => subject.to_owned(),
    }
}

/// A review; `row` is the review so far, none on a first pass.
pub(crate) fn review(gate: &Gate, call: &Call<Config>, row: Option<&Row>) -> JobRequest {
    let subject = subject(gate, call, row, true);
    job(
        call,
        gate.kind,
        &Input {
            subject: &subject,
            is_document: row.is_some_and(|row| row.document.is_some()),
            iteration: row.map_or(1, |row| row.iteration.saturating_add(1)),
            findings: Vec::new(),
            feedback: None,
            max_output_tokens: REVIEW_TOKENS,
            temperature: TEMPERATURE,
            instructions: call.config.instructions.as_deref(),
        },
    )
}

/// A rewrite that works in what people replied. Feedback is told for this one alone (SPEC RV-15).
pub(crate) fn rework(gate: &Gate, call: &Call<Config>, row: &Row, feedback: Option<&str>) -> JobRequest {
    let subject = subject(gate, call, Some(row), false);
    job(
        call,
        gate.rework,
        &Input {
            subject: &subject,
            is_document: row.document.is_some(),
            iteration: row.iteration,
            findings: row.replied().collect(),
            feedback,
            max_output_tokens: REWORK_TOKENS,
            temperature: TEMPERATURE,
            instructions: call.config.instructions.as_deref(),
        },
    )
}

/// Replies to these findings.
pub(crate) fn recommend(
    gate: &Gate,
    call: &Call<Config>,
    row: &Row,
    requested: &[String],
    note: Option<&str>,
) -> JobRequest {
    let subject = subject(gate, call, Some(row), false);
    job(
        call,
        gate.recommendation,
        &Input {
            subject: &subject,
            is_document: row.document.is_some(),
            iteration: row.iteration,
            findings: row.findings.iter().filter(|finding| requested.contains(&finding.id)).collect(),
            feedback: note,
            max_output_tokens: RECOMMENDATION_TOKENS,
            temperature: TEMPERATURE,
            instructions: call.config.instructions.as_deref(),
        },
    )
}

fn job(call: &Call<Config>, kind: &str, input: &Input<'_>) -> JobRequest {
    JobRequest::new(kind, Access::ReadOnly).input(input).time_limit_s(call.config.time_limit_s)
}
