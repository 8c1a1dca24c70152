use crate::lock;
use async_trait::async_trait;
use lockstep_ports::{
    Deliveries, Delivery, DeliveryError, DeliveryState, JournalError, NewDelivery, Settlement, Taken,
};
use lockstep_types::Timestamp;
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;

/// Deliveries in memory, without bounds. Clones share them: who opens a host again finds them as they were left.
#[derive(Clone, Debug, Default)]
pub struct MemDeliveries(Arc<Shelf>);

#[derive(Debug, Default)]
struct Shelf {
    kept: Mutex<Vec<(Delivery, Vec<u8>)>>,
    is_full: Mutex<bool>,
    arrived: Notify,
}

impl MemDeliveries {
    /// From now on nothing more is taken, or again.
    pub fn set_full(&self, is_full: bool) {
        *lock(&self.0.is_full) = is_full;
    }

    /// What became of one is forgotten, as if the host had gone down before that was kept.
    pub fn unsettle(&self, id: &str) {
        let before = |known: Delivery| Delivery {
            state: DeliveryState::Waiting,
            outcome: None,
            tries: 0,
            settled_at: None,
            ..known
        };
        self.change(|known| known.id == id, before);
        self.0.arrived.notify_one();
    }

    /// Changes one and gives it.
    fn change(
        &self,
        which: impl Fn(&Delivery) -> bool,
        change: impl FnOnce(Delivery) -> Delivery,
    ) -> Option<Delivery> {
        let mut kept = lock(&self.0.kept);
        let (delivery, _) = kept.iter_mut().find(|(delivery, _)| which(delivery))?;
        *delivery = change(delivery.clone());
        Some(delivery.clone())
    }

    fn waiting(&self) -> Vec<(Delivery, Vec<u8>)> {
        let kept = lock(&self.0.kept);
        kept.iter().filter(|(delivery, _)| delivery.state == DeliveryState::Waiting).cloned().collect()
    }
}

#[async_trait]
impl Deliveries for MemDeliveries {
    async fn take(&self, new: NewDelivery) -> Result<Taken, DeliveryError> {
        let mut kept = lock(&self.0.kept);
        if kept.iter().any(|(delivery, _)| delivery.id == new.id) {
            return Ok(Taken::Known);
        }
        if *lock(&self.0.is_full) {
            return Err(DeliveryError::TooMany { waiting: kept.len() });
        }
        let delivery = Delivery {
            number: kept.len() as u64 + 1,
            id: new.id,
            event: new.event,
            bytes: new.body.len() as u64,
            received_at: new.at,
            state: DeliveryState::Waiting,
            outcome: None,
            tries: 0,
            replays: 0,
            not_before: None,
            settled_at: None,
        };
        kept.push((delivery, new.body));
        self.0.arrived.notify_one();
        Ok(Taken::New)
    }

    async fn next(&self, now: Timestamp) -> Result<Option<(Delivery, Vec<u8>)>, JournalError> {
        let is_due = |(delivery, _): &(Delivery, Vec<u8>)| delivery.not_before.is_none_or(|at| at <= now);
        Ok(self.waiting().into_iter().find(is_due))
    }

    async fn next_time(&self) -> Result<Option<Timestamp>, JournalError> {
        let time = |(delivery, _): (Delivery, Vec<u8>)| delivery.not_before.unwrap_or(delivery.received_at);
        Ok(self.waiting().into_iter().map(time).min())
    }

    async fn settle(&self, number: u64, settlement: Settlement, at: Timestamp) -> Result<(), JournalError> {
        let which = |known: &Delivery| known.number == number && known.state == DeliveryState::Waiting;
        self.change(which, |delivery| delivery.after(settlement, at));
        Ok(())
    }

    async fn list(&self, before: Option<u64>, limit: usize) -> Result<Vec<Delivery>, JournalError> {
        let kept = lock(&self.0.kept);
        let below = kept.iter().rev().map(|(delivery, _)| delivery);
        let below = below.filter(|delivery| before.is_none_or(|before| delivery.number < before));
        Ok(below.take(limit).cloned().collect())
    }

    async fn get(&self, id: &str) -> Result<Option<(Delivery, Vec<u8>)>, JournalError> {
        Ok(lock(&self.0.kept).iter().find(|(delivery, _)| delivery.id == id).cloned())
    }

    async fn replay(&self, id: &str) -> Result<Option<Delivery>, JournalError> {
        let replayed = self.change(|known| known.id == id, Delivery::replayed);
        self.0.arrived.notify_one();
        Ok(replayed)
    }

    async fn arrived(&self) {
        self.0.arrived.notified().await;
    }
}
