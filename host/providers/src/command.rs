//! A program of the operator that is asked in JSON and answers in JSON.

use crate::environment::{environment, not_set, secret_names};
use crate::files::{read_bounded, read_end, write_durably};
use crate::launch::{Exit, Folder, Order};
use crate::text::{as_line, shown};
use lockstep_types::{Change, ProviderCommand, RunId};
use serde::Deserialize;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::process::Child;

/// Largest answer: it becomes part of the journal. Less than what is kept of an output, so that none is read that was cut.
const ANSWER_MAX: u64 = 64 << 10;
/// Bytes at the end of its messages in which the last line is looked for.
const MESSAGES_READ: usize = 4 << 10;
/// Exit status of a program that may well succeed later: `EX_TEMPFAIL` of sysexits.h.
const FOR_NOW_STATUS: i32 = 75;

/// How commands that perform effects or answer observations are run.
#[derive(Clone, Debug)]
pub struct CommandOptions {
    /// Program and first arguments of the process that calls `supervise` with the folder it is given as last argument.
    pub supervisor: Vec<OsString>,
    /// Commands that run at once; others wait their turn.
    pub parallel: usize,
    /// For a command that names no time limit of its own.
    pub time_limit: Duration,
}

impl CommandOptions {
    /// Four at once, each for up to half an hour: machines may have to be made.
    #[must_use]
    pub fn for_effects(supervisor: Vec<OsString>) -> Self {
        Self { supervisor, parallel: 4, time_limit: Duration::from_mins(30) }
    }

    /// Eight at once, each for up to half a minute: a run does nothing else while it looks.
    #[must_use]
    pub fn for_observations(supervisor: Vec<OsString>) -> Self {
        Self { supervisor, parallel: 8, time_limit: Duration::from_secs(30) }
    }

    pub(crate) fn limit_of(&self, command: &ProviderCommand) -> Duration {
        command.time_limit_s.map_or(self.time_limit, Duration::from_secs)
    }
}

/// What a command is asked.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// Table of the pipeline it stands in.
    pub(crate) table: &'static str,
    /// Its name there.
    pub(crate) name: &'static str,
    pub(crate) command: &'a ProviderCommand,
    pub(crate) run: &'a RunId,
    pub(crate) change: &'a Change,
    /// The JSON it is given.
    pub(crate) body: &'a str,
    /// Variables beside those every command finds.
    pub(crate) variables: Vec<(&'static str, String)>,
    pub(crate) time_limit: Duration,
    /// Whether it ends with the host.
    pub(crate) tethered: bool,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// It ended well; JSON, or nothing.
    Answer(String),
    /// It says that doing the same again would not help. One line.
    Refused(String),
    /// One line.
    Failed(String),
}

impl Request<'_> {
    /// Starts the command. The caller holds the lock of the folder, which passes over to its supervisor.
    ///
    /// It runs in the repository as the operator checked it out, for that is where the operator's scripts are. A worktree
    /// of the head branch would have what may deploy be written by the change that is deployed.
    pub(crate) fn start(&self, folder: &Folder, supervisor: &[OsString], lock: File) -> io::Result<Child> {
        let body = folder.file("request.json");
        write_durably(&body, self.body.as_bytes())?;
        let order = Order {
            command: self.command.command.clone(),
            cwd: self.change.repository.clone().into(),
            stdin: Some(body.clone()),
            time_limit_ms: u64::try_from(self.time_limit.as_millis()).unwrap_or(u64::MAX),
            tethered: self.tethered,
            secret_variables: secret_names(&self.command.pass_env, &self.command.env).collect(),
            masked_file: None,
        };
        let mut environment = environment(&self.command.pass_env, &self.command.env);
        let change = self.change;
        let described = [
            ("LOCKSTEP_RUN", self.run.to_string()),
            ("LOCKSTEP_REPOSITORY", change.repository.clone()),
            ("LOCKSTEP_BASE_BRANCH", change.base_branch.clone()),
            ("LOCKSTEP_HEAD_BRANCH", change.head_branch.clone()),
            ("LOCKSTEP_HEAD_COMMIT", change.head_commit.clone().unwrap_or_default()),
        ];
        environment.insert("LOCKSTEP_REQUEST".into(), body.into());
        let described = described.into_iter().chain(self.variables.iter().cloned());
        environment.extend(described.map(|(name, value)| (name.into(), value.replace('\0', "").into())));
        folder.start(supervisor, &order, &environment, lock)
    }

    /// Why it cannot be started at all, in one line.
    pub(crate) fn obstacle(&self) -> Option<String> {
        let repository = &self.change.repository;
        let is_there = !repository.contains('\0') && Path::new(repository).is_dir();
        let shown = as_line(repository, "(empty)");
        (!is_there).then(|| format!("{}: there is no folder {shown} to run its command in", self.name))
    }

    /// What the end of the command means.
    pub(crate) fn reply(&self, folder: &Folder, exit: &Exit) -> Reply {
        let (name, table) = (self.name, self.table);
        let program = shown(&self.command.command);
        Reply::Failed(match exit {
            Exit::Status(code) => return self.reply_of_status(folder, *code),
            Exit::Signal(9) => {
                format!("{name}: {program} was killed by somebody else; see the machine's log")
            }
            Exit::Signal(signal) => {
                format!("{name}: {program} was ended by signal {signal}{}", last_message(folder))
            }
            Exit::TimedOut => {
                let seconds = self.time_limit.as_secs_f64();
                format!(
                    "{name}: {program} did not end within its time limit of {seconds} s{}",
                    last_message(folder)
                )
            }
            Exit::Stopped => format!("{name}: {program} was stopped"),
            Exit::NotFound => {
                format!(
                    "{name}: there is no command {program}: install it or correct `command` in [{table}.{name}]"
                )
            }
            Exit::NotStarted(reason) => {
                format!(
                    "{name}: {program} could not be started ({reason}): correct `command` in [{table}.{name}]"
                )
            }
        })
    }

    fn reply_of_status(&self, folder: &Folder, code: i32) -> Reply {
        let (name, program) = (self.name, shown(&self.command.command));
        let answer = read_answer(folder);
        if let Ok(text) = &answer
            && let Some(why) = refusal(text)
        {
            return Reply::Refused(format!("{name}: {}", as_line(&why, "no reason was given")));
        }
        match (code, answer) {
            (0, Ok(text)) => Reply::Answer(text),
            (0, Err(why)) => Reply::Failed(format!("{name}: the answer of {program} {why}")),
            (FOR_NOW_STATUS, _) => {
                Reply::Failed(format!("{name}: {program} failed for now{}", last_message(folder)))
            }
            (code, _) => {
                let missing = not_set(&self.command.pass_env);
                let hint = if missing.is_empty() {
                    String::new()
                } else {
                    format!(" ({} of pass_env is not set where the host runs)", missing.join(", "))
                };
                Reply::Failed(format!(
                    "{name}: {program} ended with status {code}{hint}{}",
                    last_message(folder)
                ))
            }
        }
    }

    /// The line for an answer that is JSON, but not what was asked for.
    pub(crate) fn misshapen(&self, what: &str, why: &str) -> String {
        let (name, program) = (self.name, shown(&self.command.command));
        format!("{name}: the answer of {program} is not {what}: {}", as_line(why, "it is something else"))
    }
}

/// Standard output, which is JSON or empty; or what is wrong with it.
fn read_answer(folder: &Folder) -> Result<String, String> {
    let bytes = read_bounded(&folder.stdout(), ANSWER_MAX).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => format!("has more than {ANSWER_MAX} bytes"),
        _ => format!("cannot be read: {error}"),
    })?;
    let text = String::from_utf8(bytes.unwrap_or_default()).map_err(|_| "is not UTF-8".to_owned())?;
    let text = text.trim();
    if text.is_empty() {
        return Ok(String::new());
    }
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("is not JSON: {error}")),
    }
}

fn refusal(answer: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Refusal {
        refused: String,
    }
    let is_object = answer.starts_with('{');
    is_object.then(|| serde_json::from_str::<Refusal>(answer).ok()).flatten().map(|refusal| refusal.refused)
}

/// The last line a command wrote to its standard error, as the end of a sentence.
fn last_message(folder: &Folder) -> String {
    let end = read_end(&folder.stderr(), MESSAGES_READ).ok().flatten().unwrap_or_default();
    let text = String::from_utf8_lossy(&end);
    let last = text.lines().rev().map(|line| as_line(line, "")).find(|line| !line.is_empty());
    last.map(|line| format!(": {line}")).unwrap_or_default()
}
