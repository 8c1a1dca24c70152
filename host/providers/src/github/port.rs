use super::answers::{IssueComment, Label, Pull};
use super::client::{Beyond, segment};
use super::obstacles::verdict;
use super::trouble::Trouble;
use super::{GitHub, Link};
use async_trait::async_trait;
use lockstep_ports::{Forge, ForgePullRequest, ForgeReview};
use lockstep_types::{Digest, ObserveFailure, Timestamp};
use reqwest::Method;
use serde::Serialize;
use std::collections::BTreeSet;

/// Pages of open pull requests that are read, those that changed last first.
const PULL_PAGES_MAX: usize = 10;
/// Pages of comments; GitHub takes no more than 2,500 of them.
const COMMENT_PAGES_MAX: usize = 30;
/// Pages of labels; GitHub takes no more than a hundred.
const LABEL_PAGES_MAX: usize = 2;
/// Longest comment that is sent; GitHub takes 65,536 letters.
const COMMENT_MAX: usize = 60_000;

#[async_trait]
impl Forge for GitHub {
    fn repositories(&self) -> Vec<String> {
        self.inner.links.iter().map(|link| link.path.clone()).collect()
    }

    fn clone_of(&self, full_name: &str) -> Option<String> {
        let is_it = |link: &&Link| link.full_name().eq_ignore_ascii_case(full_name);
        self.inner.links.iter().find(is_it).map(|link| link.path.clone())
    }

    async fn pull_request(
        &self,
        repository: &str,
        number: u64,
    ) -> Result<Option<ForgePullRequest>, ObserveFailure> {
        let link = self.linked(repository).await?;
        let pull = self.inner.pull(link, number).await?;
        Ok(pull.map(|pull| told(link, pull)))
    }

    async fn open_pull_requests(&self, repository: &str) -> Result<Vec<ForgePullRequest>, ObserveFailure> {
        let link = self.linked(repository).await?;
        let query = [("state", "open"), ("sort", "updated"), ("direction", "desc")];
        let pages = (PULL_PAGES_MAX, Beyond::LeftOut);
        let client = &self.inner.client;
        let pulls = client.list(&link.api("pulls"), &query, pages, |page: Vec<Pull>| page).await?;
        Ok(pulls.into_iter().map(|pull| told(link, pull)).collect())
    }

    async fn reviews(&self, repository: &str, number: u64) -> Result<Vec<ForgeReview>, ObserveFailure> {
        let link = self.linked(repository).await?;
        let reviews = self.inner.review_list(link, number).await?;
        let told = reviews.into_iter().filter_map(|review| {
            Some(ForgeReview {
                id: review.id,
                author_may_write: matches!(
                    review.author_association.as_str(),
                    "OWNER" | "MEMBER" | "COLLABORATOR"
                ),
                author: review.user.map_or_else(|| "ghost".to_owned(), |user| user.login),
                // One that is being written is nobody's word yet.
                verdict: verdict(&review.state)?,
                body: review.body.unwrap_or_default(),
                commit: review.commit_id.unwrap_or_default(),
                at: moment(review.submitted_at.as_deref()),
            })
        });
        Ok(told.collect())
    }

    async fn comment(
        &self,
        repository: &str,
        number: u64,
        key: &str,
        text: &str,
    ) -> Result<(), ObserveFailure> {
        #[derive(Serialize)]
        struct Comment {
            body: String,
        }
        let link = self.linked(repository).await?;
        let mark = format!("<!-- lockstep {} -->", Digest::of(key.as_bytes()));
        let path = link.api(&format!("issues/{number}/comments"));
        let _alone = self.inner.commenting.lock().await;
        let client = &self.inner.client;
        let all = (COMMENT_PAGES_MAX, Beyond::Refused);
        let comments = client.list(&path, &[], all, |page: Vec<IssueComment>| page).await?;
        if comments.iter().any(|comment| comment.body.as_deref().is_some_and(|body| body.contains(&mark))) {
            return Ok(());
        }
        let text: String = text.chars().take(COMMENT_MAX).collect();
        let comment = Comment { body: format!("{text}\n\n{mark}") };
        let answer = client.change(Method::POST, &path, Some(&comment)).await?;
        answer.ok().map(drop).map_err(|error| Trouble::from(error).into())
    }

    async fn label(
        &self,
        repository: &str,
        number: u64,
        add: &[String],
        remove: &[String],
    ) -> Result<(), ObserveFailure> {
        #[derive(Serialize)]
        struct Labels<'a> {
            labels: Vec<&'a str>,
        }
        let link = self.linked(repository).await?;
        let path = link.api(&format!("issues/{number}/labels"));
        let client = &self.inner.client;
        let all = (LABEL_PAGES_MAX, Beyond::Refused);
        let there = client.list(&path, &[], all, |page: Vec<Label>| page).await?;
        // GitHub takes a label for the same whatever the case of its letters.
        let there: BTreeSet<String> = there.iter().map(|label| label.name.to_lowercase()).collect();
        let has = |label: &&String| there.contains(&label.to_lowercase());
        let labels: Vec<&str> = add.iter().filter(|label| !has(label)).map(String::as_str).collect();
        if !labels.is_empty() {
            let answer = client.change(Method::POST, &path, Some(&Labels { labels })).await?;
            answer.ok().map_err(Trouble::from)?;
        }
        for label in remove.iter().filter(has) {
            let path = format!("{path}/{}", segment(label));
            let answer = client.change(Method::DELETE, &path, None::<&()>).await?;
            // Somebody else was first.
            if answer.status != 404 {
                answer.ok().map_err(Trouble::from)?;
            }
        }
        Ok(())
    }

    async fn fetch(&self, repository: &str, branch: &str) -> Result<Option<String>, ObserveFailure> {
        let link = self.linked(repository).await?;
        Ok(self.inner.follow(link, branch).await?)
    }
}

impl GitHub {
    async fn linked(&self, repository: &str) -> Result<&Link, ObserveFailure> {
        let none =
            || ObserveFailure::Failed(format!("config.toml does not say what {repository} is on GitHub"));
        self.inner.link_of(repository).await.ok_or_else(none)
    }
}

fn told(link: &Link, pull: Pull) -> ForgePullRequest {
    let mut labels: Vec<String> = pull.labels.iter().map(|label| label.name.clone()).collect();
    labels.sort();
    ForgePullRequest {
        number: pull.number,
        is_open: pull.is_open(),
        is_merged: pull.is_merged(),
        head_branch: pull.is_of(link).then(|| pull.head.branch.clone()),
        url: pull.html_url,
        title: pull.title,
        body: pull.body.unwrap_or_default(),
        author: pull.user.map_or_else(|| "ghost".to_owned(), |user| user.login),
        head_commit: pull.head.sha,
        base_branch: pull.base.branch,
        labels,
        updated_at: moment(Some(&pull.updated_at)),
    }
}

/// A time as GitHub writes it; one that is none is the beginning of all time.
fn moment(text: Option<&str>) -> Timestamp {
    let parsed = text.and_then(|text| text.parse::<jiff::Timestamp>().ok());
    Timestamp(parsed.and_then(|time| u64::try_from(time.as_millisecond()).ok()).unwrap_or_default())
}
