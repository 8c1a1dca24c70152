use crate::compile_cache::CompileCache;
use crate::faults::one_line;
use crate::limits::Limits;
use crate::shape::{self, Unfit};
use crate::state::HostState;
use crate::world::{Linked, link};
use lockstep_ports::{ComponentStore, LoadError};
use lockstep_types::Digest;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OnceCell, Semaphore};
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

/// Components kept ready. A host has some dozens of kinds, each with an active version and a few that runs in flight
/// are pinned to.
const LOADED_MAX: usize = 128;

/// Compilations at the same time. One already uses every core and, for the largest components, a gigabyte.
const COMPILATIONS_AT_ONCE: usize = 1;

/// How WebAssembly begins, and how a component goes on where a core module has its version.
const WASM_MAGIC: &[u8] = b"\0asm";
const COMPONENT_LAYER: [u8; 4] = [0x0d, 0, 1, 0];

type Slot = Arc<OnceCell<Arc<Linked>>>;

/// Brings components from the store to where they can be called: linked, in memory, each compiled once.
pub(crate) struct Loader {
    machinery: Arc<Machinery>,
    store: Arc<dyn ComponentStore>,
    limits: Arc<Limits>,
    compilations: Arc<Semaphore>,
    loaded: Mutex<Loaded>,
}

/// What the blocking part of loading needs.
struct Machinery {
    engine: Engine,
    linker: Linker<HostState>,
    cache: Option<CompileCache>,
}

#[derive(Default)]
struct Loaded {
    /// By digest: when it was last used, counted in uses, and the component once it is loaded.
    slots: HashMap<Digest, (u64, Slot)>,
    uses: u64,
}

impl Loaded {
    /// The slot of `digest`; the one unused for longest makes room for a new one.
    fn slot(&mut self, digest: Digest) -> Slot {
        self.uses += 1;
        if let Some((used, slot)) = self.slots.get_mut(&digest) {
            *used = self.uses;
            return Arc::clone(slot);
        }
        if self.slots.len() >= LOADED_MAX {
            let oldest = self.slots.iter().min_by_key(|(_, (used, _))| *used).map(|(digest, _)| *digest);
            if let Some(oldest) = oldest {
                self.slots.remove(&oldest);
            }
        }
        let slot = Slot::default();
        self.slots.insert(digest, (self.uses, Arc::clone(&slot)));
        slot
    }

    /// Frees a slot that nothing came to, so that what cannot be loaded takes no room from what can.
    fn forget_empty(&mut self, digest: &Digest) {
        if self.slots.get(digest).is_some_and(|(_, slot)| slot.get().is_none()) {
            self.slots.remove(digest);
        }
    }
}

impl Loader {
    pub(crate) fn new(
        engine: Engine,
        linker: Linker<HostState>,
        cache: Option<CompileCache>,
        store: Arc<dyn ComponentStore>,
        limits: Arc<Limits>,
    ) -> Self {
        Self {
            machinery: Arc::new(Machinery { engine, linker, cache }),
            store,
            limits,
            compilations: Arc::new(Semaphore::new(COMPILATIONS_AT_ONCE)),
            loaded: Mutex::default(),
        }
    }

    fn slot(&self, digest: Digest) -> Slot {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner).slot(digest)
    }

    /// The component `digest`, from memory, from the compile cache, or compiled from the bytes in the store.
    pub(crate) async fn load(&self, digest: Digest) -> Result<Arc<Linked>, LoadError> {
        let slot = self.slot(digest);
        if let Some(linked) = slot.get() {
            return Ok(Arc::clone(linked));
        }
        let load = async {
            if let Some(linked) = self.load_compiled(digest).await? {
                return Ok(linked);
            }
            let bytes = self.store.bytes(&digest).await.map_err(|error| {
                let reason = one_line(&chain(&error));
                LoadError::Io { digest, reason }
            })?;
            let bytes = bytes.ok_or(LoadError::Missing { digest })?;
            self.compile(digest, bytes).await
        };
        self.fill(digest, &slot, load).await
    }

    /// The component of `bytes`, which need not be stored.
    pub(crate) async fn load_bytes(&self, digest: Digest, bytes: &[u8]) -> Result<Arc<Linked>, LoadError> {
        check_bytes(bytes, self.limits.component_bytes)?;
        let load = async {
            match self.load_compiled(digest).await? {
                Some(linked) => Ok(linked),
                None => self.compile(digest, bytes.to_vec()).await,
            }
        };
        self.fill(digest, &self.slot(digest), load).await
    }

    /// Loads once however many ask: whoever comes second waits for the first, and takes over should the first fail.
    async fn fill(
        &self,
        digest: Digest,
        slot: &Slot,
        load: impl Future<Output = Result<Arc<Linked>, LoadError>>,
    ) -> Result<Arc<Linked>, LoadError> {
        let loaded = slot.get_or_try_init(|| load).await.map(Arc::clone);
        if loaded.is_err() {
            self.loaded.lock().unwrap_or_else(PoisonError::into_inner).forget_empty(&digest);
        }
        loaded
    }

    async fn load_compiled(&self, digest: Digest) -> Result<Option<Arc<Linked>>, LoadError> {
        if self.machinery.cache.is_none() {
            return Ok(None);
        }
        let machinery = Arc::clone(&self.machinery);
        off_thread(digest, move || {
            let Some(component) =
                machinery.cache.as_ref().and_then(|cache| cache.load(&machinery.engine, &digest))
            else {
                return Ok(None);
            };
            link(&machinery.engine, &machinery.linker, &component).map(|linked| Some(Arc::new(linked)))
        })
        .await
    }

    async fn compile(&self, digest: Digest, bytes: Vec<u8>) -> Result<Arc<Linked>, LoadError> {
        check_bytes(&bytes, self.limits.component_bytes)?;
        let permit = Arc::clone(&self.compilations)
            .acquire_owned()
            .await
            .map_err(|error| LoadError::Io { digest, reason: error.to_string() })?;
        let machinery = Arc::clone(&self.machinery);
        off_thread(digest, move || {
            // Held by the work itself, which goes on should its caller go away.
            let _permit = permit;
            shape::check(&bytes).map_err(|unfit| match unfit {
                Unfit::Unreadable(reason) => LoadError::NotAComponent { reason: one_line(&reason) },
                Unfit::TooComplex(reason) => LoadError::TooComplex { reason },
            })?;
            let component = Component::from_binary(&machinery.engine, &bytes)
                .map_err(|error| LoadError::NotAComponent { reason: one_line(&format!("{error:#}")) })?;
            let linked = link(&machinery.engine, &machinery.linker, &component)?;
            if let Some(cache) = &machinery.cache {
                cache.keep(&digest, &component);
            }
            Ok(Arc::new(linked))
        })
        .await
    }
}

/// Runs what takes long on a thread where nothing else waits for it.
async fn off_thread<T: Send + 'static>(
    digest: Digest,
    work: impl FnOnce() -> Result<T, LoadError> + Send + 'static,
) -> Result<T, LoadError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(LoadError::Io { digest, reason: format!("loading it ended early: {error}") }),
    }
}

/// What can be said of the bytes without compiling them.
fn check_bytes(bytes: &[u8], limit: usize) -> Result<(), LoadError> {
    if bytes.len() > limit {
        return Err(LoadError::TooLarge { size: bytes.len() as u64, limit: limit as u64 });
    }
    let not = |reason: &str| Err(LoadError::NotAComponent { reason: reason.to_owned() });
    if !bytes.starts_with(WASM_MAGIC) {
        return not("it does not begin as WebAssembly does");
    }
    match bytes.get(4..8) {
        Some(layer) if layer == COMPONENT_LAYER => Ok(()),
        Some([1, 0, 0, 0]) => not(
            "it is a core module; make a component of it with `wasm-tools component new MODULE -o COMPONENT`",
        ),
        Some(_) => not("it is of a version of WebAssembly this host does not know"),
        None => not("it ends after its first bytes"),
    }
}

/// An error and its causes on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{LOADED_MAX, Loaded};
    use lockstep_types::Digest;
    use std::sync::Arc;

    #[test]
    fn the_component_unused_for_longest_makes_room() {
        let digests: Vec<_> = (0..=LOADED_MAX).map(|n| Digest::of(&n.to_le_bytes())).collect();
        let mut loaded = Loaded::default();
        let first = loaded.slot(digests[0]);
        for digest in &digests[1..LOADED_MAX] {
            loaded.slot(*digest);
        }
        assert!(Arc::ptr_eq(&first, &loaded.slot(digests[0])), "still there, and used again");
        loaded.slot(digests[LOADED_MAX]);
        assert_eq!(loaded.slots.len(), LOADED_MAX);
        assert!(Arc::ptr_eq(&first, &loaded.slot(digests[0])));
        assert!(!loaded.slots.contains_key(&digests[1]));
    }
}
