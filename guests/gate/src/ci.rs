//! The CI gate: checks must be green at the head commit (SPEC section 1).

use crate::verdict::{Meaning, Rules, judge};
use crate::{FailingCheck, Gate, GateState, Limits, Probe, Problem};
use lockstep_sdk::{
    Access, Call, Event, Host, JobRequest, ObserveError, StepError, StepInfo, Transition, json_text,
};
use serde::{Deserialize, Serialize};

/// JSON Schema of [`Config`].
pub const CONFIG_SCHEMA: &str = include_str!("ci.schema.json");

/// Job kind of the helper (SPEC CI-8).
pub const HELPER: &str = "ci-fixer";

/// Settings of a CI gate; what is absent comes from the policy or the specification.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Checks that must have been reported.
    pub required: Vec<String>,
    /// Whether only the required ones count.
    pub only_required: bool,
    /// What no checks at all mean.
    pub on_none: Option<Meaning>,
    /// What a skipped check means.
    pub on_skipped: Option<Meaning>,
    /// What a neutral check means.
    pub on_neutral: Option<Meaning>,
    /// What a stale check means.
    pub on_stale: Option<Meaning>,
    /// Whether a failure waits until everything else has ended.
    pub wait_for_all: bool,
    /// Repairs it may ask for.
    pub max_attempts: Option<u32>,
    /// Milliseconds between two looks.
    pub interval_ms: Option<u64>,
    /// Looks before it times out.
    pub max_polls: Option<u32>,
    /// Looks in a row that may fail.
    pub read_failure_tolerance: Option<u32>,
    /// Told to the helper.
    pub instructions: Option<String>,
    /// Seconds the helper may take.
    pub time_limit_s: Option<u64>,
}

impl Config {
    /// How checks are read.
    #[must_use]
    pub fn rules(&self) -> Rules {
        let default = Rules::default();
        Rules {
            required: self.required.clone(),
            only_required: self.only_required,
            on_none: self.on_none.unwrap_or(default.on_none),
            on_skipped: self.on_skipped.unwrap_or(default.on_skipped),
            on_neutral: self.on_neutral.unwrap_or(default.on_neutral),
            on_stale: self.on_stale.unwrap_or(default.on_stale),
            wait_for_all: self.wait_for_all,
        }
    }
}

/// Handles one event of a CI gate that reads checks by `rules`.
///
/// # Errors
/// An event a gate never asked for.
pub fn advance(
    call: &Call<Config>,
    rules: Rules,
    state: GateState,
    event: Event,
    host: &impl Host,
) -> Result<Transition<GateState>, StepError> {
    let (config, policy) = (&call.config, &call.policy);
    let limits = Limits {
        max_attempts: config.max_attempts.unwrap_or(policy.ci_max_attempts),
        interval_ms: config.interval_ms.unwrap_or(policy.gate_interval_ms),
        max_polls: config.max_polls.unwrap_or(policy.gate_max_polls),
        read_failure_tolerance: config.read_failure_tolerance.unwrap_or(policy.read_failure_tolerance),
    };
    crate::advance(&CiGate { host, rules, config, step: &call.step }, call, limits, state, event)
}

struct CiGate<'a, H> {
    host: &'a H,
    rules: Rules,
    config: &'a Config,
    step: &'a StepInfo,
}

/// What a `ci-fixer` is given.
#[derive(Serialize)]
struct RepairInput<'a> {
    attempt: u32,
    max_attempts: u32,
    head_commit: Option<&'a str>,
    summary: Option<&'a str>,
    failing_checks: Vec<RepairCheck<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<&'a str>,
}

#[derive(Serialize)]
struct RepairCheck<'a> {
    #[serde(flatten)]
    check: &'a FailingCheck,
    output: Option<&'a str>,
}

impl<H: Host> Gate for CiGate<'_, H> {
    const HELPER: &'static str = HELPER;
    const NOTICE: &'static str = "ci_failed";
    const NOTICE_TITLE: &'static str = "CI stays red";
    const SUBJECT: &'static str = "CI";

    fn probe(&self) -> Result<Probe, ObserveError> {
        self.host.checks().map(|report| judge(&report, &self.rules))
    }

    /// CI-8: the summary goes along as an output of this step.
    fn repair(&self, head: Option<&str>, problem: &Problem, attempt: u32, of: u32) -> JobRequest {
        let output_of = |name: &str| {
            problem.details.iter().find(|(check, _)| check == name).map(|(_, output)| output.as_str())
        };
        let failing_checks = problem.failing_checks.iter();
        let input = RepairInput {
            attempt,
            max_attempts: of,
            head_commit: head,
            summary: problem.summary.as_deref(),
            failing_checks: failing_checks
                .map(|check| RepairCheck { check, output: output_of(&check.name) })
                .collect(),
            instructions: self.config.instructions.as_deref(),
        };
        let mut job = JobRequest::new(HELPER, Access::Write).time_limit_s(self.config.time_limit_s);
        job.input = json_text(&input);
        let summary = problem.summary.clone().unwrap_or_default();
        job.extra_output(&self.step.name, &self.step.role, summary)
    }

    fn broken(&self, problem: Option<&str>) -> String {
        format!("CI fails: {}", problem.unwrap_or("no check says why"))
    }
}
