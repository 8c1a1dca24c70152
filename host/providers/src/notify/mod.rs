//! Messages about what happens in runs, to addresses the operator names.

mod message;
mod slack;

use crate::files::{blocking, create_private_dir, read_json, write_json};
use crate::http::{Http, HttpFault, HttpRequest};
use async_trait::async_trait;
use base64ct::{Base64, Encoding as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use lockstep_ports::{Bookmark, Bookmarks, Happening, Listener, Message, MessageError, Secret};
use sha2::Sha256;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// What is written before the bytes of a key that is in base64.
const KEY_PREFIX: &str = "whsec_";

/// How messages look.
#[derive(Clone, Debug)]
pub enum NotifyFormat {
    /// JSON, signed with this key as the Standard Webhooks say, if there is one.
    Json(Option<Secret>),
    /// As Slack takes it, and those who imitate it.
    Slack,
}

/// Somebody who is told over HTTP.
#[derive(Debug)]
pub struct NotifyEndpoint {
    http: Http,
    name: String,
    format: NotifyFormat,
    wanted: BTreeSet<Happening>,
    /// Address of the pages, without a slash at its end.
    origin: String,
}

impl NotifyEndpoint {
    /// Tells the base of `http` of what is `wanted`. `name` is that of its place in the feed, `origin` the address under
    /// which people reach the host.
    #[must_use]
    pub fn new(
        http: Http,
        name: String,
        format: NotifyFormat,
        wanted: BTreeSet<Happening>,
        origin: &str,
    ) -> Self {
        Self { http, name, format, wanted, origin: origin.trim_end_matches('/').to_owned() }
    }

    fn request(&self, delivery: &Message) -> HttpRequest {
        let request = HttpRequest::post("").repeatable();
        match &self.format {
            NotifyFormat::Slack => request.json(&slack::message(delivery, &self.origin)),
            NotifyFormat::Json(key) => {
                let body = message::message(delivery, &self.origin).to_string();
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
                let request =
                    request.header("webhook-id", &delivery.id).header("webhook-timestamp", &now.to_string());
                let request = match key {
                    Some(key) => {
                        request.header("webhook-signature", &signature(key, &delivery.id, now, &body))
                    }
                    None => request,
                };
                request.bytes("application/json", body)
            }
        }
    }
}

#[async_trait]
impl Listener for NotifyEndpoint {
    fn name(&self) -> &str {
        &self.name
    }

    fn wants(&self, what: Happening) -> bool {
        self.wanted.contains(&what)
    }

    async fn deliver(&self, delivery: &Message) -> Result<(), MessageError> {
        let answer = self.http.send(&self.request(delivery)).await.and_then(|response| response.ok());
        answer.map(drop).map_err(|error| {
            // A receiver that is being set up or moved says so for a while.
            let is_gone = matches!(error.fault, HttpFault::Status { status: 401 | 403 | 404 | 410, .. });
            MessageError { message: error.to_string(), is_temporary: error.is_temporary() || is_gone }
        })
    }
}

/// `v1,BASE64` of the HMAC-SHA256 of id, time and body, as the Standard Webhooks say.
fn signature(key: &Secret, id: &str, seconds: u64, body: &str) -> String {
    let text = key.expose();
    let decoded = text.strip_prefix(KEY_PREFIX).and_then(|text| Base64::decode_vec(text).ok());
    let bytes = decoded.unwrap_or_else(|| text.as_bytes().to_vec());
    // A key of any length is one.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&bytes) else { return String::new() };
    mac.update(format!("{id}.{seconds}.{body}").as_bytes());
    format!("v1,{}", Base64::encode_string(&mac.finalize().into_bytes()))
}

/// Bookmarks as files of a folder.
#[derive(Clone, Debug)]
pub struct BookmarkFiles {
    folder: PathBuf,
}

impl BookmarkFiles {
    /// Those of a data folder.
    #[must_use]
    pub fn new(data: &Path) -> Self {
        Self { folder: data.join("listeners") }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.json"))
    }
}

#[async_trait]
impl Bookmarks for BookmarkFiles {
    async fn load(&self, name: &str) -> Result<Option<Bookmark>, String> {
        let file = self.file(name);
        let shown = file.display().to_string();
        blocking(move || read_json(&file)).await.map_err(|error| format!("{shown}: {error}"))
    }

    async fn save(&self, name: &str, bookmark: &Bookmark) -> Result<(), String> {
        let (file, folder, bookmark) = (self.file(name), self.folder.clone(), bookmark.clone());
        let shown = file.display().to_string();
        let write = move || {
            create_private_dir(&folder)?;
            write_json(&file, &bookmark)
        };
        blocking(write).await.map_err(|error| format!("{shown}: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::signature;
    use lockstep_ports::Secret;

    #[test]
    fn a_signature_is_that_of_the_standard_webhooks() {
        // The example of the specification.
        let key = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned());
        let body = r#"{"test": 2432232314}"#;
        let signed = signature(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let plain = signature(&Secret::new("plain".to_owned()), "a", 1, "b");
        assert!(plain.starts_with("v1,") && plain.len() == 47, "{plain}");
    }
}
