use super::run::{step_state, took_ms};
use super::{Style, Tone, bytes, counted, duration, grouped, indented, line};
use lockstep_ports::InvocationView;
use lockstep_types::{
    JobOutcome, JobProgress, LogLevel, Next, Observation, ObservationAnswer, ObserveFailure, Outcome,
    RunStatus, StepEvent, StepView, SubtaskStatus, Timestamp, Verdict,
};
use serde::Serialize;

/// Longest line about one thing.
const LINE_MAX: usize = 160;

/// Lines of a log that are shown.
const LOG_LINES: usize = 30;

/// All there is to know about a step.
#[derive(Serialize)]
pub(crate) struct StepPage {
    pub(crate) step: StepView,
    /// Where its run stands.
    #[serde(skip)]
    pub(crate) run: RunStatus,
    /// Its calls, oldest first.
    pub(crate) invocations: Vec<InvocationView>,
    /// The end of its job's log.
    pub(crate) log: Option<String>,
    /// How many of the last calls to show to people.
    #[serde(skip)]
    pub(crate) calls: usize,
    #[serde(skip)]
    pub(crate) now: Timestamp,
}

/// A step whole.
pub(crate) fn step(style: &Style, page: &StepPage) -> String {
    let step = &page.step;
    let (tone, state) = step_state(page.run, step);
    let took = took_ms(step, page.now).map(|ms| format!(", {}", duration(ms))).unwrap_or_default();
    let attempt = if step.attempt > 1 { format!(", attempt {}", step.attempt) } else { String::new() };
    let mut text = format!(
        "{}  {}{attempt}{took}\nkind {}, role {}, component {}\n",
        style.paint(Tone::Strong, &line(&step.name, LINE_MAX)),
        style.paint(tone, state),
        line(&step.kind, LINE_MAX),
        line(&step.role, LINE_MAX),
        step.digest.short(),
    );
    if let Some(reason) = &step.skipped {
        text.push_str(&format!("skipped: {}\n", line(reason, LINE_MAX)));
    }
    if !step.usage.is_none() {
        let usage = step.usage;
        text.push_str(&format!("tokens: {} read, {} written\n", usage.input_tokens, usage.output_tokens));
    }
    if let Some(progress) = &step.job_progress {
        text.push_str(&job_progress(style, progress));
    }
    if let Some(question) = &step.question {
        let prompt = format!("asks {}: {}", question.id, line(&question.prompt, LINE_MAX));
        text.push_str(&format!("{}\n", style.paint(Tone::Attention, &prompt)));
    }
    let hidden = page.invocations.len().saturating_sub(page.calls);
    if hidden > 0 {
        let note = format!("{}: --calls {}", counted(hidden, "earlier call"), page.invocations.len());
        text.push_str(&format!("\n{}\n", style.paint(Tone::Faint, &note)));
    }
    page.invocations.iter().skip(hidden).for_each(|call| text.push_str(&invocation(style, call)));
    if let Some(state) = &step.state {
        text.push_str(&section(style, "state", &format!("{state:#}")));
    }
    if let Some(output) = &step.output {
        text.push_str(&section(style, "output", output));
    }
    if let Some(log) = page.log.as_deref().filter(|log| !log.trim().is_empty()) {
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(LOG_LINES)..].join("\n");
        text.push_str(&section(style, "log", &tail));
    }
    text
}

/// How far the job of a step has come, with its parts.
fn job_progress(style: &Style, progress: &JobProgress) -> String {
    let counted = match progress.total {
        0 => String::new(),
        total => format!(" {} of {total}", progress.completed),
    };
    let label = progress.label.as_deref().map(|label| format!(" {}", line(label, LINE_MAX)));
    let mut text = format!("job:{counted}{}\n", label.unwrap_or_default());
    for subtask in &progress.subtasks {
        let (tone, word) = match subtask.status {
            SubtaskStatus::Pending => (Tone::Faint, "pending"),
            SubtaskStatus::Running => (Tone::Strong, "running"),
            SubtaskStatus::Done => (Tone::Good, "done"),
            SubtaskStatus::Failed => (Tone::Bad, "failed"),
        };
        let word = style.paint(tone, &format!("{word:<8}"));
        text.push_str(&format!("  {word} {}\n", line(&subtask.title, LINE_MAX)));
    }
    text
}

fn section(style: &Style, name: &str, body: &str) -> String {
    format!("\n{}\n{}", style.paint(Tone::Faint, name), indented(body, "  "))
}

fn invocation(style: &Style, call: &InvocationView) -> String {
    let invocation = &call.invocation;
    let head = style
        .paint(Tone::Faint, &format!("call {} at {}", call.number, style.clock(invocation.input.run.now)));
    let cost = format!("fuel {}, {}", grouped(invocation.fuel), bytes(invocation.peak_memory));
    let mut text =
        format!("\n{head}  {}  {}\n", event(&invocation.input.event), style.paint(Tone::Faint, &cost));
    for observation in &invocation.observations {
        text.push_str(&format!("  saw    {}\n", line(&observed(observation), LINE_MAX)));
    }
    for entry in &invocation.logs {
        let tone = match entry.level {
            LogLevel::Error => Tone::Bad,
            LogLevel::Warn => Tone::Attention,
            LogLevel::Info | LogLevel::Debug => Tone::Faint,
        };
        text.push_str(&format!("  log    {}\n", style.paint(tone, &line(&entry.message, LINE_MAX))));
    }
    match &invocation.outcome {
        Outcome::Transition(transition) => {
            if let Some(note) = &transition.note {
                text.push_str(&format!("  noted  {}\n", line(note, LINE_MAX)));
            }
            for fact in &transition.facts {
                let fact = format!("{} = {}", fact.name, fact.value.as_str());
                text.push_str(&format!("  fact   {}\n", line(&fact, LINE_MAX)));
            }
            text.push_str(&format!("  next   {}\n", line(&next(&transition.next), LINE_MAX)));
        }
        Outcome::Fault(fault) => {
            let what = format!("{}: {}", fault.class, line(&fault.message, LINE_MAX));
            text.push_str(&format!("  fault  {}\n", style.paint(Tone::Bad, &what)));
            text.push_str(&indented(fault.backtrace.as_deref().unwrap_or_default(), "         "));
        }
    }
    text
}

fn event(event: &StepEvent) -> String {
    match event {
        StepEvent::Started(None) => "started".to_owned(),
        StepEvent::Started(Some(rework)) => {
            line(&format!("works again for {}: {}", rework.by, rework.feedback), LINE_MAX)
        }
        StepEvent::Due => "due".to_owned(),
        StepEvent::JobSettled { kind, outcome } => {
            let how = match outcome {
                JobOutcome::Done(_) => "done".to_owned(),
                JobOutcome::Failed(message) | JobOutcome::FailedAfterUse { message, .. } => {
                    format!("failed: {message}")
                }
                JobOutcome::Evicted { message, .. } => format!("evicted: {message}"),
                JobOutcome::NotConfigured(message) => format!("not configured: {message}"),
            };
            line(&format!("job {kind} {how}"), LINE_MAX)
        }
        StepEvent::Answered(answer) => line(&format!("answered: {}", answer.choice), LINE_MAX),
        StepEvent::EffectSettled(_) => "effect settled".to_owned(),
        StepEvent::Acted(action) => line(&format!("{} by {}", action.name, action.by), LINE_MAX),
    }
}

fn next(next: &Next) -> String {
    let detail = match next {
        Next::Wait { ms, reason } => format!("{}: {reason}", duration(*ms)),
        _ => next.detail(),
    };
    format!("{} {detail}", next.name())
}

fn observed(observation: &Observation) -> String {
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
        ObservationAnswer::ChangedFiles(files) => counted(files.len(), "file"),
        ObservationAnswer::ReadFile(Some(content)) => bytes(content.len() as u64),
        ObservationAnswer::ReadFile(None) => "no such file".to_owned(),
        ObservationAnswer::Diff(Some(diff)) => counted(diff.lines().count(), "line"),
        ObservationAnswer::Diff(None) => "no difference".to_owned(),
        ObservationAnswer::Attempts(attempts) => counted(attempts.len(), "attempt"),
        ObservationAnswer::ReleaseHealth(report) => counted(report.signals.len(), "signal"),
        ObservationAnswer::Evidence(evidence) => counted(evidence.regressed.len(), "regressed signal"),
        ObservationAnswer::Environment(Some(report)) => report.status.word().to_owned(),
        ObservationAnswer::Environment(None) => "no such environment".to_owned(),
        ObservationAnswer::Failed(ObserveFailure::NotConfigured) => "not configured".to_owned(),
        ObservationAnswer::Failed(ObserveFailure::Failed(message)) => format!("failed: {message}"),
    };
    format!("{}: {answer}", observation.request.name())
}
