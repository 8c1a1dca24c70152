//! Signals and evidence, as they are kept, told and shown.

use lockstep_sdk::release_health::{Evidence, Signal, SignalKind, SignalState};
use lockstep_sdk::text::at_most;
use serde::{Deserialize, Serialize};

/// Signals kept and told: more than these nobody looks at.
const MAX_SIGNALS: usize = 50;

/// Errors told to the on-call, the newest first.
const MAX_ERRORS: usize = 50;

/// Characters of an error, a note or a detail that are told.
const MAX_TOLD_CHARS: usize = 2_000;

/// A signal that alerts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptSignal {
    kind: String,
    id: String,
    pub(crate) name: String,
    state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

pub(crate) fn kept(signals: &[Signal]) -> Vec<KeptSignal> {
    let kept = |signal: &Signal| KeptSignal {
        kind: kind(signal.kind).to_owned(),
        id: signal.id.clone(),
        name: signal.name.clone(),
        state: word(signal.state).to_owned(),
        detail: signal.detail.as_deref().map(|detail| at_most(detail, MAX_TOLD_CHARS)),
    };
    signals.iter().take(MAX_SIGNALS).map(kept).collect()
}

fn kind(kind: SignalKind) -> &'static str {
    match kind {
        SignalKind::Monitor => "monitor",
        SignalKind::Slo => "slo",
    }
}

fn word(state: SignalState) -> &'static str {
    match state {
        SignalState::Ok => "ok",
        SignalState::Warn => "warn",
        SignalState::Alert => "alert",
        SignalState::NoData => "no-data",
    }
}

/// RH-5: `latency (alert: 900 ms)`, of all signals that alert.
pub(crate) fn summary(signals: &[Signal]) -> String {
    let alerting: Vec<_> = signals
        .iter()
        .filter(|signal| signal.state == SignalState::Alert)
        .take(MAX_SIGNALS)
        .map(|signal| match &signal.detail {
            Some(detail) => format!("{} (alert: {})", signal.name, at_most(detail, MAX_TOLD_CHARS)),
            None => format!("{} (alert)", signal.name),
        })
        .collect();
    if alerting.is_empty() { "no signal says what regressed".to_owned() } else { alerting.join(", ") }
}

/// Errors that are told to the on-call.
pub(crate) fn errors(evidence: &Evidence) -> Vec<String> {
    evidence.errors.iter().take(MAX_ERRORS).map(|error| at_most(error, MAX_TOLD_CHARS)).collect()
}

/// RH-8: what an on-call reads.
pub(crate) fn rendered(evidence: &Evidence, summary: &str) -> String {
    let mut text = format!("The release regressed: {summary}");
    if !evidence.regressed.is_empty() {
        text.push_str("\n\nRegressed signals:");
        for signal in evidence.regressed.iter().take(MAX_SIGNALS) {
            text.push_str(&format!("\n- {} {} ({})", kind(signal.kind), signal.name, word(signal.state)));
            if let Some(detail) = &signal.detail {
                text.push_str(&format!(": {}", at_most(detail, MAX_TOLD_CHARS)));
            }
        }
    }
    if !evidence.errors.is_empty() {
        text.push_str("\n\nRecent errors:");
        for error in errors(evidence) {
            text.push_str(&format!("\n- {error}"));
        }
    }
    if let Some(notes) = &evidence.notes {
        text.push_str(&format!("\n\nNotes: {}", at_most(notes, MAX_TOLD_CHARS)));
    }
    text
}
