use async_trait::async_trait;
use lockstep_types::{
    Descriptor, Digest, Fault, Grant, Invocation, JsonText, ObservationAnswer, ObservationRequest, StepInput,
};

/// Answers what a component asks while it is called: the world when live, the record when replayed.
#[async_trait]
pub trait Observer: Send + Sync {
    /// Answers with the variant that belongs to the request, or `Failed`.
    async fn observe(&self, request: &ObservationRequest) -> ObservationAnswer;
}

/// What loading a component tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// World it was built for: `lockstep:step/step@0.2.0`.
    pub world: String,
    /// Interfaces of the contract it imports, by short name, sorted.
    pub imports: Vec<String>,
    /// What it exports, by name.
    pub exports: Vec<String>,
    /// What it says of itself.
    pub descriptor: Descriptor,
}

/// Why bytes are not a usable step component. Display is one line for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// Not a WebAssembly component.
    #[error("not a WebAssembly component: {reason}")]
    NotAComponent {
        /// What is wrong with the bytes.
        reason: String,
    },
    /// Larger than components may be.
    #[error("the component has {size} bytes, more than the {limit} allowed")]
    TooLarge {
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// It would take too long to compile.
    #[error("the component would take too long to compile: {reason}")]
    TooComplex {
        /// What it has too much of.
        reason: String,
    },
    /// It does not implement the step world.
    #[error("the component does not implement world {world}: {reason}")]
    WrongWorld {
        /// The version of the world it was taken to be built for.
        world: String,
        /// Which import or export is missing or differs.
        reason: String,
    },
    /// It imports what the host does not offer.
    #[error(
        "the component imports {import}, which is not granted: a step component may import only {offered}"
    )]
    NotGranted {
        /// The import.
        import: String,
        /// What it may import.
        offered: String,
    },
    /// Its `describe` trapped or said nonsense.
    #[error("the component's descriptor is unusable: {reason}")]
    BadDescriptor {
        /// What is wrong.
        reason: String,
    },
    /// Its bytes are not stored.
    #[error("component {digest} is not in the store: add it with `lockstep component add FILE`")]
    Missing {
        /// Which.
        digest: Digest,
    },
    /// The store or the compile cache failed.
    #[error("component {digest} could not be loaded: {reason}")]
    Io {
        /// Which.
        digest: Digest,
        /// Why.
        reason: String,
    },
}

/// Calls components. Every call gets a fresh instance, and the same call gives the same record.
#[async_trait]
pub trait StepExecutor: Send + Sync {
    /// Compiles bytes, checks their world and reads their descriptor. Compiling happens off the calling thread.
    ///
    /// # Errors
    /// `LoadError` says why they are not a step component.
    async fn inspect(&self, bytes: &[u8]) -> Result<Inspected, LoadError>;

    /// Calls `advance`. A component that is missing, traps, runs too long or answers nonsense gives a record with a
    /// `Fault`, never an error. `grant` is what the kind was granted: other interfaces are refused, and of the file system
    /// its directories are all there is.
    async fn invoke(
        &self,
        digest: Digest,
        grant: &Grant,
        input: StepInput,
        observer: &dyn Observer,
    ) -> Invocation;

    /// Calls `migrate` of a fresh instance, under the limits of any call and with nothing to observe: brings a state that a
    /// component of state version `from_version` left into the shape of this component's own.
    ///
    /// # Errors
    /// A `Fault` says why it could not, or why it refused the state (class `bad-output`).
    async fn migrate(&self, digest: Digest, from_version: u32, state: &JsonText) -> Result<JsonText, Fault>;

    /// Limits of one call, by name; none if there are none.
    fn limits(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }

    /// Digest of everything in the engine configuration and limits that can change fuel or outcome.
    fn fingerprint(&self) -> Digest;
}
