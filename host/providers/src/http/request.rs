use super::HttpFault;
use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use std::time::Duration;

/// A request to a service. What cannot be sent (a header with a line break in it) is told when it is sent.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    pub(super) method: Method,
    pub(super) target: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Bytes>,
    pub(super) time: Option<Duration>,
    pub(super) fault: Option<HttpFault>,
    repeatable: bool,
}

impl HttpRequest {
    /// A request that expects JSON. `target` is a path under the client's base, nothing for the base itself, or an address
    /// with scheme, as a service names one itself (`Link`); secrets go to the base's host alone.
    #[must_use]
    pub fn new(method: Method, target: impl Into<String>) -> Self {
        let repeatable = matches!(method, Method::GET | Method::HEAD | Method::PUT | Method::DELETE);
        let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]);
        Self {
            method,
            target: target.into(),
            query: Vec::new(),
            headers,
            body: None,
            time: None,
            fault: None,
            repeatable,
        }
    }

    /// Reads.
    #[must_use]
    pub fn get(target: impl Into<String>) -> Self {
        Self::new(Method::GET, target)
    }

    /// Sends.
    #[must_use]
    pub fn post(target: impl Into<String>) -> Self {
        Self::new(Method::POST, target)
    }

    /// Adds to the query, encoded.
    #[must_use]
    pub fn query(mut self, name: &str, value: impl ToString) -> Self {
        self.query.push((name.to_owned(), value.to_string()));
        self
    }

    /// Sets a header.
    #[must_use]
    pub fn header(self, name: &str, value: &str) -> Self {
        let value = HeaderValue::from_str(value).map_err(|error| HttpFault::Request(error.to_string()));
        self.with(name, value)
    }

    /// Sets a header that no message, log or other host may see.
    #[must_use]
    pub fn secret(self, name: &str, value: &str) -> Self {
        self.with(name, sensitive(value))
    }

    fn with(mut self, name: &str, value: Result<HeaderValue, HttpFault>) -> Self {
        let name =
            name.parse::<HeaderName>().map_err(|error| HttpFault::Request(format!("{name:?}: {error}")));
        match name.and_then(|name| Ok((name, value?))) {
            Ok((name, value)) => {
                self.headers.insert(name, value);
            }
            Err(fault) => self.fault = Some(fault),
        }
        self
    }

    /// Sends JSON.
    #[must_use]
    pub fn json(mut self, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(bytes) => self.bytes("application/json", bytes),
            Err(error) => {
                self.fault = Some(HttpFault::Request(error.to_string()));
                self
            }
        }
    }

    /// Sends bytes of a media type.
    #[must_use]
    pub fn bytes(mut self, kind: &'static str, body: impl Into<Bytes>) -> Self {
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        self.body = Some(body.into());
        self
    }

    /// Allows more or less time than the client gives.
    #[must_use]
    pub fn time(mut self, time: Duration) -> Self {
        self.time = Some(time);
        self
    }

    /// Says that making it twice does no more than making it once, as a query sent with POST, or a write under a key.
    #[must_use]
    pub fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    pub(super) fn may_repeat(&self) -> bool {
        self.repeatable
    }
}

/// A value that is shown nowhere.
pub(super) fn sensitive(value: &str) -> Result<HeaderValue, HttpFault> {
    let mut value = HeaderValue::from_str(value)
        .map_err(|_| HttpFault::Request("a secret has a line break or another control character".into()))?;
    value.set_sensitive(true);
    Ok(value)
}
