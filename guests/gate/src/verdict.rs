//! What a list of checks means (SPEC CI-2 to CI-7, with the settings of D-23).

use crate::{FailingCheck, Probe, Problem, Verdict};
use lockstep_sdk::checks::{Check, Report};
use lockstep_sdk::text::{at_most, count, list};
use serde::Deserialize;

/// Failing checks that are named and kept; more are only counted, which bounds the state.
const MAX_FAILING_CHECKS: usize = 50;

/// Checks named in a waiting reason.
const MAX_NAMED: usize = 5;

/// Characters of a check's output handed to the helper.
const MAX_OUTPUT_CHARS: usize = 8_000;

/// What a conclusion that is neither success nor failure counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Meaning {
    /// Success.
    Pass,
    /// Not decided yet.
    Wait,
    /// Failure.
    Fail,
}

/// How checks are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Checks that must have been reported.
    pub required: Vec<String>,
    /// Whether only the required ones count, where some are required.
    pub only_required: bool,
    /// No checks at all.
    pub on_none: Meaning,
    /// A skipped check.
    pub on_skipped: Meaning,
    /// A neutral check.
    pub on_neutral: Meaning,
    /// A check of a commit that is no longer the head.
    pub on_stale: Meaning,
    /// Whether a failure waits until everything else has ended.
    pub wait_for_all: bool,
}

impl Default for Rules {
    /// As the specification says, with nothing configured.
    fn default() -> Self {
        Self {
            required: Vec::new(),
            only_required: false,
            on_none: Meaning::Pass,
            on_skipped: Meaning::Pass,
            on_neutral: Meaning::Pass,
            on_stale: Meaning::Fail,
            wait_for_all: false,
        }
    }
}

impl Rules {
    /// CI-2, CI-3: what one check means.
    fn meaning(&self, check: &Check) -> Meaning {
        if check.status != "completed" {
            return Meaning::Wait;
        }
        match check.conclusion.as_deref() {
            Some("success") => Meaning::Pass,
            Some("neutral") => self.on_neutral,
            Some("skipped") => self.on_skipped,
            Some("stale") => self.on_stale,
            _ => Meaning::Fail,
        }
    }

    fn counts(&self, check: &Check) -> bool {
        !self.only_required || self.required.is_empty() || self.required.contains(&check.name)
    }

    fn missing<'a>(&'a self, report: &Report) -> Vec<&'a str> {
        let is_reported = |name: &str| report.checks.iter().any(|check| check.name == name);
        self.required.iter().map(String::as_str).filter(|name| !is_reported(name)).collect()
    }
}

/// CI-4: aggregates the checks at the head commit.
#[must_use]
pub fn judge(report: &Report, rules: &Rules) -> Probe {
    let missing = rules.missing(report);
    let relevant: Vec<&Check> = report.checks.iter().filter(|check| rules.counts(check)).collect();
    let with = |meaning| relevant.iter().copied().filter(move |check| rules.meaning(check) == meaning);
    let failing: Vec<&Check> = with(Meaning::Fail).collect();
    let running: Vec<&Check> = with(Meaning::Wait).collect();
    let is_undecided = !running.is_empty() || !missing.is_empty();
    let must_wait = rules.wait_for_all && is_undecided;
    let verdict = if relevant.is_empty() && missing.is_empty() {
        nothing_reported(rules.on_none)
    } else if !failing.is_empty() && !must_wait {
        Verdict::Fail(problem(&failing))
    } else if is_undecided {
        Verdict::Pending(waits_for(relevant.len(), &failing, &running, &missing))
    } else {
        // CI-6: neutral and skipped ones are counted too.
        Verdict::Pass(format!("{} green", count(relevant.len(), "check")))
    };
    Probe { head: report.head_commit.clone(), verdict }
}

/// CI-5, CI-6: by default a repository without checks is green.
fn nothing_reported(meaning: Meaning) -> Verdict {
    match meaning {
        Meaning::Pass => Verdict::Pass("no checks are configured".to_owned()),
        Meaning::Wait => Verdict::Pending("no check was reported yet".to_owned()),
        Meaning::Fail => Verdict::Fail(problem(&[])),
    }
}

/// CI-7.
fn problem(failing: &[&Check]) -> Problem {
    if failing.is_empty() {
        let summary = Some("no check was reported".to_owned());
        return Problem { headline: "no checks".to_owned(), summary, ..Problem::default() };
    }
    let conclusion = |check: &Check| check.conclusion.clone().filter(|word| !word.is_empty());
    let named: Vec<_> = failing
        .iter()
        .map(|check| format!("{} ({})", check.name, conclusion(check).as_deref().unwrap_or("failure")))
        .collect();
    let kept = failing.iter().take(MAX_FAILING_CHECKS);
    let failing_checks = kept.clone().map(|check| FailingCheck {
        name: check.name.clone(),
        conclusion: conclusion(check),
        url: check.url.clone(),
    });
    let details = kept.filter_map(|check| {
        let output = check.summary.as_deref().filter(|output| !output.trim().is_empty())?;
        Some((check.name.clone(), at_most(output, MAX_OUTPUT_CHARS)))
    });
    Problem {
        headline: format!("{} failing", count(failing.len(), "check")),
        summary: Some(list(named.iter().map(String::as_str), MAX_FAILING_CHECKS)),
        failing_checks: failing_checks.collect(),
        details: details.collect(),
    }
}

/// D-23: says which check is missing, so that nobody has to guess why it waits.
fn waits_for(total: usize, failing: &[&Check], running: &[&Check], missing: &[&str]) -> String {
    let mut parts = Vec::new();
    if !failing.is_empty() {
        parts.push(format!("{} failing, waits for the rest", count(failing.len(), "check")));
    }
    if !running.is_empty() {
        let names = list(running.iter().map(|check| check.name.as_str()), MAX_NAMED);
        parts.push(format!("{} of {} running: {names}", running.len(), count(total, "check")));
    }
    if !missing.is_empty() {
        let names = list(missing.iter().copied(), MAX_NAMED);
        parts.push(format!("{} never reported: {names}", count(missing.len(), "required check")));
    }
    parts.join("; ")
}
