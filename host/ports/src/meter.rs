//! What the rooms count, for whoever shows it. No room knows who that is.

use async_trait::async_trait;
use lockstep_types::RunStatus;
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
    /// A turn was made durable, or was not.
    Commit {
        /// `durable`, `failed`.
        outcome: &'a str,
        /// How long it took.
        time: Duration,
    },
    /// A run stands elsewhere.
    Moved {
        /// Where it stood; none: it is new, or was found at a start.
        from: Option<RunStatus>,
        /// Where it stands.
        to: RunStatus,
    },
    /// A component was called.
    Invocation {
        /// Step kind.
        kind: &'a str,
        /// `transition`, or the class of a fault.
        outcome: &'a str,
        /// Fuel it used.
        fuel: u64,
        /// How long it took, waiting for its turn included.
        time: Duration,
    },
    /// A job or an effect ended.
    Work {
        /// What it is: `job`, `effect`.
        what: &'a str,
        /// Kind of job, name of effect.
        kind: &'a str,
        /// How it ended.
        outcome: &'a str,
        /// How long it took.
        time: Duration,
    },
    /// There is more or less of something.
    Level {
        /// Of what: `jobs`, `effects`, `invocations`, `event-streams`.
        what: &'a str,
        /// By how much.
        change: i64,
    },
    /// A request was answered.
    Request {
        /// Its method.
        method: &'a str,
        /// The path with names for what varies in it: `/v1/runs/{run}`.
        route: &'a str,
        /// Status of the answer.
        status: u16,
        /// Until its head was ready.
        time: Duration,
    },
    /// A message to somebody who follows what happens.
    Delivery {
        /// Who, as the operator named it.
        listener: &'a str,
        /// How it ended: `delivered`, `failed` (it is sent again), `given-up`.
        outcome: &'a str,
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

/// Shows what was counted.
#[async_trait]
pub trait MetricsPage: Send + Sync {
    /// Everything as it is now, in the text format of Prometheus (OpenMetrics 1.0).
    async fn page(&self) -> String;
}

/// Says whether the host can do what it is there for.
#[async_trait]
pub trait Readiness: Send + Sync {
    /// What is in the way, a line each: what, and what to do. Nothing: it is ready.
    async fn missing(&self) -> Vec<String>;
}
