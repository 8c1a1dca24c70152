use serde::Deserialize;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Seconds of a lease: long enough for a slow network, short enough that a lost worker is noticed the same hour.
const LEASE_SECONDS: RangeInclusive<u64> = 2..=3600;

/// The section `[workers]`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct WorkersConfig {
    /// How long a worker may say nothing before it counts as lost.
    lease_s: u64,
}

impl Default for WorkersConfig {
    fn default() -> Self {
        Self { lease_s: 60 }
    }
}

impl WorkersConfig {
    pub(super) fn check(&self) -> Result<(), String> {
        let (from, to) = (LEASE_SECONDS.start(), LEASE_SECONDS.end());
        if LEASE_SECONDS.contains(&self.lease_s) {
            Ok(())
        } else {
            Err(format!(" `lease_s` of [workers] is {}: use {from} to {to}", self.lease_s))
        }
    }

    pub(crate) fn lease(&self) -> Duration {
        Duration::from_secs(self.lease_s)
    }
}
