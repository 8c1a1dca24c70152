use super::{Row, RunPage, RunParts};
use crate::{Frame, text};
use askama::Template;
use lockstep_types::{RunView, TimelineEntry};

/// A run in one file that needs nothing beside it: what ran, on which components, who decided, what came of it.
#[derive(Template)]
#[template(path = "run/report.html")]
pub struct ReportPage {
    run: RunView,
    rows: Vec<Row>,
    entries: Vec<TimelineEntry>,
    decided: Vec<TimelineEntry>,
    frame: Frame,
}

impl ReportPage {
    /// The report of a run as of now.
    #[must_use]
    pub fn new(frame: Frame, run: RunView, entries: Vec<TimelineEntry>) -> Self {
        let by_people = |entry: &&TimelineEntry| {
            let words = [
                "answered",
                "acted",
                "retried",
                "restarted",
                "repinned",
                "run-paused",
                "run-resumed",
                "merged",
            ];
            words.contains(&entry.what.as_str())
        };
        let decided = entries.iter().filter(by_people).cloned().collect();
        let parts =
            RunParts { run, entries: entries.clone(), questions: Vec::new(), all: true, verified: None };
        let page = RunPage::new(frame, parts);
        Self { run: page.run, rows: page.rows, entries, decided, frame: page.frame }
    }
}
