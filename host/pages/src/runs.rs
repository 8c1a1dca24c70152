use crate::{Frame, text};
use askama::Template;
use lockstep_types::{RunStatus, RunSummary};

/// The list of runs.
#[derive(Template)]
#[template(path = "runs.html")]
pub struct RunsPage {
    /// What is around it.
    pub frame: Frame,
    /// The runs, the newest first.
    pub runs: Vec<RunSummary>,
    /// The state they are filtered by.
    pub status: Option<RunStatus>,
    /// Address of the page after this one.
    pub next: Option<String>,
}

impl RunsPage {
    fn statuses(&self) -> Vec<(&'static str, bool)> {
        use RunStatus::{Blocked, Done, Failed, Paused, Running};
        [Running, Blocked, Paused, Done, Failed]
            .map(|status| (status.word(), self.status == Some(status)))
            .into()
    }
}
