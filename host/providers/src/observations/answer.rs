//! Answers as commands write them.

use super::Misread;
use lockstep_types::{
    EnvironmentReport, Evidence, HealthReport, HealthStatus, Signal, SignalKind, SignalState, Timestamp,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;

#[derive(Deserialize)]
struct WrittenHealth {
    status: Option<HealthStatus>,
    #[serde(default)]
    signals: Vec<WrittenSignal>,
}

#[derive(Deserialize)]
struct WrittenEvidence {
    #[serde(default)]
    regressed: Vec<WrittenSignal>,
    #[serde(default)]
    errors: Vec<String>,
    notes: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct WrittenSignal {
    #[serde(default = "monitor")]
    pub(crate) kind: SignalKind,
    /// None: its name.
    pub(crate) id: Option<String>,
    pub(crate) name: String,
    pub(crate) state: SignalState,
    pub(crate) detail: Option<String>,
    /// When it last changed its state.
    pub(crate) changed_at: Option<Timestamp>,
}

fn monitor() -> SignalKind {
    SignalKind::Monitor
}

impl WrittenSignal {
    /// A monitor that alerted before the release is not this release's; of one that does not say since when, it may be
    /// (SPEC RH-6).
    fn since(self, watch_since: Timestamp) -> Signal {
        let is_older = self.changed_at.is_some_and(|changed_at| changed_at < watch_since);
        let state = match self.state {
            SignalState::Alert if is_older && self.kind == SignalKind::Monitor => SignalState::Warn,
            state => state,
        };
        let id = self.id.unwrap_or_else(|| self.name.clone());
        Signal { kind: self.kind, id, name: self.name, state, detail: self.detail }
    }
}

pub(crate) fn read_health(text: &str, watch_since: Timestamp) -> Result<HealthReport, Misread> {
    let written: WrittenHealth = read(text, "a health report")?;
    Ok(reported(written.status, written.signals, watch_since))
}

/// The report of signals; what they mean together follows from them unless it is told.
pub(crate) fn reported(
    status: Option<HealthStatus>,
    signals: Vec<WrittenSignal>,
    watch_since: Timestamp,
) -> HealthReport {
    let signals: Vec<Signal> = signals.into_iter().map(|signal| signal.since(watch_since)).collect();
    HealthReport { status: status.unwrap_or_else(|| reduced(&signals)), signals }
}

/// What signals mean together, where the command does not say (SPEC RH-6).
fn reduced(signals: &[Signal]) -> HealthStatus {
    if signals.iter().any(|signal| signal.state == SignalState::Alert) {
        HealthStatus::Regressed
    } else if signals.iter().all(|signal| signal.state == SignalState::NoData) {
        HealthStatus::Pending
    } else {
        HealthStatus::Healthy
    }
}

pub(crate) fn read_evidence(text: &str, watch_since: Timestamp) -> Result<Evidence, Misread> {
    let written: WrittenEvidence = read(text, "evidence")?;
    let regressed = written.regressed.into_iter().map(|signal| signal.since(watch_since)).collect();
    Ok(Evidence { regressed, errors: written.errors, notes: written.notes })
}

pub(super) fn read_environment(text: &str) -> Result<Option<EnvironmentReport>, Misread> {
    if text == "null" { Ok(None) } else { read(text, "an environment, or null").map(Some) }
}

fn read<T: DeserializeOwned>(text: &str, what: &'static str) -> Result<T, Misread> {
    let misread = |why: &str| Misread { what, why: why.to_owned() };
    if text.is_empty() {
        return Err(misread("it is empty"));
    }
    // The fields in an array, in order, would do for serde.
    if !text.starts_with('{') {
        return Err(misread("it is not a JSON object"));
    }
    serde_json::from_str(text).map_err(|error| misread(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::{Misread, read_environment, read_evidence, read_health};
    use expect_test::expect;
    use lockstep_types::{EnvironmentStatus, Timestamp};

    fn health(text: &str) -> String {
        match read_health(text, Timestamp(100)) {
            Ok(report) => {
                let signal = |signal: &lockstep_types::Signal| {
                    format!(" {}/{}:{:?}:{:?}", signal.id, signal.name, signal.kind, signal.state)
                };
                format!("{:?}{}\n", report.status, report.signals.iter().map(signal).collect::<String>())
            }
            Err(Misread { what, why }) => format!("not {what}: {why}\n"),
        }
    }

    #[test]
    fn a_status_that_is_not_told_follows_from_the_signals() {
        let found: String = [
            "{}",
            r#"{"signals":[]}"#,
            r#"{"signals":[{"name":"a","state":"no-data"},{"name":"b","state":"no-data"}]}"#,
            r#"{"signals":[{"name":"a","state":"no-data"},{"name":"b","state":"warn"}]}"#,
            r#"{"signals":[{"name":"a","state":"ok"},{"kind":"slo","id":"7","name":"b","state":"alert"}]}"#,
            r#"{"status":"healthy","signals":[{"name":"a","state":"alert"}]}"#,
            r#"{"signals":[{"name":"a","state":"alert","changed_at":99}]}"#,
            r#"{"signals":[{"name":"a","state":"alert","changed_at":100}]}"#,
            r#"{"signals":[{"kind":"slo","name":"a","state":"alert","changed_at":99}]}"#,
            r#"{"status":"fine"}"#,
            r#"{"signals":[{"name":"a","state":"red"}]}"#,
            r#"{"signals":{}}"#,
            "[]",
            "",
        ]
        .into_iter()
        .map(health)
        .collect();
        expect![[r#"
            Pending
            Pending
            Pending a/a:Monitor:NoData b/b:Monitor:NoData
            Healthy a/a:Monitor:NoData b/b:Monitor:Warn
            Regressed a/a:Monitor:Ok 7/b:Slo:Alert
            Healthy a/a:Monitor:Alert
            Healthy a/a:Monitor:Warn
            Regressed a/a:Monitor:Alert
            Regressed a/a:Slo:Alert
            not a health report: unknown variant `fine`, expected one of `healthy`, `pending`, `regressed` at line 1 column 16
            not a health report: unknown variant `red`, expected one of `ok`, `warn`, `alert`, `no-data` at line 1 column 37
            not a health report: invalid type: map, expected a sequence at line 1 column 11
            not a health report: it is not a JSON object
            not a health report: it is empty
        "#]].assert_eq(&found);
    }

    #[test]
    fn an_environment_that_is_not_known_is_null() {
        assert!(matches!(read_environment("null"), Ok(None)));
        let Ok(Some(report)) = read_environment(r#"{"status":"torn-down"}"#) else { panic!("not read") };
        assert_eq!(report.status, EnvironmentStatus::TornDown);
        let Err(Misread { what, why }) = read_environment(r#"{"status":"up"}"#) else { panic!("read") };
        expect!["not an environment, or null: unknown variant `up`, expected one of `provisioning`, `ready`, `failed`, `expired`, `torn-down` at line 1 column 14"].assert_eq(&format!("not {what}: {why}"));
        assert!(read_environment("").is_err() && read_environment("7").is_err());
    }

    #[test]
    fn evidence_may_be_anything_or_nothing() {
        let read = |text| read_evidence(text, Timestamp(100)).map_err(|misread| misread.why);
        assert_eq!(read("{}").unwrap(), lockstep_types::Evidence::default());
        let some =
            read(r#"{"regressed":[{"name":"a","state":"alert"}],"errors":["e"],"notes":"n"}"#).unwrap();
        assert_eq!((some.regressed.len(), some.errors.len(), some.notes.as_deref()), (1, 1, Some("n")));
        assert!(read(r#"{"errors":[1]}"#).unwrap_err().contains("expected a string"));
    }
}
