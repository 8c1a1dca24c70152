//! What the rooms count, for whoever shows it. No room knows who that is.

use std::sync::Arc;
use std::time::Duration;

/// Something that happened and is counted. Names come from small sets that the host knows: nothing that a stranger or a
/// run can choose, so that what is counted stays bounded.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Measure<'a> {
    /// One request to somebody outside was answered, or was not.
    ProviderCall {
        /// Who was asked: `github`, `slack`.
        provider: &'a str,
        /// How it ended: `2xx`, `429`, `timeout`.
        outcome: &'a str,
        /// From the request to the end of the answer.
        time: Duration,
    },
    /// A provider said how many requests it still takes.
    RateLimit {
        /// Who said it.
        provider: &'a str,
        /// Requests left until its limit is renewed.
        remaining: u64,
    },
}

/// Counts. Called where work is done: an implementation neither blocks nor fails.
pub trait Meter: Send + Sync {
    /// Takes note.
    fn note(&self, measure: &Measure<'_>);
}

/// Counts nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMeter;

impl NoMeter {
    /// One to be shared.
    #[must_use]
    pub fn shared() -> Arc<dyn Meter> {
        Arc::new(Self)
    }
}

impl Meter for NoMeter {
    fn note(&self, _: &Measure<'_>) {}
}
