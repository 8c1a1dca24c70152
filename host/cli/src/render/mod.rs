//! Makes text for people. Nothing here writes anywhere.
//!
//! Whatever comes from outside (titles, outputs, logs) is cleaned of control characters before it gets near a
//! terminal, which would otherwise obey them.

mod access;
mod backtest;
mod board;
mod component;
mod deliveries;
pub(crate) mod doctor;
mod item;
mod registry;
mod report;
mod review;
mod run;
mod shipping;
mod step;
pub(crate) mod store;
mod tested;
mod timeline;

pub(crate) use access::{issued, requests, tokens};
use backtest::verdicts;
pub(crate) use backtest::{backtest, backtest_progress};
pub(crate) use board::{
    cards, pipeline, pipelines, presets, reply, schedule_runs, schedules, settings, spend, workspaces,
};
pub(crate) use component::{activated, component_added, component_refused, components, history, rolled_back};
pub(crate) use deliveries::{deliveries, delivery};
pub(crate) use item::{item, items, status_word};
pub(crate) use registry::{
    WatchedCanary, audit, canary, canary_begun, collected, component, kind, kind_grant, signed, stopped,
    trust,
};
pub(crate) use report::{replay, verify};
pub(crate) use review::review;
pub(crate) use run::{ending, runs, show, why};
pub(crate) use shipping::{pulled, pushed};
pub(crate) use step::{StepPage, step};
pub(crate) use tested::tested;

use jiff::tz::TimeZone;
use lockstep_types::{RunId, RunStatus, Timestamp};

/// Characters of an id that people see: the end of it, where ids of one day differ.
const SHORT_ID: usize = 8;

/// How lines look: with or without colours, and in which time zone.
#[derive(Clone)]
pub(crate) struct Style {
    colour: bool,
    zone: TimeZone,
}

/// What a piece of text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Strong,
    Faint,
    Good,
    Bad,
    Attention,
}

impl Style {
    pub(crate) fn new(colour: bool, zone: TimeZone) -> Self {
        Self { colour, zone }
    }

    /// Cleaned text in its colour.
    pub(crate) fn paint(&self, tone: Tone, text: &str) -> String {
        let text = clean(text);
        let code = match tone {
            Tone::Plain => return text,
            Tone::Strong => "1",
            Tone::Faint => "2",
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Attention => "33",
        };
        if self.colour && !text.is_empty() { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text }
    }

    /// Text in its colour, filled up to `width` columns.
    fn cell(&self, tone: Tone, text: &str, width: usize) -> String {
        let text = clean(text);
        let fill = width.saturating_sub(text.chars().count());
        format!("{}{}", self.paint(tone, &text), " ".repeat(fill))
    }

    /// `14:03:09`
    fn clock(&self, at: Timestamp) -> String {
        self.format(at, "%H:%M:%S")
    }

    /// `2026-01-05 14:03:09`
    fn moment(&self, at: Timestamp) -> String {
        self.format(at, "%Y-%m-%d %H:%M:%S")
    }

    fn format(&self, at: Timestamp, format: &str) -> String {
        let instant = i64::try_from(at.0).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
        instant.map_or_else(
            || at.to_string(),
            |instant| instant.to_zoned(self.zone.clone()).strftime(format).to_string(),
        )
    }

    /// Rows under their headings, as wide as what is in them.
    fn table(&self, headings: &[&str], rows: &[Vec<(Tone, String)>]) -> String {
        let width = |column: usize| {
            let cells =
                rows.iter().filter_map(|row| row.get(column)).map(|(_, text)| clean(text).chars().count());
            cells.chain([headings[column].len()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..headings.len()).map(width).collect();
        let heading: Vec<_> = headings.iter().map(|text| (Tone::Faint, (*text).to_owned())).collect();
        let mut text = String::new();
        for row in std::iter::once(&heading).chain(rows) {
            let cells = row.iter().zip(&widths).map(|((tone, text), width)| self.cell(*tone, text, *width));
            text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
            text.push('\n');
        }
        text
    }
}

/// `text` without what a terminal would obey; line ends and tabs stay.
pub(crate) fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' if rest.peek() == Some(&'[') => {
                // A colour or a movement: up to its final letter.
                rest.next();
                rest.find(|c| ('\u{40}'..='\u{7e}').contains(c));
            }
            '\r' if rest.peek() == Some(&'\n') => {}
            '\n' | '\t' => clean.push(c),
            c if c.is_control() || turns_text(c) => clean.push('\u{fffd}'),
            c => clean.push(c),
        }
    }
    clean
}

/// Whether a letter turns the order around in which the others are shown, or ends a line that goes on.
fn turns_text(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `text` as one line of at most `max` characters.
fn line(text: &str, max: usize) -> String {
    let joined = clean(text).split_whitespace().collect::<Vec<_>>().join(" ");
    if joined.chars().count() <= max {
        return joined;
    }
    joined.chars().take(max.saturating_sub(1)).chain(['…']).collect()
}

/// `text` with `indent` before each line.
fn indented(text: &str, indent: &str) -> String {
    clean(text).lines().map(|line| format!("{indent}{line}").trim_end().to_owned() + "\n").collect()
}

pub(crate) fn short(id: &RunId) -> &str {
    let id = id.as_str();
    id.get(id.len().saturating_sub(SHORT_ID)..).unwrap_or(id)
}

/// `850ms`, `4.2s`, `3m 05s`, `2h 04m`, `3d 4h`
pub(crate) fn duration(ms: u64) -> String {
    let s = ms / 1000;
    match s {
        0 => format!("{ms}ms"),
        1..60 => format!("{s}.{}s", ms % 1000 / 100),
        60..3600 => format!("{}m {:02}s", s / 60, s % 60),
        3600..86_400 => format!("{}h {:02}m", s / 3600, s / 60 % 60),
        _ => format!("{}d {}h", s / 86_400, s / 3600 % 24),
    }
}

fn status_tone(status: RunStatus) -> Tone {
    match status {
        RunStatus::Running => Tone::Plain,
        RunStatus::Blocked | RunStatus::Paused => Tone::Attention,
        RunStatus::Done => Tone::Good,
        RunStatus::Failed => Tone::Bad,
    }
}

/// `12,345,678`
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 call`, `2 calls`
pub(crate) fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// `417 B`, `37 KiB`, `2.3 MiB`
pub(crate) fn bytes(size: u64) -> String {
    const KIB: u64 = 1024;
    const MIB: u64 = 1024 * KIB;
    match size {
        0..KIB => format!("{size} B"),
        KIB..MIB => format!("{} KiB", size / KIB),
        _ => format!("{}.{} MiB", size / MIB, size % MIB * 10 / MIB),
    }
}

/// The time now, for ages.
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
