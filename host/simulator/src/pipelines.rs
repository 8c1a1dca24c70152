//! Pipelines are stored and changed (SPEC section 23, DEVIATIONS D-25).

use crate::scenario::{ScenarioGating, ScenarioPipeline};
use crate::world::{Refusal, World};
use crate::{Action, SimulationError, mapping};
use lockstep_types::board::{Change, PipelineDef, PipelineId, PipelinePatch, PipelineStep, Row};
use lockstep_types::{Descriptor, Rejected};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What a script says of a pipeline; a list that is left out stays as it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PipelineInput {
    name: Option<String>,
    description: Option<String>,
    labels: Option<Vec<String>>,
    archived: Option<bool>,
    agent_kinds: Option<Vec<String>>,
    gates: Option<Vec<Option<bool>>>,
    enabled: Option<Vec<Option<bool>>>,
    thresholds: Option<Vec<Option<f64>>>,
    gating: Option<Vec<Option<ScenarioGating>>>,
    configs: Option<Vec<Option<Map<String, Value>>>>,
}

impl PipelineInput {
    fn of(action: &Action) -> Result<Self, Rejected> {
        let given = action.args.get("input").cloned().unwrap_or_default();
        serde_json::from_value(given).map_err(|error| Rejected::Invalid(format!("the pipeline: {error}")))
    }

    fn has_steps(&self) -> bool {
        let Self { agent_kinds, gates, enabled, thresholds, gating, configs, .. } = self;
        let lists = [gates.is_some(), enabled.is_some(), thresholds.is_some(), gating.is_some()];
        agent_kinds.is_some() || configs.is_some() || lists.contains(&true)
    }

    /// New kinds come with all their settings, or the old settings would be those of other steps (D-25).
    fn refuse_kinds_alone(&self, known: &ScenarioPipeline) -> Result<(), Rejected> {
        if self.agent_kinds.as_ref().is_none_or(|kinds| *kinds == known.agent_kinds) {
            return Ok(());
        }
        let left_out = [
            ("gates", self.gates.is_none() && known.gates.contains(&Some(true))),
            ("enabled", self.enabled.is_none() && known.enabled.contains(&Some(false))),
            ("thresholds", self.thresholds.is_none() && known.thresholds.iter().any(Option::is_some)),
            ("gating", self.gating.is_none() && known.gating.iter().any(Option::is_some)),
        ];
        match left_out.into_iter().find(|(_, is_left_out)| *is_left_out) {
            None => Ok(()),
            Some((list, _)) => Err(Rejected::Invalid(format!(
                "the steps are replaced and their {list} are not: give {list} as well"
            ))),
        }
    }

    fn onto(self, known: ScenarioPipeline) -> Result<(ScenarioPipeline, PipelinePatch), Rejected> {
        let thresholds = self.thresholds.unwrap_or(known.thresholds);
        if thresholds.iter().flatten().any(|threshold| !(0.0..=1.0).contains(threshold)) {
            return Err(Rejected::Invalid("a threshold is not between 0 and 1: correct it".to_owned()));
        }
        let steps = ScenarioPipeline {
            agent_kinds: self.agent_kinds.unwrap_or(known.agent_kinds),
            gates: self.gates.unwrap_or(known.gates),
            enabled: self.enabled.unwrap_or(known.enabled),
            thresholds,
            gating: self.gating.unwrap_or(known.gating),
            configs: self.configs.unwrap_or(known.configs),
            ..known
        };
        let (labels, archived) = (self.labels, self.archived);
        let rest = PipelinePatch {
            name: self.name,
            description: self.description,
            labels,
            archived,
            pin: None,
            steps: None,
        };
        Ok((steps, rest))
    }
}

impl World<'_> {
    /// The pipeline of this name or id.
    pub(crate) fn pipeline(&self, wanted: Option<&str>) -> Result<PipelineDef, Refusal> {
        let of_file = self.file.filter(|file| wanted.is_none_or(|wanted| wanted == file.name));
        if let Some(file) = of_file {
            return Ok(mapping::from_pipeline(file)?);
        }
        let wanted = wanted.or_else(|| self.scenario.pipelines.first().map(|given| given.id.as_str()));
        let found = self.board.pipelines().find(|def| Some(def.id.as_str()) == wanted);
        Ok(found.ok_or_else(|| Rejected::NotFound("there is no such pipeline".to_owned()))?.clone())
    }

    /// `create_pipeline`: it is called `pl_1`, `pl_2` and so on.
    pub(crate) fn create_pipeline(&mut self, action: &Action) -> Result<(), Refusal> {
        let (given, mut patch) = PipelineInput::of(action)?.onto(ScenarioPipeline::default())?;
        let given = ScenarioPipeline { id: "new".to_owned(), ..given };
        patch.steps = Some(mapping::pipeline_def(self.scenario, self.kinds, &given)?.steps);
        let descriptors = self.descriptors();
        let (_, mut changes) = self.board.create_pipeline(patch, self.kinds_known(&descriptors), self.now)?;
        let id: PipelineId = mapping::id(&self.counters.next_pipeline())?;
        for change in &mut changes {
            if let Change::Put(Row::Pipeline(pipeline)) = change {
                pipeline.id = id.clone();
            }
        }
        self.change(&changes);
        Ok(())
    }

    pub(crate) fn update_pipeline(&mut self, action: &Action) -> Result<(), Refusal> {
        let input = PipelineInput::of(action)?;
        let known = self.pipeline(Some(action.text("id").unwrap_or_default()))?;
        let has_steps = input.has_steps();
        let lists = lists_of(&known);
        input.refuse_kinds_alone(&lists)?;
        let (next, mut patch) = input.onto(lists)?;
        if has_steps {
            patch.steps = Some(mapping::pipeline_def(self.scenario, self.kinds, &next)?.steps);
        }
        let descriptors = self.descriptors();
        let kinds = self.kinds_known(&descriptors);
        let changes = self.board.update_pipeline(&known.id, patch, kinds, self.now)?;
        self.change(&changes);
        Ok(())
    }

    /// `pipeline_put`: the pipeline is changed behind the engine, whatever its shape.
    pub(crate) fn put_pipeline(&mut self, given: &ScenarioPipeline) -> Result<(), SimulationError> {
        let def = mapping::pipeline_def(self.scenario, self.kinds, given)?;
        self.change(&[Change::Put(Row::Pipeline(def))]);
        Ok(())
    }

    fn descriptors(&self) -> BTreeMap<String, Descriptor> {
        self.kinds.0.iter().map(|(name, kind)| (name.clone(), kind.descriptor.clone())).collect()
    }

    /// Without a store of connections nobody asks for one (SPEC RH-13).
    fn kinds_known<'a>(&self, descriptors: &'a BTreeMap<String, Descriptor>) -> lockstep_board::Kinds<'a> {
        lockstep_board::Kinds {
            descriptors,
            has_observability: self.scenario.wiring.observability != Some(false),
        }
    }
}

/// A stored pipeline as parallel lists.
fn lists_of(def: &PipelineDef) -> ScenarioPipeline {
    let config = |step: &PipelineStep| step.config.value().as_object().cloned().unwrap_or_default();
    let threshold = |step: &PipelineStep| config(step).get("threshold").and_then(Value::as_f64);
    let rest = |step: &PipelineStep| {
        let mut rest = config(step);
        if threshold(step).is_some() {
            rest.remove("threshold");
        }
        rest
    };
    ScenarioPipeline {
        id: def.id.as_str().to_owned(),
        name: Some(def.name.clone()),
        agent_kinds: def.steps.iter().map(|step| step.role().to_owned()).collect(),
        gates: def.steps.iter().map(|step| Some(step.approval)).collect(),
        enabled: def.steps.iter().map(|step| Some(step.enabled)).collect(),
        thresholds: def.steps.iter().map(threshold).collect(),
        gating: def.steps.iter().map(|step| step.gating.clone().map(ScenarioGating::from)).collect(),
        configs: def.steps.iter().map(|step| Some(rest(step))).collect(),
    }
}
