//! How long runs are kept that have ended.
//!
//! Some go when they are old, the oldest also when there are too many. A run that can still go on never goes, nor one that
//! its item shows.

use crate::runtime::{Runtime, Shared, lock};
use lockstep_ports::{JournalError, ROWS_PAGE_MAX};
use lockstep_types::{RunId, RunRow, RunStatus, Timestamp};
use std::sync::Arc;

/// Milliseconds between two looks, at most: ages are counted in days.
const LOOK_INTERVAL_MS: u64 = 10 * 60 * 1000;
/// Records after which there is a look at once: so many runs at most are kept beyond their number.
const LOOK_RECORDS: u64 = 5000;
/// Runs removed at a time. Nobody can be started meanwhile, which takes as long as one write.
const FORGET_RUNS: usize = 256;
const DAY_MS: u64 = 86_400_000;

/// Which runs are kept. Without a limit all are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Days a run is kept after it was done.
    pub done_days: Option<u32>,
    /// Days a run is kept after it failed.
    pub failed_days: Option<u32>,
    /// How many runs are kept, those included that are live.
    pub runs: Option<u64>,
}

impl Retention {
    /// The time before which a run like this one must have ended to go; none if its age does not matter.
    fn cutoff(&self, status: RunStatus, now: Timestamp) -> Option<Timestamp> {
        let days = if status == RunStatus::Failed { self.failed_days } else { self.done_days };
        days.map(|days| Timestamp(now.0.saturating_sub(u64::from(days) * DAY_MS)))
    }

    fn is_too_old(&self, row: &RunRow, now: Timestamp) -> bool {
        self.cutoff(row.summary.status, now).is_some_and(|cutoff| row.summary.updated_at < cutoff)
    }
}

impl Runtime {
    /// Removes runs that need not be kept any more, now and until the host goes down.
    pub fn retain(&self, retention: Retention) {
        if retention != Retention::default() {
            tokio::spawn(keep_to(Arc::clone(&self.shared), retention));
        }
    }

    /// Removes runs that need not be kept any more, and gives how many went.
    ///
    /// # Errors
    /// If the journal failed; what went before is gone.
    pub async fn prune(&self, retention: &Retention) -> Result<u64, JournalError> {
        prune(&self.shared, retention).await
    }
}

async fn keep_to(shared: Arc<Shared>, retention: Retention) {
    let clock = Arc::clone(&shared.outside.clock);
    let mut stopping = shared.stopping.subscribe();
    let mut feed_end = shared.feed_end.subscribe();
    loop {
        match prune(&shared, &retention).await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "runs that need not be kept any more are gone"),
            Err(error) => tracing::error!(%error, "runs that need not be kept any more could not be removed"),
        }
        let seen = *feed_end.borrow_and_update();
        tokio::select! {
            biased;
            _ = stopping.wait_for(|stopping| *stopping) => return,
            _ = feed_end.wait_for(|end| *end >= seen + LOOK_RECORDS) => {}
            () = clock.sleep_until(clock.now().plus_ms(LOOK_INTERVAL_MS)) => {}
        }
    }
}

async fn prune(shared: &Shared, retention: &Retention) -> Result<u64, JournalError> {
    let journal = &shared.outside.journal;
    let now = shared.outside.clock.now();
    let mut surplus = match retention.runs {
        Some(most) => journal.count().await?.saturating_sub(most),
        None => 0,
    };
    let by_age = retention.done_days.is_some() || retention.failed_days.is_some();
    let (mut after, mut removed) = (None, 0);
    while by_age || surplus > 0 {
        let page = journal.rows_from(after.as_ref(), ROWS_PAGE_MAX).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.summary.id.clone());
        let wanted: Vec<RunRow> = page.into_iter().filter(|row| can_go(shared, row)).collect();
        let due = |row: &&RunRow| {
            let is_due = surplus > 0 || retention.is_too_old(row, now);
            surplus = surplus.saturating_sub(u64::from(is_due));
            is_due
        };
        let due: Vec<RunId> = wanted.iter().filter(due).map(|row| row.summary.id.clone()).collect();
        for runs in due.chunks(FORGET_RUNS) {
            removed += forget(shared, runs).await?;
        }
    }
    Ok(removed)
}

/// Whether nobody needs a run any more.
fn can_go(shared: &Shared, row: &RunRow) -> bool {
    let RunRow { summary, .. } = row;
    !summary.status.is_live() && summary.cleanups == 0 && !shared.boards.shows(summary)
}

/// Removes runs and all that is kept for them outside, but none that somebody has just brought back to life.
async fn forget(shared: &Shared, runs: &[RunId]) -> Result<u64, JournalError> {
    let ended: Vec<RunId> = {
        let live = shared.live.lock().await;
        let ended = runs.iter().filter(|run| !live.contains_key(*run)).cloned().collect::<Vec<_>>();
        shared.outside.journal.forget(&ended).await?;
        ended
    };
    for run in &ended {
        shared.boards.forget_cards(run);
        lock(&shared.specs).remove(run);
        shared.outside.jobs.forget(run).await;
        shared.outside.effects.forget(run).await;
    }
    Ok(ended.len() as u64)
}
