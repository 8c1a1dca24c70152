//! Stored pipelines (SPEC PL-1 to PL-6). All settings of a step are in the step, so that new steps always come with
//! their settings (DEVIATIONS D-25).

use crate::bounds::{CONFIG_BYTES_MAX, DESCRIPTION_CHARS_MAX, NAME_CHARS_MAX, PIPELINES_MAX, STEPS_MAX};
use crate::changes::Changes;
use crate::items::touched;
use crate::text::{at_most, conflict, invalid, labels, name, room};
use crate::{Board, ShapeStep, shape};
use lockstep_types::board::{
    Change, Item, PipelineDef, PipelineId, PipelinePatch, PipelineStep, Row, RowKey,
};
use lockstep_types::{Descriptor, JsonText, Pinning, Rejected, StepDef, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// Characters of a step's name, as in a pipeline file: it becomes part of file names and keys.
const STEP_NAME_MAX: usize = 64;

/// What the host knows of step kinds when a pipeline is stored.
#[derive(Clone, Copy, Debug)]
pub struct Kinds<'a> {
    /// What the active component of each kind says of itself.
    pub descriptors: &'a BTreeMap<String, Descriptor>,
    /// Whether releases can be watched.
    pub has_observability: bool,
}

impl Kinds<'_> {
    /// What the rules of shape need to know of these steps.
    #[must_use]
    pub fn shape(&self, steps: &[PipelineStep]) -> Vec<ShapeStep> {
        steps.iter().map(|step| ShapeStep::new(step, self.descriptors.get(&step.kind))).collect()
    }

    fn check(&self, steps: &[PipelineStep]) -> Result<(), Rejected> {
        let steps = self.shape(steps);
        shape::check(&steps)?;
        shape::check_observability(&steps, self.has_observability)
    }
}

impl Board {
    /// Stores a new pipeline.
    ///
    /// # Errors
    /// `Invalid` without name or steps, for values out of bounds and for a shape that cannot run, `Conflict` on a full
    /// board.
    pub fn create_pipeline(
        &self,
        patch: PipelinePatch,
        kinds: Kinds<'_>,
        now: Timestamp,
    ) -> Result<(PipelineId, Vec<Change>), Rejected> {
        room("pipelines", self.pipelines().len(), PIPELINES_MAX)?;
        if patch.steps.is_none() {
            return Err(invalid("the pipeline has no steps: give at least one"));
        }
        let mut changes = Changes::of(self);
        let blank = PipelineDef {
            id: changes.id("pipeline"),
            name: String::new(),
            description: String::new(),
            labels: Vec::new(),
            archived: false,
            builtin: false,
            pin: Pinning::default(),
            steps: Vec::new(),
            created_at: now,
            updated_at: now,
        };
        let pipeline = patched(blank, patch, kinds)?;
        let id = pipeline.id.clone();
        changes.put(Row::Pipeline(pipeline));
        Ok((id, changes.finish()))
    }

    /// Changes a pipeline: of one that came with the host, labels and archived only (SPEC PL-5). Live runs keep the
    /// steps they began with.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` for a built-in one, values out of bounds, and new steps of a shape that cannot run.
    pub fn update_pipeline(
        &self,
        id: &PipelineId,
        patch: PipelinePatch,
        kinds: Kinds<'_>,
        now: Timestamp,
    ) -> Result<Vec<Change>, Rejected> {
        let known = self.pipeline(id)?;
        let changes_content = patch.name.is_some()
            || patch.description.is_some()
            || patch.pin.is_some()
            || patch.steps.is_some();
        if known.builtin && changes_content {
            return Err(invalid(format!(
                "pipeline {:?} came with the host: change a clone of it",
                known.name
            )));
        }
        let next = patched(known.clone(), patch, kinds)?;
        if next == *known {
            return Ok(Vec::new());
        }
        Ok(vec![Change::Put(Row::Pipeline(PipelineDef { updated_at: now, ..next }))])
    }

    /// Stores a copy of a pipeline that can be changed, called by its name and "(copy)" unless told otherwise.
    ///
    /// # Errors
    /// As [`Board::create_pipeline`], and `NotFound`.
    pub fn clone_pipeline(
        &self,
        id: &PipelineId,
        name: Option<String>,
        kinds: Kinds<'_>,
        now: Timestamp,
    ) -> Result<(PipelineId, Vec<Change>), Rejected> {
        const COPY: &str = " (copy)";
        let source = self.pipeline(id)?;
        let head = || source.name.chars().take(NAME_CHARS_MAX - COPY.len()).collect::<String>();
        let patch = PipelinePatch {
            name: Some(name.unwrap_or_else(|| head() + COPY)),
            description: Some(source.description.clone()),
            labels: Some(source.labels.clone()),
            archived: None,
            pin: Some(source.pin),
            steps: Some(source.steps.clone()),
        };
        self.create_pipeline(patch, kinds, now)
    }

    /// Deletes a pipeline; items that chose it choose none from then on. An unknown one changes nothing.
    ///
    /// # Errors
    /// `Invalid` for one that came with the host, `Conflict` while a schedule starts it.
    pub fn delete_pipeline(&self, id: &PipelineId, now: Timestamp) -> Result<Vec<Change>, Rejected> {
        let Ok(known) = self.pipeline(id) else { return Ok(Vec::new()) };
        if known.builtin {
            return Err(invalid(format!("pipeline {:?} came with the host: archive it instead", known.name)));
        }
        if let Some(schedule) = self.schedules().find(|schedule| schedule.pipeline == *id) {
            return Err(conflict(format!(
                "schedule {:?} starts pipeline {:?}: give it another pipeline or delete it first",
                schedule.name, known.name
            )));
        }
        let unpinned = |item: &Item| Item { pipeline: None, ..item.clone() };
        let pinned = self.items().filter(|item| item.pipeline.as_ref() == Some(id));
        let mut changes: Vec<Change> = pinned.flat_map(|item| touched(item, unpinned(item), now)).collect();
        changes.push(Change::Remove(RowKey::Pipeline(id.clone())));
        Ok(changes)
    }
}

/// The steps of a run of this pipeline: the enabled ones. A step that comes after a disabled one comes after what that
/// one comes after (SPEC EN-3).
#[must_use]
pub fn run_steps(pipeline: &PipelineDef) -> Vec<StepDef> {
    let mut steps: Vec<StepDef> = Vec::new();
    // What a later step comes after if it comes after the step at this position: positions in the run.
    let mut after: Vec<BTreeSet<usize>> = Vec::new();
    for (at, step) in pipeline.steps.iter().enumerate() {
        let named = |need: &String| pipeline.steps.iter().position(|other| other.name == *need);
        let wanted: Vec<usize> = match &step.needs {
            Some(needs) => needs.iter().filter_map(named).collect(),
            None => at.checked_sub(1).into_iter().collect(),
        };
        let needs: BTreeSet<usize> =
            wanted.iter().filter_map(|need| after.get(*need)).flatten().copied().collect();
        after.push(if step.enabled { [steps.len()].into() } else { needs.clone() });
        if step.enabled {
            let is_set = step.config != JsonText::null();
            steps.push(StepDef {
                name: step.name.clone(),
                kind: step.kind.clone(),
                role: step.role().to_owned(),
                needs: needs.into_iter().collect(),
                approval: step.approval,
                gating: step.gating.clone(),
                config: if is_set { step.config.clone() } else { JsonText::of(&serde_json::json!({})) },
            });
        }
    }
    steps
}

fn patched(
    mut pipeline: PipelineDef,
    patch: PipelinePatch,
    kinds: Kinds<'_>,
) -> Result<PipelineDef, Rejected> {
    let wanted = patch.name.as_ref().unwrap_or(&pipeline.name);
    pipeline.name = name("pipeline's name", wanted, NAME_CHARS_MAX)?;
    if let Some(description) = patch.description {
        pipeline.description = at_most("description", description, DESCRIPTION_CHARS_MAX)?;
    }
    if let Some(given) = patch.labels {
        pipeline.labels = labels(&given)?;
    }
    pipeline.archived = patch.archived.unwrap_or(pipeline.archived);
    pipeline.pin = patch.pin.unwrap_or(pipeline.pin);
    if let Some(steps) = patch.steps {
        check_steps(&steps)?;
        kinds.check(&steps)?;
        pipeline.steps = steps;
    }
    Ok(pipeline)
}

fn check_steps(steps: &[PipelineStep]) -> Result<(), Rejected> {
    if steps.len() > STEPS_MAX {
        return Err(invalid(format!("the pipeline has more than {STEPS_MAX} steps: split it")));
    }
    let mut earlier: BTreeSet<&str> = BTreeSet::new();
    for step in steps {
        let step_name = step.name.as_str();
        for (what, word) in [("step name", step_name), ("step kind", &step.kind), ("role", step.role())] {
            let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
            if word.is_empty() || word.len() > STEP_NAME_MAX || !word.bytes().all(fits) {
                return Err(invalid(format!(
                    "{word:?} is not a {what}: use 1 to {STEP_NAME_MAX} letters, digits, - or _"
                )));
            }
        }
        if let Some(need) = step.needs.iter().flatten().find(|need| !earlier.contains(need.as_str())) {
            return Err(invalid(format!(
                "step {step_name:?} comes after {need:?}, which is no step before it: name an earlier step"
            )));
        }
        if !earlier.insert(step_name) {
            return Err(invalid(format!("two steps are called {step_name:?}: give one another name")));
        }
        let mut thresholds = step.gating.iter().flat_map(shape::thresholds);
        if thresholds.any(|threshold| !(0.0..=1.0).contains(&threshold)) {
            return Err(invalid(format!(
                "a threshold of step {step_name:?} is not between 0 and 1: correct it"
            )));
        }
        let config = step.config.as_str();
        let is_object = config.trim_start().starts_with('{') || step.config == JsonText::null();
        if !is_object || config.len() > CONFIG_BYTES_MAX {
            return Err(invalid(format!(
                "the config of step {step_name:?} must be an object of at most {CONFIG_BYTES_MAX} bytes"
            )));
        }
    }
    Ok(())
}
