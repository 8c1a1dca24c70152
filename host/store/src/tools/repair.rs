//! Saving what can be saved of a damaged store.

use super::export::{Line, write_line};
use super::{ToolError, log_of, read_key, survey, values_of};
use crate::committer::Write;
use crate::{STORE, SledStore, keys, open};
use lockstep_types::RunId;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

/// Files of the same name that may lie there from earlier repairs.
const FILES_MAX: u32 = 10_000;

/// What a repair came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RepairReport {
    /// Runs that were taken out of the store.
    pub runs: BTreeSet<RunId>,
    /// Other values that were, by key.
    pub values: BTreeSet<String>,
    /// Where what could be read of them was written, if there was anything to take out.
    pub saved_to: Option<PathBuf>,
    /// Files of components that are damaged and stay: adding the same component again mends them.
    pub broken_files: Vec<String>,
}

/// Takes out of the store in `data` what is damaged, so that all the rest can be read again. Of what it takes out, it keeps
/// whatever can be read in a file of lines, as an export has them.
///
/// # Errors
/// `ToolError` if the store is in use, or cannot be read or written. What is damaged is then still there.
pub fn repair(data: &Path) -> Result<RepairReport, ToolError> {
    let found = survey(data)?;
    let mut report = RepairReport { broken_files: found.broken_files.clone(), ..RepairReport::default() };
    if found.damage.is_empty() && found.broken_runs.is_empty() && found.broken_values.is_empty() {
        return Ok(report);
    }
    // The index may still find what the log cannot tell any more: it is made anew, of what stays.
    let lock = open::lock(&data.join(STORE))?;
    let index = data.join(STORE).join(open::INDEX);
    if index.exists() {
        fs::remove_dir_all(&index).map_err(ToolError::io("remove", &index))?;
    }
    drop(lock);
    let store = SledStore::open(data)?;
    report.runs.extend(found.broken_runs.into_keys());
    report.values.extend(found.broken_values.into_keys());
    let lost: Vec<Vec<u8>> = report.values.iter().filter_map(|key| read_key(key)).collect();
    report.saved_to = save(data, &report.runs, &lost)?;
    store.write_blocking(Write::Discard { runs: report.runs.iter().cloned().collect(), keys: lost })?;
    store.compact_with(true)?;
    store.close();
    Ok(report)
}

/// Writes what can be read of runs and values to a new file.
fn save(data: &Path, runs: &BTreeSet<RunId>, lost: &[Vec<u8>]) -> Result<Option<PathBuf>, ToolError> {
    let log = log_of(data)?;
    let (values, _) = values_of(&log).map_err(ToolError::io("read the log in", data))?;
    let of_runs = runs.iter().flat_map(|run| {
        let records = keys::records(run);
        let end = keys::above(&records);
        values.range(records..end).map(|(key, _)| key.clone()).chain([keys::row(run)])
    });
    let wanted: Vec<Vec<u8>> = of_runs.chain(lost.iter().cloned()).collect();
    if wanted.is_empty() {
        return Ok(None);
    }
    let paths = (1..=FILES_MAX).map(|number| data.join(format!("taken-out-{number}.jsonl")));
    let path = paths.into_iter().find(|path| !path.exists()).unwrap_or_else(|| data.join("taken-out.jsonl"));
    let failed = || ToolError::io("write", &path);
    let mut file = BufWriter::new(File::create_new(&path).map_err(failed())?);
    for key in wanted {
        if let Some(value) = values.get(&key).and_then(|place| log.read(place).ok()) {
            write_line(&mut file, &Line::of_value(&key, value)).map_err(failed())?;
        }
    }
    let file = file.into_inner().map_err(|error| failed()(error.into_error()))?;
    file.sync_all().map_err(failed())?;
    Ok(Some(path))
}
