//! Speaks to GitHub as its documentation asks for: few requests at once, changes one after another, nobody asks while a
//! limit holds, and what was answered before is asked for by its `ETag`.

use super::GitHubPace;
use super::cache::{Cache, Kept};
use super::credential::{GitHubCredential, Tokens};
use super::limit::{Limit, Said, clock_time};
use super::trouble::Trouble;
use crate::http::{Http, HttpError, HttpFault, HttpOptions, HttpRequest, HttpResponse, Retry};
use bytes::Bytes;
use lockstep_ports::{Meter, Secret};
use reqwest::{Method, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// What is wanted; the second is for those that know no media type of GitHub's.
pub(super) const ACCEPT: &str = "application/vnd.github+json, application/json;q=0.9";
/// The version of the interface that is spoken.
const API_VERSION: &str = "2022-11-28";

/// Requests at once: GitHub asks for few, and a run looks one after another.
const AT_ONCE: usize = 4;
/// Changes that wait for their turn, at one a second a few minutes' worth.
const CHANGES_WAITING_MAX: usize = 256;
/// Times a request is made.
const ATTEMPTS: u32 = 4;
/// Longest wait between two of them, if GitHub asks for none.
const BACK_OFF_MAX: Duration = Duration::from_secs(10);
/// Entries of a page: the most there can be.
pub(super) const PER_PAGE: &str = "100";

/// The client of one GitHub.
pub(super) struct Client {
    http: Http,
    base: Url,
    tokens: Tokens,
    pace: GitHubPace,
    limit: Mutex<Limit>,
    cache: Mutex<Cache>,
    places: Semaphore,
    /// When the last change was made; held while one is made.
    changes: tokio::sync::Mutex<Option<Instant>>,
    waiting: Semaphore,
}

/// What follows when there are more pages than are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beyond {
    /// The first ones do.
    LeftOut,
    /// All are needed.
    Refused,
}

impl Client {
    /// # Errors
    /// The address or the credential is none.
    pub(super) fn new(
        api: &str,
        credential: &GitHubCredential,
        pace: GitHubPace,
        meter: Arc<dyn Meter>,
    ) -> Result<Self, String> {
        let mut options = HttpOptions::new("github", api).header("x-github-api-version", API_VERSION);
        options.retry = Retry::NEVER;
        options.meter = meter;
        let http = Http::new(options).map_err(|error| error.to_string())?;
        let base = Url::parse(api).map_err(|error| format!("{api} is no address: {error}"))?;
        Ok(Self {
            http,
            base,
            tokens: Tokens::new(credential)?,
            pace,
            limit: Mutex::default(),
            cache: Mutex::default(),
            places: Semaphore::new(AT_ONCE),
            changes: tokio::sync::Mutex::default(),
            waiting: Semaphore::new(CHANGES_WAITING_MAX),
        })
    }

    /// The token for a push or fetch that is made now.
    pub(super) async fn token(&self) -> Result<Secret, Trouble> {
        self.tokens.token(&self.http).await
    }

    /// What is at a path; none if nothing is.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Option<T>, Trouble> {
        match self.read(path, query).await? {
            Some(page) => parsed(path, &page.body).map(Some),
            None => Ok(None),
        }
    }

    /// A list that comes in pages, at most `pages` of them. `entries` takes it out of a page.
    pub(super) async fn list<P: DeserializeOwned, T>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        (pages, beyond): (usize, Beyond),
        entries: impl Fn(P) -> Vec<T>,
    ) -> Result<Vec<T>, Trouble> {
        let mut found = Vec::new();
        let mut query: Vec<(&str, &str)> = query.to_vec();
        query.push(("per_page", PER_PAGE));
        let mut target = path.to_owned();
        for _ in 0..pages {
            let Some(page) = self.read(&target, &query).await? else {
                return Err(Trouble::Lasting(format!(
                    "github: {path} is not there: may the token of config.toml see it?"
                )));
            };
            found.extend(entries(parsed(path, &page.body)?));
            match page.link.as_deref().and_then(next_page) {
                None => return Ok(found),
                Some(next) => target = self.within(next)?,
            }
            // The address of a page has its own.
            query.clear();
        }
        match beyond {
            Beyond::LeftOut => Ok(found),
            Beyond::Refused => {
                let text =
                    format!("github: {path} has more than {} entries, the most that are read", found.len());
                Err(Trouble::Lasting(text))
            }
        }
    }

    /// Makes a change. Any answer that is no refusal for a limit and no failure of GitHub's is given.
    pub(super) async fn change(
        &self,
        method: Method,
        path: &str,
        body: Option<&(impl Serialize + Sync)>,
    ) -> Result<HttpResponse, Trouble> {
        let Ok(_waiting) = self.waiting.try_acquire() else {
            let text = format!("github: more than {CHANGES_WAITING_MAX} changes wait for their turn");
            return Err(Trouble::ForNow(text));
        };
        let mut last = self.changes.lock().await;
        if let Some(last) = *last {
            tokio::time::sleep_until(last + self.pace.between_changes).await;
        }
        let mut request = HttpRequest::new(method, path).header("accept", ACCEPT);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = self.ask(&request, Asking::Changes).await;
        *last = Some(Instant::now());
        let answer = answer?;
        if answer.status >= 500 { Err(answer.refused().into()) } else { Ok(answer) }
    }

    /// One answer, from what was kept if it is still the same; none if there is nothing.
    async fn read(&self, target: &str, query: &[(&str, &str)]) -> Result<Option<Kept>, Trouble> {
        let mut request = HttpRequest::get(target).header("accept", ACCEPT);
        for (name, value) in query {
            request = request.query(name, value);
        }
        let asked = format!("{target} {query:?}");
        let kept = lock(&self.cache).get(&asked);
        if let Some(kept) = &kept {
            request = request.header("if-none-match", &kept.etag);
        }
        let answer = self.ask(&request, Asking::Reads).await?;
        match (answer.status, kept) {
            (304, Some(kept)) => return Ok(Some(kept)),
            (404, _) => return Ok(None),
            _ => {}
        }
        let answer = answer.ok()?;
        let fresh = Kept {
            etag: answer.header("etag").unwrap_or_default().to_owned(),
            link: answer.header("link").map(str::to_owned),
            body: answer.body,
        };
        if !fresh.etag.is_empty() {
            lock(&self.cache).put(&asked, fresh.clone());
        }
        Ok(Some(fresh))
    }

    /// An answer that was not refused for a limit.
    async fn ask(&self, request: &HttpRequest, asking: Asking) -> Result<HttpResponse, Trouble> {
        let mut is_replaced = false;
        for attempt in 1.. {
            self.until_allowed(asking).await?;
            let token = self.token().await?;
            let request = request.clone().secret("authorization", &format!("Bearer {}", token.expose()));
            let outcome = {
                let _place = self.places.acquire().await;
                self.http.send(&request).await
            };
            let is_last = attempt >= ATTEMPTS;
            match outcome {
                Ok(answer) => {
                    let said = heard(&answer);
                    lock(&self.limit).heard(said, Instant::now());
                    let is_refused = answer.status == 401 && !is_replaced;
                    if said.is_limited {
                        // Waits for it, or says until when it holds; what is refused each time is told in the end.
                        if is_last {
                            return Err(Trouble::ForNow(answer.refused().to_string()));
                        }
                        continue;
                    }
                    if is_refused && self.tokens.is_replaced(&token).await {
                        is_replaced = true;
                        continue;
                    }
                    if answer.status < 500 || is_last || asking == Asking::Changes {
                        return Ok(answer);
                    }
                }
                Err(error) if is_last || !asking.may_repeat(&error) => return Err(error.into()),
                Err(_) => {}
            }
            tokio::time::sleep(self.back_off(attempt)).await;
        }
        unreachable!("a request is made a bounded number of times")
    }

    /// Waits while a limit holds, if that is not too long for this kind of request.
    async fn until_allowed(&self, asking: Asking) -> Result<(), Trouble> {
        let patience = match asking {
            Asking::Reads => self.pace.reading_patience,
            Asking::Changes => self.pace.changing_patience,
        };
        let wait = lock(&self.limit).wait(Instant::now());
        if wait > patience {
            let until = clock_time(SystemTime::now(), wait);
            return Err(Trouble::ForNow(format!("github: its rate limit is used up until {until}")));
        }
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// The wait after an attempt, the first being 1: doubled each time, and up to half of it left out by chance.
    fn back_off(&self, attempt: u32) -> Duration {
        let doubled = self.pace.first_wait.saturating_mul(1 << (attempt - 1).min(16)).min(BACK_OFF_MAX);
        let part = getrandom::u32().map_or(0.0, |random| f64::from(random) / f64::from(u32::MAX));
        doubled - doubled.mul_f64(part / 2.0)
    }

    /// An address that an answer names, if it is one of the same place.
    fn within(&self, target: &str) -> Result<String, Trouble> {
        match Url::parse(target) {
            Ok(url) if url.origin() == self.base.origin() => Ok(target.to_owned()),
            _ => Err(Trouble::Lasting(format!(
                "github: {} names a page that is somewhere else: nothing is asked there",
                self.base
            ))),
        }
    }
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asking {
    Reads,
    Changes,
}

impl Asking {
    /// Whether what failed like this may be asked once more: a change that may have been made is looked for first.
    fn may_repeat(self, error: &HttpError) -> bool {
        match self {
            Self::Reads => error.is_temporary(),
            Self::Changes => matches!(error.fault, HttpFault::Unreachable(_)),
        }
    }
}

/// What an answer says of limits. A secondary limit may be told by nothing but its text.
fn heard(answer: &HttpResponse) -> Said {
    let refused = matches!(answer.status, 403 | 429);
    let by_text = refused && {
        let text = String::from_utf8_lossy(&answer.body[..answer.body.len().min(4096)]).to_lowercase();
        text.contains("rate limit") || text.contains("abuse detection")
    };
    Said {
        is_limited: answer.is_throttled() || by_text,
        wait: answer.retry_after(),
        is_spent: answer.header("x-ratelimit-remaining") == Some("0"),
    }
}

fn parsed<T: DeserializeOwned>(path: &str, body: &Bytes) -> Result<T, Trouble> {
    serde_json::from_slice(body).map_err(|error| {
        Trouble::ForNow(format!("github: the answer of {path} is not what GitHub describes: {error}"))
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The next page that a `Link` header (RFC 8288) names.
fn next_page(link: &str) -> Option<&str> {
    link.split(',').find_map(|part| {
        let (target, about) = part.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = about.split(';').any(|about| matches!(about.trim(), "rel=\"next\"" | "rel=next"));
        is_next.then_some(target)
    })
}

/// A text as one part of a path, whatever is in it.
pub(super) fn segment(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::{next_page, segment};

    #[test]
    fn the_next_page_is_the_one_that_is_named() {
        let link = "<https://api.github.com/repositories/1/pulls?page=1>; rel=\"prev\", \
                    <https://api.github.com/repositories/1/pulls?page=3>; rel=\"next\"";
        assert_eq!(next_page(link), Some("https://api.github.com/repositories/1/pulls?page=3"));
        for none in ["", "<a>; rel=\"last\"", "rel=\"next\"", "<a; rel=\"next\""] {
            assert_eq!(next_page(none), None, "{none}");
        }
    }

    #[test]
    fn no_text_leaves_its_part_of_a_path() {
        assert_eq!(segment("heads/feature/x"), "heads%2Ffeature%2Fx");
        assert_eq!(segment("a?b#c%2e ü"), "a%3Fb%23c%252e%20%C3%BC");
    }
}
