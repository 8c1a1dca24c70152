//! The registry of components: which there are, which of them each kind points to, what guards the pointers, and what an
//! operator said about them. One file per subject.

mod activate;
mod add;
mod canary;
mod gc;
mod grant;
mod guard;
mod kinds;
mod migration;
mod repin;
mod standard;
mod stop;
mod trust;
mod view;

pub(crate) use kinds::Kinds;
pub use standard::StandardComponent;

use crate::runtime::Runtime;
use crate::service::chain;
use async_trait::async_trait;
use lockstep_ports::{
    ActivateRequest, Activated, Actor, AddRequest, CanaryBegun, CanaryReport, CanaryRequest, ComponentDetail,
    ComponentService, ComponentStoreError, ComponentView, GcReport, GrantRequest, KindView, RegistryChange,
    RolledBack, ServiceError, StopView, TrustChange,
};
use lockstep_types::{Activation, AuditAction, AuditEntry, Registry, Trust};
use std::sync::Arc;

type Answer<T> = Result<T, ServiceError>;

/// Most entries of the audit log that are read at once.
const AUDIT_MAX: usize = 10_000;
/// Who did something nobody put a name to.
const OPERATOR: &str = "operator";

#[async_trait]
impl ComponentService for Runtime {
    async fn add_component(&self, request: AddRequest) -> Answer<ComponentView> {
        let runtime = self.clone();
        to_the_end(async move { runtime.add(request).await }).await
    }

    async fn components(&self) -> Answer<Vec<ComponentView>> {
        self.component_views().await
    }

    async fn component(&self, digest: &str) -> Answer<ComponentDetail> {
        let info = self.find_component(digest).await?;
        self.stored_detail(info).await
    }

    async fn component_bytes(&self, digest: &str) -> Answer<Vec<u8>> {
        let digest = self.find_component(digest).await?.digest;
        let bytes = self.shared.outside.components.bytes(&digest).await.map_err(store)?;
        bytes
            .ok_or_else(|| ServiceError::NotFound(format!("component {digest} is not in the store any more")))
    }

    async fn inspect_component(&self, bytes: Vec<u8>) -> Answer<ComponentDetail> {
        self.inspected_detail(bytes).await
    }

    async fn kinds(&self) -> Answer<Vec<KindView>> {
        self.kind_views().await
    }

    async fn kind(&self, kind: &str) -> Answer<KindView> {
        self.kind_view(kind).await
    }

    async fn activate(&self, request: ActivateRequest) -> Answer<Activated> {
        let runtime = self.clone();
        to_the_end(async move { runtime.move_pointer(request).await }).await
    }

    async fn rollback(&self, kind: &str, actor: Actor) -> Answer<RolledBack> {
        let (runtime, kind) = (self.clone(), kind.to_owned());
        to_the_end(async move { runtime.go_back(kind, actor).await }).await
    }

    async fn activations(&self, kind: &str) -> Answer<Vec<Activation>> {
        self.shared.outside.components.history(kind).await.map_err(store)
    }

    async fn grant(&self, kind: &str, request: GrantRequest) -> Answer<KindView> {
        let (runtime, kind) = (self.clone(), kind.to_owned());
        to_the_end(async move { runtime.change_grant(kind, request).await }).await
    }

    async fn stop_component(&self, digest: &str, actor: Actor) -> Answer<StopView> {
        let (runtime, digest) = (self.clone(), digest.to_owned());
        to_the_end(async move { runtime.stop(&digest, actor).await }).await
    }

    async fn resume_component(&self, digest: &str, actor: Actor) -> Answer<StopView> {
        let (runtime, digest) = (self.clone(), digest.to_owned());
        to_the_end(async move { runtime.resume(&digest, actor).await }).await
    }

    async fn begin_canary(&self, kind: &str, request: CanaryRequest) -> Answer<CanaryBegun> {
        let (runtime, kind) = (self.clone(), kind.to_owned());
        to_the_end(async move { runtime.canary_begins(kind, request).await }).await
    }

    async fn canary(&self, kind: &str) -> Answer<CanaryReport> {
        self.canary_report(kind).await
    }

    async fn promote(&self, kind: &str, actor: Actor) -> Answer<Activated> {
        let (runtime, kind) = (self.clone(), kind.to_owned());
        to_the_end(async move { runtime.promote_candidate(kind, actor).await }).await
    }

    async fn collect_components(&self, dry_run: bool, by: Option<String>) -> Answer<GcReport> {
        let runtime = self.clone();
        to_the_end(async move { runtime.collect(dry_run, by).await }).await
    }

    async fn sign_component(&self, digest: &str, signature: &str, actor: Actor) -> Answer<ComponentDetail> {
        let (runtime, digest, signature) = (self.clone(), digest.to_owned(), signature.to_owned());
        to_the_end(async move { runtime.keep_signature(&digest, &signature, actor).await }).await
    }

    async fn trust(&self) -> Answer<Trust> {
        Ok(self.registry().await?.trust)
    }

    async fn change_trust(&self, change: TrustChange, actor: Actor) -> Answer<Trust> {
        let runtime = self.clone();
        to_the_end(async move { runtime.alter_trust(change, actor).await }).await
    }

    async fn audit(&self, last: usize) -> Answer<Vec<AuditEntry>> {
        self.shared.outside.components.audit(last.min(AUDIT_MAX)).await.map_err(store)
    }
}

/// Goes on to the end even if whoever asked goes away: what is stored is taken note of.
async fn to_the_end<T: Send + 'static>(work: impl Future<Output = Answer<T>> + Send + 'static) -> Answer<T> {
    tokio::spawn(work).await.unwrap_or_else(|error| Err(ServiceError::Internal(chain(&error))))
}

/// What is written down of a change.
struct Deed {
    action: AuditAction,
    subject: String,
    detail: String,
}

impl Runtime {
    async fn registry(&self) -> Answer<Registry> {
        self.shared.outside.components.registry().await.map_err(store)
    }

    /// Stores changes with the entry that tells of them, and takes note of them.
    async fn alter(&self, changes: Vec<RegistryChange>, deed: Deed, actor: Actor) -> Answer<()> {
        let Deed { action, subject, detail } = deed;
        let entry = AuditEntry {
            number: 0,
            at: self.shared.outside.clock.now(),
            by: by(&actor),
            action,
            subject,
            detail,
            reason: actor.reason.unwrap_or_default(),
        };
        self.shared.outside.components.change(changes, entry).await.map_err(store)?;
        self.reload_kinds().await.map_err(store)
    }

    /// Takes note of what has changed in the store.
    async fn reload_kinds(&self) -> Result<(), ComponentStoreError> {
        let mut kinds = self.shared.kinds.write().await;
        let before = std::mem::replace(&mut *kinds, Arc::new(Kinds::load(&self.shared.outside).await?));
        let stops_changed = before.stopped() != kinds.stopped();
        drop(kinds);
        if stops_changed {
            self.shared.wake_held().await;
        }
        Ok(())
    }
}

fn by(actor: &Actor) -> String {
    actor.by.clone().unwrap_or_else(|| OPERATOR.to_owned())
}

pub(crate) fn store(error: ComponentStoreError) -> ServiceError {
    ServiceError::Internal(chain(&error))
}
