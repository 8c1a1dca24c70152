//! The files that people hand to `lockstep step test`, read as it reads them. For tests that try what is wrong with one.

use lockstep_types::{Capsule, Descriptor};

/// Reads a capsule.
///
/// # Errors
/// What is wrong with it, and what to do.
pub fn capsule(text: &str) -> Result<Capsule, String> {
    lockstep_types::capsule_text::read(text)
}

/// A capsule as a file.
#[must_use]
pub fn write_capsule(capsule: &Capsule) -> String {
    lockstep_types::capsule_text::write(capsule)
}

/// Reads a table of cases, in TOML or JSON, for a component that says `descriptor` of itself, and gives their number.
///
/// # Errors
/// What is wrong with it: the file, the case and what.
pub fn cases(text: &str, is_toml: bool, descriptor: &Descriptor) -> Result<usize, String> {
    let read = crate::cases::read_text("cases", text, is_toml, &descriptor.kind);
    let cases = read.map_err(|error| format!("{error:#}"))?;
    for case in &cases {
        crate::cases::check(case, descriptor).map_err(|error| format!("{error:#}"))?;
    }
    Ok(cases.len())
}
