use crate::contract::WORLDS;
use crate::lanes::CALLS_AT_ONCE;
use crate::limits::Limits;
use lockstep_types::Digest;
use std::fmt::Write as _;
use std::num::NonZeroUsize;
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

/// The wasmtime this host is built with. Another version may use other fuel for the same component.
pub const WASMTIME_VERSION: &str = "48.0.8";

/// Host functions run on the call's stack too; they are shallow, and one page fault would end the process.
const HOST_STACK_BYTES: usize = 512 << 10;

/// Frames of a guest's backtrace: enough to find the line, few enough to read.
pub(crate) const BACKTRACE_FRAMES: NonZeroUsize = NonZeroUsize::new(20).expect("20 is not 0");

/// Bytes of a memory, a table and a stack that stay resident between calls: zeroing this much costs less than
/// giving it back and faulting it in again.
const KEEP_RESIDENT: (usize, usize, usize) = (256 << 10, 64 << 10, 64 << 10);

/// Bytes a memory could have by its place in the pool. wasmtime reserves as much address space anyway, to check bounds
/// by page faults; how much a call may have is decided by its limits alone.
const SLOT_BYTES: usize = 4 << 30;

/// Where instances live. Outcome and fuel are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Allocation {
    /// In slots reserved once; twice as fast.
    #[default]
    Pooled,
    /// Reserved call by call, for processes that may not reserve much address space.
    OnDemand,
}

/// The one configuration calls are made under. What is set here and can change code, fuel or outcome is named in
/// `code_words`.
pub(crate) fn config(limits: &Limits, allocation: Allocation) -> Config {
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .epoch_interruption(true)
        .max_wasm_stack(limits.stack_bytes)
        .async_stack_size(limits.stack_bytes + HOST_STACK_BYTES)
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(true)
        .relaxed_simd_deterministic(true)
        .wasm_memory64(false)
        .cranelift_opt_level(OptLevel::Speed)
        .wasm_backtrace_max_frames(Some(BACKTRACE_FRAMES));
    if allocation == Allocation::Pooled {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(limits)));
    }
    config
}

fn pool(limits: &Limits) -> PoolingAllocationConfig {
    let slots = |each: usize| u32::try_from(each * CALLS_AT_ONCE).unwrap_or(u32::MAX);
    let count = |of: usize| u32::try_from(of).unwrap_or(u32::MAX);
    let (memory, table, stack) = KEEP_RESIDENT;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots(1))
        .total_stacks(slots(1))
        .total_core_instances(slots(limits.core_instances))
        .total_memories(slots(limits.memories))
        .total_tables(slots(limits.tables))
        .max_memory_size(SLOT_BYTES)
        .max_core_instances_per_component(count(limits.core_instances))
        .max_memories_per_component(count(limits.memories))
        .max_tables_per_component(count(limits.tables))
        .table_elements(limits.table_elements)
        .max_unused_warm_slots(slots(1))
        .linear_memory_keep_resident(memory)
        .table_keep_resident(table)
        .async_stack_keep_resident(stack)
        .pagemap_scan(Enabled::Auto);
    pool
}

/// Everything that can change the code a component compiles to.
fn code_words() -> String {
    format!(
        "wasmtime {WASMTIME_VERSION}; {}; cranelift speed; fuel; epochs; nan canonical; relaxed simd deterministic; \
         no threads; no memory64; wasi 0.2 virtual 1; {}",
        std::env::consts::ARCH,
        WORLDS.join(", "),
    )
}

/// Names the folder of compiled code: code of another configuration is never loaded.
pub(crate) fn code_fingerprint() -> Digest {
    Digest::of(code_words().as_bytes())
}

/// Names everything that can change fuel or outcome of a call.
pub(crate) fn fingerprint(limits: &Limits) -> Digest {
    let mut words = code_words();
    // Writing to a text cannot fail. The debug form names every field, so a new limit cannot be forgotten.
    let _ = write!(words, "; {limits:?}");
    Digest::of(words.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::{WASMTIME_VERSION, fingerprint};
    use crate::Limits;

    #[test]
    fn the_named_wasmtime_is_the_one_built_with() {
        let lock = include_str!("../../../Cargo.lock").replace("\r\n", "\n");
        assert!(lock.contains(&format!("name = \"wasmtime\"\nversion = \"{WASMTIME_VERSION}\"\n")));
    }

    #[test]
    fn another_limit_is_another_fingerprint() {
        let limits = Limits::default();
        let more = Limits { log_lines: limits.log_lines + 1, ..Limits::default() };
        assert_eq!(fingerprint(&limits), fingerprint(&limits.clone()));
        assert_ne!(fingerprint(&limits), fingerprint(&more));
    }
}
