//! One client for everybody outside who speaks HTTP: where it may go, how long it waits, how much it reads, when it asks
//! again, and what its errors may show.
//!
//! - Without TLS it speaks to this machine alone, unless it is told otherwise; proxies of the environment are not used.
//! - A redirect is followed within the place that was asked and no further, and secrets are sent nowhere else.
//! - What may have been done is not done twice: a request that changes something is made again only if it was not
//!   carried out (429, no connection), or if whoever makes it says that it may be repeated.
//! - No error shows a header, a query or a body that was sent.

mod error;
mod request;
mod response;
mod retry;

pub use error::{HttpError, HttpFault};
pub use request::HttpRequest;
pub use response::HttpResponse;
pub use retry::Retry;

use lockstep_ports::{Measure, Meter, NoMeter, Secret};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Client, Method, StatusCode, Url, redirect};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::Instrument as _;

/// How long a host may take to accept a connection.
const CONNECT_TIME: Duration = Duration::from_secs(10);

/// How long a request may take with its answer, unless it says more.
const REQUEST_TIME: Duration = Duration::from_secs(60);

/// Largest answer, unless a client is told otherwise: a page of a hundred pull requests has a few hundred kilobytes.
const ANSWER_MAX: usize = 8 << 20;

/// Redirects that are followed; a renamed repository is one.
const REDIRECTS_MAX: usize = 5;

const USER_AGENT: &str = concat!("lockstep/", env!("CARGO_PKG_VERSION"));

/// What a client is for.
#[derive(Clone)]
pub struct HttpOptions {
    /// Who is asked, in errors and in what is counted: `github`.
    pub service: &'static str,
    /// Address that paths are added to: `https://api.github.com`.
    pub base: String,
    /// Whether somebody beyond this machine may be spoken to without TLS.
    pub allow_plain: bool,
    /// How long a request may take with its answer.
    pub time: Duration,
    /// Largest answer, in bytes.
    pub answer_max: usize,
    /// When a request is made again.
    pub retry: Retry,
    /// Whether the address itself is a secret, as that of a Slack webhook: messages then show its host alone.
    pub is_secret: bool,
    /// Counts every request.
    pub meter: Arc<dyn Meter>,
    headers: HeaderMap,
}

impl HttpOptions {
    /// Those that do for most.
    #[must_use]
    pub fn new(service: &'static str, base: impl Into<String>) -> Self {
        Self {
            service,
            base: base.into(),
            allow_plain: false,
            time: REQUEST_TIME,
            answer_max: ANSWER_MAX,
            retry: Retry::default(),
            is_secret: false,
            meter: NoMeter::shared(),
            headers: HeaderMap::new(),
        }
    }

    /// Counts every request by this.
    #[must_use]
    pub fn metered(mut self, meter: &Arc<dyn Meter>) -> Self {
        self.meter = Arc::clone(meter);
        self
    }

    /// Sends a header with every request.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        self
    }

    /// Sends a secret in a header with every request to the base's host: `("authorization", "Bearer ", token)`.
    ///
    /// # Errors
    /// If it fits into no header; the message does not show it.
    pub fn secret(mut self, name: &'static str, before: &str, secret: &Secret) -> Result<Self, HttpError> {
        let value = request::sensitive(&format!("{before}{}", secret.expose()))
            .map_err(|fault| HttpError::new(self.service, &self.base, fault))?;
        self.headers.insert(HeaderName::from_static(name), value);
        Ok(self)
    }

    /// An address without what may be a key to it.
    fn shown(&self, url: &Url) -> String {
        let mut url = url.clone();
        url.set_query(None);
        url.set_fragment(None);
        // Only an address that can have neither refuses to lose them.
        url.set_username("").unwrap_or_default();
        url.set_password(None).unwrap_or_default();
        if self.is_secret {
            url.set_path("");
        }
        url.to_string()
    }
}

/// A client of one service. Cheap to clone.
#[derive(Clone)]
pub struct Http {
    client: Client,
    base: Url,
    options: Arc<HttpOptions>,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("service", &self.options.service).finish_non_exhaustive()
    }
}

impl Http {
    /// A client of the service at `options.base`; connects to nobody yet.
    ///
    /// # Errors
    /// The base is no address, is beyond this machine without TLS, or this machine has no certificates to check others by.
    pub fn new(options: HttpOptions) -> Result<Self, HttpError> {
        let failed = |fault| HttpError::new(options.service, &options.base, fault);
        let base =
            Url::parse(&options.base).map_err(|error| failed(HttpFault::Address(error.to_string())))?;
        check(&base, &options)?;
        // The client takes whichever is installed; that another part of the program was first is as good.
        rustls::crypto::ring::default_provider().install_default().unwrap_or_default();
        let builder = Client::builder().redirect(redirect::Policy::none()).no_proxy().referer(false);
        let builder = builder.connect_timeout(CONNECT_TIME).user_agent(USER_AGENT);
        // Who speaks without TLS needs no certificates, and a small machine may have none.
        let builder = if base.scheme() == "http" { builder.tls_certs_only([]) } else { builder };
        let client = builder.build().map_err(|error| {
            failed(HttpFault::Request(format!(
                "no connection can be prepared ({}): install the certificates of this system, or name a file of them \
                 in SSL_CERT_FILE",
                error::deepest(&error)
            )))
        })?;
        Ok(Self { client, base, options: Arc::new(options) })
    }

    /// Who is asked.
    #[must_use]
    pub fn service(&self) -> &'static str {
        self.options.service
    }

    /// Makes a request, again where that may help, and answers whatever status came at last: [`HttpResponse::ok`] makes an
    /// error of one that is none of 2xx. A redirect beyond the base's host is answered as it is.
    ///
    /// # Errors
    /// No complete answer came, or the request cannot be made.
    pub async fn send(&self, request: &HttpRequest) -> Result<HttpResponse, HttpError> {
        let url = self.url_of(request)?;
        for attempt in 1.. {
            let begun = Instant::now();
            let span = tracing::info_span!(target: "lockstep::trace", "provider call",
                provider = self.options.service, method = %request.method, attempt);
            let outcome = self.once(request, url.clone()).instrument(span).await;
            self.count(&outcome, begun.elapsed());
            let asked = retry::asked(&outcome, request.may_repeat());
            match asked.and_then(|asked| self.options.retry.wait(attempt, asked, retry::random())) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return outcome,
            }
        }
        unreachable!("a request is made a bounded number of times")
    }

    fn url_of(&self, request: &HttpRequest) -> Result<Url, HttpError> {
        let failed = |fault| self.failed(&self.base, fault);
        if let Some(fault) = &request.fault {
            return Err(failed(fault.clone()));
        }
        let target = &request.target;
        let absolute = target.starts_with("https://") || target.starts_with("http://");
        // A path is added to the base's own: GitHub's on premises is under `/api/v3`.
        let text = match absolute {
            true => target.clone(),
            false => {
                let base = self.base.as_str().split(['?', '#']).next().unwrap_or_default();
                match target.is_empty() {
                    true => self.base.to_string(),
                    false => format!("{}/{}", base.trim_end_matches('/'), target.trim_start_matches('/')),
                }
            }
        };
        let mut url = Url::parse(&text).map_err(|error| failed(HttpFault::Address(error.to_string())))?;
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        check(&url, &self.options)?;
        Ok(url)
    }

    /// One request, with the redirects that are followed.
    async fn once(&self, request: &HttpRequest, mut url: Url) -> Result<HttpResponse, HttpError> {
        for _ in 0..REDIRECTS_MAX {
            let response = self.exchange(request, &url).await?;
            let reads = matches!(request.method, Method::GET | Method::HEAD);
            let place = response.header(LOCATION.as_str()).and_then(|place| url.join(place).ok());
            match place {
                Some(place) if reads && is_followed(response.status) && place.origin() == url.origin() => {
                    url = place;
                }
                _ => return Ok(response),
            }
        }
        Err(self.failed(&url, HttpFault::Circles))
    }

    async fn exchange(&self, request: &HttpRequest, url: &Url) -> Result<HttpResponse, HttpError> {
        let failed = |fault| self.failed(url, fault);
        let mut headers = self.options.headers.clone();
        headers.extend(request.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        let secrets: Vec<HeaderValue> =
            headers.values().filter(|value| value.is_sensitive()).cloned().collect();
        if url.origin() != self.base.origin() {
            headers = headers
                .into_iter()
                .filter_map(|(name, value)| Some((name?, value)))
                .filter(|(_, value)| !value.is_sensitive())
                .collect();
        }
        let time = request.time.unwrap_or(self.options.time);
        let call = self.client.request(request.method.clone(), url.clone()).headers(headers).timeout(time);
        let call = match &request.body {
            Some(body) => call.body(body.clone()),
            None => call,
        };
        let mut answer = call.send().await.map_err(|error| failed(error::of(&error, time, false)))?;
        let limit = self.options.answer_max;
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|error| failed(error::of(&error, time, true)))? {
            if body.len() + piece.len() > limit {
                return Err(failed(HttpFault::TooLarge(limit)));
            }
            body.extend_from_slice(&piece);
        }
        Ok(HttpResponse {
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            body: body.into(),
            service: self.options.service,
            url: self.options.shown(url),
            secrets,
        })
    }

    fn failed(&self, url: &Url, fault: HttpFault) -> HttpError {
        HttpError::new(self.options.service, &self.options.shown(url), fault)
    }

    fn count(&self, outcome: &Result<HttpResponse, HttpError>, time: Duration) {
        let (meter, provider) = (&self.options.meter, self.options.service);
        let said = match outcome {
            Ok(response) => response.class(),
            Err(error) => error.fault.class(),
        };
        meter.note(&Measure::ProviderCall { provider, outcome: said, time });
        let left = outcome.as_ref().ok().and_then(|response| response.header("x-ratelimit-remaining"));
        if let Some(remaining) = left.and_then(|left| left.parse().ok()) {
            meter.note(&Measure::RateLimit { provider, remaining });
        }
    }
}

fn is_followed(status: u16) -> bool {
    let followed = [
        StatusCode::MOVED_PERMANENTLY,
        StatusCode::FOUND,
        StatusCode::TEMPORARY_REDIRECT,
        StatusCode::PERMANENT_REDIRECT,
    ];
    followed.iter().any(|code| code.as_u16() == status)
}

/// Whether somebody at this address may be spoken to.
fn check(url: &Url, options: &HttpOptions) -> Result<(), HttpError> {
    let failed = |fault| Err(HttpError::new(options.service, &options.shown(url), fault));
    match url.scheme() {
        "https" => {}
        "http" if options.allow_plain || is_loopback(url) => {}
        "http" => return failed(HttpFault::Unencrypted),
        _ => return failed(HttpFault::Address("it begins with neither https:// nor http://".to_owned())),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return failed(HttpFault::Address("it has a name or password in it".to_owned()));
    }
    Ok(())
}

/// Whether an address is this machine's, by number or by the name every machine has for itself.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
