use crate::{Digest, JsonText, Pin, StepIx};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Somebody gives a run other components for some of its kinds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repin {
    /// The component of each kind from now on.
    pub pins: BTreeMap<String, Pin>,
    /// The states of unfinished steps that had to change shape, made by those components from the states as they are.
    pub migrations: Vec<Migration>,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// What became true by a `Repin`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repinned {
    /// The kinds.
    pub kinds: Vec<RepinnedKind>,
    /// The states that changed shape.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub migrations: Vec<Migration>,
    /// Who.
    pub by: String,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// A kind of a run that another component takes over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepinnedKind {
    /// The kind.
    pub kind: String,
    /// The component its unfinished steps were pinned to.
    pub old: Digest,
    /// What they are pinned to now.
    pub new: Pin,
}

/// The state of a step, brought into the shape of another component by that component's `migrate`. Complete enough to
/// be made again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migration {
    /// The step.
    pub step: StepIx,
    /// The component that made it.
    pub digest: Digest,
    /// State version of the component that left the old state.
    pub from_version: u32,
    /// The state as it was.
    pub before: JsonText,
    /// The state as it is now.
    pub after: JsonText,
}
