//! Between the contract as wasmtime sees it and the vocabulary of the host. By hand, so that neither can change the
//! other unnoticed; a field more on one side does not compile.

mod answers;
mod from_guest;
mod json;
#[cfg(test)]
mod tests;
mod to_guest;

pub(crate) use answers::{answer_bytes, observe_error};
pub(crate) use from_guest::{Unusable, descriptor, state_text, transition};
pub(crate) use json::check_json;
pub(crate) use to_guest::step_input;
