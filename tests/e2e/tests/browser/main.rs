//! The pages in a real browser, over the real binary: what people come for, done by clicking as a new user would. A page that
//! logs an error, breaks its own policy or asks anybody but its server fails the test; pictures of all are in
//! `target/screenshots`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

#[allow(dead_code, reason = "the end-to-end tests use all of it")]
#[path = "../it/host.rs"]
mod host;
mod program;
mod runs;
#[allow(dead_code, reason = "the end-to-end tests use all of it")]
#[path = "../it/server.rs"]
mod server;
#[allow(dead_code, reason = "the end-to-end tests use all of it")]
#[path = "../it/shop.rs"]
mod shop;
mod visitor;
