//! Cards for people, under the ids they address them by (SPEC section 21).

use super::Desk;
use crate::runtime::Runtime;
use crate::service::{journal, rejected};
use lockstep_board::notices::{Act, act};
use lockstep_ports::{Card, CardAction, RunAction, RunService, ServiceError};
use lockstep_types::board::{ItemId, WorkspaceId};
use lockstep_types::{Input, ItemStatus, Notice, NoticeId, NoticeState, RunId};
use std::sync::Arc;

/// Where a card is kept.
enum Place {
    Run(RunId),
    Item(Arc<Desk>, ItemId),
}

impl Runtime {
    /// Open cards, the oldest first: all, or those of a workspace, or of one item of it.
    pub(crate) fn open_cards(&self, workspace: Option<&WorkspaceId>, item: Option<&ItemId>) -> Vec<Card> {
        let mut cards = Vec::new();
        self.shared.boards.each_card(|run, row| {
            let is_wanted = workspace.is_none_or(|workspace| row.workspace.as_ref() == Some(workspace))
                && item.is_none_or(|item| row.item == item.as_str());
            if is_wanted {
                let of_run =
                    |notice: &Notice| card(run.as_str(), row.workspace.as_ref(), &row.item, notice.clone());
                cards.extend(row.notices.iter().map(of_run));
            }
        });
        let desks = self.shared.boards.all().into_iter();
        for desk in desks.filter(|desk| workspace.is_none_or(|workspace| desk.id == *workspace)) {
            desk.read(|board| {
                for known in board.items().filter(|known| item.is_none_or(|item| known.id == *item)) {
                    let open = known.notices.iter().filter(|notice| notice.state == NoticeState::Open);
                    let id = known.id.as_str();
                    cards.extend(open.map(|notice| card(id, Some(&desk.id), id, notice.clone())));
                }
            });
        }
        cards.sort_by(|a, b| (a.notice.raised_at, &a.id).cmp(&(b.notice.raised_at, &b.id)));
        cards
    }

    /// Does what a card asks for, then closes it; or only closes it. If what it asks for fails, it stays open (SPEC NT-6).
    pub(crate) async fn settle(&self, id: &str, action: CardAction, by: &str) -> Result<Card, ServiceError> {
        let (place, number) = self.find_card(id).await?;
        let known = self.card_at(&place, number).await?;
        if known.notice.state != NoticeState::Open {
            return Ok(known);
        }
        if action == CardAction::Act {
            self.act_on(&place, &known, by).await?;
        }
        let state = if action == CardAction::Act { NoticeState::Acted } else { NoticeState::Dismissed };
        match &place {
            Place::Run(run) => {
                self.send(run, Input::NoticeSettled { id: number, state }).await?;
            }
            Place::Item(desk, item) => {
                let writer = desk.writer().await;
                let now = self.shared.outside.clock.now();
                let changes = desk.read(|board| board.settle_notice(item, number, state, now));
                self.write(&writer, &changes.map_err(rejected)?).await?;
            }
        }
        self.card_at(&place, number).await
    }

    async fn act_on(&self, place: &Place, card: &Card, by: &str) -> Result<(), ServiceError> {
        match (act(&card.notice.kind), place) {
            (Act::Nothing, _) => Ok(()),
            // A merge by hand leaves the card that asked for it (D-7 e): nothing is left to do.
            (Act::ManualMerge, Place::Run(run))
                if self.recorded(run).await?.run.item_status() == ItemStatus::Done =>
            {
                Ok(())
            }
            (Act::ManualMerge, Place::Run(run)) => self.merge_run(run, by).await,
            (Act::ManualMerge, Place::Item(desk, item)) => self.merge_on_board(desk, item, by).await,
            (Act::Retry, Place::Run(run)) => self.act(run, RunAction::Retry, by).await.map(drop),
            (Act::Retry, Place::Item(desk, item)) => {
                let run = desk.read(|board| board.item(item).ok().and_then(|item| item.current_run.clone()));
                let gone = || ServiceError::Conflict(format!("{item} has no run to retry: start one"));
                self.act(&run.ok_or_else(gone)?, RunAction::Retry, by).await.map(drop)
            }
        }
    }

    async fn find_card(&self, id: &str) -> Result<(Place, NoticeId), ServiceError> {
        let unknown = || ServiceError::NotFound(format!("there is no card {id:?}: see `lockstep notices`"));
        let (owner, number) = id.rsplit_once(':').ok_or_else(unknown)?;
        let number = number.strip_prefix('n').and_then(|digits| digits.parse().ok()).ok_or_else(unknown)?;
        if let Ok(item) = owner.parse::<ItemId>()
            && let Some(desk) =
                self.shared.boards.all().into_iter().find(|desk| desk.read(|board| board.item(&item).is_ok()))
        {
            return Ok((Place::Item(desk, item), NoticeId(number)));
        }
        let run: RunId = owner.parse().map_err(|_| unknown())?;
        let row = self.shared.outside.journal.row(&run).await.map_err(|error| journal(&error))?;
        row.ok_or_else(unknown)?;
        Ok((Place::Run(run), NoticeId(number)))
    }

    async fn card_at(&self, place: &Place, number: NoticeId) -> Result<Card, ServiceError> {
        let unknown = |owner: &str| {
            ServiceError::NotFound(format!("there is no card {owner}:{number}: see `lockstep notices`"))
        };
        match place {
            Place::Run(run) => {
                let recorded = self.recorded(run).await?;
                let notice = recorded.run.notices().iter().find(|notice| notice.id == number);
                let notice = notice.ok_or_else(|| unknown(run.as_str()))?.clone();
                let spec = recorded.run.spec();
                Ok(card(run.as_str(), spec.context.workspace.as_ref(), &spec.item, notice))
            }
            Place::Item(desk, item) => {
                let notice = desk.read(|board| {
                    let notices = board.item(item).map(|item| item.notices.clone()).unwrap_or_default();
                    notices.into_iter().find(|notice| notice.id == number)
                });
                let notice = notice.ok_or_else(|| unknown(item.as_str()))?;
                Ok(card(item.as_str(), Some(&desk.id), item.as_str(), notice))
            }
        }
    }
}

fn card(owner: &str, workspace: Option<&WorkspaceId>, item: &str, notice: Notice) -> Card {
    let act = match act(&notice.kind) {
        Act::ManualMerge => "merge",
        Act::Retry => "retry",
        Act::Nothing => "nothing",
    };
    Card {
        id: format!("{owner}:{}", notice.id),
        workspace: workspace.cloned(),
        item: item.to_owned(),
        act: act.to_owned(),
        notice,
    }
}
