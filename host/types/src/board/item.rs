use super::{ItemId, PipelineId, PresetId, WorkspaceId, clearable};
use crate::{Document, Environment, ItemLevel, ItemStatus, Notice, PullRequest, RunId, Timestamp};
use serde::{Deserialize, Serialize};

/// What a service is (SPEC BD-1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ServiceType {
    /// Pages for people.
    Frontend,
    /// A program that serves others.
    #[default]
    Service,
    /// An interface for programs.
    Api,
    /// A store of data.
    Database,
    /// A queue of messages.
    Queue,
    /// An adapter to another system.
    Integration,
    /// Something others run.
    External,
    /// A place where services run.
    Environment,
}

impl ServiceType {
    /// How it is called on the board.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Frontend => "Frontend",
            Self::Service => "Service",
            Self::Api => "API",
            Self::Database => "Database",
            Self::Queue => "Queue",
            Self::Integration => "Integration",
            Self::External => "External",
            Self::Environment => "Environment",
        }
    }
}

/// What a task is (SPEC BD-1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum TaskType {
    /// Something new.
    #[default]
    Feature,
    /// Something wrong.
    Bug,
    /// Something to be written down.
    Document,
    /// Something to be found out.
    Spike,
    /// The reusable task of a schedule; made by schedules only.
    Recurring,
}

impl TaskType {
    /// Its name in stored and shown data.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Feature => "feature",
            Self::Bug => "bug",
            Self::Document => "document",
            Self::Spike => "spike",
            Self::Recurring => "recurring",
        }
    }
}

/// Where a tester tries a change (SPEC section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum TestEnvironment {
    /// Containers on the machine of the job.
    Local,
    /// An environment that a provider makes for the task.
    Ephemeral,
}

/// What is known about testing a service, or one of its tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct TestSettings {
    /// Of a service: the compose file that starts what it needs.
    pub compose_path: Option<String>,
    /// Of a service: that it needs nothing to be started.
    pub no_infra_dependencies: bool,
    /// Of a service: where its tasks are tested. Of a task: where this one is (SPEC TI-3).
    pub environment: Option<TestEnvironment>,
}

/// A unit of work on the board: a service, a module of it, or a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Item {
    /// Its id.
    pub id: ItemId,
    /// The board it is on.
    pub workspace: WorkspaceId,
    /// 1 to 200 characters, a module's to 120 (SPEC BD-4).
    pub title: String,
    /// Service, module or task.
    pub level: ItemLevel,
    /// The service or module it is in.
    #[serde(default)]
    pub parent: Option<ItemId>,
    /// What the service is; a new item has that of its service.
    #[serde(default)]
    pub service_type: ServiceType,
    /// What the task is.
    #[serde(default)]
    pub task_type: TaskType,
    /// Where it stands.
    pub status: ItemStatus,
    /// What is to be done, or what the service or module is.
    #[serde(default)]
    pub description: String,
    /// Tasks that must be done before this one starts (SPEC EN-4).
    #[serde(default)]
    pub depends_on: Vec<ItemId>,
    /// Preset its runs use instead of the default one (SPEC MP-1).
    #[serde(default)]
    pub preset: Option<PresetId>,
    /// Pipeline its runs use unless told otherwise.
    #[serde(default)]
    pub pipeline: Option<PipelineId>,
    /// Title of the module it moves into when it is merged (SPEC BD-9).
    #[serde(default)]
    pub module_name: Option<String>,
    /// Whether its merge starts the tasks that waited for it (SPEC MR-13).
    #[serde(default)]
    pub auto_start_dependents: bool,
    /// Words to find it by.
    #[serde(default)]
    pub labels: Vec<String>,
    /// Whether lists leave it out.
    #[serde(default)]
    pub archived: bool,
    /// Who is asked about it.
    #[serde(default)]
    pub responsible: Option<String>,
    /// Its pull request.
    #[serde(default)]
    pub pull_request: Option<PullRequest>,
    /// Its run: the one under way, else the last one, unless that was cancelled.
    #[serde(default)]
    pub current_run: Option<RunId>,
    /// Path or address of its repository.
    #[serde(default)]
    pub repository: Option<String>,
    /// Folder of the service in a repository of several.
    #[serde(default)]
    pub directory: Option<String>,
    /// Branch that receives its changes.
    #[serde(default)]
    pub base_branch: Option<String>,
    /// Branch that carries the change.
    #[serde(default)]
    pub head_branch: Option<String>,
    /// How it is tested.
    #[serde(default)]
    pub tests: TestSettings,
    /// Named values that steps left on it beyond their runs.
    #[serde(default)]
    pub documents: Vec<Document>,
    /// Environments not torn down yet.
    #[serde(default)]
    pub environments: Vec<Environment>,
    /// Cards that belong to no run, numbered within the item.
    #[serde(default)]
    pub notices: Vec<Notice>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Item {
    /// The document of this name.
    #[must_use]
    pub fn document(&self, name: &str) -> Option<&Document> {
        self.documents.iter().find(|document| document.name == name)
    }
}

/// What a person sets on an item. The status is not among it: it follows the run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ItemPatch {
    /// See [`Item::title`].
    pub title: Option<String>,
    /// See [`Item::service_type`].
    pub service_type: Option<ServiceType>,
    /// Tasks only; never `recurring`.
    pub task_type: Option<TaskType>,
    /// See [`Item::description`].
    pub description: Option<String>,
    /// `null` for the workspace's default.
    #[serde(deserialize_with = "clearable", skip_serializing_if = "Option::is_none")]
    pub preset: Option<Option<PresetId>>,
    /// `null` for the one named at the start.
    #[serde(deserialize_with = "clearable", skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<Option<PipelineId>>,
    /// Tasks only.
    #[serde(deserialize_with = "clearable", skip_serializing_if = "Option::is_none")]
    pub module_name: Option<Option<String>>,
    /// Tasks only.
    pub auto_start_dependents: Option<bool>,
    /// All of them.
    pub labels: Option<Vec<String>>,
    /// See [`Item::archived`].
    pub archived: Option<bool>,
    /// See [`Item::responsible`].
    #[serde(deserialize_with = "clearable", skip_serializing_if = "Option::is_none")]
    pub responsible: Option<Option<String>>,
    /// See [`Item::repository`].
    #[serde(deserialize_with = "clearable", skip_serializing_if = "Option::is_none")]
    pub repository: Option<Option<String>>,
    /// Services only.
    #[serde(deserialize_with = "clearable", skip_serializing_if = "Option::is_none")]
    pub directory: Option<Option<String>>,
    /// See [`Item::base_branch`].
    #[serde(deserialize_with = "clearable", skip_serializing_if = "Option::is_none")]
    pub base_branch: Option<Option<String>>,
    /// See [`Item::head_branch`].
    #[serde(deserialize_with = "clearable", skip_serializing_if = "Option::is_none")]
    pub head_branch: Option<Option<String>>,
    /// All of them.
    pub tests: Option<TestSettings>,
}

#[cfg(test)]
mod tests {
    use super::ItemPatch;

    #[test]
    fn a_patch_keeps_and_clears_what_it_did_before_it_was_sent() {
        let patch = ItemPatch { preset: Some(None), labels: Some(Vec::new()), ..ItemPatch::default() };
        let text = serde_json::to_string(&patch).unwrap();
        assert_eq!(serde_json::from_str::<ItemPatch>(&text).unwrap(), patch, "{text}");
    }
}
