//! What is read of payloads, by GitHub's names.

use serde::Deserialize;
use serde::de::IgnoredAny;

#[derive(Deserialize)]
pub(super) struct Envelope {
    #[serde(default)]
    pub(super) repository: Option<Repository>,
    #[serde(default)]
    pub(super) sender: Option<User>,
}

#[derive(Deserialize)]
pub(super) struct Repository {
    pub(super) full_name: String,
}

#[derive(Deserialize)]
pub(super) struct User {
    pub(super) login: String,
}

#[derive(Deserialize)]
pub(super) struct OnPullRequest {
    pub(super) action: String,
    pub(super) pull_request: PullRequest,
    #[serde(default)]
    pub(super) label: Option<Label>,
}

#[derive(Deserialize)]
pub(super) struct Dequeued {
    #[serde(default)]
    pub(super) reason: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct PullRequest {
    pub(super) number: u64,
    pub(super) html_url: String,
    pub(super) title: String,
    #[serde(default)]
    pub(super) body: Option<String>,
    #[serde(default)]
    pub(super) state: Option<String>,
    #[serde(default)]
    pub(super) merged: Option<bool>,
    pub(super) head: End,
    pub(super) base: End,
    #[serde(default)]
    pub(super) labels: Vec<Label>,
}

#[derive(Deserialize)]
pub(super) struct End {
    pub(super) r#ref: String,
    pub(super) sha: String,
    /// None: the fork it came from is gone.
    #[serde(default)]
    pub(super) repo: Option<Repository>,
}

#[derive(Deserialize)]
pub(super) struct Label {
    pub(super) name: String,
}

#[derive(Deserialize)]
pub(super) struct Reviewed {
    pub(super) action: String,
    pub(super) review: Review,
    pub(super) pull_request: PullRequest,
}

#[derive(Deserialize)]
pub(super) struct Review {
    pub(super) id: u64,
    #[serde(default)]
    pub(super) user: Option<User>,
    #[serde(default)]
    pub(super) body: Option<String>,
    #[serde(default)]
    pub(super) commit_id: Option<String>,
    pub(super) state: String,
    #[serde(default)]
    pub(super) author_association: String,
}

#[derive(Deserialize)]
pub(super) struct Commented {
    pub(super) action: String,
    pub(super) issue: Issue,
    pub(super) comment: Comment,
}

#[derive(Deserialize)]
pub(super) struct Issue {
    pub(super) number: u64,
    #[serde(default)]
    pub(super) state: Option<String>,
    /// Set if it is a pull request.
    #[serde(default)]
    pub(super) pull_request: Option<IgnoredAny>,
}

#[derive(Deserialize)]
pub(super) struct Comment {
    #[serde(default)]
    pub(super) user: Option<User>,
    pub(super) body: String,
    #[serde(default)]
    pub(super) author_association: String,
}

#[derive(Deserialize)]
pub(super) struct Checked {
    pub(super) action: String,
    #[serde(default)]
    pub(super) check_run: Option<CheckRun>,
    #[serde(default)]
    pub(super) check_suite: Option<Suite>,
}

#[derive(Deserialize)]
pub(super) struct CheckRun {
    pub(super) name: String,
    pub(super) head_sha: String,
    #[serde(default)]
    pub(super) conclusion: Option<String>,
    #[serde(default)]
    pub(super) pull_requests: Vec<Numbered>,
    #[serde(default)]
    pub(super) check_suite: Option<OfSuite>,
}

#[derive(Deserialize)]
pub(super) struct OfSuite {
    #[serde(default)]
    pub(super) head_branch: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Suite {
    pub(super) head_sha: String,
    #[serde(default)]
    pub(super) head_branch: Option<String>,
    #[serde(default)]
    pub(super) conclusion: Option<String>,
    #[serde(default)]
    pub(super) pull_requests: Vec<Numbered>,
}

#[derive(Deserialize)]
pub(super) struct Numbered {
    pub(super) number: u64,
}

#[derive(Deserialize)]
pub(super) struct Status {
    pub(super) sha: String,
    #[serde(default)]
    pub(super) context: String,
    pub(super) state: String,
    #[serde(default)]
    pub(super) branches: Vec<Branch>,
}

#[derive(Deserialize)]
pub(super) struct Branch {
    pub(super) name: String,
}

#[derive(Deserialize)]
pub(super) struct Pushed {
    pub(super) r#ref: String,
    #[serde(default)]
    pub(super) after: String,
    #[serde(default)]
    pub(super) deleted: bool,
}

#[derive(Deserialize)]
pub(super) struct MergeGroup {
    pub(super) action: String,
    #[serde(default)]
    pub(super) reason: Option<String>,
    pub(super) merge_group: Group,
}

#[derive(Deserialize)]
pub(super) struct Group {
    pub(super) head_ref: String,
}
