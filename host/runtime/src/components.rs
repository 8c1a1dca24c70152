//! Which component each kind points to, and what guards the pointer.

use crate::pipeline_file;
use crate::runtime::{Outside, Runtime, RuntimeError};
use lockstep_ports::{ActivateRequest, ComponentStoreError, ComponentView, ServiceError};
use lockstep_types::{Activation, ComponentInfo, Descriptor, Digest, Grant, Pin, Pipeline};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

/// Who activates the components the binary carries; a kind somebody else moved is left alone.
const STANDARD: &str = "lockstep";
/// Checked pipeline files that are kept, by their text.
const PIPELINES_KEPT_MAX: usize = 256;

/// A component the binary carries.
#[derive(Clone, Copy, Debug)]
pub struct StandardComponent<'a> {
    /// Name for messages.
    pub name: &'a str,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// The active components, ready for checking pipelines and pinning runs. Replaced whole when a pointer moves.
pub(crate) struct Kinds {
    active: BTreeMap<String, Active>,
    /// Pipeline files that were found good with these components.
    checked: Mutex<HashMap<Digest, Arc<Pipeline>>>,
}

struct Active {
    activation: Activation,
    descriptor: Descriptor,
    schema: Option<jsonschema::Validator>,
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
        Ok(Self { active, checked: Mutex::default() })
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

    /// What a run of the pipeline is pinned to.
    pub(crate) fn pins(&self, pipeline: &Pipeline) -> BTreeMap<String, Pin> {
        let pin = |kind: &String| {
            let active = self.active.get(kind)?;
            let Activation { digest, grant, .. } = active.activation.clone();
            Some((kind.clone(), Pin { digest, grant, access: active.descriptor.access }))
        };
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

impl Runtime {
    /// Adds the components the binary carries, and activates each for its kind where nobody else has moved the pointer.
    ///
    /// # Errors
    /// If one does not load or the store fails.
    pub async fn install(&self, standard: &[StandardComponent<'_>]) -> Result<(), RuntimeError> {
        let outside = &self.shared.outside;
        for component in standard {
            let digest = Digest::of(component.bytes);
            let info = match outside.components.info(&digest).await? {
                Some(info) => info,
                None => {
                    let info = inspect(outside, component.bytes).await;
                    let info = info.map_err(|source| RuntimeError::Standard {
                        name: component.name.to_owned(),
                        source,
                    })?;
                    outside.components.put(info.clone(), component.bytes.to_vec()).await?;
                    info
                }
            };
            let kind = &info.descriptor.kind;
            let history = outside.components.history(kind).await?;
            let ours = history.last().is_none_or(|last| last.by == STANDARD && last.digest != digest);
            if ours {
                let activation = Activation {
                    kind: kind.clone(),
                    digest,
                    grant: asked_for(&info),
                    at: outside.clock.now(),
                    by: STANDARD.to_owned(),
                    reason: format!("standard component {}", info.descriptor.version),
                };
                outside.components.activate(activation).await?;
            }
        }
        self.reload_kinds().await?;
        Ok(())
    }

    async fn reload_kinds(&self) -> Result<(), ComponentStoreError> {
        let mut kinds = self.shared.kinds.write().await;
        *kinds = Arc::new(Kinds::load(&self.shared.outside).await?);
        Ok(())
    }

    pub(crate) async fn add(&self, bytes: Vec<u8>) -> Result<ComponentView, ServiceError> {
        let outside = &self.shared.outside;
        let info =
            inspect(outside, &bytes).await.map_err(|error| ServiceError::Invalid(error.to_string()))?;
        if let Some(info) = outside.components.info(&info.digest).await.map_err(store)? {
            return self.component_view(info).await;
        }
        outside.components.put(info.clone(), bytes).await.map_err(store)?;
        self.component_view(info).await
    }

    pub(crate) async fn component_view(&self, info: ComponentInfo) -> Result<ComponentView, ServiceError> {
        let active = self.shared.outside.components.active().await.map_err(store)?;
        let points_here = |activation: &&Activation| activation.digest == info.digest;
        let active_for =
            active.iter().filter(points_here).map(|activation| activation.kind.clone()).collect();
        Ok(ComponentView { info, active_for })
    }

    /// Moves a kind's pointer, guarded: the component implements the kind and asks for nothing beyond the grant.
    pub(crate) async fn move_pointer(&self, request: ActivateRequest) -> Result<Activation, ServiceError> {
        let components = &self.shared.outside.components;
        let info = self.find_component(&request.digest).await?;
        let kind = request.kind;
        if info.descriptor.kind != kind {
            return Err(ServiceError::Conflict(format!(
                "component {} implements kind {}, not {kind}: activate it for {0}",
                info.digest.short(),
                info.descriptor.kind
            )));
        }
        let history = components.history(&kind).await.map_err(store)?;
        let before = history.last().map(|last| last.grant.clone());
        let grant = request.grant.or(before).unwrap_or_default();
        refuse_excess(&info, &grant)?;
        let activation = Activation {
            kind,
            digest: info.digest,
            grant,
            at: self.shared.outside.clock.now(),
            by: request.by.unwrap_or_else(|| "operator".to_owned()),
            reason: request.reason.unwrap_or_default(),
        };
        components.activate(activation.clone()).await.map_err(store)?;
        self.reload_kinds().await.map_err(store)?;
        Ok(activation)
    }

    pub(crate) async fn find_component(&self, prefix: &str) -> Result<ComponentInfo, ServiceError> {
        let prefix = prefix.strip_prefix("sha256:").unwrap_or(prefix).to_ascii_lowercase();
        let all = self.shared.outside.components.list().await.map_err(store)?;
        let mut found = all.into_iter().filter(|info| info.digest.to_string().starts_with(&prefix));
        match (found.next(), found.next()) {
            (Some(info), None) if !prefix.is_empty() => Ok(info),
            (Some(_), _) => Err(ServiceError::Conflict(format!(
                "several components begin with {prefix:?}: give more digits"
            ))),
            (None, _) => Err(ServiceError::NotFound(format!(
                "no component begins with {prefix:?}: add it with `lockstep component add FILE`"
            ))),
        }
    }
}

async fn inspect(outside: &Outside, bytes: &[u8]) -> Result<ComponentInfo, lockstep_ports::LoadError> {
    let inspected = outside.executor.inspect(bytes).await?;
    jsonschema::validator_for(&inspected.descriptor.config_schema.value()).map_err(|error| {
        let reason =
            format!("its config schema is no JSON Schema: {error}: correct it and build the component again");
        lockstep_ports::LoadError::BadDescriptor { reason }
    })?;
    Ok(ComponentInfo {
        digest: inspected.digest,
        size: bytes.len() as u64,
        imports: inspected.imports,
        descriptor: inspected.descriptor,
        added_at: outside.clock.now(),
    })
}

fn asked_for(info: &ComponentInfo) -> Grant {
    Grant {
        imports: info.imports.clone(),
        jobs: info.descriptor.jobs.clone(),
        effects: info.descriptor.effects.clone(),
    }
}

/// Refuses a component that asks for more than the grant, with the flags that would allow it.
fn refuse_excess(info: &ComponentInfo, grant: &Grant) -> Result<(), ServiceError> {
    let mut flags = Vec::new();
    let asked = asked_for(info);
    let pairs = [
        ("import", &asked.imports, &grant.imports),
        ("job", &asked.jobs, &grant.jobs),
        ("effect", &asked.effects, &grant.effects),
    ];
    for (what, asked, granted) in pairs {
        let missing = asked.iter().filter(|name| !granted.contains(name));
        flags.extend(missing.map(|name| format!("--grant-{what} {name}")));
    }
    if flags.is_empty() {
        return Ok(());
    }
    let kind = &info.descriptor.kind;
    Err(ServiceError::Conflict(format!(
        "component {0} asks for more than kind {kind} is granted: allow it with `lockstep component activate {kind} {0} {1}`",
        info.digest.short(),
        flags.join(" ")
    )))
}

pub(crate) fn store(error: ComponentStoreError) -> ServiceError {
    ServiceError::Internal(crate::service::chain(&error))
}
