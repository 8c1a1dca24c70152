//! The runs of a simulation, and the ids scenarios address them by.

use crate::drive::JobInFlight;
use crate::mapping::round_counter;
use crate::trace::{failure_word, run_word, step_word};
use lockstep_engine::{Phase, Recorded, Run};
use lockstep_types::board::ItemId;
use lockstep_types::{Answer, Event, ItemStatus, QuestionId, QuestionKind, RunStatus, StepIx, StepStatus};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The current run of a block.
#[derive(Clone)]
pub(crate) struct RunEntry {
    /// `exec_1`; a retry and a restart give a new one.
    pub(crate) id: String,
    pub(crate) block: ItemId,
    pub(crate) recorded: Recorded,
    /// Status and failure as last seen.
    pub(crate) seen: String,
    /// Where it left the item when it was last looked at.
    pub(crate) seen_item: ItemStatus,
    approvals: BTreeMap<StepIx, Approval>,
    decisions: BTreeMap<StepIx, (String, QuestionId)>,
    /// The action a step is carrying out.
    acting: BTreeMap<StepIx, String>,
    /// The job that was started and has not settled.
    pub(crate) job: Option<JobInFlight>,
    /// Its step's own job was evicted and is to begin anew (SPEC EV-3).
    pub(crate) begins_anew: bool,
}

/// The approval of a step as the reference system shows it; caps, reviews and human tests are approvals too.
#[derive(Clone, Debug)]
struct Approval {
    id: String,
    question: QuestionId,
    status: &'static str,
}

/// Counters of ids.
#[derive(Default)]
pub(crate) struct Counters {
    executions: u32,
    approvals: u32,
    decisions: u32,
    pipelines: u32,
    schedules: u32,
}

impl Counters {
    pub(crate) fn next_execution(&mut self) -> String {
        self.executions += 1;
        format!("exec_{}", self.executions)
    }

    pub(crate) fn next_pipeline(&mut self) -> String {
        self.pipelines += 1;
        format!("pl_{}", self.pipelines)
    }

    pub(crate) fn next_schedule(&mut self) -> String {
        self.schedules += 1;
        format!("sch_{}", self.schedules)
    }
}

impl RunEntry {
    pub(crate) fn new(id: String, block: ItemId, recorded: Recorded) -> Self {
        Self {
            id,
            block,
            seen: String::new(),
            seen_item: ItemStatus::Planned,
            approvals: BTreeMap::new(),
            decisions: BTreeMap::new(),
            acting: BTreeMap::new(),
            job: None,
            begins_anew: false,
            recorded,
        }
    }

    pub(crate) fn run(&self) -> &Run {
        &self.recorded.run
    }

    pub(crate) fn kind_of(&self, step: StepIx) -> &str {
        self.run().spec().pipeline.steps.get(step).map_or("", |def| def.kind.as_str())
    }

    /// Keeps track of what is asked and answered, by the ids scenarios use.
    pub(crate) fn follow(&mut self, counters: &mut Counters, event: &Event) {
        match event {
            Event::Asked { step, question, .. } => self.asked(counters, *step, question.kind, question.id),
            Event::Answered { step, question, answer, .. } => {
                let approval = self.approvals.get_mut(step).filter(|asked| asked.question == *question);
                if let Some(approval) = approval {
                    approval.status = match answer {
                        Answer::Approve { .. } | Answer::Choose { .. } => "approved",
                        Answer::RequestChanges { .. } => "changes_requested",
                        Answer::Reject { .. } => "rejected",
                    };
                }
            }
            Event::Acted { step, action } => drop(self.acting.insert(*step, action.name.clone())),
            Event::Stayed { step } => drop(self.acting.remove(step)),
            // HT-12: a helper at work clears the approval; a review keeps it until its cycle is over.
            Event::JobDispatched { step, .. } if self.kind_of(*step) == "human-test" => {
                self.approvals.remove(step);
            }
            Event::StepCompleted { step, .. } => match self.acting.remove(step).as_deref() {
                Some("proceed") => {
                    if let Some(approval) = self.approvals.get_mut(step) {
                        approval.status = "approved";
                    }
                }
                Some(_) => drop(self.approvals.remove(step)),
                None => {}
            },
            // EN-20: a rework loop keeps decisions and drops approvals.
            Event::StepsReset { steps } => self.approvals.retain(|step, _| !steps.contains(step)),
            Event::JobRedispatched { step, .. } => {
                let role = &self.run().spec().pipeline.steps[*step].role;
                let phase = &self.run().steps()[*step].phase;
                self.begins_anew = matches!(phase, Phase::Job(order) if order.kind == *role);
            }
            Event::StepsCleared { steps, .. } => {
                self.begins_anew = false;
                self.approvals.retain(|step, _| !steps.contains(step));
                self.decisions.retain(|step, _| !steps.contains(step));
                self.acting.clear();
            }
            _ => {}
        }
    }

    fn asked(&mut self, counters: &mut Counters, step: StepIx, kind: QuestionKind, question: QuestionId) {
        self.acting.remove(&step);
        if kind == QuestionKind::Decision {
            counters.decisions += 1;
            self.decisions.insert(step, (format!("dec_{}", counters.decisions), question));
        } else {
            counters.approvals += 1;
            let id = format!("appr_{}", counters.approvals);
            self.approvals.insert(step, Approval { id, question, status: "pending" });
        }
    }

    /// The question an approval id stands for, by default the pending one; id 0 is never asked.
    pub(crate) fn approval(&self, id: Option<&str>) -> QuestionId {
        let mut known = self.approvals.values();
        let found = match id {
            Some(id) => known.find(|approval| approval.id == id),
            None => known.find(|approval| approval.status == "pending"),
        };
        found.map_or(QuestionId(0), |approval| approval.question)
    }

    /// As `approval`, for decisions.
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
        let steps: Vec<Value> = (0..run.steps().len()).map(|ix| self.final_step(ix)).collect();
        let mut shown = json!({
            "block": self.block.as_str(), "status": run_word(summary.status), "current": self.current(),
            "steps": steps,
        });
        if let Some(failure) = &summary.failure {
            shown["failure"] = json!(failure_word(failure.class));
        }
        shown
    }

    fn final_step(&self, ix: StepIx) -> Value {
        let (def, step) = (&self.run().spec().pipeline.steps[ix], &self.run().steps()[ix]);
        let approval = self.approvals.get(&ix);
        // While an action on it is carried out, the reference system shows the approval as it was.
        let is_parked =
            step.status == StepStatus::Working && approval.is_some_and(|asked| asked.status == "pending");
        let status = if is_parked { StepStatus::WaitingDecision } else { step.status };
        let mut shown = json!({"kind": def.role, "state": step_word(status)});
        if step.skipped.is_some() {
            shown["skipped"] = json!(true);
        }
        let rounds = step.memory.as_ref().map_or(Value::Null, |memory| memory.value()["attempts"].clone());
        if let (Some(counter), Some(rounds @ 1..)) = (round_counter(&def.kind), rounds.as_u64()) {
            shown[counter] = json!(rounds);
        }
        if step.crash_evictions > 0 {
            shown["evictions"] = json!(step.crash_evictions);
        }
        if step.transient_evictions > 0 {
            shown["transientEvictions"] = json!(step.transient_evictions);
        }
        if let Some(approval) = approval {
            shown["approval"] = json!(approval.status);
        }
        shown
    }

    /// Where the reference system's cursor stands: the step under way, else the next one, else the last one.
    pub(crate) fn current(&self) -> usize {
        let (steps, last) = (self.run().steps(), self.run().steps().len().saturating_sub(1));
        match self.run().status() {
            RunStatus::Done => last,
            _ => steps.iter().position(|step| !step.is_behind()).unwrap_or(last),
        }
    }
}
