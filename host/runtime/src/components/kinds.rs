//! The active components, ready for checking pipelines and pinning runs.

use crate::pipeline_file;
use crate::runtime::Outside;
use lockstep_ports::{ComponentStoreError, ServiceError};
use lockstep_types::{
    Activation, Canary, ComponentInfo, Descriptor, Digest, Pin, Pinning, Pipeline, Registry, RunId, RunSpec,
    Stop,
};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

/// Checked pipeline files that are kept, by their text.
const PIPELINES_KEPT_MAX: usize = 256;

/// The active components, ready for checking pipelines and pinning runs. Replaced whole when a pointer moves.
pub(crate) struct Kinds {
    active: BTreeMap<String, Active>,
    /// The same, as runs are pinned to them.
    pins: Arc<BTreeMap<String, Pin>>,
    candidates: BTreeMap<String, Candidate>,
    /// Components that may not be called, and why.
    stopped: Arc<BTreeMap<Digest, Stop>>,
    /// Pipeline files that were found good with these components.
    checked: Mutex<HashMap<Digest, Arc<Pipeline>>>,
}

struct Active {
    pin: Pin,
    descriptor: Descriptor,
    schema: Option<jsonschema::Validator>,
}

/// A candidate, and who gets it.
struct Candidate {
    canary: Canary,
    pin: Pin,
}

impl Kinds {
    pub(crate) async fn load(outside: &Outside) -> Result<Self, ComponentStoreError> {
        let registry = outside.components.registry().await?;
        let mut kinds = Self {
            active: BTreeMap::new(),
            pins: Arc::default(),
            candidates: BTreeMap::new(),
            stopped: Arc::new(registry.stops.iter().map(|stop| (stop.digest, stop.clone())).collect()),
            checked: Mutex::default(),
        };
        for Activation { kind, digest, .. } in &registry.active {
            let Some((pin, descriptor)) = pin(outside, &registry, kind, digest, false).await? else {
                continue;
            };
            let schema = jsonschema::validator_for(&descriptor.config_schema.value());
            if let Err(error) = &schema {
                // What is added now is refused for this; an older version of the host may have let it in.
                tracing::error!(kind, %error, "configs are not checked: the schema is invalid");
            }
            kinds.active.insert(kind.clone(), Active { pin, descriptor, schema: schema.ok() });
        }
        let pins = kinds.active.iter().map(|(kind, active)| (kind.clone(), active.pin.clone()));
        kinds.pins = Arc::new(pins.collect());
        for canary in &registry.canaries {
            // A candidate that was stopped is given to nobody; its runs get the active component.
            if kinds.stopped().contains_key(&canary.digest) {
                continue;
            }
            if let Some((pin, _)) = pin(outside, &registry, &canary.kind, &canary.digest, true).await? {
                kinds.candidates.insert(canary.kind.clone(), Candidate { canary: canary.clone(), pin });
            }
        }
        Ok(kinds)
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

    /// What the steps of a run take that begin now, where each takes its component when it begins. A candidate is for runs
    /// that started since it is one.
    pub(crate) fn taken_by_steps(&self, spec: &RunSpec) -> Arc<BTreeMap<String, Pin>> {
        if spec.pipeline.pin == Pinning::Run || self.candidates.is_empty() {
            return Arc::clone(&self.pins);
        }
        let mut pins = BTreeMap::clone(&self.pins);
        for (kind, Candidate { canary, pin }) in &self.candidates {
            if canary.at <= spec.created_at && canary.to.takes(kind, &spec.id, &spec.item) {
                pins.insert(kind.clone(), pin.clone());
            }
        }
        Arc::new(pins)
    }

    /// What a run of the pipeline is pinned to: the active component of each kind, or its candidate if the run is one of
    /// those that get it.
    pub(crate) fn pins(&self, pipeline: &Pipeline, run: &RunId, item: &str) -> BTreeMap<String, Pin> {
        let pin = |kind: &String| {
            let active = self.active.get(kind)?;
            let candidate = self.candidates.get(kind);
            let candidate = candidate.filter(|candidate| candidate.canary.to.takes(kind, run, item));
            Some((kind.clone(), candidate.map_or(&active.pin, |candidate| &candidate.pin).clone()))
        };
        pipeline.steps.iter().filter_map(|step| pin(&step.kind)).collect()
    }
}

/// What runs are pinned to that get this component for a kind. None if it is not stored, which nothing but a damaged data
/// folder brings about.
async fn pin(
    outside: &Outside,
    registry: &Registry,
    kind: &str,
    digest: &Digest,
    is_canary: bool,
) -> Result<Option<(Pin, Descriptor)>, ComponentStoreError> {
    let Some(ComponentInfo { descriptor, .. }) = outside.components.info(digest).await? else {
        tracing::error!(kind, %digest, "a component that a kind points to is not stored");
        return Ok(None);
    };
    let grant = Arc::new(registry.grant(kind).cloned().unwrap_or_default());
    Ok(Some((Pin { digest: *digest, grant, access: descriptor.access, is_canary }, descriptor)))
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
