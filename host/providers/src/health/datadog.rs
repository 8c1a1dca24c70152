//! Monitors and service level objectives of Datadog, as its API of version 1 tells of them.

use super::{Signals, failed};
use crate::http::{Http, HttpRequest, HttpResponse};
use crate::observations::WrittenSignal;
use lockstep_types::{ObserveFailure, SignalKind, SignalState, Timestamp};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

/// Monitors found by tags: more than these no report shows.
const MONITORS_MAX: usize = 100;

/// The time over which an objective is looked at that names none.
const SLO_SECONDS: u64 = 7 * 24 * 60 * 60;

/// What is watched. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Datadog {
    http: Http,
    /// Ids.
    monitors: Vec<u64>,
    /// Monitors with all of these tags, `service:shop`.
    tags: Vec<String>,
    /// Ids of objectives.
    slos: Vec<String>,
}

#[derive(Deserialize)]
struct Monitor {
    id: u64,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    overall_state: Option<String>,
    #[serde(default)]
    state: Option<State>,
}

#[derive(Deserialize)]
struct State {
    #[serde(default)]
    groups: BTreeMap<String, Group>,
}

#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    last_triggered_ts: Option<u64>,
    #[serde(default)]
    status: Option<String>,
}

#[derive(Deserialize)]
struct Slo {
    data: SloData,
}

#[derive(Deserialize)]
struct SloData {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    thresholds: Vec<Threshold>,
}

#[derive(Deserialize)]
struct Threshold {
    target: f64,
    #[serde(default)]
    timeframe: Option<String>,
}

#[derive(Deserialize)]
struct History {
    data: Option<HistoryData>,
}

#[derive(Deserialize)]
struct HistoryData {
    overall: Option<Overall>,
}

#[derive(Deserialize)]
struct Overall {
    sli_value: Option<f64>,
}

impl Datadog {
    /// Watches monitors by id or tags, and objectives by id. `http` has the address of the site and both keys.
    #[must_use]
    pub fn new(http: Http, monitors: Vec<u64>, tags: Vec<String>, slos: Vec<String>) -> Self {
        Self { http, monitors, tags, slos }
    }

    pub(super) async fn signals(&self) -> Result<Signals, ObserveFailure> {
        let mut signals = Vec::new();
        for id in &self.monitors {
            let path = format!("api/v1/monitor/{id}");
            let monitor: Monitor = self.get(HttpRequest::get(path).query("group_states", "all")).await?;
            signals.push(monitor.signal());
        }
        if !self.tags.is_empty() {
            let request = HttpRequest::get("api/v1/monitor").query("group_states", "all");
            let request = request.query("monitor_tags", self.tags.join(",")).query("page", 0);
            let monitors: Vec<Monitor> = self.get(request.query("page_size", MONITORS_MAX)).await?;
            let others = monitors.iter().filter(|monitor| !self.monitors.contains(&monitor.id));
            signals.extend(others.take(MONITORS_MAX).map(Monitor::signal));
        }
        for id in &self.slos {
            signals.push(self.objective(id).await?);
        }
        Ok(signals)
    }

    async fn objective(&self, id: &str) -> Result<WrittenSignal, ObserveFailure> {
        let slo: Slo = self.get(HttpRequest::get(format!("api/v1/slo/{id}"))).await?;
        let threshold = slo.data.thresholds.first();
        let seconds = threshold.and_then(|threshold| seconds(threshold.timeframe.as_deref()?));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let request = HttpRequest::get(format!("api/v1/slo/{id}/history"));
        let request =
            request.query("from_ts", now.saturating_sub(seconds.unwrap_or(SLO_SECONDS))).query("to_ts", now);
        let history: History = self.get(request).await?;
        let value = history.data.and_then(|data| data.overall).and_then(|overall| overall.sli_value);
        Ok(judge(id, slo.data.name, value, threshold.map(|threshold| threshold.target)))
    }

    pub(super) async fn check(&self) -> Result<String, String> {
        let request = HttpRequest::get("api/v1/validate");
        let answer = self.http.send(&request).await.and_then(HttpResponse::ok);
        answer.map_err(|error| format!("{error}: put valid keys in place of these"))?;
        match self.signals().await {
            Ok(signals) => Ok(format!("{} signals on Datadog", signals.len())),
            Err(ObserveFailure::Failed(line)) => Err(line),
            Err(ObserveFailure::NotConfigured) => Err("datadog is not configured".to_owned()),
        }
    }

    async fn get<T: DeserializeOwned>(&self, request: HttpRequest) -> Result<T, ObserveFailure> {
        let answer = self.http.send(&request).await.and_then(|response| response.ok()?.json());
        answer.map_err(|error| failed(&error))
    }
}

impl Monitor {
    /// Of several groups the one that triggered last says since when.
    fn signal(&self) -> WrittenSignal {
        let state = state_of(self.overall_state.as_deref().unwrap_or_default());
        let groups = self.state.iter().flat_map(|state| &state.groups);
        let alerting = groups.filter(|(_, group)| group.status.as_deref().map(state_of) == Some(state));
        let last = alerting.filter_map(|(name, group)| Some((group.last_triggered_ts?, name))).max();
        let detail = last.map(|(_, name)| name.clone()).filter(|name| name != "*");
        WrittenSignal {
            kind: SignalKind::Monitor,
            id: Some(self.id.to_string()),
            name: self.name.clone().unwrap_or_else(|| self.id.to_string()),
            state,
            detail,
            changed_at: last.map(|(seconds, _)| Timestamp(seconds.saturating_mul(1000))),
        }
    }
}

/// SPEC RH-6.
fn state_of(state: &str) -> SignalState {
    match state {
        "Alert" | "Alert Recovery" => SignalState::Alert,
        "Warn" | "Warn Recovery" => SignalState::Warn,
        "OK" => SignalState::Ok,
        _ => SignalState::NoData,
    }
}

/// SPEC RH-6: below the target alerts, the target itself does not.
fn judge(id: &str, name: Option<String>, value: Option<f64>, target: Option<f64>) -> WrittenSignal {
    let state = match (value, target) {
        (Some(value), Some(target)) if value < target => SignalState::Alert,
        (Some(_), Some(_)) => SignalState::Ok,
        _ => SignalState::NoData,
    };
    let detail = value.zip(target).map(|(value, target)| format!("{value:.3} of {target}"));
    WrittenSignal {
        kind: SignalKind::Slo,
        id: Some(id.to_owned()),
        name: name.unwrap_or_else(|| id.to_owned()),
        state,
        detail,
        changed_at: None,
    }
}

/// Of `7d`, `30d`, `90d`.
fn seconds(timeframe: &str) -> Option<u64> {
    timeframe.strip_suffix('d')?.parse::<u64>().ok()?.checked_mul(24 * 60 * 60)
}
