//! Copies of a whole data folder, made beside a host at work, and back.

use super::{ToolError, files_below, log_of, survey};
use crate::open::LOG;
use crate::{STORE, SledStore};
use lockstep_types::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// What a backup says of itself.
const MANIFEST: &str = "lockstep-backup.json";
/// Version of that.
const VERSION: u16 = 1;
/// What is made again from the rest, belongs to a process, or is the work of a job that goes on.
const LEFT_OUT: [&str; 5] = ["journal/index", "journal/lock", "worktrees", "lock", "server.json"];
/// Bytes copied at a time.
const BLOCK_BYTES: usize = 1024 * 1024;
/// How often a list of files is made again that changed while it was read: a host gives segments back rarely.
const LIST_ATTEMPTS: usize = 10;

#[derive(Serialize, Deserialize)]
struct Manifest {
    lockstep_backup: u16,
    /// Bytes and digest of each file.
    files: BTreeMap<PathBuf, (u64, Digest)>,
}

/// What was copied.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct BackupReport {
    /// Files.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Runs in it.
    pub runs: usize,
}

/// Copies the data folder `data` to a new folder `to`, whether or not a host is at work in it. All that was acknowledged
/// before the backup began is in it, and the copy is read back and checked. It holds credentials and their key.
///
/// # Errors
/// `ToolError` if there is no store, `to` is there already, or a file cannot be read or written; then `to` is no backup.
pub fn backup(data: &Path, to: &Path) -> Result<BackupReport, ToolError> {
    if to.exists() {
        return Err(ToolError::Exists { path: to.display().to_string() });
    }
    let mut files = BTreeMap::new();
    make_folder(to)?;
    for (path, mut file) in open_segments(data)? {
        let len = file.metadata().map_err(ToolError::io("read", &path))?.len();
        files.insert(path.clone(), copy(&mut file, len, &to.join(&path))?);
    }
    let rest = files_below(data, &LEFT_OUT).map_err(ToolError::io("read", data))?;
    for path in rest.into_iter().filter(|path| !path.starts_with(Path::new(STORE).join(LOG))) {
        // Results of jobs come and go.
        let Ok(mut file) = File::open(data.join(&path)) else { continue };
        let len = file.metadata().map_err(ToolError::io("read", &path))?.len();
        files.insert(path.clone(), copy(&mut file, len, &to.join(&path))?);
    }
    let report = checked(to, &files)?;
    let manifest = Manifest { lockstep_backup: VERSION, files };
    let path = to.join(MANIFEST);
    let written = serde_json::to_vec_pretty(&manifest).map_err(io::Error::from).and_then(|bytes| {
        let mut file = File::create_new(&path)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        File::open(to)?.sync_all()
    });
    written.map_err(ToolError::io("write", &path))?;
    Ok(report)
}

/// Makes the data folder `data` what it was when the backup `from` was made. It must not be there yet.
///
/// # Errors
/// `ToolError` if `from` is no backup or is damaged, or `data` is there already; then `data` is as it was.
pub fn restore(from: &Path, data: &Path) -> Result<BackupReport, ToolError> {
    let manifest = read_manifest(from)?;
    if data.read_dir().is_ok_and(|mut entries| entries.next().is_some()) || data.is_file() {
        return Err(ToolError::Exists { path: data.display().to_string() });
    }
    let mut name = data.file_name().unwrap_or_default().to_owned();
    name.push(".restoring");
    let unfinished = data.with_file_name(name);
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(ToolError::io("remove", &unfinished))?;
    }
    make_folder(&unfinished)?;
    let restored = copy_back(from, &manifest, &unfinished).and_then(|()| {
        let report = checked(&unfinished, &manifest.files)?;
        // It opens, and makes its index.
        SledStore::open(&unfinished)?.close();
        Ok(report)
    });
    let report = restored.inspect_err(|_| drop(fs::remove_dir_all(&unfinished)))?;
    // An empty folder may stand in the place.
    drop(fs::remove_dir(data));
    fs::rename(&unfinished, data).map_err(ToolError::io("make", data))?;
    Ok(report)
}

fn read_manifest(from: &Path) -> Result<Manifest, ToolError> {
    let path = from.join(MANIFEST);
    let damaged = |reason: String| ToolError::Damaged { path: path.display().to_string(), reason };
    let bytes = fs::read(&path).map_err(ToolError::io("read the backup", &path))?;
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    if manifest.lockstep_backup > VERSION {
        let found = manifest.lockstep_backup;
        return Err(damaged(format!(
            "it has format {found}, this version reads {VERSION}: upgrade lockstep"
        )));
    }
    let stays_inside =
        |path: &PathBuf| path.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    match manifest.files.keys().find(|path| !stays_inside(path)) {
        Some(path) => Err(damaged(format!("it names the file {}", path.display()))),
        None => Ok(manifest),
    }
}

fn copy_back(from: &Path, manifest: &Manifest, to: &Path) -> Result<(), ToolError> {
    for (path, expected) in &manifest.files {
        let source = from.join(path);
        let mut file = File::open(&source).map_err(ToolError::io("read", &source))?;
        if copy(&mut file, u64::MAX, &to.join(path))? != *expected {
            let reason = "its bytes are not those that were backed up".to_owned();
            return Err(ToolError::Damaged { path: source.display().to_string(), reason });
        }
    }
    Ok(())
}

/// Opens every segment at once: what they hold together is all that was acknowledged, whatever the host gives back later.
fn open_segments(data: &Path) -> Result<Vec<(PathBuf, File)>, ToolError> {
    let log = log_of(data)?;
    let folder = Path::new(STORE).join(LOG);
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for _ in 0..LIST_ATTEMPTS {
        let opened: io::Result<Vec<_>> = log.segments().and_then(|segments| {
            let open = |segment: u32| {
                let path = log.path(segment);
                Ok((folder.join(path.file_name().unwrap_or_default()), File::open(path)?))
            };
            segments.into_iter().map(open).collect()
        });
        match opened {
            Ok(opened) => return Ok(opened),
            Err(error) if error.kind() == io::ErrorKind::NotFound => last = error,
            Err(error) => return Err(ToolError::io("read the log in", data)(error)),
        }
    }
    Err(ToolError::io("read the log in", data)(last))
}

/// Copies `len` bytes of a file, or all there are, to a new one that is on the device.
fn copy(from: &mut File, len: u64, to: &Path) -> Result<(u64, Digest), ToolError> {
    if let Some(folder) = to.parent() {
        make_folder(folder)?;
    }
    let mut copied = || -> io::Result<(u64, Digest)> {
        let mode = from.metadata()?.permissions().mode() & 0o700;
        let mut file = File::create_new(to)?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        let mut digest = lockstep_types::Hasher::default();
        let mut from = io::Read::take(&mut *from, len);
        let (mut block, mut total) = (vec![0; BLOCK_BYTES], 0);
        loop {
            let count = from.read(&mut block)?;
            if count == 0 {
                break;
            }
            file.write_all(&block[..count])?;
            digest.update(&block[..count]);
            total += count as u64;
        }
        file.sync_all()?;
        Ok((total, digest.finish()))
    };
    copied().map_err(ToolError::io("copy to", to))
}

/// A backup holds what nobody else may read.
fn make_folder(folder: &Path) -> Result<(), ToolError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(ToolError::io("make", folder))
}

/// Reads a copy as a store; damage that was copied is told now, not when it is needed.
fn checked(folder: &Path, files: &BTreeMap<PathBuf, (u64, Digest)>) -> Result<BackupReport, ToolError> {
    let found = survey(folder)?;
    if !found.is_whole() {
        let path = folder.display().to_string();
        let reason =
            "the store in it is: see `lockstep store verify`, and mend it with `lockstep store repair`";
        return Err(ToolError::Damaged { path, reason: reason.to_owned() });
    }
    let bytes = files.values().map(|(bytes, _)| bytes).sum();
    Ok(BackupReport { files: files.len(), bytes, runs: found.runs })
}
