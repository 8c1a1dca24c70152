//! The whole store as lines of JSON, for other programs and other versions, and back.

use super::{ToolError, files_below, log_of, read_key, shown_key, values_of};
use crate::committer::Write;
use crate::{COMPONENTS, STORE, SledStore};
use base64ct::{Base64, Encoding as _};
use bytes::Bytes;
use lockstep_types::{Digest, Hasher};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write as _};
use std::path::Path;

/// Version of the lines.
const VERSION: u16 = 1;
/// Longest line: the largest value, each byte of which may need six characters.
const LINE_BYTES_MAX: usize = 512 * 1024 * 1024;
/// Bytes imported at a time.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// A line of an export.
#[derive(Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(super) enum Line {
    /// The first.
    Begin { lockstep_export: u16 },
    /// A value that is text.
    Text { key: String, text: String },
    /// A value that is not.
    Binary { key: String, base64: String },
    /// A component or a granted directory, by name of its file.
    File { file: String, base64: String },
    /// The last: how many there were, and the digest of all lines before.
    End { values: u64, files: u64, sha256: Digest },
}

impl Line {
    pub(super) fn of_value(key: &[u8], value: Vec<u8>) -> Self {
        let key = shown_key(key);
        match String::from_utf8(value) {
            Ok(text) => Self::Text { key, text },
            Err(error) => Self::Binary { key, base64: Base64::encode_string(error.as_bytes()) },
        }
    }
}

/// What was exported or imported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ExportReport {
    /// Values of the journal, the boards and the registry.
    pub values: u64,
    /// Components and granted directories.
    pub files: u64,
}

pub(super) fn write_line(to: &mut impl io::Write, line: &Line) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    to.write_all(&bytes)?;
    Ok(bytes)
}

/// Writes everything the store in `data` holds to a new file `to`, whether or not a host is at work in it.
///
/// # Errors
/// `ToolError` if there is no store, `to` is there already, or something cannot be read; then the file has no last line,
/// and cannot be imported.
pub fn export(data: &Path, to: &Path) -> Result<ExportReport, ToolError> {
    let log = log_of(data)?;
    let (values, _) = values_of(&log).map_err(ToolError::io("read the log in", data))?;
    let failed = || ToolError::io("write", to);
    let file = match File::create_new(to) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(ToolError::Exists { path: to.display().to_string() });
        }
        created => created.map_err(failed())?,
    };
    let mut file = BufWriter::new(file);
    let mut digest = Hasher::default();
    let mut report = ExportReport::default();
    let mut put = |line: Line| -> Result<(), ToolError> {
        digest.update(&write_line(&mut file, &line).map_err(failed())?);
        Ok(())
    };
    put(Line::Begin { lockstep_export: VERSION })?;
    for (key, place) in &values {
        let value = log.read(place).map_err(|failure| ToolError::Damaged {
            path: data.display().to_string(),
            reason: format!("{failure}: see `lockstep store verify`"),
        })?;
        put(Line::of_value(key, value))?;
        report.values += 1;
    }
    let folder = data.join(COMPONENTS);
    for path in files_below(&folder, &[]).unwrap_or_default() {
        let bytes = fs::read(folder.join(&path)).map_err(ToolError::io("read", &path))?;
        put(Line::File { file: path.display().to_string(), base64: Base64::encode_string(&bytes) })?;
        report.files += 1;
    }
    let end = Line::End { values: report.values, files: report.files, sha256: digest.finish() };
    write_line(&mut file, &end).map_err(failed())?;
    let file = file.into_inner().map_err(|error| failed()(error.into_error()))?;
    file.sync_all().map_err(failed())?;
    Ok(report)
}

/// Makes a store in `data`, which must have none, of an export. Nothing is there unless all of it was whole.
///
/// # Errors
/// `ToolError` if the file is no whole export, or there is a store already; then `data` is as it was.
pub fn import(from: &Path, data: &Path) -> Result<ExportReport, ToolError> {
    for name in [STORE, COMPONENTS] {
        let path = data.join(name);
        if path.exists() {
            return Err(ToolError::Exists { path: path.display().to_string() });
        }
    }
    let unfinished = data.join("importing");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(ToolError::io("remove", &unfinished))?;
    }
    let imported = read_all(from, &unfinished);
    let report = imported.inspect_err(|_| drop(fs::remove_dir_all(&unfinished)))?;
    // The components first: a store must not name one that is not there.
    for name in [COMPONENTS, STORE] {
        fs::rename(unfinished.join(name), data.join(name))
            .map_err(ToolError::io("make", &data.join(name)))?;
    }
    let tidied = fs::remove_dir(&unfinished).and_then(|()| File::open(data)?.sync_all());
    tidied.map_err(ToolError::io("write", data))?;
    Ok(report)
}

fn read_all(from: &Path, to: &Path) -> Result<ExportReport, ToolError> {
    let damaged = |number: u64, reason: &str| ToolError::Damaged {
        path: from.display().to_string(),
        reason: format!("line {number}: {reason}"),
    };
    let mut file = BufReader::new(File::open(from).map_err(ToolError::io("read", from))?);
    let store = SledStore::open(to)?;
    let components = to.join(COMPONENTS);
    let mut digest = Hasher::default();
    let (mut report, mut batch, mut bytes) = (ExportReport::default(), Vec::new(), 0);
    for number in 1.. {
        let line = read_line(&mut file).map_err(ToolError::io("read", from))?;
        let parsed = serde_json::from_slice::<Line>(&line);
        let parsed = parsed.map_err(|_| {
            damaged(number, if line.is_empty() { "the end is missing" } else { "it is no line of an export" })
        })?;
        let wrong = |what: &str| damaged(number, what);
        let decoded = |text: &str| Base64::decode_vec(text).map_err(|_| wrong("it is not in base64"));
        let (key, value) = match parsed {
            Line::Begin { lockstep_export } if number == 1 && lockstep_export <= VERSION => {
                digest.update(&line);
                continue;
            }
            Line::Begin { .. } => return Err(wrong("it is of a newer version: upgrade lockstep")),
            _ if number == 1 => return Err(wrong("it is no export")),
            Line::Text { key, text } => (key, text.into_bytes()),
            Line::Binary { key, base64 } => (key, decoded(&base64)?),
            Line::File { file, base64 } => {
                let bytes = decoded(&base64)?;
                put_file(&components, &file, &bytes)
                    .ok_or_else(|| wrong("a file has not the digest it is named by"))?;
                report.files += 1;
                digest.update(&line);
                continue;
            }
            Line::End { values, files, sha256 } => {
                store.write_blocking(Write::Import(batch))?;
                store.close();
                let is_whole = sha256 == digest.finish() && (ExportReport { values, files }) == report;
                return if is_whole { Ok(report) } else { Err(wrong("lines are missing or were changed")) };
            }
        };
        digest.update(&line);
        bytes += value.len();
        batch.push((read_key(&key).ok_or_else(|| wrong("its key cannot be read"))?, Bytes::from(value)));
        report.values += 1;
        if bytes >= BATCH_BYTES {
            store.write_blocking(Write::Import(std::mem::take(&mut batch)))?;
            bytes = 0;
        }
    }
    Err(damaged(u64::MAX, "it has no end"))
}

fn read_line(file: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    io::Read::take(file, LINE_BYTES_MAX as u64).read_until(b'\n', &mut line)?;
    Ok(line)
}

/// Keeps a file whose name begins with the digest of its bytes.
fn put_file(folder: &Path, name: &str, bytes: &[u8]) -> Option<()> {
    let digest: Digest = Path::new(name).file_stem()?.to_str()?.parse().ok()?;
    if Path::new(name).components().count() != 1 || Digest::of(bytes) != digest {
        return None;
    }
    let mut file = File::create(folder.join(name)).ok()?;
    file.write_all(bytes).ok()?;
    file.sync_all().ok()
}
