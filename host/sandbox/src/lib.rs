//! Runs step components under wasmtime: loads them by digest, calls each time a fresh instance under fixed limits,
//! answers their imports, and records the call so completely that it can be made again.
//!
//! The same call gives the same record, to the byte, on every machine of the same fingerprint. Nothing here reads a
//! clock, a file of the change or a network for a component: what it may know comes in the input or from the
//! observer handed in with the call. No component error is an error of the host; it is a `Fault` in the record.
#![warn(missing_docs)]

mod calls;
mod compile_cache;
mod config;
mod contract;
mod convert;
mod descriptor;
mod faults;
mod lanes;
mod limits;
mod loader;
mod log_book;
mod mailbox;
mod sandbox;
mod shape;
mod signature;
mod state;
mod wasi;
mod world;

pub use config::{Allocation, WASMTIME_VERSION};
pub use contract::{OFFERED, WORLDS};
pub use limits::Limits;
pub use sandbox::{Sandbox, SandboxError, SandboxOptions};

/// What a component reads at `path` of a granted directory; none where it finds no file.
#[must_use]
pub fn resolve_in_dir(dir: &lockstep_types::DirSnapshot, path: &str) -> Option<Vec<u8>> {
    wasi::resolve(dir, path)
}
