use async_trait::async_trait;
use lockstep_ports::Clock;
use lockstep_types::Timestamp;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The clock of the machine.
#[derive(Debug, Default)]
pub struct SystemClock {
    seed: RandomState,
    count: AtomicU64,
}

/// Longest sleep at once, so that a clock that was set forward meanwhile is noticed.
const SLEEP_MAX: Duration = Duration::from_secs(60);

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    async fn sleep_until(&self, at: Timestamp) {
        loop {
            let left = Duration::from_millis(at.ms_since(self.now()));
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(SLEEP_MAX)).await;
        }
    }

    fn unique(&self) -> u64 {
        // The standard library seeds `RandomState` from the operating system; the counter makes calls differ.
        self.seed.hash_one(self.count.fetch_add(1, Ordering::Relaxed))
    }
}
