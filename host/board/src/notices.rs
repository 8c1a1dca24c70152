//! Cards for people: which are urgent by now, what acting on one does, and those that belong to no run (SPEC section
//! 21).

use crate::Board;
use crate::bounds::NOTICES_MAX;
use crate::items::touched;
use lockstep_types::board::{Change, ItemId};
use lockstep_types::{NewNotice, Notice, NoticeId, NoticeState, Rejected, Severity, Timestamp};

/// What acting on a card does before it is closed (SPEC NT-6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// The item is merged by hand.
    ManualMerge,
    /// The run is retried.
    Retry,
    /// The card is closed.
    Nothing,
}

/// What acting on a card of this kind does. The two kinds that D-13 adds tell of failed runs, as `ci_failed` does.
#[must_use]
pub fn act(kind: &str) -> Act {
    match kind {
        "merge_review" | "pipeline_complete" => Act::ManualMerge,
        "ci_failed" | "conflicts_failed" | "test_failed" | "run_failed" => Act::Retry,
        _ => Act::Nothing,
    }
}

/// The open cards that have waited for `minutes` and become urgent (SPEC NT-3).
pub fn overdue<'n>(
    notices: impl IntoIterator<Item = &'n Notice>,
    minutes: u32,
    now: Timestamp,
) -> impl Iterator<Item = &'n Notice> {
    let waits = |notice: &&Notice| notice.state == NoticeState::Open && notice.severity == Severity::Normal;
    let patience_ms = u64::from(minutes) * 60_000;
    notices.into_iter().filter(waits).filter(move |notice| now.ms_since(notice.raised_at) >= patience_ms)
}

impl Board {
    /// Raises a card on an item, for no run. The open one of its kind is refreshed and keeps its id, time and severity
    /// (SPEC NT-2).
    ///
    /// # Errors
    /// `NotFound` for the item.
    pub fn raise_notice(&self, id: &ItemId, new: NewNotice, now: Timestamp) -> Result<Vec<Change>, Rejected> {
        let item = self.item(id)?;
        let mut next = item.clone();
        let last = item.notices.iter().map(|notice| notice.id.0).max().unwrap_or(0);
        let known =
            next.notices.iter_mut().find(|card| card.kind == new.kind && card.state == NoticeState::Open);
        match known {
            Some(known) => (known.title, known.body) = (new.title, new.body),
            None => next.notices.push(Notice {
                id: NoticeId(last.saturating_add(1)),
                kind: new.kind,
                step: None,
                severity: new.severity,
                title: new.title,
                body: new.body,
                state: NoticeState::Open,
                raised_at: now,
                is_loose: true,
            }),
        }
        forget_closed(&mut next.notices);
        Ok(touched(item, next, now))
    }

    /// Closes a card that belongs to no run; one that is closed already stays as it is (SPEC NT-6).
    ///
    /// # Errors
    /// `NotFound` for the item or the card.
    pub fn settle_notice(
        &self,
        id: &ItemId,
        notice: NoticeId,
        state: NoticeState,
        now: Timestamp,
    ) -> Result<Vec<Change>, Rejected> {
        let item = self.item(id)?;
        let mut next = item.clone();
        let card = next.notices.iter_mut().find(|known| known.id == notice).ok_or_else(|| {
            Rejected::NotFound(format!("item {id} has no card {}: list its cards to see their ids", notice.0))
        })?;
        if card.state == NoticeState::Open {
            card.state = state;
        }
        Ok(touched(item, next, now))
    }

    /// Makes cards urgent that belong to no run and waited too long; those of runs are [`overdue`]'s.
    #[must_use]
    pub fn escalate(&self, now: Timestamp) -> Vec<Change> {
        let minutes = self.settings().waiting_escalation_minutes;
        let late = self.items().filter(|item| overdue(&item.notices, minutes, now).next().is_some());
        let late = late.flat_map(|item| {
            let late: Vec<NoticeId> = overdue(&item.notices, minutes, now).map(|notice| notice.id).collect();
            let mut next = item.clone();
            let cards = next.notices.iter_mut().filter(|notice| late.contains(&notice.id));
            cards.for_each(|notice| notice.severity = Severity::Urgent);
            touched(item, next, now)
        });
        late.collect()
    }
}

/// Drops the oldest closed cards beyond what an item may have. Open ones are few: one of each kind.
pub(crate) fn forget_closed(notices: &mut Vec<Notice>) {
    while notices.len() > NOTICES_MAX {
        let Some(closed) = notices.iter().position(|notice| notice.state != NoticeState::Open) else { break };
        notices.remove(closed);
    }
}
