//! What a turn of a run leaves on its board. Pure: the turn and the board in, changes out.

use lockstep_board::{Blueprint, Board, ItemRecord};
use lockstep_engine::{Finished, Run};
use lockstep_types::board::{Change, Item, ItemId, Row, SpendLimit};
use lockstep_types::{
    Event, FailureClass, Input, ItemLevel, ItemStatus, Notice, NoticeState, Rejected, Timestamp, Usage,
};

/// The role whose output is a map of the service (SPEC BI-2).
const BLUEPRINTS: &str = "blueprints";

/// A turn of a run of a board. `before` is none for the first.
#[derive(Clone, Copy)]
pub(crate) struct Left<'t> {
    pub(crate) before: Option<&'t Run>,
    pub(crate) input: &'t Input,
    pub(crate) finished: &'t Finished,
}

impl Left<'_> {
    fn run(&self) -> &Run {
        &self.finished.recorded.run
    }

    /// Whether the run ended in this turn.
    pub(crate) fn ended(&self) -> bool {
        let was_live = self.before.is_none_or(|before| before.status().is_live());
        was_live && !self.run().status().is_live()
    }

    /// Whether the change of a task was merged in this turn.
    pub(crate) fn merged(&self) -> bool {
        let run = self.run();
        let was_done = self.before.is_some_and(|before| before.item_status() == ItemStatus::Done);
        run.spec().context.level == ItemLevel::Task
            && !run.is_errand()
            && run.item_status() == ItemStatus::Done
            && !was_done
    }

    /// Whether the board has to be looked at. Most turns leave nothing there, and wait for nobody.
    pub(crate) fn touches(&self) -> bool {
        let Some(before) = self.before else { return true };
        let run = self.run();
        self.ended()
            || before.item_status() != run.item_status()
            || before.change().pull_request != run.change().pull_request
            || before.documents() != run.documents()
            || before.environments() != run.environments()
            || self.spent().is_some()
            || self.blueprint().is_some()
    }

    /// Everything the turn changes.
    pub(crate) fn changes(&self, board: &Board, now: Timestamp) -> Vec<Change> {
        let Ok(id) = self.run().spec().item.parse::<ItemId>() else { return Vec::new() };
        let mut changes = self.on_item(board, &id, now).unwrap_or_else(|error| {
            tracing::warn!(item = %id, %error, "what a run left is not kept on its item");
            Vec::new()
        });
        if let Some((model, usage)) = self.spent() {
            changes.extend(board.meter(&model, usage, now));
        }
        if self.ended() {
            let summary = self.run().summary();
            let failure = summary.failure.map(|failure| failure.message);
            changes.extend(board.schedule_run_ended(&summary.id, failure.as_deref(), now));
        }
        changes
    }

    fn on_item(&self, board: &Board, id: &ItemId, now: Timestamp) -> Result<Vec<Change>, Rejected> {
        let run = self.run();
        // An item that is gone keeps nothing.
        let Ok(item) = board.item(id) else { return Ok(Vec::new()) };
        if run.is_errand() {
            // With a current run it was told already, and keeps it on the item.
            let is_its = self.ended() && item.current_run.is_none();
            return if is_its { board.record(id, self.errand(item), now) } else { Ok(Vec::new()) };
        }
        if item.current_run.as_ref() != Some(&run.spec().id) {
            return Ok(Vec::new());
        }
        let record = if self.is_reset() { dropped(item, run) } else { self.record() };
        let mut changes = keep(board, id, record, now)?;
        if self.merged() {
            let mut next = board.clone();
            next.apply(&changes);
            changes.extend(next.merged(id, now)?);
        }
        if let Some(blueprint) = self.blueprint() {
            let service = board.service_of(id).map(|service| service.id.clone());
            let mut next = board.clone();
            next.apply(&changes);
            changes.extend(next.ingest_blueprint(service.as_ref(), &blueprint, now)?);
        }
        Ok(changes)
    }

    fn record(&self) -> ItemRecord {
        let run = self.run();
        let moved = self.before.is_none_or(|before| before.item_status() != run.item_status());
        let held = run.environments().iter().filter(|held| !held.released);
        ItemRecord {
            status: moved.then(|| run.item_status()),
            pull_request: run.change().pull_request.clone(),
            head_branch: Some(run.change().head_branch.clone()),
            documents: Some(run.documents().to_vec()),
            environments: Some(held.map(|held| held.environment.clone()).collect()),
            ..ItemRecord::default()
        }
    }

    fn errand(&self, item: &Item) -> ItemRecord {
        let notices = item.notices.iter().cloned().chain(raised(self.run(), &item.notices)).collect();
        let documents = Some(self.run().documents().to_vec());
        ItemRecord { documents, notices: Some(notices), ..ItemRecord::default() }
    }

    /// Whether a step cancelled the run because a person chose so: the item is as if it had never begun (SPEC CO-14,
    /// RV-18, SC-4).
    fn is_reset(&self) -> bool {
        let stopped = matches!(self.input, Input::Stop { .. });
        let failure = self.run().summary().failure;
        self.ended() && !stopped && failure.is_some_and(|failure| failure.class == FailureClass::Cancelled)
    }

    /// The model a job of this turn used, and how much of it.
    fn spent(&self) -> Option<(String, Usage)> {
        self.finished.record.events.iter().find_map(|event| match event {
            Event::JobSettled { outcome, .. } => {
                outcome.spent().map(|(model, usage)| (model.to_owned(), usage))
            }
            _ => None,
        })
    }

    /// The map of the service that a step of this turn drew.
    fn blueprint(&self) -> Option<Blueprint> {
        self.finished.record.events.iter().find_map(|event| {
            let Event::StepCompleted { step, completion } = event else { return None };
            let def = self.run().spec().pipeline.steps.get(*step)?;
            let artifact = completion.artifact.as_ref().map(|artifact| &artifact.content);
            let text = artifact.or(completion.output.as_ref()).filter(|_| def.role == BLUEPRINTS)?;
            Blueprint::parse(text)
                .inspect_err(|error| tracing::warn!(item = self.run().spec().item, %error, "no blueprint"))
                .ok()
        })
    }
}

/// Whether nothing more may be spent once what an input tells of is paid: the very turn that meters a job decides what
/// begins after it.
pub(crate) fn is_over_budget(board: &Board, input: &Input, now: Timestamp) -> bool {
    let spent = match input {
        Input::JobSettled { outcome, .. } => outcome.spent(),
        _ => None,
    };
    let Some((model, usage)) = spent else { return board.is_over_budget(now) };
    let metered = board.meter(model, usage, now);
    let cost = metered.iter().find_map(|change| match change {
        Change::Put(Row::Spend(month)) => Some(month.cost),
        _ => None,
    });
    match board.settings().pricing.monthly_limit {
        SpendLimit::None => false,
        SpendLimit::Amount(limit) => cost.is_some_and(|cost| cost >= limit),
    }
}

/// Keeps what a run left, without its documents if there are too many or they are too long: its status must not be lost
/// for that.
fn keep(board: &Board, id: &ItemId, record: ItemRecord, now: Timestamp) -> Result<Vec<Change>, Rejected> {
    board.record(id, record.clone(), now).or_else(|error| {
        tracing::warn!(item = %id, %error, "documents and environments of a run are not kept on its item");
        board.record(id, ItemRecord { documents: None, environments: None, ..record }, now)
    })
}

/// The item without its run: planned again, with the cards that belong to no run (SPEC SC-4).
pub(crate) fn dropped(item: &Item, run: &Run) -> ItemRecord {
    let held = run.environments().iter().filter(|held| !held.released);
    ItemRecord {
        status: Some(ItemStatus::Planned),
        current_run: Some(None),
        documents: Some(run.documents().to_vec()),
        environments: Some(held.map(|held| held.environment.clone()).collect()),
        notices: Some(loose_of(item, run.notices())),
        ..ItemRecord::default()
    }
}

/// The item's own cards and those its run had taken over, numbered anew.
pub(crate) fn loose_of(item: &Item, of_run: &[Notice]) -> Vec<Notice> {
    let is_open = |notice: &&Notice| notice.state == NoticeState::Open && notice.is_loose;
    renumbered(item.notices.iter().chain(of_run).filter(is_open).cloned())
}

/// Cards under numbers from 1, none of them of a run.
pub(crate) fn renumbered(notices: impl Iterator<Item = Notice>) -> Vec<Notice> {
    let numbered = (1..).zip(notices);
    numbered
        .map(|(at, notice)| Notice { id: lockstep_types::NoticeId(at), is_loose: true, ..notice })
        .collect()
}

/// The open cards an errand raised itself, numbered after those of its item. It began with what was open then.
pub(crate) fn raised(run: &Run, known: &[Notice]) -> Vec<Notice> {
    let given = run.spec().context.notices.len();
    let last = known.iter().map(|notice| notice.id.0).max().unwrap_or(0);
    let new = run.notices().iter().skip(given).filter(|notice| notice.state == NoticeState::Open);
    let numbered = (last.saturating_add(1)..).zip(new);
    numbered.map(|(at, notice)| Notice { id: lockstep_types::NoticeId(at), ..notice.clone() }).collect()
}
