use super::{Style, Tone, short};
use lockstep_types::{RunId, TimelineEntry};

/// Width of the column with the step's name; longer names push the rest of their line to the right.
const STEP_WIDTH: usize = 16;

impl Style {
    /// `14:03:09  ci-gate          2 of 3 checks succeeded`, with the run before the step if several are shown.
    pub(crate) fn timeline_entry(&self, entry: &TimelineEntry, run: Option<&RunId>) -> String {
        let clock = self.paint(Tone::Faint, &self.clock(entry.at));
        let run = run.map(|run| format!("{}  ", self.paint(Tone::Faint, short(run)))).unwrap_or_default();
        let step = self.cell(Tone::Strong, entry.step.as_deref().unwrap_or("run"), STEP_WIDTH);
        format!("{clock}  {run}{step} {}", self.paint(tone(entry), &entry.text))
    }
}

fn tone(entry: &TimelineEntry) -> Tone {
    let begins = |start| entry.text.starts_with(start);
    match entry.what.as_str() {
        "run-failed" => Tone::Bad,
        "job-settled" if begins("job failed") || begins("job not configured") => Tone::Bad,
        "effect-settled" if !begins("performed") => Tone::Bad,
        "run-completed" | "step-completed" | "effect-settled" => Tone::Good,
        "asked" | "run-blocked" | "run-paused" | "notice-raised" | "job-redispatched" => Tone::Attention,
        "step-started" | "timer-set" | "job-dispatched" | "job-started" | "step-skipped" => Tone::Faint,
        _ => Tone::Plain,
    }
}
