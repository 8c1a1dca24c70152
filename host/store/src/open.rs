//! Opening: the folder put right, the lock, the version of the layout, and everything new on the device.

use crate::{keys, repair, values};
use sled::Db;
use std::error::Error;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Version of the layout of keys and values, under `keys::SCHEMA`.
const LAYOUT_VERSION: u16 = 1;
/// Bytes of pages sled keeps in memory. Runs at work touch few pages and finished runs are read rarely, while the host
/// as a whole is to stay small.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;

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
    /// The file system did not do what was asked.
    #[error("cannot {operation} at {path}")]
    Io {
        /// What was being done.
        operation: &'static str,
        /// Where.
        path: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// An open database, and a handle of its one file for flushing it to the device.
pub(crate) struct Database {
    pub(crate) db: Db,
    pub(crate) file: File,
}

impl Database {
    /// Makes everything written so far durable. sled's own flush is not enough: on Linux it writes the pages out with
    /// `sync_file_range`, which neither empties the cache of the device nor records a new length of the file.
    pub(crate) fn flush(&self) -> Result<(), sled::Error> {
        self.db.flush()?;
        self.file.sync_data().map_err(sled::Error::Io)
    }
}

/// Opens or creates the database in `folder`.
pub(crate) fn open(folder: &Path) -> Result<Database, OpenError> {
    let at = |operation| move |source| OpenError::Io { operation, path: shown(folder), source };
    let is_new = !folder.join("db").exists();
    fs::create_dir_all(folder.join("blobs")).map_err(at("make a folder for the store"))?;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(folder.join("db"))
        .map_err(at("open the store"))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(OpenError::InUse { path: shown(folder) }),
        Err(TryLockError::Error(source)) => return Err(at("lock the store")(source)),
    }
    for done in repair::repair(folder).map_err(at("repair the store"))? {
        tracing::warn!(folder = %folder.display(), "after a crash: {done}");
    }
    // sled writes a snapshot of the log it finds: that log must be on the device before the snapshot is.
    file.sync_data().map_err(at("flush the store"))?;
    file.unlock().map_err(at("unlock the store"))?;
    let db = open_sled(folder)?;
    let database = Database { db, file };
    check_layout(&database, folder)?;
    if is_new {
        sync_folders(folder).map_err(at("flush the folder of the store"))?;
    }
    Ok(database)
}

fn open_sled(folder: &Path) -> Result<Db, OpenError> {
    let config = sled::Config::new().path(folder).cache_capacity(CACHE_BYTES).flush_every_ms(None);
    // sled meets some kinds of damage with a panic.
    let opened = catch_unwind(AssertUnwindSafe(|| config.open()));
    let damaged = |source| OpenError::Damaged { what: "the log", path: shown(folder), source };
    match opened {
        Ok(Ok(db)) => Ok(db),
        Ok(Err(sled::Error::Io(error))) if error.to_string().starts_with("could not acquire lock") => {
            Err(OpenError::InUse { path: shown(folder) })
        }
        Ok(Err(sled::Error::Io(source))) => {
            Err(OpenError::Io { operation: "open the store", path: shown(folder), source })
        }
        Ok(Err(error)) => Err(damaged(error.into())),
        Err(panic) => Err(damaged(panic_text(panic.as_ref()).into())),
    }
}

/// Reads the version of the layout, or writes it into a new store.
fn check_layout(database: &Database, folder: &Path) -> Result<(), OpenError> {
    let damaged = |what| {
        move |source: Box<dyn Error + Send + Sync>| OpenError::Damaged { what, path: shown(folder), source }
    };
    let db = &database.db;
    let stored =
        values::get(db, keys::SCHEMA).map_err(|error| damaged("the layout version")(error.into()))?;
    let Some(stored) = stored else {
        if !db.is_empty() {
            return Err(damaged("the layout version")("it is missing, and the store is not empty".into()));
        }
        return write_layout(database).map_err(|error| damaged("the layout version")(error.into()));
    };
    let found = std::str::from_utf8(&stored)
        .map_err(|error| damaged("the layout version")(error.into()))?
        .parse::<u16>()
        .map_err(|error| damaged("the layout version")(error.into()))?;
    if found > LAYOUT_VERSION {
        return Err(OpenError::Newer { path: shown(folder), found, known: LAYOUT_VERSION });
    }
    Ok(())
}

fn write_layout(database: &Database) -> Result<(), values::ReadError> {
    let mut changes = values::Changes::new(&database.db);
    changes.put(keys::SCHEMA.to_vec(), LAYOUT_VERSION.to_string().as_bytes())?;
    database.db.apply_batch(changes.finish().0.unwrap_or_default())?;
    database.flush()?;
    Ok(())
}

/// Puts the names of new files on the device. The folder itself may be new too.
fn sync_folders(folder: &Path) -> io::Result<()> {
    let mut path: PathBuf = folder.canonicalize()?;
    File::open(path.join("conf"))?.sync_all()?;
    File::open(path.join("blobs"))?.sync_all()?;
    File::open(&path)?.sync_all()?;
    // Two folders up: the data folder is ours, and was perhaps made a moment ago.
    for _ in 0..2 {
        if !path.pop() {
            break;
        }
        File::open(&path)?.sync_all()?;
    }
    Ok(())
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("sled panicked").to_owned()
}

pub(crate) fn shown(path: &Path) -> String {
    path.display().to_string()
}
