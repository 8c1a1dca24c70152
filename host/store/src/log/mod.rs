//! The log: every change ever made, in files that only grow at their end. It alone is the truth; whatever else the store
//! keeps on disk is made again from it.
//!
//! One writer appends frames and flushes them to the device. Readers read values at the places the index names. It never
//! decides which value of a key is the last one: that is the order of frames, which the index follows.

pub(crate) mod frame;
pub(crate) mod recover;
pub(crate) mod scan;
mod writer;

pub(crate) use frame::{Change, Place, Placed};
pub(crate) use writer::{Batch, Writer};

use crate::error::{Failure, Shared};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

/// How a segment begins, before the version.
const SEGMENT_MAGIC: &[u8; 8] = b"LOCKSTEP";
/// Version of segments and frames, and of what the keys in them mean. 1 was a sled database alone.
pub(crate) const VERSION: u16 = 2;
/// Bytes before the first frame.
pub(crate) const SEGMENT_HEAD_BYTES: u32 = 16;
/// A segment that has so many bytes gets no more frames. Space comes back by whole segments, and each open file costs a
/// little: this is a few thousand runs.
pub(crate) const SEGMENT_BYTES: u32 = 64 * 1024 * 1024;
/// Segments kept open for reading; another open is cheap beside a read from the disk.
const OPEN_FILES_MAX: usize = 128;
/// How the name of a segment ends.
const SUFFIX: &str = ".log";

/// A place in the log. Places of later frames are greater.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub(crate) struct Position {
    pub(crate) segment: u32,
    pub(crate) offset: u32,
}

/// The files of the log.
pub(crate) struct Log {
    folder: PathBuf,
    open: RwLock<BTreeMap<u32, Arc<File>>>,
}

impl Log {
    /// The log in `folder`, which is made if need be.
    pub(crate) fn new(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        Ok(Self { folder, open: RwLock::default() })
    }

    /// Numbers of the segments there are, in order.
    pub(crate) fn segments(&self) -> io::Result<Vec<u32>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(SUFFIX));
            found.extend(number.and_then(|number| number.parse::<u32>().ok()));
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Whether there is a log up to a place.
    pub(crate) fn reaches(&self, place: Position) -> io::Result<bool> {
        match fs::metadata(self.path(place.segment)) {
            Ok(metadata) => Ok(metadata.len() >= u64::from(place.offset)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn path(&self, segment: u32) -> PathBuf {
        self.folder.join(format!("{segment:010}{SUFFIX}"))
    }

    /// A segment, for reading.
    pub(crate) fn file(&self, segment: u32) -> io::Result<Arc<File>> {
        if let Some(file) = self.open.read().unwrap_or_else(PoisonError::into_inner).get(&segment) {
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(OpenOptions::new().read(true).open(self.path(segment))?);
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= OPEN_FILES_MAX {
            open.pop_first();
        }
        open.insert(segment, Arc::clone(&file));
        Ok(file)
    }

    /// The value at a place.
    pub(crate) fn read(&self, place: &Place) -> Result<Vec<u8>, Failure> {
        if place.len == 0 {
            return Ok(Vec::new());
        }
        let damaged = |why: &str| {
            let at =
                format!("{why} at byte {} of {}", place.at.offset, self.path(place.at.segment).display());
            Failure::Damaged("a value", Shared::new(at))
        };
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => damaged("the segment is missing; a value was"),
            io::ErrorKind::UnexpectedEof => damaged("the segment ends before the value"),
            _ => Failure::of_io("read", error),
        };
        // Bounded by the largest frame, whose length was checked when it was written or found.
        let mut value = vec![0; place.len as usize];
        self.file(place.at.segment)
            .and_then(|file| file.read_exact_at(&mut value, u64::from(place.at.offset)))
            .map_err(failed)?;
        if crc32fast::hash(&value) == place.crc {
            Ok(value)
        } else {
            Err(damaged("the checksum does not hold"))
        }
    }

    /// Removes a segment that holds nothing any more.
    pub(crate) fn remove(&self, segment: u32) -> io::Result<()> {
        self.open.write().unwrap_or_else(PoisonError::into_inner).remove(&segment);
        fs::remove_file(self.path(segment))?;
        self.sync_folder()
    }

    pub(crate) fn sync_folder(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }
}

/// The version a segment says it has; none if it does not say.
pub(crate) fn version(file: &File) -> io::Result<Option<u16>> {
    let mut head = [0; SEGMENT_HEAD_BYTES as usize];
    match file.read_exact_at(&mut head, 0) {
        Ok(()) if head.starts_with(SEGMENT_MAGIC) => Ok(Some(u16::from_le_bytes([head[8], head[9]]))),
        Ok(()) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// The bytes a segment begins with.
fn segment_head() -> [u8; SEGMENT_HEAD_BYTES as usize] {
    let mut head = [0; SEGMENT_HEAD_BYTES as usize];
    head[..8].copy_from_slice(SEGMENT_MAGIC);
    head[8..10].copy_from_slice(&VERSION.to_le_bytes());
    head
}

#[cfg(test)]
mod tests;
