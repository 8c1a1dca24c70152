use crate::{Frame, text};
use askama::Template;
use lockstep_types::{QuestionKind, RunStatus, RunSummary};

/// What a list of runs is filtered by, as it was typed; empty: by nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Word of a state.
    pub status: String,
    /// What they wait for.
    pub waits: String,
    /// Their item.
    pub item: String,
    /// Name of their pipeline.
    pub pipeline: String,
    /// Words in title, id, item, pipeline or branch.
    pub text: String,
}

/// The list of runs.
#[derive(Template)]
#[template(path = "runs.html")]
pub struct RunsPage {
    /// What is around it.
    pub frame: Frame,
    /// The runs, the newest first.
    pub runs: Vec<RunSummary>,
    /// What they are filtered by.
    pub filter: RunFilter,
    /// Whether every box is ticked.
    pub all: bool,
    /// Address of the page with its filter.
    pub here: String,
    /// Address of the same with every box ticked.
    pub here_ticked: String,
    /// Address of the page after this one.
    pub next: Option<String>,
}

impl RunsPage {
    fn statuses(&self) -> Vec<(&'static str, bool)> {
        use RunStatus::{Blocked, Done, Failed, Paused, Running};
        [Running, Blocked, Paused, Done, Failed]
            .map(|status| (status.word(), self.filter.status == status.word()))
            .into()
    }

    /// What runs wait for: the word of the filter, what people call it, and whether it is chosen.
    fn waits(&self) -> Vec<(&'static str, &'static str, bool)> {
        let people = [("person", "a person")].into_iter();
        let questions = QuestionKind::ALL.map(|kind| (kind.word(), text::question(kind)));
        let machines = [
            ("job", "a job"),
            ("timer", "its time"),
            ("effect", "an effect"),
            ("pause", "being resumed"),
            ("budget", "a budget"),
            ("component", "a stopped component"),
        ];
        let all = people.chain(questions).chain(machines);
        all.map(|(word, called)| (word, called, self.filter.waits == word)).collect()
    }

    fn is_filtered(&self) -> bool {
        self.filter != RunFilter::default()
    }
}
