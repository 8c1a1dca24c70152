use lockstep_gate::{Gate, Probe, Problem, Verdict};
use lockstep_sdk::mergeability::{Report, Verdict as Mergeability};
use lockstep_sdk::text::{count, list};
use lockstep_sdk::{Access, Host, JobRequest, ObserveError};
use serde::{Deserialize, Serialize};

/// Job kind of the helper (SPEC CF-3).
pub(crate) const HELPER: &str = "conflict-resolver";

/// SPEC CF-4: no policy moves it.
pub(crate) const MAX_ATTEMPTS: u32 = 3;

/// Paths handed to the helper; it finds the others when it merges.
const MAX_PATHS: usize = 200;

/// Paths named in a note.
const MAX_NAMED: usize = 5;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) interval_ms: Option<u64>,
    pub(crate) max_polls: Option<u32>,
    pub(crate) read_failure_tolerance: Option<u32>,
    pub(crate) instructions: Option<String>,
    pub(crate) time_limit_s: Option<u64>,
}

pub(crate) struct Conflicts<'a, H> {
    pub(crate) host: &'a H,
    pub(crate) config: &'a Config,
    pub(crate) base: &'a str,
}

/// What a `conflict-resolver` is given.
#[derive(Serialize)]
struct RepairInput<'a> {
    attempt: u32,
    max_attempts: u32,
    head_commit: Option<&'a str>,
    base_branch: &'a str,
    conflicts: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<&'a str>,
}

impl<H: Host> Gate for Conflicts<'_, H> {
    const HELPER: &'static str = HELPER;
    const NOTICE: &'static str = "conflicts_failed";
    const NOTICE_TITLE: &'static str = "The change conflicts with its base branch";
    const SUBJECT: &'static str = "mergeability";

    fn probe(&self) -> Result<Probe, ObserveError> {
        self.host.mergeability().map(|report| judge(report, self.base))
    }

    /// CF-3: no output goes along beside those of the earlier steps.
    fn repair(&self, head: Option<&str>, problem: &Problem, attempt: u32, of: u32) -> JobRequest {
        let input = RepairInput {
            attempt,
            max_attempts: of,
            head_commit: head,
            base_branch: self.base,
            conflicts: problem.details.iter().map(|(path, _)| path.as_str()).collect(),
            instructions: self.config.instructions.as_deref(),
        };
        JobRequest::new(HELPER, Access::Write).input(&input).time_limit_s(self.config.time_limit_s)
    }

    /// CF-6. What the resolver said last is in the state (CF-7).
    fn broken(&self, _problem: Option<&str>) -> String {
        format!("the change conflicts with {} and has to be resolved by hand", self.base)
    }
}

/// CF-2.
fn judge(report: Report, base: &str) -> Probe {
    let verdict = match (&report.head_commit, report.verdict) {
        (None, _) => Verdict::Pass("nothing to merge yet".to_owned()),
        (Some(_), Mergeability::Mergeable) => Verdict::Pass(format!("merges into {base} without conflicts")),
        (Some(_), Mergeability::Unknown) => {
            Verdict::Pending(format!("not known yet whether it merges into {base}"))
        }
        (Some(_), Mergeability::Conflicted) => Verdict::Fail(conflict(&report.conflicts, base)),
    };
    Probe { head: report.head_commit, verdict }
}

/// CF-5: no summary and no checks; the paths only go to the helper and to the timeline.
fn conflict(paths: &[String], base: &str) -> Problem {
    let headline = if paths.is_empty() {
        format!("conflicts with {base}")
    } else {
        let named = list(paths.iter().map(String::as_str), MAX_NAMED);
        format!("conflicts with {base} in {}: {named}", count(paths.len(), "file"))
    };
    let details = paths.iter().take(MAX_PATHS).map(|path| (path.clone(), String::new())).collect();
    Problem { headline, details, ..Problem::default() }
}
