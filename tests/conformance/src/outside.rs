//! The scripted outside world (FORMAT.md section 1.5): agents, checks, mergeability and merges.

use crate::Scenario;
use async_trait::async_trait;
use lockstep_ports::Observer;
use lockstep_types::{
    Check, CheckReport, JobOutcome, JobQuestion, JobResult, JsonText, MergeReport, ObservationAnswer,
    ObservationRequest, ObserveFailure, PullRequest, Usage, Verdict,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// What a call of an agent answers.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Number of the call within its kind.
    pub n: u32,
    entry: Value,
    reply: Value,
    kind: String,
    polls_seen: usize,
}

/// What one look at a job tells.
#[derive(Clone, Debug)]
pub(crate) enum Poll {
    /// It still works.
    Running,
    /// It ended.
    Settled(JobOutcome),
    /// Nobody could tell.
    Unreadable,
}

impl Call {
    /// The message with which the call, or the start of the job, fails.
    pub(crate) fn throws(&self) -> Option<&str> {
        message(&self.entry)
    }

    /// The result of an inline call.
    pub(crate) fn inline(&self) -> JobOutcome {
        JobOutcome::Done(result(&self.kind, self.n, &self.reply))
    }

    /// Looks at the job once.
    pub(crate) fn poll(&mut self) -> Poll {
        let failed = self.entry.get("failed").and_then(Value::as_str);
        let scripted = self.entry.get("polls").and_then(Value::as_array).filter(|polls| !polls.is_empty());
        let Some(polls) = scripted else {
            return Poll::Settled(failed.map_or_else(|| self.inline(), failure));
        };
        let state = &polls[self.polls_seen.min(polls.len() - 1)];
        self.polls_seen += 1;
        match state.as_str().or_else(|| state["state"].as_str()) {
            Some("done") => Poll::Settled(self.inline()),
            Some("failed") => {
                Poll::Settled(failure(state["error"].as_str().or(failed).unwrap_or("job failed")))
            }
            Some("throw") => Poll::Unreadable,
            _ => Poll::Running,
        }
    }
}

/// D-15: the fake executor turns the texts of FORMAT.md section 1.5 into a typed eviction.
fn failure(text: &str) -> JobOutcome {
    if !text.to_lowercase().contains("evicted or crashed") {
        return JobOutcome::Failed(text.to_owned());
    }
    let transient = text.contains("transient infrastructure eviction");
    JobOutcome::Evicted { transient, message: text.to_owned() }
}

fn message(entry: &Value) -> Option<&str> {
    entry.get("throw").map(|text| text.as_str().unwrap_or("failed"))
}

fn result(kind: &str, n: u32, reply: &Value) -> JobResult {
    let text = |name: &str| reply.get(name).and_then(Value::as_str).map(str::to_owned);
    let report = reply.get("testReport").or_else(|| reply.get("mergeAssessment"));
    let shorthand = ["assessment", "estimate"].iter().find_map(|name| reply.get(name));
    let output = match shorthand {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => text("output").unwrap_or_else(|| format!("{kind}#{n}")),
    };
    JobResult {
        output,
        report: report.map(JsonText::of),
        question: reply.get("decision").map(|decision| JobQuestion {
            prompt: decision["question"].as_str().unwrap_or_default().to_owned(),
            options: texts(&decision["options"]),
        }),
        pull_request: reply.get("pullRequest").and_then(|value| serde_json::from_value(value.clone()).ok()),
        model: text("model"),
        usage: reply.get("usage").map(|usage| Usage {
            input_tokens: usage["inputTokens"].as_u64().unwrap_or(0),
            output_tokens: usage["outputTokens"].as_u64().unwrap_or(0),
        }),
        confidence: reply.get("confidence").and_then(Value::as_f64),
        head_commit: None,
    }
}

fn texts(list: &Value) -> Vec<String> {
    let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The reply of a kind that has no script.
fn default_reply(kind: &str, n: u32) -> Value {
    match kind {
        "reviewer" | "architect-companion" | "spec-companion" => {
            json!({"assessment": {"rating": 1, "summary": "good"}})
        }
        "tester" => {
            let report =
                json!({"greenlight": true, "summary": "ok", "tested": [], "outcomes": [], "concerns": []});
            json!({"output": "tested", "testReport": report})
        }
        "merger" => {
            let scores = json!({"complexity": 0.1, "risk": 0.1, "impact": 0.1, "rationale": "small"});
            json!({"output": "assessed", "mergeAssessment": scores})
        }
        "coder" => {
            let request =
                json!({"url": "https://git.test/acme/shop/pull/7", "number": 7, "branch": "work/task"});
            json!({"output": format!("coder#{n}"), "pullRequest": request})
        }
        "task-estimator" => {
            json!({"estimate": {"complexity": 0.5, "risk": 0.5, "impact": 0.5, "rationale": "r"}})
        }
        _ => json!({"output": format!("{kind}#{n}")}),
    }
}

/// All outside parties.
pub(crate) struct Outside {
    agents: BTreeMap<String, Vec<Value>>,
    agent_calls: BTreeMap<String, u32>,
    providers: BTreeMap<String, Value>,
    merges: usize,
    merger: bool,
    ci: bool,
    mergeability: bool,
    observed: Mutex<BTreeMap<&'static str, usize>>,
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

impl Outside {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let scripted = |name: &str| scenario.providers.contains_key(name);
        Self {
            agents: scenario.agents.clone(),
            agent_calls: BTreeMap::new(),
            providers: scenario.providers.clone(),
            merges: 0,
            merger: scenario.wiring.merger.unwrap_or(true),
            ci: scenario.wiring.ci.unwrap_or_else(|| scripted("ci")),
            mergeability: scenario.wiring.mergeability.unwrap_or_else(|| scripted("mergeability")),
            observed: Mutex::new(BTreeMap::new()),
        }
    }

    /// Calls an agent, inline or as a job.
    pub(crate) fn call(&mut self, kind: &str) -> Call {
        let calls = self.agent_calls.entry(kind.to_owned()).or_insert(0);
        *calls += 1;
        let n = *calls;
        let script = self.agents.get(kind).map(Vec::as_slice).unwrap_or_default();
        let entry = nth(script, n as usize - 1).cloned().unwrap_or(Value::Null);
        let scripted = entry.get("reply").or_else(|| entry.get("result")).unwrap_or(&entry);
        let has_content = scripted.as_object().is_some_and(|reply| {
            reply.keys().any(|key| !["failed", "polls", "throw"].contains(&key.as_str()))
        });
        let reply = if has_content { scripted.clone() } else { default_reply(kind, n) };
        Call { n, entry, reply, kind: kind.to_owned(), polls_seen: 0 }
    }

    /// Merges a pull request.
    pub(crate) fn merge(&mut self, pull_request: Option<&PullRequest>) -> Merge {
        if !self.merger {
            return Merge::NotTried("no merger is wired".to_owned());
        }
        if pull_request.is_none() {
            return Merge::NotTried("there is no pull request".to_owned());
        }
        let entry = nth(script_of(&self.providers, "merge"), self.merges);
        self.merges += 1;
        match entry.and_then(message) {
            Some(why) => Merge::Failed(why.to_owned()),
            None => Merge::Merged,
        }
    }

    fn next_observation(&self, provider: &'static str) -> Value {
        let mut observed = self.observed.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = observed.entry(provider).or_insert(0);
        let entry = nth(script_of(&self.providers, provider), *seen).cloned();
        *seen += 1;
        entry.unwrap_or_else(|| json!({}))
    }

    fn checks(&self) -> Result<CheckReport, ObserveFailure> {
        if !self.ci {
            return Err(ObserveFailure::NotConfigured);
        }
        let entry = self.next_observation("ci");
        if let Some(why) = message(&entry) {
            return Err(ObserveFailure::Failed(why.to_owned()));
        }
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let checks = entry["checks"].as_array().map(Vec::as_slice).unwrap_or_default().iter();
        let checks = checks.map(|check| Check {
            name: text(&check["name"]).unwrap_or_default(),
            status: text(&check["status"]).unwrap_or_default(),
            conclusion: text(&check["conclusion"]),
            url: None,
            summary: None,
        });
        Ok(CheckReport { head_commit: head(&entry), checks: checks.collect() })
    }

    fn merge_report(&self) -> Result<MergeReport, ObserveFailure> {
        if !self.mergeability {
            return Err(ObserveFailure::NotConfigured);
        }
        let entry = self.next_observation("mergeability");
        if let Some(why) = message(&entry) {
            return Err(ObserveFailure::Failed(why.to_owned()));
        }
        let verdict = match entry["verdict"].as_str() {
            Some("conflicting") => Verdict::Conflicted,
            Some("unknown") => Verdict::Unknown,
            _ => Verdict::Mergeable,
        };
        Ok(MergeReport { head_commit: head(&entry), verdict, conflicts: Vec::new() })
    }
}

/// `headSha: null` is a change without a head; no `headSha` at all is the default one.
fn head(entry: &Value) -> Option<String> {
    entry.get("headSha").map_or_else(|| Some("sha".to_owned()), |head| head.as_str().map(str::to_owned))
}

fn script_of<'a>(providers: &'a BTreeMap<String, Value>, name: &str) -> &'a [Value] {
    providers.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The n-th entry of a script; past its end the last one.
fn nth(script: &[Value], n: usize) -> Option<&Value> {
    script.get(n.min(script.len().saturating_sub(1)))
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
            ObservationRequest::Attempts => ObservationAnswer::Attempts(Vec::new()),
            ObservationRequest::ChangedFiles | ObservationRequest::ReadFile { .. } => {
                failed(ObserveFailure::NotConfigured)
            }
        }
    }
}
