//! Executions of steps, as the timeline of a run tells of them.

use lockstep_types::{TimelineEntry, Timestamp};

/// Units across the bars: what a bar is cut to is not seen on a screen.
pub(crate) const ACROSS: u64 = 1000;

/// Narrowest bar: what took no time at all is still to be seen.
const NARROWEST: u64 = 4;

/// One execution of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// From 1.
    pub(crate) number: usize,
    /// Why it began.
    pub(crate) why: String,
    pub(crate) from: Timestamp,
    /// None: it is under way.
    pub(crate) to: Option<Timestamp>,
    /// What came of it; empty while it is under way.
    pub(crate) end: String,
    /// Whether it failed.
    pub(crate) is_bad: bool,
    /// When it waited for a person.
    pub(crate) waits: Vec<(Timestamp, Option<Timestamp>)>,
}

/// The executions of a step, from the entries of its run.
pub(crate) fn attempts(entries: &[TimelineEntry], step: &str) -> Vec<Attempt> {
    let mut attempts: Vec<Attempt> = Vec::new();
    for entry in entries {
        let is_own = entry.step.as_deref() == Some(step);
        let what = entry.what.as_str();
        if is_own && what == "step-started" {
            close(&mut attempts, entry.at, "began again", false);
            let (number, why) = (attempts.len() + 1, entry.text.clone());
            let (end, waits) = (String::new(), Vec::new());
            attempts.push(Attempt { number, why, from: entry.at, to: None, end, is_bad: false, waits });
            continue;
        }
        match what {
            "asked" if is_own => {
                if let Some(open) = attempts.last_mut().filter(|open| open.to.is_none()) {
                    wait_until(open, entry.at);
                    open.waits.push((entry.at, None));
                }
            }
            "step-completed" | "step-skipped" if is_own => close(&mut attempts, entry.at, &entry.text, false),
            "run-failed" => {
                close(&mut attempts, entry.at, if is_own { &entry.text } else { "cut short" }, true);
            }
            "retried" | "restarted" => close(&mut attempts, entry.at, &entry.text, false),
            // Any answer, and what a component makes of an action.
            _ if is_own && what != "acted" => {
                if let Some(open) = attempts.last_mut().filter(|open| open.to.is_none()) {
                    wait_until(open, entry.at);
                }
            }
            _ => {}
        }
    }
    attempts
}

fn close(attempts: &mut [Attempt], at: Timestamp, end: &str, is_bad: bool) {
    if let Some(open) = attempts.last_mut().filter(|open| open.to.is_none()) {
        wait_until(open, at);
        open.to = Some(at);
        end.clone_into(&mut open.end);
        open.is_bad = is_bad;
    }
}

fn wait_until(attempt: &mut Attempt, at: Timestamp) {
    if let Some((_, to @ None)) = attempt.waits.last_mut() {
        *to = Some(at);
    }
}

/// A piece of a row of the timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bar {
    pub(crate) x: u64,
    pub(crate) width: u64,
    /// `work`, `bad` or `wait`.
    pub(crate) class: &'static str,
    /// In words.
    pub(crate) title: String,
}

/// The bars of a step between the begin of its run and now, or its end.
pub(crate) fn bars(attempts: &[Attempt], begin: Timestamp, end: Timestamp) -> Vec<Bar> {
    let whole = end.ms_since(begin).max(1);
    let place = |at: Timestamp| at.ms_since(begin).min(whole) * ACROSS / whole;
    let bar = |from: Timestamp, to: Option<Timestamp>, class: &'static str, said: String| {
        let to = to.unwrap_or(end);
        let x = place(from).min(ACROSS - NARROWEST);
        let width = place(to).saturating_sub(x).max(NARROWEST);
        Bar { x, width, class, title: format!("{said}, {}", crate::text::duration(to.ms_since(from))) }
    };
    let mut bars = Vec::new();
    for attempt in attempts {
        let class = if attempt.is_bad { "bad" } else { "work" };
        bars.push(bar(attempt.from, attempt.to, class, format!("attempt {}", attempt.number)));
        for (from, to) in &attempt.waits {
            bars.push(bar(*from, *to, "wait", "waited for a person".to_owned()));
        }
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::{attempts, bars};
    use expect_test::expect;
    use lockstep_types::{TimelineEntry, Timestamp};

    fn entries(lines: &[(u64, &str, &str)]) -> Vec<TimelineEntry> {
        let entry = |(at, step, what): &(u64, &str, &str)| TimelineEntry {
            run: "run-1".parse().unwrap(),
            seq: 1,
            at: Timestamp(*at),
            step: Some((*step).to_owned()).filter(|step| !step.is_empty()),
            what: (*what).to_owned(),
            text: format!("{what}!"),
        };
        lines.iter().map(entry).collect()
    }

    fn told(lines: &[(u64, &str, &str)]) -> String {
        let attempts = attempts(&entries(lines), "code");
        let mut text = String::new();
        for bar in bars(&attempts, Timestamp(0), Timestamp(1000)) {
            text.push_str(&format!("{:4}+{:<4} {} {}\n", bar.x, bar.width, bar.class, bar.title));
        }
        attempts
            .iter()
            .for_each(|attempt| text.push_str(&format!("{}: {:?}\n", attempt.number, attempt.end)));
        text
    }

    #[test]
    fn what_waited_for_people_stands_apart() {
        let lines = [
            (0, "", "created"),
            (100, "code", "step-started"),
            (200, "code", "asked"),
            (250, "other", "invoked"),
            (600, "code", "answered"),
            (700, "code", "step-started"),
            (800, "code", "step-completed"),
            (900, "other", "run-failed"),
        ];
        expect![[r#"
             100+600  work attempt 1, 600 ms
             200+400  wait waited for a person, 400 ms
             700+100  work attempt 2, 100 ms
            1: "began again"
            2: "step-completed!"
        "#]]
        .assert_eq(&told(&lines));
    }

    #[test]
    fn what_is_under_way_goes_to_the_end() {
        let lines = [(0, "code", "step-started"), (1, "code", "run-failed"), (2, "", "retried")];
        expect![[r#"
               0+4    bad attempt 1, 1 ms
            1: "run-failed!"
        "#]]
        .assert_eq(&told(&lines));
        expect![[r#"
             996+4    work attempt 1, 1 ms
             996+4    wait waited for a person, 0 ms
            1: ""
        "#]]
        .assert_eq(&told(&[(999, "code", "step-started"), (1000, "code", "asked")]));
    }
}
