//! Tells the tracker how the work of its tickets goes.
//!
//! A ticket belongs to an item that has the label `ticket:ID`, and follows the item's runs: a comment when one begins and
//! ends, and the state that goes with it. One that a run filed itself is about what was found, not about the run: it gets
//! the comments alone.

use crate::files::read_json;
use async_trait::async_trait;
use lockstep_ports::{
    BoardService, Happening, Listener, Message, MessageError, Ticket, TicketState, Tracker, TrackerError,
};
use lockstep_types::board::ItemId;
use lockstep_types::{ItemStatus, RunId, RunSummary};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a label begins with that names a ticket.
const LABEL: &str = "ticket:";

/// Tickets of an item, or of a run, that are told: more than these nobody means.
const TICKETS_MAX: usize = 20;

/// Tells a tracker what happens in the runs of its tickets.
pub struct TicketUpdates {
    tracker: Arc<dyn Tracker>,
    board: Arc<dyn BoardService>,
    folder: PathBuf,
    origin: String,
}

impl TicketUpdates {
    /// `data` is the host's data folder, `origin` the address under which people reach the host.
    #[must_use]
    pub fn new(tracker: Arc<dyn Tracker>, board: Arc<dyn BoardService>, data: &Path, origin: &str) -> Self {
        let origin = origin.trim_end_matches('/').to_owned();
        Self { tracker, board, folder: data.join("tickets"), origin }
    }

    /// What tickets the item of a run names in its labels.
    async fn named(&self, run: &RunSummary) -> Vec<String> {
        let Some(workspace) = &run.workspace else { return Vec::new() };
        let Ok(id) = ItemId::try_from(run.item.clone()) else { return Vec::new() };
        let Ok(view) = self.board.item(workspace, &id).await else { return Vec::new() };
        let tickets = view.item.labels.iter().filter_map(|label| label.strip_prefix(LABEL));
        tickets.take(TICKETS_MAX).map(str::to_owned).collect()
    }

    /// What tickets a run filed.
    fn filed(&self, run: &RunId) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.join(run.as_str())).into_iter().flatten().flatten();
        let files =
            entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "json"));
        let tickets = files.filter_map(|path| read_json::<Ticket>(&path).ok().flatten());
        tickets.take(TICKETS_MAX).map(|ticket| ticket.external_id).collect()
    }

    async fn tell(&self, delivery: &Message, run: &RunSummary) -> Result<(), TrackerError> {
        let text = format!("{} ({}/runs/{})", said(delivery, run), self.origin, run.id);
        let state = state(delivery.what, run);
        let named = self.named(run).await;
        for id in &named {
            let key = format!("{}/{id}", delivery.id);
            self.tracker.comment(id, &key, &text, delivery.at).await?;
            if let Some(state) = state {
                self.tracker.set_state(id, state).await?;
            }
        }
        for id in self.filed(&run.id).iter().filter(|id| !named.contains(id)) {
            self.tracker.comment(id, &format!("{}/{id}", delivery.id), &text, delivery.at).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Listener for TicketUpdates {
    fn name(&self) -> &str {
        "tracker"
    }

    fn wants(&self, what: Happening) -> bool {
        matches!(what, Happening::Started | Happening::Done | Happening::Failed)
    }

    async fn deliver(&self, delivery: &Message) -> Result<(), MessageError> {
        let Some(run) = delivery.summary.as_ref().filter(|run| !run.is_errand) else { return Ok(()) };
        let told = self.tell(delivery, run).await;
        told.map_err(|TrackerError { message, is_temporary }| MessageError { message, is_temporary })
    }
}

fn said(delivery: &Message, run: &RunSummary) -> String {
    let step = delivery.step.as_ref().map(|step| format!(" at {step}")).unwrap_or_default();
    match delivery.what {
        Happening::Done if run.item_status == ItemStatus::Done => "Done and merged.".to_owned(),
        Happening::Done => "The run is done; the change waits to be merged.".to_owned(),
        Happening::Failed => format!("The run failed{step}: {}", delivery.text),
        _ => format!("Work has begun: {}", delivery.text),
    }
}

/// Where the ticket of an item stands after this. A run that is done without a merge leaves it where it is.
fn state(what: Happening, run: &RunSummary) -> Option<TicketState> {
    match what {
        Happening::Started => Some(TicketState::InProgress),
        Happening::Done if run.item_status == ItemStatus::Done => Some(TicketState::Done),
        Happening::Failed => Some(TicketState::Open),
        _ => None,
    }
}
