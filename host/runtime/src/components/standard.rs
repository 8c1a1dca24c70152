//! The components the binary carries.

use super::add::inspect;
use super::guard::{asked_for, beyond, is_empty};
use crate::runtime::{Runtime, RuntimeError};
use lockstep_ports::RegistryChange;
use lockstep_types::{Activation, AuditAction, AuditEntry, ComponentInfo, Digest, KindGrant, Registry};

/// Who activates the components the binary carries; a kind somebody else moved is left alone.
const STANDARD: &str = "lockstep";

/// A component the binary carries.
#[derive(Clone, Copy, Debug)]
pub struct StandardComponent<'a> {
    /// Name for messages.
    pub name: &'a str,
    /// Its bytes.
    pub bytes: &'a [u8],
}

impl Runtime {
    /// Adds the components the binary carries, and activates each for its kind where nobody else has moved the pointer.
    ///
    /// # Errors
    /// If one does not load or the store fails.
    pub async fn install(&self, standard: &[StandardComponent<'_>]) -> Result<(), RuntimeError> {
        let components = &self.shared.outside.components;
        let carried = standard.iter().map(|component| Digest::of(component.bytes)).collect();
        // Only the first call counts: the binary does not change while it runs.
        self.shared.carried.get_or_init(|| carried);
        let registry = components.registry().await?;
        for component in standard {
            let digest = Digest::of(component.bytes);
            let known = components.info(&digest).await?;
            let info = match &known {
                Some(info) => info.clone(),
                None => inspect(&self.shared.outside, component.bytes)
                    .await
                    .map(|(info, _)| info)
                    .map_err(|source| RuntimeError::Standard { name: component.name.to_owned(), source })?,
            };
            let mut changes = Vec::new();
            if known.is_none() {
                let (info, bytes) = (Box::new(info.clone()), component.bytes.to_vec());
                changes.push(RegistryChange::Add { info, bytes });
            }
            let points = self.points(&info, &registry);
            if points {
                changes.extend(self.pointer(&info, &registry));
            }
            if !changes.is_empty() {
                let action = if points { AuditAction::Activate } else { AuditAction::Add };
                components.change(changes, self.told(action, &info, known.is_none())).await?;
            }
        }
        self.reload_kinds().await?;
        Ok(())
    }

    /// Whether the pointer of its kind moves to a standard component: nobody else has moved it, nor said what the kind may
    /// do in a way that the component would go beyond.
    fn points(&self, info: &ComponentInfo, registry: &Registry) -> bool {
        let kind = &info.descriptor.kind;
        let is_ours = registry
            .active_of(kind)
            .is_none_or(|active| active.by == STANDARD && active.digest != info.digest);
        let said = registry.grants.iter().find(|row| row.kind == *kind && row.by != STANDARD);
        let is_within = said.is_none_or(|row| is_empty(&beyond(&asked_for(info), &row.grant)));
        if is_ours && !is_within {
            tracing::warn!(kind, digest = %info.digest, "the standard component asks for more than the kind is granted: it is not activated");
        }
        is_ours && is_within && registry.stop_of(&info.digest).is_none()
    }

    fn pointer(&self, info: &ComponentInfo, registry: &Registry) -> Vec<RegistryChange> {
        let (kind, at, by) =
            (info.descriptor.kind.clone(), self.shared.outside.clock.now(), STANDARD.to_owned());
        let said = registry.grants.iter().find(|row| row.kind == kind && row.by != STANDARD);
        let grant = said.map_or_else(|| asked_for(info), |row| row.grant.clone());
        let mut changes = Vec::new();
        if said.is_none() {
            let (kind, grant, by) = (kind.clone(), grant.clone(), by.clone());
            changes.push(RegistryChange::Grant(KindGrant { kind, grant, at, by }));
        }
        let reason = reason(info);
        changes.push(RegistryChange::Activate(Activation {
            kind,
            digest: info.digest,
            grant,
            at,
            by,
            reason,
        }));
        changes
    }

    fn told(&self, action: AuditAction, info: &ComponentInfo, is_new: bool) -> AuditEntry {
        let added = if is_new { ", added" } else { "" };
        AuditEntry {
            number: 0,
            at: self.shared.outside.clock.now(),
            by: STANDARD.to_owned(),
            action,
            subject: info.descriptor.kind.clone(),
            detail: format!("{} {}{added}", info.digest.short(), info.descriptor.version),
            reason: reason(info),
        }
    }
}

fn reason(info: &ComponentInfo) -> String {
    format!("standard component {}", info.descriptor.version)
}
