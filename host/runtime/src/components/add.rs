//! Adding components, and finding them again.

use super::store;
use crate::runtime::{Outside, Runtime};
use lockstep_ports::{ComponentView, ServiceError};
use lockstep_types::{Activation, ComponentInfo};

impl Runtime {
    pub(super) async fn add(&self, bytes: Vec<u8>) -> Result<ComponentView, ServiceError> {
        let outside = &self.shared.outside;
        let info =
            inspect(outside, &bytes).await.map_err(|error| ServiceError::Invalid(error.to_string()))?;
        if let Some(info) = outside.components.info(&info.digest).await.map_err(store)? {
            return self.component_view(info).await;
        }
        outside.components.put(info.clone(), bytes).await.map_err(store)?;
        self.component_view(info).await
    }

    pub(super) async fn component_view(&self, info: ComponentInfo) -> Result<ComponentView, ServiceError> {
        let active = self.shared.outside.components.active().await.map_err(store)?;
        let points_here = |activation: &&Activation| activation.digest == info.digest;
        let active_for =
            active.iter().filter(points_here).map(|activation| activation.kind.clone()).collect();
        Ok(ComponentView { info, active_for })
    }

    pub(super) async fn find_component(&self, prefix: &str) -> Result<ComponentInfo, ServiceError> {
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

pub(super) async fn inspect(
    outside: &Outside,
    bytes: &[u8],
) -> Result<ComponentInfo, lockstep_ports::LoadError> {
    let inspected = outside.executor.inspect(bytes).await?;
    jsonschema::validator_for(&inspected.descriptor.config_schema.value()).map_err(|error| {
        let reason =
            format!("its config schema is no JSON Schema: {error}: correct it and build the component again");
        lockstep_ports::LoadError::BadDescriptor { reason }
    })?;
    Ok(ComponentInfo {
        digest: inspected.digest,
        size: bytes.len() as u64,
        world: inspected.world,
        imports: inspected.imports,
        descriptor: inspected.descriptor,
        added_at: outside.clock.now(),
    })
}
