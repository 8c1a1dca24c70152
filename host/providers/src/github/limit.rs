//! When GitHub may be asked again: a function of what it said, without a clock of its own.

use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// How long nobody asks after a secondary limit that names no time, as GitHub's documentation wants it; doubled for each
/// further one in a row.
const SECONDARY_WAIT: Duration = Duration::from_mins(1);
/// Times it is doubled at most.
const SECONDARY_DOUBLINGS: u32 = 5;
/// Longest time a reset is believed: a primary limit is renewed every hour.
const RESET_MAX: Duration = Duration::from_hours(2);

/// What an answer says of limits.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Said {
    /// Whether the request was refused for a limit.
    pub(super) is_limited: bool,
    /// `Retry-After`, or the time until the limit that is used up is renewed.
    pub(super) wait: Option<Duration>,
    /// Whether the primary limit is used up, by this request or before it.
    pub(super) is_spent: bool,
}

/// Until when nobody asks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limit {
    until: Option<Instant>,
    /// Refusals in a row.
    in_a_row: u32,
}

impl Limit {
    /// Takes note of an answer that came at `now`.
    pub(super) fn heard(&mut self, said: Said, now: Instant) {
        if !said.is_limited {
            self.in_a_row = 0;
        }
        let wait = match (said.is_limited, said.is_spent, said.wait) {
            (true, _, Some(wait)) => wait,
            (true, _, None) => {
                let wait = SECONDARY_WAIT.saturating_mul(1 << self.in_a_row.min(SECONDARY_DOUBLINGS));
                self.in_a_row = self.in_a_row.saturating_add(1);
                wait
            }
            // The last one that was allowed: the next would be refused.
            (false, true, Some(wait)) => wait,
            (false, _, _) => return,
        };
        let until = now + wait.min(RESET_MAX);
        self.until = Some(self.until.map_or(until, |known| known.max(until)));
    }

    /// How long to wait at `now` before anybody asks.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        self.until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }
}

/// A moment that is `wait` from now, for people: `14:03:20 UTC`.
pub(super) fn clock_time(now: SystemTime, wait: Duration) -> String {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default() + wait;
    let of_day = since.as_secs() % 86_400;
    format!("{:02}:{:02}:{:02} UTC", of_day / 3600, of_day / 60 % 60, of_day % 60)
}

#[cfg(test)]
mod tests {
    use super::{Limit, Said, clock_time};
    use std::time::{Duration, SystemTime};
    use tokio::time::Instant;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn a_limit_holds_until_it_is_renewed() {
        let (mut limit, now) = (Limit::default(), Instant::now());
        limit.heard(Said::default(), now);
        assert_eq!(limit.wait(now), Duration::ZERO);
        // The primary one: GitHub says with the last answer that there will be no other.
        limit.heard(Said { is_limited: false, wait: Some(seconds(90)), is_spent: true }, now);
        assert_eq!(limit.wait(now), seconds(90));
        assert_eq!(limit.wait(now + seconds(91)), Duration::ZERO);
        // An answer to a request that was under way then does not end it.
        limit.heard(Said::default(), now + seconds(1));
        assert_eq!(limit.wait(now + seconds(30)), seconds(60));
    }

    #[test]
    fn a_secondary_limit_without_a_time_is_waited_for_longer_each_time() {
        let (mut limit, mut now) = (Limit::default(), Instant::now());
        let refused = |wait| Said { is_limited: true, wait, is_spent: false };
        for expected in [60, 120, 240, 480, 960, 1920, 1920] {
            limit.heard(refused(None), now);
            assert_eq!(limit.wait(now), seconds(expected));
            now += seconds(expected);
        }
        limit.heard(Said::default(), now);
        limit.heard(refused(None), now);
        assert_eq!(limit.wait(now), seconds(60));
        limit.heard(refused(Some(seconds(300))), now);
        assert_eq!(limit.wait(now), seconds(300));
        limit.heard(refused(Some(seconds(u64::MAX))), now);
        assert_eq!(limit.wait(now), seconds(7200), "no header stops the host for ever");
    }

    #[test]
    fn a_moment_is_told_as_a_time_of_day() {
        let noon = SystemTime::UNIX_EPOCH + seconds(20_000 * 86_400 + 43_200);
        assert_eq!(clock_time(noon, seconds(3_723)), "13:02:03 UTC");
        assert_eq!(clock_time(noon, seconds(43_200)), "00:00:00 UTC");
    }
}
