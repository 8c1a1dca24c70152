//! Agents and models played from a script (FORMAT.md section 1.5).

use lockstep_types::{JobOutcome, JobQuestion, JobResult, JsonText, Usage};
use serde_json::{Value, json};

/// What a call of an agent answers.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Number of the call within its kind.
    pub(crate) n: u32,
    entry: Value,
    reply: Value,
    kind: String,
    polls_seen: usize,
}

/// The n-th entry of a script; past its end the last one.
pub(crate) fn nth(script: &[Value], n: usize) -> Option<&Value> {
    script.get(n.min(script.len().saturating_sub(1)))
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
    /// The `n`-th call of an agent kind, from 1.
    pub(crate) fn of_agent(kind: &str, n: u32, script: &[Value]) -> Self {
        let entry = nth(script, n as usize - 1).cloned().unwrap_or(Value::Null);
        let scripted = entry.get("reply").or_else(|| entry.get("result")).unwrap_or(&entry);
        let has_content = scripted.as_object().is_some_and(|reply| {
            reply.keys().any(|key| !["failed", "polls", "throw"].contains(&key.as_str()))
        });
        let reply = if has_content { scripted.clone() } else { default_reply(kind, n) };
        Self { n, entry, reply, kind: kind.to_owned(), polls_seen: 0 }
    }

    /// The `n`-th call of a model, which answers with a text.
    pub(crate) fn of_model(kind: &str, n: u32, script: &[Value]) -> Self {
        let entry = nth(script, n as usize - 1).cloned().unwrap_or(Value::Null);
        let text = match &entry {
            Value::String(text) => text.clone(),
            Value::Object(fields) if fields.contains_key("text") => {
                fields["text"].as_str().unwrap_or_default().to_owned()
            }
            Value::Object(fields) if fields.contains_key("items") => entry.to_string(),
            _ if kind.ends_with("-review") => json!({"items": []}).to_string(),
            _ => format!("{kind}#{n}"),
        };
        let mut reply = json!({"output": text});
        if let Some(reason) = entry.get("finishReason") {
            reply["report"] = json!({"finishReason": reason});
        }
        Self { n, entry, reply, kind: kind.to_owned(), polls_seen: 0 }
    }

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

/// The message with which an entry fails.
pub(crate) fn message(entry: &Value) -> Option<&str> {
    entry.get("throw").map(|text| text.as_str().unwrap_or("failed"))
}

fn result(kind: &str, n: u32, reply: &Value) -> JobResult {
    let text = |name: &str| reply.get(name).and_then(Value::as_str).map(str::to_owned);
    let reports = ["testReport", "mergeAssessment", "onCallAssessment", "blueprintService", "report"];
    let report = reports.iter().find_map(|name| reply.get(name));
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
        "on-call" => {
            let hold =
                json!({"culpritConfidence": 0.2, "recommendation": "hold", "rationale": "r", "evidence": []});
            json!({"output": "investigated", "onCallAssessment": hold})
        }
        _ => json!({"output": format!("{kind}#{n}")}),
    }
}
