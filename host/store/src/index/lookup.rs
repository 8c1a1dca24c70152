//! Finding places: what is in memory is newer than what sled has.

use super::table::Table;
use super::{Access, Changes, Index, Recent};
use crate::error::{Failure, Shared};
use crate::log::Place;
use std::cmp::Ordering;
use std::iter::Peekable;
use std::ops::Range;
use std::sync::PoisonError;

/// The order in which a range is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Rising,
    Falling,
}

impl Index {
    /// Where the value of a key lies.
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Place>, Failure> {
        if let Some(known) = self.recent.read().unwrap_or_else(PoisonError::into_inner).get(key) {
            return Ok(known);
        }
        self.with_table(|table| table.get(key))
    }

    /// The keys of a range and their places, at most `limit`.
    pub(crate) fn scan(
        &self,
        range: Range<Vec<u8>>,
        order: Order,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Place)>, Failure> {
        if range.start >= range.end || limit == 0 {
            return Ok(Vec::new());
        }
        self.with_table(|table| {
            // sled is brought up to date from `settling` before that is dropped: nothing can be missed in between.
            let recent = self.recent.read().unwrap_or_else(PoisonError::into_inner);
            let mut merged = Merged::new(&recent, range.clone(), order, limit);
            table.scan(range, order == Order::Falling, |key, place| merged.stored(key, place))?;
            Ok(merged.finish())
        })
    }

    fn with_table<T>(&self, read: impl FnOnce(&Table) -> Result<T, Failure>) -> Result<T, Failure> {
        match &*self.table.read().unwrap_or_else(PoisonError::into_inner) {
            Access::Open(table) => read(table),
            Access::Failed(failure) => Err(failure.clone()),
            Access::Closed => Err(Failure::Io("read", Shared::new("the store is closed"))),
        }
    }
}

/// The same for an index that nobody else can use yet.
pub(super) fn get(table: &Table, recent: &Recent, key: &[u8]) -> Result<Option<Place>, Failure> {
    recent.get(key).map_or_else(|| table.get(key), Ok)
}

impl Recent {
    /// What is known in memory of a key: where its value lies, or that it is gone.
    fn get(&self, key: &[u8]) -> Option<Option<Place>> {
        self.fresh.get(key).or_else(|| self.settling.get(key)).copied()
    }
}

type Entries<'a> = Peekable<Box<dyn Iterator<Item = (&'a Vec<u8>, &'a Option<Place>)> + 'a>>;

/// Brings together what sled gives and what is in memory.
struct Merged<'a> {
    /// The newest first.
    layers: [Entries<'a>; 2],
    order: Order,
    limit: usize,
    found: Vec<(Vec<u8>, Place)>,
}

impl<'a> Merged<'a> {
    fn new(recent: &'a Recent, range: Range<Vec<u8>>, order: Order, limit: usize) -> Self {
        let layer = |changes: &'a Changes| {
            let entries = changes.range(range.clone());
            let entries: Box<dyn Iterator<Item = _>> = match order {
                Order::Rising => Box::new(entries),
                Order::Falling => Box::new(entries.rev()),
            };
            entries.peekable()
        };
        Self { layers: [layer(&recent.fresh), layer(&recent.settling)], order, limit, found: Vec::new() }
    }

    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        match self.order {
            Order::Rising => a.cmp(b),
            Order::Falling => b.cmp(a),
        }
    }

    /// Takes an entry of sled, and says whether more is wanted.
    fn stored(&mut self, key: &[u8], place: Place) -> bool {
        let is_known = self.take_recent(Some(key));
        if !is_known {
            self.push(key.to_vec(), place);
        }
        self.found.len() < self.limit
    }

    /// Takes what memory has up to and with `last`, and says whether it knows of `last` itself.
    fn take_recent(&mut self, last: Option<&[u8]>) -> bool {
        while self.found.len() < self.limit {
            let heads = [0, 1].map(|layer| self.layers[layer].peek().map(|(key, _)| *key));
            let next = match heads {
                [Some(a), Some(b)] if self.compare(b, a) == Ordering::Less => b,
                [Some(a), _] => a,
                [None, Some(b)] => b,
                [None, None] => return false,
            };
            let against = last.map_or(Ordering::Less, |last| self.compare(next, last));
            if against == Ordering::Greater {
                return false;
            }
            let next = next.clone();
            let mut newest = None;
            for layer in &mut self.layers {
                if layer.peek().is_some_and(|(key, _)| **key == next) {
                    let place = layer.next().map(|(_, place)| *place);
                    newest = newest.or(place);
                }
            }
            if let Some(Some(place)) = newest {
                self.push(next, place);
            }
            if against == Ordering::Equal {
                return true;
            }
        }
        true
    }

    fn push(&mut self, key: Vec<u8>, place: Place) {
        if self.found.len() < self.limit {
            self.found.push((key, place));
        }
    }

    fn finish(mut self) -> Vec<(Vec<u8>, Place)> {
        self.take_recent(None);
        self.found
    }
}
