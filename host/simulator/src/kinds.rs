//! The step kinds a simulation has.

use lockstep_types::{Descriptor, Pin};
use std::collections::BTreeMap;

/// A step kind and the component behind it.
#[derive(Clone, Debug)]
pub struct Kind {
    /// Component and grant.
    pub pin: Pin,
    /// What the component says of itself.
    pub descriptor: Descriptor,
}

/// All step kinds by name.
#[derive(Clone, Debug, Default)]
pub struct Kinds(pub BTreeMap<String, Kind>);

impl Kinds {
    /// What the component behind a kind says of itself.
    #[must_use]
    pub fn descriptor(&self, kind: &str) -> Option<&Descriptor> {
        self.0.get(kind).map(|kind| &kind.descriptor)
    }

    pub(crate) fn pins(&self) -> BTreeMap<String, Pin> {
        self.0.iter().map(|(name, kind)| (name.clone(), kind.pin.clone())).collect()
    }

    /// Every job kind a component may dispatch by a name of its own: the helpers.
    pub(crate) fn helper_jobs(&self) -> impl Iterator<Item = &String> {
        self.0.values().flat_map(|kind| &kind.descriptor.jobs).filter(|job| !job.contains('{'))
    }
}
