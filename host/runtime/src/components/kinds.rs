//! The active components, ready for checking pipelines and pinning runs.

use crate::pipeline_file;
use crate::runtime::Outside;
use lockstep_ports::{ComponentStoreError, ServiceError};
use lockstep_types::{Activation, Descriptor, Digest, Pin, Pipeline, Stop};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

/// Checked pipeline files that are kept, by their text.
const PIPELINES_KEPT_MAX: usize = 256;

/// The active components, ready for checking pipelines and pinning runs. Replaced whole when a pointer moves.
pub(crate) struct Kinds {
    active: BTreeMap<String, Active>,
    /// The same, as runs are pinned to them.
    pins: Arc<BTreeMap<String, Pin>>,
    /// Components that may not be called, and why.
    stopped: Arc<BTreeMap<Digest, Stop>>,
    /// Pipeline files that were found good with these components.
    checked: Mutex<HashMap<Digest, Arc<Pipeline>>>,
}

struct Active {
    activation: Activation,
    descriptor: Descriptor,
    schema: Option<jsonschema::Validator>,
}

impl Active {
    fn pin(&self) -> Pin {
        let Activation { digest, grant, .. } = self.activation.clone();
        Pin { digest, grant, access: self.descriptor.access }
    }
}

impl Kinds {
    pub(crate) async fn load(outside: &Outside) -> Result<Self, ComponentStoreError> {
        let mut active = BTreeMap::new();
        for activation in outside.components.active().await? {
            let Some(info) = outside.components.info(&activation.digest).await? else {
                tracing::error!(kind = activation.kind, digest = %activation.digest, "an active component is not stored");
                continue;
            };
            let schema = jsonschema::validator_for(&info.descriptor.config_schema.value());
            if let Err(error) = &schema {
                // What is added now is refused for this; an older version of the host may have let it in.
                tracing::error!(kind = activation.kind, %error, "configs are not checked: the schema is invalid");
            }
            let schema = schema.ok();
            let kind = activation.kind.clone();
            active.insert(kind, Active { activation, descriptor: info.descriptor, schema });
        }
        let pins = active.iter().map(|(kind, active): (&String, &Active)| (kind.clone(), active.pin()));
        let pins = Arc::new(pins.collect());
        Ok(Self { active, pins, stopped: Arc::default(), checked: Mutex::default() })
    }

    /// Components that may not be called, by digest.
    pub(crate) fn stopped(&self) -> &Arc<BTreeMap<Digest, Stop>> {
        &self.stopped
    }

    /// Reads and checks a pipeline file, or remembers that it did.
    pub(crate) fn pipeline(&self, text: &str, file: &str) -> Result<Arc<Pipeline>, ServiceError> {
        let key = Digest::of(text.as_bytes());
        if let Some(pipeline) = crate::runtime::lock(&self.checked).get(&key) {
            return Ok(Arc::clone(pipeline));
        }
        let pipeline = pipeline_file::read(text, file, self)
            .map_err(|errors| ServiceError::Invalid(errors.to_string()))?;
        let pipeline = Arc::new(pipeline);
        let mut checked = crate::runtime::lock(&self.checked);
        if checked.len() >= PIPELINES_KEPT_MAX {
            checked.clear();
        }
        checked.insert(key, Arc::clone(&pipeline));
        Ok(pipeline)
    }

    /// Asks the rules of the board about steps of the active kinds.
    pub(crate) fn descriptors<T>(&self, ask: impl FnOnce(lockstep_board::Kinds<'_>) -> T) -> T {
        let known = self.active.iter().map(|(kind, active)| (kind.clone(), active.descriptor.clone()));
        let descriptors: BTreeMap<String, Descriptor> = known.collect();
        // Who answers for the health of releases is said by the repository of an item, and looked at when a run starts.
        ask(lockstep_board::Kinds { descriptors: &descriptors, has_observability: true })
    }

    /// The active component of each kind, as runs are pinned to it.
    pub(crate) fn active(&self) -> &Arc<BTreeMap<String, Pin>> {
        &self.pins
    }

    /// What a run of the pipeline is pinned to.
    pub(crate) fn pins(&self, pipeline: &Pipeline) -> BTreeMap<String, Pin> {
        let pin = |kind: &String| Some((kind.clone(), self.pins.get(kind)?.clone()));
        pipeline.steps.iter().filter_map(|step| pin(&step.kind)).collect()
    }
}

impl pipeline_file::Kinds for Kinds {
    fn names(&self) -> Vec<String> {
        self.active.keys().cloned().collect()
    }

    fn descriptor(&self, kind: &str) -> Option<&Descriptor> {
        self.active.get(kind).map(|active| &active.descriptor)
    }

    fn config_problems(&self, kind: &str, config: &serde_json::Value) -> Vec<(String, String)> {
        let Some(schema) = self.active.get(kind).and_then(|active| active.schema.as_ref()) else {
            return Vec::new();
        };
        pipeline_file::config_problems(schema, config)
    }
}
