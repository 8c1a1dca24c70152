//! Cards under the ids scenarios address them by, and what people do with them.

use crate::world::{PERSON, Refusal, World};
use crate::{Action, SimulationError};
use lockstep_types::board::ItemId;
use lockstep_types::{Event, Input, Notice, NoticeId, NoticeState, Rejected, Severity};
use serde_json::Value;

/// Milliseconds after which a card is urgent, unless the script says otherwise (SPEC NT-3).
const ESCALATION_MS: u64 = 7_200_000;

/// Every card that was ever shown; its id is its position from 1.
#[derive(Debug, Default)]
pub(crate) struct Cards(Vec<Card>);

#[derive(Debug)]
struct Card {
    block: ItemId,
    kind: String,
    place: Place,
}

/// Where a card is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// By the current run of its block.
    Run(NoticeId),
    /// By the block itself: no run raised it.
    Item,
    /// By a run that is no more.
    Gone,
}

impl Cards {
    fn find(&self, block: &ItemId, place: Place) -> Option<&Card> {
        self.0.iter().find(|card| card.block == *block && card.place == place)
    }

    fn add(&mut self, block: &ItemId, kind: &str, place: Place) {
        self.0.push(Card { block: block.clone(), kind: kind.to_owned(), place });
    }

    /// A run takes over the loose cards of its block, in order, under these ids.
    pub(crate) fn taken_over(&mut self, block: &ItemId, notices: &[Notice]) {
        for notice in notices {
            let loose = self
                .0
                .iter_mut()
                .find(|card| card.block == *block && card.place == Place::Item && card.kind == notice.kind);
            if let Some(card) = loose {
                card.place = Place::Run(notice.id);
            }
        }
    }

    /// The run of a block is no more; its loose cards are the block's again.
    pub(crate) fn given_back(&mut self, block: &ItemId, loose: &[Notice]) {
        for card in self.0.iter_mut().filter(|card| card.block == *block) {
            if let Place::Run(id) = card.place {
                let stays = loose.iter().any(|notice| notice.id == id);
                card.place = if stays { Place::Item } else { Place::Gone };
            }
        }
    }
}

impl World<'_> {
    /// Writes down what an event does to cards.
    pub(crate) fn follow_cards(&mut self, block: &ItemId, event: &Event) {
        match event {
            Event::NoticeRaised(notice) => self.shown(block, notice),
            Event::ItemChanged { notices, .. } => {
                for notice in notices {
                    self.shown(block, notice);
                }
            }
            Event::NoticeClosed { id, state } => {
                let how = if *state == NoticeState::Acted { "acted" } else { "dismissed" };
                let kind = self.cards.find(block, Place::Run(*id)).map(|card| card.kind.clone());
                if let Some(kind) = kind.filter(|_| self.outside.wired.notifications) {
                    self.trace.cleared(block.as_str(), &kind, how);
                }
            }
            Event::NoticeEscalated { id } => {
                let kind = self.cards.find(block, Place::Run(*id)).map(|card| card.kind.clone());
                if let Some(kind) = kind.filter(|_| self.outside.wired.notifications) {
                    self.trace.escalated(block.as_str(), &kind);
                }
            }
            _ => {}
        }
    }

    fn shown(&mut self, block: &ItemId, notice: &Notice) {
        if self.cards.find(block, Place::Run(notice.id)).is_some() {
            return;
        }
        self.cards.add(block, &notice.kind, Place::Run(notice.id));
        if self.outside.wired.notifications {
            self.trace.notify(block.as_str(), &notice.kind);
        }
    }

    /// A card that belongs to no run.
    pub(crate) fn shown_loose(&mut self, block: &ItemId, kind: &str) {
        self.cards.add(block, kind, Place::Item);
        if self.outside.wired.notifications {
            self.trace.notify(block.as_str(), kind);
        }
    }

    /// `notification`: somebody deals with a card; one that is not open any more stays as it ended (SPEC NT-6).
    pub(crate) async fn settle_card(&mut self, action: &Action) -> Result<(), Refusal> {
        let state = match action.text("action") {
            Some("dismiss") => NoticeState::Dismissed,
            _ => NoticeState::Acted,
        };
        let wanted = match (action.text("id"), action.text("type")) {
            (Some(id), _) => id.strip_prefix("ntf_").and_then(|number| number.parse::<usize>().ok()),
            (None, Some(kind)) => {
                let open = |card: &&Card| card.kind == kind && self.is_open(card);
                self.cards.0.iter().find(open).and_then(|found| {
                    self.cards.0.iter().position(|card| std::ptr::eq(card, found)).map(|at| at + 1)
                })
            }
            (None, None) => Some(1),
        };
        // Where nobody is told, there is no card to deal with.
        let wanted = wanted.filter(|_| self.outside.wired.notifications);
        let card = wanted.and_then(|number| self.cards.0.get(number.checked_sub(1)?));
        let Some(Card { block, kind, place }) = card else {
            return Err(Rejected::NotFound("there is no such notification".to_owned()).into());
        };
        let (block, kind, place) = (block.clone(), kind.clone(), *place);
        match (place, self.run_of(block.as_str())) {
            (Place::Run(id), Some(at)) => self.input(at, &Input::NoticeSettled { id, state }).await,
            (Place::Item, _) => Ok(self.settle_loose(&block, &kind, state)?),
            _ => Ok(()),
        }
    }

    fn is_open(&self, card: &Card) -> bool {
        let open = |notice: &Notice| notice.state == NoticeState::Open;
        match (card.place, self.run_of(card.block.as_str())) {
            (Place::Run(id), Some(at)) => {
                self.runs[at].run().notices().iter().any(|notice| notice.id == id && open(notice))
            }
            (Place::Item, _) => self
                .board
                .item(&card.block)
                .is_ok_and(|item| item.notices.iter().any(|notice| notice.kind == card.kind && open(notice))),
            _ => false,
        }
    }

    fn settle_loose(
        &mut self,
        block: &ItemId,
        kind: &str,
        state: NoticeState,
    ) -> Result<(), SimulationError> {
        let mut notices = self.board.item(block).map(|item| item.notices.clone()).unwrap_or_default();
        let before = notices.len();
        notices.retain(|notice| notice.kind != kind);
        if notices.len() < before {
            let how = if state == NoticeState::Acted { "acted" } else { "dismissed" };
            self.trace.cleared(block.as_str(), kind, how);
            self.record(block, lockstep_board::ItemRecord { notices: Some(notices), ..Default::default() })?;
        }
        Ok(())
    }

    /// `escalate`: open cards that waited too long become urgent (SPEC NT-3).
    pub(crate) async fn escalate(&mut self, action: &Action) -> Result<(), Refusal> {
        let threshold = action.args.get("thresholdMs").and_then(Value::as_u64).unwrap_or(ESCALATION_MS);
        let now = self.now;
        let is_due = |notice: &Notice| {
            notice.state == NoticeState::Open
                && notice.severity == Severity::Normal
                && now.ms_since(notice.raised_at) >= threshold
        };
        for at in 0..self.runs.len() {
            let notices = self.runs[at].run().notices();
            let due: Vec<NoticeId> =
                notices.iter().filter(|notice| is_due(notice)).map(|notice| notice.id).collect();
            for id in due {
                self.input(at, &Input::Escalate { id }).await?;
            }
        }
        let loose: Vec<(ItemId, Vec<Notice>)> = self
            .board
            .items()
            .filter(|item| item.notices.iter().any(is_due))
            .map(|item| (item.id.clone(), item.notices.clone()))
            .collect();
        for (block, mut notices) in loose {
            for notice in notices.iter_mut().filter(|notice| is_due(notice)) {
                notice.severity = Severity::Urgent;
                self.trace.escalated(block.as_str(), &notice.kind);
            }
            self.record(&block, lockstep_board::ItemRecord { notices: Some(notices), ..Default::default() })?;
        }
        Ok(())
    }

    /// Who acts, for inputs that say so.
    pub(crate) fn person(action: &Action) -> String {
        action.text("user").unwrap_or(PERSON).to_owned()
    }
}
