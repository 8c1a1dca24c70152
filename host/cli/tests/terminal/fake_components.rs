use crate::fake::FakeService;
use async_trait::async_trait;
use lockstep_ports::{
    ActivateRequest, Activated, Actor, AddRequest, CanaryBegun, CanaryReport, CanaryRequest, ComponentDetail,
    ComponentService, ComponentView, GcReport, GrantRequest, KindView, RolledBack, ServiceError, StopView,
    TrustChange,
};
use lockstep_types::{Activation, AuditEntry, Digest, Trust};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const AT: u64 = 1_767_603_600_000;

type Answer<T> = Result<T, ServiceError>;

fn of<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn component(bytes: &[u8]) -> Value {
    let schema = r#"{"properties":{"wait":{},"checks":{}},"required":["checks"]}"#;
    let descriptor = json!({ "kind": "gate", "version": "2", "state_version": 1, "summary": "looks",
        "config_schema": schema, "jobs": ["ci-fixer"], "effects": [], "access": "read-only" });
    json!({ "digest": Digest::of(bytes), "size": bytes.len(), "imports": ["checks"],
        "world": "lockstep:step/step@0.2.0", "descriptor": descriptor, "added_at": 0, "active_for": [] })
}

fn activation(kind: &str) -> Value {
    let grant = json!({ "imports": ["log"], "jobs": [], "effects": [] });
    json!({ "kind": kind, "digest": Digest::of(b"one"), "grant": grant, "at": AT, "by": "anna",
        "reason": "first" })
}

fn detail(is_stored: bool) -> ComponentDetail {
    let mut detail = component(b"one");
    let more = json!({ "is_stored": is_stored, "exports": ["advance", "describe", "migrate"],
        "limits": [{ "name": "fuel", "value": 500_000_000 }, { "name": "memory-bytes", "value": 64 << 20 }],
        "signatures": [{ "key": "ab".repeat(32), "signature": "cd".repeat(64), "trusted_as": "team" },
            { "key": "ef".repeat(32), "signature": "cd".repeat(64), "trusted_as": null }],
        "activations": [activation("gate")],
        "beyond_grant": { "imports": ["checks"], "jobs": ["ci-fixer"], "effects": [] } });
    detail.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    of(detail)
}

fn canary(kind: &str) -> Value {
    json!({ "kind": kind, "digest": Digest::of(b"two"), "to": { "share": 10 }, "at": AT, "by": "anna",
        "reason": "counts skipped checks" })
}

fn kind(kind: &str) -> Value {
    json!({ "kind": kind, "active": activation(kind), "component": component(b"one"),
        "grant": { "imports": ["log"], "jobs": [], "effects": ["merge"] },
        "granted": { "kind": kind, "grant": { "imports": [], "jobs": [], "effects": [] }, "at": AT, "by": "bert" },
        "canary": canary(kind), "stop": null, "moves": 3 })
}

impl FakeService {
    fn did(&self, what: String, actor: &Actor) {
        self.called(format!("{what} by {:?} because {:?}", actor.by, actor.reason));
    }
}

#[async_trait]
impl ComponentService for FakeService {
    async fn add_component(&self, request: AddRequest) -> Answer<ComponentView> {
        let AddRequest { bytes, signature, by, reason } = request;
        self.called(format!("add {} bytes, {signature:?}, by {by:?} because {reason:?}", bytes.len()));
        if bytes == b"bad" {
            return Err(ServiceError::Invalid("not a WebAssembly component: no magic number".to_owned()));
        }
        Ok(of(component(&bytes)))
    }
    async fn component_bytes(&self, digest: &str) -> Answer<Vec<u8>> {
        Err(ServiceError::NotFound(format!("no component {digest}")))
    }
    async fn components(&self) -> Answer<Vec<ComponentView>> {
        let mut stopped = component(b"two");
        stopped["canary_for"] = json!(["gate"]);
        stopped["stop"] =
            json!({ "digest": Digest::of(b"two"), "at": AT, "by": "anna", "reason": "it merges" });
        Ok(vec![of(component(b"one")), of(stopped)])
    }
    async fn component(&self, digest: &str) -> Answer<ComponentDetail> {
        match digest {
            "none" => Err(ServiceError::NotFound("no component begins with \"none\"".to_owned())),
            _ => Ok(detail(true)),
        }
    }
    async fn inspect_component(&self, bytes: Vec<u8>) -> Answer<ComponentDetail> {
        self.called(format!("inspect {} bytes", bytes.len()));
        Ok(detail(false))
    }
    async fn kinds(&self) -> Answer<Vec<KindView>> {
        Ok(vec![of(kind("gate"))])
    }
    async fn kind(&self, name: &str) -> Answer<KindView> {
        match name {
            "gate" => Ok(of(kind(name))),
            _ => Err(ServiceError::NotFound(format!("there is no step kind {name}"))),
        }
    }
    async fn activate(&self, request: ActivateRequest) -> Answer<Activated> {
        let ActivateRequest { kind, grant, gates, by, .. } = request;
        let gates = if gates.is_any() { format!(" {gates:?}") } else { String::new() };
        self.called(format!("activate {kind} by {by:?} {grant:?}{gates}"));
        let mut activated = activation(&kind);
        activated["warnings"] = json!(["it refuses the config of step ci of pipeline \"Quick\""]);
        Ok(of(activated))
    }
    async fn rollback(&self, kind: &str, actor: Actor) -> Answer<RolledBack> {
        self.did(format!("rollback {kind}"), &actor);
        Ok(of(json!({ "canary": canary(kind) })))
    }
    async fn activations(&self, kind: &str) -> Answer<Vec<Activation>> {
        Ok(vec![of(activation(kind))])
    }
    async fn grant(&self, name: &str, request: GrantRequest) -> Answer<KindView> {
        let GrantRequest { grant, revoke, force, by, .. } = request;
        self.called(format!("grant {name} {grant:?} revoke {revoke} force {force} by {by:?}"));
        Ok(of(kind(name)))
    }
    async fn keep_dir(&self, snapshot: Vec<u8>) -> Answer<Digest> {
        self.called(format!("keep-dir {:?}", String::from_utf8_lossy(&snapshot)));
        Ok(Digest::of(&snapshot))
    }
    async fn stop_component(&self, digest: &str, actor: Actor) -> Answer<StopView> {
        self.did(format!("stop {digest}"), &actor);
        let stop = json!({ "digest": Digest::of(b"one"), "at": AT, "by": "anna", "reason": "it merges" });
        Ok(of(json!({ "digest": Digest::of(b"one"), "stop": stop, "active_for": ["gate"] })))
    }
    async fn resume_component(&self, digest: &str, actor: Actor) -> Answer<StopView> {
        self.did(format!("resume {digest}"), &actor);
        Ok(of(json!({ "digest": Digest::of(b"one"), "stop": null, "active_for": [] })))
    }
    async fn begin_canary(&self, kind: &str, request: CanaryRequest) -> Answer<CanaryBegun> {
        let CanaryRequest { digest, share, items, by, .. } = request;
        self.called(format!("canary {kind} {digest} {share:?} {items:?} by {by:?}"));
        Ok(of(canary(kind)))
    }
    async fn canary(&self, kind: &str) -> Answer<CanaryReport> {
        let run = json!({ "run": "run-019b8d1a2b30000000000001", "item": "default-3", "status": "failed",
            "created_at": AT });
        Ok(of(json!({ "canary": canary(kind), "runs": [run],
            "candidate": { "runs": 3, "live": 1, "done": 1, "failed": 1 },
            "others": { "runs": 27, "live": 2, "done": 25, "failed": 0 } })))
    }
    async fn promote(&self, kind: &str, actor: Actor) -> Answer<Activated> {
        self.did(format!("promote {kind}"), &actor);
        Ok(of(activation(kind)))
    }
    async fn collect_components(&self, dry_run: bool, by: Option<String>) -> Answer<GcReport> {
        self.called(format!("gc by {by:?}"));
        let entry = |bytes: &[u8], needed: &[&str]| json!({ "digest": Digest::of(bytes), "kind": "gate", "version": "2", "size": 40_000, "needed_by": needed });
        Ok(of(json!({ "dry_run": dry_run, "removed": [entry(b"one", &[])],
            "kept": [entry(b"two", &["canary of gate", "pinned by 2 runs"])], "removed_dirs": [Digest::of(b"dir")] })))
    }
    async fn sign_component(&self, digest: &str, signature: &str, actor: Actor) -> Answer<ComponentDetail> {
        self.did(format!("sign {} with {} words", digest.len(), signature.split(' ').count()), &actor);
        Ok(detail(true))
    }
    async fn trust(&self) -> Answer<Trust> {
        let key = json!({ "name": "team", "key": "ab".repeat(32), "at": AT, "by": "anna" });
        Ok(of(json!({ "policy": "require", "keys": [key] })))
    }
    async fn change_trust(&self, change: TrustChange, actor: Actor) -> Answer<Trust> {
        self.did(format!("{change:?}"), &actor);
        Ok(Trust::default())
    }
    async fn audit(&self, last: usize) -> Answer<Vec<AuditEntry>> {
        self.called(format!("audit {last}"));
        Ok(vec![of(
            json!({ "number": 7, "at": AT, "by": "anna", "action": "add", "subject": Digest::of(b"one"),
            "detail": "gate 2, 40000 bytes", "reason": "nightly" }),
        )])
    }
}
