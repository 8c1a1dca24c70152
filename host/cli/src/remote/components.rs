use super::{ANSWER_TIME, Answer, RemoteService, WORK_TIME, encoded};
use async_trait::async_trait;
use hyper::Method;
use lockstep_ports::{
    ActivateRequest, Activated, Actor, AddRequest, CanaryBegun, CanaryReport, CanaryRequest, ComponentDetail,
    ComponentService, ComponentView, GcReport, GrantRequest, KindView, RolledBack, StopView, TrustChange,
};
use lockstep_types::{Activation, AuditEntry, Digest, DirSnapshot, Trust};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct Kinds {
    kinds: Vec<KindView>,
}

#[derive(Deserialize)]
struct Audit {
    entries: Vec<AuditEntry>,
}

#[derive(Deserialize)]
struct Kept {
    digest: Digest,
}

/// The route that does something to a component, or reads it.
fn component(digest: &str, route: &str) -> String {
    format!("/v1/components/{}{route}", encoded(digest))
}

/// The same for a kind.
fn kind_path(kind: &str, route: &str) -> String {
    format!("/v1/kinds/{}{route}", encoded(kind))
}

/// A component with what comes with it.
fn add_path(request: &AddRequest) -> String {
    let AddRequest { signature, by, reason, .. } = request;
    let pairs = [("signature", signature), ("by", by), ("reason", reason)];
    let pairs = pairs.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    let query: Vec<String> = pairs.map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    if query.is_empty() { "/v1/components".to_owned() } else { format!("/v1/components?{}", query.join("&")) }
}

#[async_trait]
impl ComponentService for RemoteService {
    async fn add_component(&self, request: AddRequest) -> Answer<ComponentView> {
        let path = add_path(&request);
        let body = Some(("application/wasm", request.bytes));
        self.read(self.send(Method::POST, &path, body, WORK_TIME).await?)
    }

    async fn components(&self) -> Answer<Vec<ComponentView>> {
        self.list_of("/v1/components").await
    }

    async fn component_bytes(&self, digest: &str) -> Answer<Vec<u8>> {
        let path = format!("/v1/components/{}/wasm", encoded(digest));
        Ok(self.send(Method::GET, &path, None, ANSWER_TIME).await?.into())
    }

    async fn component(&self, digest: &str) -> Answer<ComponentDetail> {
        self.get(&component(digest, "")).await
    }

    async fn inspect_component(&self, bytes: Vec<u8>) -> Answer<ComponentDetail> {
        let body = Some(("application/wasm", bytes));
        self.read(self.send(Method::POST, "/v1/components/inspect", body, WORK_TIME).await?)
    }

    async fn kinds(&self) -> Answer<Vec<KindView>> {
        Ok(self.get::<Kinds>("/v1/kinds").await?.kinds)
    }

    async fn kind(&self, kind: &str) -> Answer<KindView> {
        self.get(&kind_path(kind, "")).await
    }

    async fn activate(&self, request: ActivateRequest) -> Answer<Activated> {
        self.post("/v1/components/activations", &request, WORK_TIME).await
    }

    async fn rollback(&self, kind: &str, actor: Actor) -> Answer<RolledBack> {
        self.post(&kind_path(kind, "/rollback"), &actor, WORK_TIME).await
    }

    async fn activations(&self, kind: &str) -> Answer<Vec<Activation>> {
        self.list_of(&component("activations", &format!("/{}", encoded(kind)))).await
    }

    async fn grant(&self, kind: &str, request: GrantRequest) -> Answer<KindView> {
        self.post(&kind_path(kind, "/grant"), &request, ANSWER_TIME).await
    }

    async fn keep_dir(&self, snapshot: Vec<u8>) -> Answer<Digest> {
        let body = Some((DirSnapshot::MEDIA_TYPE, snapshot));
        Ok(self.read::<Kept>(self.send(Method::POST, "/v1/dirs", body, WORK_TIME).await?)?.digest)
    }

    async fn stop_component(&self, digest: &str, actor: Actor) -> Answer<StopView> {
        self.post(&component(digest, "/stop"), &actor, ANSWER_TIME).await
    }

    async fn resume_component(&self, digest: &str, actor: Actor) -> Answer<StopView> {
        self.post(&component(digest, "/resume"), &actor, ANSWER_TIME).await
    }

    async fn begin_canary(&self, kind: &str, request: CanaryRequest) -> Answer<CanaryBegun> {
        self.post(&kind_path(kind, "/canary"), &request, WORK_TIME).await
    }

    async fn canary(&self, kind: &str) -> Answer<CanaryReport> {
        self.get(&kind_path(kind, "/canary")).await
    }

    async fn promote(&self, kind: &str, actor: Actor) -> Answer<Activated> {
        self.post(&kind_path(kind, "/promote"), &actor, WORK_TIME).await
    }

    async fn collect_components(&self, dry_run: bool, by: Option<String>) -> Answer<GcReport> {
        self.post("/v1/components/gc", &json!({ "dry_run": dry_run, "by": by }), WORK_TIME).await
    }

    async fn sign_component(&self, digest: &str, signature: &str, actor: Actor) -> Answer<ComponentDetail> {
        let body = json!({ "signature": signature, "by": actor.by, "reason": actor.reason });
        self.post(&component(digest, "/signatures"), &body, WORK_TIME).await
    }

    async fn trust(&self) -> Answer<Trust> {
        self.get("/v1/trust").await
    }

    async fn change_trust(&self, change: TrustChange, actor: Actor) -> Answer<Trust> {
        let body = json!({ "change": change, "by": actor.by, "reason": actor.reason });
        self.post("/v1/trust", &body, ANSWER_TIME).await
    }

    async fn audit(&self, last: usize) -> Answer<Vec<AuditEntry>> {
        Ok(self.get::<Audit>(&format!("/v1/components/audit?last={last}")).await?.entries)
    }
}
