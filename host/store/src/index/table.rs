//! The part of the index that is on disk: a sled database, with one tree of places by key.

use super::Changes;
use crate::error::{Failure, Shared, panic_text};
use crate::keys;
use crate::log::{Place, Position};
use sled::{Batch, Db};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// Folder of the database within that of the index.
const DATABASE: &str = "sled";
/// Bytes of pages sled keeps in memory: runs at work touch few pages, and finished runs are read rarely.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;
/// Number of the last frame sled holds, under a key no value of the store has.
const REACHED: &[u8] = b"\0reached";
/// Changes given to sled at a time: it makes each batch whole or not at all, and holds all of it in memory.
const BATCH_CHANGES: usize = 1024;
/// Bytes of a stored place.
const PLACE_BYTES: usize = 16;
/// How long a closed database may take to let go of its lock: its last background tasks are short.
const RELEASE_LIMIT: Duration = Duration::from_secs(5);
/// How often the lock is tried meanwhile.
const RELEASE_INTERVAL: Duration = Duration::from_millis(1);

pub(super) struct Table {
    db: Option<Db>,
    /// The file sled writes to, for flushing it to the device and for its lock.
    file: File,
}

impl Table {
    /// Opens what is in the folder of an index.
    pub(super) fn open(folder: &Path) -> Result<Self, Failure> {
        let folder = folder.join(DATABASE);
        let config = sled::Config::new().path(&folder).cache_capacity(CACHE_BYTES).flush_every_ms(None);
        let db = guarded("open the index", || config.open())?;
        let file = OpenOptions::new().read(true).write(true).open(folder.join("db"));
        let file = file.map_err(|error| Failure::of_io("open the index", error))?;
        Ok(Self { db: Some(db), file })
    }

    /// Begins anew, whatever is there.
    pub(super) fn create(folder: &Path) -> Result<Self, Failure> {
        let made = match fs::remove_dir_all(folder.join(DATABASE)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => fs::create_dir_all(folder),
        };
        made.map_err(|error| Failure::of_io("make the index", error))?;
        Self::open(folder)
    }

    fn db(&self) -> &Db {
        self.db.as_ref().expect("a table is open until it is dropped")
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Place>, Failure> {
        let value = guarded("read the index", || self.db().get(key))?;
        value.map(|value| decode(&value)).transpose()
    }

    /// Keys of a range and their places, in order; from the end if `is_reversed`. It goes on while `take` says so.
    pub(super) fn scan(
        &self,
        range: Range<Vec<u8>>,
        is_reversed: bool,
        mut take: impl FnMut(&[u8], Place) -> bool,
    ) -> Result<(), Failure> {
        let mut entries = self.db().range(range);
        let mut next = || if is_reversed { entries.next_back() } else { entries.next() };
        while let Some((key, value)) = guarded("read the index", || next().transpose())? {
            if !take(&key, decode(&value)?) {
                break;
            }
        }
        Ok(())
    }

    /// Puts changes in, without flushing them.
    pub(super) fn apply(&self, changes: &Changes) -> Result<(), Failure> {
        let mut changes = changes.iter().peekable();
        while changes.peek().is_some() {
            let mut batch = Batch::default();
            for (key, place) in changes.by_ref().take(BATCH_CHANGES) {
                match place {
                    Some(place) => batch.insert(key.as_slice(), encode(place).as_slice()),
                    None => batch.remove(key.as_slice()),
                }
            }
            guarded("write the index", || self.db().apply_batch(std::mem::take(&mut batch)))?;
        }
        Ok(())
    }

    /// Number of the last frame that was there when it was flushed; 0 if it never was.
    pub(super) fn reached(&self) -> Result<u64, Failure> {
        let value = guarded("read the index", || self.db().get(REACHED))?;
        Ok(value.and_then(|value| keys::trailing_number(&value)).unwrap_or(0))
    }

    /// Puts everything up to frame `number` on the device. sled's own flush is not enough: on Linux it writes pages out with `sync_file_range`,
    /// which neither empties the cache of the device nor records a new length of the file.
    pub(super) fn flush(&self, number: u64) -> Result<(), Failure> {
        guarded("flush the index", || {
            self.db().insert(REACHED, &number.to_be_bytes())?;
            self.db().flush()
        })?;
        self.file.sync_all().map_err(|error| Failure::of_io("flush the index", error))
    }

    /// Whether sled still takes writes. Once one of its background writes has failed it refuses everything, whether or not
    /// there is space again.
    pub(super) fn check(&self) -> Result<(), Failure> {
        self.db().context.global_error().map_err(|error| Failure::of_sled("write the index", error))
    }
}

impl Drop for Table {
    /// Waits until the tasks sled left behind have let go of it: the folder can be opened again.
    fn drop(&mut self) {
        let db = self.db.take();
        // Closing flushes, and sled panics when that fails. Nothing is lost: the log has it all.
        if catch_unwind(AssertUnwindSafe(|| drop(db))).is_err() {
            tracing::warn!("sled panicked while the index was closed");
        }
        let begun = Instant::now();
        while self.file.try_lock().is_err() {
            if begun.elapsed() > RELEASE_LIMIT {
                tracing::error!("sled did not let go of the lock of the index");
                return;
            }
            thread::sleep(RELEASE_INTERVAL);
        }
    }
}

/// sled meets some kinds of damage with a panic.
fn guarded<T>(operation: &'static str, work: impl FnOnce() -> sled::Result<T>) -> Result<T, Failure> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|error| Failure::of_sled(operation, error)),
        Err(panic) => Err(Failure::Io(operation, Shared::new(panic_text(panic.as_ref())))),
    }
}

fn encode(place: &Place) -> [u8; PLACE_BYTES] {
    let mut bytes = [0; PLACE_BYTES];
    let numbers = [place.at.segment, place.at.offset, place.len, place.crc];
    for (number, bytes) in numbers.iter().zip(bytes.chunks_exact_mut(4)) {
        bytes.copy_from_slice(&number.to_be_bytes());
    }
    bytes
}

fn decode(bytes: &[u8]) -> Result<Place, Failure> {
    let number = |at: usize| bytes[at..].first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes));
    if bytes.len() == PLACE_BYTES
        && let (Some(segment), Some(offset), Some(len), Some(crc)) =
            (number(0), number(4), number(8), number(12))
    {
        return Ok(Place { at: Position { segment, offset }, len, crc });
    }
    Err(Failure::Damaged("the index", Shared::new("a place has the wrong length")))
}
