//! Tickets as issues of a GitHub repository.
//!
//! GitHub takes no key for what is created: it is put into the text, and looked for where it may be there already. Its
//! lists show at once what was created, which its search does not.

use super::{failed, mark, refused};
use crate::http::{Http, HttpRequest};
use async_trait::async_trait;
use lockstep_ports::{Ticket, TicketState, Tracker, TrackerError};
use lockstep_types::Timestamp;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

/// Pages of a hundred that are looked through for what may be there: a thousand issues since one was asked for.
const PAGES_MAX: usize = 10;

const PAGE: usize = 100;

/// How much earlier than asked for a thing may seem to be made, in milliseconds: clocks differ.
const SKEW_MS: u64 = 60 * 60 * 1000;

/// Times a ticket or comment is tried if nobody knows whether it was made; each time it is looked for first.
const TRIES_MAX: usize = 3;

/// Issues of one repository. Cheap to clone.
#[derive(Clone, Debug)]
pub struct GithubIssues {
    http: Http,
    /// `OWNER/NAME`.
    repository: String,
    labels: Vec<String>,
}

#[derive(Deserialize)]
struct Issue {
    number: u64,
    html_url: String,
    #[serde(default)]
    body: Option<String>,
}

#[derive(Deserialize)]
struct Comment {
    #[serde(default)]
    body: Option<String>,
}

impl GithubIssues {
    /// The issues of `OWNER/NAME`; those filed get `labels`. `http` has GitHub's address and a token.
    #[must_use]
    pub fn new(http: Http, repository: String, labels: Vec<String>) -> Self {
        Self { http, repository, labels }
    }

    fn request(&self, method: Method, path: &str) -> HttpRequest {
        let request = HttpRequest::new(method, format!("repos/{}{path}", self.repository));
        request.header("accept", "application/vnd.github+json").header("x-github-api-version", "2022-11-28")
    }

    /// Looks through a list for the first entry that `pick` takes.
    async fn find<T: for<'a> Deserialize<'a>, R>(
        &self,
        request: HttpRequest,
        since: Timestamp,
        pick: impl Fn(T) -> Option<R>,
    ) -> Result<Option<R>, TrackerError> {
        let since = Timestamp(since.0.saturating_sub(SKEW_MS)).to_string();
        for page in 1..=PAGES_MAX {
            let request = request.clone().query("since", &since).query("per_page", PAGE).query("page", page);
            let response = self.http.send(&request).await.and_then(|response| response.ok()?.json());
            let entries: Vec<T> = response.map_err(|error| failed(&error))?;
            let count = entries.len();
            if let Some(found) = entries.into_iter().find_map(&pick) {
                return Ok(Some(found));
            }
            if count < PAGE {
                break;
            }
        }
        Ok(None)
    }

    /// Creates under a key: looks for it first unless it is certainly new, and again whenever an answer was lost.
    async fn create<T: for<'a> Deserialize<'a>, R>(
        &self,
        list: HttpRequest,
        create: HttpRequest,
        since: Timestamp,
        is_first: bool,
        pick: impl Fn(T) -> Option<R>,
    ) -> Result<R, TrackerError> {
        let mut last = None;
        for tried in 0..TRIES_MAX {
            if (tried > 0 || !is_first)
                && let Some(found) = self.find(list.clone(), since, &pick).await?
            {
                return Ok(found);
            }
            let answer = self.http.send(&create).await.and_then(|response| response.ok()?.json::<T>());
            match answer {
                Ok(made) => {
                    return pick(made)
                        .ok_or_else(|| refused("github: what was created is not what was sent"));
                }
                Err(error) if error.is_temporary() => last = Some(failed(&error)),
                Err(error) => return Err(failed(&error)),
            }
        }
        Err(last.unwrap_or_else(|| refused("github was not asked")))
    }

    /// The number in `12`, `#12` or the address of an issue.
    fn number(id: &str) -> Result<u64, TrackerError> {
        let number = id.rsplit(['/', '#']).next().and_then(|number| number.parse().ok());
        number.ok_or_else(|| refused(format!("{id:?} is no issue of GitHub: give its number")))
    }
}

#[async_trait]
impl Tracker for GithubIssues {
    async fn file(
        &self,
        key: &str,
        title: &str,
        body: &str,
        asked_at: Timestamp,
        is_first: bool,
    ) -> Result<Ticket, TrackerError> {
        let mark = mark(key);
        let list = self.request(Method::GET, "/issues").query("state", "all");
        let body = format!("{body}\n\n{mark}");
        let create = self.request(Method::POST, "/issues");
        let create = create.json(&json!({ "title": title, "body": body, "labels": self.labels }));
        let pick = |issue: Issue| {
            issue
                .body
                .is_some_and(|body| body.contains(&mark))
                .then(|| Ticket { external_id: format!("#{}", issue.number), url: issue.html_url })
        };
        self.create(list, create, asked_at, is_first, pick).await
    }

    async fn comment(
        &self,
        id: &str,
        key: &str,
        text: &str,
        asked_at: Timestamp,
    ) -> Result<(), TrackerError> {
        let mark = mark(key);
        let path = format!("/issues/{}/comments", Self::number(id)?);
        let create = self.request(Method::POST, &path).json(&json!({ "body": format!("{text}\n\n{mark}") }));
        let pick = |comment: Comment| comment.body.is_some_and(|body| body.contains(&mark)).then_some(());
        self.create(self.request(Method::GET, &path), create, asked_at, false, pick).await
    }

    async fn set_state(&self, id: &str, state: TicketState) -> Result<(), TrackerError> {
        let body = match state {
            TicketState::Done => json!({ "state": "closed", "state_reason": "completed" }),
            TicketState::InProgress | TicketState::Open => json!({ "state": "open" }),
        };
        let path = format!("/issues/{}", Self::number(id)?);
        let request = self.request(Method::PATCH, &path).json(&body).repeatable();
        let answer = self.http.send(&request).await.and_then(|response| response.ok());
        answer.map(drop).map_err(|error| failed(&error))
    }

    async fn check(&self) -> Result<String, TrackerError> {
        let request = self.request(Method::GET, "");
        let response = self.http.send(&request).await.and_then(|response| response.ok());
        let response = response.map_err(|error| failed(&error))?;
        let left = response.header("x-ratelimit-remaining").map(|left| format!(", {left} requests left"));
        Ok(format!("issues of {} on GitHub{}", self.repository, left.unwrap_or_default()))
    }
}
