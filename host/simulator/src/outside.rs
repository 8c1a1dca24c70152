//! Outside services played from a script (FORMAT.md section 1.5).

use crate::Scenario;
use crate::agents::{Call, message, nth};
use crate::scenario::Providers;
use async_trait::async_trait;
use lockstep_ports::Observer;
use lockstep_types::{
    Check, CheckReport, EffectOutcome, Environment, EnvironmentReport, EnvironmentStatus, Evidence,
    HealthReport, HealthStatus, JsonText, MergeReport, ObservationAnswer, ObservationRequest, ObserveFailure,
    PullRequest, Signal, SignalKind, SignalState, Timestamp, Verdict,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Where environments are when a script says nothing else.
const ENVIRONMENT_URL: &str = "https://env.test";

/// All outside parties.
pub(crate) struct Outside {
    agents: BTreeMap<String, Vec<Value>>,
    models: BTreeMap<String, Vec<Value>>,
    providers: Providers,
    pub(crate) wired: Wired,
    /// Calls so far, by agent kind, model or provider.
    calls: Mutex<BTreeMap<String, u32>>,
}

/// Who is there at all (FORMAT.md section 1.4).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wired {
    ci: bool,
    mergeability: bool,
    release_health: bool,
    pub(crate) requirements: bool,
    pub(crate) clarity: bool,
    pub(crate) merger: bool,
    pub(crate) tracker: bool,
    pub(crate) environment: bool,
    pub(crate) teardown: bool,
    pub(crate) branch: bool,
    pub(crate) incident: bool,
    pub(crate) jobs: bool,
    pub(crate) notifications: bool,
}

impl Wired {
    fn of(scenario: &Scenario) -> Self {
        let (wiring, providers) = (&scenario.wiring, &scenario.providers);
        let or = |flag: Option<bool>, scripted: bool| flag.unwrap_or(scripted);
        let environment = or(wiring.environment, providers.environment.is_some());
        Self {
            ci: or(wiring.ci, providers.ci.is_some()),
            mergeability: or(wiring.mergeability, providers.mergeability.is_some()),
            release_health: or(wiring.release_health, providers.release_health.is_some()),
            requirements: or(wiring.requirements, providers.llm.is_some()),
            clarity: or(wiring.clarity, providers.llm.is_some()),
            merger: wiring.merger.unwrap_or(true),
            tracker: or(wiring.tracker, providers.tracker.is_some()),
            environment,
            teardown: wiring.environment_teardown.unwrap_or(environment),
            branch: or(wiring.branch_updater, providers.branch.is_some()),
            incident: wiring.incident.unwrap_or(false),
            jobs: wiring.async_executor.unwrap_or(true),
            notifications: wiring.notifications.unwrap_or(true),
        }
    }

    /// Effects that somebody performs.
    pub(crate) fn effects(&self) -> Vec<String> {
        let all = [
            ("merge", self.merger),
            ("update-branch", self.branch),
            ("provision", self.environment),
            ("open-ticket", self.tracker),
            ("annotate-incident", self.incident),
        ];
        all.into_iter().filter(|(_, wired)| *wired).map(|(name, _)| name.to_owned()).collect()
    }
}

/// What came of a merge.
pub(crate) enum Merge {
    /// There is nobody to merge, or nothing to be merged.
    NotTried(String),
    /// It was merged.
    Merged,
    /// It was tried.
    Failed(String),
}

/// What came of merging the base into the head branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BranchUpdate {
    Merged,
    Noop,
    Conflict,
    Failed(String),
}

impl Outside {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        Self {
            agents: scenario.agents.clone(),
            models: scenario.providers.llm.clone().unwrap_or_default(),
            providers: scenario.providers.clone(),
            wired: Wired::of(scenario),
            calls: Mutex::default(),
        }
    }

    fn count(&self, what: &str) -> u32 {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let count = calls.entry(what.to_owned()).or_insert(0);
        *count += 1;
        *count
    }

    fn script(script: Option<&Vec<Value>>) -> &[Value] {
        script.map(Vec::as_slice).unwrap_or_default()
    }

    /// Takes the next entry of a provider's script.
    fn take(&self, what: &str, script: &[Value]) -> Value {
        let n = self.count(what);
        nth(script, n as usize - 1).cloned().unwrap_or(Value::Null)
    }

    /// Calls an agent, inline or as a job.
    pub(crate) fn call(&self, kind: &str) -> Call {
        let n = self.count(&format!("agent {kind}"));
        Call::of_agent(kind, n, Self::script(self.agents.get(kind)))
    }

    /// Calls the review model; none if nobody reviews.
    pub(crate) fn call_model(&self, kind: &str) -> Option<Call> {
        let wired = if kind.starts_with("clarity") { self.wired.clarity } else { self.wired.requirements };
        wired.then(|| {
            let n = self.count(&format!("model {kind}"));
            Call::of_model(kind, n, Self::script(self.models.get(kind)))
        })
    }

    /// Merges a pull request.
    pub(crate) fn merge(&self, pull_request: Option<&PullRequest>) -> Merge {
        if !self.wired.merger {
            return Merge::NotTried("no merger is wired".to_owned());
        }
        if pull_request.is_none() {
            return Merge::NotTried("there is no pull request".to_owned());
        }
        let entry = self.take("merge", Self::script(self.providers.merge.as_ref()));
        message(&entry).map_or(Merge::Merged, |why| Merge::Failed(why.to_owned()))
    }

    /// Files a ticket.
    pub(crate) fn ticket(&self) -> EffectOutcome {
        let entry = self.take("tracker", Self::script(self.providers.tracker.as_ref()));
        match message(&entry) {
            Some(why) => EffectOutcome::Failed(why.to_owned()),
            None => EffectOutcome::Done(JsonText::of(&entry)),
        }
    }

    /// Provisions an environment.
    pub(crate) fn provision(&self) -> EffectOutcome {
        let script = self.providers.environment.as_ref().map(|script| script.provision.as_slice());
        let entry = self.take("provision", script.unwrap_or_default());
        if let Some(why) = message(&entry) {
            return EffectOutcome::Failed(why.to_owned());
        }
        let n = self.count("environments");
        let id = entry["id"].as_str().map_or_else(|| format!("env_{n}"), str::to_owned);
        EffectOutcome::Done(JsonText::of(&Environment { id, report: report(&entry) }))
    }

    /// Tears one down; false if that failed.
    pub(crate) fn teardown(&self) -> bool {
        let script = self.providers.environment.as_ref().map(|script| script.teardown.as_slice());
        message(&self.take("teardown", script.unwrap_or_default())).is_none()
    }

    /// Merges the base branch into the head branch.
    pub(crate) fn update_branch(&self) -> BranchUpdate {
        let entry = self.take("branch", Self::script(self.providers.branch.as_ref()));
        match (message(&entry), entry.as_str()) {
            (Some(why), _) => BranchUpdate::Failed(why.to_owned()),
            (None, Some("merged")) => BranchUpdate::Merged,
            (None, Some("conflict")) => BranchUpdate::Conflict,
            (None, _) => BranchUpdate::Noop,
        }
    }

    /// Adds evidence to an incident.
    pub(crate) fn annotate_incident(&self) -> EffectOutcome {
        let entry = self.take("incident", Self::script(self.providers.incident.as_ref()));
        message(&entry).map_or_else(
            || EffectOutcome::Done(JsonText::null()),
            |why| EffectOutcome::Failed(why.to_owned()),
        )
    }

    fn look(&self, what: &str, wired: bool, script: Option<&Vec<Value>>) -> Result<Value, ObserveFailure> {
        if !wired {
            return Err(ObserveFailure::NotConfigured);
        }
        let entry = self.take(what, Self::script(script));
        match message(&entry) {
            Some(why) => Err(ObserveFailure::Failed(why.to_owned())),
            None => Ok(entry),
        }
    }

    fn checks(&self) -> Result<CheckReport, ObserveFailure> {
        let entry = self.look("ci", self.wired.ci, self.providers.ci.as_ref())?;
        let checks = list(&entry["checks"]).iter().map(|check| Check {
            name: text(&check["name"]).unwrap_or_default(),
            status: text(&check["status"]).unwrap_or_default(),
            conclusion: text(&check["conclusion"]),
            url: text(&check["url"]),
            summary: None,
        });
        Ok(CheckReport { head_commit: head(&entry), checks: checks.collect(), pull_request: None })
    }

    fn merge_report(&self) -> Result<MergeReport, ObserveFailure> {
        let entry =
            self.look("mergeability", self.wired.mergeability, self.providers.mergeability.as_ref())?;
        let verdict = match entry["verdict"].as_str() {
            Some("conflicting" | "conflicted") => Verdict::Conflicted,
            Some("unknown") => Verdict::Unknown,
            _ => Verdict::Mergeable,
        };
        Ok(MergeReport { head_commit: head(&entry), verdict, ..MergeReport::default() })
    }

    fn health(&self) -> Result<HealthReport, ObserveFailure> {
        let entry =
            self.look("release health", self.wired.release_health, self.providers.release_health.as_ref())?;
        let status = match entry["status"].as_str() {
            Some("regressed") => HealthStatus::Regressed,
            Some("pending") => HealthStatus::Pending,
            _ => HealthStatus::Healthy,
        };
        Ok(HealthReport { status, signals: signals(&entry["signals"]) })
    }

    fn evidence(&self) -> Result<Evidence, ObserveFailure> {
        let entry = self.look("evidence", self.wired.release_health, self.providers.evidence.as_ref())?;
        let error = |error: &Value| error.as_str().map_or_else(|| error.to_string(), str::to_owned);
        Ok(Evidence {
            regressed: signals(&entry["regressedSignals"]),
            errors: list(&entry["errors"]).iter().map(error).collect(),
            notes: text(&entry["notes"]),
        })
    }

    fn environment(&self) -> Result<Option<EnvironmentReport>, ObserveFailure> {
        let script = self.providers.environment.as_ref().map(|script| &script.refresh);
        let entry = self.look("refresh", self.wired.environment, script)?;
        Ok(Some(report(&entry)))
    }
}

/// An environment as a script entry describes it; by default it is ready.
fn report(entry: &Value) -> EnvironmentReport {
    let status = match entry["status"].as_str() {
        Some("provisioning") => EnvironmentStatus::Provisioning,
        Some("failed") => EnvironmentStatus::Failed,
        Some("expired") => EnvironmentStatus::Expired,
        Some("torn_down" | "torn-down") => EnvironmentStatus::TornDown,
        _ => EnvironmentStatus::Ready,
    };
    let url = entry.get("url").map_or_else(|| Some(ENVIRONMENT_URL.to_owned()), text);
    EnvironmentReport { status, url, expires_at: entry["expiresAt"].as_u64().map(Timestamp) }
}

fn signals(entries: &Value) -> Vec<Signal> {
    let signal = |entry: &Value| Signal {
        kind: if entry["kind"] == json!("slo") { SignalKind::Slo } else { SignalKind::Monitor },
        id: text(&entry["id"]).unwrap_or_default(),
        name: text(&entry["name"]).or_else(|| text(&entry["id"])).unwrap_or_default(),
        state: match entry["state"].as_str() {
            Some("alert") => SignalState::Alert,
            Some("warn") => SignalState::Warn,
            Some("no_data" | "no-data") => SignalState::NoData,
            _ => SignalState::Ok,
        },
        detail: text(&entry["detail"]),
    };
    list(entries).iter().map(signal).collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// `headSha: null` is a change without a head; no `headSha` at all is the default one.
fn head(entry: &Value) -> Option<String> {
    entry.get("headSha").map_or_else(|| Some("sha".to_owned()), text)
}

#[async_trait]
impl Observer for Outside {
    async fn observe(&self, request: &ObservationRequest) -> ObservationAnswer {
        let failed = ObservationAnswer::Failed;
        match request {
            ObservationRequest::Checks => self.checks().map_or_else(failed, ObservationAnswer::Checks),
            ObservationRequest::Mergeability => {
                self.merge_report().map_or_else(failed, ObservationAnswer::Mergeability)
            }
            ObservationRequest::ReleaseHealth { .. } => {
                self.health().map_or_else(failed, ObservationAnswer::ReleaseHealth)
            }
            ObservationRequest::Evidence { .. } => {
                self.evidence().map_or_else(failed, ObservationAnswer::Evidence)
            }
            ObservationRequest::Environment { .. } => {
                self.environment().map_or_else(failed, ObservationAnswer::Environment)
            }
            ObservationRequest::Attempts => ObservationAnswer::Attempts(Vec::new()),
            ObservationRequest::ChangedFiles
            | ObservationRequest::ReadFile { .. }
            | ObservationRequest::Diff { .. } => failed(ObserveFailure::NotConfigured),
        }
    }
}
