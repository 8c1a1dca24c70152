//! Stores of layout 1, which were a sled database alone, become a log.

use crate::error::{Failure, Shared, panic_text};
use crate::keys;
use crate::log::{Change, Log, Writer};
use crate::open::{LOG, OpenError};
use crate::turn::Stored;
use bytes::Bytes;
use sled::{Db, IVec};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

/// Where the log is written until it is whole.
const UNFINISHED: &str = "log.new";
/// Bytes written at a time.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// First byte of a value of layout 1 that goes on under other keys; how many, in four bytes, comes next.
const SPLIT: u8 = 1;

/// Brings a store of layout 1 to this one. Until the log is whole the old files are left as they are.
pub(crate) fn migrate(folder: &Path) -> Result<(), OpenError> {
    let at = |operation| OpenError::io(operation, folder);
    if folder.join(LOG).exists() || !folder.join("db").exists() {
        return remove_old(folder).map_err(at("remove the old store"));
    }
    tracing::info!(folder = %folder.display(), "the store is brought to the layout of this version");
    let unfinished = folder.join(UNFINISHED);
    let copied = discard(&unfinished).map_err(|error| Failure::of_io("migrate the store", error));
    let copied = copied.and_then(|()| {
        // sled meets some kinds of damage with a panic.
        catch_unwind(AssertUnwindSafe(|| copy(folder, &unfinished)))
            .unwrap_or_else(|panic| Err(Failure::Damaged("the log", Shared::new(panic_text(panic.as_ref())))))
    });
    copied.map_err(|failure| OpenError::of(failure, folder))?;
    let renamed = fs::rename(&unfinished, folder.join(LOG)).and_then(|()| File::open(folder)?.sync_all());
    renamed.and_then(|()| remove_old(folder)).map_err(at("migrate the store"))
}

fn discard(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes the files of layout 1, if there are any.
fn remove_old(folder: &Path) -> io::Result<()> {
    discard(&folder.join("blobs"))?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name == "db" || name == "conf" || name.starts_with("snap.") {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn copy(folder: &Path, to: &Path) -> Result<(), Failure> {
    let failed = |error| Failure::of_sled("migrate the store", error);
    let io_failed = |error| Failure::of_io("migrate the store", error);
    let db = sled::Config::new().path(folder).flush_every_ms(None).open().map_err(failed)?;
    // sled makes a new database of a file it does not know.
    if !db.contains_key(b"m/schema").map_err(failed)? {
        return Err(Failure::Damaged("the layout version", Shared::new("it is missing")));
    }
    let positions = positions(&db)?;
    let tokens: HashMap<IVec, IVec> = db
        .scan_prefix(b"t/")
        .map(|entry| entry.and_then(|(key, head)| Ok((value(&db, &key, &head)?, key))))
        .collect::<sled::Result<_>>()
        .map_err(failed)?;
    let log = Arc::new(Log::new(to.to_owned()).map_err(io_failed)?);
    let mut writer = Writer::begin(log, 1, 0).map_err(io_failed)?;
    let (mut changes, mut bytes) = (Vec::<Change>::new(), 0);
    for entry in db.iter() {
        let (key, head) = entry.map_err(failed)?;
        if key.starts_with(b"p/") || key.starts_with(b"m/") {
            continue;
        }
        let mut value = value(&db, &key, &head).map_err(failed)?.to_vec();
        if let Some(run_and_seq) = key.strip_prefix(keys::RECORDS) {
            let (run, seq) = run_and_seq.split_at(run_and_seq.len().saturating_sub(9));
            let is_first = seq == b"\0\0\0\0\0\0\0\0\x01";
            let token = tokens.get(run).filter(|_| is_first).map(|key| key.to_vec());
            let position = positions.get(run_and_seq).copied().unwrap_or(0);
            value = Stored { position, token, record: value }.encode();
        }
        bytes += value.len();
        changes.push((key.to_vec(), Some(Bytes::from(value))));
        if bytes >= BATCH_BYTES {
            write(&mut writer, &mut changes)?;
            bytes = 0;
        }
    }
    write(&mut writer, &mut changes)
}

fn write(writer: &mut Writer, changes: &mut Vec<Change>) -> Result<(), Failure> {
    let written = writer.batch().and_then(|mut batch| {
        batch.add(changes);
        writer.write(&batch)
    });
    changes.clear();
    written.map_err(|error| Failure::of_io("migrate the store", error))
}

/// Positions in the feed, by run, NUL and position in the run.
fn positions(db: &Db) -> Result<HashMap<Vec<u8>, u64>, Failure> {
    let mut found = HashMap::new();
    for entry in db.scan_prefix(keys::FEED) {
        let (key, head) = entry.map_err(|error| Failure::of_sled("migrate the store", error))?;
        let (seq, run) = head
            .get(1..)
            .and_then(|value| value.split_first_chunk::<8>())
            .ok_or_else(|| Failure::Damaged("an entry of the feed", Shared::new("it is too short")))?;
        found.insert([run, b"\0", seq].concat(), keys::trailing_number(&key).unwrap_or(0));
    }
    Ok(found)
}

/// A value of layout 1, put together.
fn value(db: &Db, key: &[u8], head: &[u8]) -> sled::Result<IVec> {
    let parts = match head {
        [SPLIT, a, b, c, d, ..] => u32::from_be_bytes([*a, *b, *c, *d]),
        _ => return Ok(head.get(1..).unwrap_or_default().into()),
    };
    let mut value = head[5..].to_vec();
    for number in 1..=parts {
        let part = db.get([b"p/", key, &number.to_be_bytes()].concat())?;
        value.extend_from_slice(
            &part.ok_or_else(|| sled::Error::Unsupported("a value without its parts".to_owned()))?,
        );
    }
    Ok(value.into())
}
