//! What the host offers about step components: the registry an operator works with.

use crate::ServiceError;
use async_trait::async_trait;
use lockstep_types::{Activation, ComponentInfo, Grant};
use serde::{Deserialize, Serialize};

/// A component and the kinds that point to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentView {
    /// The component.
    #[serde(flatten)]
    pub info: ComponentInfo,
    /// Kinds it is active for.
    pub active_for: Vec<String>,
}

/// Asks to move a kind's pointer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Who.
    #[serde(default)]
    pub by: Option<String>,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
}

/// The registry of step components as its drivers see it.
#[async_trait]
pub trait ComponentService: Send + Sync {
    /// Adds a component; nothing uses it until it is activated.
    async fn add_component(&self, bytes: Vec<u8>) -> Result<ComponentView, ServiceError>;
    /// All components.
    async fn components(&self) -> Result<Vec<ComponentView>, ServiceError>;
    /// Moves a kind's pointer; runs in flight keep the component they were pinned to.
    async fn activate(&self, request: ActivateRequest) -> Result<Activation, ServiceError>;
    /// Every movement of a kind's pointer, oldest first.
    async fn activations(&self, kind: &str) -> Result<Vec<Activation>, ServiceError>;
}
