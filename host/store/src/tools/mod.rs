//! What operators do with a store as a whole. Looking needs no lock: a log only grows at its end, and its files can be read
//! beside a host at work.

mod backup;
mod export;
mod repair;
mod survey;

pub use backup::{BackupReport, backup, restore};
pub use export::{ExportReport, export, import};
pub use repair::{RepairReport, repair};
pub use survey::{DamagedPart, Survey, survey};

use crate::log::recover;
use crate::log::{Log, Place, Position};
use crate::open::LOG;
use crate::{STORE, SledStore};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Why something done to a whole store did not end well. Display is one line for the operator.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// There is nothing to work on.
    #[error("there is no store in {path}: name its data folder with --data")]
    NoStore {
        /// Where it was looked for.
        path: String,
    },
    /// What would be written to is in the way.
    #[error("{path} is there already: name a folder or file that is not")]
    Exists {
        /// What is there.
        path: String,
    },
    /// A backup or an export is not what was written.
    #[error("{path} is damaged: {reason}")]
    Damaged {
        /// Which file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The store could not be opened.
    #[error(transparent)]
    Open(#[from] crate::OpenError),
    /// The store did not do what was asked.
    #[error(transparent)]
    Store(#[from] lockstep_ports::JournalError),
    /// The file system did not do what was asked.
    #[error("cannot {operation} {path}: {source}")]
    Io {
        /// What was being done.
        operation: &'static str,
        /// To what.
        path: String,
        /// Why not.
        source: io::Error,
    },
}

impl ToolError {
    fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::Io { operation, path, source }
    }
}

/// Whether there is a store in a data folder.
#[must_use]
pub fn has_store(data: &Path) -> bool {
    data.join(STORE).join(LOG).is_dir()
}

/// The log of the store in a data folder.
fn log_of(data: &Path) -> Result<Log, ToolError> {
    let folder = data.join(STORE).join(LOG);
    if !has_store(data) {
        return Err(ToolError::NoStore { path: data.display().to_string() });
    }
    Log::new(folder.clone()).map_err(ToolError::io("read", &folder))
}

/// All keys of a log that have a value, and where it lies.
fn values_of(log: &Log) -> io::Result<(BTreeMap<Vec<u8>, Place>, recover::End)> {
    let mut values = BTreeMap::new();
    let end = recover::replay(log, (Position::default(), None), |_, _, placed| {
        for (key, place) in placed {
            match place {
                Some(place) => drop(values.insert(key, place)),
                None => drop(values.remove(&key)),
            }
        }
        Ok(())
    })?;
    Ok((values, end))
}

impl SledStore {
    /// Writes everything that is needed of the log anew, and gives the bytes that came back. Blocks until it is done;
    /// other writes go on meanwhile.
    ///
    /// # Errors
    /// If the store failed.
    pub fn compact(&self) -> Result<u64, lockstep_ports::JournalError> {
        self.compact_with(false)
    }

    /// The same; what is damaged is left out if `drops_damage`, else its segment stays as it is.
    fn compact_with(&self, drops_damage: bool) -> Result<u64, lockstep_ports::JournalError> {
        self.write_blocking(crate::committer::Write::Roll)?;
        let compacted = self.inner.keeper.compact(drops_damage);
        compacted.map_err(|failure| failure.journal(&self.inner.shown()))
    }
}

/// A key as people read it: bytes that are no visible characters as `%` and two digits.
fn shown_key(key: &[u8]) -> String {
    let mut text = String::new();
    for byte in key {
        match byte {
            b'!'..=b'~' if *byte != b'%' => text.push(char::from(*byte)),
            byte => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

/// Reads what `shown_key` wrote.
fn read_key(text: &str) -> Option<Vec<u8>> {
    let mut key = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        if *byte == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            key.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &after[2..];
        } else {
            key.push(*byte);
            rest = after;
        }
    }
    Some(key)
}

/// The files of a folder and of those in it, without `left_out`, as paths within it.
fn files_below(folder: &Path, left_out: &[&str]) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(inner) = folders.pop() {
        for entry in std::fs::read_dir(folder.join(&inner))? {
            let entry = entry?;
            let path = inner.join(entry.file_name());
            let kind = entry.file_type()?;
            if left_out.iter().any(|left_out| path == Path::new(left_out)) {
                continue;
            }
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::{read_key, shown_key};

    #[test]
    fn a_key_is_read_as_it_was_shown() {
        let key: Vec<u8> = (0..=255).chain(*b"r/run%20").collect();
        assert_eq!(read_key(&shown_key(&key)), Some(key));
        assert_eq!(shown_key(b"w/run 1"), "w/run%201");
        for wrong in ["%", "%1", "%zz"] {
            assert_eq!(read_key(wrong), None);
        }
    }
}
