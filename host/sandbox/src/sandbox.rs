use crate::compile_cache::CompileCache;
use crate::config::{self, Allocation, CALLS_AT_ONCE};
use crate::contract::{Failed, Said, linker};
use crate::convert::Unusable;
use crate::descriptor;
use crate::faults::{self, Stage, fault};
use crate::limits::Limits;
use crate::loader::Loader;
use crate::mailbox::{Mailbox, drive};
use crate::state::{HostState, Record};
use crate::world::Linked;
use async_trait::async_trait;
use lockstep_ports::{ComponentStore, Inspected, LoadError, Observer, StepExecutor};
use lockstep_types::{
    Descriptor, Digest, FailureClass, Fault, Invocation, JsonText, Outcome, StepInput, Transition,
};
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::Duration;
use tokio::sync::Semaphore;
use wasmtime::{Engine, Store, UpdateDeadline};

/// Fuel after which a call lets other tasks of its thread go on: about a millisecond.
const FUEL_YIELD: u64 = 2_000_000;

/// Ticks of the outer guard a call may last between observations. Fuel ends a computation after at most some seconds,
/// however slow the machine, so this decides nothing: it is there should wasmtime's fuel ever fail.
const GUARD_TICKS: u64 = 600;

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
    /// The thread of the outer guard cannot be started.
    #[error("cannot start the guard thread")]
    Guard(#[source] std::io::Error),
}

/// Calls step components in fresh wasmtime instances. See `StepExecutor`.
pub struct Sandbox {
    engine: Engine,
    loader: Loader,
    limits: Arc<Limits>,
    fingerprint: Digest,
    calls: Semaphore,
    /// Dropped with the sandbox, which ends the guard thread.
    _guard: mpsc::Sender<()>,
}

/// One export called to its end.
struct Called<T> {
    answer: Result<T, Fault>,
    record: Record,
    fuel: u64,
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
        let guard = start_guard(&engine).map_err(SandboxError::Guard)?;
        let fingerprint = config::fingerprint(&limits);
        let limits = Arc::new(limits);
        let loader = Loader::new(engine.clone(), linker, cache, store, Arc::clone(&limits));
        let calls = Semaphore::new(CALLS_AT_ONCE);
        Ok(Self { engine, loader, limits, fingerprint, calls, _guard: guard })
    }

    async fn describe(&self, linked: &Linked) -> Result<Descriptor, String> {
        let describe = async |store: &mut _| linked.served.describe(store, &self.limits).await;
        let said = self.call(None, describe).await.answer;
        let said = said.map_err(|fault| format!("{}: {}", fault.class, fault.message))?;
        let descriptor = said.map_err(|error| match error {
            Unusable::Nonsense(reason) | Unusable::TooLarge(reason) => reason,
        })?;
        descriptor::check(&descriptor)?;
        Ok(descriptor)
    }

    /// Calls one export of a fresh instance.
    async fn call<T>(
        &self,
        mailbox: Option<Arc<Mailbox>>,
        export: impl AsyncFnOnce(&mut Store<HostState>) -> Said<T>,
    ) -> Called<Result<T, Unusable>> {
        // Dropped last: a slot of the pool is free once the store is gone.
        let Ok(_permit) = self.calls.acquire().await else {
            return Called::without_running(fault(FailureClass::Unloadable, "the sandbox is closed"));
        };
        let mut store = Store::new(&self.engine, HostState::new(Arc::clone(&self.limits), mailbox));
        store.limiter(|state| state);
        store.set_hostcall_fuel(self.limits.output_bytes.saturating_mul(2));
        store.set_epoch_deadline(GUARD_TICKS);
        store.epoch_deadline_callback(|mut store| {
            // The world may take its time to answer; only a computation may not.
            let observed = store.data_mut().observed_since_last_asked();
            Ok(if observed { UpdateDeadline::Continue(GUARD_TICKS) } else { UpdateDeadline::Interrupt })
        });
        let fuel = self.limits.fuel;
        let fueled = store.set_fuel(fuel).and_then(|()| store.fuel_async_yield_interval(Some(FUEL_YIELD)));
        let said = match fueled {
            Err(error) => Err(Failed { error, stage: Stage::Instantiate }),
            Ok(()) => export(&mut store).await,
        };
        let left = store.get_fuel().unwrap_or(0);
        let answer =
            said.map_err(|Failed { error, stage }| faults::from_wasmtime(&error, stage, store.data()));
        Called { answer, record: store.into_data().into_record(), fuel: fuel.saturating_sub(left) }
    }

    /// Everything of an invocation but what is known before the call.
    async fn advance(
        &self,
        digest: Digest,
        imports: &[String],
        input: &StepInput,
        observer: &dyn Observer,
    ) -> Called<Transition> {
        let linked = match self.loader.load(digest).await {
            Ok(linked) => linked,
            Err(error) => return Called::without_running(unloadable(&error)),
        };
        if let Some(import) = linked.imports.iter().find(|import| !imports.contains(import)) {
            let kind = &input.step.kind;
            let message = format!(
                "component {} imports {import}, which kind `{kind}` is not granted: activate it with that import \
                 or activate another version",
                digest.short()
            );
            return Called::without_running(fault(FailureClass::Unloadable, &message));
        }
        let advance = linked.served.advance(input);
        let bytes = advance.bytes();
        if bytes > self.limits.input_bytes {
            let limit = self.limits.input_bytes;
            let message =
                format!("its input has {bytes} bytes, more than the {limit} a component has room for");
            return Called::without_running(fault(FailureClass::OutOfMemory, &message));
        }
        let mailbox = Arc::new(Mailbox::default());
        let call = self
            .call(Some(Arc::clone(&mailbox)), async |store: &mut _| advance.call(store, &self.limits).await);
        let Called { answer, record, fuel } = drive(call, &mailbox, observer).await;
        Called { answer: answer.and_then(|said| said.map_err(unusable)), record, fuel }
    }
}

impl<T> Called<T> {
    fn without_running(fault: Fault) -> Self {
        Self { answer: Err(fault), record: Record::default(), fuel: 0 }
    }
}

fn unloadable(error: &LoadError) -> Fault {
    fault(FailureClass::Unloadable, &error.to_string())
}

fn unusable(error: Unusable) -> Fault {
    match error {
        Unusable::Nonsense(reason) => fault(FailureClass::BadOutput, &reason),
        Unusable::TooLarge(reason) => fault(FailureClass::TooMuchOutput, &reason),
    }
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
        imports: &[String],
        input: StepInput,
        observer: &dyn Observer,
    ) -> Invocation {
        let Called { answer, record, fuel } = self.advance(digest, imports, &input, observer).await;
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
        let limits = &self.limits;
        let migrate =
            async |store: &mut _| linked.served.migrate(store, from_version, state.as_str(), limits).await;
        self.call(None, migrate).await.answer?.map_err(unusable)
    }

    fn limits(&self) -> Vec<(&'static str, u64)> {
        self.limits.named()
    }

    fn fingerprint(&self) -> Digest {
        self.fingerprint
    }
}
