use crate::{Script, lock};
use async_trait::async_trait;
use lockstep_ports::{
    ChangeSource, ChangeSourceError, CheckOrder, Checks, Mergeability, ObservationOrder, Observations,
    Workspace,
};
use lockstep_types::{
    Change, ChangedFile, CheckReport, EnvironmentReport, Evidence, HealthReport, MergeReport, ObserveFailure,
    RunId, Timestamp,
};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Checks that read as scripted. Without a script: not configured.
#[derive(Debug, Default)]
pub struct FakeChecks(Mutex<CheckState>);

#[derive(Debug, Default)]
struct CheckState {
    script: Script<Result<CheckReport, ObserveFailure>>,
    reads: Vec<RunId>,
    forgotten: Vec<RunId>,
}

impl FakeChecks {
    /// Reads of all runs give these in turn; the last repeats.
    pub fn new(reports: impl IntoIterator<Item = Result<CheckReport, ObserveFailure>>) -> Self {
        Self(Mutex::new(CheckState { script: Script::new(reports), ..CheckState::default() }))
    }

    /// The run of every read, in order.
    #[must_use]
    pub fn reads(&self) -> Vec<RunId> {
        lock(&self.0).reads.clone()
    }

    /// The runs whose checks were ended, in order.
    #[must_use]
    pub fn forgotten(&self) -> Vec<RunId> {
        lock(&self.0).forgotten.clone()
    }
}

#[async_trait]
impl Checks for FakeChecks {
    async fn read(&self, order: CheckOrder<'_>) -> Result<CheckReport, ObserveFailure> {
        let mut state = lock(&self.0);
        state.reads.push(order.run.clone());
        state.script.next_answer().unwrap_or(Err(ObserveFailure::NotConfigured))
    }

    async fn forget(&self, run: &RunId) {
        lock(&self.0).forgotten.push(run.clone());
    }
}

/// Mergeability that reads as scripted. Without a script: not configured.
#[derive(Debug, Default)]
pub struct FakeMergeability(Mutex<Script<Result<MergeReport, ObserveFailure>>>);

impl FakeMergeability {
    /// Reads give these in turn; the last repeats.
    pub fn new(reports: impl IntoIterator<Item = Result<MergeReport, ObserveFailure>>) -> Self {
        Self(Mutex::new(Script::new(reports)))
    }
}

#[async_trait]
impl Mergeability for FakeMergeability {
    async fn read(&self, _change: &Change) -> Result<MergeReport, ObserveFailure> {
        lock(&self.0).next_answer().unwrap_or(Err(ObserveFailure::NotConfigured))
    }
}

/// The files of every change.
#[derive(Debug, Default)]
pub struct FakeWorkspace {
    /// What `changed_files` gives.
    pub changed: Vec<ChangedFile>,
    /// Contents by path.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Diffs by path.
    pub diffs: BTreeMap<String, String>,
}

#[async_trait]
impl Workspace for FakeWorkspace {
    async fn changed_files(&self, _change: &Change) -> Result<Vec<ChangedFile>, ObserveFailure> {
        Ok(self.changed.clone())
    }

    async fn read_file(&self, _change: &Change, path: &str) -> Result<Option<Vec<u8>>, ObserveFailure> {
        Ok(self.files.get(path).cloned())
    }

    async fn diff(&self, _change: &Change, path: &str) -> Result<Option<String>, ObserveFailure> {
        Ok(self.diffs.get(path).cloned())
    }
}

/// Releases and environments that read as scripted. Without a script: not configured.
#[derive(Debug, Default)]
pub struct FakeObservations(Mutex<ObservationScripts>);

#[derive(Debug, Default)]
struct ObservationScripts {
    health: Script<Result<HealthReport, ObserveFailure>>,
    evidence: Script<Result<Evidence, ObserveFailure>>,
    environments: Script<Result<Option<EnvironmentReport>, ObserveFailure>>,
}

impl FakeObservations {
    /// Looks at the release give these in turn; the last repeats.
    pub fn set_health(&self, reports: impl IntoIterator<Item = Result<HealthReport, ObserveFailure>>) {
        lock(&self.0).health = Script::new(reports);
    }

    /// Evidence is gathered as this.
    pub fn set_evidence(&self, evidence: impl IntoIterator<Item = Result<Evidence, ObserveFailure>>) {
        lock(&self.0).evidence = Script::new(evidence);
    }

    /// Looks at any environment give these in turn; the last repeats.
    pub fn set_environments(
        &self,
        reports: impl IntoIterator<Item = Result<Option<EnvironmentReport>, ObserveFailure>>,
    ) {
        lock(&self.0).environments = Script::new(reports);
    }
}

#[async_trait]
impl Observations for FakeObservations {
    async fn release_health(
        &self,
        _order: ObservationOrder<'_>,
        _watch_since: Timestamp,
    ) -> Result<HealthReport, ObserveFailure> {
        lock(&self.0).health.next_answer().unwrap_or(Err(ObserveFailure::NotConfigured))
    }

    async fn evidence(
        &self,
        _order: ObservationOrder<'_>,
        _watch_since: Timestamp,
    ) -> Result<Evidence, ObserveFailure> {
        lock(&self.0).evidence.next_answer().unwrap_or(Err(ObserveFailure::NotConfigured))
    }

    async fn environment(
        &self,
        _order: ObservationOrder<'_>,
        _id: &str,
    ) -> Result<Option<EnvironmentReport>, ObserveFailure> {
        lock(&self.0).environments.next_answer().unwrap_or(Err(ObserveFailure::NotConfigured))
    }
}

/// Finds every branch of every repository, at the same commit.
#[derive(Debug)]
pub struct FakeChangeSource {
    /// The head commit of every change.
    pub head_commit: String,
    /// The default branch of every repository.
    pub default_branch: String,
}

impl Default for FakeChangeSource {
    fn default() -> Self {
        Self { head_commit: "1".repeat(40), default_branch: "main".to_owned() }
    }
}

#[async_trait]
impl ChangeSource for FakeChangeSource {
    async fn resolve(
        &self,
        repository: &str,
        head: &str,
        base: Option<&str>,
    ) -> Result<Change, ChangeSourceError> {
        Ok(Change {
            repository: repository.to_owned(),
            base_branch: base.unwrap_or(&self.default_branch).to_owned(),
            head_branch: head.to_owned(),
            head_commit: Some(self.head_commit.clone()),
            pull_request: None,
        })
    }

    async fn subject(&self, change: &Change) -> Option<String> {
        Some(format!("subject of {}", change.head_branch))
    }
}
