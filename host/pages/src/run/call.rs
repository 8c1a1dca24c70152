//! One recorded call of a component, for people.

use crate::text;
use lockstep_ports::InvocationView;
use lockstep_types::{
    JobOutcome, JsonText, LogLevel, Next, Observation, ObservationAnswer, ObserveFailure, Outcome, StepEvent,
    Transition, Verdict,
};

/// Characters of one value that are shown: the capsule has it whole.
const VALUE_CHARS: usize = 6_000;

/// Something with a line about it, and all of it to be opened.
pub(crate) struct Told {
    pub(crate) line: String,
    pub(crate) whole: String,
}

/// A call as its page shows it.
pub(crate) struct Call {
    pub(crate) seen: Vec<Told>,
    pub(crate) logs: Vec<(&'static str, String)>,
    pub(crate) why: Told,
    /// What came of it: `complete`, `ask`, …
    pub(crate) next: &'static str,
    pub(crate) said: String,
    pub(crate) note: String,
    pub(crate) whole: String,
    pub(crate) state: String,
    pub(crate) backtrace: String,
    pub(crate) is_fault: bool,
    pub(crate) memory: String,
    pub(crate) view: InvocationView,
}

impl Call {
    pub(crate) fn of(view: InvocationView) -> Self {
        let invocation = &view.invocation;
        let seen = invocation.observations.iter().map(observed).collect();
        let logs = invocation.logs.iter().map(|line| (level(line.level), line.message.clone())).collect();
        let why = Told { line: event(&invocation.input.event), whole: pretty(&invocation.input.event) };
        let mut call = Self {
            seen,
            logs,
            why,
            next: "fault",
            said: String::new(),
            note: String::new(),
            whole: String::new(),
            state: String::new(),
            backtrace: String::new(),
            is_fault: true,
            memory: bytes(invocation.peak_memory),
            view: view.clone(),
        };
        match &invocation.outcome {
            Outcome::Transition(transition) => call.answered(transition),
            Outcome::Fault(fault) => {
                call.said = format!("{}: {}", fault.class, fault.message);
                call.backtrace = fault.backtrace.clone().unwrap_or_default();
            }
        }
        call
    }

    fn answered(&mut self, transition: &Transition) {
        self.is_fault = matches!(transition.next, Next::Fail { .. });
        self.next = transition.next.name();
        self.said = match &transition.next {
            Next::Wait { ms, reason } => format!("{}: {reason}", text::duration(*ms)),
            next => text::short(&next.detail(), 400),
        };
        self.note = transition.note.clone().unwrap_or_default();
        self.whole =
            pretty(&(&transition.next, &transition.facts, &transition.notices, &transition.documents));
        self.state = json(&transition.state);
    }
}

/// What happened, the reason for a call.
pub(crate) fn event(event: &StepEvent) -> String {
    match event {
        StepEvent::Started(None) => "the step began".to_owned(),
        StepEvent::Started(Some(rework)) => format!("works again for {}: {}", rework.by, rework.feedback),
        StepEvent::Due => "its time had come".to_owned(),
        StepEvent::JobSettled { kind, outcome } => match outcome {
            JobOutcome::Done(_) => format!("job {kind} is done"),
            JobOutcome::Failed(message) | JobOutcome::FailedAfterUse { message, .. } => {
                format!("job {kind} failed: {message}")
            }
            JobOutcome::Evicted { message, .. } => format!("job {kind} was evicted: {message}"),
            JobOutcome::NotConfigured(message) => format!("job {kind} is not configured: {message}"),
        },
        StepEvent::Answered(answer) => format!("answered: {}", answer.choice),
        StepEvent::EffectSettled(_) => "an effect was performed, or not".to_owned(),
        StepEvent::Acted(action) => format!("{} by {}", action.name, action.by),
    }
}

fn observed(observation: &Observation) -> Told {
    let count = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    };
    let mut whole = pretty(&observation.answer);
    let answer = match &observation.answer {
        ObservationAnswer::Checks(report) => {
            let check = |check: &lockstep_types::Check| {
                format!("{} {}", check.name, check.conclusion.as_ref().unwrap_or(&check.status))
            };
            let checks: Vec<_> = report.checks.iter().map(check).collect();
            if checks.is_empty() { "no checks".to_owned() } else { checks.join(", ") }
        }
        ObservationAnswer::Mergeability(report) => match report.verdict {
            Verdict::Mergeable => "mergeable".to_owned(),
            Verdict::Conflicted => format!("conflicts in {}", report.conflicts.join(", ")),
            Verdict::Unknown => "not known yet".to_owned(),
        },
        ObservationAnswer::ChangedFiles(files) => count(files.len(), "file"),
        ObservationAnswer::ReadFile(Some(content)) => {
            whole = cut(&String::from_utf8_lossy(content));
            bytes(content.len() as u64)
        }
        ObservationAnswer::ReadFile(None) => "no such file".to_owned(),
        ObservationAnswer::Diff(Some(diff)) => {
            whole = cut(diff);
            count(diff.lines().count(), "line")
        }
        ObservationAnswer::Diff(None) => "no difference".to_owned(),
        ObservationAnswer::Attempts(attempts) => count(attempts.len(), "attempt"),
        ObservationAnswer::ReleaseHealth(report) => count(report.signals.len(), "signal"),
        ObservationAnswer::Evidence(evidence) => count(evidence.regressed.len(), "regressed signal"),
        ObservationAnswer::Environment(Some(report)) => report.status.word().to_owned(),
        ObservationAnswer::Environment(None) => "no such environment".to_owned(),
        ObservationAnswer::Failed(ObserveFailure::NotConfigured) => "not configured".to_owned(),
        ObservationAnswer::Failed(ObserveFailure::Failed(message)) => format!("failed: {message}"),
    };
    Told { line: format!("{}: {answer}", observation.request.name()), whole }
}

fn level(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Warn => "warn",
        LogLevel::Error => "error",
    }
}

fn pretty(value: &impl serde::Serialize) -> String {
    cut(&serde_json::to_string_pretty(value).unwrap_or_default())
}

/// JSON as people read it.
pub(crate) fn json(text: &JsonText) -> String {
    pretty(&text.value())
}

fn cut(text: &str) -> String {
    text::short(text, VALUE_CHARS)
}

/// A size in the largest unit that leaves a number of some weight.
fn bytes(count: u64) -> String {
    match count {
        0..1024 => format!("{count} bytes"),
        1024..1_048_576 => format!("{} KiB", count / 1024),
        _ => format!("{} MiB", count / 1_048_576),
    }
}
