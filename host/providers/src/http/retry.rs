//! When a request is made again: a function of what came back, without clock or chance of its own.

use super::{HttpError, HttpFault, HttpResponse};
use std::time::{Duration, SystemTime};

/// When a request is made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Times it is made at most.
    pub attempts: u32,
    /// Wait before the second time; doubled for each further one, and up to half of it is left out by chance, so that not
    /// everybody comes back at once.
    pub first: Duration,
    /// Longest wait. A service that asks for more is not asked again: its answer says until when.
    pub longest: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 4, first: Duration::from_millis(500), longest: Duration::from_secs(30) }
    }
}

impl Retry {
    /// Every request is made once.
    pub const NEVER: Self = Self { attempts: 1, first: Duration::ZERO, longest: Duration::ZERO };

    /// How long to wait after the `attempt`th time, the first being 1; none if that was the last. `asked` is what the
    /// service wants, `random` any number.
    pub(super) fn wait(&self, attempt: u32, asked: Asked, random: u64) -> Option<Duration> {
        if attempt >= self.attempts {
            return None;
        }
        let doubled = self.first.saturating_mul(1 << (attempt - 1).min(16)).min(self.longest);
        let half = doubled / 2;
        let spread = u64::try_from(half.as_nanos()).unwrap_or(u64::MAX).saturating_add(1);
        let back_off = doubled - Duration::from_nanos(random % spread);
        match asked {
            Asked::BackOff => Some(back_off),
            // Not earlier than asked for; the chance is added.
            Asked::After(time) if time <= self.longest => Some(time + (doubled - back_off)),
            Asked::After(_) => None,
        }
    }
}

/// What a failure asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Another try after a while.
    BackOff,
    /// Another try after this time.
    After(Duration),
}

/// Whether a request should be made again; `may_repeat` says whether it may be carried out twice.
pub(super) fn asked(outcome: &Result<HttpResponse, HttpError>, may_repeat: bool) -> Option<Asked> {
    match outcome {
        Ok(response) => {
            let again = match response.status {
                // Was not carried out.
                _ if response.is_throttled() => true,
                408 | 500 | 502 | 503 | 504 => may_repeat,
                _ => false,
            };
            again.then(|| response.retry_after().map_or(Asked::BackOff, Asked::After))
        }
        Err(error) => match &error.fault {
            HttpFault::Unreachable(_) => Some(Asked::BackOff),
            HttpFault::CutShort(_) | HttpFault::Timeout(_) => may_repeat.then_some(Asked::BackOff),
            _ => None,
        },
    }
}

/// What `Retry-After` (seconds or a date) or else the second since 1970 at which a limit is renewed means at `now`.
pub(super) fn after(retry: Option<&str>, reset: Option<&str>, now: SystemTime) -> Option<Duration> {
    let until = |time: SystemTime| time.duration_since(now).unwrap_or_default();
    let retry = retry.map(str::trim);
    if let Some(seconds) = retry.and_then(|text| text.parse().ok()) {
        return Some(Duration::from_secs(seconds));
    }
    if let Some(date) = retry.and_then(|text| httpdate::parse_http_date(text).ok()) {
        return Some(until(date));
    }
    let reset = reset.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs)?;
    SystemTime::UNIX_EPOCH.checked_add(reset).map(until)
}

/// Any number; if the system has none to give, everybody waits the longest.
pub(super) fn random() -> u64 {
    getrandom::u64().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Asked, Retry, after};
    use std::time::{Duration, SystemTime};

    #[test]
    fn waits_grow_and_end() {
        let retry = Retry { attempts: 4, first: Duration::from_secs(1), longest: Duration::from_secs(3) };
        let waits = |asked, random| (1..=5).map(|n| retry.wait(n, asked, random)).collect::<Vec<_>>();
        let seconds = |n| Some(Duration::from_secs(n));
        assert_eq!(waits(Asked::BackOff, 0), [seconds(1), seconds(2), seconds(3), None, None]);
        assert_eq!(retry.wait(1, Asked::BackOff, 500_000_000), Some(Duration::from_millis(500)));
        for random in [1, 77, u64::MAX] {
            let wait = retry.wait(2, Asked::BackOff, random).unwrap();
            assert!(wait > Duration::from_millis(999) && wait <= Duration::from_secs(2), "{wait:?}");
        }
        assert_eq!(retry.wait(1, Asked::After(Duration::from_secs(3)), 0), seconds(3));
        assert_eq!(retry.wait(1, Asked::After(Duration::from_secs(4)), 0), None);
        assert_eq!(Retry::NEVER.wait(1, Asked::BackOff, 0), None);
        assert_eq!(Retry { attempts: 99, ..retry }.wait(98, Asked::BackOff, 0), seconds(3));
    }

    #[test]
    fn what_a_service_asks_for_is_read() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let read = |retry, reset| after(retry, reset, now).map(|time| time.as_secs());
        assert_eq!(read(Some("120"), None), Some(120));
        assert_eq!(read(Some("Sun, 06 Nov 1994 08:49:47 GMT"), None), Some(10));
        assert_eq!(read(Some("Sun, 06 Nov 1994 08:49:27 GMT"), None), Some(0));
        assert_eq!(read(None, Some("784111800")), Some(23));
        assert_eq!(read(Some("soon"), None), None);
        assert_eq!(read(Some("-1"), Some("99999999999999999999")), None);
        assert_eq!(read(None, Some("18446744073709551615")), None);
    }
}
