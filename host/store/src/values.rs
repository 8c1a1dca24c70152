//! Values. sled keeps a page larger than a quarter of a segment in a file of its own, which it never flushes to the
//! device: a value is therefore cut into parts so small that no page becomes that large.

use crate::keys;
use sled::{Batch, Db, IVec};
use std::collections::BTreeMap;

/// Most bytes of a value under one key. A leaf holds up to 20 values for a moment (16, one that makes it split, and what
/// merging brings), and has to stay below 128 KiB, a quarter of sled's segment.
const PART_BYTES_MAX: usize = 6 * 1024;
/// First byte of a value that is whole.
const WHOLE: u8 = 0;
/// First byte of a value that goes on under other keys; how many, in four bytes, comes next.
const SPLIT: u8 = 1;
/// Bytes before what is stored of a split value.
const SPLIT_HEAD: usize = 5;

/// Why a value could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error(transparent)]
    Sled(#[from] sled::Error),
    #[error("a part of the value is missing or was altered")]
    Parts,
}

/// How many parts follow the stored head of a value.
fn parts_of(head: &[u8]) -> Result<u32, ReadError> {
    match head {
        [WHOLE, ..] => Ok(0),
        [SPLIT, a, b, c, d, ..] => Ok(u32::from_be_bytes([*a, *b, *c, *d])),
        _ => Err(ReadError::Parts),
    }
}

/// Puts a value together, given its stored head and a way to its parts.
fn join(
    key: &[u8],
    head: &[u8],
    get: impl Fn(&[u8]) -> sled::Result<Option<IVec>>,
) -> Result<Vec<u8>, ReadError> {
    let parts = parts_of(head)?;
    if parts == 0 {
        return Ok(head[1..].to_vec());
    }
    let mut value = head[SPLIT_HEAD..].to_vec();
    for number in 1..=parts {
        value.extend_from_slice(&get(&keys::part(key, number))?.ok_or(ReadError::Parts)?);
    }
    Ok(value)
}

/// The value stored under `key`.
pub(crate) fn get(db: &Db, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
    db.get(key)?.map(|head| read(db, key, &head)).transpose()
}

/// The value whose stored head was found under `key`.
pub(crate) fn read(db: &Db, key: &[u8], head: &[u8]) -> Result<Vec<u8>, ReadError> {
    join(key, head, |part| db.get(part))
}

/// Writes that are to become durable together, and what stood in their place before.
pub(crate) struct Changes<'a> {
    db: &'a Db,
    after: BTreeMap<Vec<u8>, Option<IVec>>,
    before: Undo,
}

/// What stood under the keys of a batch before it; `None` for a key that did not exist.
pub(crate) type Undo = BTreeMap<Vec<u8>, Option<IVec>>;

impl<'a> Changes<'a> {
    pub(crate) fn new(db: &'a Db) -> Self {
        Self { db, after: BTreeMap::new(), before: Undo::new() }
    }

    fn raw(&self, key: &[u8]) -> sled::Result<Option<IVec>> {
        self.after.get(key).map_or_else(|| self.db.get(key), |value| Ok(value.clone()))
    }

    /// The value as it will be.
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        self.raw(key)?.map(|head| join(key, &head, |part| self.raw(part))).transpose()
    }

    pub(crate) fn contains(&self, key: &[u8]) -> sled::Result<bool> {
        Ok(self.raw(key)?.is_some())
    }

    fn set(&mut self, key: Vec<u8>, value: Option<IVec>) -> sled::Result<()> {
        if !self.before.contains_key(&key) {
            let old = self.db.get(&key)?;
            self.before.insert(key.clone(), old);
        }
        self.after.insert(key, value);
        Ok(())
    }

    /// Stores a value, in parts if it is large. What an older, larger value had more of goes away.
    pub(crate) fn put(&mut self, key: Vec<u8>, value: &[u8]) -> Result<(), ReadError> {
        let old_parts = self.raw(&key)?.map_or(Ok(0), |head| parts_of(&head))?;
        let (head, rest) = value.split_at(value.len().min(PART_BYTES_MAX));
        let mut parts = 0;
        for part in rest.chunks(PART_BYTES_MAX) {
            parts += 1;
            self.set(keys::part(&key, parts), Some(part.into()))?;
        }
        for number in parts + 1..=old_parts {
            self.set(keys::part(&key, number), None)?;
        }
        let stored = if parts == 0 {
            [&[WHOLE], head].concat()
        } else {
            [&[SPLIT], parts.to_be_bytes().as_slice(), head].concat()
        };
        self.set(key, Some(stored.into()))?;
        Ok(())
    }

    /// Takes a value away, with its parts.
    pub(crate) fn remove(&mut self, key: Vec<u8>) -> Result<(), ReadError> {
        let parts = self.raw(&key)?.map_or(Ok(0), |head| parts_of(&head))?;
        for number in 1..=parts {
            self.set(keys::part(&key, number), None)?;
        }
        self.set(key, None)?;
        Ok(())
    }

    /// The last key that begins with `prefix`, as it will be. Such keys are never removed.
    pub(crate) fn last_key(&self, prefix: &[u8]) -> sled::Result<Option<Vec<u8>>> {
        let range = prefix.to_vec()..keys::above(prefix);
        let stored = self.db.range(range.clone()).keys().next_back().transpose()?.map(|key| key.to_vec());
        let added = self.after.range(range).next_back().map(|(key, _)| key.clone());
        Ok(stored.max(added))
    }

    /// The batch for sled, if anything changes, and what undoes it.
    pub(crate) fn finish(self) -> (Option<Batch>, Undo) {
        let batch = (!self.after.is_empty()).then(|| batch_of(self.after));
        (batch, self.before)
    }
}

/// Makes `entries` what sled applies at once.
pub(crate) fn batch_of(entries: BTreeMap<Vec<u8>, Option<IVec>>) -> Batch {
    let mut batch = Batch::default();
    for (key, value) in entries {
        match value {
            Some(value) => batch.insert(key, value),
            None => batch.remove(key),
        }
    }
    batch
}
