//! Looking for damage.

use super::{ToolError, files_below, log_of, shown_key, values_of};
use crate::log::{Log, Place};
use crate::turn::Stored;
use crate::{COMPONENTS, keys};
use lockstep_types::{Digest, RunId, RunRow, TurnRecord};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// What a store holds, and what of it cannot be read.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Survey {
    /// Files of the log.
    pub segments: usize,
    /// Bytes of those files.
    pub bytes: u64,
    /// Values that are stored.
    pub values: usize,
    /// Runs that are stored.
    pub runs: usize,
    /// Components and granted directories that are stored.
    pub files: usize,
    /// Bytes of the log that are not what was written.
    pub damage: Vec<DamagedPart>,
    /// Runs whose journal is not whole, and why.
    pub broken_runs: BTreeMap<RunId, String>,
    /// Other values that cannot be read, by key, and why.
    pub broken_values: BTreeMap<String, String>,
    /// Files of components whose bytes do not have their digest.
    pub broken_files: Vec<String>,
}

/// Damaged bytes of a file of the log.
#[derive(Clone, Debug, Serialize)]
pub struct DamagedPart {
    /// The file.
    pub file: String,
    /// The first byte of the frame that is damaged.
    pub from: u32,
    /// The byte behind it.
    pub to: u32,
}

impl Survey {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.damage.is_empty()
            && self.broken_runs.is_empty()
            && self.broken_values.is_empty()
            && self.broken_files.is_empty()
    }
}

/// Reads everything a data folder stores, and changes nothing. A host may be at work in it. Needs memory for each key.
///
/// # Errors
/// `ToolError` if there is no store, or it cannot be read.
pub fn survey(data: &Path) -> Result<Survey, ToolError> {
    let log = log_of(data)?;
    let failed = || ToolError::io("read the log in", data);
    let segments = log.segments().map_err(failed())?;
    let (values, end) = values_of(&log).map_err(failed())?;
    let mut survey = Survey { segments: segments.len(), values: values.len(), ..Survey::default() };
    for segment in segments {
        survey.bytes += fs::metadata(log.path(segment)).map_or(0, |metadata| metadata.len());
    }
    for damage in end.damage {
        let file = log.path(damage.at.segment).display().to_string();
        survey.damage.push(DamagedPart { file, from: damage.at.offset, to: damage.to });
    }
    look_at_runs(&log, &values, &mut survey);
    for (key, place) in &values {
        if !belongs_to_a_run(key)
            && let Err(failure) = log.read(place)
        {
            survey.broken_values.insert(shown_key(key), failure.to_string());
        }
    }
    look_at_files(data, &mut survey)?;
    Ok(survey)
}

fn belongs_to_a_run(key: &[u8]) -> bool {
    key.starts_with(keys::ROWS) || key.starts_with(keys::RECORDS)
}

/// The run of a record's key.
fn run_of(key: &[u8]) -> Option<&[u8]> {
    let rest = key.strip_prefix(keys::RECORDS)?;
    rest.get(..rest.len().checked_sub(9)?)
}

/// Every run has a row, and the records it tells of, each of which continues the one before.
fn look_at_runs(log: &Log, values: &BTreeMap<Vec<u8>, Place>, survey: &mut Survey) {
    let of_prefix = |prefix: &'static [u8]| values.range(prefix.to_vec()..keys::above(prefix));
    let with_rows = of_prefix(keys::ROWS).map(|(key, _)| &key[keys::ROWS.len()..]);
    let with_records = of_prefix(keys::RECORDS).filter_map(|(key, _)| run_of(key));
    let runs: BTreeSet<&[u8]> = with_rows.chain(with_records).collect();
    for run in runs {
        let Ok(run) = String::from_utf8_lossy(run).parse::<RunId>() else { continue };
        survey.runs += 1;
        if let Err(why) = look_at_run(log, values, &run) {
            survey.broken_runs.insert(run, why);
        }
    }
}

fn look_at_run(log: &Log, values: &BTreeMap<Vec<u8>, Place>, run: &RunId) -> Result<(), String> {
    let value = |what: &str, key: &[u8]| {
        let place = values.get(key).ok_or_else(|| format!("{what} is missing"))?;
        log.read(place).map_err(|failure| format!("{what}: {failure}"))
    };
    let row = value("its row", &keys::row(run))?;
    let row: RunRow = serde_json::from_slice(&row).map_err(|error| format!("its row: {error}"))?;
    let mut head = Digest::zero();
    for seq in 1..=row.seq {
        let stored = value(&format!("record {seq}"), &keys::record(run, seq))?;
        let record = Stored::decode(&stored).map_err(|failure| failure.to_string())?.record;
        (_, head) = TurnRecord::decode(record, run, seq, head).map_err(|error| error.to_string())?;
    }
    if values.contains_key(&keys::record(run, row.seq + 1)) {
        return Err(format!("its row is older than record {}", row.seq + 1));
    }
    if head == row.head { Ok(()) } else { Err("its row does not name its last record".to_owned()) }
}

fn look_at_files(data: &Path, survey: &mut Survey) -> Result<(), ToolError> {
    let folder = data.join(COMPONENTS);
    if !folder.exists() {
        return Ok(());
    }
    for path in files_below(&folder, &[]).map_err(ToolError::io("read", &folder))? {
        let Some(name) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
        let Ok(digest) = name.parse::<Digest>() else { continue };
        survey.files += 1;
        let path = folder.join(path);
        let bytes = fs::read(&path).map_err(ToolError::io("read", &path))?;
        if Digest::of(&bytes) != digest {
            survey.broken_files.push(path.display().to_string());
        }
    }
    Ok(())
}
