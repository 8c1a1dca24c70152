//! Stand-ins for every port, and the contract that a journal has to keep.
//!
//! Everything here is driven by the test: no thread, no timer and no sleep of its own, and the same calls give the same
//! answers. It never checks what a run does; it keeps count so that a test can. A lock poisoned by a failed test is used on.
#![warn(missing_docs)]

mod access;
pub mod access_contract;
mod clock;
mod components;
mod credentials;
mod deliveries;
pub mod deliveries_contract;
mod executor;
mod forge;
mod jobs;
mod journal;
pub mod journal_contract;
mod outside;
pub mod registry_contract;
pub mod samples;
mod script;

pub use access::MemAccess;
pub use clock::SimClock;
pub use components::MemComponents;
pub use credentials::FakeCredentials;
pub use deliveries::MemDeliveries;
pub use executor::ScriptedExecutor;
pub use forge::FakeForge;
pub use jobs::{FakeEffects, FakeJobs};
pub use journal::MemJournal;
pub use outside::{FakeChangeSource, FakeChecks, FakeMergeability, FakeObservations, FakeWorkspace};
pub use script::Script;

use std::sync::{Mutex, MutexGuard, PoisonError};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
