//! Events as lines for people.

use lockstep_types::{
    Answer, EffectOutcome, Event, Invocation, JobOutcome, Outcome, Repinned, RepinnedKind, RunSpec, StepIx,
    TimelineEntry, TurnRecord,
};

/// Longest line taken from a job or a component: a timeline is read in a terminal.
const LINE_CHARS_MAX: usize = 240;

/// The lines of one record of the run made from `spec`.
#[must_use]
pub fn timeline(spec: &RunSpec, record: &TurnRecord) -> Vec<TimelineEntry> {
    let entry = |event: &Event| {
        let (what, step, text) = describe(event)?;
        Some(TimelineEntry {
            run: record.run.clone(),
            seq: record.seq,
            at: record.at,
            step: step.and_then(|ix| spec.pipeline.steps.get(ix)).map(|def| def.name.clone()),
            what: what.to_owned(),
            text: one_line(&text),
        })
    };
    record.events.iter().filter_map(entry).collect()
}

type Line = (&'static str, Option<StepIx>, String);

fn describe(event: &Event) -> Option<Line> {
    Some(match event {
        Event::Created(spec) => {
            let change = &spec.change;
            let text = format!("{}: {} into {}", spec.pipeline.name, change.head_branch, change.base_branch);
            ("created", None, text)
        }
        Event::StepStarted { step, rework: None, pin: None } => {
            ("step-started", Some(*step), "started".to_owned())
        }
        Event::StepStarted { step, rework: None, pin: Some(pin) } => {
            ("step-started", Some(*step), format!("started on component {}", pin.digest.short()))
        }
        Event::StepStarted { step, rework: Some(rework), .. } => {
            ("step-started", Some(*step), format!("works again for {}: {}", rework.by, rework.feedback))
        }
        Event::Invoked { step, invocation } => ("invoked", Some(*step), invoked(invocation)),
        // The line of the invocation tells what is waited for.
        Event::TimerSet { .. }
        | Event::TimerFired { .. }
        | Event::RunUnblocked
        | Event::ReworkOrdered { .. }
        | Event::StepsReset { .. } => return None,
        Event::JobDispatched { step, order } => {
            ("job-dispatched", Some(*step), format!("job {} #{}", order.kind, order.key.number))
        }
        Event::JobRedispatched { step, message, .. } => {
            ("job-redispatched", Some(*step), format!("job evicted, dispatched again: {message}"))
        }
        Event::JobSettled { step, outcome } => ("job-settled", Some(*step), job(outcome)),
        Event::ChangeUpdated { head_commit: Some(commit), .. } => {
            ("change-updated", None, format!("head is now {}", commit.get(..12).unwrap_or(commit)))
        }
        Event::ChangeUpdated { pull_request, .. } => {
            let url = pull_request.as_ref().map_or("", |request| request.url.as_str());
            ("change-updated", None, format!("pull request {url}"))
        }
        Event::EffectRequested { step, order } => {
            ("effect-requested", Some(*step), format!("effect {} #{}", order.effect.name(), order.key.number))
        }
        Event::EffectSettled { step, outcome } => ("effect-settled", Some(*step), effect(outcome)),
        Event::Asked { step, question, .. } => {
            ("asked", Some(*step), format!("{} {}", question.id, question.prompt))
        }
        Event::Answered { step, question, answer: given, by, .. } => {
            ("answered", Some(*step), format!("{question} answered by {by}: {}", answer(given)))
        }
        Event::Acted { step, action } => ("acted", Some(*step), format!("{} by {}", action.name, action.by)),
        Event::CleanupRequested { step, order } => {
            ("cleanup-requested", Some(*step), format!("{} #{}", order.effect.name(), order.key.number))
        }
        Event::StraySettled { outcome, .. } => ("stray-settled", None, effect(outcome)),
        Event::CleanupSettled { outcome, .. } => ("cleanup-settled", None, effect(outcome)),
        Event::StepCompleted { step, completion } => {
            let output = completion.output.as_deref().unwrap_or_default();
            let text = if output.is_empty() { "done".to_owned() } else { format!("done: {output}") };
            ("step-completed", Some(*step), text)
        }
        Event::StepSkipped { step, reason } => ("step-skipped", Some(*step), format!("skipped: {reason}")),
        Event::StepsCleared { by, retry: true, .. } => ("retried", None, format!("retried by {by}")),
        // A merge outside only leaves steps behind.
        Event::StepsCleared { steps, .. } if steps.is_empty() => return None,
        Event::StepsCleared { steps, by, retry: false, .. } => {
            ("restarted", steps.first().copied(), format!("restarted by {by}"))
        }
        _ => return describe_run(event),
    })
}

/// Events that are about the run as a whole.
fn describe_run(event: &Event) -> Option<Line> {
    Some(match event {
        Event::NoticeRaised(notice) => {
            ("notice-raised", None, format!("notice {}: {}", notice.kind, notice.title))
        }
        Event::NoticeClosed { .. } | Event::ItemMoved { .. } | Event::Stayed { .. } => return None,
        Event::NoticeEscalated { id } => ("notice-escalated", None, format!("notice {id} is urgent now")),
        Event::ItemChanged { .. } => ("item-changed", None, "the documents of the item changed".to_owned()),
        Event::MergedByHand { by } => ("merged", None, format!("merged by {by}")),
        Event::RunBlocked => ("run-blocked", None, "waits for a person".to_owned()),
        Event::Repinned(repinned) => ("repinned", None, repin(repinned)),
        Event::RunPaused { by, stopped: Some(stop), .. } => {
            let reason = stop.reason.trim();
            let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
            ("run-paused", None, format!("held: component {} was stopped by {by}{why}", stop.digest.short()))
        }
        Event::RunPaused { by, .. } => ("run-paused", None, format!("paused by {by}")),
        Event::RunResumed { by } => ("run-resumed", None, format!("resumed by {by}")),
        Event::RunCompleted => ("run-completed", None, "done".to_owned()),
        Event::RunFailed { step, failure } => {
            ("run-failed", *step, format!("{}: {}", failure.class, failure.message))
        }
        // Every other event is about a step.
        _ => return None,
    })
}

fn repin(repinned: &Repinned) -> String {
    let kind = |RepinnedKind { kind, old, new }: &RepinnedKind| match *old == new.digest {
        true => format!("{kind} stays on {}", old.short()),
        false => format!("{kind} from {} to {}", old.short(), new.digest.short()),
    };
    let kinds: Vec<String> = repinned.kinds.iter().map(kind).collect();
    let states = match repinned.migrations.len() {
        0 => String::new(),
        1 => ", 1 state migrated".to_owned(),
        several => format!(", {several} states migrated"),
    };
    let reason = repinned.reason.trim();
    let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    format!("{} by {}{states}{why}", kinds.join(", "), repinned.by)
}

fn invoked(invocation: &Invocation) -> String {
    match &invocation.outcome {
        Outcome::Transition(transition) => match &transition.note {
            Some(note) => note.clone(),
            None => transition.next.name().to_owned(),
        },
        Outcome::Fault(fault) => format!("{}: {}", fault.class, fault.message),
    }
}

fn job(outcome: &JobOutcome) -> String {
    match outcome {
        JobOutcome::Done(result) if result.output.trim().is_empty() => "job done".to_owned(),
        JobOutcome::Done(result) => format!("job done: {}", result.output.trim()),
        JobOutcome::Failed(message) | JobOutcome::FailedAfterUse { message, .. } => {
            format!("job failed: {message}")
        }
        JobOutcome::Evicted { message, .. } => format!("job evicted: {message}"),
        JobOutcome::NotConfigured(message) => format!("job not configured: {message}"),
    }
}

fn effect(outcome: &EffectOutcome) -> String {
    match outcome {
        EffectOutcome::Done(detail) => format!("performed: {}", detail.as_str()),
        EffectOutcome::Refused(message) => format!("refused: {message}"),
        EffectOutcome::Failed(message) => format!("failed: {message}"),
        EffectOutcome::NotConfigured(message) => format!("not configured: {message}"),
    }
}

fn answer(answer: &Answer) -> String {
    match answer {
        Answer::Choose { choice, .. } => choice.clone(),
        Answer::Approve { .. } => "approved".to_owned(),
        Answer::RequestChanges { feedback, .. } => format!("changes requested: {feedback}"),
        Answer::Reject { reason } => format!("rejected: {reason}"),
    }
}

/// The first line with something on it, cut to a length a terminal shows.
fn one_line(text: &str) -> String {
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
    let mut cut: String =
        line.chars().take(LINE_CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.chars().count() > LINE_CHARS_MAX {
        cut.push('…');
    }
    cut
}
