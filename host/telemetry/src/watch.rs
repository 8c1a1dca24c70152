//! Ports as they are used, seen from outside: each call is passed on, counted, and a span of a trace.

mod executor;
mod journal;
mod work;

pub use executor::WatchedExecutor;
pub use journal::WatchedJournal;
pub use work::{WatchedEffects, WatchedJobs};

use lockstep_ports::{Measure, Meter};
use std::sync::Arc;

/// Counts something as under way until it is dropped.
struct UnderWay<'a> {
    meter: &'a Arc<dyn Meter>,
    what: &'static str,
}

impl<'a> UnderWay<'a> {
    fn new(meter: &'a Arc<dyn Meter>, what: &'static str) -> Self {
        meter.note(&Measure::Level { what, change: 1 });
        Self { meter, what }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.meter.note(&Measure::Level { what: self.what, change: -1 });
    }
}
