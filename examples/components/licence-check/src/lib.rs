//! Step kind `licence-check`: what a change adds is under a licence the team accepts.
//!
//! New files say their licence in their first lines, a licence that a manifest or lock file names is accepted, and the
//! licence of a new dependency is known from the team's ledger. What is not accepted goes back to work; what nobody
//! knows is asked of a person.

mod diff;
mod manifest;
mod spdx;

use diff::Lines;
use lockstep_sdk::workspace::{ChangedFile, FileStatus};
use lockstep_sdk::{
    Call, Completion, Descriptor, Event, Failure, FailureClass, Host, ObserveError, Question, QuestionKind,
    ReworkRequest, Step, StepError, Transition, Waiting, text,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Files looked at, each with one or two calls of the host, which takes 512 of one component.
const FILES_MAX: usize = 200;
/// Lines at the beginning of a file among which its licence must be.
const HEADER_LINES: usize = 20;
/// Findings shown and kept; a person reads no more.
const FINDINGS_MAX: usize = 30;

const ACCEPT: &str = "accept";
const REFUSE: &str = "refuse";

/// What precedes the licence in a file. In two halves, or this line would be taken for the licence of this file.
const MARK: &str = concat!("SPDX-License", "-Identifier:");

struct LicenceCheck;

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    accepted: Vec<String>,
    header_extensions: Vec<String>,
    exempt: Vec<String>,
    ledger: String,
    producers: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Self {
            accepted: texts(&[
                "MIT",
                "Apache-2.0",
                "BSD-2-Clause",
                "BSD-3-Clause",
                "ISC",
                "Unicode-3.0",
                "Zlib",
            ]),
            header_extensions: texts(&["c", "go", "h", "js", "py", "rs", "ts"]),
            exempt: Vec::new(),
            ledger: ".lockstep/licences.json".to_owned(),
            producers: Vec::new(),
        }
    }
}

/// What was found, until a person has answered.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct State {
    unknown: Vec<String>,
    failed_looks: u32,
}

/// What is wrong with a change.
#[derive(Default)]
struct Findings {
    refused: Vec<String>,
    unknown: Vec<String>,
    files: usize,
}

impl Step for LicenceCheck {
    type Config = Config;
    type State = State;

    fn descriptor() -> Descriptor {
        let summary = "Files carry an accepted licence, and new dependencies have one.";
        Descriptor::new("licence-check", env!("CARGO_PKG_VERSION"), summary)
            .config_schema(include_str!("config.schema.json"))
    }

    fn advance(
        call: &Call<Config>,
        mut state: State,
        event: Event,
        host: &impl Host,
    ) -> Result<Transition<State>, StepError> {
        match event {
            Event::Started(_) | Event::Due => Ok(match look(&call.config, host) {
                Ok(findings) => decide(&call.config, findings),
                Err(ObserveError::Failed(why)) if state.failed_looks < call.policy.read_failure_tolerance => {
                    state.failed_looks += 1;
                    let reason = format!("the change cannot be read: {why}");
                    Transition::new(state, Waiting::new(call.policy.gate_interval_ms, reason))
                }
                Err(error) => Transition::new(state, unreadable(error)),
            }),
            Event::Answered(answer) if answer.choice == ACCEPT => {
                let output = format!("a person accepted: {}", state.unknown.join("; "));
                let accepted = std::mem::take(&mut state.unknown);
                Ok(Transition::new(state, Completion::new().output(output))
                    .fact("accepted_licences", &accepted))
            }
            Event::Answered(_) => {
                let refused = format!("a person refused: {}", state.unknown.join("; "));
                Ok(Transition::new(state, Failure::new(FailureClass::Cancelled, refused)))
            }
            other => Err(StepError::unexpected(&other, "a person is asked about licences")),
        }
    }
}

fn unreadable(error: ObserveError) -> Failure {
    match error {
        ObserveError::NotConfigured => Failure::new(
            FailureClass::Agent,
            "nothing tells which files the change has; give the run a repository",
        ),
        ObserveError::Failed(why) => {
            Failure::new(FailureClass::Timeout, format!("the change could not be read: {why}"))
        }
    }
}

/// Looks at everything the change adds.
fn look(config: &Config, host: &impl Host) -> Result<Findings, ObserveError> {
    let mut findings = Findings::default();
    let mut ledger = None;
    let files = host.changed_files()?;
    let (wanted, more) = wanted(config, &files);
    for file in wanted {
        findings.files += 1;
        let bytes = host.read_file(&file.path)?.unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        if let Some(read) = manifest::reader(&file.path) {
            let Some(diff) = host.diff(&file.path)? else { continue };
            let added = read(&text, &Lines::of(&diff));
            for licence in &added.licences {
                if !spdx::is_accepted(licence, &config.accepted) {
                    findings.refused.push(format!("{}: licence {licence} is not accepted", file.path));
                }
            }
            if !added.dependencies.is_empty() && ledger.is_none() {
                ledger = Some(read_ledger(config, host)?);
            }
            for name in added.dependencies {
                let known = ledger.as_ref().and_then(|ledger: &BTreeMap<String, String>| ledger.get(&name));
                check_dependency(config, &file.path, &name, known, &mut findings);
            }
        } else {
            check_header(config, &file.path, &text, &mut findings);
        }
    }
    if more > 0 {
        findings.unknown.push(format!("{} more were not looked at", text::count(more, "file")));
    }
    Ok(findings)
}

/// Files to look at, and how many more there are.
fn wanted<'a>(config: &Config, files: &'a [ChangedFile]) -> (Vec<&'a ChangedFile>, usize) {
    let is_wanted = |file: &&ChangedFile| {
        let extension = file.path.rsplit_once('.').map(|(_, extension)| extension);
        let needs_header = file.status == FileStatus::Added
            && extension.is_some_and(|extension| config.header_extensions.iter().any(|one| one == extension));
        file.status != FileStatus::Deleted
            && (needs_header || manifest::reader(&file.path).is_some())
            && !config.exempt.iter().any(|begin| file.path.starts_with(begin))
    };
    let mut wanted: Vec<_> = files.iter().filter(is_wanted).collect();
    let more = wanted.len().saturating_sub(FILES_MAX);
    wanted.truncate(FILES_MAX);
    (wanted, more)
}

/// Licences of dependencies as the team has written them down; empty if it has not.
fn read_ledger(config: &Config, host: &impl Host) -> Result<BTreeMap<String, String>, ObserveError> {
    let bytes = host.read_file(&config.ledger)?.unwrap_or_else(|| b"{}".to_vec());
    serde_json::from_slice(&bytes).map_err(|error| {
        ObserveError::Failed(format!("{} is no ledger: {}", config.ledger, text::json_error(&error)))
    })
}

fn check_dependency(
    config: &Config,
    path: &str,
    name: &str,
    known: Option<&String>,
    findings: &mut Findings,
) {
    match known {
        Some(licence) if spdx::is_accepted(licence, &config.accepted) => {}
        Some(licence) => {
            findings
                .refused
                .push(format!("{path}: dependency {name} is under {licence}, which is not accepted"));
        }
        None => {
            findings.unknown.push(format!("{path}: dependency {name} is new and not in {}", config.ledger));
        }
    }
}

fn check_header(config: &Config, path: &str, text: &str, findings: &mut Findings) {
    let licence = text.lines().take(HEADER_LINES).find_map(|line| Some(line.split_once(MARK)?.1));
    // A comment may end on the same line.
    let licence = licence.map(|rest| rest.trim().trim_end_matches("*/").trim_end_matches("-->").trim());
    match licence {
        None => findings.refused.push(format!("{path}: no `{MARK}` in the first {HEADER_LINES} lines")),
        Some(licence) if spdx::is_accepted(licence, &config.accepted) => {}
        Some(licence) => findings.refused.push(format!("{path}: licence {licence} is not accepted")),
    }
}

fn decide(config: &Config, mut findings: Findings) -> Transition<State> {
    let seen = text::count(findings.files, "file");
    if !findings.refused.is_empty() {
        let note = format!("{seen} looked at, {} not accepted", findings.refused.len());
        let list = shown(&findings.refused);
        let next = if config.producers.is_empty() {
            let first = findings.refused.swap_remove(0);
            Transition::new(State::default(), Failure::new(FailureClass::Agent, first).detail(list))
        } else {
            let feedback = format!("Licences are not as they have to be:\n{list}");
            Transition::new(State::default(), ReworkRequest::new(config.producers.clone(), feedback))
        };
        return next.note(note);
    }
    if findings.unknown.is_empty() {
        return Transition::new(
            State::default(),
            Completion::new().output(format!("{seen} looked at, all accepted")),
        );
    }
    let note = format!("{seen} looked at, {} not known", findings.unknown.len());
    let question = Question::new(QuestionKind::Decision, "Are the licences of these accepted?")
        .options([ACCEPT, REFUSE])
        .proposal(shown(&findings.unknown));
    findings.unknown.truncate(FINDINGS_MAX);
    Transition::new(State { unknown: findings.unknown, failed_looks: 0 }, question).note(note)
}

fn shown(findings: &[String]) -> String {
    let mut lines: Vec<_> =
        findings.iter().take(FINDINGS_MAX).map(|finding| format!("- {finding}")).collect();
    if findings.len() > FINDINGS_MAX {
        lines.push(format!("- and {} more", findings.len() - FINDINGS_MAX));
    }
    lines.join("\n")
}

lockstep_sdk::export_step!(LicenceCheck);

#[cfg(test)]
mod tests;
