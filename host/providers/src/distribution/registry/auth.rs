//! Who we are to a registry: what it asks for, and what docker's configuration or the environment answer.

use crate::files;
use base64ct::{Base64, Encoding as _};
use hyper::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use lockstep_ports::Secret;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Largest `config.json` of docker that is read.
const CONFIG_MAX: u64 = 1 << 20;

/// How a registry wants to be told who asks.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// With a name and a password.
    Basic,
    /// With a token for `service`, to be asked for at `realm`.
    Bearer { realm: String, service: Option<String> },
}

impl Challenge {
    /// What an answer 401 asks for; a token rather than a password.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let values = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let offers: Vec<_> = values.filter_map(Self::parse).collect();
        let is_token = |offer: &Self| matches!(offer, Self::Bearer { .. });
        let at = offers.iter().position(is_token).unwrap_or_default();
        offers.into_iter().nth(at)
    }

    fn parse(value: &str) -> Option<Self> {
        let (scheme, rest) = value.trim().split_once(' ').unwrap_or_else(|| (value.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let parameters = parameters(rest);
        let get = |name: &str| {
            let found = parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.clone())
        };
        Some(Self::Bearer { realm: get("realm")?, service: get("service") })
    }

    /// Where to ask for a token that allows `scope`. The registry names one too, but only for the request at hand: a push
    /// begins with looking, and not every registry asks again for more.
    pub(super) fn token_url(realm: &str, service: Option<&str>, scope: &str) -> String {
        let mark = if realm.contains('?') { '&' } else { '?' };
        let service = service.map(|service| format!("service={}&", encoded(service))).unwrap_or_default();
        format!("{realm}{mark}{service}scope={}", encoded(scope))
    }
}

/// Reads `a="b",c=d`.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once('=') {
        let mut value = String::new();
        let mut chars = after.char_indices();
        let mut quoted = false;
        rest = "";
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => quoted = !quoted,
                '\\' if quoted => value.extend(chars.next().map(|(_, c)| c)),
                ',' if !quoted => {
                    rest = &after[at + 1..];
                    break;
                }
                c => value.push(c),
            }
        }
        found.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    found
}

/// `text` as one value of a query.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~:/".contains(&byte);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// The header that carries a token of this answer.
pub(super) fn bearer(answer: &[u8]) -> Option<HeaderValue> {
    #[derive(Deserialize)]
    struct Token {
        token: Option<String>,
        access_token: Option<String>,
    }
    let token: Token = serde_json::from_slice(answer).ok()?;
    let token = Secret::new(token.token.or(token.access_token)?);
    header(&Secret::new(format!("Bearer {}", token.expose())))
}

fn header(value: &Secret) -> Option<HeaderValue> {
    let mut header = HeaderValue::from_str(value.expose()).ok()?;
    header.set_sensitive(true);
    Some(header)
}

/// A name and a password, or why there are none.
pub(super) struct Authority {
    /// Both in one, as they are sent.
    login: Option<Secret>,
    why: &'static str,
}

impl Authority {
    pub(super) fn of(name: &str, password: &Secret) -> Self {
        let both = Secret::new(format!("{name}:{}", password.expose()));
        Self { login: Some(Secret::new(Base64::encode_string(both.expose().as_bytes()))), why: "" }
    }

    pub(super) const fn nobody() -> Self {
        Self { login: None, why: "it wants a name and a password" }
    }

    /// What docker keeps for `host`. Its helper programs are not run.
    pub(super) fn from_docker(config: &Path, host: &str) -> Self {
        #[derive(Deserialize)]
        struct Config {
            #[serde(default)]
            auths: BTreeMap<String, Login>,
        }
        #[derive(Deserialize)]
        struct Login {
            auth: Option<String>,
        }
        let because = |why| Self { login: None, why };
        let config: Config = match files::read_bounded(config, CONFIG_MAX) {
            Ok(Some(bytes)) => match serde_json::from_slice(&bytes) {
                Ok(config) => config,
                Err(_) => return because("docker's config.json cannot be understood"),
            },
            Ok(None) => return Self::nobody(),
            Err(_) => return because("docker's config.json cannot be read"),
        };
        let names = [
            host.to_owned(),
            format!("https://{host}"),
            format!("https://{host}/"),
            format!("https://{host}/v2/"),
        ];
        match names.iter().find_map(|name| config.auths.get(name)) {
            Some(Login { auth: Some(auth) }) if !auth.is_empty() => {
                Self { login: Some(Secret::new(auth.clone())), why: "" }
            }
            Some(_) => because("docker keeps its password in a helper program, which is not asked"),
            None => Self::nobody(),
        }
    }

    /// The header that says it, if there is anything to say.
    pub(super) fn basic(&self) -> Option<HeaderValue> {
        let login = self.login.as_ref()?;
        header(&Secret::new(format!("Basic {}", login.expose())))
    }

    /// Why there is nothing to say.
    pub(super) fn why_nobody(&self) -> String {
        self.why.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(values: &[&'static str]) -> Option<Challenge> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(value));
        }
        Challenge::of(&headers)
    }

    #[test]
    fn a_challenge_is_read() {
        let bearer = |realm: &str, service: Option<&str>| {
            Some(Challenge::Bearer { realm: realm.to_owned(), service: service.map(str::to_owned) })
        };
        assert_eq!(
            challenge(&[
                r#"Bearer realm="https://a.example/token",service="r.example",scope="repository:o/n:pull,push""#
            ]),
            bearer("https://a.example/token", Some("r.example"))
        );
        assert_eq!(
            challenge(&["Basic realm=\"r\"", "bearer realm=https://a.example"]),
            bearer("https://a.example", None)
        );
        assert_eq!(challenge(&["basic"]), Some(Challenge::Basic));
        assert_eq!(challenge(&[r#"Bearer realm="a\"b"#]), bearer("a\"b", None));
        assert_eq!(
            Challenge::token_url("https://a.example/t?x=1", Some("r & s"), "repository:o/n:pull,push"),
            "https://a.example/t?x=1&service=r%20%26%20s&scope=repository:o/n:pull%2Cpush"
        );
        for none in ["Bearer", "Bearer service=\"x\"", "Digest realm=\"x\"", ""] {
            assert_eq!(challenge(&[none]), None, "{none}");
        }
    }

    #[test]
    fn docker_knows_some_registries() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.json");
        let basic = |host: &str| {
            let authority = Authority::from_docker(&file, host);
            authority.basic().map_or_else(|| authority.why_nobody(), |v| v.to_str().unwrap().to_owned())
        };
        assert_eq!(basic("r.example"), "it wants a name and a password");
        std::fs::write(
            &file,
            r#"{"auths":{"r.example":{"auth":"YTpi"},"https://s.example":{"auth":"Yzpk"},"t.example":{}}}"#,
        )
        .unwrap();
        assert_eq!(basic("r.example"), "Basic YTpi");
        assert_eq!(basic("s.example"), "Basic Yzpk");
        assert_eq!(basic("t.example"), "docker keeps its password in a helper program, which is not asked");
        assert_eq!(basic("u.example"), "it wants a name and a password");
        std::fs::write(&file, "{").unwrap();
        assert_eq!(basic("r.example"), "docker's config.json cannot be understood");
    }

    #[test]
    fn a_token_and_a_password_never_show() {
        let header = bearer(br#"{"access_token":"hidden"}"#).unwrap();
        assert_eq!(header, "Bearer hidden");
        assert!(!format!("{header:?}").contains("hidden"));
        assert_eq!(Authority::of("ann", &Secret::new("pw".into())).basic().unwrap(), "Basic YW5uOnB3");
        assert_eq!(bearer(b"{}"), None);
        assert_eq!(bearer(br#"{"token":"a\nb"}"#), None);
    }
}
