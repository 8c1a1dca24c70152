use crate::calls::{Call, Called, Describe, Machine, Migrate};
use crate::compile_cache::CompileCache;
use crate::config::{self, Allocation};
use crate::contract::linker;
use crate::descriptor;
use crate::faults::fault;
use crate::lanes::Lanes;
use crate::limits::Limits;
use crate::loader::Loader;
use crate::wasi::{Scene, Trees};
use crate::world::Linked;
use async_trait::async_trait;
use lockstep_ports::{ComponentStore, Inspected, LoadError, Observer, StepExecutor};
use lockstep_types::{
    Descriptor, Digest, FailureClass, Fault, Grant, Invocation, JsonText, ObservationAnswer,
    ObservationRequest, ObserveFailure, Outcome, StepInput, Transition,
};
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::Duration;
use wasmtime::Engine;

/// Length of a tick.
const GUARD_TICK: Duration = Duration::from_secs(1);

/// How a sandbox is set up.
#[derive(Clone, Debug, Default)]
pub struct SandboxOptions {
    /// Folder for compiled code, shared by hosts of the same user; none: components are compiled at every start.
    pub cache_dir: Option<PathBuf>,
    /// What a call may use.
    pub limits: Limits,
    /// Where instances live.
    pub allocation: Allocation,
}

/// Why there is no sandbox.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// wasmtime refused the configuration: the limits contradict each other, or the machine has too little address space.
    #[error("cannot set up the WebAssembly engine: {reason}")]
    Engine {
        /// Why.
        reason: String,
    },
    /// The folder for compiled code cannot be made.
    #[error("cannot make the folder {} for compiled components", path.display())]
    Cache {
        /// The folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The thread of the outer guard, or those of long calls, cannot be started.
    #[error("cannot start the threads of the sandbox")]
    Threads(#[source] std::io::Error),
}

/// Calls step components in fresh wasmtime instances. See `StepExecutor`.
pub struct Sandbox {
    machine: Arc<Machine>,
    loader: Loader,
    fingerprint: Digest,
    trees: Trees,
    lanes: Lanes,
    /// Dropped with the sandbox, which ends the guard thread.
    _guard: mpsc::Sender<()>,
}

/// Answers for components that may ask nothing.
struct Nobody;

#[async_trait]
impl Observer for Nobody {
    async fn observe(&self, _: &ObservationRequest) -> ObservationAnswer {
        ObservationAnswer::Failed(ObserveFailure::NotConfigured)
    }
}

impl Sandbox {
    /// A sandbox for the components of `store`.
    ///
    /// # Errors
    /// If the engine, the cache folder or the guard thread cannot be had.
    pub fn new(store: Arc<dyn ComponentStore>, options: SandboxOptions) -> Result<Self, SandboxError> {
        let SandboxOptions { cache_dir, limits, allocation } = options;
        let engine_error = |error: wasmtime::Error| SandboxError::Engine { reason: format!("{error:#}") };
        let engine = Engine::new(&config::config(&limits, allocation)).map_err(engine_error)?;
        let linker = linker(&engine).map_err(engine_error)?;
        let cache = cache_dir
            .map(|path| {
                CompileCache::open(&path, config::code_fingerprint())
                    .map_err(|source| SandboxError::Cache { path, source })
            })
            .transpose()?;
        let guard = start_guard(&engine).map_err(SandboxError::Threads)?;
        let fingerprint = config::fingerprint(&limits);
        let limits = Arc::new(limits);
        let trees = Trees::new(Arc::clone(&store));
        let loader = Loader::new(engine.clone(), linker, cache, store, Arc::clone(&limits));
        let lanes = Lanes::new().map_err(SandboxError::Threads)?;
        let machine = Arc::new(Machine { engine, limits });
        Ok(Self { machine, loader, fingerprint, trees, lanes, _guard: guard })
    }

    async fn describe(&self, linked: &Arc<Linked>) -> Result<Descriptor, String> {
        let scene = linked.has_wasi.then(Scene::empty);
        let call = Call { export: Describe(Arc::clone(linked)), scene };
        let said = self.lanes.make(&self.machine, call, &Nobody).await.answer;
        let descriptor = said.map_err(|fault| match fault.class {
            FailureClass::BadOutput | FailureClass::TooMuchOutput => fault.message,
            class => format!("{class}: {}", fault.message),
        })?;
        descriptor::check(&descriptor)?;
        Ok(descriptor)
    }

    /// What a component with WASI finds around it, with the directories its kind was granted.
    async fn scene(&self, linked: &Linked, grant: &Grant, input: &StepInput) -> Result<Option<Scene>, Fault> {
        if !linked.has_wasi {
            return Ok(None);
        }
        let mut dirs = Vec::new();
        for dir in &grant.dirs {
            dirs.push((dir.path.clone(), self.trees.load(dir).await?));
        }
        Ok(Some(Scene::of(input, dirs)))
    }

    /// Everything of an invocation but what is known before the call.
    async fn advance(
        &self,
        digest: Digest,
        grant: &Grant,
        input: &StepInput,
        observer: &dyn Observer,
    ) -> Called<Transition> {
        let linked = match self.loader.load(digest).await {
            Ok(linked) => linked,
            Err(error) => return Called::without_running(unloadable(&error)),
        };
        if let Some(import) = linked.imports.iter().find(|import| !grant.imports.contains(import)) {
            let kind = &input.step.kind;
            let message = format!(
                "component {} imports {import}, which kind `{kind}` is not granted: activate it with that import \
                 or activate another version",
                digest.short()
            );
            return Called::without_running(fault(FailureClass::Unloadable, &message));
        }
        let advance = linked.served.advance(input);
        let (bytes, limit) = (advance.bytes(), self.machine.limits.input_bytes);
        if bytes > limit {
            let message =
                format!("its input has {bytes} bytes, more than the {limit} a component has room for");
            return Called::without_running(fault(FailureClass::OutOfMemory, &message));
        }
        let scene = match self.scene(&linked, grant, input).await {
            Ok(scene) => scene,
            Err(fault) => return Called::without_running(fault),
        };
        self.lanes.make(&self.machine, Call { export: advance, scene }, observer).await
    }
}

fn unloadable(error: &LoadError) -> Fault {
    fault(FailureClass::Unloadable, &error.to_string())
}

/// Starts the thread that advances the epoch. It ends when the other side of its channel is dropped.
fn start_guard(engine: &Engine) -> std::io::Result<mpsc::Sender<()>> {
    let (alive, ended) = mpsc::channel();
    let engine = engine.weak();
    std::thread::Builder::new().name("sandbox-guard".to_owned()).spawn(move || {
        while ended.recv_timeout(GUARD_TICK) == Err(mpsc::RecvTimeoutError::Timeout) {
            let Some(engine) = engine.upgrade() else { return };
            engine.increment_epoch();
        }
    })?;
    Ok(alive)
}

#[async_trait]
impl StepExecutor for Sandbox {
    async fn inspect(&self, bytes: &[u8]) -> Result<Inspected, LoadError> {
        let digest = Digest::of(bytes);
        let linked = self.loader.load_bytes(digest, bytes).await?;
        let descriptor =
            self.describe(&linked).await.map_err(|reason| LoadError::BadDescriptor { reason })?;
        let world = linked.served.version().world().to_owned();
        let (imports, exports) = (linked.imports.clone(), linked.exports.clone());
        Ok(Inspected { digest, world, imports, exports, descriptor })
    }

    async fn invoke(
        &self,
        digest: Digest,
        grant: &Grant,
        input: StepInput,
        observer: &dyn Observer,
    ) -> Invocation {
        let Called { answer, record, fuel } = self.advance(digest, grant, &input, observer).await;
        let outcome = match answer {
            Ok(transition) => Outcome::Transition(Box::new(transition)),
            Err(fault) => Outcome::Fault(fault),
        };
        Invocation {
            digest,
            fingerprint: self.fingerprint,
            input,
            observations: record.observations,
            logs: record.logs,
            outcome,
            fuel,
            peak_memory: record.peak_memory as u64,
        }
    }

    async fn migrate(&self, digest: Digest, from_version: u32, state: &JsonText) -> Result<JsonText, Fault> {
        let linked = self.loader.load(digest).await.map_err(|error| unloadable(&error))?;
        let scene = linked.has_wasi.then(Scene::empty);
        let call = Call { export: Migrate { linked, from_version, state: state.clone() }, scene };
        self.lanes.make(&self.machine, call, &Nobody).await.answer
    }

    fn limits(&self) -> Vec<(&'static str, u64)> {
        self.machine.limits.named()
    }

    fn fingerprint(&self) -> Digest {
        self.fingerprint
    }
}
