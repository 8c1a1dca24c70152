use crate::bindings::Transition;
use crate::testing::{ScriptedHost, render};
use crate::{
    Action, Answer, Change, Document, EffectOutcome, Event, ItemStatus, JobOutcome, JobQuestion, JobResult,
    JobSettled, Next, ReworkOrder, RunInfo, Step, StepInfo, StepInput, StepOutput, advance,
};
use std::marker::PhantomData;

/// Time of the first event: any whole number will do.
const FIRST_EVENT_AT: u64 = 1_000_000;

/// One step on its own: remembers the state, the clock and the job under way from one event to the next.
pub struct Bench<S> {
    /// The input of the next call; change it to set the scene.
    pub input: StepInput,
    /// What the step may ask.
    pub host: ScriptedHost,
    last: Option<Transition>,
    step: PhantomData<S>,
}

impl<S: Step> Bench<S> {
    /// A step with this `config`, in a run whose change has the head commit `3f2a91c77d` and no pull request.
    #[must_use]
    pub fn new(config: &str) -> Self {
        let kind = S::descriptor().kind;
        let change = Change {
            repository: "shop".to_owned(),
            base_branch: "main".to_owned(),
            head_branch: "work/task".to_owned(),
            head_commit: Some("3f2a91c77d".to_owned()),
            pull_request: None,
        };
        let run = RunInfo {
            id: "run-1".to_owned(),
            item: "task".to_owned(),
            title: "Take coupons".to_owned(),
            description: "do the thing".to_owned(),
            change,
            facts: Vec::new(),
            outputs: Vec::new(),
            item_status: ItemStatus::InProgress,
            documents: Vec::new(),
            is_errand: false,
            initiator: "ann".to_owned(),
            now: FIRST_EVENT_AT,
        };
        let step = StepInfo {
            name: kind.clone(),
            role: kind.clone(),
            config: config.to_owned(),
            policy: "{}".to_owned(),
            attempt: 1,
            is_final: false,
            wired: wired::<S>(&kind),
            kind,
        };
        let input = StepInput { run, step, decisions: Vec::new(), state: None, event: Event::Due };
        Self { input, host: ScriptedHost::default(), last: None, step: PhantomData }
    }

    /// Gives the step another role.
    #[must_use]
    pub fn role(mut self, role: &str) -> Self {
        role.clone_into(&mut self.input.step.role);
        self.input.step.wired = wired::<S>(role);
        self
    }

    /// Nobody carries out this job or effect; without this all the descriptor names are wired.
    #[must_use]
    pub fn unwired(mut self, name: &str) -> Self {
        self.input.step.wired.retain(|wired| wired != name);
        self
    }

    /// Makes it an errand: one action, no pipeline.
    #[must_use]
    pub fn errand(mut self) -> Self {
        self.input.run.is_errand = true;
        self
    }

    /// Puts a document on the item.
    #[must_use]
    pub fn document(mut self, name: &str, value: &str) -> Self {
        self.keep(name, value);
        self
    }

    /// Gives the run another policy.
    #[must_use]
    pub fn policy(mut self, policy: &str) -> Self {
        policy.clone_into(&mut self.input.step.policy);
        self
    }

    /// Adds the output of an earlier step whose name is its role.
    #[must_use]
    pub fn earlier_output(mut self, role: &str, output: &str) -> Self {
        let (step, role) = (role.to_owned(), role.to_owned());
        self.input.run.outputs.push(StepOutput { step, role, output: output.to_owned() });
        self
    }

    /// Hands over an event; the transition as text, or `error` and why there is none.
    pub fn event(&mut self, event: Event) -> String {
        self.input.event = event;
        match advance::<S>(self.input.clone(), &self.host) {
            Err(error) => format!("error    {error}\n"),
            Ok(transition) => {
                let text = render(&transition);
                self.take(transition);
                text
            }
        }
    }

    /// Carries what the step left from this event to the next, as the host does.
    fn take(&mut self, transition: Transition) {
        if matches!(transition.next, Next::Refuse(_)) {
            return;
        }
        self.input.state = Some(transition.state.clone());
        for document in &transition.documents {
            self.keep(&document.name, &document.value);
        }
        if transition.next != Next::Stay {
            self.last = Some(transition);
        }
    }

    fn keep(&mut self, name: &str, value: &str) {
        let documents = &mut self.input.run.documents;
        documents.retain(|document| document.name != name);
        documents.push(Document { name: name.to_owned(), value: value.to_owned() });
    }

    /// The step begins.
    pub fn started(&mut self) -> String {
        self.event(Event::Started(None))
    }

    /// The step begins again with a rework order; its state is kept.
    pub fn reworked(&mut self, feedback: &str) -> String {
        self.input.step.attempt += 1;
        let (comments, previous) = (Vec::new(), None);
        let order = ReworkOrder { feedback: feedback.to_owned(), comments, previous, by: "human".to_owned() };
        self.event(Event::Started(Some(order)))
    }

    /// The time the step asked for has passed.
    pub fn due(&mut self) -> String {
        if let Some(Next::Wait(waiting)) = self.last.as_ref().map(|last| &last.next) {
            self.input.run.now += waiting.ms;
        }
        self.event(Event::Due)
    }

    /// What the step waits for may have changed, a little before its time.
    pub fn woken(&mut self) -> String {
        self.input.run.now += 1;
        self.event(Event::Due)
    }

    /// The job under way ended.
    ///
    /// # Panics
    /// If the last transition dispatched none.
    pub fn job(&mut self, outcome: JobOutcome) -> String {
        let Some(Next::Dispatch(job)) = self.last.as_ref().map(|last| &last.next) else {
            panic!("no job is under way");
        };
        let kind = job.kind.clone();
        self.event(Event::JobSettled(JobSettled { kind, outcome }))
    }

    /// The job under way ended well, with nothing but a text.
    pub fn job_done(&mut self, output: &str) -> String {
        self.job(JobOutcome::Done(job_result(output)))
    }

    /// The job under way ended well, with a report.
    pub fn job_reported(&mut self, output: &str, report: &str) -> String {
        self.job(JobOutcome::Done(JobResult { report: Some(report.to_owned()), ..job_result(output) }))
    }

    /// The job under way asks a question.
    pub fn job_asked(&mut self, prompt: &str, options: &[&str]) -> String {
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let question = Some(JobQuestion { prompt: prompt.to_owned(), options });
        self.job(JobOutcome::Done(JobResult { question, ..job_result("so far") }))
    }

    /// The job under way failed.
    pub fn job_failed(&mut self, account: &str) -> String {
        self.job(JobOutcome::Failed(account.to_owned()))
    }

    /// A person answered.
    pub fn answered(&mut self, choice: &str) -> String {
        self.event(Event::Answered(Answer { choice: choice.to_owned(), text: None, comments: Vec::new() }))
    }

    /// A person acts on the step.
    pub fn acted(&mut self, name: &str, input: &str) -> String {
        let (name, input, by) = (name.to_owned(), input.to_owned(), "ann".to_owned());
        self.event(Event::Acted(Action { name, input, by }))
    }

    /// The effect asked for ended.
    pub fn effect(&mut self, outcome: EffectOutcome) -> String {
        self.event(Event::EffectSettled(outcome))
    }

    /// The state as the step wrote it last, without what it does not mention.
    #[must_use]
    pub fn state(&self) -> &str {
        self.input.state.as_deref().unwrap_or("")
    }
}

/// All that the descriptor names.
fn wired<S: Step>(role: &str) -> Vec<String> {
    let descriptor = S::descriptor();
    let jobs = descriptor.jobs.iter().map(|kind| kind.replace("{role}", role));
    jobs.chain(descriptor.effects).collect()
}

/// A job's result with nothing but a text.
#[must_use]
pub fn job_result(output: &str) -> JobResult {
    JobResult {
        output: output.to_owned(),
        report: None,
        question: None,
        pull_request: None,
        model: None,
        usage: None,
        confidence: None,
    }
}
