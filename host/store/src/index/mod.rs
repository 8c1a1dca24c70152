//! The index: where in the log the value of each key lies. It is a sled database, brought up to date behind the log, and
//! in memory what sled does not have yet.
//!
//! It holds nothing the log does not say. Whatever happens to its files, it is made again from the log: from where it was
//! last flushed, or whole.

mod checkpoint;
mod keep;
mod lookup;
mod table;

pub(crate) use checkpoint::{SegmentUsage, Usage};
pub(crate) use keep::Flush;
pub(crate) use lookup::Order;

use crate::error::Failure;
use crate::keys;
use crate::log::recover::{self, End};
use crate::log::{Log, Place, Placed, Position};
use checkpoint::Checkpoint;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use table::Table;

/// Changes in memory at which they are moved to sled: enough that a key changed often is written once, little beside the
/// memory of the host.
pub(crate) const SETTLE_AT: usize = 16 * 1024;
/// Changes in memory at which whoever writes has to wait.
const RECENT_MAX: usize = 8 * SETTLE_AT;
/// Bytes of the log after which sled is flushed: so much is read again after a crash.
const CHECKPOINT_BYTES: u64 = 64 * 1024 * 1024;

/// Places by key; none for a key that is gone.
type Changes = BTreeMap<Vec<u8>, Option<Place>>;

pub(crate) struct Index {
    folder: PathBuf,
    log: Arc<Log>,
    table: RwLock<Access>,
    recent: RwLock<Recent>,
    /// Held by whoever writes to sled or flushes it: sled 0.34 can lock up when several do.
    keeping: Mutex<Checkpoint>,
}

enum Access {
    Open(Table),
    /// sled failed, and could not be opened again yet.
    Failed(Failure),
    Closed,
}

/// What is not in sled yet.
#[derive(Default)]
struct Recent {
    fresh: Changes,
    /// On its way to sled; `fresh` is newer.
    settling: Arc<Changes>,
    /// Where the frames of `fresh` end, and the number of the last of them.
    through: (Position, u64),
    /// Up to where sled was flushed.
    flushed: Position,
    usage: Usage,
}

impl Recent {
    /// Takes changes in that are on the device, with the places that they replace.
    fn take_in(&mut self, placed: Vec<Placed>, replaced: &[Place], through: (Position, u64)) {
        replaced.iter().for_each(|place| self.usage.died(place));
        self.usage.grew(through.0);
        self.fresh.extend(placed);
        self.through = through;
    }

    /// Whether it is time to bring sled up to date: much changed, or much would have to be read again after a crash.
    fn is_due(&self) -> bool {
        self.fresh.len() >= SETTLE_AT || distance(self.flushed, self.through.0) >= CHECKPOINT_BYTES
    }
}

/// Bytes of the log between two places, roughly where they are in different segments.
fn distance(from: Position, to: Position) -> u64 {
    let segments = u64::from(to.segment.saturating_sub(from.segment));
    (segments * u64::from(crate::log::SEGMENT_BYTES) + u64::from(to.offset))
        .saturating_sub(u64::from(from.offset))
}

impl Index {
    /// Opens the index in `folder` and brings it up to date with the log; says where the log ends.
    pub(crate) fn open(folder: &Path, log: Arc<Log>) -> Result<(Self, End), Failure> {
        let mut checkpoint = Checkpoint::read(folder);
        let (table, recent, end) = catch_up(folder, &log, &mut checkpoint)?;
        let index = Self {
            folder: folder.to_owned(),
            log,
            table: RwLock::new(Access::Open(table)),
            recent: RwLock::new(recent),
            keeping: Mutex::new(checkpoint),
        };
        Ok((index, end))
    }

    fn keeping(&self) -> MutexGuard<'_, Checkpoint> {
        self.keeping.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes changes in that are on the device, and says whether it is time to settle.
    pub(crate) fn take_in(&self, placed: Vec<Placed>, through: (Position, u64)) -> bool {
        // What is on the device is taken in whether or not sled can tell what it replaces.
        let replaced = replaced(&placed, |key| self.get(key)).unwrap_or_default();
        let mut recent = self.recent.write().unwrap_or_else(PoisonError::into_inner);
        recent.take_in(placed, &replaced, through);
        recent.is_due()
    }

    /// The segment is gone.
    pub(crate) fn forget_segment(&self, segment: u32) {
        self.recent.write().unwrap_or_else(PoisonError::into_inner).usage.0.remove(&segment);
    }

    /// Whether so much waits for sled that writers must, too.
    pub(crate) fn is_full(&self) -> bool {
        self.recent.read().unwrap_or_else(PoisonError::into_inner).fresh.len() >= RECENT_MAX
    }

    /// What is known of the segments.
    pub(crate) fn usage(&self) -> Usage {
        self.recent.read().unwrap_or_else(PoisonError::into_inner).usage.clone()
    }
}

/// Opens sled and reads what it misses from the log: what came after its last flush, or everything if it cannot be trusted
/// or opened.
fn catch_up(folder: &Path, log: &Log, checkpoint: &mut Checkpoint) -> Result<(Table, Recent, End), Failure> {
    let mut opened = None;
    let reached = log.reaches(checkpoint.through).map_err(|error| Failure::of_io("read the log", error))?;
    if reached && checkpoint.is_trusted() {
        // sled makes a new database of an empty file without a word.
        let whole = |table: Table| Ok((table.reached()? >= checkpoint.number.unwrap_or(0)).then_some(table));
        match Table::open(folder).and_then(whole) {
            Ok(table) => opened = table,
            Err(failure) => {
                tracing::warn!(folder = %folder.display(), ?failure, "the index is made again from the log");
            }
        }
    }
    let table = if let Some(table) = opened {
        table
    } else {
        *checkpoint = Checkpoint::default();
        Table::create(folder)?
    };
    // From here on a crash of the machine may leave in sled's file what was never flushed.
    checkpoint.begin(folder).map_err(|error| Failure::of_io("open the index", error))?;
    let (usage, flushed) = (checkpoint.usage.clone(), checkpoint.through);
    let mut recent = Recent { usage, flushed, ..Recent::default() };
    let mut failed = None;
    let end = recover::replay(log, (checkpoint.through, checkpoint.number), |position, number, placed| {
        let taken = replaced(&placed, |key| lookup::get(&table, &recent, key)).and_then(|replaced| {
            recent.take_in(placed, &replaced, (position, number));
            if recent.fresh.len() < SETTLE_AT {
                return Ok(());
            }
            table.apply(&recent.fresh)?;
            recent.fresh.clear();
            Ok(())
        });
        taken.map_err(|failure| {
            failed = Some(failure);
            io::Error::other("the index")
        })
    });
    let end = end.map_err(|error| failed.take().unwrap_or_else(|| Failure::of_io("read the log", error)))?;
    recent.through = (end.position.unwrap_or(checkpoint.through), end.number);
    Ok((table, recent, end))
}

/// The places that changes replace. The keys of records and of the feed are always new: nobody need look for them.
fn replaced(
    placed: &[Placed],
    get: impl Fn(&[u8]) -> Result<Option<Place>, Failure>,
) -> Result<Vec<Place>, Failure> {
    let mut found = Vec::new();
    for (key, place) in placed {
        let is_new = place.is_some() && (key.starts_with(keys::RECORDS) || key.starts_with(keys::FEED));
        if !is_new {
            found.extend(get(key)?);
        }
    }
    Ok(found)
}
