//! The driver over stand-ins for everything around it: what is done once, what survives, and what people are told.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod backtest;
mod board;
mod components;
mod crash;
mod dirs;
mod flow;
mod follow;
mod hooks;
mod host;
mod outside;
mod people;
mod pins;
mod reading;
mod refused;
mod registry;
mod retention;
