//! The client of a registry, held to the rules of this host: where it may go, what it may be told, and what its errors
//! mean for whoever asked.

use super::super::DistributionOptions;
use super::login::{self, Login};
use lockstep_ports::{DistributionError, Place};
use lockstep_types::Digest;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::{DigestError, OciDistributionError, OciEnvelope, OciErrorCode};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference, RegistryOperation};
use reqwest::header::HeaderValue;
use reqwest::{StatusCode, redirect};
use std::error::Error;
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

/// How long nothing may arrive of what is read; a registry needs a while to look for it.
const STALL_TIME: Duration = Duration::from_secs(60);

/// Where requests without TLS end that must not be made: nothing can listen on port zero. The client follows redirects,
/// places for uploads and places for tokens by itself, and a proxy is the one thing it can be told of all of them.
const NOWHERE: &str = "127.0.0.1:0";

/// This machine, which needs no TLS.
const LOOPBACK: &str = "localhost,127.0.0.0/8,::1";

/// Longest reason that is shown of what a registry says.
const REASON_MAX: usize = 200;

const USER_AGENT: &str = concat!("lockstep/", env!("CARGO_PKG_VERSION"));

type Result<T> = std::result::Result<T, DistributionError>;

/// A login at one repository.
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) auth: RegistryAuth,
    login: Login,
    place: String,
    /// Whether nothing goes without TLS but to this machine.
    is_guarded: bool,
}

impl Session {
    /// Logs in for `operation` where the registry wants it.
    pub(super) async fn open(
        place: &Place,
        host: &str,
        at: &Reference,
        options: &DistributionOptions,
        operation: RegistryOperation,
    ) -> Result<Self> {
        let is_plain = match options.plain_http {
            PlainHttp::Never => false,
            PlainHttp::Loopback => is_loopback(host),
            PlainHttp::Anywhere => true,
        };
        // The client takes whichever is installed; that another part of the program was first is as good.
        rustls::crypto::ring::default_provider().install_default().unwrap_or_default();
        let login = login::of(options, at.resolve_registry());
        let config = config(is_plain, options, operation);
        let failed = |error: OciDistributionError| DistributionError::Failed {
            place: place.to_string(),
            reason: format!(
                "no connection can be prepared ({}): install the certificates of this system, or name a file of them in \
                 SSL_CERT_FILE",
                deepest(&error)
            ),
        };
        let session = Self {
            client: Client::try_from(config).map_err(failed)?,
            auth: login::given(&login),
            login,
            place: place.to_string(),
            is_guarded: is_guarded(options),
        };
        if session.login.is_ok() {
            session.is_asked_by_the_registry(at.resolve_registry(), is_plain).await?;
        }
        session.log_in(at, operation).await?;
        Ok(session)
    }

    /// The client follows redirects before it looks who wants a password: one that comes from elsewhere gets none.
    async fn is_asked_by_the_registry(&self, host: &str, is_plain: bool) -> Result<()> {
        let client = reqwest::Client::builder().redirect(redirect::Policy::none());
        let client = client.connect_timeout(CONNECT_TIME).read_timeout(STALL_TIME).no_proxy();
        let client = client.user_agent(USER_AGENT).build();
        let scheme = if is_plain { "http" } else { "https" };
        let answer = async { client?.get(format!("{scheme}://{host}/v2/")).send().await }.await;
        let answer = answer.map_err(|error| self.explain("the login", error.into()))?;
        if answer.status().is_redirection() {
            return Err(self.unauthorized("it sends elsewhere whoever logs in: name that registry instead"));
        }
        Ok(())
    }

    /// Gets the token that all further requests carry, if there is one to get.
    async fn log_in(&self, at: &Reference, operation: RegistryOperation) -> Result<()> {
        let token = self.client.auth(at, &self.auth, operation).await;
        let Some(token) = token.map_err(|error| self.explain("the login", error))? else { return Ok(()) };
        // The client would not survive one that fits into no header.
        if HeaderValue::from_str(&token).is_err() {
            return Err(self.failed("the token it gives is none"));
        }
        if operation == RegistryOperation::Push {
            // A push begins with looking, which not every registry allows for what is not there yet.
            let reading = self.client.auth(at, &RegistryAuth::Bearer(token), RegistryOperation::Pull).await;
            reading.map_err(|error| self.explain("the login", error))?;
        }
        Ok(())
    }

    /// What an error means that the client gave while `doing` something.
    pub(super) fn explain(&self, doing: &str, error: OciDistributionError) -> DistributionError {
        use OciDistributionError as E;
        let answered = |code: u16, said: &str| match code {
            401 => self.unaccepted(),
            403 => self.unauthorized("it does not allow this"),
            _ => self.failed(&format!("{doing} was answered with {code}{}", clean(said))),
        };
        match error {
            E::AuthenticationFailure(_) | E::UnauthorizedError { .. } => self.unaccepted(),
            E::RegistryError { envelope, .. } => match envelope.errors.first().map(|fault| &fault.code) {
                Some(OciErrorCode::Unauthorized) => self.unaccepted(),
                Some(OciErrorCode::Denied) => self.unauthorized("it does not allow this"),
                _ => self.failed(&format!("{doing} was refused{}", clean(&said(&envelope)))),
            },
            E::ServerError { code, message, .. } => match serde_json::from_str(&message) {
                Ok(envelope) => answered(code, &said(&envelope)),
                Err(_) if message.is_empty() => answered(code, ""),
                Err(_) => answered(code, &format!(": {message}")),
            },
            E::RegistryTokenDecodeError(_) => self.failed("the token it gives is none"),
            E::RequestError(error) => match error.status() {
                Some(status) => answered(status.as_u16(), ""),
                None => self.broken(&error),
            },
            other => self.failed(&format!("{doing} failed: {}", clean(&deepest(&other)))),
        }
    }

    /// A request that was not answered.
    pub(super) fn broken(&self, error: &reqwest::Error) -> DistributionError {
        if error.is_redirect() {
            return self.failed("it redirects in circles");
        }
        // No method tells the address. Should the text cease to, this is still a failed request.
        if self.is_guarded && error.is_connect() && format!("{error:?}").contains(NOWHERE) {
            let url = error.url().filter(|url| url.scheme() == "http");
            let foreign = url.filter(|url| !url.host_str().is_some_and(is_loopback)).map(|url| {
                let mut url = url.clone();
                // It may be a key to what it names.
                url.set_query(None);
                url.to_string()
            });
            let url = foreign.unwrap_or_else(|| format!("where {} leads to", self.place));
            return DistributionError::Unencrypted { url };
        }
        let reason =
            if error.is_timeout() { "nothing more arrives".to_owned() } else { clean(&deepest(error)) };
        self.unreachable(&reason)
    }

    pub(super) fn failed(&self, reason: &str) -> DistributionError {
        DistributionError::Failed { place: self.place.clone(), reason: reason.to_owned() }
    }

    pub(super) fn unreachable(&self, reason: &str) -> DistributionError {
        DistributionError::Unreachable { place: self.place.clone(), reason: reason.to_owned() }
    }

    fn unauthorized(&self, reason: &str) -> DistributionError {
        DistributionError::Unauthorized { place: self.place.clone(), reason: reason.to_owned() }
    }

    fn unaccepted(&self) -> DistributionError {
        self.unauthorized(self.login.as_ref().err().unwrap_or(&"it does not accept the name and password"))
    }
}

fn is_guarded(options: &DistributionOptions) -> bool {
    options.plain_http != PlainHttp::Anywhere
}

fn config(is_plain: bool, options: &DistributionOptions, operation: RegistryOperation) -> ClientConfig {
    ClientConfig {
        protocol: if is_plain { ClientProtocol::Http } else { ClientProtocol::Https },
        http_proxy: is_guarded(options).then(|| format!("http://{NOWHERE}")),
        // A registry that is spoken to safely must not lead elsewhere, not even to this machine.
        no_proxy: is_plain.then(|| LOOPBACK.to_owned()),
        // One request for a blob: not every registry takes pieces.
        use_monolithic_push: true,
        connect_timeout: Some(CONNECT_TIME),
        // The client counts the time of an upload too, which the time of the whole push bounds.
        read_timeout: Some(if operation == RegistryOperation::Push { options.time } else { STALL_TIME }),
        user_agent: USER_AGENT,
        platform_resolver: None,
        ..ClientConfig::default()
    }
}

/// Whether an error says that there is no such thing.
pub(super) fn is_missing(error: &OciDistributionError) -> bool {
    use OciErrorCode::{BlobUnknown, ManifestUnknown, NameUnknown, NotFound};
    match error {
        OciDistributionError::RegistryError { envelope, .. } => {
            let code = envelope.errors.first().map(|fault| &fault.code);
            matches!(code, Some(BlobUnknown | ManifestUnknown | NameUnknown | NotFound))
        }
        OciDistributionError::ServerError { code, .. } => *code == StatusCode::NOT_FOUND.as_u16(),
        _ => false,
    }
}

/// What a content had to be and what it is, if that is the error.
pub(super) fn mismatch(error: &(dyn Error + 'static)) -> Option<(Digest, Digest)> {
    let digest = |text: &str| text.strip_prefix("sha256:")?.parse().ok();
    match error.downcast_ref::<DigestError>()? {
        DigestError::VerificationError { expected, actual } => Some((digest(expected)?, digest(actual)?)),
        _ => None,
    }
}

/// What a registry says of its refusal: `: CODE message`.
fn said(envelope: &OciEnvelope) -> String {
    let Some(fault) = envelope.errors.first() else { return String::new() };
    let code = serde_json::to_value(&fault.code).unwrap_or_default();
    format!(": {} {}", code.as_str().unwrap_or_default(), fault.message)
}

/// One line of a stranger's text.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(REASON_MAX).collect()
}

/// Whether `authority` is this machine, by address or by the name every machine has for itself.
fn is_loopback(authority: &str) -> bool {
    let host = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => authority.split_once(':').map_or(authority, |(host, _)| host),
    };
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The cause at the end of the chain, which is the one that says something: `connection refused`.
pub(super) fn deepest(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
