use crate::run::{AnswerRecord, Attempt, Phase, Run, Step};
use lockstep_types::{
    Answer, ChainError, Event, Failure, Held, ItemStatus, JobKey, JobOrder, NoticeState, Outcome,
    ReworkOrder, RunStatus, StepAnswer, StepEvent, StepIx, StepStatus, Timestamp,
};
use std::sync::Arc;

/// A journal that cannot be folded into a run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// Its records do not follow from each other.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// It has no records, or does not begin with the creation of the run.
    #[error("the journal of {run} does not begin with the creation of the run")]
    NoBeginning {
        /// The run.
        run: String,
    },
    /// An event does not fit the state it is applied to.
    #[error("event {event} does not fit the run it is applied to: the journal was altered or damaged")]
    Misfit {
        /// The event's word.
        event: &'static str,
    },
}

impl Run {
    /// The run as its first event makes it.
    ///
    /// # Errors
    /// `NoBeginning` if the event is another.
    pub fn create(event: &Event) -> Result<Self, ReplayError> {
        let Event::Created(spec) = event else {
            return Err(ReplayError::NoBeginning { run: String::new() });
        };
        Ok(Self {
            change: spec.change.clone(),
            status: RunStatus::Running,
            failure: None,
            item_status: ItemStatus::InProgress,
            facts: Vec::new(),
            steps: spec.pipeline.steps.iter().map(|_| Step::default()).collect(),
            notices: Vec::new(),
            answers: Vec::new(),
            questions_asked: 0,
            invocations: 0,
            updated_at: spec.created_at,
            spec: Arc::new((**spec).clone()),
        })
    }

    /// Makes an event true. The only way a run changes, live and on replay.
    ///
    /// # Errors
    /// `Misfit` if the event does not fit the state; the run is then of no further use.
    pub fn apply(&mut self, at: Timestamp, event: &Event) -> Result<(), ReplayError> {
        self.updated_at = at;
        match event {
            Event::Created(_) => return Err(ReplayError::Misfit { event: "created" }),
            Event::Invoked { step, invocation } => self.invoked(*step, &invocation.outcome)?,
            Event::JobRedispatched { step, transient, .. } => self.redispatched(*step, *transient)?,
            Event::ChangeUpdated { head_commit, pull_request } => {
                if head_commit.is_some() {
                    self.change.head_commit.clone_from(head_commit);
                }
                if pull_request.is_some() {
                    self.change.pull_request.clone_from(pull_request);
                }
            }
            Event::Answered { .. } => self.answered(at, event)?,
            Event::StepsReset { steps } => {
                for ix in steps {
                    self.step(*ix)?.reset(at);
                }
            }
            Event::StepsCleared { steps, passed_over, .. } => self.cleared(at, steps, passed_over)?,
            Event::NoticeRaised(notice) => {
                match self.notices.iter_mut().find(|known| known.id == notice.id) {
                    Some(known) => *known = notice.clone(),
                    None => self.notices.push(notice.clone()),
                }
            }
            Event::NoticeClosed { id, state } => {
                let notice = self.notices.iter_mut().find(|notice| notice.id == *id);
                notice.ok_or(ReplayError::Misfit { event: "notice-closed" })?.state = *state;
            }
            Event::ItemMoved { to } => self.item_status = *to,
            Event::RunBlocked => self.status = RunStatus::Blocked,
            Event::RunUnblocked | Event::RunResumed { .. } => self.status = RunStatus::Running,
            Event::RunPaused { .. } => self.status = RunStatus::Paused,
            Event::RunCompleted => self.status = RunStatus::Done,
            Event::RunFailed { failure, .. } => self.failed(at, failure),
            Event::Asked { step, question, .. } => {
                self.questions_asked = question.id.0;
                self.step(*step)?.apply(at, event)?;
            }
            Event::StepStarted { step, .. }
            | Event::TimerSet { step, .. }
            | Event::TimerFired { step }
            | Event::JobDispatched { step, .. }
            | Event::JobSettled { step, .. }
            | Event::EffectRequested { step, .. }
            | Event::EffectSettled { step, .. }
            | Event::StepCompleted { step, .. }
            | Event::StepSkipped { step, .. } => self.step(*step)?.apply(at, event)?,
        }
        Ok(())
    }

    fn failed(&mut self, at: Timestamp, failure: &Failure) {
        self.status = RunStatus::Failed;
        self.failure = Some(failure.clone());
        for step in &mut self.steps {
            if step.status != StepStatus::Done {
                step.close_attempt(at, "failed");
            }
            step.phase = Phase::Idle;
        }
    }

    fn step(&mut self, ix: StepIx) -> Result<&mut Step, ReplayError> {
        self.steps.get_mut(ix).ok_or(ReplayError::Misfit { event: "a step that does not exist" })
    }

    fn invoked(&mut self, ix: StepIx, outcome: &Outcome) -> Result<(), ReplayError> {
        self.invocations += 1;
        let name = self.spec.pipeline.steps.get(ix).map(|def| def.name.clone()).unwrap_or_default();
        let step = self.step(ix)?;
        step.invocations += 1;
        step.phase = Phase::Idle;
        let Outcome::Transition(transition) = outcome else {
            return Ok(());
        };
        step.memory = Some(transition.state.clone());
        if transition.progress.is_some() {
            step.progress.clone_from(&transition.progress);
        }
        for fact in &transition.facts {
            self.facts.retain(|known| known.name != fact.name);
            self.facts.push(lockstep_types::Fact { step: name.clone(), ..fact.clone() });
        }
        Ok(())
    }

    fn redispatched(&mut self, ix: StepIx, transient: bool) -> Result<(), ReplayError> {
        let step = self.step(ix)?;
        let Phase::Job(order) = &step.phase else {
            return Err(ReplayError::Misfit { event: "job-redispatched" });
        };
        let number = step.jobs + 1;
        let next = JobOrder { key: JobKey { number, ..order.key.clone() }, ..(**order).clone() };
        step.jobs = number;
        step.progress = None;
        if transient {
            step.transient_evictions += 1;
        } else {
            step.crash_evictions += 1;
        }
        step.phase = Phase::Job(Arc::new(next));
        Ok(())
    }

    fn answered(&mut self, at: Timestamp, event: &Event) -> Result<(), ReplayError> {
        let Event::Answered { step: ix, question, answer, token, by } = event else {
            return Err(ReplayError::Misfit { event: "answered" });
        };
        let step = self.step(*ix)?;
        let Phase::Question { question: asked, held } = std::mem::take(&mut step.phase) else {
            return Err(ReplayError::Misfit { event: "answered" });
        };
        if asked.id != *question {
            return Err(ReplayError::Misfit { event: "answered" });
        }
        // A step whose result was rejected did not go on: it stays as the person left it (SPEC AP-6).
        if !matches!(answer, Answer::Reject { .. }) {
            step.status = StepStatus::Working;
        }
        step.waited_ms = step.waited_ms.saturating_add(at.ms_since(asked.asked_at));
        match answer {
            Answer::Choose { choice, text, comments } => {
                let answer =
                    StepAnswer { choice: choice.clone(), text: text.clone(), comments: comments.clone() };
                step.phase = Phase::Ready(Arc::new(StepEvent::Answered(answer)));
            }
            Answer::Approve { .. } => step.approved = true,
            Answer::RequestChanges { .. } | Answer::Reject { .. } => {
                // What was held back is dropped (DEVIATIONS reading 3), but a redo is told what it had produced.
                if let Some(Held::Completion(completion)) = held.as_deref() {
                    step.output.clone_from(&completion.output);
                }
            }
        }
        let (token, by) = (token.clone(), by.clone());
        self.answers.push(AnswerRecord { step: *ix, question: asked, answer: answer.clone(), token, by });
        Ok(())
    }

    fn cleared(
        &mut self,
        at: Timestamp,
        steps: &[StepIx],
        passed_over: &[StepIx],
    ) -> Result<(), ReplayError> {
        for ix in steps {
            self.step(*ix)?.clear(at);
        }
        for ix in passed_over {
            self.step(*ix)?.pass_over(at);
        }
        let names: Vec<&str> = steps
            .iter()
            .filter_map(|ix| self.spec.pipeline.steps.get(*ix))
            .map(|def| def.name.as_str())
            .collect();
        self.facts.retain(|fact| !names.contains(&fact.step.as_str()));
        self.answers.retain(|answer| !steps.contains(&answer.step));
        self.status = RunStatus::Running;
        self.failure = None;
        for notice in &mut self.notices {
            if notice.state == NoticeState::Open {
                notice.state = NoticeState::Dismissed;
            }
        }
        Ok(())
    }
}

impl Step {
    /// Makes an event true that concerns this step alone.
    fn apply(&mut self, at: Timestamp, event: &Event) -> Result<(), ReplayError> {
        match event {
            Event::StepStarted { rework, .. } => self.start(at, rework.as_ref()),
            Event::TimerSet { due, reason, .. } => {
                self.phase = Phase::Timer { due: *due, reason: reason.clone(), since: at };
            }
            Event::TimerFired { .. } => self.ready(StepEvent::Due),
            Event::JobDispatched { order, .. } => {
                self.jobs = order.key.number;
                self.phase = Phase::Job(Arc::new((**order).clone()));
            }
            Event::JobSettled { outcome, .. } => {
                let Phase::Job(order) = &self.phase else {
                    return Err(ReplayError::Misfit { event: "job-settled" });
                };
                self.ready(StepEvent::JobSettled { kind: order.kind.clone(), outcome: outcome.clone() });
            }
            Event::EffectRequested { order, .. } => {
                self.effects = order.key.number;
                self.phase = Phase::Effect(Arc::new((**order).clone()));
            }
            Event::EffectSettled { outcome, .. } => self.ready(StepEvent::EffectSettled(outcome.clone())),
            Event::Asked { question, held, .. } => {
                self.status = StepStatus::WaitingDecision;
                self.phase = Phase::Question { question: question.clone(), held: held.clone().map(Arc::new) };
            }
            Event::StepCompleted { completion, .. } => {
                self.output.clone_from(&completion.output);
                self.artifact.clone_from(&completion.artifact);
                self.item_status = completion.item_status;
                self.finish(at, "completed");
            }
            Event::StepSkipped { reason, .. } => {
                self.skipped = Some(reason.clone());
                self.finish(at, "skipped");
            }
            _ => return Err(ReplayError::Misfit { event: "an event of the run" }),
        }
        Ok(())
    }

    fn ready(&mut self, event: StepEvent) {
        self.phase = Phase::Ready(Arc::new(event));
    }

    fn start(&mut self, at: Timestamp, rework: Option<&ReworkOrder>) {
        let number = self.attempts.last().map_or(1, |last| last.number + 1);
        self.close_attempt(at, "reworked");
        self.attempts.push(Attempt {
            number,
            started_at: at,
            finished_at: None,
            outcome: "working",
            output: None,
        });
        self.status = StepStatus::Working;
        self.passed_over = false;
        self.waited_ms = 0;
        self.output = None;
        self.progress = None;
        self.rework = rework.cloned();
        self.ready(StepEvent::Started(rework.cloned()));
    }

    fn close_attempt(&mut self, at: Timestamp, outcome: &'static str) {
        let output = self.output.clone();
        if let Some(attempt) = self.attempts.last_mut() {
            let open = attempt.finished_at.is_none();
            if open {
                attempt.finished_at = Some(at);
                attempt.output = output;
            }
            if open || outcome == "reworked" {
                attempt.outcome = outcome;
            }
        }
    }

    fn finish(&mut self, at: Timestamp, outcome: &'static str) {
        self.status = StepStatus::Done;
        self.phase = Phase::Idle;
        self.rework = None;
        self.close_attempt(at, outcome);
    }

    /// Back to pending within a rework loop: component state, counters and evictions stay (SPEC EN-20, EV-4).
    fn reset(&mut self, at: Timestamp) {
        self.close_attempt(at, "reworked");
        self.status = StepStatus::Pending;
        self.phase = Phase::Idle;
        self.output = None;
        self.artifact = None;
        self.skipped = None;
        self.passed_over = false;
        self.rework = None;
        self.approved = false;
        self.item_status = None;
        self.progress = None;
    }

    /// Left as it is, and never gone on with (SPEC RT-4); a result it was parked with stays its output.
    fn pass_over(&mut self, at: Timestamp) {
        if let Phase::Question { held: Some(held), .. } = &self.phase
            && let Held::Completion(completion) = &**held
        {
            self.output.clone_from(&completion.output);
        }
        self.close_attempt(at, "skipped");
        self.phase = Phase::Idle;
        self.passed_over = true;
    }

    /// Back to pending by retry or restart: only what makes keys unique, and the record of attempts, stays.
    fn clear(&mut self, at: Timestamp) {
        self.close_attempt(at, "failed");
        *self = Self {
            jobs: self.jobs,
            effects: self.effects,
            invocations: self.invocations,
            attempts: std::mem::take(&mut self.attempts),
            ..Self::default()
        };
    }
}
