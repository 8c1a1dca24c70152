use crate::fake::{FakeService, component};
use async_trait::async_trait;
use lockstep_ports::{
    ActivateRequest, Activated, Actor, AddRequest, CanaryBegun, CanaryReport, CanaryRequest, ComponentDetail,
    ComponentService, ComponentView, GcReport, GrantRequest, KindView, RolledBack, RunCounts, ServiceError,
    StopView, TrustChange,
};
use lockstep_types::{
    Activation, AuditAction, AuditEntry, Canary, CanaryTo, Digest, Grant, Stop, Timestamp, Trust,
};

fn activation(kind: &str) -> Activation {
    Activation {
        kind: kind.to_owned(),
        digest: Digest::of(b"x"),
        grant: Grant::default(),
        at: Timestamp(7),
        by: "anna".to_owned(),
        reason: String::new(),
    }
}

fn begun(kind: &str) -> Canary {
    let (at, by) = (Timestamp(8), "anna".to_owned());
    let (digest, to) = (Digest::of(b"x"), CanaryTo::Share(10));
    Canary { kind: kind.to_owned(), digest, to, at, by, reason: String::new() }
}

fn detail() -> ComponentDetail {
    ComponentDetail {
        view: component(),
        is_stored: true,
        exports: vec!["advance".to_owned()],
        limits: Vec::new(),
        signatures: Vec::new(),
        activations: Vec::new(),
        beyond_grant: Grant::default(),
    }
}

fn kind(kind: &str, grant: Grant) -> KindView {
    KindView {
        kind: kind.to_owned(),
        active: Some(activation(kind)),
        component: None,
        grant,
        granted: None,
        canary: None,
        stop: None,
        moves: 1,
    }
}

impl FakeService {
    fn done(&self, what: &str, name: &str, actor: &Actor) -> Result<(), ServiceError> {
        self.called(format!("{what} {name} by {:?} because {:?}", actor.by, actor.reason));
        Self::is_well(what, name)
    }
}

#[async_trait]
impl ComponentService for FakeService {
    async fn add_component(&self, request: AddRequest) -> Result<ComponentView, ServiceError> {
        let AddRequest { bytes, signature, by, reason } = request;
        self.called(format!("add {} bytes, {signature:?}, by {by:?} because {reason:?}", bytes.len()));
        Ok(component())
    }
    async fn components(&self) -> Result<Vec<ComponentView>, ServiceError> {
        Ok(vec![component()])
    }
    async fn component_bytes(&self, digest: &str) -> Result<Vec<u8>, ServiceError> {
        self.called(format!("bytes of {digest}"));
        Ok(b"\0asm".to_vec())
    }
    async fn component(&self, digest: &str) -> Result<ComponentDetail, ServiceError> {
        Self::is_well("component", digest)?;
        Ok(detail())
    }
    async fn inspect_component(&self, bytes: Vec<u8>) -> Result<ComponentDetail, ServiceError> {
        self.called(format!("inspect {} bytes", bytes.len()));
        Ok(detail())
    }
    async fn kinds(&self) -> Result<Vec<KindView>, ServiceError> {
        Ok(vec![kind("agent", Grant::default())])
    }
    async fn kind(&self, name: &str) -> Result<KindView, ServiceError> {
        Self::is_well("kind", name)?;
        Ok(kind(name, Grant::default()))
    }
    async fn activate(&self, request: ActivateRequest) -> Result<Activated, ServiceError> {
        let ActivateRequest { kind, digest, gates, by, .. } = request;
        let gates = if gates.is_any() { format!(" {gates:?}") } else { String::new() };
        self.called(format!("activate {kind} {digest} by {by:?}{gates}"));
        Ok(Activated {
            activation: activation(&kind),
            warnings: vec!["a warning".to_owned()],
            backtest: None,
        })
    }
    async fn rollback(&self, kind: &str, actor: Actor) -> Result<RolledBack, ServiceError> {
        self.done("rollback", kind, &actor)?;
        Ok(RolledBack::Canary(begun(kind)))
    }
    async fn activations(&self, kind: &str) -> Result<Vec<Activation>, ServiceError> {
        Ok(vec![activation(kind)])
    }
    async fn grant(&self, name: &str, request: GrantRequest) -> Result<KindView, ServiceError> {
        self.called(format!(
            "grant {name} {:?} revoke {} by {:?}",
            request.grant, request.revoke, request.by
        ));
        Ok(kind(name, request.grant))
    }
    async fn keep_dir(&self, snapshot: Vec<u8>) -> Result<Digest, ServiceError> {
        self.called(format!("keep-dir {} bytes", snapshot.len()));
        Ok(Digest::of(&snapshot))
    }
    async fn stop_component(&self, digest: &str, actor: Actor) -> Result<StopView, ServiceError> {
        self.done("stop", digest, &actor)?;
        let digest = Digest::of(b"x");
        let (by, reason) = ("anna".to_owned(), "bad".to_owned());
        let stop = Some(Stop { digest, at: Timestamp(9), by, reason });
        Ok(StopView { digest, stop, active_for: vec!["agent".to_owned()] })
    }
    async fn resume_component(&self, digest: &str, actor: Actor) -> Result<StopView, ServiceError> {
        self.done("resume", digest, &actor)?;
        Ok(StopView { digest: Digest::of(b"x"), stop: None, active_for: Vec::new() })
    }
    async fn begin_canary(&self, kind: &str, request: CanaryRequest) -> Result<CanaryBegun, ServiceError> {
        let CanaryRequest { digest, share, items, by, .. } = request;
        self.called(format!("canary {kind} {digest} {share:?} {items:?} by {by:?}"));
        Ok(CanaryBegun { canary: begun(kind), warnings: Vec::new(), backtest: None })
    }
    async fn canary(&self, kind: &str) -> Result<CanaryReport, ServiceError> {
        Self::is_well("canary", kind)?;
        let counts = RunCounts { runs: 3, live: 1, done: 1, failed: 1 };
        let others = RunCounts::default();
        Ok(CanaryReport { canary: begun(kind), candidate: counts, others, runs: Vec::new() })
    }
    async fn promote(&self, kind: &str, actor: Actor) -> Result<Activated, ServiceError> {
        self.done("promote", kind, &actor)?;
        Ok(Activated { activation: activation(kind), warnings: Vec::new(), backtest: None })
    }
    async fn collect_components(&self, dry_run: bool, by: Option<String>) -> Result<GcReport, ServiceError> {
        self.called(format!("gc {dry_run} by {by:?}"));
        Ok(GcReport { dry_run, removed: Vec::new(), kept: Vec::new(), removed_dirs: Vec::new() })
    }
    async fn sign_component(
        &self,
        digest: &str,
        signature: &str,
        actor: Actor,
    ) -> Result<ComponentDetail, ServiceError> {
        self.done(&format!("sign {signature}"), digest, &actor)?;
        Ok(detail())
    }
    async fn trust(&self) -> Result<Trust, ServiceError> {
        Ok(Trust::default())
    }
    async fn change_trust(&self, change: TrustChange, actor: Actor) -> Result<Trust, ServiceError> {
        self.done("trust", &format!("{change:?}"), &actor)?;
        Ok(Trust::default())
    }
    async fn audit(&self, last: usize) -> Result<Vec<AuditEntry>, ServiceError> {
        self.called(format!("audit {last}"));
        let text = |text: &str| text.to_owned();
        let (action, subject, detail) = (AuditAction::Activate, text("agent"), text("2d71 1"));
        Ok(vec![AuditEntry {
            number: 1,
            at: Timestamp(7),
            by: text("anna"),
            action,
            subject,
            detail,
            reason: text(""),
        }])
    }
}
