//! What follows from a component's answer. Here a verdict of a component becomes something that happens; no rule of
//! any step kind lives here.

use super::Decider;
use crate::run::Phase;
use lockstep_types::{
    Completion, Effect, EffectKey, EffectOrder, Event, Failure, FailureClass, Held, Invocation, JobKey,
    JobOrder, JobRequest, Next, Observation, ObservationAnswer, Outcome, Question, QuestionId, QuestionKind,
    Rejected, ReworkRequest, StepIx, Transition,
};

/// Calls of components in one run: far more than any loop of gates and graders makes, and an end to one that turns for ever.
const INVOCATIONS_PER_RUN_MAX: u32 = 100_000;
/// Facts on one run: each is shown to every later step and job.
const FACTS_PER_RUN_MAX: usize = 256;
/// Cards of one run, closed ones included: they are part of its state.
const NOTICES_PER_RUN_MAX: usize = 1000;

impl Decider {
    pub(super) fn invoked(&mut self, ix: StepIx, invocation: &Invocation) -> Result<(), Rejected> {
        let ready = self.run.steps.get(ix).is_some_and(|step| matches!(step.phase, Phase::Ready(_)));
        if !ready || !self.run.status.is_live() {
            return Err(Rejected::Conflict(format!("no call was due for step {ix} of {}", self.run.spec.id)));
        }
        self.emit(Event::Invoked { step: ix, invocation: Box::new(invocation.clone()) });
        self.take_head_seen(&invocation.observations);
        match &invocation.outcome {
            Outcome::Fault(fault) => {
                let def = self.run.def(ix);
                let message = format!("step {} ({}): {}", def.name, def.kind, fault.message);
                let detail = fault.backtrace.clone();
                self.fail(Some(ix), Failure { class: fault.class, message, detail });
            }
            Outcome::Transition(transition) => match self.excess(transition) {
                Some(message) => self.fail_component(ix, FailureClass::BadOutput, message),
                None => self.transition(ix, transition),
            },
        }
        Ok(())
    }

    /// The commit whose checks a gate saw is the one the change stands for from then on: what is merged later is what was
    /// checked, and a commit pushed in between is refused by the merge.
    fn take_head_seen(&mut self, observations: &[Observation]) {
        let seen = observations.iter().rev().find_map(|observation| match &observation.answer {
            ObservationAnswer::Checks(report) => report.head_commit.clone(),
            _ => None,
        });
        if seen.is_some() && seen != self.run.change.head_commit {
            self.emit(Event::ChangeUpdated { head_commit: seen, pull_request: None });
        }
    }

    fn excess(&self, transition: &Transition) -> Option<String> {
        if self.run.invocations > INVOCATIONS_PER_RUN_MAX {
            return Some(format!("the run called components more than {INVOCATIONS_PER_RUN_MAX} times"));
        }
        if self.run.facts.len() > FACTS_PER_RUN_MAX {
            return Some(format!("the run has more than {FACTS_PER_RUN_MAX} facts"));
        }
        if self.run.notices.len() + transition.notices.len() > NOTICES_PER_RUN_MAX {
            return Some(format!("the run raised more than {NOTICES_PER_RUN_MAX} notices"));
        }
        None
    }

    fn transition(&mut self, ix: StepIx, transition: &Transition) {
        for notice in &transition.notices {
            self.raise(Some(ix), notice);
        }
        match &transition.next {
            Next::Complete(completion) => self.complete_or_ask(ix, completion),
            Next::Skip(reason) => self.emit(Event::StepSkipped { step: ix, reason: reason.clone() }),
            Next::Wait { ms, reason } => {
                let due = self.now.plus_ms(*ms);
                self.emit(Event::TimerSet { step: ix, due, reason: reason.clone() });
            }
            Next::Dispatch(request) => self.dispatch(ix, request),
            Next::Ask { kind, prompt, options, proposal } => {
                self.ask(ix, *kind, prompt.clone(), options.clone(), proposal.clone(), None);
            }
            Next::Perform { effect, proposal } => self.perform_or_ask(ix, effect, proposal.as_ref()),
            Next::Rework(request) => self.rework_for(ix, request),
            Next::Fail { class, message, detail } => {
                let failure = Failure { class: *class, message: message.clone(), detail: detail.clone() };
                self.fail(Some(ix), failure);
                if *class == FailureClass::Cancelled {
                    self.dismiss(|_| true);
                }
            }
        }
    }

    /// Whether a person must consent before this step goes on (SPEC AP-8).
    fn wants_approval(&self, ix: StepIx) -> bool {
        self.run.def(ix).approval && !self.run.is_final(ix) && !self.run.steps[ix].approved
    }

    fn complete_or_ask(&mut self, ix: StepIx, completion: &Completion) {
        if !self.wants_approval(ix) || completion.approved {
            self.complete_step(ix, completion.clone());
            return;
        }
        let producer = self.run.producer(ix, &completion.on_behalf_of);
        let proposal = match producer {
            Some(producer) => self.run.steps[producer].output.clone(),
            None => completion.output.clone(),
        };
        self.ask_approval(ix, proposal, Held::Completion(completion.clone()));
    }

    /// A step that needs consent gets it before its first change of the outside world (D-3).
    fn perform_or_ask(&mut self, ix: StepIx, effect: &Effect, proposal: Option<&String>) {
        let granted =
            self.run.pin(ix).is_some_and(|pin| pin.grant.effects.iter().any(|name| name == effect.name()));
        if !granted {
            let message = format!(
                "it asked for effect {0}, which its kind is not granted: activate it with --grant-effect {0}",
                effect.name()
            );
            self.fail_component(ix, FailureClass::BadOutput, message);
        } else if self.wants_approval(ix) {
            let proposal = proposal.cloned().unwrap_or_else(|| effect.name().to_owned());
            self.ask_approval(ix, Some(proposal), Held::Effect(effect.clone()));
        } else {
            self.perform(ix, effect);
        }
    }

    pub(super) fn perform(&mut self, ix: StepIx, effect: &Effect) {
        let (run, step) = (self.run.spec.id.clone(), self.run.def(ix).name.clone());
        let order = EffectOrder {
            key: EffectKey { run, step, number: self.run.steps[ix].effects + 1 },
            effect: effect.clone(),
            change: self.run.change.clone(),
            title: self.run.spec.title.clone(),
            requested_at: self.now,
        };
        self.emit(Event::EffectRequested { step: ix, order: Box::new(order) });
    }

    fn dispatch(&mut self, ix: StepIx, request: &JobRequest) {
        let def = self.run.def(ix);
        let allowed = |job: &String| *job == request.kind || (job == "{role}" && def.role == request.kind);
        if !self.run.pin(ix).is_some_and(|pin| pin.grant.jobs.iter().any(allowed)) {
            let message = format!(
                "it asked for job {0}, which its kind is not granted: activate it with --grant-job {0}",
                request.kind
            );
            self.fail_component(ix, FailureClass::BadOutput, message);
            return;
        }
        let key = JobKey {
            run: self.run.spec.id.clone(),
            step: def.name.clone(),
            number: self.run.steps[ix].jobs + 1,
        };
        let order = JobOrder {
            key,
            kind: request.kind.clone(),
            access: request.access,
            context: self.run.job_context(ix, request),
            time_limit_ms: request.time_limit_ms,
            dispatched_at: self.now,
        };
        self.emit(Event::JobDispatched { step: ix, order: Box::new(order) });
    }

    fn rework_for(&mut self, ix: StepIx, request: &ReworkRequest) {
        match self.run.producer(ix, &request.producers) {
            Some(producer) => {
                let by = self.run.def(ix).name.clone();
                self.rework(producer, request.feedback.clone(), request.comments.clone(), by);
            }
            None => {
                let message = format!(
                    "it asked for rework by {}, which no earlier step is",
                    request.producers.join(" or ")
                );
                self.fail_component(ix, FailureClass::BadOutput, message);
            }
        }
    }

    fn ask_approval(&mut self, ix: StepIx, proposal: Option<String>, held: Held) {
        let prompt = format!("approve what {} produced?", self.run.def(ix).name);
        self.ask(ix, QuestionKind::Approval, prompt, Vec::new(), proposal, Some(held));
    }

    fn ask(
        &mut self,
        ix: StepIx,
        kind: QuestionKind,
        prompt: String,
        options: Vec<String>,
        proposal: Option<String>,
        held: Option<Held>,
    ) {
        let id = QuestionId(self.run.questions_asked + 1);
        let question = Question { id, kind, prompt, options, proposal, asked_at: self.now };
        self.emit(Event::Asked { step: ix, question, held });
    }
}
