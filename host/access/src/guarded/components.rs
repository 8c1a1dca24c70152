use super::{Answer, Guarded, as_asked, everywhere, role};
use crate::audit::Deed;
use async_trait::async_trait;
use lockstep_ports::{
    ActivateRequest, Activated, Actor, AddRequest, CanaryBegun, CanaryReport, CanaryRequest, ComponentDetail,
    ComponentService, ComponentView, GcReport, GrantRequest, KindView, RolledBack, StopView, TrustChange,
};
use lockstep_types::{Activation, AuditEntry, Digest, Role, Trust};
use std::sync::Arc;

/// Who changes components, which are everybody's.
const ADMIN: super::Takes = everywhere(Role::Admin);

impl Guarded {
    /// A change that is asked for with nothing but who and why.
    async fn alters<T, F>(
        &self,
        deed: Deed,
        actor: Actor,
        work: impl FnOnce(Arc<dyn ComponentService>, Actor) -> F + Send,
    ) -> Answer<T>
    where
        T: Send + 'static,
        F: Future<Output = Answer<T>> + Send + 'static,
    {
        let (who, components) = (self.who()?, Arc::clone(&self.0.to.components));
        let Actor { by: named, reason } = actor;
        let work = |by| work(components, Actor { by: Some(by), reason });
        self.changes(&who, ADMIN, deed, named.as_deref(), work, as_asked).await
    }
}

#[async_trait]
impl ComponentService for Guarded {
    async fn add_component(&self, mut request: AddRequest) -> Answer<ComponentView> {
        let digest = Digest::of(&request.bytes);
        let actor = Actor { by: request.by.take(), reason: request.reason.take() };
        self.alters(Deed::new("component.add", digest), actor, |components, Actor { by, reason }| {
            let request = AddRequest { by, reason, ..request };
            async move { components.add_component(request).await }
        })
        .await
    }

    async fn components(&self) -> Answer<Vec<ComponentView>> {
        self.may(role(Role::Viewer))?;
        self.0.to.components.components().await
    }

    async fn component_bytes(&self, digest: &str) -> Answer<Vec<u8>> {
        self.may(role(Role::Viewer))?;
        self.0.to.components.component_bytes(digest).await
    }

    async fn component(&self, digest: &str) -> Answer<ComponentDetail> {
        self.may(role(Role::Viewer))?;
        self.0.to.components.component(digest).await
    }

    /// It changes nothing, but compiles what is sent.
    async fn inspect_component(&self, bytes: Vec<u8>) -> Answer<ComponentDetail> {
        self.may(role(Role::Operator))?;
        self.0.to.components.inspect_component(bytes).await
    }

    async fn kinds(&self) -> Answer<Vec<KindView>> {
        self.may(role(Role::Viewer))?;
        self.0.to.components.kinds().await
    }

    async fn kind(&self, kind: &str) -> Answer<KindView> {
        self.may(role(Role::Viewer))?;
        self.0.to.components.kind(kind).await
    }

    async fn activate(&self, mut request: ActivateRequest) -> Answer<Activated> {
        let actor = Actor { by: request.by.take(), reason: request.reason.take() };
        let deed = Deed::new("component.activate", &request.kind).with(shortened(&request.digest));
        self.alters(deed, actor, |components, Actor { by, reason }| {
            let request = ActivateRequest { by, reason, ..request };
            async move { components.activate(request).await }
        })
        .await
    }

    async fn rollback(&self, kind: &str, actor: Actor) -> Answer<RolledBack> {
        let kind = kind.to_owned();
        let deed = Deed::new("component.rollback", &kind);
        self.alters(deed, actor, |on, actor| async move { on.rollback(&kind, actor).await }).await
    }

    async fn activations(&self, kind: &str) -> Answer<Vec<Activation>> {
        self.may(role(Role::Viewer))?;
        self.0.to.components.activations(kind).await
    }

    async fn grant(&self, kind: &str, mut request: GrantRequest) -> Answer<KindView> {
        let kind = kind.to_owned();
        let actor = Actor { by: request.by.take(), reason: request.reason.take() };
        let deed = Deed::new(if request.revoke { "kind.revoke" } else { "kind.grant" }, &kind);
        self.alters(deed, actor, |components, Actor { by, reason }| {
            let request = GrantRequest { by, reason, ..request };
            async move { components.grant(&kind, request).await }
        })
        .await
    }

    async fn keep_dir(&self, snapshot: Vec<u8>) -> Answer<Digest> {
        let deed = Deed::new("dir.keep", Digest::of(&snapshot));
        self.alters(deed, Actor::default(), |on, _| async move { on.keep_dir(snapshot).await }).await
    }

    async fn stop_component(&self, digest: &str, actor: Actor) -> Answer<StopView> {
        let digest = digest.to_owned();
        let deed = Deed::new("component.stop", &digest);
        self.alters(deed, actor, |on, actor| async move { on.stop_component(&digest, actor).await }).await
    }

    async fn resume_component(&self, digest: &str, actor: Actor) -> Answer<StopView> {
        let digest = digest.to_owned();
        let deed = Deed::new("component.resume", &digest);
        self.alters(deed, actor, |on, actor| async move { on.resume_component(&digest, actor).await }).await
    }

    async fn begin_canary(&self, kind: &str, mut request: CanaryRequest) -> Answer<CanaryBegun> {
        let kind = kind.to_owned();
        let actor = Actor { by: request.by.take(), reason: request.reason.take() };
        let deed = Deed::new("kind.canary", &kind).with(shortened(&request.digest));
        self.alters(deed, actor, |components, Actor { by, reason }| {
            let request = CanaryRequest { by, reason, ..request };
            async move { components.begin_canary(&kind, request).await }
        })
        .await
    }

    async fn canary(&self, kind: &str) -> Answer<CanaryReport> {
        let who = self.may(role(Role::Viewer))?;
        let mut report = self.0.to.components.canary(kind).await?;
        let mut shown = Vec::new();
        for run in report.runs {
            if self.shows(&who, &run.run).await {
                shown.push(run);
            }
        }
        report.runs = shown;
        Ok(report)
    }

    async fn promote(&self, kind: &str, actor: Actor) -> Answer<Activated> {
        let kind = kind.to_owned();
        let deed = Deed::new("kind.promote", &kind);
        self.alters(deed, actor, |on, actor| async move { on.promote(&kind, actor).await }).await
    }

    async fn collect_components(&self, dry_run: bool, by: Option<String>) -> Answer<GcReport> {
        if dry_run {
            self.may(ADMIN)?;
            return self.0.to.components.collect_components(dry_run, by).await;
        }
        let actor = Actor { by, reason: None };
        self.alters(Deed::new("component.collect", ""), actor, |on, Actor { by, .. }| async move {
            on.collect_components(false, by).await
        })
        .await
    }

    async fn sign_component(&self, digest: &str, signature: &str, actor: Actor) -> Answer<ComponentDetail> {
        let (digest, signature) = (digest.to_owned(), signature.to_owned());
        let deed = Deed::new("component.sign", &digest);
        self.alters(
            deed,
            actor,
            |on, actor| async move { on.sign_component(&digest, &signature, actor).await },
        )
        .await
    }

    async fn trust(&self) -> Answer<Trust> {
        self.may(role(Role::Viewer))?;
        self.0.to.components.trust().await
    }

    async fn change_trust(&self, change: TrustChange, actor: Actor) -> Answer<Trust> {
        let deed = match &change {
            TrustChange::Policy(policy) => Deed::new("trust.policy", policy.word()),
            TrustChange::Add { name, .. } => Deed::new("trust.add", name),
            TrustChange::Remove { name } => Deed::new("trust.remove", name),
        };
        self.alters(deed, actor, |on, actor| async move { on.change_trust(change, actor).await }).await
    }

    async fn audit(&self, last: usize) -> Answer<Vec<AuditEntry>> {
        self.may(ADMIN)?;
        self.0.to.components.audit(last).await
    }
}

/// A digest as people write it; anything longer is none.
fn shortened(digest: &str) -> String {
    digest.chars().take(64).collect()
}
