use crate::run::{AnswerRecord, Attempt, HeldEnvironment, Pause, Phase, Run, Step};
use lockstep_types::{
    Answer, ChainError, Effect, EffectKey, EffectOrder, EffectOutcome, Environment, Event, Failure, Held,
    Invocation, ItemStatus, JobKey, JobOrder, JsonText, Next, NoticeState, Observation, ObservationAnswer,
    ObservationRequest, Outcome, Pin, ReworkOrder, RunStatus, Severity, StepAnswer, StepEvent, StepIx,
    StepStatus, Stop, Timestamp,
};
use std::collections::BTreeMap;
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
            pause: Pause::default(),
            failure: None,
            item_status: spec
                .context
                .errand
                .as_ref()
                .map_or(ItemStatus::InProgress, |errand| errand.item_status),
            facts: Vec::new(),
            steps: spec.pipeline.steps.iter().map(|_| Step::default()).collect(),
            notices: spec.context.notices.clone(),
            answers: Vec::new(),
            documents: spec.context.documents.clone(),
            environments: spec.context.environments.iter().map(HeldEnvironment::kept).collect(),
            cleanups: Vec::new(),
            strays: Vec::new(),
            repinned: BTreeMap::new(),
            held_for: None,
            questions_asked: 0,
            invocations: 0,
            updated_at: spec.created_at,
            policy: JsonText::of(&spec.pipeline.policy),
            spec: Arc::clone(spec),
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
            Event::Invoked { step, invocation } => self.invoked(*step, invocation)?,
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
                    self.stray(*ix)?;
                    self.step(*ix)?.reset(at);
                }
            }
            Event::StepsCleared { steps, passed_over, .. } => self.cleared(at, steps, passed_over)?,
            Event::NoticeRaised(_)
            | Event::NoticeClosed { .. }
            | Event::NoticeEscalated { .. }
            | Event::ItemChanged { .. } => self.cards_changed(event)?,
            Event::CleanupRequested { step, order } => self.cleanup_requested(*step, order)?,
            Event::CleanupSettled { key, outcome } => self.cleanup_settled(key, outcome),
            Event::StraySettled { key, outcome } => self.stray_settled(key, outcome),
            Event::MergedByHand { .. } => self.item_status = ItemStatus::Done,
            Event::ItemMoved { to } => self.item_status = *to,
            Event::RunBlocked => self.status = RunStatus::Blocked,
            Event::RunUnblocked => self.status = RunStatus::Running,
            Event::RunResumed { .. } => self.paused(RunStatus::Running, None),
            Event::RunPaused { by, over_budget, stopped } => {
                self.paused(RunStatus::Paused, stopped.as_deref());
                self.pause = Pause { by: by.clone(), over_budget: *over_budget };
            }
            Event::Repinned(repinned) => self.repinned(repinned)?,
            Event::RunCompleted => self.status = RunStatus::Done,
            Event::RunFailed { failure, .. } => self.failed(at, failure),
            Event::Asked { step, question, .. } => {
                self.questions_asked = question.id.0;
                self.step(*step)?.apply(at, event)?;
            }
            Event::StepStarted { step, rework, pin } => {
                self.started(at, *step, rework.as_ref(), pin.as_deref())?;
            }
            Event::EffectSettled { step, outcome } => {
                let held = self.step(*step)?.provisioned(*step, outcome);
                self.environments.extend(held);
                self.step(*step)?.apply(at, event)?;
            }
            Event::ReworkOrdered { step, .. }
            | Event::Acted { step, .. }
            | Event::Stayed { step }
            | Event::TimerSet { step, .. }
            | Event::TimerFired { step }
            | Event::JobDispatched { step, .. }
            | Event::JobSettled { step, .. }
            | Event::EffectRequested { step, .. }
            | Event::StepCompleted { step, .. }
            | Event::StepSkipped { step, .. } => self.step(*step)?.apply(at, event)?,
        }
        Ok(())
    }

    fn started(
        &mut self,
        at: Timestamp,
        step: StepIx,
        rework: Option<&ReworkOrder>,
        pin: Option<&Pin>,
    ) -> Result<(), ReplayError> {
        // An errand begins with its action.
        let errand = self.spec.context.errand.as_ref();
        let begins = errand.map_or_else(
            || StepEvent::Started(rework.cloned()),
            |errand| StepEvent::Acted(errand.action.clone()),
        );
        let step = self.step(step)?;
        step.start(at, rework, begins);
        if let Some(pin) = pin {
            step.pin = Some(Box::new(pin.clone()));
        }
        Ok(())
    }

    fn cards_changed(&mut self, event: &Event) -> Result<(), ReplayError> {
        match event {
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
            Event::NoticeEscalated { id } => {
                let notice = self.notices.iter_mut().find(|notice| notice.id == *id);
                notice.ok_or(ReplayError::Misfit { event: "notice-escalated" })?.severity = Severity::Urgent;
            }
            Event::ItemChanged { documents, notices } => {
                self.documents.clone_from(documents);
                self.notices.extend(notices.iter().cloned());
            }
            _ => {}
        }
        Ok(())
    }

    fn paused(&mut self, status: RunStatus, held_for: Option<&Stop>) {
        self.status = status;
        self.held_for = held_for.cloned().map(Box::new);
    }

    fn failed(&mut self, at: Timestamp, failure: &Failure) {
        self.paused(RunStatus::Failed, None);
        self.failure = Some(failure.clone());
        for ix in 0..self.steps.len() {
            self.strays.extend(self.steps[ix].provisioning());
        }
        for step in &mut self.steps {
            if step.status != StepStatus::Done {
                step.close_attempt(at, "failed");
            }
            step.phase = Phase::Idle;
            step.interrupted = None;
        }
    }

    fn step(&mut self, ix: StepIx) -> Result<&mut Step, ReplayError> {
        self.steps.get_mut(ix).ok_or(ReplayError::Misfit { event: "a step that does not exist" })
    }

    fn invoked(&mut self, ix: StepIx, invocation: &Invocation) -> Result<(), ReplayError> {
        self.invocations += 1;
        for observation in &invocation.observations {
            self.environment_seen(observation);
        }
        let name = self.spec.pipeline.steps.get(ix).map(|def| def.name.clone()).unwrap_or_default();
        let step = self.step(ix)?;
        step.invocations += 1;
        step.phase = Phase::Idle;
        let Outcome::Transition(transition) = &invocation.outcome else {
            return Ok(());
        };
        step.memory = Some(transition.state.clone());
        if transition.next != Next::Stay {
            step.interrupted = None;
        }
        if transition.progress.is_some() {
            step.progress.clone_from(&transition.progress);
        }
        for fact in &transition.facts {
            self.facts.retain(|known| known.name != fact.name);
            self.facts.push(lockstep_types::Fact { step: name.clone(), ..fact.clone() });
        }
        for document in &transition.documents {
            self.documents.retain(|known| known.name != document.name);
            self.documents.push(document.clone());
        }
        Ok(())
    }

    /// An environment stands where its provider said last.
    fn environment_seen(&mut self, observation: &Observation) {
        let ObservationRequest::Environment { id } = &observation.request else {
            return;
        };
        let ObservationAnswer::Environment(report) = &observation.answer else {
            return;
        };
        match report {
            Some(report) => {
                for held in self.environments.iter_mut().filter(|held| held.environment.id == *id) {
                    held.environment.report = report.clone();
                }
            }
            None => self.environments.retain(|held| held.environment.id != *id),
        }
    }

    fn cleanup_requested(&mut self, ix: StepIx, order: &EffectOrder) -> Result<(), ReplayError> {
        self.step(ix)?.effects = order.key.number;
        if let Some(environment) = torn_down_by(order) {
            for held in self.environments.iter_mut().filter(|held| held.environment.id == environment.id) {
                held.released = true;
            }
        }
        self.cleanups.push(order.clone());
        Ok(())
    }

    /// A step will no longer wait for what it may be provisioning.
    fn stray(&mut self, ix: StepIx) -> Result<(), ReplayError> {
        let order = self.step(ix)?.provisioning();
        self.strays.extend(order);
        Ok(())
    }

    fn stray_settled(&mut self, key: &EffectKey, outcome: &EffectOutcome) {
        let Some(at) = self.strays.iter().position(|order| order.key == *key) else {
            return;
        };
        self.strays.remove(at);
        self.environments.extend(told(outcome).map(|environment| HeldEnvironment::kept(&environment)));
    }

    /// A teardown that failed is not tried again, but the environment may still be there (D-21).
    fn cleanup_settled(&mut self, key: &EffectKey, outcome: &EffectOutcome) {
        let Some(at) = self.cleanups.iter().position(|order| order.key == *key) else {
            return;
        };
        let order = self.cleanups.remove(at);
        let gone = torn_down_by(&order).filter(|_| matches!(outcome, EffectOutcome::Done(_)));
        if let Some(environment) = gone {
            self.environments.retain(|held| held.environment.id != environment.id);
        }
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
                if let Some(completion) = held.as_deref().and_then(Held::completion) {
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
            self.stray(*ix)?;
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
        // What a cleared step had is the item's from now on: whoever provisions next tears it down (D-21).
        for held in
            self.environments.iter_mut().filter(|held| held.with.is_some_and(|ix| steps.contains(&ix)))
        {
            held.with = None;
        }
        self.paused(RunStatus::Running, None);
        self.failure = None;
        for notice in &mut self.notices {
            if notice.state == NoticeState::Open && !notice.is_loose {
                notice.state = NoticeState::Dismissed;
            }
        }
        Ok(())
    }
}

impl HeldEnvironment {
    fn kept(environment: &Environment) -> Self {
        Self { environment: environment.clone(), with: None, released: false }
    }
}

/// The environment that a provision told of.
fn told(outcome: &EffectOutcome) -> Option<Environment> {
    match outcome {
        EffectOutcome::Done(told) => serde_json::from_str(told.as_str()).ok(),
        _ => None,
    }
}

/// The environment a teardown is about, if it names one.
fn torn_down_by(order: &EffectOrder) -> Option<Environment> {
    match &order.effect {
        Effect::Teardown(told) => serde_json::from_str(told.as_str()).ok(),
        _ => None,
    }
}

impl Step {
    /// Makes an event true that concerns this step alone.
    fn apply(&mut self, at: Timestamp, event: &Event) -> Result<(), ReplayError> {
        match event {
            Event::ReworkOrdered { rework, .. } => self.rework = Some(rework.clone()),
            Event::Acted { action, .. } => {
                self.interrupted = Some(Box::new(std::mem::take(&mut self.phase)));
                self.ready(StepEvent::Acted(action.clone()));
            }
            Event::Stayed { .. } => {
                let phase = self.interrupted.take().ok_or(ReplayError::Misfit { event: "stayed" })?;
                self.phase = *phase;
            }
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
                let event = StepEvent::JobSettled { kind: order.kind.clone(), outcome: outcome.clone() };
                if let Some((_, usage)) = outcome.spent() {
                    self.usage = self.usage.plus(usage);
                }
                self.ready(event);
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

    /// The environment that a settled effect has given to the item.
    fn provisioned(&self, ix: StepIx, outcome: &EffectOutcome) -> Option<HeldEnvironment> {
        let (Phase::Effect(order), EffectOutcome::Done(told)) = (&self.phase, outcome) else {
            return None;
        };
        let Effect::Provision { keep, .. } = order.effect else {
            return None;
        };
        let environment = serde_json::from_str(told.as_str()).ok()?;
        Some(HeldEnvironment { environment, with: (!keep).then_some(ix), released: false })
    }

    /// The provision it waits for.
    fn provisioning(&self) -> Option<EffectOrder> {
        match &self.phase {
            Phase::Effect(order) if matches!(order.effect, Effect::Provision { .. }) => {
                Some((**order).clone())
            }
            _ => None,
        }
    }

    fn ready(&mut self, event: StepEvent) {
        self.phase = Phase::Ready(Arc::new(event));
    }

    fn start(&mut self, at: Timestamp, rework: Option<&ReworkOrder>, begins: StepEvent) {
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
        self.interrupted = None;
        self.ready(begins);
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
        self.interrupted = None;
        self.rework = None;
        self.close_attempt(at, outcome);
    }

    /// Back to pending within a rework loop: component state, counters and evictions stay (SPEC EN-20, EV-4).
    fn reset(&mut self, at: Timestamp) {
        self.close_attempt(at, "reworked");
        self.status = StepStatus::Pending;
        self.phase = Phase::Idle;
        self.interrupted = None;
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
            && let Some(completion) = held.completion()
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
            usage: self.usage,
            attempts: std::mem::take(&mut self.attempts),
            ..Self::default()
        };
    }
}
