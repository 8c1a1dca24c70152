//! What every version of the contract reads and counts in the same way.

mod answer_bytes;
mod json;

pub(crate) use answer_bytes::answer_bytes;
pub(crate) use json::check_json;

/// Why what a component returned cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// It makes no sense.
    Nonsense(String),
    /// It is more than a component may return.
    TooLarge(String),
}

impl Unusable {
    /// It returned an error, which is a fault of its own.
    pub(crate) fn gave_up(export: &str, why: &str) -> Self {
        let why = if why.trim().is_empty() { "no reason given" } else { why };
        Self::Nonsense(format!("its `{export}` gave up: {why}"))
    }
}
