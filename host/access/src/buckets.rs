//! How often somebody may ask: a token bucket each.

use lockstep_types::Timestamp;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Whoever is counted at once: a bound on memory, some hundred kilobytes. Beyond it those who asked least are forgotten.
const COUNTED_MAX: usize = 4096;

/// Thousandths of a request, so that slow rates are exact too.
const UNIT: u64 = 1000;

/// A bucket for each of many.
pub struct Buckets {
    /// Requests a minute that are always let through.
    per_minute: u64,
    /// Requests at once, in units.
    burst: u64,
    counted: Mutex<HashMap<String, Bucket>>,
}

#[derive(Clone, Copy)]
struct Bucket {
    left: u64,
    at: Timestamp,
}

impl Buckets {
    /// So many requests a minute, and so many at once before that counts; at least one of each.
    #[must_use]
    pub fn new(per_minute: u32, burst: u32) -> Self {
        Self {
            per_minute: u64::from(per_minute.max(1)),
            burst: u64::from(burst.max(1)) * UNIT,
            counted: Mutex::default(),
        }
    }

    /// Takes one request of `who`.
    ///
    /// # Errors
    /// There is none left: seconds until there is one, at least 1.
    pub fn take(&self, who: &str, now: Timestamp) -> Result<(), u64> {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let left = counted.get(who).map_or(self.burst, |bucket| self.left(bucket, now));
        if left < UNIT {
            let missing_ms = ((UNIT - left) * 60_000).div_ceil(self.per_minute * UNIT);
            return Err(missing_ms.div_ceil(1000).max(1));
        }
        if counted.len() >= COUNTED_MAX && !counted.contains_key(who) {
            self.forget(&mut counted, now);
        }
        counted.insert(who.to_owned(), Bucket { left: left - UNIT, at: now });
        Ok(())
    }

    fn left(&self, bucket: &Bucket, now: Timestamp) -> u64 {
        let grown = now.ms_since(bucket.at).saturating_mul(self.per_minute * UNIT) / 60_000;
        bucket.left.saturating_add(grown).min(self.burst)
    }

    /// Forgets those whose bucket is full, which changes nothing for them, and if there are none the fullest.
    fn forget(&self, counted: &mut HashMap<String, Bucket>, now: Timestamp) {
        counted.retain(|_, bucket| self.left(bucket, now) < self.burst);
        if counted.len() >= COUNTED_MAX
            && let Some(fullest) = counted.iter().max_by_key(|(_, bucket)| self.left(bucket, now))
        {
            let fullest = fullest.0.clone();
            counted.remove(&fullest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Buckets, COUNTED_MAX};
    use lockstep_types::Timestamp;

    #[test]
    fn a_burst_is_let_through_and_then_the_rate() {
        let buckets = Buckets::new(6, 3);
        let at = |s: u64| Timestamp(1_000_000 + s * 1000);
        let take = |s| buckets.take("a", at(s));
        assert_eq!([take(0), take(0), take(0), take(0)], [Ok(()), Ok(()), Ok(()), Err(10)]);
        assert_eq!(buckets.take("b", at(0)), Ok(()), "others are not held up");
        assert_eq!([take(9), take(10), take(10)], [Err(1), Ok(()), Err(10)]);
        assert_eq!([take(1000), take(1000), take(1000), take(1000)], [Ok(()), Ok(()), Ok(()), Err(10)]);
        // A clock that was set back grants nothing and takes nothing away.
        assert_eq!(take(0), Err(10));
    }

    #[test]
    fn only_so_many_are_counted() {
        let buckets = Buckets::new(1, 2);
        assert_eq!(buckets.take("loud", Timestamp(1)), Ok(()));
        assert_eq!(buckets.take("loud", Timestamp(1)), Ok(()));
        for n in 0..2 * COUNTED_MAX {
            assert_eq!(buckets.take(&n.to_string(), Timestamp(1)), Ok(()));
        }
        assert!(buckets.counted.lock().expect("not poisoned").len() <= COUNTED_MAX);
        assert!(buckets.take("loud", Timestamp(1)).is_err(), "whoever asked most is not forgotten first");
    }
}
