//! What a forge's webhooks say, and what follows from it for items and runs.
//!
//! Both are functions: bytes in, a [`ForgeEvent`] out; an event and what is known of its item in, a [`Reaction`] out. Who stores
//! deliveries, asks the forge and carries reactions out is elsewhere.
#![warn(missing_docs)]

mod event;
pub mod github;
mod known;
mod reactions;

pub use event::{ForgeEvent, Happened, Reading, SeenPullRequest};
pub use known::{Budgets, Known, KnownRun, KnownStep, Mark, MarkKind};
pub use reactions::{Options, Reaction, react};
