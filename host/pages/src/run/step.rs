use super::call::{Call, json};
use super::timeline::{Attempt, attempts};
use super::{FAILED, Standing, failed_in, standing, took_ms};
use crate::question::Asked;
use crate::{Frame, text};
use askama::Template;
use lockstep_ports::InvocationView;
use lockstep_types::{Fact, Progress, RunSummary, RunView, StepStatus, StepView, TimelineEntry};

/// Calls shown with a step; a link shows the rest.
const CALLS_SHOWN: usize = 15;

/// The end of a job's log, on a page or fetched by one while the job goes on.
#[derive(Template)]
#[template(path = "run/log.html")]
pub struct LogPart {
    /// The run.
    pub run: String,
    /// The step.
    pub step: String,
    /// The text; none: there is no log.
    pub log: Option<String>,
    /// What tells this text from another one, where the job goes on and there may be more; empty: it is over.
    pub follow: String,
}

/// The page of a step.
#[derive(Template)]
#[template(path = "run/step.html")]
pub struct StepPage {
    frame: Frame,
    run: RunSummary,
    step: StepView,
    standing: Standing,
    took: String,
    attempts: Vec<Attempt>,
    calls: Vec<Call>,
    hidden: usize,
    facts: Vec<Fact>,
    state: String,
    question: Option<Asked>,
    log: LogPart,
}

/// What a page of a step is made of.
pub struct StepParts {
    /// Its run.
    pub run: RunView,
    /// The step.
    pub step: StepView,
    /// What happened in the run.
    pub entries: Vec<TimelineEntry>,
    /// Calls of the component.
    pub calls: Vec<InvocationView>,
    /// What it asks.
    pub question: Option<Asked>,
    /// The log of its job.
    pub log: LogPart,
    /// Whether all calls are to be shown.
    pub all: bool,
}

impl StepPage {
    /// The page of a step.
    #[must_use]
    pub fn new(frame: Frame, parts: StepParts) -> Self {
        let StepParts { run, step, entries, calls, question, log, all } = parts;
        let hidden = if all { 0 } else { calls.len().saturating_sub(CALLS_SHOWN) };
        // The last one first: it says why the step stands where it does.
        let calls = calls.into_iter().skip(hidden).rev().map(Call::of).collect();
        let facts = run.facts.iter().filter(|fact| fact.step == step.name).cloned().collect();
        let state = step.state.as_ref().map(|state| json(&lockstep_types::JsonText::of(state)));
        Self {
            standing: match failed_in(&run, &entries) {
                Some(failed) if failed == step.name => FAILED,
                _ => standing(run.summary.status, &step),
            },
            took: took_ms(&step, frame.now).map(text::duration).unwrap_or_default(),
            attempts: attempts(&entries, &step.name),
            state: state.unwrap_or_default(),
            run: run.summary,
            frame,
            step,
            calls,
            hidden,
            facts,
            question,
            log,
        }
    }

    /// How far it has come, while it goes on.
    fn progress(&self) -> Option<&Progress> {
        self.step.progress.as_ref().filter(|_| self.step.status != StepStatus::Done)
    }

    /// The call that brought the step where it stands.
    fn verdict(&self) -> Option<&Call> {
        self.calls.first()
    }
}
