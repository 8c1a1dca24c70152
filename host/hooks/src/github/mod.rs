//! Reads what GitHub delivers (docs.github.com, "Webhook events and payloads").
//!
//! Unknown fields and events never fail; only what is read of a payload has to be as documented.

mod payload;

use crate::event::{ForgeEvent, Happened, Reading, SeenPullRequest};
use lockstep_ports::ReviewVerdict;
use payload::{
    CheckRun, Checked, Commented, Dequeued, Envelope, MergeGroup, OnPullRequest, PullRequest, Pushed,
    Reviewed, Status, Suite,
};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Largest payload: GitHub sends none larger than 25 MB.
pub const PAYLOAD_BYTES_MAX: usize = 25 * 1024 * 1024;

/// Characters kept of a text people wrote: what an answer to a question may have, and far more than a remark needs.
const TEXT_CHARS_MAX: usize = 10_000;
/// Characters kept of a title.
const TITLE_CHARS_MAX: usize = 200;
/// Labels and pull requests looked at in one payload: GitHub allows 100 labels.
const LIST_MAX: usize = 100;

/// The prefix of a branch in the name of a reference.
const BRANCHES: &str = "refs/heads/";

/// A payload that is not what GitHub documents. Display is one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(pub String);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Events that concern no change here, with what they are about.
const OF_NO_CONCERN: &[(&str, &str)] = &[
    ("branch_protection_rule", "the forge enforces its own rules"),
    ("branch_protection_configuration", "the forge enforces its own rules"),
    ("cache_sync", "settings of the forge"),
    ("code_scanning_alert", "alerts start nothing"),
    ("commit_comment", "only comments under pull requests are commands"),
    ("content_reference", "links in texts carry no change"),
    ("create", "a push tells of the same"),
    ("custom_property", "settings of the forge"),
    ("custom_property_values", "settings of the forge"),
    ("delete", "a push tells of the same"),
    ("dependabot_alert", "alerts start nothing"),
    ("deploy_key", "settings of the forge"),
    ("deployment", "environments are provisioned by the host"),
    ("deployment_protection_rule", "environments are provisioned by the host"),
    ("deployment_review", "environments are provisioned by the host"),
    ("deployment_status", "environments are provisioned by the host"),
    ("discussion", "discussions carry no change"),
    ("discussion_comment", "discussions carry no change"),
    ("enterprise", "settings of the forge"),
    ("fork", "says nothing of a change"),
    ("github_app_authorization", "settings of the forge"),
    ("gollum", "pages of a wiki carry no change"),
    ("installation", "settings of the forge"),
    ("installation_repositories", "settings of the forge"),
    ("installation_target", "settings of the forge"),
    ("issues", "issues become tickets through the tracker"),
    ("label", "what counts is the label on a pull request"),
    ("marketplace_purchase", "says nothing of a change"),
    ("member", "settings of the forge"),
    ("membership", "settings of the forge"),
    ("meta", "settings of the forge"),
    ("milestone", "says nothing of a change"),
    ("org_block", "settings of the forge"),
    ("organization", "settings of the forge"),
    ("package", "says nothing of a change"),
    ("page_build", "says nothing of a change"),
    ("personal_access_token_request", "settings of the forge"),
    ("project", "boards of the forge are its own"),
    ("project_card", "boards of the forge are its own"),
    ("project_column", "boards of the forge are its own"),
    ("projects_v2", "boards of the forge are its own"),
    ("projects_v2_item", "boards of the forge are its own"),
    ("projects_v2_status_update", "boards of the forge are its own"),
    ("public", "settings of the forge"),
    ("pull_request_review_comment", "the review it belongs to tells of it"),
    ("pull_request_review_thread", "only the conclusion of a review counts"),
    ("registry_package", "says nothing of a change"),
    ("release", "releases are watched by their health"),
    ("repository", "settings of the forge"),
    ("repository_advisory", "alerts start nothing"),
    ("repository_dispatch", "meant for workflows of the forge"),
    ("repository_import", "settings of the forge"),
    ("repository_ruleset", "the forge enforces its own rules"),
    ("repository_vulnerability_alert", "alerts start nothing"),
    ("secret_scanning_alert", "alerts start nothing"),
    ("secret_scanning_alert_location", "alerts start nothing"),
    ("security_advisory", "alerts start nothing"),
    ("security_and_analysis", "settings of the forge"),
    ("sponsorship", "says nothing of a change"),
    ("star", "says nothing of a change"),
    ("sub_issues", "issues become tickets through the tracker"),
    ("team", "settings of the forge"),
    ("team_add", "settings of the forge"),
    ("user", "settings of the forge"),
    ("watch", "says nothing of a change"),
    ("workflow_dispatch", "meant for workflows of the forge"),
    ("workflow_job", "its check run tells of the same"),
    ("workflow_run", "its check suite tells of the same"),
];

/// Why an event is ignored that is not in the list.
pub const UNKNOWN: &str = "an event this version does not know";

/// Reads one delivery: the name of its event and its body.
///
/// # Errors
/// The body is no JSON, or a field that is read is not what GitHub documents.
pub fn read(event: &str, body: &[u8]) -> Result<Reading, Refused> {
    if body.len() > PAYLOAD_BYTES_MAX {
        return Err(Refused(format!("the payload has more than {PAYLOAD_BYTES_MAX} bytes")));
    }
    match event {
        "ping" => parse::<IgnoredAny>(event, body).map(|_| Reading::Ping),
        "pull_request" => pull_request(body),
        "pull_request_review" => review(body),
        "issue_comment" => comment(body),
        "check_run" => check_run(body),
        "check_suite" => check_suite(body),
        "status" => status(body),
        "push" => push(body),
        "merge_group" => merge_group(body),
        _ => {
            parse::<IgnoredAny>(event, body)?;
            let known = OF_NO_CONCERN.iter().find(|(name, _)| *name == event);
            Ok(ignored(known.map_or(UNKNOWN, |(_, why)| why)))
        }
    }
}

fn parse<'a, T: Deserialize<'a>>(event: &str, body: &'a [u8]) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|error| {
        let what = if error.is_data() { "is not what GitHub documents" } else { "is no JSON" };
        Refused(format!("the payload of {:?} {what}: {error}", bounded(event, TITLE_CHARS_MAX)))
    })
}

fn ignored(why: impl Into<String>) -> Reading {
    Reading::Ignored(why.into())
}

fn happened(event: &str, body: &[u8], happened: Happened) -> Result<Reading, Refused> {
    let envelope: Envelope = parse(event, body)?;
    let Some(repository) = envelope.repository else { return Ok(ignored("it names no repository")) };
    Ok(Reading::Event(ForgeEvent {
        repository: bounded(&repository.full_name, TITLE_CHARS_MAX),
        sender: envelope.sender.map(|sender| bounded(&sender.login, TITLE_CHARS_MAX)).unwrap_or_default(),
        happened,
    }))
}

fn pull_request(body: &[u8]) -> Result<Reading, Refused> {
    const EVENT: &str = "pull_request";
    let told: OnPullRequest = parse(EVENT, body)?;
    let action = told.action.as_str();
    let label = told.label;
    let labels: Vec<String> =
        told.pull_request.labels.iter().take(LIST_MAX).map(|label| label.name.clone()).collect();
    let merged = told.pull_request.merged == Some(true);
    let on = seen(told.pull_request);
    let what = match action {
        "labeled" => Happened::Labelled { on, labels: label.map(|label| label.name).into_iter().collect() },
        "opened" | "reopened" | "ready_for_review" if !labels.is_empty() => Happened::Labelled { on, labels },
        "opened" | "reopened" | "ready_for_review" => return Ok(ignored("it was opened without a label")),
        "synchronize" => Happened::Synchronised { on },
        "closed" => Happened::Closed { on, merged },
        "dequeued" => {
            let Dequeued { reason } = parse(EVENT, body)?;
            return dequeued(body, on, reason);
        }
        action => return Ok(ignored(format!("a pull request that is {action} changes nothing here"))),
    };
    happened(EVENT, body, what)
}

/// Leaving the queue is a rejection unless it was merged or somebody took it out.
fn dequeued(body: &[u8], on: SeenPullRequest, reason: Option<String>) -> Result<Reading, Refused> {
    let reason = bounded(&reason.unwrap_or_default(), TITLE_CHARS_MAX);
    let conflicts = match reason.as_str() {
        "MERGE" | "ALREADY_MERGED" | "QUEUE_CLEARED" | "MANUAL" | "ROLL_BACK" => {
            let why = format!("it left the merge queue as {reason}, which nobody has to repair");
            return Ok(ignored(why));
        }
        "MERGE_CONFLICT" | "GIT_TREE_INVALID" => true,
        _ => false,
    };
    let (number, head) = (on.number, Some(on.head_commit));
    happened("pull_request", body, Happened::QueueRejected { number, head, reason, conflicts })
}

fn merge_group(body: &[u8]) -> Result<Reading, Refused> {
    const EVENT: &str = "merge_group";
    let told: MergeGroup = parse(EVENT, body)?;
    let reason = told.reason.unwrap_or_default();
    match (told.action.as_str(), reason.as_str()) {
        ("destroyed", "invalidated") => {}
        ("destroyed", _) => return Ok(ignored("its pull request tells how it left the merge queue")),
        _ => return Ok(ignored("the merge queue only begins to look at it")),
    }
    let reference = told.merge_group.head_ref;
    let number = reference.rsplit('/').next().and_then(|last| last.strip_prefix("pr-"));
    let number = number.and_then(|rest| rest.split('-').next()).and_then(|digits| digits.parse().ok());
    let Some(number) = number else { return Ok(ignored("its name tells no pull request")) };
    // The head of the group is a commit of the queue, not of the pull request.
    let what = Happened::QueueRejected { number, head: None, reason, conflicts: false };
    happened(EVENT, body, what)
}

fn review(body: &[u8]) -> Result<Reading, Refused> {
    const EVENT: &str = "pull_request_review";
    let told: Reviewed = parse(EVENT, body)?;
    let verdict = match (told.action.as_str(), told.review.state.to_ascii_lowercase().as_str()) {
        ("submitted", "changes_requested") => ReviewVerdict::ChangesRequested,
        ("submitted", "approved") => ReviewVerdict::Approved,
        ("submitted", "commented") => ReviewVerdict::Commented,
        ("dismissed", _) => ReviewVerdict::Dismissed,
        (action, state) => {
            let (action, state) = (bounded(action, TITLE_CHARS_MAX), bounded(state, TITLE_CHARS_MAX));
            return Ok(ignored(format!("a review that is {action} as {state} concludes nothing new")));
        }
    };
    let review = told.review;
    let what = Happened::Reviewed {
        on: seen(told.pull_request),
        review: review.id,
        may_write: may_write(&review.author_association),
        author: review.user.map(|user| bounded(&user.login, TITLE_CHARS_MAX)).unwrap_or_default(),
        verdict,
        text: bounded(&review.body.unwrap_or_default(), TEXT_CHARS_MAX),
        commit: bounded(&review.commit_id.unwrap_or_default(), TITLE_CHARS_MAX),
    };
    happened(EVENT, body, what)
}

fn comment(body: &[u8]) -> Result<Reading, Refused> {
    const EVENT: &str = "issue_comment";
    let told: Commented = parse(EVENT, body)?;
    if told.action != "created" {
        return Ok(ignored("only a new comment is a command"));
    }
    if told.issue.pull_request.is_none() {
        return Ok(ignored("it is under an issue, which carries no change"));
    }
    if told.issue.state.as_deref() == Some("closed") {
        return Ok(ignored("its pull request is closed"));
    }
    let comment = told.comment;
    let what = Happened::Commented {
        number: told.issue.number,
        may_write: may_write(&comment.author_association),
        author: comment.user.map(|user| bounded(&user.login, TITLE_CHARS_MAX)).unwrap_or_default(),
        text: bounded(&comment.body, TEXT_CHARS_MAX),
    };
    happened(EVENT, body, what)
}

fn check_run(body: &[u8]) -> Result<Reading, Refused> {
    const EVENT: &str = "check_run";
    let told: Checked = parse(EVENT, body)?;
    let Some(CheckRun { name, head_sha, conclusion, pull_requests, check_suite }) = told.check_run else {
        return Err(Refused("the payload of \"check_run\" has no check run".to_owned()));
    };
    if told.action != "completed" {
        return Ok(ignored("the check run has not ended"));
    }
    let branch = check_suite.and_then(|suite| suite.head_branch);
    let suite = Suite { head_sha, head_branch: branch, conclusion, pull_requests };
    settled(EVENT, body, bounded(&name, TITLE_CHARS_MAX), suite)
}

fn check_suite(body: &[u8]) -> Result<Reading, Refused> {
    const EVENT: &str = "check_suite";
    let told: Checked = parse(EVENT, body)?;
    let Some(suite) = told.check_suite else {
        return Err(Refused("the payload of \"check_suite\" has no check suite".to_owned()));
    };
    if told.action != "completed" {
        return Ok(ignored("the check suite has not ended"));
    }
    settled(EVENT, body, "check suite".to_owned(), suite)
}

fn settled(event: &str, body: &[u8], name: String, suite: Suite) -> Result<Reading, Refused> {
    // What passes is what the CI gate lets pass (SPEC CI-2).
    let failed = !matches!(suite.conclusion.as_deref(), Some("success" | "neutral" | "skipped"));
    let numbers = suite.pull_requests.iter().take(LIST_MAX).map(|one| one.number).collect();
    let (head, branches) = (suite.head_sha, suite.head_branch.into_iter().collect());
    happened(event, body, Happened::CheckSettled { head, name, failed, numbers, branches })
}

fn status(body: &[u8]) -> Result<Reading, Refused> {
    const EVENT: &str = "status";
    let told: Status = parse(EVENT, body)?;
    let failed = match told.state.as_str() {
        "failure" | "error" => true,
        "success" => false,
        _ => return Ok(ignored("the status has not ended")),
    };
    let branches = told.branches.into_iter().take(LIST_MAX).map(|branch| branch.name).collect();
    let name = bounded(&told.context, TITLE_CHARS_MAX);
    let what = Happened::CheckSettled { head: told.sha, name, failed, numbers: Vec::new(), branches };
    happened(EVENT, body, what)
}

fn push(body: &[u8]) -> Result<Reading, Refused> {
    const EVENT: &str = "push";
    let told: Pushed = parse(EVENT, body)?;
    let Some(branch) = told.r#ref.strip_prefix(BRANCHES) else {
        return Ok(ignored("it is no branch that was pushed"));
    };
    let what = Happened::Pushed {
        branch: bounded(branch, TEXT_CHARS_MAX),
        head: (!told.deleted).then(|| bounded(&told.after, TITLE_CHARS_MAX)),
    };
    happened(EVENT, body, what)
}

fn seen(told: PullRequest) -> SeenPullRequest {
    let repository = |end: &payload::End| end.repo.as_ref().map(|repo| repo.full_name.to_ascii_lowercase());
    let is_here = repository(&told.head).is_some_and(|head| Some(head) == repository(&told.base));
    SeenPullRequest {
        number: told.number,
        url: bounded(&told.html_url, TEXT_CHARS_MAX),
        title: bounded(&told.title, TITLE_CHARS_MAX),
        body: bounded(&told.body.unwrap_or_default(), TEXT_CHARS_MAX),
        head_branch: is_here.then(|| bounded(&told.head.r#ref, TEXT_CHARS_MAX)),
        head_commit: bounded(&told.head.sha, TITLE_CHARS_MAX),
        base_branch: bounded(&told.base.r#ref, TEXT_CHARS_MAX),
        is_open: told.state.as_deref() != Some("closed"),
    }
}

/// Whether somebody of this association may write: others may say what they like, and it commands nothing.
fn may_write(association: &str) -> bool {
    matches!(association, "OWNER" | "MEMBER" | "COLLABORATOR")
}

fn bounded(text: &str, chars: usize) -> String {
    text.chars().take(chars).collect()
}
