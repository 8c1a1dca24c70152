//! What happens because its time has come: schedules, cards that waited too long, and budgets of a new month.
//!
//! One task sleeps until the earliest of them, and is woken when that may have become earlier.

use super::Desk;
use super::desk::late;
use crate::runtime::{Runtime, lock};
use lockstep_board::notices::overdue;
use lockstep_ports::ServiceError;
use lockstep_types::board::Month;
use lockstep_types::{Input, NoticeId, RunId, Timestamp};
use std::sync::Arc;

/// Milliseconds before what could not be stored is tried again, as for the turns of runs.
const RETRY_MS: u64 = 1000;
/// Milliseconds of the longest month and a day: the next one begins within.
const MONTH_MS_MAX: u64 = 32 * DAY_MS;
const DAY_MS: u64 = 86_400_000;
/// Who does what nobody asked for at that moment.
const BY_CLOCK: &str = "schedule";
const BY_BUDGET: &str = "budget";

impl Runtime {
    /// Goes on until the host goes down.
    pub(crate) async fn watch_the_clock(self) {
        let clock = Arc::clone(&self.shared.outside.clock);
        let mut stopping = self.shared.stopping.subscribe();
        loop {
            if *stopping.borrow() {
                return;
            }
            self.shared.boards.plan(None);
            // To its end: who lets go of a commit that is being stored does not make it true, and the next one who has the
            // gate decides on what is no longer so.
            let now = clock.now();
            let all_done = self.look_around(now).await;
            // What has become due while that was stored was not looked at yet.
            let next = self.next_time(now);
            let retry = (!all_done).then(|| clock.now().plus_ms(RETRY_MS));
            // What could not be done now is still due: it must not keep the task busy.
            let next = retry.or(next);
            self.shared.boards.plan(next);
            tokio::select! {
                biased;
                _ = stopping.wait_for(|stopping| *stopping) => return,
                () = self.shared.boards.changed.notified(), if all_done => {}
                () = async { clock.sleep_until(next.unwrap_or_default()).await }, if next.is_some() => {}
            }
        }
    }

    /// Does all that is due. False if some of it has to be tried again.
    async fn look_around(&self, now: Timestamp) -> bool {
        let mut all_done = true;
        for (desk, item) in self.shared.boards.take_merged() {
            if !self.start_dependents(&desk, &item).await {
                self.shared.boards.tell_merged(desk, item);
                all_done = false;
            }
        }
        for desk in self.shared.boards.all() {
            all_done &= self.fire_due(&desk, now).await;
            all_done &= self.escalate_loose(&desk, now).await;
            if !desk.paused().is_empty() && !desk.read(|board| board.is_over_budget(now)) {
                all_done &= self.resume_all(&desk, BY_BUDGET).await.is_ok();
            }
        }
        for (run, notice) in self.overdue_cards(now) {
            let escalated = self.send(&run, Input::Escalate { id: notice }).await;
            if let Err(error) = &escalated {
                tracing::debug!(%run, %error, "a card is not escalated");
                // A damaged run has said so already, and would fail again.
                let is_over = !matches!(error, ServiceError::Unavailable(_));
                all_done &= is_over;
            }
        }
        all_done
    }

    async fn fire_due(&self, desk: &Arc<Desk>, now: Timestamp) -> bool {
        let due: Vec<_> =
            desk.read(|board| board.due_schedules(now).iter().map(|one| one.id.clone()).collect());
        let mut all_done = true;
        for id in due {
            if let Err(error) = self.fire(desk, &id, false, BY_CLOCK).await {
                tracing::error!(schedule = %id, %error, "a schedule could not be taken up");
                all_done = false;
            }
        }
        all_done
    }

    /// Cards of items that waited too long become urgent.
    async fn escalate_loose(&self, desk: &Arc<Desk>, now: Timestamp) -> bool {
        if desk.read(|board| board.escalate(now).is_empty()) {
            return true;
        }
        let writer = desk.writer().await;
        let changes = desk.read(|board| board.escalate(now));
        self.write(&writer, &changes).await.is_ok()
    }

    /// Cards of runs that waited too long.
    fn overdue_cards(&self, now: Timestamp) -> Vec<(RunId, NoticeId)> {
        let damaged = lock(&self.shared.damaged).clone();
        let mut late = Vec::new();
        self.shared.boards.each_card(|run, row| {
            let minutes = self.shared.boards.patience(row.workspace.as_ref());
            let overdue = overdue(&row.notices, minutes, now).filter(|_| !damaged.contains_key(run));
            late.extend(overdue.map(|notice| (run.clone(), notice.id)));
        });
        late
    }

    /// The earliest time at which something is to be done, after now.
    fn next_time(&self, now: Timestamp) -> Option<Timestamp> {
        let mut times: Vec<Timestamp> = Vec::new();
        let boards = &self.shared.boards;
        boards.each_card(|_, row| times.extend(row.late(boards.patience(row.workspace.as_ref()))));
        for desk in self.shared.boards.all() {
            if !desk.paused().is_empty() {
                times.push(next_month(now));
            }
            desk.read(|board| {
                let minutes = board.settings().waiting_escalation_minutes;
                let enabled = board.schedules().filter(|schedule| schedule.enabled);
                times.extend(enabled.map(|schedule| schedule.next_run));
                times.extend(board.items().flat_map(|item| late(&item.notices, minutes)));
            });
        }
        // What is late already was done just now, or cannot be.
        times.into_iter().filter(|at| *at > now).min()
    }
}

/// The first moment of the month after this one.
fn next_month(now: Timestamp) -> Timestamp {
    let month = Month::from(now);
    let midnight = Timestamp(now.0 - now.0 % DAY_MS);
    let mut days = (1..=MONTH_MS_MAX / DAY_MS).map(|day| midnight.plus_ms(day * DAY_MS));
    days.find(|day| Month::from(*day) != month).unwrap_or_else(|| midnight.plus_ms(MONTH_MS_MAX))
}
