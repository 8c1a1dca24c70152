//! The pure core: the state machine of one run, and the turn that takes it from one input to the next wait.
//!
//! It does no I/O, reads no clock, makes no ids, is not async and knows nothing of WebAssembly, CI, tests, grades or
//! merges. Time arrives with the input, a component's answer is an input like any other, and what is to be done
//! outside is read off the state: `Run::outstanding` and `Run::next_wakeup`.
//!
//! The contract with the driver: `Turn::begin` with an input; while `Turn::next_call` gives a call, make it and hand the
//! record to `Turn::called`; `Turn::finish` gives the record to commit; only when that is durable may the new state
//! replace the old one and anything be dispatched.
#![warn(missing_docs)]

mod apply;
mod context;
mod decide;
mod notices;
mod pins;
mod run;
mod timeline;
mod turn;
mod view;

pub use apply::ReplayError;
pub use run::{AnswerRecord, Attempt, Command, HeldEnvironment, Phase, Run, Step};
pub use timeline::timeline;
pub use turn::{Call, Finished, Recorded, Turn};

#[cfg(test)]
mod tests;
