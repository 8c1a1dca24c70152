//! Compiled once for each version of the contract, over that version's `bindings`: what the versions have in common, in
//! one text. What a version has of its own is in its `differs`.
//!
//! The conversions are by hand, so that neither the contract nor the vocabulary of the host can change the other
//! unnoticed; a field more on one side does not compile.

mod answers;
mod calls;
mod checks;
mod environments;
mod from_guest;
mod history;
mod log;
mod mergeability;
mod release_health;
#[cfg(test)]
mod tests;
mod to_guest;

pub(super) use super::{bindings, differs};
pub(super) use answers::observe_error;
pub(crate) use calls::{Advance, Component, add_to_linker, check_export};
pub(super) use to_guest::{Copier, item_status_of};
