//! Boards as a part of the host: items, schedules, budgets and cards, kept in step with the runs that are made for them.
//!
//! `lockstep-board` decides. Here a command takes a board's gate, decides, stores and applies; a turn of a run stores
//! what it leaves on its board in the same commit.

mod cards;
mod clock;
mod command;
mod desk;
mod errands;
mod left;
mod merge;
mod service;
mod start;
mod turns;

pub(crate) use desk::{Boards, Desk, Writer};
pub(crate) use left::Left;
pub(crate) use start::Starting;
