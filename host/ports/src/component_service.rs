//! What the host offers about step components: the registry an operator works with.

use crate::{BacktestReport, ServiceError};
use async_trait::async_trait;
use lockstep_types::{
    Activation, AuditEntry, Canary, ComponentInfo, Digest, Grant, KindGrant, RunId, RunStatus, Signature,
    Stop, Timestamp, Trust, TrustPolicy,
};
use serde::{Deserialize, Serialize};

/// A component and the kinds that point to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ComponentView {
    /// The component.
    #[serde(flatten)]
    pub info: ComponentInfo,
    /// Kinds it is active for.
    pub active_for: Vec<String>,
    /// Kinds some of whose runs get it as a canary.
    #[serde(default)]
    pub canary_for: Vec<String>,
    /// Set if it may not be called.
    #[serde(default)]
    pub stop: Option<Stop>,
    /// What the policy on signatures has against it, if anything.
    #[serde(default)]
    pub warning: Option<String>,
}

/// A signature of a component, and what it is worth here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SignatureView {
    /// The signature.
    #[serde(flatten)]
    pub signature: Signature,
    /// Name of the trusted key it was made with; none: nobody here trusts the key.
    pub trusted_as: Option<String>,
}

/// A limit of the host for one call of a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LimitView {
    /// What is limited: `fuel`, `memory-bytes`.
    pub name: String,
    /// The most there may be.
    pub value: u64,
}

/// Everything about a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ComponentDetail {
    /// The component and the kinds that use it.
    #[serde(flatten)]
    pub view: ComponentView,
    /// Whether it is stored; else it was only looked at.
    pub is_stored: bool,
    /// What it exports.
    pub exports: Vec<String>,
    /// Limits of the host for each call.
    pub limits: Vec<LimitView>,
    /// Its valid signatures.
    pub signatures: Vec<SignatureView>,
    /// When a kind's pointer moved to it, and who moved it.
    pub activations: Vec<Activation>,
    /// What it asks for beyond the grant of its kind.
    pub beyond_grant: Grant,
}

/// Everything about a step kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KindView {
    /// The step kind.
    pub kind: String,
    /// Where its pointer stands.
    pub active: Option<Activation>,
    /// The component there.
    pub component: Option<ComponentInfo>,
    /// What it may do.
    pub grant: Grant,
    /// Since when it may, and who said so; none: since its component was activated.
    pub granted: Option<KindGrant>,
    /// Its canary.
    pub canary: Option<Canary>,
    /// Set if its component may not be called.
    pub stop: Option<Stop>,
    /// How often its pointer moved.
    pub moves: u64,
}

/// Asks to add a component.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddRequest {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Text of a signature file that comes with it.
    pub signature: Option<String>,
    /// Who.
    pub by: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

impl From<Vec<u8>> for AddRequest {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, ..Self::default() }
    }
}

/// Asks to move a kind's pointer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ActivateRequest {
    /// The step kind.
    pub kind: String,
    /// Digest of the component, or an unambiguous beginning of it.
    pub digest: String,
    /// What the kind may do from now on; none: what it might do before.
    #[serde(default)]
    pub grant: Option<Grant>,
    /// Whether to move it though the component cannot take over states of live runs, which keep the component they have.
    #[serde(default)]
    pub skip_migration: bool,
    /// What a backtest over the kind's recorded invocations must show.
    #[serde(default)]
    pub gates: Gates,
    /// Who.
    #[serde(default)]
    pub by: Option<String>,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
}

/// What a backtest over the recorded invocations of a kind must show before a candidate is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Gates {
    /// Every recorded call comes out the same.
    #[serde(default)]
    pub require_identical: bool,
    /// At most so many come out differently.
    #[serde(default)]
    pub max_changed: Option<u64>,
    /// All of them together use at most so many percent more fuel.
    #[serde(default)]
    pub max_fuel_growth: Option<f64>,
}

impl Gates {
    /// Whether anything is asked for.
    #[must_use]
    pub fn is_any(&self) -> bool {
        *self != Self::default()
    }
}

/// A pointer that moved, and what was noticed on the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Activated {
    /// The movement.
    #[serde(flatten)]
    pub activation: Activation,
    /// What did not stand against it, but should be known; a line each.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// What the backtest showed that was asked for, without its calls one by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backtest: Option<Box<BacktestReport>>,
}

/// What went back: a canary that ended, or else the pointer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum RolledBack {
    /// The canary of the kind ended; its pointer has not moved.
    Canary(Canary),
    /// The pointer stands where it stood before.
    Pointer(Activated),
}

/// Who does something, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Actor {
    /// Who.
    #[serde(default)]
    pub by: Option<String>,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
}

/// Asks to change what a kind may do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GrantRequest {
    /// What is added or taken away.
    pub grant: Grant,
    /// Whether it is taken away.
    #[serde(default)]
    pub revoke: bool,
    /// Whether even what the active component asks for is taken away.
    #[serde(default)]
    pub force: bool,
    /// Who.
    #[serde(default)]
    pub by: Option<String>,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
}

/// A component that was stopped or may be called again, and who points to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StopView {
    /// The component.
    pub digest: Digest,
    /// Set if it may not be called now.
    pub stop: Option<Stop>,
    /// Kinds that point to it.
    pub active_for: Vec<String>,
}

/// Asks for a canary. One of `share` and `items`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CanaryRequest {
    /// Digest of the candidate, or an unambiguous beginning of it.
    pub digest: String,
    /// So many of a hundred runs get it, 1 to 100.
    #[serde(default)]
    pub share: Option<u8>,
    /// Runs of these items get it.
    #[serde(default)]
    pub items: Vec<String>,
    /// What a backtest must show before.
    #[serde(default)]
    pub gates: Gates,
    /// Who.
    #[serde(default)]
    pub by: Option<String>,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
}

/// A canary that began, and what was noticed on the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CanaryBegun {
    /// The canary.
    #[serde(flatten)]
    pub canary: Canary,
    /// As for an activation.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// What the backtest showed that was asked for, without its calls one by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backtest: Option<Box<BacktestReport>>,
}

/// How runs on one component ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunCounts {
    /// Runs in all.
    pub runs: u64,
    /// Those that go on.
    pub live: u64,
    /// Those that are done.
    pub done: u64,
    /// Those that failed or were stopped.
    pub failed: u64,
}

/// A run that got the candidate of a canary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CanaryRun {
    /// The run.
    pub run: RunId,
    /// Its item.
    pub item: String,
    /// How it stands.
    pub status: RunStatus,
    /// When it started.
    pub created_at: Timestamp,
}

/// A canary, and how its runs do beside the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CanaryReport {
    /// The canary.
    pub canary: Canary,
    /// Runs since it began that got the candidate.
    pub candidate: RunCounts,
    /// Runs since then with a step of the kind that did not.
    pub others: RunCounts,
    /// The runs that got it, the newest first, some hundreds at most.
    pub runs: Vec<CanaryRun>,
}

/// Why a component is kept, or that it goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GcEntry {
    /// The component.
    pub digest: Digest,
    /// Kind it implements.
    pub kind: String,
    /// Its version.
    pub version: String,
    /// Size of its bytes.
    pub size: u64,
    /// What needs it, a phrase each; nothing: it goes.
    pub needed_by: Vec<String>,
}

/// What a collection of components nobody needs did, or would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GcReport {
    /// Whether nothing was removed yet.
    pub dry_run: bool,
    /// Components that went, or would.
    pub removed: Vec<GcEntry>,
    /// Components that are needed.
    pub kept: Vec<GcEntry>,
    /// Directories that went, or would: no grant and no run names them.
    #[serde(default)]
    pub removed_dirs: Vec<Digest>,
}

/// A change of whose signatures count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum TrustChange {
    /// What is asked of signatures.
    Policy(TrustPolicy),
    /// A key counts.
    Add {
        /// What it is called.
        name: String,
        /// Text of a public key file, or the 64 digits of the key.
        key: String,
    },
    /// A key no longer counts.
    Remove {
        /// What it is called.
        name: String,
    },
}

/// The registry of step components as its drivers see it. What changes it is durable when the call returns, and stands in
/// the audit log.
#[async_trait]
pub trait ComponentService: Send + Sync {
    /// Adds a component; nothing uses it until it is activated.
    async fn add_component(&self, request: AddRequest) -> Result<ComponentView, ServiceError>;
    /// All components.
    async fn components(&self) -> Result<Vec<ComponentView>, ServiceError>;
    /// The bytes of a stored component, by its digest or an unambiguous beginning of it.
    async fn component_bytes(&self, digest: &str) -> Result<Vec<u8>, ServiceError>;
    /// A stored component, by its digest or an unambiguous beginning of it.
    async fn component(&self, digest: &str) -> Result<ComponentDetail, ServiceError>;
    /// What a component is, without adding it.
    async fn inspect_component(&self, bytes: Vec<u8>) -> Result<ComponentDetail, ServiceError>;
    /// All kinds that have a component, a grant or a canary.
    async fn kinds(&self) -> Result<Vec<KindView>, ServiceError>;
    /// A kind; one that nobody knows is `NotFound`.
    async fn kind(&self, kind: &str) -> Result<KindView, ServiceError>;
    /// Moves a kind's pointer; runs in flight keep the component they were pinned to.
    async fn activate(&self, request: ActivateRequest) -> Result<Activated, ServiceError>;
    /// Ends the canary of a kind, or else moves its pointer back to where it stood before.
    async fn rollback(&self, kind: &str, actor: Actor) -> Result<RolledBack, ServiceError>;
    /// Every movement of a kind's pointer, oldest first.
    async fn activations(&self, kind: &str) -> Result<Vec<Activation>, ServiceError>;
    /// Changes what a kind may do. Nothing to add or take away: says what it may.
    async fn grant(&self, kind: &str, request: GrantRequest) -> Result<KindView, ServiceError>;
    /// Keeps a directory, in the form of `DirSnapshot::encode`, so that a grant can name it.
    async fn keep_dir(&self, snapshot: Vec<u8>) -> Result<Digest, ServiceError>;
    /// Lets a component be called no more, in no run.
    async fn stop_component(&self, digest: &str, actor: Actor) -> Result<StopView, ServiceError>;
    /// Lets it be called again.
    async fn resume_component(&self, digest: &str, actor: Actor) -> Result<StopView, ServiceError>;
    /// Lets some runs of a kind that start from now on get a candidate.
    async fn begin_canary(&self, kind: &str, request: CanaryRequest) -> Result<CanaryBegun, ServiceError>;
    /// The canary of a kind.
    async fn canary(&self, kind: &str) -> Result<CanaryReport, ServiceError>;
    /// Moves a kind's pointer to its candidate, which ends the canary.
    async fn promote(&self, kind: &str, actor: Actor) -> Result<Activated, ServiceError>;
    /// Removes components that nothing needs; with `dry_run` it only says which.
    async fn collect_components(&self, dry_run: bool, by: Option<String>) -> Result<GcReport, ServiceError>;
    /// Gives a component a signature; `signature` is the text of a signature file.
    async fn sign_component(
        &self,
        digest: &str,
        signature: &str,
        actor: Actor,
    ) -> Result<ComponentDetail, ServiceError>;
    /// Whose signatures count.
    async fn trust(&self) -> Result<Trust, ServiceError>;
    /// Changes whose signatures count.
    async fn change_trust(&self, change: TrustChange, actor: Actor) -> Result<Trust, ServiceError>;
    /// The last entries of the audit log, oldest first.
    async fn audit(&self, last: usize) -> Result<Vec<AuditEntry>, ServiceError>;
}
