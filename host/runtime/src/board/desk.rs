//! A board in memory, and the order in which it changes.

use crate::runtime::lock;
use lockstep_board::Board;
use lockstep_engine::Run;
use lockstep_ports::{BoardCommit, Journal, JournalError};
use lockstep_types::board::{Change, ItemId, Row, Settings, WorkspaceId};
use lockstep_types::{
    Event, Notice, NoticeState, RunId, RunSpec, RunStatus, RunSummary, Severity, Timestamp,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio::sync::{Notify, OwnedMutexGuard};

const MINUTE_MS: u64 = 60_000;

/// All boards of a host, and what of runs is looked up beside them.
#[derive(Default)]
pub(crate) struct Boards {
    desks: RwLock<BTreeMap<WorkspaceId, Arc<Desk>>>,
    cards: Mutex<BTreeMap<RunId, CardRow>>,
    /// Items whose change was merged and whose dependents are still to be looked at.
    merged: Mutex<Vec<(Arc<Desk>, ItemId)>>,
    /// Rung when something may have to happen at another time than was thought.
    pub(crate) changed: Notify,
    /// When that task looks around by itself.
    planned: Mutex<Option<Timestamp>>,
    /// Held while a workspace is made.
    pub(crate) making: tokio::sync::Mutex<()>,
}

/// The open cards of a run.
pub(crate) struct CardRow {
    pub(crate) workspace: Option<WorkspaceId>,
    pub(crate) item: String,
    pub(crate) notices: Vec<Notice>,
}

impl CardRow {
    /// When its cards become urgent that are not.
    pub(crate) fn late(&self, minutes: u32) -> impl Iterator<Item = Timestamp> {
        late(&self.notices, minutes)
    }
}

/// When cards become urgent that are not.
pub(crate) fn late(notices: &[Notice], minutes: u32) -> impl Iterator<Item = Timestamp> {
    let waits = |notice: &&Notice| notice.state == NoticeState::Open && notice.severity == Severity::Normal;
    notices.iter().filter(waits).map(move |notice| notice.raised_at.plus_ms(u64::from(minutes) * MINUTE_MS))
}

/// One workspace. Whoever changes it holds the gate from the decision until it is durable and applied; whoever reads
/// waits for no disk.
pub(crate) struct Desk {
    pub(crate) id: WorkspaceId,
    board: RwLock<Board>,
    gate: Arc<tokio::sync::Mutex<()>>,
    /// The live run of each item that has one (DEVIATIONS D-11).
    live: Mutex<BTreeMap<ItemId, RunId>>,
    /// Runs that wait for a budget.
    paused: Mutex<BTreeSet<RunId>>,
}

/// The right to change a board.
///
/// It is held over the commit, so commands of one workspace are durable one after another: some hundred a second on a
/// disk that flushes in milliseconds, far more than people send. Of the turns of runs only those that change the item
/// or cost money need it; the others share their flushes as ever, as do different workspaces.
pub(crate) struct Writer {
    desk: Arc<Desk>,
    _gate: OwnedMutexGuard<()>,
}

impl Boards {
    pub(crate) fn desk(&self, id: &WorkspaceId) -> Option<Arc<Desk>> {
        self.desks.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// The board a run belongs to.
    pub(crate) fn of(&self, spec: &RunSpec) -> Option<Arc<Desk>> {
        self.desk(spec.context.workspace.as_ref()?)
    }

    /// All boards, by id.
    pub(crate) fn all(&self) -> Vec<Arc<Desk>> {
        self.desks.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(crate) fn add(&self, board: Board) -> Arc<Desk> {
        let id = board.workspace().id.clone();
        let desk = Arc::new(Desk {
            id: id.clone(),
            board: RwLock::new(board),
            gate: Arc::default(),
            live: Mutex::default(),
            paused: Mutex::default(),
        });
        self.desks.write().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::clone(&desk));
        desk
    }

    /// Keeps up with a turn that is durable.
    pub(crate) fn follow(&self, run: &Run, events: &[Event]) {
        let open = |notice: &&Notice| notice.state == NoticeState::Open;
        let (spec, notices) = (run.spec(), run.notices().iter().filter(open).cloned().collect());
        let (workspace, item) = (spec.context.workspace.clone(), spec.item.clone());
        self.keep_cards(&spec.id, run.is_errand(), CardRow { workspace, item, notices });
        let Some(desk) = self.of(run.spec()) else { return };
        let held = |event: &Event| matches!(event, Event::RunPaused { over_budget: true, .. });
        if run.status() != RunStatus::Paused {
            lock(&desk.paused).remove(&run.spec().id);
        } else if events.iter().any(held) {
            desk.pause(&run.spec().id);
            // The budget may have been raised since the turn began.
            self.changed.notify_one();
        }
    }

    /// Keeps the open cards of a run. An errand's are its item's, once it has ended.
    pub(crate) fn keep_cards(&self, run: &RunId, is_errand: bool, row: CardRow) {
        if row.notices.is_empty() || is_errand {
            lock(&self.cards).remove(run);
            return;
        }
        let late = row.late(self.patience(row.workspace.as_ref())).min();
        lock(&self.cards).insert(run.clone(), row);
        // Most cards are late long after others that wait already: looking at all for each would cost more and more.
        let planned = *lock(&self.planned);
        if late.is_some_and(|late| planned.is_none_or(|planned| late < planned)) {
            self.changed.notify_one();
        }
    }

    /// Notes when the one task for time looks around next; none while it does.
    pub(crate) fn plan(&self, at: Option<Timestamp>) {
        *lock(&self.planned) = at;
    }

    /// Minutes until a card is urgent.
    pub(crate) fn patience(&self, workspace: Option<&WorkspaceId>) -> u32 {
        let desk = workspace.and_then(|id| self.desk(id));
        let of = |settings: &Settings| settings.waiting_escalation_minutes;
        desk.map_or_else(|| of(&Settings::default()), |desk| desk.read(|board| of(board.settings())))
    }

    /// Nothing is known of a run any more.
    pub(crate) fn forget_cards(&self, run: &RunId) {
        lock(&self.cards).remove(run);
    }

    /// Whether a run is the one that its item shows.
    pub(crate) fn shows(&self, summary: &RunSummary) -> bool {
        let desk = summary.workspace.as_ref().and_then(|workspace| self.desk(workspace));
        desk.is_some_and(|desk| desk.is_current(&summary.item, &summary.id))
    }

    /// Looks at the open cards of all runs that count: those of a board by the current run of their item only.
    pub(crate) fn each_card(&self, mut look: impl FnMut(&RunId, &CardRow)) {
        for (run, row) in &*lock(&self.cards) {
            let desk = row.workspace.as_ref().map(|workspace| self.desk(workspace));
            let counts = desk.is_none_or(|desk| desk.is_some_and(|desk| desk.is_current(&row.item, run)));
            if counts {
                look(run, row);
            }
        }
    }

    pub(crate) fn tell_merged(&self, desk: Arc<Desk>, item: ItemId) {
        lock(&self.merged).push((desk, item));
        self.changed.notify_one();
    }

    pub(crate) fn take_merged(&self) -> Vec<(Arc<Desk>, ItemId)> {
        std::mem::take(&mut *lock(&self.merged))
    }
}

impl Desk {
    /// Reads the board as it is durable.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Board) -> T) -> T {
        read(&self.board.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits for the right to change the board.
    pub(crate) async fn writer(self: &Arc<Self>) -> Writer {
        let gate = Arc::clone(&self.gate).lock_owned().await;
        Writer { desk: Arc::clone(self), _gate: gate }
    }

    pub(crate) fn live_run(&self, item: &ItemId) -> Option<RunId> {
        lock(&self.live).get(item).cloned()
    }

    /// Items with a live run.
    pub(crate) fn live_items(&self) -> BTreeSet<ItemId> {
        lock(&self.live).keys().cloned().collect()
    }

    /// Gives the item to a run, unless another one has it: then that one.
    pub(crate) fn claim(&self, item: &ItemId, run: &RunId) -> Result<(), RunId> {
        let mut live = lock(&self.live);
        match live.get(item) {
            Some(other) if other != run => Err(other.clone()),
            _ => {
                live.insert(item.clone(), run.clone());
                Ok(())
            }
        }
    }

    /// Gives the item free, if it is this run that has it.
    pub(crate) fn release(&self, item: &ItemId, run: &RunId) {
        let mut live = lock(&self.live);
        if live.get(item) == Some(run) {
            live.remove(item);
        }
    }

    pub(crate) fn pause(&self, run: &RunId) {
        lock(&self.paused).insert(run.clone());
    }

    /// Runs that wait for a budget, the oldest first.
    pub(crate) fn paused(&self) -> Vec<RunId> {
        lock(&self.paused).iter().cloned().collect()
    }

    /// Whether the item's current run is this one.
    pub(crate) fn is_current(&self, item: &str, run: &RunId) -> bool {
        let Ok(item) = item.parse() else { return false };
        self.read(|board| board.item(&item).is_ok_and(|item| item.current_run.as_ref() == Some(run)))
    }
}

impl Writer {
    pub(crate) fn desk(&self) -> &Arc<Desk> {
        &self.desk
    }

    /// What is to be committed; none if nothing changes.
    pub(crate) fn of(&self, changes: &[Change]) -> Option<BoardCommit> {
        let commit = || BoardCommit { workspace: self.desk.id.clone(), changes: changes.to_vec() };
        (!changes.is_empty()).then(commit)
    }

    /// Makes changes durable, then true.
    pub(crate) async fn commit(
        &self,
        boards: &Boards,
        journal: &dyn Journal,
        changes: &[Change],
    ) -> Result<(), JournalError> {
        if let Some(commit) = self.of(changes) {
            journal.commit_board(commit).await?;
            self.apply(boards, changes);
        }
        Ok(())
    }

    /// Makes true what is durable.
    pub(crate) fn apply(&self, boards: &Boards, changes: &[Change]) {
        self.desk.board.write().unwrap_or_else(PoisonError::into_inner).apply(changes);
        let is_timed = |change: &Change| match change {
            Change::Put(Row::Schedule(_) | Row::Settings(_)) => true,
            Change::Put(Row::Item(item)) => !item.notices.is_empty(),
            _ => false,
        };
        if changes.iter().any(is_timed) {
            boards.changed.notify_one();
        }
    }
}
