use crate::contract::{checks, history, mergeability, types, workspace};
use lockstep_types::{
    ChangedFile, Check, CheckReport, FileStatus, MergeReport, ObservationAnswer, ObserveFailure, PastAttempt,
    Verdict,
};

/// What a part of an answer counts beside its texts, so that many empty parts are not free.
const PART_BYTES: usize = 32;

/// The error a component is told in place of an answer.
pub(crate) fn observe_error(answer: ObservationAnswer) -> types::ObserveError {
    match answer {
        ObservationAnswer::Failed(ObserveFailure::NotConfigured) => types::ObserveError::NotConfigured,
        ObservationAnswer::Failed(ObserveFailure::Failed(reason)) => types::ObserveError::Failed(reason),
        _ => types::ObserveError::Failed("the host gave an answer of another kind".to_owned()),
    }
}

/// Bytes an answer counts towards the limit of what a component is told.
pub(crate) fn answer_bytes(answer: &ObservationAnswer) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let bytes = match answer {
        ObservationAnswer::Checks(report) => {
            let check = |check: &Check| {
                let named = check.name.len() + check.status.len();
                PART_BYTES + named + text(&check.conclusion) + text(&check.url) + text(&check.summary)
            };
            text(&report.head_commit) + report.checks.iter().map(check).sum::<usize>()
        }
        ObservationAnswer::Mergeability(report) => {
            let conflict = |path: &String| PART_BYTES + path.len();
            text(&report.head_commit) + report.conflicts.iter().map(conflict).sum::<usize>()
        }
        ObservationAnswer::ChangedFiles(files) => {
            files.iter().map(|file| PART_BYTES + file.path.len()).sum::<usize>()
        }
        ObservationAnswer::ReadFile(content) => content.as_ref().map_or(0, Vec::len),
        ObservationAnswer::Attempts(attempts) => attempts
            .iter()
            .map(|attempt| PART_BYTES + attempt.outcome.len() + text(&attempt.output))
            .sum::<usize>(),
        ObservationAnswer::Failed(ObserveFailure::NotConfigured) => 0,
        ObservationAnswer::Failed(ObserveFailure::Failed(reason)) => reason.len(),
    };
    PART_BYTES + bytes
}

impl From<CheckReport> for checks::Report {
    fn from(report: CheckReport) -> Self {
        let CheckReport { head_commit, checks } = report;
        Self { head_commit, checks: checks.into_iter().map(Into::into).collect() }
    }
}

impl From<Check> for checks::Check {
    fn from(check: Check) -> Self {
        let Check { name, status, conclusion, url, summary } = check;
        Self { name, status, conclusion, url, summary }
    }
}

impl From<MergeReport> for mergeability::Report {
    fn from(report: MergeReport) -> Self {
        let MergeReport { head_commit, verdict, conflicts } = report;
        let verdict = match verdict {
            Verdict::Mergeable => mergeability::Verdict::Mergeable,
            Verdict::Conflicted => mergeability::Verdict::Conflicted,
            Verdict::Unknown => mergeability::Verdict::Unknown,
        };
        Self { head_commit, verdict, conflicts }
    }
}

impl From<ChangedFile> for workspace::ChangedFile {
    fn from(file: ChangedFile) -> Self {
        let ChangedFile { path, status, lines_added, lines_removed } = file;
        let status = match status {
            FileStatus::Added => workspace::FileStatus::Added,
            FileStatus::Modified => workspace::FileStatus::Modified,
            FileStatus::Deleted => workspace::FileStatus::Deleted,
            FileStatus::Renamed => workspace::FileStatus::Renamed,
            FileStatus::Other => workspace::FileStatus::Other,
        };
        Self { path, status, lines_added, lines_removed }
    }
}

impl From<PastAttempt> for history::Attempt {
    fn from(attempt: PastAttempt) -> Self {
        let PastAttempt { number, started_at, finished_at, outcome, output } = attempt;
        Self {
            number,
            started_at: started_at.0,
            finished_at: finished_at.map(|time| time.0),
            outcome,
            output,
        }
    }
}
