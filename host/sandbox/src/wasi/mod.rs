//! WASI 0.2 for components of standard toolchains, as far as a pure function can have it: a clock that stands still, bytes
//! that look random and follow from the input, output that becomes log lines, files of granted directories as they were
//! when they were granted. No environment, no arguments, no input, no network. Nothing here reads this machine.

mod clocks;
mod files;
mod random;
mod stdio;
mod tree;
mod trees;

pub(crate) use tree::Tree;
pub(crate) use trees::Trees;

use crate::limits::Limits;
use crate::log_book::{LogBook, Output};
use crate::state::{Breach, HostState};
use clocks::Clock;
use files::HasFiles;
use lockstep_types::{Digest, DirSnapshot, StepInput, Timestamp};
use random::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use stdio::LogOutput;
use wasmtime::component::{HasData, Linker, ResourceTable};
use wasmtime_wasi::p2::bindings;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

/// Begins the names of the interfaces.
const NAMESPACE: &str = "wasi:";

/// The packages there are; others, such as `wasi:http`, would reach beyond the input.
pub(crate) const PACKAGES: [&str; 6] = ["cli", "clocks", "filesystem", "io", "random", "sockets"];

/// Resources a component may hold at once: open files, streams, things it waits for. Each costs the host some hundred
/// bytes, which no other limit counts.
const HANDLES_MAX: usize = 4096;

/// What is read at `path` of a granted directory, found as a component's `open-at` finds it.
pub(crate) fn resolve(dir: &DirSnapshot, path: &str) -> Option<Vec<u8>> {
    files::read_at(Arc::new(Tree::new(dir.digest(), dir.clone())), path)
}

/// Whether `import` names an interface of WASI 0.2 there is.
pub(crate) fn is_offered(import: &str) -> bool {
    let Some((package, rest)) = import.strip_prefix(NAMESPACE).and_then(|rest| rest.split_once('/')) else {
        return false;
    };
    PACKAGES.contains(&package)
        && rest.split_once('@').is_some_and(|(_, version)| version.starts_with("0.2."))
}

/// What a component with WASI finds around it.
#[derive(Clone)]
pub(crate) struct Scene {
    now: Timestamp,
    seed: Digest,
    /// Directories, by the path the component finds them at.
    pub(crate) dirs: Vec<(String, Arc<Tree>)>,
}

impl Scene {
    /// Around a component that describes itself or reads a state: nothing happened, no time has passed.
    pub(crate) fn empty() -> Self {
        Self { now: Timestamp(0), seed: Digest::zero(), dirs: Vec::new() }
    }

    /// Around a component that handles an event.
    pub(crate) fn of(input: &StepInput, dirs: Vec<(String, Arc<Tree>)>) -> Self {
        Self { now: input.run.now, seed: seed(input), dirs }
    }
}

/// From what random bytes follow: the run, the step, and the event as it is recorded. Not from all of the input: what a
/// newer host tells beside it must not change the bytes of a call that is made again.
fn seed(input: &StepInput) -> Digest {
    let mut event = serde_json::to_value(&input.event).unwrap_or_default();
    without_nulls(&mut event);
    let state = input.state.as_ref().map(lockstep_types::JsonText::as_str);
    let step = (&input.step.name, input.step.attempt, input.decisions.len());
    Digest::of(serde_json::json!([&input.run.id, input.run.now, step, state, event]).to_string().as_bytes())
}

/// A number JSON cannot hold is recorded as `null`, and read as absent.
fn without_nulls(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(without_nulls);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

/// What is left of the bytes the host copies for a component. Fuel does not count them.
#[derive(Clone)]
pub(super) struct Budget {
    used: Arc<AtomicUsize>,
    limit: usize,
}

impl Budget {
    pub(super) fn take(&self, bytes: usize) -> Result<(), Breach> {
        let used = self.used.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if used > self.limit { Err(Breach::WasiBytes { limit: self.limit }) } else { Ok(()) }
    }
}

/// The state of WASI in one call.
pub(crate) struct Wasi {
    table: ResourceTable,
    ctx: WasiCtx,
    clock: Clock,
    random: Bytes,
    budget: Budget,
    dirs: Vec<(String, Arc<Tree>)>,
}

impl Wasi {
    pub(crate) fn new(scene: Scene, limits: &Limits, logs: &LogBook) -> Self {
        let Scene { now, seed, dirs } = scene;
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES_MAX);
        // What is not set here is empty: environment, arguments, input. Directories are not wasmtime's.
        let ctx = WasiCtx::builder()
            .stdout(LogOutput::new(logs.clone(), Output::Standard))
            .stderr(LogOutput::new(logs.clone(), Output::Error))
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .build();
        let budget = Budget { used: Arc::default(), limit: limits.wasi_bytes };
        Self { table, ctx, clock: Clock::at(now), random: Bytes::new(seed, budget.clone()), budget, dirs }
    }
}

impl HostState {
    fn wasi(&mut self) -> &mut Wasi {
        self.wasi.as_mut().expect("set for every component that imports WASI")
    }
}

impl WasiView for HostState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let wasi = self.wasi();
        WasiCtxView { ctx: &mut wasi.ctx, table: &mut wasi.table }
    }
}

/// Says that the host traits are implemented by `clocks::View`.
struct HasClock;

impl HasData for HasClock {
    type Data<'a> = clocks::View<'a>;
}

/// Says that the host traits are implemented by `random::Bytes`.
struct HasRandom;

impl HasData for HasRandom {
    type Data<'a> = &'a mut Bytes;
}

fn clock(state: &mut HostState) -> clocks::View<'_> {
    let wasi = state.wasi();
    clocks::View { clock: &wasi.clock, table: &mut wasi.table }
}

fn random(state: &mut HostState) -> &mut Bytes {
    &mut state.wasi().random
}

fn files(state: &mut HostState) -> files::View<'_> {
    let wasi = state.wasi();
    files::View { table: &mut wasi.table, dirs: &wasi.dirs, budget: &wasi.budget }
}

/// Offers WASI: wasmtime's own, with clocks, random bytes and files in place of the machine's.
pub(crate) fn add_to_linker(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    linker.allow_shadowing(true);
    bindings::clocks::wall_clock::add_to_linker::<HostState, HasClock>(linker, clock)?;
    bindings::clocks::monotonic_clock::add_to_linker::<HostState, HasClock>(linker, clock)?;
    bindings::random::random::add_to_linker::<HostState, HasRandom>(linker, random)?;
    bindings::random::insecure::add_to_linker::<HostState, HasRandom>(linker, random)?;
    bindings::random::insecure_seed::add_to_linker::<HostState, HasRandom>(linker, random)?;
    bindings::filesystem::types::add_to_linker::<HostState, HasFiles>(linker, files)?;
    bindings::filesystem::preopens::add_to_linker::<HostState, HasFiles>(linker, files)?;
    linker.allow_shadowing(false);
    Ok(())
}
