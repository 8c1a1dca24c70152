//! Adding components, and finding them again.

use super::{Answer, Deed, store};
use crate::runtime::{Outside, Runtime};
use crate::signature;
use lockstep_ports::{Actor, AddRequest, ComponentView, Inspected, LoadError, RegistryChange, ServiceError};
use lockstep_types::{AuditAction, ComponentInfo};

impl Runtime {
    pub(super) async fn add(&self, request: AddRequest) -> Answer<ComponentView> {
        let AddRequest { bytes, signature, by, reason } = request;
        let components = &self.shared.outside.components;
        let (info, _) = inspect(&self.shared.outside, &bytes)
            .await
            .map_err(|error| ServiceError::Invalid(error.to_string()))?;
        let signature = signature.map(|text| super::trust::signature_of(&info, &text)).transpose()?;
        // Compiling takes long, and nobody waits for it.
        let _alone = self.shared.registry.lock().await;
        // What is known stays; adding it again heals a damaged file, and may bring a signature.
        let known = components.info(&info.digest).await.map_err(store)?;
        let is_whole = known.is_some() && matches!(components.bytes(&info.digest).await, Ok(Some(_)));
        if !is_whole || signature.is_some() {
            let (kind, version) = (&info.descriptor.kind, &info.descriptor.version);
            let mut detail = format!("{kind} {version}, {} bytes", info.size);
            let mut changes = vec![RegistryChange::Add { info: Box::new(info.clone()), bytes }];
            if let Some(signature) = signature {
                detail.push_str(&format!(", signed by key {}", signature::short(&signature.key)));
                changes.push(RegistryChange::Sign(info.digest, signature));
            }
            let deed = Deed { action: AuditAction::Add, subject: info.digest.to_string(), detail };
            self.alter(changes, deed, Actor { by, reason }).await?;
        }
        let registry = self.registry().await?;
        Ok(self.component_view(known.unwrap_or(info), &registry))
    }

    /// A stored component, by its digest or an unambiguous beginning of it.
    pub(super) async fn find_component(&self, prefix: &str) -> Answer<ComponentInfo> {
        let prefix = prefix.strip_prefix("sha256:").unwrap_or(prefix).to_ascii_lowercase();
        let all = self.shared.outside.components.list().await.map_err(store)?;
        let mut found = all.into_iter().filter(|info| info.digest.to_string().starts_with(&prefix));
        match (found.next(), found.next()) {
            (Some(info), None) if !prefix.is_empty() => Ok(info),
            (Some(_), _) => Err(ServiceError::Conflict(format!(
                "several components begin with {prefix:?}: give more digits, see `lockstep component list`"
            ))),
            (None, _) => Err(ServiceError::NotFound(format!(
                "no component begins with {prefix:?}: add it with `lockstep component add FILE`"
            ))),
        }
    }
}

/// Compiles bytes and reads what they say of themselves.
pub(super) async fn inspect(
    outside: &Outside,
    bytes: &[u8],
) -> Result<(ComponentInfo, Inspected), LoadError> {
    let inspected = outside.executor.inspect(bytes).await?;
    jsonschema::validator_for(&inspected.descriptor.config_schema.value()).map_err(|error| {
        let reason =
            format!("its config schema is no JSON Schema: {error}: correct it and build the component again");
        LoadError::BadDescriptor { reason }
    })?;
    let info = ComponentInfo {
        digest: inspected.digest,
        size: bytes.len() as u64,
        world: inspected.world.clone(),
        imports: inspected.imports.clone(),
        descriptor: inspected.descriptor.clone(),
        added_at: outside.clock.now(),
    };
    Ok((info, inspected))
}
