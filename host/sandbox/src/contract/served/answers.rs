use super::bindings::{checks, environments, history, mergeability, release_health, types, workspace};
use lockstep_types::{
    ChangedFile, Check, CheckReport, EnvironmentReport, EnvironmentStatus, Evidence, FileStatus,
    HealthReport, HealthStatus, MergeReport, ObservationAnswer, ObserveFailure, PastAttempt, Signal,
    SignalKind, SignalState, Verdict,
};

/// The error a component is told in place of an answer.
pub(crate) fn observe_error(answer: ObservationAnswer) -> types::ObserveError {
    match answer {
        ObservationAnswer::Failed(ObserveFailure::NotConfigured) => types::ObserveError::NotConfigured,
        ObservationAnswer::Failed(ObserveFailure::Failed(reason)) => types::ObserveError::Failed(reason),
        _ => types::ObserveError::Failed("the host gave an answer of another kind".to_owned()),
    }
}

impl From<HealthReport> for release_health::Report {
    fn from(report: HealthReport) -> Self {
        let HealthReport { status, signals } = report;
        let status = match status {
            HealthStatus::Healthy => release_health::Status::Healthy,
            HealthStatus::Pending => release_health::Status::Pending,
            HealthStatus::Regressed => release_health::Status::Regressed,
        };
        Self { status, signals: signals.into_iter().map(Into::into).collect() }
    }
}

impl From<Evidence> for release_health::Evidence {
    fn from(evidence: Evidence) -> Self {
        let Evidence { regressed, errors, notes } = evidence;
        Self { regressed: regressed.into_iter().map(Into::into).collect(), errors, notes }
    }
}

impl From<Signal> for release_health::Signal {
    fn from(signal: Signal) -> Self {
        let Signal { kind, id, name, state, detail } = signal;
        let kind = match kind {
            SignalKind::Monitor => release_health::SignalKind::Monitor,
            SignalKind::Slo => release_health::SignalKind::Slo,
        };
        let state = match state {
            SignalState::Ok => release_health::SignalState::Ok,
            SignalState::Warn => release_health::SignalState::Warn,
            SignalState::Alert => release_health::SignalState::Alert,
            SignalState::NoData => release_health::SignalState::NoData,
        };
        Self { kind, id, name, state, detail }
    }
}

impl From<EnvironmentReport> for environments::Report {
    fn from(report: EnvironmentReport) -> Self {
        let EnvironmentReport { status, url, expires_at } = report;
        let status = match status {
            EnvironmentStatus::Provisioning => environments::Status::Provisioning,
            EnvironmentStatus::Ready => environments::Status::Ready,
            EnvironmentStatus::Failed => environments::Status::Failed,
            EnvironmentStatus::Expired => environments::Status::Expired,
            EnvironmentStatus::TornDown => environments::Status::TornDown,
        };
        Self { status, url, expires_at: expires_at.map(|time| time.0) }
    }
}

impl From<CheckReport> for checks::Report {
    fn from(report: CheckReport) -> Self {
        let CheckReport { head_commit, checks, pull_request: _ } = report;
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
        let MergeReport { head_commit, verdict, conflicts, reasons: _ } = report;
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
