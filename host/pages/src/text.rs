//! Numbers and times as people read them.

use lockstep_types::RunStatus;

/// A length of time in its two largest units: `3 h 12 min`.
#[must_use]
pub fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match () {
        () if ms < 1000 => format!("{ms} ms"),
        () if minutes == 0 => format!("{seconds} s"),
        () if hours == 0 => format!("{minutes} min {} s", seconds % 60),
        () if days == 0 => format!("{hours} h {} min", minutes % 60),
        () => format!("{days} d {} h", hours % 24),
    }
}

/// The class of a badge for a state, which gives its colour.
#[must_use]
pub fn tone(status: &RunStatus) -> &'static str {
    match status {
        RunStatus::Running => "busy",
        RunStatus::Blocked => "attention",
        RunStatus::Paused => "quiet",
        RunStatus::Done => "good",
        RunStatus::Failed => "bad",
    }
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_have_two_units() {
        let shown: Vec<_> = [0, 999, 1000, 59_999, 61_000, 3_600_000, 90_061_000].map(duration).into();
        assert_eq!(shown, ["0 ms", "999 ms", "1 s", "59 s", "1 min 1 s", "1 h 0 min", "1 d 1 h"]);
    }
}
