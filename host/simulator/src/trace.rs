//! The reduced trace (FORMAT.md section 3).

use lockstep_types::{Decision, FailureClass, ItemStatus, JobOrder, QuestionKind, RunStatus, StepStatus};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The block whose name effects leave out.
pub(crate) const DEFAULT_BLOCK: &str = "task";

/// Everything that happened, in the order of FORMAT.md section 3.2.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    at: usize,
    effects: Vec<Value>,
    contexts: Vec<Value>,
    rejected: Option<Value>,
    calls: Vec<Value>,
    states: Vec<(StateClass, String, String, Value)>,
}

/// Classes of state effects, in their order within one action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum StateClass {
    BlockAdded,
    Review,
    Notice,
    Park,
    BlockStatus,
    RunStatus,
}

impl Trace {
    /// Ends the action that went on and begins the next.
    pub(crate) fn begin(&mut self, at: usize) {
        self.end();
        self.at = at;
    }

    /// Ends the action that went on.
    pub(crate) fn end(&mut self) {
        self.effects.extend(self.rejected.take());
        self.effects.append(&mut self.calls);
        // Stable: each subject keeps its own order.
        self.states.sort_by(|a, b| (a.0, &a.1, &a.2).cmp(&(b.0, &b.1, &b.2)));
        self.effects.extend(self.states.drain(..).map(|(.., effect)| effect));
    }

    fn effect(&self, fx: &str, fields: Value) -> Value {
        let mut effect = Map::from_iter([("at".to_owned(), json!(self.at)), ("fx".to_owned(), json!(fx))]);
        if let Value::Object(fields) = fields {
            effect.extend(fields);
        }
        Value::Object(effect)
    }

    fn state(&mut self, class: StateClass, block: &str, subject: &str, fx: &str, mut fields: Value) {
        if class == StateClass::BlockStatus || block != DEFAULT_BLOCK {
            fields["block"] = json!(block);
        }
        let effect = self.effect(fx, fields);
        self.states.push((class, block.to_owned(), subject.to_owned(), effect));
    }

    pub(crate) fn rejected(&mut self, action: &str, class: &str) {
        self.rejected = Some(self.effect("action-rejected", json!({"do": action, "class": class})));
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// A call of an agent, a start of a job, or with no step a call of a review model.
    pub(crate) fn dispatch(&mut self, kind: &str, n: u32, step: Option<usize>, failed: bool) {
        let mut fields = json!({"kind": kind, "n": n, "step": step});
        if failed {
            fields["error"] = json!(true);
        }
        let effect = self.effect("dispatch", fields);
        self.calls.push(effect);
    }

    pub(crate) fn merge(&mut self, block: &str, ok: bool) {
        let mut fields = json!({"result": if ok { "ok" } else { "error" }});
        if block != DEFAULT_BLOCK {
            fields["block"] = json!(block);
        }
        let effect = self.effect("merge", fields);
        self.calls.push(effect);
    }

    /// An outside call of which no more is told.
    pub(crate) fn outside_call(&mut self, fx: &str, fields: Value) {
        let effect = self.effect(fx, fields);
        self.calls.push(effect);
    }

    pub(crate) fn block_added(&mut self, level: &str, parent: Option<&str>) {
        let effect = self.effect("block-added", json!({"level": level, "parent": parent}));
        self.states.push((StateClass::BlockAdded, String::new(), String::new(), effect));
    }

    pub(crate) fn review(&mut self, block: &str, review: &str, row: &Value) {
        let fields = json!({"review": review, "to": row["status"], "iteration": row["iteration"]});
        let effect = self.effect("review-status", fields);
        self.states.push((StateClass::Review, block.to_owned(), review.to_owned(), effect));
    }

    pub(crate) fn escalated(&mut self, block: &str, kind: &str) {
        self.state(StateClass::Notice, block, kind, "notification-escalated", json!({"type": kind}));
    }

    pub(crate) fn notify(&mut self, block: &str, kind: &str) {
        self.state(StateClass::Notice, block, kind, "notify", json!({"type": kind}));
    }

    pub(crate) fn cleared(&mut self, block: &str, kind: &str, how: &str) {
        let fields = json!({"type": kind, "as": how});
        self.state(StateClass::Notice, block, kind, "notification-cleared", fields);
    }

    pub(crate) fn park(&mut self, block: &str, step: usize, kind: QuestionKind) {
        let why = match kind {
            QuestionKind::Decision => "decision",
            QuestionKind::Cap => "cap",
            QuestionKind::Review => "review",
            QuestionKind::HumanTest => "human-test",
            QuestionKind::Approval => "approval",
        };
        self.state(StateClass::Park, block, "", "park", json!({"step": step, "why": why}));
    }

    pub(crate) fn block_status(&mut self, block: &str, to: &str) {
        self.state(StateClass::BlockStatus, block, "", "block-status", json!({"to": to}));
    }

    pub(crate) fn run_status(&mut self, block: &str, to: &str, failure: Option<FailureClass>) {
        let mut fields = json!({"to": to});
        if let Some(class) = failure {
            fields["failure"] = json!(failure_word(class));
        }
        self.state(StateClass::RunStatus, block, "", "run-status", fields);
    }

    /// What an agent was handed (FORMAT.md section 3.3).
    pub(crate) fn context(&mut self, order: &JobOrder, n: u32) {
        let given = &order.context;
        let mut context = json!({"kind": order.kind, "n": n, "desc": given.description});
        if !given.outputs.is_empty() {
            context["prior"] = given.outputs.iter().map(|output| json!(output.role)).collect();
        }
        if let Some(rework) = &given.rework {
            context["revision"] = json!({"feedback": rework.feedback});
            if !rework.comments.is_empty() {
                context["revision"]["comments"] = json!(rework.comments.len());
            }
        }
        if !given.decisions.is_empty() {
            // A new decision of a step takes the place of its earlier one (reading 12).
            let is_last = |(at, decision): &(usize, &Decision)| {
                given.decisions[at + 1..].iter().all(|later| later.step != decision.step)
            };
            let decisions = given.decisions.iter().enumerate().filter(is_last).map(|(_, decision)| decision);
            context["decisions"] =
                decisions.map(|decision| json!([decision.question, decision.answer])).collect();
        }
        if let Some(resolved) = &given.resolved {
            context["resolved"] = json!([resolved.question, resolved.answer]);
        }
        if let Some(environment) = &given.environment {
            context["env"] = json!(environment.report.status.word().replace('-', "_"));
        }
        if let Some(number) = given.change.pull_request.as_ref().and_then(|request| request.number) {
            context["pr"] = json!(number);
        }
        self.contexts.push(context);
    }

    /// Effects and contexts.
    pub(crate) fn into_parts(mut self) -> (Vec<Value>, Vec<Value>) {
        self.end();
        (self.effects, self.contexts)
    }
}

/// FORMAT.md and Lockstep name the same classes, with another dash.
pub(crate) fn failure_word(class: FailureClass) -> String {
    class.word().replace('-', "_")
}

pub(crate) fn run_word(status: RunStatus) -> &'static str {
    status.word()
}

pub(crate) fn item_word(status: ItemStatus) -> &'static str {
    match status {
        ItemStatus::Planned => "planned",
        ItemStatus::Ready => "ready",
        ItemStatus::InProgress => "in_progress",
        ItemStatus::Blocked => "blocked",
        ItemStatus::PrReady => "pr_ready",
        ItemStatus::Done => "done",
    }
}

pub(crate) fn step_word(status: StepStatus) -> &'static str {
    match status {
        StepStatus::Pending => "pending",
        StepStatus::Working => "working",
        StepStatus::WaitingDecision => "waiting_decision",
        StepStatus::Done => "done",
    }
}

/// The end of a scenario (FORMAT.md section 3.4).
pub(crate) fn final_state(
    runs: Vec<Value>,
    blocks: &BTreeMap<String, &str>,
    mut open_notices: Vec<String>,
) -> Value {
    open_notices.sort();
    json!({"runs": runs, "blocks": blocks, "openNotifications": open_notices})
}
