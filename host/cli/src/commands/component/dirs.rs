//! Directories as they are granted: read whole, now.

use crate::exit::Refused;
use lockstep_types::{DirSnapshot, DirSnapshotError};
use std::fs;
use std::path::{Path, PathBuf};

/// Folders below a granted one: without a bound, empty ones could be without end.
const FOLDERS_MAX: usize = DirSnapshot::FILES_MAX;

/// The files of a folder and of those below it. What is neither a file nor a folder is refused: a link could lead anywhere.
pub(super) fn snapshot(root: &Path) -> anyhow::Result<DirSnapshot> {
    let mut snapshot = DirSnapshot::default();
    let mut folders: Vec<(PathBuf, String)> = vec![(root.to_owned(), String::new())];
    let mut looked = 0;
    let mut bytes = 0;
    while let Some((folder, below)) = folders.pop() {
        looked += 1;
        if looked > FOLDERS_MAX {
            return Refused::because(format!("{} has more than {FOLDERS_MAX} folders", root.display()));
        }
        for entry in fs::read_dir(&folder).map_err(|error| unreadable(&folder, &error))? {
            let entry = entry.map_err(|error| unreadable(&folder, &error))?;
            let path = entry.path();
            let known = fs::symlink_metadata(&path).map_err(|error| unreadable(&path, &error))?;
            let Some(name) = entry.file_name().to_str().map(|name| format!("{below}{name}")) else {
                return Refused::because(format!("the name of {} is not UTF-8", path.display()));
            };
            if known.is_dir() {
                folders.push((path, format!("{name}/")));
            } else if known.is_file() {
                // Before it is read: it could be larger than memory.
                bytes += usize::try_from(known.len()).unwrap_or(usize::MAX).min(DirSnapshot::BYTES_MAX + 1);
                if bytes > DirSnapshot::BYTES_MAX {
                    return refused(root, &DirSnapshotError::TooLarge);
                }
                let content = fs::read(&path).map_err(|error| unreadable(&path, &error))?;
                if let Err(error) = snapshot.add(&name, content) {
                    return refused(root, &error);
                }
            } else {
                let path = path.display();
                return Refused::because(format!("{path} is a link or a device: only files can be granted"));
            }
        }
    }
    Ok(snapshot)
}

fn refused<T>(root: &Path, error: &DirSnapshotError) -> anyhow::Result<T> {
    Refused::because(format!("{} cannot be granted: {error}", root.display()))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Refused {
    Refused(format!("{} cannot be read: {error}", path.display()))
}
