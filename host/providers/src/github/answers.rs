//! The few fields of GitHub's answers that are read. Whatever else it says is passed over.

use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Account {
    pub(super) login: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Label {
    pub(super) name: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct RepositoryName {
    pub(super) full_name: String,
}

/// One end of a pull request.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct End {
    #[serde(rename = "ref")]
    pub(super) branch: String,
    pub(super) sha: String,
    /// None if it was deleted.
    pub(super) repo: Option<RepositoryName>,
}

/// A pull request, as a list or by itself; only the latter knows whether it can be merged.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Pull {
    pub(super) number: u64,
    pub(super) html_url: String,
    pub(super) title: String,
    pub(super) body: Option<String>,
    pub(super) state: String,
    #[serde(default)]
    pub(super) draft: bool,
    pub(super) user: Option<Account>,
    #[serde(default)]
    pub(super) labels: Vec<Label>,
    pub(super) head: End,
    pub(super) base: End,
    pub(super) updated_at: String,
    pub(super) merged_at: Option<String>,
    pub(super) merge_commit_sha: Option<String>,
    /// None while GitHub finds out.
    #[serde(default)]
    pub(super) mergeable: Option<bool>,
    #[serde(default)]
    pub(super) mergeable_state: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CheckRuns {
    pub(super) check_runs: Vec<CheckRun>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct CheckRun {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) status: String,
    pub(super) conclusion: Option<String>,
    pub(super) html_url: Option<String>,
    pub(super) details_url: Option<String>,
    pub(super) started_at: Option<String>,
    pub(super) output: CheckOutput,
    pub(super) app: Option<CheckApp>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct CheckOutput {
    pub(super) title: Option<String>,
    pub(super) summary: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct CheckApp {
    pub(super) id: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Combined {
    pub(super) statuses: Vec<Status>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Status {
    pub(super) context: String,
    pub(super) state: String,
    pub(super) description: Option<String>,
    pub(super) target_url: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct GitRef {
    pub(super) object: GitObject,
}

#[derive(Debug, Deserialize)]
pub(super) struct GitObject {
    pub(super) sha: String,
}

/// A branch with as much of its protection as whoever may read it is told.
#[derive(Debug, Deserialize)]
pub(super) struct Branch {
    #[serde(default)]
    pub(super) protection: Option<Protection>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Protection {
    #[serde(default)]
    pub(super) required_status_checks: Option<RequiredChecks>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct RequiredChecks {
    #[serde(default)]
    pub(super) contexts: Vec<String>,
}

/// A rule of a ruleset that holds for a branch.
#[derive(Debug, Deserialize)]
pub(super) struct Rule {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) parameters: Option<RuleParameters>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RuleParameters {
    pub(super) required_status_checks: Vec<RequiredCheck>,
    pub(super) required_approving_review_count: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct RequiredCheck {
    pub(super) context: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Merged {
    pub(super) sha: String,
    pub(super) merged: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Review {
    pub(super) id: u64,
    pub(super) user: Option<Account>,
    pub(super) state: String,
    #[serde(default)]
    pub(super) body: Option<String>,
    pub(super) commit_id: Option<String>,
    #[serde(default)]
    pub(super) author_association: String,
    #[serde(default)]
    pub(super) submitted_at: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct IssueComment {
    #[serde(default)]
    pub(super) body: Option<String>,
}

/// What GitHub says where it refuses.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Refusal {
    pub(super) message: String,
    pub(super) errors: Vec<serde_json::Value>,
}

impl Refusal {
    /// All that it says, as one line.
    pub(super) fn line(body: &[u8]) -> String {
        let refusal: Self = serde_json::from_slice(body).unwrap_or_default();
        let detail = refusal
            .errors
            .iter()
            .filter_map(|error| error.get("message").unwrap_or(error).as_str().map(str::to_owned));
        let said: Vec<String> = std::iter::once(refusal.message).chain(detail).collect();
        crate::text::as_line(&said.join(": "), "it gave no reason")
    }
}
