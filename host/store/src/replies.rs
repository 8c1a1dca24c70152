//! What requests with an idempotency key were answered: a row each. The time stands in the key, so that all of them can be
//! listed without reading one.

use crate::committer::Write;
use crate::error::{Failure, Shared};
use crate::index::Order;
use crate::{SledStore, keys};
use async_trait::async_trait;
use lockstep_ports::{JournalError, Replies, Reply};
use lockstep_types::{Digest, Timestamp};

#[async_trait]
impl Replies for SledStore {
    async fn keys(&self) -> Result<Vec<(Digest, Timestamp)>, JournalError> {
        let stored = self.read(|view| view.all_keys(keys::REPLIES)).await?;
        Ok(stored.iter().filter_map(|key| parts(key)).collect())
    }

    async fn reply(&self, key: &Digest) -> Result<Option<Reply>, JournalError> {
        let first = keys::reply(key, None);
        let range = first.clone()..keys::reply(key, Some(Timestamp(u64::MAX)));
        let found = self.read(move |view| view.entries(range, Order::Rising, 1)).await?;
        let Some((_, bytes)) = found.first() else { return Ok(None) };
        serde_json::from_slice(bytes).map(Some).map_err(|error| {
            let failure = Failure::Damaged("the answer to a request", Shared::new(error));
            failure.journal(&self.inner.shown())
        })
    }

    async fn keep(&self, key: &Digest, reply: &Reply) -> Result<(), JournalError> {
        let value = serde_json::to_vec(reply)
            .map_err(|error| Failure::Io("encode", Shared::new(error)).journal(&self.inner.shown()))?;
        let row = (keys::reply(key, Some(reply.at)), Some(value.into()));
        self.write(Write::Board(vec![row])).await.map(drop)
    }

    async fn forget(&self, keys: &[(Digest, Timestamp)]) -> Result<(), JournalError> {
        let rows = keys.iter().map(|(key, at)| (keys::reply(key, Some(*at)), None)).collect();
        self.write(Write::Board(rows)).await.map(drop)
    }
}

/// The key and the time of a key of the store.
fn parts(stored: &[u8]) -> Option<(Digest, Timestamp)> {
    let (digest, time) = stored.strip_prefix(keys::REPLIES)?.split_at_checked(32)?;
    let at = Timestamp(u64::from_be_bytes(time.try_into().ok()?));
    Some((Digest::from_bytes(digest.try_into().ok()?), at))
}
