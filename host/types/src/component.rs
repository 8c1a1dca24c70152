use crate::{Digest, JsonText, Timestamp};
use serde::{Deserialize, Serialize};

/// Whether something may change files of the head branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// It only looks. Steps that only read may run beside others.
    ReadOnly,
    /// It may change the head branch.
    Write,
}

/// A role in which a component grades the work of others (SPEC PL-8).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Grading {
    /// The role.
    pub role: String,
    /// Roles of the producers; one of them must be the nearest enabled step before it.
    pub producers: Vec<String>,
}

/// What a component says of itself; the WIT record `descriptor`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Descriptor {
    /// Step kind it implements.
    pub kind: String,
    /// Version for people.
    pub version: String,
    /// Raised when its `state` changes shape.
    pub state_version: u32,
    /// One line.
    pub summary: String,
    /// JSON Schema of a step's `config`.
    pub config_schema: JsonText,
    /// Job kinds it may dispatch; `{role}` stands for the role of the step.
    pub jobs: Vec<String>,
    /// Effects it may ask for, by name.
    pub effects: Vec<String>,
    /// Whether its jobs and effects change the head branch.
    pub access: Access,
    /// Documents it may leave on the item.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<String>,
    /// Roles in which it grades; only such a step may depend on an estimate (SPEC PL-9).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grades: Vec<Grading>,
    /// What must be settled before a run may start: `test-infrastructure`, `observability`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
}

/// What the operator allows to a step kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Grant {
    /// WIT interfaces that may be imported, by short name: `checks`, `log`.
    pub imports: Vec<String>,
    /// Job kinds that may be dispatched; `{role}` stands for the role of the step.
    pub jobs: Vec<String>,
    /// Effects that may be asked for.
    pub effects: Vec<String>,
    /// Directories that may be read, as they were when they were granted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dirs: Vec<DirGrant>,
}

/// A directory a component may read through WASI.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DirGrant {
    /// Where the component finds it: `/data`.
    pub path: String,
    /// Its content: the digest of a [`crate::DirSnapshot`] kept beside the components.
    pub digest: Digest,
}

/// A stored component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ComponentInfo {
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// Size of its bytes.
    pub size: u64,
    /// World it was built for: `lockstep:step/step@0.2.0`.
    #[serde(default = "first_world")]
    pub world: String,
    /// Interfaces it imports, by short name.
    pub imports: Vec<String>,
    /// What it says of itself.
    pub descriptor: Descriptor,
    /// When it was added.
    pub added_at: Timestamp,
}

/// The world of components that were stored when there was no other.
fn first_world() -> String {
    "lockstep:step/step@0.1.0".to_owned()
}

/// One movement of a kind's pointer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Activation {
    /// The step kind.
    pub kind: String,
    /// The component the pointer moved to.
    pub digest: Digest,
    /// What the kind may do since then.
    pub grant: Grant,
    /// When it moved.
    pub at: Timestamp,
    /// Who moved it.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// A component that may not be called any more, whoever is pinned to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Stop {
    /// The component.
    pub digest: Digest,
    /// When it was stopped.
    pub at: Timestamp,
    /// Who stopped it.
    pub by: String,
    /// Why.
    pub reason: String,
}
