//! The pull request of a change: found, or opened.

use super::answers::{Pull, Refusal};
use super::client::Beyond;
use super::trouble::Trouble;
use super::{Inner, Link};
use crate::text::as_line;
use lockstep_types::{Change, PullRequest};
use reqwest::Method;
use serde::Serialize;

/// Longest title and text that are sent; GitHub takes 256 and 65,536 letters.
const TITLE_MAX: usize = 200;
const BODY_MAX: usize = 60_000;

/// What a pull request that has to be opened says.
#[derive(Clone, Copy, Debug)]
pub(super) struct About<'a> {
    pub(super) title: &'a str,
    pub(super) description: &'a str,
    pub(super) run: &'a str,
}

#[derive(Serialize)]
struct Opened<'a> {
    title: String,
    head: &'a str,
    base: &'a str,
    body: String,
}

impl Pull {
    pub(super) fn is_open(&self) -> bool {
        self.state == "open"
    }

    pub(super) fn is_merged(&self) -> bool {
        self.merged_at.is_some()
    }

    /// As a run tells of it.
    pub(super) fn told(&self) -> PullRequest {
        PullRequest {
            url: self.html_url.clone(),
            number: Some(self.number),
            branch: Some(self.head.branch.clone()),
        }
    }

    /// Whether its head branch is in the repository itself.
    pub(super) fn is_of(&self, link: &Link) -> bool {
        let full_name = link.full_name();
        self.head.repo.as_ref().is_some_and(|repo| repo.full_name.eq_ignore_ascii_case(&full_name))
    }
}

impl Inner {
    /// A pull request by its number.
    pub(super) async fn pull(&self, link: &Link, number: u64) -> Result<Option<Pull>, Trouble> {
        self.client.get(&link.api(&format!("pulls/{number}")), &[]).await
    }

    /// The open pull request of a change.
    pub(super) async fn open_pull(&self, link: &Link, change: &Change) -> Result<Option<Pull>, Trouble> {
        let pulls = self.pulls_from(link, &change.head_branch, "open").await?;
        Ok(pulls.into_iter().find(|pull| pull.base.branch == change.base_branch))
    }

    /// The pull request by which exactly this commit of the head branch was merged.
    pub(super) async fn merged_pull(
        &self,
        link: &Link,
        change: &Change,
        commit: &str,
    ) -> Result<Option<Pull>, Trouble> {
        let known = change.pull_request.as_ref().and_then(|request| request.number);
        if let Some(number) = known
            && let Some(pull) = self.pull(link, number).await?
            && is_merge_of(&pull, change, commit)
        {
            return Ok(Some(pull));
        }
        let pulls = self.pulls_from(link, &change.head_branch, "closed").await?;
        Ok(pulls.into_iter().find(|pull| is_merge_of(pull, change, commit)))
    }

    /// Whether this commit of a branch was merged by a pull request, so that the branch may be gone for good.
    pub(super) async fn was_merged(&self, link: &Link, branch: &str, commit: &str) -> Result<bool, Trouble> {
        let pulls = self.pulls_from(link, branch, "closed").await?;
        Ok(pulls.iter().any(|pull| pull.is_merged() && pull.head.sha == commit))
    }

    /// The pull requests from a branch of the repository itself, the newest first. More than a page of them is more than
    /// any branch has.
    async fn pulls_from(&self, link: &Link, branch: &str, state: &str) -> Result<Vec<Pull>, Trouble> {
        let head = format!("{}:{branch}", link.owner);
        let query = [("head", head.as_str()), ("state", state), ("sort", "created"), ("direction", "desc")];
        let pulls: Vec<Pull> =
            self.client.list(&link.api("pulls"), &query, (1, Beyond::LeftOut), |page| page).await?;
        Ok(pulls.into_iter().filter(|pull| pull.head.branch == branch && pull.is_of(link)).collect())
    }

    /// The open pull request of a change whose head branch is published, opened if there is none. None if there is nothing
    /// to merge.
    pub(super) async fn ensure_pull(
        &self,
        link: &Link,
        change: &Change,
        about: About<'_>,
    ) -> Result<Option<Pull>, Trouble> {
        if let Some(pull) = self.open_pull(link, change).await? {
            return Ok(Some(pull));
        }
        let opened = Opened {
            title: as_line(about.title, &change.head_branch).chars().take(TITLE_MAX).collect(),
            head: &change.head_branch,
            base: &change.base_branch,
            body: body(about),
        };
        let answer = self.client.change(Method::POST, &link.api("pulls"), Some(&opened)).await?;
        if answer.status == 422 {
            let said = Refusal::line(&answer.body);
            let said_low = said.to_lowercase();
            if said_low.contains("no commits between") {
                return Ok(None);
            }
            // Somebody else was first.
            if said_low.contains("already exists")
                && let Some(pull) = self.open_pull(link, change).await?
            {
                return Ok(Some(pull));
            }
            let (head, base) = (&change.head_branch, &change.base_branch);
            let text = format!("{} opens no pull request of {head} into {base}: {said}", link.full_name());
            return Err(Trouble::Lasting(text));
        }
        let pull: Pull = answer.ok()?.json()?;
        tracing::info!(url = %pull.html_url, "opened a pull request");
        Ok(Some(pull))
    }
}

fn is_merge_of(pull: &Pull, change: &Change, commit: &str) -> bool {
    pull.is_merged() && pull.head.sha == commit && pull.base.branch == change.base_branch
}

fn body(about: About<'_>) -> String {
    let text: String = about.description.trim().chars().take(BODY_MAX).collect();
    let from = format!("Opened by Lockstep, run `{}`.", as_line(about.run, "-"));
    if text.is_empty() { from } else { format!("{text}\n\n---\n{from}") }
}
