//! Requests to one registry: where they may go, who they are from, how much and how long an answer is read.

use super::auth::{Authority, Challenge};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use lockstep_ports::{DistributionError, Place, Progress};
use lockstep_types::Digest;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

/// Where HTTP may be spoken without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlainHttp {
    /// Nowhere.
    Never,
    /// With this machine itself, which is then spoken to like that.
    Loopback,
    /// With the registry, wherever it is; passwords are sent in the clear, too.
    Anywhere,
}

/// How long a host may take to accept a connection.
const CONNECT_TIME: Duration = Duration::from_secs(10);

/// How long nothing may arrive while something should; a registry needs a while to check what it was sent.
const STALL_TIME: Duration = Duration::from_secs(60);

/// Storage behind registries sends one or two redirects.
const REDIRECTS_MAX: usize = 5;

/// Longest answer that says what went wrong, or that is a token.
const SMALL_MAX: u64 = 64 << 10;

/// How much is handed to the connection at a time: progress is told in such steps.
const CHUNK: usize = 64 << 10;

/// Longest reason that is shown of what a registry says.
const REASON_MAX: usize = 200;

type Result<T> = std::result::Result<T, DistributionError>;

/// Speaks with one registry, and with whoever it refers to.
pub(super) struct Session {
    client: Client<HttpsConnector<HttpConnector>, Upload>,
    place: String,
    /// `https://HOST:PORT`.
    origin: String,
    plain: PlainHttp,
    authority: Authority,
    /// What a token has to allow: `repository:NAME:pull`.
    scope: String,
    /// What the registry was last satisfied with.
    authorization: Mutex<Option<HeaderValue>>,
}

/// A request as it can be made again.
#[derive(Clone)]
pub(super) struct Ask {
    pub(super) method: Method,
    /// Path at the registry, or where it said to go.
    pub(super) url: String,
    pub(super) headers: Vec<(header::HeaderName, &'static str)>,
    pub(super) body: Upload,
}

impl Ask {
    pub(super) fn new(method: Method, url: impl Into<String>) -> Self {
        Self { method, url: url.into(), headers: Vec::new(), body: Upload::none() }
    }

    pub(super) fn with(mut self, name: header::HeaderName, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(super) fn sending(mut self, body: Upload) -> Self {
        self.body = body;
        self
    }
}

impl Session {
    pub(super) fn new(
        place: &Place,
        host: &str,
        plain: PlainHttp,
        authority: Authority,
        scope: String,
    ) -> Result<Self> {
        let is_plain = match plain {
            PlainHttp::Never => false,
            PlainHttp::Loopback => is_loopback(host),
            PlainHttp::Anywhere => true,
        };
        let client = client(is_plain).map_err(|error| DistributionError::Failed {
            place: place.to_string(),
            reason: format!("no connection can be encrypted: {error}"),
        })?;
        let scheme = if is_plain { "http" } else { "https" };
        let origin = format!("{scheme}://{host}");
        Ok(Self {
            client,
            place: place.to_string(),
            origin,
            plain,
            authority,
            scope,
            authorization: Mutex::new(None),
        })
    }

    /// Asks, with a login if the registry wants one.
    pub(super) async fn ask(&self, ask: Ask) -> Result<Response<Incoming>> {
        let (first, is_own) = self.follow(ask.clone()).await?;
        // Somebody else's challenge would lead the password to whoever it names.
        if first.status() != StatusCode::UNAUTHORIZED || !is_own {
            return self.accepted(first);
        }
        let challenge = Challenge::of(first.headers());
        let challenge = challenge.ok_or_else(|| self.unauthorized("it says not how to log in"))?;
        drop(first);
        let authorization = self.authorize(&challenge).await?;
        *self.authorization.lock().unwrap_or_else(PoisonError::into_inner) = Some(authorization);
        let (second, _) = self.follow(ask).await?;
        self.accepted(second)
    }

    fn accepted(&self, response: Response<Incoming>) -> Result<Response<Incoming>> {
        match response.status() {
            StatusCode::UNAUTHORIZED => Err(self.unauthorized("it does not accept the name and password")),
            StatusCode::FORBIDDEN => Err(self.unauthorized("it does not allow this")),
            _ => Ok(response),
        }
    }

    async fn authorize(&self, challenge: &Challenge) -> Result<HeaderValue> {
        let basic = self.authority.basic();
        let (realm, service) = match challenge {
            Challenge::Basic => {
                return basic.ok_or_else(|| self.unauthorized(&self.authority.why_nobody()));
            }
            Challenge::Bearer { realm, service } => (realm, service.as_deref()),
        };
        let url = Challenge::token_url(realm, service, &self.scope);
        let response = self.send(&Ask::new(Method::GET, url), basic.as_ref()).await?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let reason = match basic {
                    Some(_) => "it does not accept the name and password".to_owned(),
                    None => self.authority.why_nobody(),
                };
                return Err(self.unauthorized(&reason));
            }
            _ => return Err(self.refusal("giving a token", response).await),
        }
        let body = self.body(response, SMALL_MAX, "a token", None).await?;
        super::auth::bearer(&body).ok_or_else(|| self.failed("the token it gives is none"))
    }

    /// Follows where a registry keeps its blobs elsewhere, which only reading may lead to.
    /// Also tells whether the registry itself answered.
    async fn follow(&self, mut ask: Ask) -> Result<(Response<Incoming>, bool)> {
        for _ in 0..REDIRECTS_MAX {
            let is_own = self.is_own(&self.absolute(&ask.url)?);
            let known = self.authorization.lock().unwrap_or_else(PoisonError::into_inner).clone();
            // Whoever keeps the blobs must not learn what the registry knows us by.
            let response = self.send(&ask, known.as_ref().filter(|_| is_own)).await?;
            if ask.method != Method::GET || !response.status().is_redirection() {
                return Ok((response, is_own));
            }
            ask.url = self.location(response.headers(), &ask.url)?;
        }
        Err(self.failed("it redirects in circles"))
    }

    async fn send(&self, ask: &Ask, authorization: Option<&HeaderValue>) -> Result<Response<Incoming>> {
        let uri = self.absolute(&ask.url)?;
        let mut request = Request::builder().method(&ask.method).uri(&uri);
        request = request.header(header::USER_AGENT, concat!("lockstep/", env!("CARGO_PKG_VERSION")));
        for (name, value) in &ask.headers {
            request = request.header(name, *value);
        }
        if let Some(authorization) = authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let request = request.body(ask.body.clone()).map_err(|error| self.failed(&error.to_string()))?;
        let sent = self.client.request(request);
        // An upload is bounded by the time of the whole push.
        let answered = if ask.body.is_small() {
            tokio::time::timeout(STALL_TIME, sent)
                .await
                .map_err(|_| self.unreachable("it does not answer"))?
        } else {
            sent.await
        };
        answered.map_err(|error| self.unreachable(&deepest(&error)))
    }

    /// Where an answer sends us, seen from `base`.
    pub(super) fn location(&self, headers: &HeaderMap, base: &str) -> Result<String> {
        let location = headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
        let location = location.ok_or_else(|| self.failed("it does not say where to go on"))?;
        if location.contains("://") {
            return Ok(location.to_owned());
        }
        let base = self.absolute(base)?;
        let (scheme, authority) = (base.scheme_str().unwrap_or("https"), base.authority());
        let authority = authority.map_or("", |authority| authority.as_str());
        let mark = if location.starts_with('/') { "" } else { "/" };
        Ok(format!("{scheme}://{authority}{mark}{location}"))
    }

    /// The address, if it may be spoken to.
    fn absolute(&self, url: &str) -> Result<Uri> {
        let url = if url.starts_with('/') { format!("{}{url}", self.origin) } else { url.to_owned() };
        let uri: Uri = url.parse().map_err(|_| self.failed("it refers to what is no address"))?;
        let host = uri.host().unwrap_or_default();
        let is_allowed = match uri.scheme_str() {
            Some("https") => true,
            // A registry that is spoken to safely must not lead elsewhere.
            Some("http") if self.origin.starts_with("http:") => {
                self.plain == PlainHttp::Anywhere || is_loopback(host)
            }
            _ => false,
        };
        if is_allowed { Ok(uri) } else { Err(DistributionError::Unencrypted { url: shown(&uri) }) }
    }

    fn is_own(&self, uri: &Uri) -> bool {
        let port = |uri: &Uri| {
            let usual = if uri.scheme_str() == Some("http") { 80 } else { 443 };
            uri.port_u16().unwrap_or(usual)
        };
        let same =
            |own: &Uri| own.scheme() == uri.scheme() && own.host() == uri.host() && port(own) == port(uri);
        self.origin.parse().is_ok_and(|own| same(&own))
    }

    /// Reads an answer of at most `max` bytes.
    pub(super) async fn body(
        &self,
        response: Response<Incoming>,
        max: u64,
        what: &'static str,
        progress: Option<&Progress>,
    ) -> Result<Vec<u8>> {
        let mut body = response.into_body();
        let announced = body.size_hint().exact();
        let too_large =
            |size: u64| DistributionError::TooLarge { what, place: self.place.to_string(), size, limit: max };
        if let Some(size) = announced.filter(|size| *size > max) {
            return Err(too_large(size));
        }
        let mut bytes = Vec::new();
        loop {
            let frame = tokio::time::timeout(STALL_TIME, body.frame()).await;
            let frame = frame.map_err(|_| self.unreachable("nothing more arrives"))?;
            let Some(frame) = frame else { return Ok(bytes) };
            let frame = frame.map_err(|error| self.unreachable(&deepest(&error)))?;
            let Ok(data) = frame.into_data() else { continue };
            let size = bytes.len() as u64 + data.len() as u64;
            if size > max {
                return Err(too_large(size));
            }
            bytes.extend_from_slice(&data);
            if let Some(progress) = progress {
                progress(size, announced.unwrap_or(max));
            }
        }
    }

    /// What a registry that does not do as asked says about it.
    pub(super) async fn refusal(&self, doing: &str, response: Response<Incoming>) -> DistributionError {
        #[derive(Default, serde::Deserialize)]
        struct Envelope {
            errors: Vec<Fault>,
        }
        #[derive(serde::Deserialize)]
        struct Fault {
            code: String,
            #[serde(default)]
            message: String,
        }
        let status = response.status();
        let body = self.body(response, SMALL_MAX, "an answer", None).await.unwrap_or_default();
        let envelope: Envelope = serde_json::from_slice(&body).unwrap_or_default();
        let said = envelope.errors.first().map(|fault| format!(": {} {}", fault.code, fault.message));
        let said: String =
            said.unwrap_or_default().chars().filter(|c| !c.is_control()).take(REASON_MAX).collect();
        self.failed(&format!("{doing} was answered with {}{said}", status.as_u16()))
    }

    pub(super) fn failed(&self, reason: &str) -> DistributionError {
        DistributionError::Failed { place: self.place.to_string(), reason: reason.to_owned() }
    }

    fn unreachable(&self, reason: &str) -> DistributionError {
        DistributionError::Unreachable { place: self.place.to_string(), reason: reason.to_owned() }
    }

    fn unauthorized(&self, reason: &str) -> DistributionError {
        DistributionError::Unauthorized { place: self.place.to_string(), reason: reason.to_owned() }
    }
}

/// Certificates are those this machine trusts, or the file that `SSL_CERT_FILE` names.
fn client(is_plain: bool) -> std::io::Result<Client<HttpsConnector<HttpConnector>, Upload>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = || {
        rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(std::io::Error::other)
    };
    let config = match versions()?.with_native_roots() {
        Ok(config) => config,
        // Plain HTTP needs none.
        Err(_) if is_plain => versions()?.with_root_certificates(rustls::RootCertStore::empty()),
        Err(error) => return Err(error),
    };
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_connect_timeout(Some(CONNECT_TIME));
    http.set_nodelay(true);
    let https = HttpsConnectorBuilder::new().with_tls_config(config.with_no_client_auth());
    let connector = https.https_or_http().enable_http1().wrap_connector(http);
    Ok(Client::builder(TokioExecutor::new()).timer(TokioTimer::new()).build(connector))
}

/// Whether `authority` is this machine, by address or by the name every machine has for itself.
fn is_loopback(authority: &str) -> bool {
    let host = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => authority.split_once(':').map_or(authority, |(host, _)| host),
    };
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// An address without its query, which may be a key to what it names.
fn shown(uri: &Uri) -> String {
    let text = uri.to_string();
    text.split_once('?').map_or(text.as_str(), |(path, _)| path).to_owned()
}

/// The cause at the end of the chain, which is the one that says something: `connection refused`.
fn deepest(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// What is sent, in pieces; progress is told as the connection takes them.
#[derive(Clone)]
pub(super) struct Upload {
    bytes: Bytes,
    total: u64,
    progress: Option<Progress>,
}

impl Upload {
    pub(super) fn none() -> Self {
        Self::of(Bytes::new(), None)
    }

    pub(super) fn of(bytes: Bytes, progress: Option<Progress>) -> Self {
        Self { total: bytes.len() as u64, bytes, progress }
    }

    const fn is_small(&self) -> bool {
        self.total <= SMALL_MAX
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Infallible>>> {
        if self.bytes.is_empty() {
            return Poll::Ready(None);
        }
        let size = self.bytes.len().min(CHUNK);
        let chunk = self.bytes.split_to(size);
        if let Some(progress) = &self.progress {
            progress(self.total - self.bytes.len() as u64, self.total);
        }
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}

/// The digest a registry says that something has.
pub(super) fn digest_header(headers: &HeaderMap) -> Option<Digest> {
    let value = headers.get("docker-content-digest")?.to_str().ok()?;
    value.strip_prefix("sha256:")?.parse().ok()
}
