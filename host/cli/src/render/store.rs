//! What is said of a store as a whole.

use super::{Style, bytes};
use lockstep_store::tools::{BackupReport, ExportReport, RepairReport, Survey};
use std::fmt::Write as _;

/// What a survey found.
pub(crate) fn survey(_: &Style, survey: &Survey, repair: &str) -> String {
    let Survey { segments, values, runs, files, .. } = survey;
    let size = bytes(survey.bytes);
    let mut text = format!(
        "{runs} runs, {values} values in {segments} files of {size}, {files} components and directories\n"
    );
    for part in &survey.damage {
        line(&mut text, &format!("damaged: bytes {} to {} of {}", part.from, part.to, part.file));
    }
    for (run, why) in &survey.broken_runs {
        line(&mut text, &format!("run {run}: {why}"));
    }
    for (key, why) in &survey.broken_values {
        line(&mut text, &format!("value {key}: {why}"));
    }
    for file in &survey.broken_files {
        line(
            &mut text,
            &format!("component {file}: its bytes do not have its digest; add the component again"),
        );
    }
    line(
        &mut text,
        &match survey.is_whole() {
            true => "everything can be read, and is what was written".to_owned(),
            false => format!("restore a backup, or save the rest with `{repair}`"),
        },
    );
    text
}

/// What a repair did.
pub(crate) fn repaired(report: &RepairReport) -> String {
    let RepairReport { runs, values, saved_to, broken_files } = report;
    let mut text = String::new();
    for run in runs {
        line(&mut text, &format!("took out run {run}"));
    }
    for key in values {
        line(&mut text, &format!("took out value {key}"));
    }
    if let Some(path) = saved_to {
        line(&mut text, &format!("what could be read of that is in {}", path.display()));
    }
    for file in broken_files {
        line(&mut text, &format!("{file} is damaged: add the same component again"));
    }
    if text.is_empty() {
        line(&mut text, "nothing is damaged");
    }
    text
}

/// What was copied.
pub(crate) fn copied(what: &str, report: &BackupReport) -> String {
    format!(
        "{what} {} runs, {} in {} files, read back and whole\n",
        report.runs,
        bytes(report.bytes),
        report.files
    )
}

/// What was exported or imported.
pub(crate) fn exported(what: &str, report: &ExportReport) -> String {
    format!("{what} {} values, {} components and directories\n", report.values, report.files)
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").unwrap_or_default();
}
