//! Who may do what: tokens, sessions of pages, roles, workspaces, limits of requests, and the audit.
//!
//! It knows neither HTTP nor a store: a server or a terminal says who asks ([`acting`]), and every service of the host stands
//! behind a [`Guarded`] one that asks who that is, refuses what they may not do, shows only what they may see, acts in their
//! name, and writes down what they asked for before it is done.

mod audit;
mod buckets;
mod guarded;
mod identity;
mod keeper;
mod sessions;
mod token;

pub use buckets::Buckets;
pub use guarded::{Guarded, Offered};
pub use identity::{Identity, acting, carried, current};
pub use keeper::Access;
pub use sessions::{SESSION_ABSOLUTE_MS, SESSION_IDLE_MS};
