use super::bindings::types as wit;
use super::differs;
use lockstep_types::{
    Change, Comment, Decision, Document, EffectOutcome, Fact, ItemStatus, JobOutcome, JobQuestion, JobResult,
    JsonText, PullRequest, ReworkOrder, StepAction, StepAnswer, StepEvent, StepInfo, StepInput, StepOutput,
    Usage,
};

/// What a part of the input counts beside its texts, so that many empty parts are not free.
const PART_BYTES: usize = 32;

/// The input as the contract words it, and the bytes it counts.
pub(super) fn step_input(input: &StepInput) -> (wit::StepInput, usize) {
    let mut copy = Copier { bytes: 0 };
    let StepInput { run, step, decisions, state, event } = input;
    let input = wit::StepInput {
        run: differs::run(&mut copy, run),
        step: copy.step(step),
        decisions: copy.list(decisions, Copier::decision),
        state: copy.opt_json(state.as_ref()),
        event: copy.event(event),
    };
    (input, copy.bytes)
}

pub(crate) fn item_status_of(status: ItemStatus) -> wit::ItemStatus {
    match status {
        ItemStatus::Planned => wit::ItemStatus::Planned,
        ItemStatus::Ready => wit::ItemStatus::Ready,
        ItemStatus::InProgress => wit::ItemStatus::InProgress,
        ItemStatus::Blocked => wit::ItemStatus::Blocked,
        ItemStatus::PrReady => wit::ItemStatus::PrReady,
        ItemStatus::Done => wit::ItemStatus::Done,
    }
}

/// Copies texts and counts them.
pub(crate) struct Copier {
    bytes: usize,
}

impl Copier {
    pub(crate) fn text(&mut self, text: &str) -> String {
        self.bytes += text.len();
        text.to_owned()
    }

    fn opt(&mut self, text: Option<&String>) -> Option<String> {
        text.map(|text| self.text(text))
    }

    fn json(&mut self, json: &JsonText) -> String {
        self.text(json.as_str())
    }

    fn opt_json(&mut self, json: Option<&JsonText>) -> Option<String> {
        json.map(|json| self.json(json))
    }

    pub(crate) fn list<T, W>(&mut self, items: &[T], copy: impl Fn(&mut Self, &T) -> W) -> Vec<W> {
        self.bytes += items.len() * PART_BYTES;
        items.iter().map(|item| copy(self, item)).collect()
    }

    fn step(&mut self, step: &StepInfo) -> wit::StepInfo {
        let StepInfo { name, kind, role, config, policy, attempt, is_final, wired } = step;
        wit::StepInfo {
            name: self.text(name),
            kind: self.text(kind),
            role: self.text(role),
            config: self.json(config),
            policy: self.json(policy),
            attempt: *attempt,
            is_final: *is_final,
            wired: self.list(wired, |copy, name| copy.text(name)),
        }
    }

    pub(crate) fn document(&mut self, document: &Document) -> wit::Document {
        // What stands in for the description reaches jobs; a component knows which of its texts do.
        let Document { name, value, stands_in: _ } = document;
        wit::Document { name: self.text(name), value: self.json(value) }
    }

    fn action(&mut self, action: &StepAction) -> wit::Action {
        let StepAction { name, input, by } = action;
        wit::Action { name: self.text(name), input: self.json(input), by: self.text(by) }
    }

    pub(crate) fn change(&mut self, change: &Change) -> wit::Change {
        let Change { repository, base_branch, head_branch, head_commit, pull_request } = change;
        wit::Change {
            repository: self.text(repository),
            base_branch: self.text(base_branch),
            head_branch: self.text(head_branch),
            head_commit: self.opt(head_commit.as_ref()),
            pull_request: pull_request.as_ref().map(|pull_request| self.pull_request(pull_request)),
        }
    }

    fn pull_request(&mut self, pull_request: &PullRequest) -> wit::PullRequest {
        let PullRequest { url, number, branch } = pull_request;
        wit::PullRequest { url: self.text(url), number: *number, branch: self.opt(branch.as_ref()) }
    }

    pub(crate) fn fact(&mut self, fact: &Fact) -> wit::Fact {
        let Fact { name, value, step } = fact;
        wit::Fact { name: self.text(name), value: self.json(value), step: self.text(step) }
    }

    pub(crate) fn output(&mut self, output: &StepOutput) -> wit::StepOutput {
        let StepOutput { step, role, output } = output;
        wit::StepOutput { step: self.text(step), role: self.text(role), output: self.text(output) }
    }

    fn decision(&mut self, decision: &Decision) -> wit::Decision {
        let Decision { step, question, answer } = decision;
        wit::Decision { step: self.text(step), question: self.text(question), answer: self.text(answer) }
    }

    fn comment(&mut self, comment: &Comment) -> wit::Comment {
        let Comment { body, quote, lines, anchor } = comment;
        wit::Comment {
            body: self.text(body),
            quote: self.opt(quote.as_ref()),
            lines: *lines,
            anchor: self.opt(anchor.as_ref()),
        }
    }

    fn event(&mut self, event: &StepEvent) -> wit::Event {
        match event {
            StepEvent::Started(rework) => {
                wit::Event::Started(rework.as_ref().map(|order| self.rework(order)))
            }
            StepEvent::Due => wit::Event::Due,
            StepEvent::JobSettled { kind, outcome } => wit::Event::JobSettled(wit::JobSettled {
                kind: self.text(kind),
                outcome: self.job_outcome(outcome),
            }),
            StepEvent::Answered(answer) => wit::Event::Answered(self.answer(answer)),
            StepEvent::EffectSettled(outcome) => wit::Event::EffectSettled(self.effect_outcome(outcome)),
            StepEvent::Acted(action) => wit::Event::Acted(self.action(action)),
        }
    }

    fn rework(&mut self, order: &ReworkOrder) -> wit::ReworkOrder {
        let ReworkOrder { feedback, comments, previous, by } = order;
        wit::ReworkOrder {
            feedback: self.text(feedback),
            comments: self.list(comments, Self::comment),
            previous: self.opt(previous.as_ref()),
            by: self.text(by),
        }
    }

    fn answer(&mut self, answer: &StepAnswer) -> wit::Answer {
        let StepAnswer { choice, text, comments } = answer;
        wit::Answer {
            choice: self.text(choice),
            text: self.opt(text.as_ref()),
            comments: self.list(comments, Self::comment),
        }
    }

    fn effect_outcome(&mut self, outcome: &EffectOutcome) -> wit::EffectOutcome {
        match outcome {
            EffectOutcome::Done(told) => wit::EffectOutcome::Done(self.json(told)),
            EffectOutcome::Refused(why) => wit::EffectOutcome::Refused(self.text(why)),
            EffectOutcome::Failed(why) => wit::EffectOutcome::Failed(self.text(why)),
            EffectOutcome::NotConfigured(why) => wit::EffectOutcome::NotConfigured(self.text(why)),
        }
    }

    fn job_outcome(&mut self, outcome: &JobOutcome) -> wit::JobOutcome {
        match outcome {
            JobOutcome::Done(result) => wit::JobOutcome::Done(self.job_result(result)),
            // What it cost is the host's to count.
            JobOutcome::Failed(why) | JobOutcome::FailedAfterUse { message: why, .. } => {
                wit::JobOutcome::Failed(self.text(why))
            }
            // Whether it was transient was for the host to act on, before it told the component.
            JobOutcome::Evicted { transient: _, message } => wit::JobOutcome::Evicted(self.text(message)),
            JobOutcome::NotConfigured(why) => wit::JobOutcome::NotConfigured(self.text(why)),
        }
    }

    fn job_result(&mut self, result: &JobResult) -> wit::JobResult {
        // The head commit reaches the component in the run's change.
        let JobResult { output, report, question, pull_request, model, usage, confidence, head_commit: _ } =
            result;
        wit::JobResult {
            output: self.text(output),
            report: self.opt_json(report.as_ref()),
            question: question.as_ref().map(|question| self.job_question(question)),
            pull_request: pull_request.as_ref().map(|pull_request| self.pull_request(pull_request)),
            model: self.opt(model.as_ref()),
            usage: usage
                .map(|Usage { input_tokens, output_tokens }| wit::Usage { input_tokens, output_tokens }),
            // JSON has no infinity: the journal would not give back what the component was told.
            confidence: confidence.filter(|confidence| confidence.is_finite()),
        }
    }

    fn job_question(&mut self, question: &JobQuestion) -> wit::JobQuestion {
        let JobQuestion { prompt, options } = question;
        wit::JobQuestion {
            prompt: self.text(prompt),
            options: self.list(options, |copy, option| copy.text(option)),
        }
    }
}
