//! Components that may not be called: the emergency brake.

use super::{Answer, Deed, by};
use crate::runtime::Runtime;
use lockstep_ports::{Actor, RegistryChange, ServiceError, StopView};
use lockstep_types::{AuditAction, Digest, Stop};

impl Runtime {
    /// Stops a component. A whole digest need not be of a stored one: what is known to be bad may be refused before it comes.
    pub(super) async fn stop(&self, digest: &str, actor: Actor) -> Answer<StopView> {
        let reason = actor.reason.clone().filter(|reason| !reason.trim().is_empty()).ok_or_else(|| {
            ServiceError::Invalid("say why, for those whose runs stop: --reason TEXT".to_owned())
        })?;
        let _alone = self.shared.registry.lock().await;
        let digest = self.digest_of(digest).await?;
        let registry = self.registry().await?;
        if let Some(stop) = registry.stop_of(&digest) {
            return Err(ServiceError::Conflict(format!(
                "component {} is stopped already, by {} ({})",
                digest.short(),
                stop.by,
                stop.reason
            )));
        }
        let stop = Stop { digest, at: self.shared.outside.clock.now(), by: by(&actor), reason };
        let deed = Deed { action: AuditAction::Stop, subject: digest.to_string(), detail: String::new() };
        self.alter(vec![RegistryChange::Stop(stop)], deed, actor).await?;
        self.stop_view(digest).await
    }

    /// Lets a component be called again.
    pub(super) async fn resume(&self, digest: &str, actor: Actor) -> Answer<StopView> {
        let _alone = self.shared.registry.lock().await;
        let registry = self.registry().await?;
        let given = digest.strip_prefix("sha256:").unwrap_or(digest).to_ascii_lowercase();
        let mut stopped =
            registry.stops.iter().map(|stop| stop.digest).filter(|stop| stop.to_string().starts_with(&given));
        let digest = match (stopped.next(), stopped.next()) {
            (Some(digest), None) if !given.is_empty() => digest,
            (Some(_), _) => {
                return Err(ServiceError::Conflict(format!(
                    "several stopped components begin with {given:?}: give more digits"
                )));
            }
            (None, _) => {
                return Err(ServiceError::NotFound(format!(
                    "no component that begins with {given:?} is stopped: see `lockstep component list`"
                )));
            }
        };
        let deed = Deed { action: AuditAction::Resume, subject: digest.to_string(), detail: String::new() };
        self.alter(vec![RegistryChange::Resume(digest)], deed, actor).await?;
        self.stop_view(digest).await
    }

    async fn digest_of(&self, given: &str) -> Answer<Digest> {
        match given.parse() {
            Ok(digest) => Ok(digest),
            Err(_) => Ok(self.find_component(given).await?.digest),
        }
    }

    async fn stop_view(&self, digest: Digest) -> Answer<StopView> {
        let registry = self.registry().await?;
        let active = registry.active.iter().filter(|active| active.digest == digest);
        let active_for = active.map(|active| active.kind.clone()).collect();
        Ok(StopView { digest, stop: registry.stop_of(&digest).cloned(), active_for })
    }
}
