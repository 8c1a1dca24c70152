//! Watches runs and shows what happens.

use crate::term::Term;
use lockstep_ports::{RunService, ServiceError};
use lockstep_types::{RunId, RunStatus, RunView, TimelineEntry};
use serde::Serialize;

/// Records of the feed read at once.
const PAGE: usize = 256;

/// A line of the JSON stream.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Streamed<'a> {
    /// Something happened.
    Timeline(&'a TimelineEntry),
    /// The run as it stands at the end.
    Run(&'a RunView),
}

/// Shows what happened in `run` and what happens next, until it ends or only a person can make it go on.
pub(crate) async fn run(service: &dyn RunService, term: &Term, run: &RunId) -> anyhow::Result<RunView> {
    let mut shown = 0;
    loop {
        // Asked in this order: whatever happens after the view was read is beyond this end and wakes the wait below.
        let end = service.feed_end().await;
        let view = service.get(run).await?;
        for entry in service.timeline(run, shown).await? {
            shown = shown.max(entry.seq);
            entry_out(term, &entry, None)?;
        }
        if view.summary.status != RunStatus::Running {
            return Ok(view);
        }
        // A record may be in the journal a moment before the view shows it; waiting then would be waiting for the next.
        if shown <= view.seq {
            beyond(service, run, end).await?;
        }
    }
}

/// Returns when the feed has something of `run` after `position`.
async fn beyond(service: &dyn RunService, run: &RunId, mut position: u64) -> Result<(), ServiceError> {
    loop {
        let end = service.feed_end().await;
        let page = service.feed(position, PAGE).await?;
        if page.iter().any(|item| item.entries.iter().any(|entry| entry.run == *run)) {
            return Ok(());
        }
        match page.last() {
            Some(last) => position = last.position,
            None => {
                position = position.max(end);
                service.feed_beyond(position).await;
                // A run may change without a line for people; its view tells.
                return Ok(());
            }
        }
    }
}

/// Shows what happens in all runs from now on.
pub(crate) async fn all(service: &dyn RunService, term: &Term) -> anyhow::Result<()> {
    let mut position = service.feed_end().await;
    loop {
        let end = service.feed_end().await;
        let page = service.feed(position, PAGE).await?;
        if page.is_empty() {
            position = position.max(end);
            service.feed_beyond(position).await;
        }
        for item in page {
            position = item.position;
            for entry in &item.entries {
                entry_out(term, entry, Some(&entry.run))?;
            }
        }
    }
}

fn entry_out(term: &Term, entry: &TimelineEntry, run: Option<&RunId>) -> anyhow::Result<()> {
    if term.json {
        term.line(&Streamed::Timeline(entry))
    } else {
        term.out(&term.style.timeline_entry(entry, run))
    }
}
