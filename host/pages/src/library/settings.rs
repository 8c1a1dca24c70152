use crate::choice::choices;
use crate::{Choice, Frame};
use askama::Template;
use lockstep_types::ToleratedSeverity;
use lockstep_types::board::{Preset, Settings, SpendLimit, TaskLimit, TaskType, Workspace};
use std::fmt::Write as _;

/// What holds for a workspace, and which one is looked at.
#[derive(Template)]
#[template(path = "library/settings.html")]
pub struct SettingsPage {
    /// What is around it.
    pub frame: Frame,
    /// The workspace.
    pub workspace: Workspace,
    /// All of them.
    pub workspaces: Vec<Workspace>,
    /// What holds for it.
    pub settings: Settings,
    /// Its presets.
    pub presets: Vec<Preset>,
}

const TYPES: [TaskType; 4] = [TaskType::Feature, TaskType::Bug, TaskType::Document, TaskType::Spike];

/// A field of a preset: its name in the form, what it is, what it holds.
struct PresetField {
    name: &'static str,
    label: &'static str,
    value: String,
}

impl SettingsPage {
    fn all_workspaces(&self) -> Vec<Choice> {
        let all = self.workspaces.iter().map(|one| (&one.id, &one.name));
        choices(&self.frame, ("workspace", "workspace"), self.workspace.id.as_str(), all)
    }

    fn modes(&self) -> Vec<Choice> {
        let current = match self.settings.task_limit {
            TaskLimit::Off => "off",
            TaskLimit::Shared { .. } => "shared",
            TaskLimit::PerType { .. } => "per-type",
        };
        let all = [("off", "any number"), ("shared", "so many in all"), ("per-type", "so many of each kind")];
        choices(&self.frame, ("limits", "mode"), current, all)
    }

    fn shared(&self) -> String {
        match self.settings.task_limit {
            TaskLimit::Shared { limit } => limit.to_string(),
            _ => String::new(),
        }
    }

    /// Limits of each kind: the field, the kind, the limit.
    fn per_type(&self) -> Vec<(String, &'static str, String)> {
        let limit = |of: TaskType| match &self.settings.task_limit {
            TaskLimit::PerType { limits } => limits.get(&of).map_or_else(String::new, ToString::to_string),
            _ => String::new(),
        };
        TYPES.map(|of| (format!("limit-{}", of.word()), of.word(), limit(of))).into()
    }

    fn escalation(&self) -> String {
        self.settings.waiting_escalation_minutes.to_string()
    }

    fn monthly(&self) -> String {
        match self.settings.pricing.monthly_limit {
            SpendLimit::Amount(amount) => amount.to_string(),
            SpendLimit::None => "none".to_owned(),
        }
    }

    fn default_input(&self) -> String {
        self.settings.pricing.default_price.input_per_million.to_string()
    }

    fn default_output(&self) -> String {
        self.settings.pricing.default_price.output_per_million.to_string()
    }

    /// Prices, a model a line.
    fn prices(&self) -> String {
        let mut text = String::new();
        for (model, price) in &self.settings.pricing.prices {
            // Writing into a string cannot fail.
            let _ = writeln!(text, "{model} {} {}", price.input_per_million, price.output_per_million);
        }
        text
    }

    fn form_of(&self, preset: &Preset) -> String {
        format!("preset-{}", preset.id)
    }

    fn is_open(&self, form: &str) -> bool {
        self.frame.typed.form == form
    }

    fn fields(&self, preset: &Preset) -> Vec<PresetField> {
        preset_fields(Some(preset))
    }

    fn new_fields(&self) -> Vec<PresetField> {
        preset_fields(self.presets.iter().find(|preset| preset.is_default))
    }

    fn severities(&self, form: &str, preset: Option<&Preset>) -> Vec<Choice> {
        let current = match preset.map(|preset| preset.tolerated_severity) {
            None | Some(ToleratedSeverity::None) => "none",
            Some(ToleratedSeverity::Low) => "low",
            Some(ToleratedSeverity::Medium) => "medium",
            Some(ToleratedSeverity::High) => "high",
        };
        let all = ["none", "low", "medium", "high"].map(|word| (word, word));
        choices(&self.frame, (form, "tolerated_severity"), current, all)
    }

    fn no_preset(&self) -> Option<&Preset> {
        None
    }
}

fn preset_fields(preset: Option<&Preset>) -> Vec<PresetField> {
    let value = |of: &dyn Fn(&Preset) -> String| preset.map(of).unwrap_or_default();
    let field = |name, label, value| PresetField { name, label, value };
    vec![
        field("max_complexity", "Most complexity, 0 to 1", value(&|one| one.max_complexity.to_string())),
        field("max_risk", "Most risk, 0 to 1", value(&|one| one.max_risk.to_string())),
        field("max_impact", "Most impact, 0 to 1", value(&|one| one.max_impact.to_string())),
        field("ci_max_attempts", "Repairs, 0 to 50", value(&|one| one.ci_max_attempts.to_string())),
        field(
            "max_review_iterations",
            "Reviews before a person decides, 1 to 20",
            value(&|one| one.max_review_iterations.to_string()),
        ),
        field(
            "release_watch_minutes",
            "Minutes a release is watched, 1 to 720",
            value(&|one| one.release_watch_minutes.to_string()),
        ),
        field(
            "release_max_attempts",
            "Investigations of a regression, 0 to 10",
            value(&|one| one.release_max_attempts.to_string()),
        ),
    ]
}
