use crate::bindings::Transition;
use crate::{
    Access, Comment, Completion, Effect, EffectRequest, Failure, JobRequest, Next, ProvisionRequest,
    Question, ReworkRequest,
};
use std::fmt::Write as _;

/// A transition as lines of text for expectations, without its state. What is absent has no line.
#[must_use]
pub fn render(transition: &Transition) -> String {
    let mut text = String::new();
    match &transition.next {
        Next::Complete(completion) => complete(&mut text, completion),
        Next::Skip(reason) => line(&mut text, "skip", reason),
        Next::Wait(waiting) => line(&mut text, "wait", &format!("{} ms: {}", waiting.ms, waiting.reason)),
        Next::Dispatch(job) => dispatch(&mut text, job),
        Next::Ask(question) => ask(&mut text, question),
        Next::Perform(request) => perform(&mut text, request),
        Next::Rework(request) => rework(&mut text, request),
        Next::Fail(failure) => fail(&mut text, failure),
        Next::Stay => line(&mut text, "stay", "as before"),
        Next::Refuse(refusal) => {
            let reason = format!("{:?}", refusal.reason).replace("RefusalReason::", "");
            line(&mut text, "refuse", &format!("{reason}: {}", refusal.message));
        }
    }
    if let Some(note) = &transition.note {
        line(&mut text, "note", note);
    }
    if let Some(progress) = &transition.progress {
        let label = progress.label.as_deref().unwrap_or_default();
        line(&mut text, "progress", &format!("{}/{} {label}", progress.completed, progress.total));
    }
    for fact in &transition.facts {
        line(&mut text, "fact", &format!("{} = {}", fact.name, fact.value));
    }
    for notice in &transition.notices {
        line(&mut text, "notice", &format!("{}: {} | {}", notice.kind, notice.title, notice.body));
    }
    for kind in &transition.settled_notices {
        line(&mut text, "settled", kind);
    }
    for document in &transition.documents {
        line(&mut text, "document", &format!("{} = {}", document.name, document.value));
        if let Some(stand_in) = &document.stands_in {
            line(&mut text, "standsin", &format!("{}: {}", stand_in.rank, stand_in.text));
        }
    }
    for environment in &transition.teardowns {
        line(&mut text, "teardown", environment);
    }
    text
}

fn line(text: &mut String, word: &str, rest: &str) {
    let mut word = word;
    for rest in rest.trim_end().lines() {
        let line = format!("{word:<8} {rest}");
        writeln!(text, "{}", line.trim_end()).expect("writing to a text does not fail");
        word = "";
    }
}

fn complete(text: &mut String, completion: &Completion) {
    line(text, "complete", completion.output.as_deref().unwrap_or("(no output)"));
    if let Some(artifact) = &completion.artifact {
        let shown = format!("{} {}: {}", artifact.name, artifact.media_type, artifact.content);
        line(text, "artifact", &shown);
    }
    if let Some(status) = completion.item_status {
        line(text, "item", &format!("{status:?}").replace("ItemStatus::", ""));
    }
    if !completion.on_behalf_of.is_empty() {
        line(text, "for", &completion.on_behalf_of.join(", "));
    }
    if completion.approved {
        line(text, "approved", "already");
    }
}

fn dispatch(text: &mut String, job: &JobRequest) {
    let access = match job.access {
        Access::ReadOnly => "read-only",
        Access::Write => "write",
    };
    line(text, "dispatch", &format!("{} ({access}) {}", job.kind, job.input));
    for output in &job.extra_outputs {
        line(text, "extra", &format!("{}/{}: {}", output.step, output.role, output.output));
    }
    if let Some(ms) = job.time_limit_ms {
        line(text, "limit", &format!("{ms} ms"));
    }
}

fn ask(text: &mut String, question: &Question) {
    let kind = format!("{:?}", question.kind).replace("QuestionKind::", "");
    line(text, "ask", &format!("{kind}: {} [{}]", question.prompt, question.options.join(", ")));
    if !question.actions.is_empty() {
        line(text, "actions", &question.actions.join(", "));
    }
    if let Some(proposal) = &question.proposal {
        line(text, "proposal", proposal);
    }
}

fn perform(text: &mut String, request: &EffectRequest) {
    let effect = match &request.effect {
        Effect::Merge(method) => format!("merge {method:?}").replace("MergeMethod::", ""),
        Effect::UpdateBranch => "update-branch".to_owned(),
        Effect::OpenTicket(json) => format!("open-ticket {json}"),
        Effect::Provision(ProvisionRequest { input, keep }) => {
            format!("provision{} {input}", if *keep { " to keep" } else { "" })
        }
        Effect::AnnotateIncident(json) => format!("annotate-incident {json}"),
    };
    line(text, "perform", &effect);
    if let Some(proposal) = &request.proposal {
        line(text, "proposal", proposal);
    }
}

fn rework(text: &mut String, request: &ReworkRequest) {
    line(text, "rework", &format!("{}: {}", request.producers.join(", "), request.feedback));
    for Comment { body, quote, lines, anchor } in &request.comments {
        line(text, "comment", &format!("{body} {quote:?} {lines:?} {anchor:?}"));
    }
}

fn fail(text: &mut String, failure: &Failure) {
    let class = format!("{:?}", failure.class).replace("FailureClass::", "");
    line(text, "fail", &format!("{class}: {}", failure.message));
    if let Some(detail) = &failure.detail {
        line(text, "detail", detail);
    }
}
