//! The steps of a pipeline file as a board keeps them: disabled ones too, each with what it needs by name.

use super::{File, PIPELINE_BYTES_MAX, PipelineErrors, Reader, Step, json};
use lockstep_types::board::PipelineStep;
use lockstep_types::{JsonText, Pinning};

/// What a board keeps of a pipeline file.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Its name.
    pub name: String,
    /// When the components of its steps are chosen.
    pub pin: Pinning,
    /// Its steps in order.
    pub steps: Vec<PipelineStep>,
}

/// Name and steps of a pipeline file, without its checks, jobs and policy. Kinds and configurations are not looked at:
/// check the file with [`super::read`] first, or where the components are.
///
/// # Errors
/// `PipelineErrors` if the file cannot be read, or its steps need each other in a circle.
pub fn stored_steps(text: &str, file: &str) -> Result<Stored, PipelineErrors> {
    let mut reader = Reader { text, problems: Vec::new() };
    let stored = reader.stored();
    match stored {
        Some(stored) if reader.problems.is_empty() => Ok(stored),
        _ => Err(PipelineErrors { file: file.to_owned(), problems: reader.problems }),
    }
}

/// A step as a board keeps it.
pub(super) fn stored_step(step: &Step, name: &str, needs: Option<Vec<String>>) -> PipelineStep {
    PipelineStep {
        name: name.to_owned(),
        kind: step.kind.get_ref().clone(),
        role: step.role.clone(),
        needs,
        approval: step.approval,
        enabled: step.enabled,
        gating: step.gating.clone(),
        config: JsonText::of(&json(&toml::Value::Table(step.config.clone()))),
    }
}

impl Reader<'_> {
    fn stored(&mut self) -> Option<Stored> {
        if self.text.len() > PIPELINE_BYTES_MAX {
            self.problem(0..0, format!("the file has more than {PIPELINE_BYTES_MAX} bytes: shorten it"));
            return None;
        }
        let file: File = match toml::from_str(self.text) {
            Ok(file) => file,
            Err(error) => {
                let message = error.message().lines().next().unwrap_or("not TOML").to_owned();
                self.problem(error.span().unwrap_or(0..0), message);
                return None;
            }
        };
        let name = |step: &Step| {
            let role = step.role.as_ref().unwrap_or_else(|| step.kind.get_ref());
            step.name.as_ref().map_or(role, toml::Spanned::get_ref).clone()
        };
        let names: Vec<String> = file.steps.iter().map(|step| name(step.get_ref())).collect();
        let needs = self.needs(&file, &names);
        let order = self.order(&file, &names, &needs)?;
        // Out of the order of the file, "the one before" is another one.
        let is_moved = !order.is_sorted();
        let step = |at: usize| {
            let step = file.steps[at].get_ref();
            let is_needed = is_moved || step.needs.is_some();
            let needs = is_needed.then(|| needs[at].iter().map(|need| names[*need].clone()).collect());
            stored_step(step, &names[at], needs)
        };
        let steps = order.into_iter().map(step).collect();
        Some(Stored { name: file.name.get_ref().clone(), pin: file.pin, steps })
    }
}
