//! The providers against real git repositories and real programs. What has to happen in an order is ordered by files
//! and pipes, never by time.
#![allow(clippy::unwrap_used, reason = "the helpers of tests may fail their test")]

mod checks;
mod commands;
mod credentials;
mod effects;
mod fixture;
mod github;
mod health;
mod hostile;
mod http;
mod jobs;
mod lifetimes;
mod looks;
mod loopback;
mod models;
mod names;
mod notify;
mod observe;
mod registry;
mod shipping;
mod tickets;
mod wire;
mod workers;
