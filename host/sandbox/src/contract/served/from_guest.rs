use super::bindings::types as wit;
use crate::convert::{Unusable, check_json};
use crate::limits::Limits;
use lockstep_types::{
    Access, Artifact, Comment, Completion, Descriptor, Document, Effect, Fact, FailureClass, Grading,
    ItemStatus, JobRequest, JsonText, MergeMethod, NewNotice, Next, Progress, QuestionKind, ReworkRequest,
    Severity, StandIn, StepOutput, Transition,
};

/// What a part of a list counts beside its texts, so that many empty parts are not free.
const PART_BYTES: usize = 32;

/// Bytes of a name: of a fact, a job kind, a notice kind. Names become keys and file names.
const NAME_BYTES_MAX: usize = 128;

/// Options of a question: a person reads them all.
const OPTIONS_MAX: usize = 64;

type Read<T> = Result<T, Unusable>;

/// The transition in the host's words, checked.
pub(super) fn transition(transition: wit::Transition, limits: &Limits) -> Read<Transition> {
    let mut reader = Reader::new(limits);
    let wit::Transition {
        state,
        note,
        progress,
        facts,
        notices,
        settled_notices,
        documents,
        teardowns,
        next,
    } = transition;
    Ok(Transition {
        state: reader.state(state)?,
        note: reader.opt(note)?,
        progress: progress.map(|progress| reader.progress(progress)).transpose()?,
        facts: reader.list(facts, Reader::fact)?,
        notices: reader.list(notices, Reader::notice)?,
        settled_notices: reader.list(settled_notices, |reader, kind| reader.name("notice", kind))?,
        documents: reader.list(documents, Reader::document)?,
        teardowns: reader.list(teardowns, |reader, told| reader.json("environment", told))?,
        next: reader.next(next)?,
    })
}

/// A migrated state, checked.
pub(super) fn state_text(state: String, limits: &Limits) -> Read<JsonText> {
    Reader::new(limits).state(state)
}

/// The descriptor in the host's words; its sense is checked by `descriptor::check`.
pub(super) fn descriptor(descriptor: wit::Descriptor, limits: &Limits) -> Read<Descriptor> {
    let mut reader = Reader::new(limits);
    let wit::Descriptor {
        kind,
        version,
        state_version,
        summary,
        config_schema,
        jobs,
        effects,
        access,
        documents,
        grades,
        needs,
    } = descriptor;
    Ok(Descriptor {
        kind: reader.text(kind)?,
        version: reader.text(version)?,
        state_version,
        summary: reader.text(summary)?,
        config_schema: reader.json("config-schema", config_schema)?,
        jobs: reader.list(jobs, Reader::text)?,
        effects: reader.list(effects, Reader::text)?,
        access: access_of(access),
        documents: reader.list(documents, Reader::text)?,
        grades: reader.list(grades, |reader, wit::Grading { role, producers }| {
            let producers = reader.list(producers, Reader::text)?;
            Ok(Grading { role: reader.text(role)?, producers })
        })?,
        needs: reader.list(needs, Reader::text)?,
    })
}

fn access_of(access: wit::Access) -> Access {
    match access {
        wit::Access::ReadOnly => Access::ReadOnly,
        wit::Access::Write => Access::Write,
    }
}

fn nonsense<T>(what: impl Into<String>) -> Read<T> {
    Err(Unusable::Nonsense(what.into()))
}

/// Takes over texts and counts them.
struct Reader<'l> {
    limits: &'l Limits,
    bytes: usize,
}

impl<'l> Reader<'l> {
    fn new(limits: &'l Limits) -> Self {
        Self { limits, bytes: 0 }
    }

    fn count(&mut self, bytes: usize) -> Read<()> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > self.limits.output_bytes {
            let limit = self.limits.output_bytes;
            return Err(Unusable::TooLarge(format!("it returned more than the {limit} bytes allowed")));
        }
        Ok(())
    }

    fn text(&mut self, text: String) -> Read<String> {
        self.count(text.len())?;
        Ok(text)
    }

    fn opt(&mut self, text: Option<String>) -> Read<Option<String>> {
        text.map(|text| self.text(text)).transpose()
    }

    fn json(&mut self, what: &str, text: String) -> Read<JsonText> {
        let text = self.text(text)?;
        check_json(&text)
            .map_err(|reason| Unusable::Nonsense(format!("the {what} it returned is not JSON: {reason}")))
    }

    fn name(&mut self, what: &str, text: String) -> Read<String> {
        if text.trim().is_empty() {
            return nonsense(format!("it returned a {what} without a name"));
        }
        if text.len() > NAME_BYTES_MAX {
            let bytes = text.len();
            return nonsense(format!(
                "it returned a {what} with a name of {bytes} bytes, more than {NAME_BYTES_MAX}"
            ));
        }
        if text.chars().any(char::is_control) {
            return nonsense(format!("it returned a {what} with control characters in its name"));
        }
        self.text(text)
    }

    fn list<W, T>(&mut self, items: Vec<W>, read: impl Fn(&mut Self, W) -> Read<T>) -> Read<Vec<T>> {
        self.count(items.len().saturating_mul(PART_BYTES))?;
        items.into_iter().map(|item| read(self, item)).collect()
    }

    fn state(&mut self, state: String) -> Read<JsonText> {
        if state.len() > self.limits.state_bytes {
            let (bytes, limit) = (state.len(), self.limits.state_bytes);
            return Err(Unusable::TooLarge(format!(
                "it returned a state of {bytes} bytes, more than the {limit} allowed"
            )));
        }
        self.json("state", state)
    }

    fn progress(&mut self, progress: wit::Progress) -> Read<Progress> {
        let wit::Progress { completed, total, label } = progress;
        if total > 0 && completed > total {
            return nonsense(format!("it returned a progress of {completed} of {total}"));
        }
        Ok(Progress { completed, total, label: self.opt(label)? })
    }

    fn fact(&mut self, fact: wit::NewFact) -> Read<Fact> {
        let wit::NewFact { name, value } = fact;
        let name = self.name("fact", name)?;
        let value = self.json(&format!("fact `{name}`"), value)?;
        Ok(Fact { name, value, step: String::new() })
    }

    fn document(&mut self, document: wit::NewDocument) -> Read<Document> {
        let wit::NewDocument { name, value, stands_in } = document;
        let name = self.name("document", name)?;
        let value = self.json(&format!("document `{name}`"), value)?;
        let stands_in = match stands_in {
            None => None,
            Some(wit::StandIn { text, rank }) => Some(StandIn { text: self.text(text)?, rank }),
        };
        Ok(Document { name, value, stands_in })
    }

    fn notice(&mut self, notice: wit::Notice) -> Read<NewNotice> {
        let wit::Notice { kind, severity, title, body } = notice;
        let severity = match severity {
            wit::Severity::Normal => Severity::Normal,
            wit::Severity::Urgent => Severity::Urgent,
        };
        Ok(NewNotice {
            kind: self.name("notice", kind)?,
            severity,
            title: self.text(title)?,
            body: self.text(body)?,
        })
    }

    fn comment(&mut self, comment: wit::Comment) -> Read<Comment> {
        let wit::Comment { body, quote, lines, anchor } = comment;
        if let Some((from, to)) = lines.filter(|(from, to)| from > to) {
            return nonsense(format!("it returned a comment on the lines {from} to {to}"));
        }
        Ok(Comment { body: self.text(body)?, quote: self.opt(quote)?, lines, anchor: self.opt(anchor)? })
    }

    fn next(&mut self, next: wit::Next) -> Read<Next> {
        Ok(match next {
            wit::Next::Complete(completion) => Next::Complete(self.completion(completion)?),
            wit::Next::Skip(reason) => Next::Skip(self.text(reason)?),
            wit::Next::Wait(wit::Waiting { ms, reason }) => Next::Wait { ms, reason: self.text(reason)? },
            wit::Next::Dispatch(request) => Next::Dispatch(self.job(request)?),
            wit::Next::Ask(question) => self.question(question)?,
            wit::Next::Perform(wit::EffectRequest { effect, proposal }) => {
                Next::Perform { effect: self.effect(effect)?, proposal: self.opt(proposal)? }
            }
            wit::Next::Rework(request) => Next::Rework(self.rework(request)?),
            wit::Next::Fail(wit::Failure { class, message, detail }) => Next::Fail {
                class: failure_class(class),
                message: self.text(message)?,
                detail: self.opt(detail)?,
            },
            wit::Next::Stay => Next::Stay,
            wit::Next::Refuse(wit::Refusal { reason, message }) => {
                Next::Refuse { invalid: reason == wit::RefusalReason::Invalid, message: self.text(message)? }
            }
        })
    }

    fn completion(&mut self, completion: wit::Completion) -> Read<Completion> {
        let wit::Completion { output, artifact, item_status, on_behalf_of, approved } = completion;
        let artifact = match artifact {
            None => None,
            Some(wit::Artifact { name, media_type, content }) => Some(Artifact {
                name: self.name("artifact", name)?,
                media_type: self.text(media_type)?,
                content: self.text(content)?,
            }),
        };
        let item_status = item_status.map(|status| match status {
            wit::ItemStatus::Planned => ItemStatus::Planned,
            wit::ItemStatus::Ready => ItemStatus::Ready,
            wit::ItemStatus::InProgress => ItemStatus::InProgress,
            wit::ItemStatus::Blocked => ItemStatus::Blocked,
            wit::ItemStatus::PrReady => ItemStatus::PrReady,
            wit::ItemStatus::Done => ItemStatus::Done,
        });
        let on_behalf_of = self.list(on_behalf_of, |reader, role| reader.name("producer", role))?;
        Ok(Completion { output: self.opt(output)?, artifact, item_status, on_behalf_of, approved })
    }

    fn job(&mut self, request: wit::JobRequest) -> Read<JobRequest> {
        let wit::JobRequest { kind, access, extra_outputs, input, time_limit_ms } = request;
        if time_limit_ms == Some(0) {
            return nonsense("it dispatched a job with no time to run");
        }
        Ok(JobRequest {
            kind: self.name("job", kind)?,
            access: access_of(access),
            extra_outputs: self.list(extra_outputs, Self::output)?,
            input: self.json("job input", input)?,
            time_limit_ms,
        })
    }

    fn output(&mut self, output: wit::StepOutput) -> Read<StepOutput> {
        let wit::StepOutput { step, role, output } = output;
        Ok(StepOutput { step: self.text(step)?, role: self.text(role)?, output: self.text(output)? })
    }

    fn question(&mut self, question: wit::Question) -> Read<Next> {
        let wit::Question { kind, prompt, options, proposal, actions } = question;
        if prompt.trim().is_empty() {
            return nonsense("it asked a question without words");
        }
        if options.len() > OPTIONS_MAX {
            let count = options.len();
            return nonsense(format!("it asked a question with {count} options, more than {OPTIONS_MAX}"));
        }
        let options = self.list(options, Self::text)?;
        if options.iter().any(|option| option.trim().is_empty()) {
            return nonsense("it asked a question with an empty option");
        }
        if let Some(twice) = options.iter().enumerate().find(|(at, option)| options[..*at].contains(option)) {
            return nonsense(format!("it asked a question with the option `{}` twice", twice.1));
        }
        let kind = match kind {
            wit::QuestionKind::Decision => QuestionKind::Decision,
            wit::QuestionKind::Cap => QuestionKind::Cap,
            wit::QuestionKind::Review => QuestionKind::Review,
            wit::QuestionKind::HumanTest => QuestionKind::HumanTest,
        };
        if actions.len() > OPTIONS_MAX {
            let count = actions.len();
            return nonsense(format!("it asked a question with {count} actions, more than {OPTIONS_MAX}"));
        }
        let actions = self.list(actions, |reader, action| reader.name("action", action))?;
        Ok(Next::Ask { kind, prompt: self.text(prompt)?, options, proposal: self.opt(proposal)?, actions })
    }

    fn effect(&mut self, effect: wit::Effect) -> Read<Effect> {
        Ok(match effect {
            wit::Effect::Merge(method) => Effect::Merge(match method {
                wit::MergeMethod::Merge => MergeMethod::Merge,
                wit::MergeMethod::Squash => MergeMethod::Squash,
                wit::MergeMethod::Rebase => MergeMethod::Rebase,
                wit::MergeMethod::FastForward => MergeMethod::FastForward,
            }),
            wit::Effect::UpdateBranch => Effect::UpdateBranch,
            wit::Effect::OpenTicket(inputs) => Effect::OpenTicket(self.json("ticket", inputs)?),
            wit::Effect::Provision(wit::ProvisionRequest { input, keep }) => {
                Effect::Provision { input: self.json("environment", input)?, keep }
            }
            wit::Effect::AnnotateIncident(inputs) => Effect::AnnotateIncident(self.json("evidence", inputs)?),
        })
    }

    fn rework(&mut self, request: wit::ReworkRequest) -> Read<ReworkRequest> {
        let wit::ReworkRequest { producers, feedback, comments } = request;
        if producers.is_empty() {
            return nonsense("it asked for rework without naming a producer");
        }
        Ok(ReworkRequest {
            producers: self.list(producers, |reader, role| reader.name("producer", role))?,
            feedback: self.text(feedback)?,
            comments: self.list(comments, Self::comment)?,
        })
    }
}

fn failure_class(class: wit::FailureClass) -> FailureClass {
    match class {
        wit::FailureClass::Agent => FailureClass::Agent,
        wit::FailureClass::JobFailed => FailureClass::JobFailed,
        wit::FailureClass::Evicted => FailureClass::Evicted,
        wit::FailureClass::Timeout => FailureClass::Timeout,
        wit::FailureClass::GateExhausted => FailureClass::GateExhausted,
        wit::FailureClass::CompanionRejected => FailureClass::CompanionRejected,
        wit::FailureClass::ReviewRejected => FailureClass::ReviewRejected,
        wit::FailureClass::Cancelled => FailureClass::Cancelled,
    }
}
