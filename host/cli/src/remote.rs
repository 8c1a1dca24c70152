//! The services behind a server, as their HTTP client.

mod access;
mod backtest;
mod board;
mod components;
mod deliveries;

use async_trait::async_trait;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode, header};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use lockstep_ports::{
    FeedItem, InvocationView, ReplayReport, RunAction, RunPage, RunQuery, RunService, ServiceError,
    StartRequest, VerifyReport,
};
use lockstep_types::{RunId, RunSummary, RunView, TimelineEntry};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::time::Duration;

/// Largest answer that is read: the invocations of a long run, with everything they saw.
const ANSWER_MAX: usize = 256 * 1024 * 1024;

/// Rows asked for at a time: as many as the server gives.
const PAGE: usize = 500;

/// How long the server may take to answer. A long poll takes 15 seconds.
const ANSWER_TIME: Duration = Duration::from_secs(60);

/// The same for what re-executes a run, compiles a component, or waits for a reviewer or a merge.
const WORK_TIME: Duration = Duration::from_secs(30 * 60);

/// How long a server may take to say that it is there.
const ALIVE_TIME: Duration = Duration::from_secs(2);

/// Below the time after which the server closes a connection that lies idle.
const IDLE_TIME: Duration = Duration::from_secs(10);

/// How long to wait before asking again when a long poll failed.
const FAILED_POLL_PAUSE: Duration = Duration::from_millis(250);

/// A server's service.
pub(crate) struct RemoteService {
    client: Client<HttpConnector, Full<Bytes>>,
    url: String,
    authorization: header::HeaderValue,
}

type Answer<T> = Result<T, ServiceError>;

impl RemoteService {
    /// The service of the server at `url`.
    pub(crate) fn new(url: &str, token: &str) -> anyhow::Result<Self> {
        let mut builder = Client::builder(TokioExecutor::new());
        builder.timer(TokioTimer::new()).pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE_TIME);
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let mut authorization = header::HeaderValue::try_from(format!("Bearer {token}"))?;
        authorization.set_sensitive(true);
        let url = url.trim_end_matches('/').to_owned();
        Ok(Self { client: builder.build(connector), url, authorization })
    }

    /// Whether the server answers.
    pub(crate) async fn is_alive(&self) -> bool {
        self.send(Method::GET, "/healthz", None, ALIVE_TIME).await.is_ok()
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Answer<T> {
        self.read(self.send(Method::GET, path, None, ANSWER_TIME).await?)
    }

    /// A list whole, page by page.
    async fn list_of<T: DeserializeOwned>(&self, path: &str) -> Answer<Vec<T>> {
        let mark = if path.contains('?') { '&' } else { '?' };
        let mut page: Page<T> = self.get(&format!("{path}{mark}limit={PAGE}")).await?;
        let mut rows = page.rows;
        while let Some(next) = page.next {
            page = self.get(&format!("{path}{mark}limit={PAGE}&after={}", encoded(&next))).await?;
            // Whatever the server says of it: nothing comes after an empty page.
            page.next = page.next.filter(|_| !page.rows.is_empty());
            rows.append(&mut page.rows);
        }
        Ok(rows)
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        time: Duration,
    ) -> Answer<T> {
        let body = serde_json::to_vec(body).map_err(|error| ServiceError::Internal(error.to_string()))?;
        self.read(self.send(Method::POST, path, Some(("application/json", body)), time).await?)
    }

    fn read<T: DeserializeOwned>(&self, bytes: Bytes) -> Answer<T> {
        serde_json::from_slice(&bytes).map_err(|error| {
            let url = &self.url;
            ServiceError::Internal(format!(
                "the server at {url} answered what this lockstep does not understand ({error}): \
                 use the same version for both"
            ))
        })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<(&'static str, Vec<u8>)>,
        time: Duration,
    ) -> Answer<Bytes> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        request = request.header(header::AUTHORIZATION, &self.authorization);
        let body = body.map(|(media, bytes)| {
            request = std::mem::take(&mut request).header(header::CONTENT_TYPE, media);
            bytes
        });
        let request = request.body(Full::from(body.unwrap_or_default()));
        let request = request.map_err(|error| ServiceError::Internal(error.to_string()))?;
        let unavailable = |why: &dyn std::fmt::Display| {
            ServiceError::Unavailable(format!("the server at {} does not answer: {why}", self.url))
        };
        let conversation = async {
            let response =
                self.client.request(request).await.map_err(|error| unavailable(&deepest(&error)))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), ANSWER_MAX).collect().await;
            Ok::<_, ServiceError>((status, body.map_err(|error| unavailable(&error))?.to_bytes()))
        };
        let answered = tokio::time::timeout(time, conversation).await;
        let (status, body) =
            answered.map_err(|_| unavailable(&format!("it took longer than {} s", time.as_secs())))??;
        if status.is_success() { Ok(body) } else { Err(problem(status, &body)) }
    }
}

/// The cause at the end of the chain, which is the one that says something: `connection refused`.
fn deepest(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// The service's error behind a problem document.
fn problem(status: StatusCode, body: &[u8]) -> ServiceError {
    #[derive(Default, Deserialize)]
    struct Problem {
        detail: Option<String>,
    }
    let problem: Problem = serde_json::from_slice(body).unwrap_or_default();
    let detail = problem.detail.unwrap_or_else(|| format!("the server answered {status}"));
    match status.as_u16() {
        403 => ServiceError::Forbidden(detail),
        404 => ServiceError::NotFound(detail),
        409 => ServiceError::Conflict(detail),
        429 | 503 => ServiceError::Unavailable(detail),
        400..=499 => ServiceError::Invalid(detail),
        _ => ServiceError::Internal(detail),
    }
}

/// `text` as one segment of a path, or one value of a query.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

fn list_path(query: &RunQuery) -> String {
    let mut path = format!("/v1/runs?limit={}", query.limit.unwrap_or(50));
    if let Some(status) = query.status {
        path.push_str(&format!("&status={}", status.word()));
    }
    let before = query.before.as_ref().map(ToString::to_string);
    let given = [
        ("before", &before),
        ("waits", &query.waits),
        ("item", &query.item),
        ("pipeline", &query.pipeline),
        ("text", &query.text),
    ];
    for (name, value) in given {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", encoded(value)));
        }
    }
    path
}

/// The route of an action and its body.
fn action_body(action: RunAction, by: &str) -> Answer<(&'static str, Value)> {
    let (route, mut body) = match action {
        RunAction::Stop { reason } => ("stop", json!({ "reason": reason })),
        RunAction::Retry => ("retry", json!({})),
        RunAction::Restart { step, digest } => ("restart", json!({ "step": step, "digest": digest })),
        RunAction::Repin { pins, reason } => ("repin", json!({ "pins": pins, "reason": reason })),
        RunAction::Pause => ("pause", json!({})),
        RunAction::TearDown => ("teardown", json!({})),
        RunAction::Act { step, action, input } => {
            ("actions", json!({ "step": step, "action": action, "input": input.value() }))
        }
        RunAction::Resume => ("resume", json!({})),
        RunAction::Answer { question, answer, token } => {
            let mut body =
                serde_json::to_value(answer).map_err(|error| ServiceError::Internal(error.to_string()))?;
            if let Some(question) = question {
                body["question"] = json!(question);
            }
            if let Some(token) = token {
                body["token"] = json!(token);
            }
            ("answers", body)
        }
    };
    body["by"] = json!(by);
    Ok((route, body))
}

#[derive(Deserialize)]
struct Timeline {
    entries: Vec<TimelineEntry>,
    next: Option<u64>,
}

#[derive(Deserialize)]
struct FeedPage {
    items: Vec<FeedItem>,
    end: u64,
}

/// A page of a list of any kind.
#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct Page<T> {
    #[serde(
        alias = "workspaces",
        alias = "items",
        alias = "presets",
        alias = "pipelines",
        alias = "schedules",
        alias = "runs",
        alias = "notices",
        alias = "components",
        alias = "activations",
        alias = "invocations"
    )]
    rows: Vec<T>,
    next: Option<String>,
}

#[async_trait]
impl RunService for RemoteService {
    async fn start(&self, request: StartRequest) -> Answer<RunSummary> {
        self.post("/v1/runs", &request, ANSWER_TIME).await
    }

    async fn check_pipeline(&self, text: &str, file: &str) -> Answer<()> {
        let body = json!({ "pipeline": text, "pipeline_file": file });
        self.post::<Value>("/v1/pipelines/check", &body, ANSWER_TIME).await.map(drop)
    }

    async fn list(&self, query: RunQuery) -> Answer<RunPage> {
        self.get(&list_path(&query)).await
    }

    async fn get(&self, run: &RunId) -> Answer<RunView> {
        self.get(&format!("/v1/runs/{run}")).await
    }

    async fn act(&self, run: &RunId, action: RunAction, by: &str) -> Answer<RunSummary> {
        let (route, body) = action_body(action, by)?;
        self.post(&format!("/v1/runs/{run}/{route}"), &body, ANSWER_TIME).await
    }

    async fn timeline(&self, run: &RunId, after: u64) -> Answer<Vec<TimelineEntry>> {
        let (mut entries, mut after) = (Vec::new(), Some(after));
        while let Some(from) = after {
            let page = self.get::<Timeline>(&format!("/v1/runs/{run}/timeline?after={from}")).await?;
            entries.extend(page.entries);
            after = page.next.filter(|next| *next > from);
        }
        Ok(entries)
    }

    async fn feed(&self, after: u64, limit: usize) -> Answer<Vec<FeedItem>> {
        Ok(self.get::<FeedPage>(&format!("/v1/feed?after={after}&limit={limit}")).await?.items)
    }

    async fn feed_end(&self) -> u64 {
        // A server that is gone is noticed by the calls that can say so.
        self.get::<FeedPage>("/v1/feed?limit=0").await.map_or(0, |page| page.end)
    }

    async fn feed_beyond(&self, after: u64) {
        let path = format!("/v1/feed?after={after}&limit=0&wait=true");
        if self.get::<FeedPage>(&path).await.is_err() {
            tokio::time::sleep(FAILED_POLL_PAUSE).await;
        }
    }

    async fn invocations(&self, run: &RunId, step: Option<&str>) -> Answer<Vec<InvocationView>> {
        let query = step.map(|step| format!("?step={}", encoded(step))).unwrap_or_default();
        self.list_of(&format!("/v1/runs/{run}/invocations{query}")).await
    }

    async fn job_log(&self, run: &RunId, step: &str) -> Answer<String> {
        let path = format!("/v1/runs/{run}/steps/{}/log", encoded(step));
        let bytes = self.send(Method::GET, &path, None, ANSWER_TIME).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    async fn replay(&self, run: &RunId) -> Answer<ReplayReport> {
        self.post(&format!("/v1/runs/{run}/replay"), &json!({}), WORK_TIME).await
    }

    async fn verify(&self, run: &RunId) -> Answer<VerifyReport> {
        self.post(&format!("/v1/runs/{run}/verify"), &json!({}), WORK_TIME).await
    }
}
