use super::{HttpError, HttpFault, retry};
use crate::text::one_line;
use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderValue};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::{Duration, SystemTime};

/// What a service answered, whatever its status.
#[derive(Clone, Debug)]
pub struct HttpResponse {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// What it said, whole.
    pub body: Bytes,
    pub(super) service: &'static str,
    pub(super) url: String,
    /// What was sent and must not be shown if it is said back.
    pub(super) secrets: Vec<HeaderValue>,
}

impl HttpResponse {
    /// A header, if it is there and a text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The time at which it was answered, by the service's clock.
    #[must_use]
    pub fn date(&self) -> Option<SystemTime> {
        httpdate::parse_http_date(self.header("date")?).ok()
    }

    /// Whether the status is one of 2xx.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether the service takes no more for now: 429, or 403 as GitHub uses it for limits.
    #[must_use]
    pub fn is_throttled(&self) -> bool {
        let spent = self.header("x-ratelimit-remaining") == Some("0");
        self.status == 429 || (self.status == 403 && (spent || self.header("retry-after").is_some()))
    }

    /// How long the service wants to be left alone: `Retry-After` in seconds or as a date, else the time at which its
    /// limit is renewed (`x-ratelimit-reset`).
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let spent = self.header("x-ratelimit-remaining") == Some("0");
        let reset = self.header("x-ratelimit-reset").filter(|_| spent);
        retry::after(self.header("retry-after"), reset, SystemTime::now())
    }

    /// The answer, if its status is one of 2xx.
    ///
    /// # Errors
    /// Any other status, with what the service says of it.
    pub fn ok(self) -> Result<Self, HttpError> {
        match self.is_ok() {
            true => Ok(self),
            false => Err(self.refused()),
        }
    }

    /// The error that this answer is.
    #[must_use]
    pub fn refused(&self) -> HttpError {
        let fault = HttpFault::Status {
            status: self.status,
            said: self.said(),
            is_throttled: self.is_throttled(),
            retry_after: self.retry_after(),
        };
        HttpError::new(self.service, &self.url, fault)
    }

    /// What it says, as JSON.
    ///
    /// # Errors
    /// It is something else; its status is not looked at.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, HttpError> {
        serde_json::from_slice(&self.body).map_err(|error| self.misread(&error.to_string()))
    }

    /// The error of an answer that has a meaning nobody knows.
    #[must_use]
    pub fn misread(&self, reason: &str) -> HttpError {
        HttpError::new(self.service, &self.url, HttpFault::Misread(self.masked(one_line(reason))))
    }

    /// What the service says of a refusal, as one line.
    fn said(&self) -> String {
        let json: Option<Value> = serde_json::from_slice(&self.body).ok();
        let places = ["/message", "/error/message", "/errors/0/message", "/errors/0", "/error", "/detail"];
        let text = match json.as_ref() {
            Some(json) => places.iter().find_map(|place| json.pointer(place)?.as_str()).map(str::to_owned),
            None => Some(String::from_utf8_lossy(&self.body[..self.body.len().min(4096)]).into_owned()),
        };
        match text.as_deref().map(str::trim) {
            Some(text) if !text.is_empty() => self.masked(one_line(text)),
            _ => String::new(),
        }
    }

    fn masked(&self, mut text: String) -> String {
        for secret in self.secrets.iter().filter_map(|secret| secret.to_str().ok()) {
            // `Bearer TOKEN`: a service that says it back may do so without the first word.
            for part in [secret, secret.rsplit(' ').next().unwrap_or_default()] {
                if !part.is_empty() {
                    text = text.replace(part, "***");
                }
            }
        }
        text
    }

    /// The status as it is counted.
    pub(super) fn class(&self) -> &'static str {
        match self.status {
            _ if self.is_throttled() => "throttled",
            200..300 => "2xx",
            304 => "304",
            300..400 => "3xx",
            401 | 403 => "denied",
            404 => "404",
            400..500 => "4xx",
            _ => "5xx",
        }
    }
}
