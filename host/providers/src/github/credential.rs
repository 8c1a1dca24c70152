//! What the host is allowed by: a token, or an App's key, with which it gets a token that lasts an hour.

use super::trouble::Trouble;
use crate::http::{Http, HttpRequest};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use lockstep_ports::Secret;
use rustls::SignatureScheme;
use rustls::pki_types::{PrivateKeyDer, pem::PemObject as _};
use rustls::sign::SigningKey;
use serde::Deserialize;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::Mutex;

/// How long an App's word for itself counts; GitHub takes at most ten minutes.
const CLAIM_TIME: Duration = Duration::from_mins(9);
/// By how much clocks may differ.
const CLOCK_SKEW: Duration = Duration::from_mins(1);
/// How long before its end a token is replaced: no request or push takes longer.
const RENEWED_BEFORE: Duration = Duration::from_mins(5);
/// How long a token counts whose end cannot be read.
const TOKEN_TIME: Duration = Duration::from_mins(30);

/// By what the host may speak to GitHub.
#[derive(Clone, Debug)]
pub enum GitHubCredential {
    /// A token of a person or machine account.
    Token(Secret),
    /// A GitHub App, installed where the repositories are.
    App {
        /// Its id or client id.
        id: String,
        /// Id of its installation.
        installation: u64,
        /// Its private key, in PEM.
        key: Secret,
    },
}

/// Gives the token of each request.
pub(super) enum Tokens {
    Fixed(Secret),
    App(App),
}

pub(super) struct App {
    id: String,
    installation: u64,
    key: Arc<dyn SigningKey>,
    /// The token in use and when it is to be replaced. Held while a new one is asked for, so that one is.
    current: Mutex<Option<(Secret, SystemTime)>>,
}

#[derive(Deserialize)]
struct Installed {
    token: String,
    expires_at: String,
}

impl Tokens {
    /// # Errors
    /// The key is none; the message does not show it.
    pub(super) fn new(credential: &GitHubCredential) -> Result<Self, String> {
        match credential {
            GitHubCredential::Token(token) => Ok(Self::Fixed(token.clone())),
            GitHubCredential::App { id, installation, key } => {
                let none =
                    || "the key of the GitHub App is no RSA key in PEM: download one from its settings";
                let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes()).map_err(|_| none())?;
                let key = rustls::crypto::ring::sign::any_supported_type(&key).map_err(|_| none())?;
                if key.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256]).is_none() {
                    return Err(none().to_owned());
                }
                let current = Mutex::new(None);
                Ok(Self::App(App { id: id.clone(), installation: *installation, key, current }))
            }
        }
    }

    /// The token for a request that is made now.
    pub(super) async fn token(&self, http: &Http) -> Result<Secret, Trouble> {
        let app = match self {
            Self::Fixed(token) => return Ok(token.clone()),
            Self::App(app) => app,
        };
        let mut current = app.current.lock().await;
        let now = SystemTime::now();
        if let Some((token, until)) = &*current
            && now < *until
        {
            return Ok(token.clone());
        }
        let (token, until) = app.installed(http, now).await?;
        *current = Some((token.clone(), until));
        Ok(token)
    }

    /// Has a token that GitHub no longer takes replaced; false if there is no other.
    pub(super) async fn is_replaced(&self, refused: &Secret) -> bool {
        let Self::App(app) = self else { return false };
        let mut current = app.current.lock().await;
        if current.as_ref().is_some_and(|(token, _)| token == refused) {
            *current = None;
        }
        true
    }
}

impl App {
    /// A new token of the installation.
    async fn installed(&self, http: &Http, now: SystemTime) -> Result<(Secret, SystemTime), Trouble> {
        let path = format!("app/installations/{}/access_tokens", self.installation);
        let request = HttpRequest::post(path)
            .header("accept", super::client::ACCEPT)
            .secret("authorization", &format!("Bearer {}", self.claim(now)?));
        let answer = http.send(&request).await?;
        if matches!(answer.status, 401 | 404) {
            let text = format!("{}: compare id, installation and key of the GitHub App", answer.refused());
            return Err(Trouble::Lasting(text));
        }
        let installed: Installed = answer.ok()?.json()?;
        let until = installed.expires_at.parse::<jiff::Timestamp>().ok().map(SystemTime::from);
        let until = until.and_then(|end| end.checked_sub(RENEWED_BEFORE)).unwrap_or(now + TOKEN_TIME);
        Ok((Secret::new(installed.token), until))
    }

    /// What the App says of itself, signed: a JSON Web Token (RFC 7519) as GitHub wants it.
    fn claim(&self, now: SystemTime) -> Result<String, Trouble> {
        let since =
            |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let claims = serde_json::json!({
            "iat": since(now - CLOCK_SKEW),
            "exp": since(now + CLAIM_TIME),
            "iss": self.id,
        });
        let head = Base64UrlUnpadded::encode_string(br#"{"alg":"RS256","typ":"JWT"}"#);
        let said = format!("{head}.{}", Base64UrlUnpadded::encode_string(claims.to_string().as_bytes()));
        let signer = self.key.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256]);
        let signed = signer.and_then(|signer| signer.sign(said.as_bytes()).ok());
        let signed =
            signed.ok_or_else(|| Trouble::Lasting("the key of the GitHub App cannot sign".into()))?;
        Ok(format!("{said}.{}", Base64UrlUnpadded::encode_string(&signed)))
    }
}
