//! Cases of a step component: what it is given, and what has to come out. Written by hand as short tables, or capsules of
//! recorded calls. They need no server and no data folder.

mod bless;
mod event;
mod fields;
mod file;
mod pattern;
mod runner;
mod standard;
mod world;

pub(crate) use bless::bless;
pub(crate) use file::{Case, read, read_text};
pub(crate) use pattern::Mismatch;
pub(crate) use runner::{CallReport, CaseReport, Tested, check, run};
pub(crate) use standard::{kinds, of_kind};

use crate::exit::Refused;

/// A refusal that names the file and, where there is one, the case.
fn wrong(file: &str, case: Option<&str>, what: impl std::fmt::Display) -> anyhow::Error {
    Refused(match case {
        Some(case) => format!("{file}: case {case:?}: {what}"),
        None => format!("{file}: {what}"),
    })
    .into()
}

#[cfg(test)]
mod tests;
