//! What has to be put right in a folder of sled before sled will open it, after a crash of the host or of the machine.
//!
//! sled 0.34.7 keeps its log in `db`, and beside it two files that it can make again from the log:
//! - `conf`, written in place when the folder is made. A torn one is refused at the next start. Without it sled writes a
//!   new one from the configuration, which is the same for every store of ours.
//! - `snap.N`, written at start as `snap.N.generating`, flushed and then renamed. A crash in between leaves the file
//!   under its first name, and sled takes it for the newest snapshot and refuses to start when it is empty or torn.
//!   Without any snapshot sled reads the log from its beginning, which takes longer and gives the same.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Bytes of the checksum at the end of both files.
const CRC_BYTES: usize = 4;
/// Bytes of the length and checksum at the end of a snapshot.
const SNAPSHOT_TAIL_BYTES: usize = 12;
/// What sled appends to the name of a snapshot it has not finished.
const UNFINISHED: &str = ".generating";

/// Puts right what a crash left behind, and says what was done. Only for a folder that nobody has open.
pub(crate) fn repair(folder: &Path) -> io::Result<Vec<String>> {
    let mut done = Vec::new();
    let conf = folder.join("conf");
    match fs::read(&conf) {
        Ok(bytes) if !is_whole(&bytes, CRC_BYTES) => {
            fs::remove_file(&conf)?;
            done.push("removed a torn conf file".to_owned());
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    for path in snapshots(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !is_whole(&fs::read(&path)?, SNAPSHOT_TAIL_BYTES) {
            fs::remove_file(&path)?;
            done.push(format!("removed the torn snapshot {name}"));
        } else if let Some(finished) = name.strip_suffix(UNFINISHED) {
            fs::rename(&path, folder.join(finished))?;
            done.push(format!("kept the unfinished snapshot {finished}"));
        }
    }
    if !done.is_empty() {
        File::open(folder)?.sync_all()?;
    }
    Ok(done)
}

/// Whether the last four bytes are the CRC-32 of all before the last `tail`.
fn is_whole(bytes: &[u8], tail: usize) -> bool {
    let Some((body, _)) = bytes.len().checked_sub(tail).filter(|body| *body > 0).map(|at| bytes.split_at(at))
    else {
        return false;
    };
    bytes.last_chunk::<CRC_BYTES>().is_some_and(|crc| u32::from_le_bytes(*crc) == crc32fast::hash(body))
}

/// The snapshot files of a folder, finished or not.
pub(crate) fn snapshots(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("snap.")) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
