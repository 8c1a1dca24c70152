//! A batch being put together: what it will make true is seen by the writes behind in it, and by nobody else.

use crate::error::Failure;
use crate::index::Order;
use crate::keys;
use crate::log::{self, Change, Place, Placed};
use crate::view::View;
use bytes::Bytes;
use std::collections::BTreeMap;

pub(crate) struct Staging<'a> {
    view: &'a View,
    batch: log::Batch,
    /// Where the values of this batch will lie.
    placed: BTreeMap<Vec<u8>, Option<Place>>,
    /// What the write that is being added changes.
    changes: Vec<Change>,
}

impl<'a> Staging<'a> {
    pub(crate) fn new(view: &'a View, batch: log::Batch) -> Self {
        Self { view, batch, placed: BTreeMap::new(), changes: Vec::new() }
    }

    fn changed(&self, key: &[u8]) -> Option<&Option<Bytes>> {
        self.changes.iter().rev().find(|(changed, _)| changed == key).map(|(_, value)| value)
    }

    /// The value as it will be.
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
        if let Some(value) = self.changed(key) {
            return Ok(value.as_ref().map(|value| value.to_vec()));
        }
        match self.placed.get(key) {
            Some(place) => Ok(place.and_then(|place| self.batch.value(&place)).map(<[u8]>::to_vec)),
            None => self.view.get(key),
        }
    }

    pub(crate) fn contains(&self, key: &[u8]) -> Result<bool, Failure> {
        if let Some(value) = self.changed(key) {
            return Ok(value.is_some());
        }
        self.placed.get(key).map_or_else(|| self.view.contains(key), |place| Ok(place.is_some()))
    }

    /// Where the value lies now, if it does.
    pub(crate) fn place(&self, key: &[u8]) -> Result<Option<Place>, Failure> {
        self.placed.get(key).map_or_else(|| self.view.index.get(key), |place| Ok(*place))
    }

    pub(crate) fn put(&mut self, key: Vec<u8>, value: impl Into<Bytes>) {
        self.changes.push((key, Some(value.into())));
    }

    pub(crate) fn remove(&mut self, key: Vec<u8>) {
        self.changes.push((key, None));
    }

    /// The last key that begins with `prefix`, as it will be. Only for keys that are never removed one by one.
    pub(crate) fn last_key(&self, prefix: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
        let range = prefix.to_vec()..keys::above(prefix);
        let stored = self.view.keys(range.clone(), Order::Falling, 1)?.pop();
        let is_put = |place: &Option<Place>| place.is_some();
        let placed =
            self.placed.range(range).rev().find(|(_, place)| is_put(place)).map(|(key, _)| key.clone());
        let changed = self.changes.iter().filter(|(key, value)| key.starts_with(prefix) && value.is_some());
        Ok(stored.max(placed).max(changed.map(|(key, _)| key.clone()).max()))
    }

    /// The write is whole: its changes become a frame.
    pub(crate) fn end_write(&mut self) {
        if !self.changes.is_empty() {
            self.placed.extend(self.batch.add(&self.changes));
            self.changes.clear();
        }
    }

    /// The write is refused: nothing of it remains.
    pub(crate) fn drop_write(&mut self) {
        self.changes.clear();
    }

    /// What goes to the device, and where the values lie then.
    pub(crate) fn finish(self) -> (log::Batch, Vec<Placed>) {
        (self.batch, self.placed.into_iter().collect())
    }
}
