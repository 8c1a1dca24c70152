use crate::{
    Host, LogLevel, ObserveError, checks, environments, history, mergeability, release_health, workspace,
};
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};

type Script<T> = RefCell<VecDeque<Result<T, ObserveError>>>;

/// A host that answers from scripts. The last answer repeats; without a script nothing is configured.
#[derive(Debug, Default)]
pub struct ScriptedHost {
    checks: Script<checks::Report>,
    mergeability: Script<mergeability::Report>,
    release_health: Script<release_health::Report>,
    evidence: Script<release_health::Evidence>,
    environments: Script<Option<environments::Report>>,
    changed_files: Vec<workspace::ChangedFile>,
    files: BTreeMap<String, Vec<u8>>,
    diffs: BTreeMap<String, String>,
    attempts: Vec<history::Attempt>,
    logged: RefCell<Vec<String>>,
}

impl ScriptedHost {
    /// Adds an answer about the checks.
    pub fn push_checks(&mut self, answer: Result<checks::Report, ObserveError>) {
        self.checks.get_mut().push_back(answer);
    }

    /// Adds an answer about mergeability.
    pub fn push_mergeability(&mut self, answer: Result<mergeability::Report, ObserveError>) {
        self.mergeability.get_mut().push_back(answer);
    }

    /// Adds an answer about the released change.
    pub fn push_release_health(&mut self, answer: Result<release_health::Report, ObserveError>) {
        self.release_health.get_mut().push_back(answer);
    }

    /// Adds evidence of a regression.
    pub fn push_evidence(&mut self, answer: Result<release_health::Evidence, ObserveError>) {
        self.evidence.get_mut().push_back(answer);
    }

    /// Adds an answer about an environment, whichever is asked for.
    pub fn push_environment(&mut self, answer: Result<Option<environments::Report>, ObserveError>) {
        self.environments.get_mut().push_back(answer);
    }

    /// Adds a file of the change.
    pub fn add_file(&mut self, file: workspace::ChangedFile, content: impl Into<Vec<u8>>) {
        self.files.insert(file.path.clone(), content.into());
        self.changed_files.push(file);
    }

    /// Sets the diff of a file; without it the file does not differ.
    pub fn set_diff(&mut self, path: impl Into<String>, diff: impl Into<String>) {
        self.diffs.insert(path.into(), diff.into());
    }

    /// Sets the attempts of the step.
    pub fn set_attempts(&mut self, attempts: Vec<history::Attempt>) {
        self.attempts = attempts;
    }

    /// The lines that were logged.
    #[must_use]
    pub fn logged(&self) -> Vec<String> {
        self.logged.borrow().clone()
    }
}

fn next_of<T: Clone>(script: &Script<T>) -> Result<T, ObserveError> {
    let mut script = script.borrow_mut();
    match script.len() {
        0 => Err(ObserveError::NotConfigured),
        1 => script[0].clone(),
        _ => script.pop_front().unwrap_or(Err(ObserveError::NotConfigured)),
    }
}

impl Host for ScriptedHost {
    fn checks(&self) -> Result<checks::Report, ObserveError> {
        next_of(&self.checks)
    }

    fn mergeability(&self) -> Result<mergeability::Report, ObserveError> {
        next_of(&self.mergeability)
    }

    fn changed_files(&self) -> Result<Vec<workspace::ChangedFile>, ObserveError> {
        Ok(self.changed_files.clone())
    }

    fn read_file(&self, path: &str) -> Result<Option<Vec<u8>>, ObserveError> {
        Ok(self.files.get(path).cloned())
    }

    fn diff(&self, path: &str) -> Result<Option<String>, ObserveError> {
        Ok(self.diffs.get(path).cloned())
    }

    fn release_health(&self, _watch_since: u64) -> Result<release_health::Report, ObserveError> {
        next_of(&self.release_health)
    }

    fn evidence(&self, _watch_since: u64) -> Result<release_health::Evidence, ObserveError> {
        next_of(&self.evidence)
    }

    fn environment(&self, _id: &str) -> Result<Option<environments::Report>, ObserveError> {
        next_of(&self.environments)
    }

    fn attempts(&self) -> Vec<history::Attempt> {
        self.attempts.clone()
    }

    fn log(&self, level: LogLevel, message: &str) {
        self.logged.borrow_mut().push(format!("{level:?}: {message}"));
    }
}

/// A report of checks at `head`.
#[must_use]
pub fn checks_at(head: Option<&str>, checks: Vec<checks::Check>) -> checks::Report {
    checks::Report { head_commit: head.map(str::to_owned), checks }
}

/// One check as `name=word`: a conclusion of a completed check, or `running`, or `none` for a completed check
/// without a conclusion.
///
/// # Panics
/// If there is no `=`.
#[must_use]
pub fn check(text: &str) -> checks::Check {
    let (name, word) = text.split_once('=').expect("a check is written `name=word`");
    let (status, conclusion) = match word {
        "running" => ("in_progress", None),
        "none" => ("completed", None),
        word => ("completed", Some(word.to_owned())),
    };
    checks::Check { name: name.to_owned(), status: status.to_owned(), conclusion, url: None, summary: None }
}
