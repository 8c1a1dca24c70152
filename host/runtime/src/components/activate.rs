//! Moving a kind's pointer.

use super::{guard, store};
use crate::runtime::Runtime;
use lockstep_ports::{ActivateRequest, ServiceError};
use lockstep_types::Activation;

impl Runtime {
    /// Moves a kind's pointer, guarded: the component implements the kind and asks for nothing beyond the grant.
    pub(super) async fn move_pointer(&self, request: ActivateRequest) -> Result<Activation, ServiceError> {
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
        guard::refuse_stopped(&info, self.shared.kinds.read().await.stopped())?;
        guard::refuse_excess(&info, &grant)?;
        if !request.skip_migration
            && let Some(problem) = self.migration_problems(&kind, &info).await?
        {
            return Err(ServiceError::Conflict(problem));
        }
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
}
