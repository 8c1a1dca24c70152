//! Places components are shipped through: a folder several hosts can see, or a registry of artifacts.

mod reference;

pub use reference::{InvalidReference, Place, Reference};

use async_trait::async_trait;
use lockstep_types::Digest;
use std::sync::Arc;

/// Largest component that is shipped, in bytes: what a host takes, too.
pub const SHIPPED_COMPONENT_MAX: u64 = 64 << 20;

/// Largest signature file that travels along, in bytes.
pub const SIGNATURE_MAX: u64 = 16 << 10;

/// A component as it is shipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Its bytes.
    pub component: Vec<u8>,
    /// The file that signs it; opaque here.
    pub signature: Option<Vec<u8>>,
    /// What it says of itself.
    pub label: Label,
}

/// What whoever looks through a place reads of a component. It comes from whoever pushed it and proves nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Label {
    /// Step kind.
    pub kind: String,
    /// Version for people.
    pub version: String,
    /// One line.
    pub summary: String,
    /// The world it implements, with its package: `lockstep:step/step@0.1.0`.
    pub world: String,
    /// Interfaces it imports, with their packages.
    pub imports: Vec<String>,
}

/// A component that was found at a place, before it is fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// Where, pinned to what was found: this reference never means anything else.
    pub pinned: Reference,
    /// SHA-256 of the component.
    pub component: Digest,
    /// Its size in bytes, as the place claims it.
    pub size: u64,
    /// The file that signs it.
    pub signature: Option<Vec<u8>>,
    /// Kind and version, as the place claims them; empty if it does not.
    pub label: Label,
}

/// What a push did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// Where the component is now, pinned to it.
    pub pinned: Reference,
    /// SHA-256 of the component.
    pub component: Digest,
    /// Whether all of it was there already.
    pub was_there: bool,
    /// What the tag meant before, if that was something else.
    pub moved_from: Option<Digest>,
}

/// Told how many bytes of how many have gone over the wire.
pub type Progress = Arc<dyn Fn(u64, u64) + Send + Sync>;

/// Why a component could not be shipped. Display is one line for the operator; no credential is in it.
#[derive(Debug, thiserror::Error)]
pub enum DistributionError {
    /// There is no such thing there.
    #[error("there is nothing at {reference}: check the name, or look for its new digest")]
    NotFound {
        /// What was asked for.
        reference: String,
    },
    /// What was pinned is gone, while the tag means something else now.
    #[error("{reference} is not there any more: its tag moved to sha256:{now}; check that before you use it")]
    Moved {
        /// What was asked for.
        reference: String,
        /// What the tag means now.
        now: Digest,
    },
    /// Neither a tag nor a digest was given.
    #[error("{reference} does not say which component: add a tag or @sha256:DIGEST")]
    Unspecific {
        /// What was given.
        reference: String,
    },
    /// A push that names what it will only find out.
    #[error("{reference} names a digest, which follows from what is pushed: leave it out")]
    DigestGiven {
        /// What was given.
        reference: String,
    },
    /// Something else than a component.
    #[error("{reference} is not a component artifact: {reason}")]
    NotAComponent {
        /// What was asked for.
        reference: String,
        /// What it is instead.
        reason: String,
    },
    /// What arrived is not what was asked for.
    #[error("{what} of {reference} is damaged or was changed: it is sha256:{found}, not sha256:{expected}")]
    WrongDigest {
        /// What was asked for.
        reference: String,
        /// Which part of it.
        what: &'static str,
        /// What it had to be.
        expected: Digest,
        /// What it is.
        found: Digest,
    },
    /// What arrived has not the size that was announced.
    #[error("the component of {reference} has {found} bytes, but {claimed} were announced: it is not used")]
    WrongSize {
        /// What was asked for.
        reference: String,
        /// The size that was announced.
        claimed: u64,
        /// The size it has; of a longer one, what was read before it was refused.
        found: u64,
    },
    /// More than is sent or taken.
    #[error("{what} at {place} has {size} bytes, more than the {limit} that are shipped")]
    TooLarge {
        /// Which part.
        what: &'static str,
        /// Where.
        place: String,
        /// Its size; of something without an announced one, what was read before it was refused.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// The tag means something else already.
    #[error(
        "{reference} is sha256:{holds} already: push under another tag, or add --move-tag to move this one"
    )]
    TagTaken {
        /// What was asked for.
        reference: String,
        /// What the tag means.
        holds: Digest,
    },
    /// Nobody there knows us, or lets us do this.
    #[error(
        "{place} refuses ({reason}): log in with `docker login`, or set LOCKSTEP_OCI_USER and \
         LOCKSTEP_OCI_PASSWORD"
    )]
    Unauthorized {
        /// Where.
        place: String,
        /// What it answered, or why there is nothing to answer it with.
        reason: String,
    },
    /// Plain HTTP over a network.
    #[error(
        "{url} is not encrypted: only this machine is spoken to like that, unless --insecure-http is added"
    )]
    Unencrypted {
        /// What would have been asked.
        url: String,
    },
    /// Nobody answers, or not to the end.
    #[error("{place} cannot be reached or broke off: {reason}")]
    Unreachable {
        /// Where.
        place: String,
        /// Why.
        reason: String,
    },
    /// An answer that makes no sense, or a fault over there.
    #[error("{place} did not do it: {reason}")]
    Failed {
        /// Where.
        place: String,
        /// What it answered.
        reason: String,
    },
    /// Another push has been writing for long.
    #[error("another push is writing to {place}: try again when it has ended")]
    Busy {
        /// Where.
        place: String,
    },
    /// Files cannot be read or written.
    #[error("cannot {operation} {path}")]
    Io {
        /// What was being done.
        operation: &'static str,
        /// With what.
        path: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

/// Ships components. What arrives is what was located: bytes are checked against the digest before anybody sees them.
#[async_trait]
pub trait Distribution: Send + Sync {
    /// Puts a component at a place, under the tag if `to` has one. Pushing the same again changes nothing; a tag that
    /// means something else is moved only if `move_tag` says so.
    ///
    /// # Errors
    /// See `DistributionError`. A push that was cut short leaves the tag as it was.
    async fn push(
        &self,
        to: &Reference,
        artifact: &Artifact,
        move_tag: bool,
        progress: Progress,
    ) -> Result<Pushed, DistributionError>;

    /// Finds what a reference means now, and checks it against the digest if the reference has one.
    ///
    /// # Errors
    /// See `DistributionError`.
    async fn locate(&self, at: &Reference) -> Result<Located, DistributionError>;

    /// Fetches a component that was located.
    ///
    /// # Errors
    /// See `DistributionError`.
    async fn pull(&self, located: &Located, progress: Progress) -> Result<Vec<u8>, DistributionError>;
}
