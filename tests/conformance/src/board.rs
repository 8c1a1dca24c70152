//! The table of blocks and of the runs on them, and the ids scenarios address them by.

use crate::drive::JobInFlight;
use crate::mapping::round_counter;
use crate::scenario::BlockDef;
use crate::trace::{failure_word, item_word, run_word, step_word};
use lockstep_engine::{Recorded, Run};
use lockstep_types::{Answer, Event, NoticeId, PullRequest, QuestionId, QuestionKind, RunStatus, StepIx};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A block: what outlives its runs.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) def: BlockDef,
    pub(crate) status: String,
    pub(crate) pull_request: Option<PullRequest>,
}

/// The current run of a block.
pub(crate) struct RunEntry {
    /// `exec_1`; a retry and a restart give a new one.
    pub(crate) id: String,
    pub(crate) block: String,
    pub(crate) recorded: Recorded,
    /// Status and failure as last seen.
    pub(crate) seen: String,
    pub(crate) approvals: BTreeMap<StepIx, Approval>,
    pub(crate) decisions: BTreeMap<StepIx, (String, QuestionId)>,
    /// Kinds of the notices raised so far.
    pub(crate) notices: BTreeMap<NoticeId, String>,
    /// The job that was started and has not settled.
    pub(crate) job: Option<JobInFlight>,
}

/// The approval of a step as the reference shows it; caps are approvals too.
#[derive(Clone, Debug)]
pub(crate) struct Approval {
    pub(crate) id: String,
    pub(crate) question: QuestionId,
    pub(crate) status: &'static str,
}

/// Blocks, runs and counters of ids.
#[derive(Default)]
pub(crate) struct Board {
    pub(crate) blocks: BTreeMap<String, Block>,
    pub(crate) runs: Vec<RunEntry>,
    executions: u32,
    approvals: u32,
    decisions: u32,
}

impl Board {
    pub(crate) fn new(defs: Vec<BlockDef>) -> Self {
        let block = |def: BlockDef| {
            let status = def.status.clone().unwrap_or_else(|| "planned".to_owned());
            let pull_request = def.pull_request.clone();
            (def.id.clone(), Block { def, status, pull_request })
        };
        Self { blocks: defs.into_iter().map(block).collect(), ..Self::default() }
    }

    pub(crate) fn next_execution(&mut self) -> String {
        self.executions += 1;
        format!("exec_{}", self.executions)
    }

    /// The run an action is about (FORMAT.md section 1.6).
    pub(crate) fn addressed(&self, run: Option<&str>, block: &str) -> Option<usize> {
        match run {
            Some(id) => self.runs.iter().position(|entry| entry.id == id),
            None => {
                let first = if self.runs.is_empty() { None } else { Some(0) };
                self.runs.iter().position(|entry| entry.block == block).or(first)
            }
        }
    }

    /// Keeps track of what is asked and answered, by the ids scenarios use.
    pub(crate) fn follow(&mut self, at: usize, event: &Event) {
        let entry = &mut self.runs[at];
        match event {
            Event::Asked { step, question, .. } if question.kind == QuestionKind::Decision => {
                self.decisions += 1;
                entry.decisions.insert(*step, (format!("dec_{}", self.decisions), question.id));
            }
            Event::Asked { step, question, .. } => {
                self.approvals += 1;
                let id = format!("appr_{}", self.approvals);
                entry.approvals.insert(*step, Approval { id, question: question.id, status: "pending" });
            }
            Event::Answered { step, question, answer, .. } => {
                let approval = entry.approvals.get_mut(step).filter(|asked| asked.question == *question);
                if let Some(approval) = approval {
                    approval.status = match answer {
                        Answer::Approve { .. } | Answer::Choose { .. } => "approved",
                        Answer::RequestChanges { .. } => "changes_requested",
                        Answer::Reject { .. } => "rejected",
                    };
                }
            }
            // EN-20: a rework loop keeps decisions and drops approvals.
            Event::StepsReset { steps } => entry.approvals.retain(|step, _| !steps.contains(step)),
            Event::StepsCleared { steps, .. } => {
                entry.approvals.retain(|step, _| !steps.contains(step));
                entry.decisions.retain(|step, _| !steps.contains(step));
            }
            _ => {}
        }
    }
}

impl RunEntry {
    pub(crate) fn run(&self) -> &Run {
        &self.recorded.run
    }

    /// The question an approval or decision id stands for, by default the pending one; id 0 is never asked.
    pub(crate) fn approval(&self, id: Option<&str>) -> QuestionId {
        let mut known = self.approvals.values();
        let found = match id {
            Some(id) => known.find(|approval| approval.id == id),
            None => known.find(|approval| approval.status == "pending"),
        };
        found.map_or(QuestionId(0), |approval| approval.question)
    }

    pub(crate) fn decision(&self, id: Option<&str>) -> QuestionId {
        let answered =
            |asked: &QuestionId| self.run().answers().iter().any(|known| known.question.id == *asked);
        let mut known = self.decisions.values();
        let found = match id {
            Some(id) => known.find(|(known, _)| known == id),
            None => known.find(|(_, asked)| !answered(asked)),
        };
        found.map_or(QuestionId(0), |(_, question)| *question)
    }

    /// Status and failure in one text, to see whether they changed.
    pub(crate) fn status_text(&self) -> String {
        let summary = self.run().summary();
        let failure = summary.failure.map(|failure| failure_word(failure.class)).unwrap_or_default();
        format!("{} {failure}", run_word(summary.status))
    }

    /// The run at the end of a scenario.
    pub(crate) fn final_run(&self) -> Value {
        let (run, summary) = (self.run(), self.run().summary());
        let steps = run.steps().iter().enumerate().map(|(ix, step)| {
            let def = &run.spec().pipeline.steps[ix];
            let mut shown = json!({"kind": def.role, "state": step_word(step.status)});
            if step.skipped.is_some() {
                shown["skipped"] = json!(true);
            }
            let rounds =
                step.memory.as_ref().map_or(Value::Null, |memory| memory.value()["attempts"].clone());
            if let (Some(counter), Some(rounds @ 1..)) = (round_counter(&def.kind), rounds.as_u64()) {
                shown[counter] = json!(rounds);
            }
            if step.crash_evictions > 0 {
                shown["evictions"] = json!(step.crash_evictions);
            }
            if step.transient_evictions > 0 {
                shown["transientEvictions"] = json!(step.transient_evictions);
            }
            if let Some(approval) = self.approvals.get(&ix) {
                shown["approval"] = json!(approval.status);
            }
            shown
        });
        let steps: Vec<Value> = steps.collect();
        let mut shown = json!({
            "block": self.block, "status": run_word(summary.status), "current": self.current(), "steps": steps,
        });
        if let Some(failure) = &summary.failure {
            shown["failure"] = json!(failure_word(failure.class));
        }
        shown
    }

    /// Where the reference's cursor stands: the step under way, else the next one, else the last one.
    fn current(&self) -> usize {
        let (steps, last) = (self.run().steps(), self.run().steps().len().saturating_sub(1));
        match self.run().status() {
            RunStatus::Done => last,
            _ => steps.iter().position(|step| !step.is_behind()).unwrap_or(last),
        }
    }

    pub(crate) fn item_word(&self) -> &'static str {
        item_word(self.run().item_status())
    }
}
