//! A run: what it is, where it stands, what it waits for, and what may be done to it.

mod call;
mod graph;
mod report;
mod step;
mod timeline;

pub use report::ReportPage;
pub use step::{LogPart, StepPage, StepParts};

use crate::question::Asked;
use crate::{Frame, text};
use askama::Template;
use graph::{Direction, Layout, layout};
use lockstep_ports::VerifyReport;
use lockstep_types::{
    Notice, NoticeState, RunStatus, RunView, StepStatus, StepView, TimelineEntry, Timestamp,
};
use timeline::{Bar, attempts, bars};

/// Entries of the journal shown with a run; a link shows the rest.
const ENTRIES_SHOWN: usize = 60;

/// Letters of a name that fit a box of the graph.
const NAME_CHARS: usize = 15;

/// How a step stands, as people see it: by a colour and by a sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Class of the colour.
    pub(crate) tone: &'static str,
    /// The sign.
    pub(crate) sign: &'static str,
    /// In words.
    pub(crate) word: &'static str,
}

/// A step that its run failed in.
const FAILED: Standing = Standing { tone: "bad", sign: "✕", word: "failed" };

/// How a step of a run in this state stands.
pub(crate) fn standing(run: RunStatus, step: &StepView) -> Standing {
    let (tone, sign, word) = match step.status {
        StepStatus::Working | StepStatus::WaitingDecision if !run.is_live() => ("bad", "✕", "cut short"),
        // What it asked was answered, and it is not parked any more.
        StepStatus::WaitingDecision if step.question.is_none() => ("busy", "▶", "working"),
        StepStatus::Done if step.skipped.is_some() => ("quiet", "–", "skipped"),
        StepStatus::Done => ("good", "✓", "done"),
        StepStatus::WaitingDecision => ("attention", "?", "waits for a person"),
        StepStatus::Working if run == RunStatus::Paused => ("quiet", "‖", "paused"),
        StepStatus::Working => ("busy", "▶", "working"),
        StepStatus::Pending => ("quiet", "○", "not begun"),
    };
    Standing { tone, sign, word }
}

/// The step a run failed in, if it failed; none also where it failed as a whole.
fn failed_in(run: &RunView, entries: &[TimelineEntry]) -> Option<String> {
    let failed = entries.iter().rev().find(|entry| entry.what == "run-failed");
    failed.filter(|_| run.summary.status == RunStatus::Failed)?.step.clone()
}

/// Milliseconds a step took, without those spent waiting for people.
fn took_ms(step: &StepView, now: Timestamp) -> Option<u64> {
    let started = step.started_at?;
    Some(step.finished_at.unwrap_or(now).ms_since(started).saturating_sub(step.waited_ms))
}

/// A step with all that the page of its run shows of it.
pub(crate) struct Row {
    pub(crate) step: StepView,
    pub(crate) standing: Standing,
    pub(crate) bars: Vec<Bar>,
    pub(crate) took: String,
    pub(crate) waited: String,
    pub(crate) short_name: String,
    /// Its place in the graph across, and down.
    pub(crate) across: (i32, i32),
    pub(crate) down: (i32, i32),
}

impl Row {
    fn corner(&self, is_across: &bool) -> (i32, i32) {
        if *is_across { self.across } else { self.down }
    }

    /// What stands below its name in the graph.
    fn line(&self) -> String {
        let word = self.standing.word;
        match word {
            "done" | "working" if !self.took.is_empty() => format!("{word}, {}", self.took),
            _ => word.to_owned(),
        }
    }
}

/// The page of a run.
#[derive(Template)]
#[template(path = "run/run.html")]
pub struct RunPage {
    /// What is around it.
    frame: Frame,
    run: RunView,
    rows: Vec<Row>,
    across: Layout,
    down: Layout,
    entries: Vec<TimelineEntry>,
    hidden: usize,
    questions: Vec<Asked>,
    verified: Option<Verified>,
}

/// What came of a replay.
pub struct Verified {
    /// What it showed.
    pub report: VerifyReport,
}

/// What a page of a run is made of.
pub struct RunParts {
    /// The run.
    pub run: RunView,
    /// What happened in it.
    pub entries: Vec<TimelineEntry>,
    /// What it asks people.
    pub questions: Vec<Asked>,
    /// Whether all entries are to be shown.
    pub all: bool,
    /// The replay that was asked for.
    pub verified: Option<Verified>,
}

impl RunPage {
    /// The page of a run.
    #[must_use]
    pub fn new(frame: Frame, parts: RunParts) -> Self {
        let RunParts { run, entries, questions, all, verified } = parts;
        let needs = needs(&run.steps);
        let (across, down) = (layout(&needs, Direction::Across), layout(&needs, Direction::Down));
        let end = if run.summary.status.is_live() { frame.now } else { run.summary.updated_at };
        let status = run.summary.status;
        let failed = failed_in(&run, &entries);
        let row = |(at, step): (usize, &StepView)| {
            let attempts = attempts(&entries, &step.name);
            let waited_now = step.question.as_ref().map_or(0, |asked| frame.now.ms_since(asked.asked_at));
            let waited = step.waited_ms + if status.is_live() { waited_now } else { 0 };
            let took = took_ms(step, end).map(|ms| ms.saturating_sub(waited - step.waited_ms));
            Row {
                standing: if failed.as_ref() == Some(&step.name) { FAILED } else { standing(status, step) },
                bars: bars(&attempts, run.summary.created_at, end),
                took: took.map(text::duration).unwrap_or_default(),
                waited: if waited > 0 { text::duration(waited) } else { String::new() },
                short_name: text::short(&step.name, NAME_CHARS),
                across: across.boxes[at],
                down: down.boxes[at],
                step: step.clone(),
            }
        };
        let rows = run.steps.iter().enumerate().map(row).collect();
        let hidden = if all { 0 } else { entries.len().saturating_sub(ENTRIES_SHOWN) };
        let entries = entries.into_iter().skip(hidden).collect();
        Self { frame, rows, across, down, entries, hidden, questions, verified, run }
    }

    fn took(&self) -> String {
        let summary = &self.run.summary;
        let end = if summary.status.is_live() { self.frame.now } else { summary.updated_at };
        text::duration(end.ms_since(summary.created_at))
    }

    fn open_notices(&self) -> Vec<&Notice> {
        let is_asked = |notice: &Notice| {
            notice.step.is_some()
                && self.questions.iter().any(|asked| Some(&asked.step) == notice.step.as_ref())
        };
        let open = self.run.notices.iter().filter(|notice| notice.state == NoticeState::Open);
        // What failed is told above, with what to do.
        open.filter(|notice| !is_asked(notice) && (!self.is_failed() || notice.kind != "run_failed"))
            .collect()
    }

    /// The step the run failed in.
    fn failed_step(&self) -> Option<&str> {
        self.rows.iter().find(|row| row.standing == FAILED).map(|row| row.step.name.as_str())
    }

    fn is_live(&self) -> bool {
        self.run.summary.status.is_live()
    }

    fn is_paused(&self) -> bool {
        self.run.summary.status == RunStatus::Paused
    }

    fn is_failed(&self) -> bool {
        self.run.summary.status == RunStatus::Failed
    }

    /// The step kinds of the run, each once.
    fn kinds(&self) -> Vec<&str> {
        let mut kinds: Vec<&str> = self.run.steps.iter().map(|step| step.kind.as_str()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }

    fn tokens(&self) -> (u64, u64) {
        let used = self.run.steps.iter().map(|step| step.usage);
        used.fold((0, 0), |sum, usage| (sum.0 + usage.input_tokens, sum.1 + usage.output_tokens))
    }

    /// The graph in words, for those who do not see it.
    fn described(&self) -> String {
        let step = |row: &Row| format!("{}: {}", row.step.name, row.standing.word);
        self.rows.iter().map(step).collect::<Vec<_>>().join("; ")
    }
}

fn needs(steps: &[StepView]) -> Vec<Vec<usize>> {
    let place = |name: &String| steps.iter().position(|step| step.name == *name);
    steps.iter().map(|step| step.needs.iter().filter_map(place).collect()).collect()
}
