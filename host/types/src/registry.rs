//! What the registry of components keeps beside the components and the pointers: grants, canaries, trust, the audit log.

use crate::{Activation, Digest, Grant, RunId, Stop, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a step kind may do, said by an operator. It belongs to the kind: it is there before the kind has a component and
/// stays when another one takes over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KindGrant {
    /// The step kind.
    pub kind: String,
    /// What it may do.
    pub grant: Grant,
    /// When that was last changed.
    pub at: Timestamp,
    /// Who changed it.
    pub by: String,
}

/// Which runs a canary gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum CanaryTo {
    /// So many of a hundred, chosen by the run's id and the kind.
    Share(u8),
    /// Those of these items.
    Items(Vec<String>),
}

impl CanaryTo {
    /// Whether a run that starts now gets the candidate of `kind`. The same run always gets the same answer.
    #[must_use]
    pub fn takes(&self, kind: &str, run: &RunId, item: &str) -> bool {
        match self {
            Self::Share(percent) => {
                let hash = Digest::of_parts(&[run.as_str().as_bytes(), b"\0", kind.as_bytes()]);
                let [a, b, c, d, ..] = *hash.bytes();
                // Scaled, not taken modulo: every percentage is as likely as it says.
                u64::from(u32::from_be_bytes([a, b, c, d])) * 100 < u64::from(*percent) << 32
            }
            Self::Items(items) => items.iter().any(|wanted| wanted == item),
        }
    }
}

/// A component that some runs of a kind get, beside the active one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Canary {
    /// The step kind.
    pub kind: String,
    /// The candidate.
    pub digest: Digest,
    /// Who gets it.
    pub to: CanaryTo,
    /// Since when.
    pub at: Timestamp,
    /// Who began it.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// What is asked of the signatures of a component before it is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum TrustPolicy {
    /// Nothing.
    #[default]
    Off,
    /// A warning where no trusted key signed it.
    Warn,
    /// The signature of a trusted key.
    Require,
}

impl TrustPolicy {
    /// As it is written.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Warn => "warn",
            Self::Require => "require",
        }
    }
}

/// A key whose signatures count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TrustedKey {
    /// What it is called here.
    pub name: String,
    /// The public key, ed25519, 64 hexadecimal digits.
    pub key: String,
    /// Since when it is trusted.
    pub at: Timestamp,
    /// Who trusts it.
    pub by: String,
}

/// Whose signatures count, and what for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Trust {
    /// What is asked of signatures.
    pub policy: TrustPolicy,
    /// Trusted keys, by name.
    pub keys: Vec<TrustedKey>,
}

/// A signature of a component. What is signed is its digest, its world and its descriptor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Signature {
    /// The public key it was made with, ed25519, 64 hexadecimal digits.
    pub key: String,
    /// The signature, 128 hexadecimal digits.
    pub signature: String,
}

/// What was done to the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum AuditAction {
    /// A component was added.
    Add,
    /// A kind's pointer moved.
    Activate,
    /// A kind's pointer moved back.
    Rollback,
    /// A kind may do something more.
    Grant,
    /// A kind may do something less.
    Revoke,
    /// A component may not be called any more.
    Stop,
    /// It may be called again.
    Resume,
    /// Some runs of a kind get a candidate.
    Canary,
    /// No run gets it any more.
    EndCanary,
    /// A kind's pointer moved to its candidate.
    Promote,
    /// A component was removed because nothing needs it.
    Remove,
    /// The policy or the trusted keys changed.
    Trust,
    /// A component got a signature.
    Sign,
}

impl AuditAction {
    /// As it is written.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Activate => "activate",
            Self::Rollback => "rollback",
            Self::Grant => "grant",
            Self::Revoke => "revoke",
            Self::Stop => "stop",
            Self::Resume => "resume",
            Self::Canary => "canary",
            Self::EndCanary => "end-canary",
            Self::Promote => "promote",
            Self::Remove => "remove",
            Self::Trust => "trust",
            Self::Sign => "sign",
        }
    }
}

/// An entry of the audit log. It is written with the change it tells of, and never altered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AuditEntry {
    /// Position in the log, from 1; the store says which.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// What was done.
    pub action: AuditAction,
    /// To what: a kind, a digest, a key.
    pub subject: String,
    /// What exactly: digest, grant, share.
    pub detail: String,
    /// Why; empty if nobody said.
    pub reason: String,
}

/// The registry but for the components themselves, read at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registry {
    /// Where the pointer of each kind stands, by kind.
    pub active: Vec<Activation>,
    /// Grants of kinds, by kind.
    pub grants: Vec<KindGrant>,
    /// Components that may not be called, by digest.
    pub stops: Vec<Stop>,
    /// Canaries under way, by kind.
    pub canaries: Vec<Canary>,
    /// Whose signatures count.
    pub trust: Trust,
    /// Signatures of components, by digest.
    pub signatures: BTreeMap<Digest, Vec<Signature>>,
}

impl Registry {
    /// What a kind may do: its own grant, or what its component was activated with before kinds had one.
    #[must_use]
    pub fn grant(&self, kind: &str) -> Option<&Grant> {
        let own = self.grants.iter().find(|row| row.kind == kind).map(|row| &row.grant);
        own.or_else(|| self.active_of(kind).map(|activation| &activation.grant))
    }

    /// Where the pointer of a kind stands.
    #[must_use]
    pub fn active_of(&self, kind: &str) -> Option<&Activation> {
        self.active.iter().find(|activation| activation.kind == kind)
    }

    /// The canary of a kind.
    #[must_use]
    pub fn canary_of(&self, kind: &str) -> Option<&Canary> {
        self.canaries.iter().find(|canary| canary.kind == kind)
    }

    /// Whether a component may not be called.
    #[must_use]
    pub fn stop_of(&self, digest: &Digest) -> Option<&Stop> {
        self.stops.iter().find(|stop| stop.digest == *digest)
    }
}

#[cfg(test)]
mod tests {
    use super::CanaryTo;
    use crate::{RunId, Timestamp};

    #[test]
    fn a_share_takes_about_so_many_and_always_the_same() {
        let runs: Vec<RunId> = (0..2000).map(|n| RunId::new(Timestamp(n), n)).collect();
        let taken = |percent, kind: &str| -> Vec<bool> {
            runs.iter().map(|run| CanaryTo::Share(percent).takes(kind, run, "i")).collect()
        };
        let count = |taken: &[bool]| taken.iter().filter(|taken| **taken).count();
        assert_eq!(count(&taken(0, "ci-gate")), 0);
        assert_eq!(count(&taken(100, "ci-gate")), 2000);
        let ten = taken(10, "ci-gate");
        assert!((140..=260).contains(&count(&ten)), "{}", count(&ten));
        assert_eq!(ten, taken(10, "ci-gate"));
        assert_ne!(ten, taken(10, "tester"), "kinds take their shares of different runs");
        let more = taken(30, "ci-gate");
        assert!(ten.iter().zip(&more).all(|(ten, more)| *more || !*ten), "a larger share takes them along");
    }

    #[test]
    fn items_go_by_their_ids() {
        let to = CanaryTo::Items(vec!["a".to_owned(), "b".to_owned()]);
        let run = RunId::new(Timestamp(1), 1);
        assert_eq!(["a", "b", "c"].map(|item| to.takes("k", &run, item)), [true, true, false]);
    }
}
