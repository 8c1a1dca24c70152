//! What is shown of components and kinds.

use super::add::inspect;
use super::guard::{asked_for, beyond};
use super::trust::trusted_as;
use super::{Answer, store, trust};
use crate::runtime::Runtime;
use crate::signature;
use lockstep_ports::{
    ComponentDetail, ComponentView, Inspected, KindView, LimitView, ServiceError, SignatureView,
};
use lockstep_types::{ComponentInfo, Digest, Registry};
use std::collections::BTreeSet;

impl Runtime {
    /// Whether the binary carries the component, and so vouches for it.
    pub(super) fn is_carried(&self, digest: &Digest) -> bool {
        self.shared.carried.get().is_some_and(|carried| carried.contains(digest))
    }

    pub(super) async fn component_views(&self) -> Answer<Vec<ComponentView>> {
        let registry = self.registry().await?;
        let all = self.shared.outside.components.list().await.map_err(store)?;
        Ok(all.into_iter().map(|info| self.component_view(info, &registry)).collect())
    }

    pub(super) fn component_view(&self, info: ComponentInfo, registry: &Registry) -> ComponentView {
        let active = registry.active.iter().filter(|active| active.digest == info.digest);
        let active_for = active.map(|active| active.kind.clone()).collect();
        let canaries = registry.canaries.iter().filter(|canary| canary.digest == info.digest);
        let canary_for = canaries.map(|canary| canary.kind.clone()).collect();
        let stop = registry.stop_of(&info.digest).cloned();
        let warning = if self.is_carried(&info.digest) { Ok(None) } else { trust::check(&info, registry) };
        let warning = warning.unwrap_or_else(|refused| Some(refused.to_string()));
        ComponentView { info, active_for, canary_for, stop, warning }
    }

    /// Everything about a stored component; one that cannot be compiled any more is told as that.
    pub(super) async fn stored_detail(&self, info: ComponentInfo) -> Answer<ComponentDetail> {
        let outside = &self.shared.outside;
        let bytes = outside.components.bytes(&info.digest).await.map_err(store)?.unwrap_or_default();
        let inspected = inspect(outside, &bytes).await;
        let exports = inspected.map(|(_, inspected)| inspected.exports).unwrap_or_default();
        self.detail(info, exports, true).await
    }

    pub(super) async fn inspected_detail(&self, bytes: Vec<u8>) -> Answer<ComponentDetail> {
        let outside = &self.shared.outside;
        let inspected = inspect(outside, &bytes).await;
        let (info, Inspected { exports, .. }) =
            inspected.map_err(|error| ServiceError::Invalid(error.to_string()))?;
        match outside.components.info(&info.digest).await.map_err(store)? {
            Some(stored) => self.detail(stored, exports, true).await,
            None => self.detail(info, exports, false).await,
        }
    }

    async fn detail(
        &self,
        info: ComponentInfo,
        exports: Vec<String>,
        is_stored: bool,
    ) -> Answer<ComponentDetail> {
        let registry = self.registry().await?;
        let kind = &info.descriptor.kind;
        let history = self.shared.outside.components.history(kind).await.map_err(store)?;
        let activations = history.into_iter().filter(|moved| moved.digest == info.digest).collect();
        let stored = registry.signatures.get(&info.digest).cloned().unwrap_or_default();
        let valid = stored.into_iter().filter(|stored| signature::verify(&info, stored).is_ok());
        let view = |signature: lockstep_types::Signature| SignatureView {
            trusted_as: trusted_as(&signature.key, &registry.trust).map(str::to_owned),
            signature,
        };
        let limits = self.shared.outside.executor.limits();
        let limit = |(name, value): (&str, u64)| LimitView { name: name.to_owned(), value };
        Ok(ComponentDetail {
            is_stored,
            exports,
            limits: limits.into_iter().map(limit).collect(),
            signatures: valid.map(view).collect(),
            activations,
            beyond_grant: beyond(&asked_for(&info), &registry.grant(kind).cloned().unwrap_or_default()),
            view: self.component_view(info, &registry),
        })
    }

    pub(super) async fn kind_views(&self) -> Answer<Vec<KindView>> {
        let registry = self.registry().await?;
        let mut views = Vec::new();
        for kind in known_kinds(&registry) {
            views.push(self.view_of_kind(kind, &registry).await?);
        }
        Ok(views)
    }

    pub(super) async fn kind_view(&self, kind: &str) -> Answer<KindView> {
        let registry = self.registry().await?;
        if !known_kinds(&registry).contains(kind) {
            return Err(no_such_kind(kind));
        }
        self.view_of_kind(kind, &registry).await
    }

    async fn view_of_kind(&self, kind: &str, registry: &Registry) -> Answer<KindView> {
        let components = &self.shared.outside.components;
        let active = registry.active_of(kind).cloned();
        let component = match &active {
            Some(active) => components.info(&active.digest).await.map_err(store)?,
            None => None,
        };
        Ok(KindView {
            kind: kind.to_owned(),
            stop: active.as_ref().and_then(|active| registry.stop_of(&active.digest)).cloned(),
            active,
            component,
            grant: registry.grant(kind).cloned().unwrap_or_default(),
            granted: registry.grants.iter().find(|row| row.kind == kind).cloned(),
            canary: registry.canary_of(kind).cloned(),
            moves: components.history(kind).await.map_err(store)?.len() as u64,
        })
    }
}

fn known_kinds(registry: &Registry) -> BTreeSet<&str> {
    let active = registry.active.iter().map(|active| active.kind.as_str());
    let granted = registry.grants.iter().map(|row| row.kind.as_str());
    active.chain(granted).collect()
}

pub(super) fn no_such_kind(kind: &str) -> ServiceError {
    ServiceError::NotFound(format!(
        "there is no step kind {kind}: add a component of it with `lockstep component add FILE`"
    ))
}
