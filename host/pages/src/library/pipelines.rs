use crate::choice::choices;
use crate::{Choice, Frame, text};
use askama::Template;
use lockstep_types::Pinning;
use lockstep_types::board::{PipelineDef, PipelineStep};

/// All pipelines of a workspace.
#[derive(Template)]
#[template(path = "library/pipelines.html")]
pub struct PipelinesPage {
    /// What is around it.
    pub frame: Frame,
    /// The pipelines.
    pub pipelines: Vec<PipelineDef>,
    /// Only those with this label.
    pub label: String,
    /// Archived ones too.
    pub archived: bool,
}

/// One pipeline.
#[derive(Template)]
#[template(path = "library/pipeline.html")]
pub struct PipelinePage {
    /// What is around it.
    pub frame: Frame,
    /// The pipeline.
    pub pipeline: PipelineDef,
    /// Its steps as they are written in a pipeline file.
    pub text: String,
}

/// Asks whether a pipeline is to go.
#[derive(Template)]
#[template(path = "library/delete_pipeline.html")]
pub struct DeletePipelinePage {
    /// What is around it.
    pub frame: Frame,
    /// The pipeline.
    pub pipeline: PipelineDef,
}

/// What a check of a draft has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// Nobody asked.
    Not,
    /// Nothing is wrong.
    Well,
    /// What is wrong, a line each.
    Wrong(Vec<String>),
}

/// What became of a draft in a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// The scenario.
    pub scenario: String,
    /// What happened, line by line.
    pub text: String,
}

/// A pipeline file that is tried before it is stored.
#[derive(Template)]
#[template(path = "library/draft.html")]
pub struct DraftPage {
    /// What is around it.
    pub frame: Frame,
    /// The file.
    pub draft: String,
    /// What a check of it found.
    pub checked: Checked,
    /// What a simulation of it told.
    pub story: Option<Story>,
    /// Scenarios there are: names and what they are about. None: this host simulates nothing.
    pub scenarios: Vec<(String, String)>,
}

/// The steps of a pipeline side by side.
fn needs(pipeline: &PipelineDef, index: usize) -> String {
    match &pipeline.steps[index].needs {
        Some(needs) if needs.is_empty() => "at once".to_owned(),
        Some(needs) => format!("after {}", needs.join(", ")),
        None if index == 0 => "first".to_owned(),
        None => format!("after {}", pipeline.steps[index - 1].name),
    }
}

/// What is particular about a step.
fn notes(step: &PipelineStep) -> Vec<&'static str> {
    let mut notes = Vec::new();
    if !step.enabled {
        notes.push("left out");
    }
    if step.approval {
        notes.push("waits for an approval");
    }
    if step.gating.as_ref().is_some_and(|gating| gating.enabled) {
        notes.push("depends on the estimate");
    }
    notes
}

impl PipelinesPage {
    fn shown(&self) -> Vec<&PipelineDef> {
        let shown = self.pipelines.iter().filter(|one| self.archived || !one.archived);
        shown.filter(|one| self.label.is_empty() || one.labels.contains(&self.label)).collect()
    }

    fn labels(&self) -> Vec<Choice> {
        let mut labels: Vec<&str> =
            self.pipelines.iter().flat_map(|one| &one.labels).map(String::as_str).collect();
        labels.sort_unstable();
        labels.dedup();
        let all = std::iter::once(("", "any")).chain(labels.into_iter().map(|label| (label, label)));
        choices(&self.frame, ("filter", "label"), &self.label, all)
    }
}

impl PipelinePage {
    fn needs(&self, index: usize) -> String {
        needs(&self.pipeline, index)
    }

    fn notes(&self, step: &PipelineStep) -> String {
        notes(step).join(", ")
    }

    fn config<'a>(&self, step: &'a PipelineStep) -> &'a str {
        match step.config.as_str() {
            "{}" | "null" => "",
            config => config,
        }
    }

    fn labels(&self) -> String {
        self.pipeline.labels.join(", ")
    }

    fn pins(&self) -> Vec<Choice> {
        let current = if self.pipeline.pin == Pinning::Step { "step" } else { "run" };
        choices(
            &self.frame,
            ("edit", "pin"),
            current,
            [("run", "when the run starts"), ("step", "when each step starts")],
        )
    }

    fn is_open(&self, form: &str) -> bool {
        self.frame.typed.form == form
    }
}

impl DraftPage {
    fn errors(&self) -> &[String] {
        match &self.checked {
            Checked::Wrong(errors) => errors,
            Checked::Not | Checked::Well => &[],
        }
    }

    fn is_well(&self) -> bool {
        self.checked == Checked::Well
    }

    fn choices(&self) -> Vec<Choice> {
        let current = self.scenarios.first().map_or("", |(name, _)| name.as_str());
        let all = self.scenarios.iter().map(|(name, about)| (name, about));
        choices(&self.frame, ("draft", "scenario"), current, all)
    }
}
