use async_trait::async_trait;
use lockstep_ports::{LenientObserver, Observer};
use lockstep_types::{
    ChangedFile, Check, CheckReport, EnvironmentReport, Evidence, FileStatus, HealthReport, MergeReport,
    Observation, ObservationAnswer, ObservationRequest, ObserveFailure, PastAttempt, Verdict,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// What a case says a component sees when it asks, as it is written.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Written {
    checks: Option<Value>,
    mergeability: Option<Value>,
    changed_files: Option<Value>,
    files: Option<Value>,
    diffs: Option<Value>,
    attempts: Option<Value>,
    release_health: Option<Value>,
    evidence: Option<Value>,
    environment: Option<Value>,
}

/// Answers a component during one call of a case.
pub(super) enum World {
    /// As a case says: the same however often it is asked.
    Written(WrittenWorld),
    /// As recorded in a capsule.
    Recorded(LenientObserver),
}

pub(super) struct WrittenWorld {
    /// By the name of the request.
    answers: BTreeMap<&'static str, ObservationAnswer>,
    files: Option<Texts>,
    diffs: Option<Texts>,
    missing: Mutex<Vec<String>>,
}

impl World {
    pub(super) fn recorded(observations: Vec<Observation>) -> Self {
        Self::Recorded(LenientObserver::new(observations))
    }

    /// What was asked and is not answered, with what to do about it.
    pub(super) fn missing(&self) -> Vec<String> {
        match self {
            Self::Written(world) => world.missing.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            Self::Recorded(record) => {
                let asked = record.unrecorded().into_iter();
                asked.map(|asked| format!("it asked {asked}, which the capsule has no answer to")).collect()
            }
        }
    }
}

impl Written {
    /// The world that is described; `head` is the head commit of the change.
    pub(super) fn world(self, head: Option<&str>) -> Result<World, String> {
        let mut answers = BTreeMap::new();
        let mut add = |request: ObservationRequest, field, value: Option<Value>, read: Reader<'_>| {
            if let Some(value) = value {
                let answer = failure(&value).map_or_else(
                    || read(value).map_err(|error| format!("`observations.{field}` cannot be read: {error}")),
                    |failure| Ok(ObservationAnswer::Failed(failure)),
                )?;
                answers.insert(request.name(), answer);
            }
            Ok::<_, String>(())
        };
        use ObservationAnswer as Answer;
        use ObservationRequest as Request;
        let at = |head: Option<&str>| head.map(str::to_owned);
        add(Request::Checks, "checks", self.checks, &|value| checks(value, head).map(Answer::Checks))?;
        add(Request::Mergeability, "mergeability", self.mergeability, &|value| {
            mergeability(value, at(head)).map(Answer::Mergeability)
        })?;
        add(Request::ChangedFiles, "changed_files", self.changed_files, &|value| {
            changed_files(value).map(Answer::ChangedFiles)
        })?;
        add(Request::Attempts, "attempts", self.attempts, &|value| {
            from::<Vec<PastAttempt>>(value).map(Answer::Attempts)
        })?;
        let since = lockstep_types::Timestamp(0);
        add(
            Request::ReleaseHealth { watch_since: since },
            "release_health",
            self.release_health,
            &|value| from::<HealthReport>(value).map(Answer::ReleaseHealth),
        )?;
        add(Request::Evidence { watch_since: since }, "evidence", self.evidence, &|value| {
            from::<Evidence>(value).map(Answer::Evidence)
        })?;
        add(Request::Environment { id: String::new() }, "environment", self.environment, &|value| {
            let report = if value == "none" { None } else { Some(from::<EnvironmentReport>(value)?) };
            Ok(Answer::Environment(report))
        })?;
        let texts = |field: &str, value: Option<Value>| match value {
            None => Ok(None),
            Some(value) => match failure(&value) {
                Some(failure) => Ok(Some(Err(failure))),
                None => from(value)
                    .map(|texts| Some(Ok(texts)))
                    .map_err(|error| format!("`observations.{field}` cannot be read: {error}")),
            },
        };
        let (files, diffs) = (texts("files", self.files)?, texts("diffs", self.diffs)?);
        Ok(World::Written(WrittenWorld { answers, files, diffs, missing: Mutex::default() }))
    }
}

/// Texts by the path of a file.
type Texts = Result<BTreeMap<String, String>, ObserveFailure>;

type Reader<'a> = &'a dyn Fn(Value) -> Result<ObservationAnswer, String>;

fn from<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}

/// `"not-configured"` or `{ failed = "why" }`, which may stand in place of any answer.
fn failure(value: &Value) -> Option<ObserveFailure> {
    if value == "not-configured" {
        return Some(ObserveFailure::NotConfigured);
    }
    let why = value.as_object().filter(|fields| fields.len() == 1)?.get("failed")?.as_str()?;
    Some(ObserveFailure::Failed(why.to_owned()))
}

/// A report, or a list of `name=conclusion`.
fn checks(value: Value, head: Option<&str>) -> Result<CheckReport, String> {
    let (head_commit, list) = match value {
        Value::Array(list) => (head.map(str::to_owned), list),
        Value::Object(mut report) => {
            let list = report.remove("checks").unwrap_or_else(|| Value::Array(Vec::new()));
            let given = match report.remove("head_commit") {
                Some(commit) => from(commit)?,
                None => head.map(str::to_owned),
            };
            if let Some(other) = report.keys().next() {
                return Err(format!("unknown field `{other}`, expected `head_commit` or `checks`"));
            }
            (given, from(list)?)
        }
        _ => return Err("write a list such as [\"build=success\"]".to_owned()),
    };
    Ok(CheckReport {
        head_commit,
        checks: list.into_iter().map(check).collect::<Result<_, _>>()?,
        pull_request: None,
    })
}

fn check(value: Value) -> Result<Check, String> {
    let Value::String(text) = &value else {
        let mut fields: Map<String, Value> = from(value)?;
        let status = if fields.contains_key("conclusion") { "completed" } else { "in_progress" };
        fields.entry("status").or_insert_with(|| status.into());
        return from(Value::Object(fields));
    };
    let Some((name, word)) = text.split_once('=') else {
        return Err(format!(
            "check {text:?}: write NAME=CONCLUSION or NAME=STATUS, such as \"build=success\""
        ));
    };
    let is_status = ["queued", "in_progress", "running", "waiting", "requested", "pending"].contains(&word);
    let (status, conclusion) = match (is_status, word) {
        (_, "none") => ("completed", None),
        (true, status) => (status, None),
        (false, conclusion) => ("completed", Some(conclusion.to_owned())),
    };
    Ok(Check { name: name.to_owned(), status: status.to_owned(), conclusion, url: None, summary: None })
}

/// A report, or its verdict alone.
fn mergeability(value: Value, head: Option<String>) -> Result<MergeReport, String> {
    if value.is_string() {
        return Ok(MergeReport {
            head_commit: head,
            verdict: from::<Verdict>(value)?,
            ..MergeReport::default()
        });
    }
    let mut fields: Map<String, Value> = from(value)?;
    if let (false, Some(head)) = (fields.contains_key("head_commit"), head) {
        fields.insert("head_commit".to_owned(), head.into());
    }
    from(Value::Object(fields))
}

/// Files, or their paths alone.
fn changed_files(value: Value) -> Result<Vec<ChangedFile>, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        path: String,
        status: Option<FileStatus>,
        #[serde(default)]
        lines_added: u32,
        #[serde(default)]
        lines_removed: u32,
    }
    let read = |value: Value| {
        let file: File = match value {
            Value::String(path) => File { path, status: None, lines_added: 1, lines_removed: 0 },
            other => from(other)?,
        };
        let File { path, status, lines_added, lines_removed } = file;
        Ok(ChangedFile { path, status: status.unwrap_or(FileStatus::Modified), lines_added, lines_removed })
    };
    from::<Vec<Value>>(value)?.into_iter().map(read).collect()
}

#[async_trait]
impl Observer for World {
    async fn observe(&self, request: &ObservationRequest) -> ObservationAnswer {
        match self {
            Self::Written(world) => world.answer(request),
            Self::Recorded(record) => record.observe(request).await,
        }
    }
}

impl WrittenWorld {
    fn answer(&self, request: &ObservationRequest) -> ObservationAnswer {
        let answer = match request {
            ObservationRequest::ReadFile { path } => text_of(self.files.as_ref(), path, |text| {
                ObservationAnswer::ReadFile(text.map(String::into_bytes))
            }),
            ObservationRequest::Diff { path } => text_of(self.diffs.as_ref(), path, ObservationAnswer::Diff),
            other => self.answers.get(other.name()).cloned(),
        };
        answer.unwrap_or_else(|| {
            let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
            let (asked, field) = (request.name(), field(request));
            let what =
                format!("it asked {asked}, which the case does not answer: add `observations.{field}`");
            if !missing.contains(&what) {
                missing.push(what);
            }
            ObservationAnswer::Failed(ObserveFailure::Failed("the case does not say".to_owned()))
        })
    }
}

/// The answer about the file at `path`; none if the case says nothing of such texts.
fn text_of(
    texts: Option<&Texts>,
    path: &str,
    answer: impl Fn(Option<String>) -> ObservationAnswer,
) -> Option<ObservationAnswer> {
    Some(match texts? {
        Ok(texts) => answer(texts.get(path).cloned()),
        Err(failure) => ObservationAnswer::Failed(failure.clone()),
    })
}

fn field(request: &ObservationRequest) -> &'static str {
    match request {
        ObservationRequest::Checks => "checks",
        ObservationRequest::Mergeability => "mergeability",
        ObservationRequest::ChangedFiles => "changed_files",
        ObservationRequest::ReadFile { .. } => "files",
        ObservationRequest::Diff { .. } => "diffs",
        ObservationRequest::Attempts => "attempts",
        ObservationRequest::ReleaseHealth { .. } => "release_health",
        ObservationRequest::Evidence { .. } => "evidence",
        ObservationRequest::Environment { .. } => "environment",
    }
}
