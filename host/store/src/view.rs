//! Values by key, as everybody may see them.

use crate::error::Failure;
use crate::index::{Index, Order};
use crate::keys;
use crate::log::{Log, Place};
use std::ops::Range;
use std::sync::Arc;

/// Keys read at a time where all of a kind are wanted: writers get their turn in between.
const PAGE_KEYS: usize = 1024;

/// Keys and their values.
pub(crate) type Entries = Vec<(Vec<u8>, Vec<u8>)>;

pub(crate) struct View {
    pub(crate) log: Arc<Log>,
    pub(crate) index: Index,
}

impl View {
    pub(crate) fn contains(&self, key: &[u8]) -> Result<bool, Failure> {
        Ok(self.index.get(key)?.is_some())
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
        match self.index.get(key)? {
            Some(place) => self.read(key, place),
            None => Ok(None),
        }
    }

    /// The value at a place found under `key`.
    fn read(&self, key: &[u8], mut place: Place) -> Result<Option<Vec<u8>>, Failure> {
        loop {
            let failure = match self.log.read(&place) {
                Ok(value) => return Ok(Some(value)),
                Err(failure) => failure,
            };
            // It may have been moved, and its old place given back, since it was found.
            match self.index.get(key)? {
                Some(now) if now != place => place = now,
                Some(_) => return Err(failure),
                None => return Ok(None),
            }
        }
    }

    pub(crate) fn keys(
        &self,
        range: Range<Vec<u8>>,
        order: Order,
        limit: usize,
    ) -> Result<Vec<Vec<u8>>, Failure> {
        Ok(self.index.scan(range, order, limit)?.into_iter().map(|(key, _)| key).collect())
    }

    /// Keys and values of a range, at most `limit`.
    pub(crate) fn entries(
        &self,
        range: Range<Vec<u8>>,
        order: Order,
        limit: usize,
    ) -> Result<Entries, Failure> {
        let mut found = Vec::new();
        for (key, place) in self.index.scan(range, order, limit)? {
            if let Some(value) = self.read(&key, place)? {
                found.push((key, value));
            }
        }
        Ok(found)
    }

    /// All keys that begin with `prefix`, in their order.
    pub(crate) fn all_keys(&self, prefix: &[u8]) -> Result<Vec<Vec<u8>>, Failure> {
        let mut found: Vec<Vec<u8>> = Vec::new();
        loop {
            let page = self.keys(rest(prefix, found.last()), Order::Rising, PAGE_KEYS)?;
            if page.is_empty() {
                return Ok(found);
            }
            found.extend(page);
        }
    }

    /// How many keys begin with `prefix`.
    pub(crate) fn count(&self, prefix: &[u8]) -> Result<u64, Failure> {
        let (mut count, mut last) = (0, None);
        loop {
            let page = self.keys(rest(prefix, last.as_ref()), Order::Rising, PAGE_KEYS)?;
            count += page.len() as u64;
            last = page.into_iter().next_back();
            if last.is_none() {
                return Ok(count);
            }
        }
    }

    /// All keys that begin with `prefix`, and their values, in their order.
    pub(crate) fn all(&self, prefix: &[u8]) -> Result<Entries, Failure> {
        let mut found: Entries = Vec::new();
        loop {
            let page =
                self.entries(rest(prefix, found.last().map(|(key, _)| key)), Order::Rising, PAGE_KEYS)?;
            if page.is_empty() {
                return Ok(found);
            }
            found.extend(page);
        }
    }
}

/// What of a prefix comes behind `last`.
fn rest(prefix: &[u8], last: Option<&Vec<u8>>) -> Range<Vec<u8>> {
    let begin = last.map_or_else(|| prefix.to_vec(), |last| keys::after(last));
    begin..keys::above(prefix)
}
