//! Numbers and times as people read them.

use lockstep_types::{QuestionKind, RunStatus, Timestamp};

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

/// What a kind of question asks for.
#[must_use]
pub fn question(kind: QuestionKind) -> &'static str {
    match kind {
        QuestionKind::Decision => "an answer",
        QuestionKind::Cap => "a choice at a limit",
        QuestionKind::Review => "replies to a review",
        QuestionKind::HumanTest => "somebody who tries it",
        QuestionKind::Approval => "an approval",
    }
}

/// What a choice at a limit is called: its word is the component's.
#[must_use]
pub fn option(word: &str) -> &str {
    match word {
        "extra-round" => "One more round",
        "proceed" => "Go on as it is",
        "stop-reset" => "Stop the run",
        word => word,
    }
}

/// What a run waits for, by the word of it.
#[must_use]
pub fn waits_for(on: &str) -> &str {
    match on {
        "job" => "a job",
        "timer" => "its time",
        "effect" => "an effect",
        "pause" => "being resumed",
        "budget" => "a budget",
        "component" => "another component",
        on => match QuestionKind::ALL.into_iter().find(|kind| kind.word() == on) {
            Some(kind) => question(kind),
            None => on,
        },
    }
}

/// At most so many characters of a text, with a mark where the rest is left out.
#[must_use]
pub fn short(text: &str, chars: usize) -> String {
    let mut cut: String = text.chars().take(chars).collect();
    if text.chars().nth(chars).is_some() {
        cut.push('…');
    }
    cut
}

/// A name as one segment of an address.
#[must_use]
pub fn segment(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// A moment for people and machines: `2026-11-22 03:04:05 UTC`.
#[must_use]
pub fn moment(at: &Timestamp) -> String {
    let seconds = at.0 / 1000;
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// The date of a day since 1970, in the Gregorian calendar; years begin in March here, so that leap days come last.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

/// A number with its thousands apart.
#[must_use]
pub fn grouped(number: &u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// An address that a page may link to: what a component or a provider tells could be `javascript:`.
#[must_use]
pub fn is_link(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

#[cfg(test)]
mod tests {
    use super::{duration, grouped, moment, short};
    use lockstep_types::Timestamp;

    #[test]
    fn moments_are_those_of_the_calendar() {
        let shown: Vec<_> = [0, 951_782_400_000, 1_795_316_662_999].map(|ms| moment(&Timestamp(ms))).into();
        assert_eq!(shown, ["1970-01-01 00:00:00 UTC", "2000-02-29 00:00:00 UTC", "2026-11-22 03:04:22 UTC"]);
    }

    #[test]
    fn texts_and_numbers_are_cut_where_people_expect_it() {
        assert_eq!([short("grüße", 3), short("grü", 3)], ["grü…", "grü"]);
        let shown: Vec<_> = [0, 999, 1000, 1_234_567].map(|number| grouped(&number)).into();
        assert_eq!(shown, ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn durations_have_two_units() {
        let shown: Vec<_> = [0, 999, 1000, 59_999, 61_000, 3_600_000, 90_061_000].map(duration).into();
        assert_eq!(shown, ["0 ms", "999 ms", "1 s", "59 s", "1 min 1 s", "1 h 0 min", "1 d 1 h"]);
    }
}
