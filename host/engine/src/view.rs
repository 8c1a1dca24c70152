//! The run as people see it.

use crate::decide::stopped;
use crate::run::{Phase, Run};
use lockstep_types::{
    Digest, NoticeState, Question, QuestionKind, RunStatus, RunSummary, RunView, StepIx, StepStatus,
    StepView, Stop, Timestamp, Waiting,
};

/// Why a step that a restart left behind is not done.
const PASSED_OVER: &str = "the run was restarted at a later step";

impl Run {
    /// What lists show.
    #[must_use]
    pub fn summary(&self) -> RunSummary {
        let done = self.steps.iter().filter(|step| step.status == StepStatus::Done).count();
        RunSummary {
            id: self.spec.id.clone(),
            item: self.spec.item.clone(),
            workspace: self.spec.context.workspace.clone(),
            title: self.spec.title.clone(),
            pipeline: self.spec.pipeline.name.clone(),
            change: self.change.clone(),
            status: self.status,
            item_status: self.item_status,
            steps_done: u32::try_from(done).unwrap_or(u32::MAX),
            steps_total: u32::try_from(self.steps.len()).unwrap_or(u32::MAX),
            waiting: self.waiting(),
            failure: self.failure.clone(),
            open_notices: self
                .notices
                .iter()
                .filter(|notice| notice.state == NoticeState::Open)
                .cloned()
                .collect(),
            cleanups: u32::try_from(self.cleanups.len() + self.strays.len()).unwrap_or(u32::MAX),
            is_errand: self.is_errand(),
            created_at: self.spec.created_at,
            updated_at: self.updated_at,
        }
    }

    /// Everything people may see of the run; `seq` is the position of its last record.
    #[must_use]
    pub fn view(&self, seq: u64) -> RunView {
        RunView {
            summary: self.summary(),
            description: self.spec.description.clone(),
            initiator: self.spec.initiator.clone(),
            pin: self.spec.pipeline.pin,
            repinned: self.repinned.iter().map(|(kind, pin)| (kind.clone(), pin.digest)).collect(),
            steps: (0..self.steps.len()).map(|ix| self.step_view(ix)).collect(),
            facts: self.facts.clone(),
            notices: self.notices.clone(),
            seq,
        }
    }

    fn step_view(&self, ix: StepIx) -> StepView {
        let (def, step) = (self.def(ix), &self.steps[ix]);
        let attempt = step.attempts.last();
        // The times of a step that is to begin again would be those of the time before.
        let begun = attempt.filter(|_| step.status != StepStatus::Pending);
        let (job, question) = match &step.phase {
            Phase::Job(order) => (Some(order.key.to_string()), None),
            Phase::Question { question, .. } => (None, Some(question.clone())),
            Phase::Idle | Phase::Ready(_) | Phase::Timer { .. } | Phase::Effect(_) => (None, None),
        };
        StepView {
            name: def.name.clone(),
            kind: def.kind.clone(),
            role: def.role.clone(),
            status: step.status,
            skipped: step.skipped.clone().or_else(|| step.passed_over.then(|| PASSED_OVER.to_owned())),
            attempt: attempt.map_or(0, |attempt| attempt.number),
            digest: self.pin(ix).map_or(Digest::zero(), |pin| pin.digest),
            is_open: step.status == StepStatus::Pending && self.takes_active(ix),
            needs: def.needs.iter().map(|need| self.def(*need).name.clone()).collect(),
            started_at: begun.map(|attempt| attempt.started_at),
            finished_at: begun.and_then(|attempt| attempt.finished_at),
            waited_ms: step.waited_ms,
            output: step.output.clone(),
            progress: step.progress.clone(),
            state: step.memory.as_ref().map(lockstep_types::JsonText::value),
            invocations: step.invocations,
            usage: step.usage,
            job,
            job_progress: None,
            question,
        }
    }

    /// What the run waits for, since when, and who can act.
    fn waiting(&self) -> Vec<Waiting> {
        if !self.status.is_live() {
            return Vec::new();
        }
        let id = &self.spec.id;
        let mut waiting: Vec<Waiting> =
            (0..self.steps.len()).filter_map(|ix| self.step_waiting(ix)).collect();
        if self.status == RunStatus::Paused {
            if let Some(stop) = self.held_for() {
                waiting.insert(0, self.waiting_for(stop));
                return waiting;
            }
            let (on, reason, act) = if self.pause.over_budget {
                let act =
                    "the host, when there is a budget again: lockstep settings set --monthly-limit AMOUNT";
                ("budget", "the budget of the month is spent".to_owned(), act.to_owned())
            } else {
                let act = format!("an operator: lockstep runs resume {id}");
                ("pause", format!("{} paused the run", self.pause.by), act)
            };
            let (step, since, on) = (String::new(), self.updated_at, on.to_owned());
            waiting.insert(0, Waiting { step, on, reason, since, act });
        }
        waiting
    }

    fn waiting_for(&self, stop: &Stop) -> Waiting {
        let on_it = |ix: &StepIx| {
            let is_due = matches!(self.steps[*ix].phase, Phase::Ready(_));
            is_due && self.pin(*ix).is_some_and(|pin| pin.digest == stop.digest)
        };
        let step = (0..self.steps.len()).find(on_it).map(|ix| self.def(ix));
        let kind = step.map_or("KIND", |def| def.kind.as_str());
        Waiting {
            step: step.map(|def| def.name.clone()).unwrap_or_default(),
            on: "component".to_owned(),
            reason: stopped(kind, stop),
            since: stop.at,
            act: format!("an operator: {}", self.ways_on(kind, stop)),
        }
    }

    fn step_waiting(&self, ix: StepIx) -> Option<Waiting> {
        let id = &self.spec.id;
        let (def, step) = (self.def(ix), &self.steps[ix]);
        let waiting = |on: &str, reason: String, since: Timestamp, act: String| {
            Some(Waiting { step: def.name.clone(), on: on.to_owned(), reason, since, act })
        };
        match &step.phase {
            Phase::Idle => None,
            // Nobody calls it before the pause ends.
            Phase::Ready(_) if self.status == RunStatus::Paused => None,
            Phase::Ready(_) => waiting(
                "component",
                format!("{} is to be called", def.kind),
                self.updated_at,
                "the host".to_owned(),
            ),
            Phase::Timer { due, reason, since } => {
                waiting("timer", reason.clone(), *since, format!("the host looks again at {due}"))
            }
            Phase::Job(order) => waiting(
                "job",
                format!("job {} {}", order.kind, order.key),
                order.dispatched_at,
                format!("its executor; its log: lockstep step show {id} {}", def.name),
            ),
            Phase::Effect(order) => waiting(
                "effect",
                order.effect.name().to_owned(),
                order.requested_at,
                "its provider".to_owned(),
            ),
            Phase::Question { question, .. } => waiting(
                question.kind.word(),
                question.prompt.clone(),
                question.asked_at,
                how_to_answer(id, &def.name, question),
            ),
        }
    }
}

fn how_to_answer(id: &lockstep_types::RunId, step: &str, question: &Question) -> String {
    if let [first, others @ ..] = question.actions.as_slice() {
        let others = if others.is_empty() { String::new() } else { format!(" (or {})", others.join(", ")) };
        return format!("a person: lockstep runs act {id} {first} --step {step}{others}");
    }
    let answer = match (question.kind, question.options.as_slice()) {
        (QuestionKind::Approval, _) => "--approve | --request-changes TEXT | --reject REASON".to_owned(),
        (_, []) => "--choose TEXT".to_owned(),
        (_, options) => format!("--choose {}", options.join("|")),
    };
    format!("a person: lockstep runs answer {id} {} {answer}", question.id)
}
