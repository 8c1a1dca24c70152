//! What follows from a component's answer. Here a verdict of a component becomes something that happens; no rule of
//! any step kind lives here.

use super::Decider;
use crate::notices::DECISION_REQUIRED;
use crate::run::Phase;
use lockstep_types::{
    Completion, Effect, Event, Failure, FailureClass, Held, Invocation, JobKey, JobOrder, JobRequest,
    NewNotice, Next, Observation, ObservationAnswer, Outcome, Question, QuestionId, QuestionKind, Rejected,
    ReworkRequest, StepEvent, StepIx, Transition,
};
use std::sync::Arc;

/// Calls of components in one run: far more than any loop of gates and graders makes, and an end to one that turns for ever.
const INVOCATIONS_PER_RUN_MAX: u32 = 100_000;
/// Facts on one run: each is shown to every later step and job.
const FACTS_PER_RUN_MAX: usize = 256;
/// Cards of one run, closed ones included: they are part of its state.
const NOTICES_PER_RUN_MAX: usize = 1000;

/// Documents of one item: each is shown to every step and job.
const DOCUMENTS_PER_ITEM_MAX: usize = 64;
/// The effect that also allows to tear down what it made.
const PROVISION: &str = "provision";
/// Who pauses a run whose workspace has spent its budget.
const BUDGET: &str = "the budget";

/// A question before it has a number.
struct Asked<'a> {
    kind: QuestionKind,
    prompt: &'a str,
    options: &'a [String],
    proposal: Option<String>,
    actions: &'a [String],
}

impl Decider {
    pub(super) fn invoked(&mut self, ix: StepIx, invocation: &Arc<Invocation>) -> Result<(), Rejected> {
        let ready = self.run.steps.get(ix).is_some_and(|step| matches!(step.phase, Phase::Ready(_)));
        if !ready || !self.run.status.is_live() {
            return Err(Rejected::Conflict(format!("no call was due for step {ix} of {}", self.run.spec.id)));
        }
        if let Outcome::Transition(transition) = &invocation.outcome {
            match &transition.next {
                Next::Dispatch(request)
                    if !self.admission.admits(&request.kind) && !self.is_repair(ix, &request.kind) =>
                {
                    self.hold_for_budget();
                    return Ok(());
                }
                Next::Refuse { invalid, message } if self.may_refuse(ix) => {
                    let text = message.clone();
                    return Err(if *invalid { Rejected::Invalid(text) } else { Rejected::Conflict(text) });
                }
                _ => {}
            }
        }
        let was_parked = self.run.steps[ix].is_parked();
        self.emit(Event::Invoked { step: ix, invocation: Arc::clone(invocation) });
        if was_parked && !self.run.steps[ix].is_parked() {
            // An action on a parked step was taken: the wait is over (D-7).
            self.dismiss(|kind| kind == DECISION_REQUIRED);
        }
        self.take_head_seen(&invocation.observations);
        match &invocation.outcome {
            Outcome::Fault(fault) => {
                let message = format!("{}: {}", self.component_of(ix), fault.message);
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

    /// Whether a step asks for the job that has just settled once more: that is one piece of work (reading 16).
    fn is_repair(&self, ix: StepIx, job: &str) -> bool {
        let Phase::Ready(event) = &self.run.steps[ix].phase else {
            return false;
        };
        matches!(&**event, StepEvent::JobSettled { kind, .. } if kind == job)
    }

    /// While the budget is spent the call is as if it had not been made: it is made again when there is a budget
    /// (DEVIATIONS D-16, reading 16).
    pub(crate) fn hold_for_budget(&mut self) {
        self.emit(Event::RunPaused { by: BUDGET.to_owned(), over_budget: true, stopped: None });
    }

    /// Whether what a person sent in this very turn is what the component answers: only then is there somebody to tell.
    fn may_refuse(&self, ix: StepIx) -> bool {
        let by_person = |event: &Event| match event {
            Event::Acted { step, .. } | Event::Answered { step, .. } => *step == ix,
            Event::Created(spec) => spec.context.errand.is_some(),
            _ => false,
        };
        let called = |event: &Event| matches!(event, Event::Invoked { .. });
        self.events.iter().any(by_person) && !self.events.iter().any(called)
    }

    /// The commit whose checks a gate saw is the one the change stands for from then on: what is merged later is what was
    /// checked, and a commit pushed in between is refused by the merge. So is the pull request that a forge has of it.
    fn take_head_seen(&mut self, observations: &[Observation]) {
        let seen = observations.iter().rev().find_map(|observation| match &observation.answer {
            ObservationAnswer::Checks(report) if report.head_commit.is_some() => {
                Some((report.head_commit.clone(), report.pull_request.clone()))
            }
            _ => None,
        });
        let Some((head_commit, pull_request)) = seen else { return };
        let known = &self.run.change;
        let pull_request = pull_request.filter(|request| Some(request) != known.pull_request.as_ref());
        if head_commit != known.head_commit || pull_request.is_some() {
            self.emit(Event::ChangeUpdated { head_commit, pull_request });
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
        if self.run.documents.len() > DOCUMENTS_PER_ITEM_MAX {
            return Some(format!("the item has more than {DOCUMENTS_PER_ITEM_MAX} documents"));
        }
        None
    }

    fn transition(&mut self, ix: StepIx, transition: &Transition) {
        self.settle_notices(&transition.settled_notices);
        let waits = matches!(&transition.next, Next::Complete(end) if self.decides_after_approval(ix, end));
        for notice in transition.notices.iter().filter(|_| !waits) {
            self.raise(Some(ix), notice);
        }
        if !transition.teardowns.is_empty() && !self.is_granted(ix, PROVISION) {
            let message = "it tore an environment down, but its kind may not provision any".to_owned();
            self.fail_component(ix, FailureClass::BadOutput, message);
            return;
        }
        for environment in &transition.teardowns {
            self.request_teardown(ix, environment.clone());
        }
        match &transition.next {
            Next::Complete(completion) => self.complete_or_ask(ix, completion, &transition.notices),
            Next::Skip(reason) => self.emit(Event::StepSkipped { step: ix, reason: reason.clone() }),
            Next::Wait { ms, reason } => {
                let due = self.now.plus_ms(*ms);
                self.emit(Event::TimerSet { step: ix, due, reason: reason.clone() });
            }
            Next::Dispatch(request) => self.dispatch(ix, request),
            Next::Ask { .. } if self.run.is_errand() => {
                let message = "it asked a person in an errand, where nobody would answer".to_owned();
                self.fail_component(ix, FailureClass::BadOutput, message);
            }
            Next::Ask { kind, prompt, options, proposal, actions } => {
                let asked = Asked { kind: *kind, prompt, options, proposal: proposal.clone(), actions };
                self.ask(ix, asked, None);
            }
            Next::Stay => self.stay(ix),
            Next::Refuse { message, .. } => {
                let message = format!("it refused what nobody asked for in this turn: {message}");
                self.fail_component(ix, FailureClass::BadOutput, message);
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

    /// Whether a decision about the item waits for consent, and with it what people are told of it (D-3).
    fn decides_after_approval(&self, ix: StepIx, completion: &Completion) -> bool {
        completion.item_status.is_some() && self.wants_approval(ix) && !completion.approved
    }

    fn complete_or_ask(&mut self, ix: StepIx, completion: &Completion, notices: &[NewNotice]) {
        if !self.wants_approval(ix) || completion.approved {
            self.complete_step(ix, completion.clone());
            return;
        }
        let producer = self.run.producer(ix, &completion.on_behalf_of);
        let proposal = match producer {
            Some(producer) => self.run.steps[producer].output.clone(),
            None => completion.output.clone(),
        };
        let held = if self.decides_after_approval(ix, completion) {
            Held::Decision(completion.clone(), notices.to_vec())
        } else {
            Held::Completion(completion.clone())
        };
        self.ask_approval(ix, proposal, held);
    }

    /// A step that needs consent gets it before a change that cannot be taken back (D-3).
    fn perform_or_ask(&mut self, ix: StepIx, effect: &Effect, proposal: Option<&String>) {
        if !self.is_granted(ix, effect.name()) {
            let message = format!(
                "it asked for effect {0}, which its kind is not granted: activate it with --grant-effect {0}",
                effect.name()
            );
            self.fail_component(ix, FailureClass::BadOutput, message);
        } else if effect.needs_consent() && self.wants_approval(ix) {
            let proposal = proposal.cloned().unwrap_or_else(|| effect.name().to_owned());
            self.ask_approval(ix, Some(proposal), Held::Effect(effect.clone()));
        } else {
            self.perform(ix, effect);
        }
    }

    fn is_granted(&self, ix: StepIx, effect: &str) -> bool {
        self.run.pin(ix).is_some_and(|pin| pin.grant.effects.iter().any(|name| name == effect))
    }

    pub(super) fn perform(&mut self, ix: StepIx, effect: &Effect) {
        if matches!(effect, Effect::Provision { .. }) {
            // One environment an item (D-21).
            self.tear_down(|_| true);
        }
        let order = self.effect_order(ix, effect.clone());
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
        let asked =
            Asked { kind: QuestionKind::Approval, prompt: &prompt, options: &[], proposal, actions: &[] };
        self.ask(ix, asked, Some(held));
    }

    fn ask(&mut self, ix: StepIx, asked: Asked<'_>, held: Option<Held>) {
        let question = Question {
            id: QuestionId(self.run.questions_asked + 1),
            kind: asked.kind,
            prompt: asked.prompt.to_owned(),
            options: asked.options.to_vec(),
            proposal: asked.proposal,
            actions: asked.actions.to_vec(),
            asked_at: self.now,
        };
        self.emit(Event::Asked { step: ix, question, held });
    }
}
