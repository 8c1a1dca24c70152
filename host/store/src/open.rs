//! Opening: the lock, the version of the log, what a crash left behind.

use crate::error::Failure;
use crate::index::Index;
use crate::log::{self, Log, SEGMENT_HEAD_BYTES, VERSION, Writer};
use crate::migrate;
use crate::view::View;
use std::error::Error;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Folder of the log within that of the store.
pub(crate) const LOG: &str = "log";
/// Folder of the index within that of the store.
pub(crate) const INDEX: &str = "index";
/// The file whose lock keeps the store to one process.
const LOCK: &str = "lock";
/// How long a lock is waited for: that of a process that was killed is held for a moment more by a child it was starting.
const LOCK_WAIT: Duration = Duration::from_secs(2);
/// How often it is tried meanwhile.
const LOCK_LOOK: Duration = Duration::from_millis(5);

/// Why the store could not be opened. Display is one line for the operator.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or this one, has it open.
    #[error("the store at {path} is in use: stop the host that has it open, or name another data folder")]
    InUse {
        /// Where.
        path: String,
    },
    /// It was written by a newer version.
    #[error("the store at {path} has layout {found}, this version reads up to {known}: upgrade lockstep")]
    Newer {
        /// Where.
        path: String,
        /// Its layout version.
        found: u16,
        /// The newest layout this version knows.
        known: u16,
    },
    /// What is stored cannot be read.
    #[error("{what} of the store at {path} is damaged: restore the data folder from a backup")]
    Damaged {
        /// Which part.
        what: &'static str,
        /// Where.
        path: String,
        /// What is wrong with it.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The disk is full.
    #[error("cannot open the store at {path}: the disk is full; free some space, nothing stored was lost")]
    Full {
        /// Where.
        path: String,
    },
    /// The file system did not do what was asked.
    #[error("cannot {operation} at {path}")]
    Io {
        /// What was being done.
        operation: &'static str,
        /// Where.
        path: String,
        /// Why not.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl OpenError {
    pub(crate) fn io(operation: &'static str, folder: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { operation, path: shown(folder), source: source.into() }
    }

    pub(crate) fn of(failure: Failure, folder: &Path) -> Self {
        let path = shown(folder);
        match failure {
            Failure::Full => Self::Full { path },
            Failure::Io(operation, source) => Self::Io { operation, path, source: Box::new(source) },
            Failure::Damaged(what, source) => Self::Damaged { what, path, source: Box::new(source) },
        }
    }
}

/// A store that is open: what can be read, where writing goes on, and the lock.
pub(crate) struct Opened {
    pub(crate) view: View,
    pub(crate) writer: Writer,
    pub(crate) lock: File,
}

/// Keeps the store in `folder` to this process for as long as the file is open.
pub(crate) fn lock(folder: &Path) -> Result<File, OpenError> {
    let at = |operation| OpenError::io(operation, folder);
    fs::create_dir_all(folder).map_err(at("make a folder for the store"))?;
    let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).clone();
    let lock = options.open(folder.join(LOCK)).map_err(at("open the store"))?;
    let begun = Instant::now();
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::WouldBlock) if begun.elapsed() < LOCK_WAIT => thread::sleep(LOCK_LOOK),
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse { path: shown(folder) }),
            Err(TryLockError::Error(source)) => return Err(at("lock the store")(source)),
        }
    }
}

/// Opens or creates the store in `folder`.
pub(crate) fn open(folder: &Path) -> Result<Opened, OpenError> {
    let at = |operation| OpenError::io(operation, folder);
    let lock = lock(folder)?;
    migrate::migrate(folder)?;
    let is_new = !folder.join(LOG).exists();
    let log = Arc::new(Log::new(folder.join(LOG)).map_err(at("make a folder for the store"))?);
    check_versions(&log, folder)?;
    let opened = Index::open(&folder.join(INDEX), Arc::clone(&log));
    let (index, end) = opened.map_err(|failure| OpenError::of(failure, folder))?;
    for damage in &end.damage {
        let path = log.path(damage.at.segment);
        let (from, to) = (damage.at.offset, damage.to);
        tracing::error!(path = %path.display(), from, to, "bytes of the store are damaged: see `lockstep store verify`");
    }
    if end.torn > 0 {
        tracing::info!(folder = %folder.display(), bytes = end.torn, "the end of a write that nobody was told of is cut off");
    }
    let writer = match end.position {
        Some(position) => resume(&log, position, end.number),
        None => Writer::begin(Arc::clone(&log), 1, 0),
    };
    let writer = writer.map_err(|error| OpenError::of(Failure::of_io("open the log", error), folder))?;
    if is_new {
        sync_folders(folder).map_err(at("flush the folder of the store"))?;
    }
    Ok(Opened { view: View { log, index }, writer, lock })
}

fn resume(log: &Arc<Log>, end: log::Position, number: u64) -> io::Result<Writer> {
    // A crash may have left a segment without a head.
    let is_empty = end.offset == SEGMENT_HEAD_BYTES && log::version(&*log.file(end.segment)?)?.is_none();
    if is_empty {
        Writer::begin(Arc::clone(log), end.segment, number)
    } else {
        Writer::resume(Arc::clone(log), end, number)
    }
}

/// The newest segment was written by the newest version.
fn check_versions(log: &Log, folder: &Path) -> Result<(), OpenError> {
    let found = log.segments().and_then(|segments| match segments.last() {
        Some(last) => log.file(*last).and_then(|file| log::version(&file)),
        None => Ok(None),
    });
    match found.map_err(OpenError::io("read the log", folder))? {
        Some(found) if found > VERSION => {
            Err(OpenError::Newer { path: shown(folder), found, known: VERSION })
        }
        _ => Ok(()),
    }
}

/// Puts the names of new files on the device. The data folder itself may be new too.
fn sync_folders(folder: &Path) -> io::Result<()> {
    let mut path = folder.canonicalize()?;
    for _ in 0..3 {
        File::open(&path)?.sync_all()?;
        if !path.pop() {
            break;
        }
    }
    Ok(())
}

pub(crate) fn shown(path: &Path) -> String {
    path.display().to_string()
}
