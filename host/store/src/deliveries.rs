//! Deliveries of webhooks: a row and a payload each, under its number. A book in memory says which ids are known and which
//! wait; it is read when it is first needed, and anew after a write that failed.

use crate::committer::{RowWrite, Write};
use crate::error::{Failure, Shared};
use crate::{SledStore, keys};
use async_trait::async_trait;
use bytes::Bytes;
use lockstep_ports::{
    DELIVERIES_PAGE_MAX, Deliveries, Delivery, DeliveryError, DeliveryState, JournalError, NewDelivery,
    Settlement, Taken,
};
use lockstep_types::Timestamp;
use std::collections::{BTreeMap, HashMap};
use tokio::sync::{Mutex, MutexGuard, Notify};

/// Deliveries kept, those that wait included: a busy repository makes some hundred a day, and GitHub itself shows those of
/// three days.
const KEPT_MAX: usize = 10_000;
/// Bytes of payloads kept: a usual one has ten to thirty kilobytes.
const KEPT_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Milliseconds they are kept: a month is long enough to look up what happened.
const KEPT_MS_MAX: u64 = 30 * 86_400_000;
/// Deliveries that may wait: more come only while nothing is taken up, and GitHub can be asked to deliver again.
const WAITING_MAX: usize = 5_000;
/// Bytes of payloads that may wait.
const WAITING_BYTES_MAX: u64 = 128 * 1024 * 1024;
/// Deliveries that go with one that comes: more than one, so that a shorter age empties the store too.
const DROPPED_MAX: usize = 16;

/// What is known of all deliveries that are kept.
#[derive(Default)]
struct Book {
    by_number: BTreeMap<u64, Delivery>,
    by_id: HashMap<String, u64>,
    bytes: u64,
}

/// The book, once it was read, and who waits for something new.
#[derive(Default)]
pub(crate) struct Shelf {
    book: Mutex<Option<Book>>,
    arrived: Notify,
}

impl Book {
    fn put(&mut self, delivery: Delivery) {
        self.by_id.insert(delivery.id.clone(), delivery.number);
        self.bytes += delivery.bytes;
        if let Some(old) = self.by_number.insert(delivery.number, delivery) {
            self.bytes -= old.bytes;
        }
    }

    fn remove(&mut self, number: u64) {
        if let Some(old) = self.by_number.remove(&number) {
            self.bytes -= old.bytes;
            self.by_id.remove(&old.id);
        }
    }

    fn waiting(&self) -> impl Iterator<Item = &Delivery> {
        self.by_number.values().filter(|delivery| delivery.state == DeliveryState::Waiting)
    }

    fn known(&self, id: &str) -> Option<&Delivery> {
        self.by_id.get(id).and_then(|number| self.by_number.get(number))
    }

    /// What goes because `bytes` more come, the oldest first; what waits stays.
    fn superfluous(&self, bytes: u64, now: Timestamp) -> Vec<u64> {
        let (mut kept, mut size) = (self.by_number.len() + 1, self.bytes + bytes);
        let settled = self.by_number.values().filter(|delivery| delivery.state != DeliveryState::Waiting);
        let goes = |delivery: &&Delivery| {
            let is_old = now.ms_since(delivery.received_at) > KEPT_MS_MAX;
            let is_much = kept > KEPT_MAX || size > KEPT_BYTES_MAX;
            if is_old || is_much {
                (kept, size) = (kept - 1, size - delivery.bytes);
            }
            is_old || is_much
        };
        settled.take_while(goes).take(DROPPED_MAX).map(|delivery| delivery.number).collect()
    }
}

impl SledStore {
    /// The book, read if it is not there yet.
    async fn book(&self) -> Result<MutexGuard<'_, Option<Book>>, JournalError> {
        let mut guard = self.shelf.book.lock().await;
        if guard.is_none() {
            let rows = self.read(|view| view.all(keys::DELIVERIES)).await?;
            let mut book = Book::default();
            for (key, value) in rows {
                book.put(decode(&key, &value).map_err(|failure| failure.journal(&self.inner.shown()))?);
            }
            *guard = Some(book);
        }
        Ok(guard)
    }

    /// Makes rows durable, then true in the book.
    async fn enter(
        &self,
        guard: &mut MutexGuard<'_, Option<Book>>,
        delivery: Delivery,
        body: Option<Vec<u8>>,
        dropped: &[u64],
    ) -> Result<(), JournalError> {
        let encoded = serde_json::to_vec(&delivery);
        let row = encoded.map_err(|error| {
            Failure::Io("encode a delivery", Shared::new(error)).journal(&self.inner.shown())
        })?;
        let key = |prefix, number| keys::delivery(prefix, number);
        let mut rows: Vec<RowWrite> = vec![(key(keys::DELIVERIES, delivery.number), Some(row.into()))];
        rows.extend(body.map(|body| (key(keys::PAYLOADS, delivery.number), Some(Bytes::from(body)))));
        for number in dropped {
            rows.extend([keys::DELIVERIES, keys::PAYLOADS].map(|prefix| (key(prefix, *number), None)));
        }
        // Gone until it is written: whoever is cut off or fails here leaves a book that is read again.
        let mut book = guard.take().unwrap_or_default();
        self.write(Write::Board(rows)).await?;
        dropped.iter().for_each(|number| book.remove(*number));
        book.put(delivery);
        **guard = Some(book);
        Ok(())
    }

    async fn payload(&self, number: u64) -> Result<Vec<u8>, JournalError> {
        let key = keys::delivery(keys::PAYLOADS, number);
        Ok(self.read(move |view| view.get(&key)).await?.unwrap_or_default())
    }
}

#[async_trait]
impl Deliveries for SledStore {
    async fn take(&self, new: NewDelivery) -> Result<Taken, DeliveryError> {
        let mut guard = self.book().await?;
        let book = guard.get_or_insert_default();
        if book.known(&new.id).is_some() {
            return Ok(Taken::Known);
        }
        let bytes = new.body.len() as u64;
        let (waiting, waiting_bytes) =
            book.waiting().fold((0, 0), |(count, sum), delivery| (count + 1, sum + delivery.bytes));
        if waiting >= WAITING_MAX || waiting_bytes + bytes > WAITING_BYTES_MAX {
            return Err(DeliveryError::TooMany { waiting });
        }
        let dropped = book.superfluous(bytes, new.at);
        let delivery = Delivery {
            number: book.by_number.last_key_value().map_or(1, |(last, _)| last + 1),
            id: new.id,
            event: new.event,
            bytes,
            received_at: new.at,
            state: DeliveryState::Waiting,
            outcome: None,
            tries: 0,
            replays: 0,
            not_before: None,
            settled_at: None,
        };
        self.enter(&mut guard, delivery, Some(new.body), &dropped).await?;
        self.shelf.arrived.notify_one();
        Ok(Taken::New)
    }

    async fn next(&self, now: Timestamp) -> Result<Option<(Delivery, Vec<u8>)>, JournalError> {
        let found = {
            let guard = self.book().await?;
            let due = |delivery: &&Delivery| delivery.not_before.is_none_or(|at| at <= now);
            guard.as_ref().and_then(|book| book.waiting().find(due).cloned())
        };
        match found {
            Some(delivery) => {
                let body = self.payload(delivery.number).await?;
                Ok(Some((delivery, body)))
            }
            None => Ok(None),
        }
    }

    async fn next_time(&self) -> Result<Option<Timestamp>, JournalError> {
        let guard = self.book().await?;
        let time = |delivery: &Delivery| delivery.not_before.unwrap_or(delivery.received_at);
        Ok(guard.as_ref().and_then(|book| book.waiting().map(time).min()))
    }

    async fn settle(&self, number: u64, settlement: Settlement, at: Timestamp) -> Result<(), JournalError> {
        let mut guard = self.book().await?;
        let known = guard.as_ref().and_then(|book| book.by_number.get(&number));
        let Some(delivery) = known.filter(|known| known.state == DeliveryState::Waiting).cloned() else {
            return Ok(());
        };
        let delivery = delivery.after(settlement, at);
        self.enter(&mut guard, delivery, None, &[]).await
    }

    async fn list(&self, before: Option<u64>, limit: usize) -> Result<Vec<Delivery>, JournalError> {
        let guard = self.book().await?;
        let end = before.unwrap_or(u64::MAX);
        let limit = limit.min(DELIVERIES_PAGE_MAX);
        let page = |book: &Book| {
            book.by_number.range(..end).rev().take(limit).map(|(_, delivery)| delivery.clone()).collect()
        };
        Ok(guard.as_ref().map(page).unwrap_or_default())
    }

    async fn get(&self, id: &str) -> Result<Option<(Delivery, Vec<u8>)>, JournalError> {
        let known = self.book().await?.as_ref().and_then(|book| book.known(id).cloned());
        match known {
            Some(delivery) => {
                let body = self.payload(delivery.number).await?;
                Ok(Some((delivery, body)))
            }
            None => Ok(None),
        }
    }

    async fn replay(&self, id: &str) -> Result<Option<Delivery>, JournalError> {
        let mut guard = self.book().await?;
        let Some(delivery) = guard.as_ref().and_then(|book| book.known(id).cloned()) else {
            return Ok(None);
        };
        let delivery = delivery.replayed();
        self.enter(&mut guard, delivery.clone(), None, &[]).await?;
        self.shelf.arrived.notify_one();
        Ok(Some(delivery))
    }

    async fn arrived(&self) {
        self.shelf.arrived.notified().await;
    }
}

fn decode(key: &[u8], bytes: &[u8]) -> Result<Delivery, Failure> {
    serde_json::from_slice(bytes).map_err(|error| {
        let number = keys::trailing_number(key).unwrap_or_default();
        Failure::Damaged("a delivery", Shared::new(format!("delivery {number}: {error}")))
    })
}
