//! Under which names the server is spoken to, and from where.

use axum::http::uri::{Authority, Scheme};
use axum::http::{HeaderMap, Request, Uri, header};
use std::net::{IpAddr, SocketAddr};

/// Cookie of a session where the server is known by a public name: a browser takes it from nobody else, and only by TLS.
const COOKIE_OF_ORIGIN: &str = "__Host-lockstep";

/// The public address of a server behind a proxy: `https://lockstep.example.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    scheme: Scheme,
    authority: Authority,
}

impl Origin {
    /// Reads `https://NAME` or `http://NAME`, with a port if it is not the usual one.
    ///
    /// # Errors
    /// One line: it is something else.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no origin: write https://NAME, with :PORT if it is not 443");
        let uri: Uri = text.trim_end_matches('/').parse().map_err(|_| wrong())?;
        let parts = uri.into_parts();
        let (scheme, authority) = parts.scheme.zip(parts.authority).ok_or_else(wrong)?;
        let is_bare = parts.path_and_query.is_none_or(|path| path == "/");
        let is_web = scheme == Scheme::HTTPS || scheme == Scheme::HTTP;
        if !is_bare || !is_web || authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(wrong());
        }
        Ok(Self { scheme, authority })
    }

    /// Whether browsers reach it by TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    fn is_named(&self, host: &Authority) -> bool {
        let usual = if self.is_secure() { 443 } else { 80 };
        let port = |authority: &Authority| authority.port_u16().unwrap_or(usual);
        host.host().eq_ignore_ascii_case(self.authority.host()) && port(host) == port(&self.authority)
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}

/// The address at the other end of the connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// The address a request comes from; empty where there is no connection. A proxy of this machine is believed what it says,
/// if the operator said that there is one by naming the origin it stands for.
pub(crate) fn address<B>(origin: Option<&Origin>, request: &Request<B>) -> String {
    let Some(Peer(peer)) = request.extensions().get::<Peer>() else { return String::new() };
    let forwarded = || {
        let last = request.headers().get_all("x-forwarded-for").iter().next_back()?;
        last.to_str().ok()?.rsplit(',').next()?.trim().parse::<IpAddr>().ok()
    };
    let told = if origin.is_some() && peer.ip().is_loopback() { forwarded() } else { None };
    told.unwrap_or_else(|| peer.ip()).to_canonical().to_string()
}

/// The name a request gives the server; none if it gives none, or two.
pub(crate) fn named(headers: &HeaderMap, uri: &Uri) -> Option<Authority> {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok()?.parse().ok(),
        (None, _) => uri.authority().cloned(),
        (Some(_), Some(_)) => None,
    }
}

/// Whether the server answers to this name. Without an origin, a server that others may reach answers to any.
pub(crate) fn answers_to(origin: Option<&Origin>, allow_remote: bool, host: Option<&Authority>) -> bool {
    match (host, origin) {
        (None, None) => allow_remote,
        (None, Some(_)) => false,
        (Some(host), _) if is_loopback_name(host.host()) => true,
        (Some(host), Some(origin)) => origin.is_named(host),
        (Some(_), None) => allow_remote,
    }
}

/// Whether a browser says that a page of this server sent the request. One that says nothing of it is old, or is none.
pub(crate) fn is_from_here(origin: Option<&Origin>, headers: &HeaderMap, uri: &Uri) -> bool {
    let text = |name: &str| headers.get_all(name).iter().map(|value| value.to_str().unwrap_or("?"));
    if text("sec-fetch-site").any(|site| site != "same-origin") {
        return false;
    }
    let Some(host) = named(headers, uri) else { return false };
    let is_ours = |sent: &str| match Origin::parse(sent) {
        Ok(sent) if is_loopback_name(host.host()) && origin.is_none_or(|origin| !origin.is_named(&host)) => {
            sent.scheme == Scheme::HTTP && sent.is_named(&host)
        }
        Ok(sent) => match origin {
            Some(origin) => sent.scheme == origin.scheme && origin.is_named(&sent.authority),
            None => sent.is_named(&host),
        },
        Err(_) => false,
    };
    text("origin").all(is_ours)
}

/// What the cookie of a session is called, and whether it is for TLS alone. Browsers keep the cookies of all ports of a
/// machine together, so that without the port two servers would end each other's sessions.
pub(crate) fn cookie(origin: Option<&Origin>, headers: &HeaderMap, uri: &Uri) -> (String, bool) {
    let host = named(headers, uri);
    match origin {
        Some(origin) if origin.is_secure() && host.as_ref().is_some_and(|host| origin.is_named(host)) => {
            (COOKIE_OF_ORIGIN.to_owned(), true)
        }
        _ => (format!("lockstep-{}", host.and_then(|host| host.port_u16()).unwrap_or(80)), false),
    }
}

fn is_loopback_name(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::{Origin, answers_to, is_from_here, is_loopback_name};
    use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};

    #[test]
    fn only_names_of_this_machine_are_loopback() {
        for name in ["localhost", "LocalHost", "127.0.0.1", "127.1.2.3", "[::1]"] {
            assert!(is_loopback_name(name), "{name}");
        }
        for name in [
            "",
            "example.com",
            "localhost.example.com",
            "127.0.0.1.example.com",
            "10.0.0.1",
            "[::]",
            "0.0.0.0",
        ] {
            assert!(!is_loopback_name(name), "{name}");
        }
    }

    #[test]
    fn an_origin_is_a_scheme_and_a_name() {
        for (text, secure) in
            [("https://a.example", true), ("https://a.example:8443/", true), ("http://a", false)]
        {
            assert_eq!(Origin::parse(text).map(|origin| origin.is_secure()), Ok(secure), "{text}");
        }
        for text in
            ["", "a.example", "https://", "https://a/b", "https://a?b", "ftp://a", "https://u@a", "null"]
        {
            assert!(Origin::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_server_with_an_origin_answers_to_it_and_to_this_machine() {
        let origin = Origin::parse("https://steps.example").expect("an origin");
        let host = |text: &str| text.parse().ok();
        for (name, bare, remote, behind) in [
            ("127.0.0.1:7420", true, true, true),
            ("steps.example", false, true, true),
            ("STEPS.example:443", false, true, true),
            ("steps.example:80", false, true, false),
            ("evil.example", false, true, false),
        ] {
            let host = host(name);
            assert_eq!(answers_to(None, false, host.as_ref()), bare, "{name}");
            assert_eq!(answers_to(None, true, host.as_ref()), remote, "{name}");
            assert_eq!(answers_to(Some(&origin), true, host.as_ref()), behind, "{name}");
        }
        assert!(!answers_to(Some(&origin), true, None));
    }

    #[test]
    fn a_page_of_another_site_is_known_by_what_its_browser_says() {
        let origin = Origin::parse("https://steps.example").expect("an origin");
        let from = |origin: Option<&Origin>, pairs: &[(&'static str, &'static str)]| {
            let headers: HeaderMap = pairs
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
                .collect();
            is_from_here(origin, &headers, &Uri::from_static("/"))
        };
        let here = ("host", "localhost:7420");
        assert!(from(None, &[here]));
        assert!(from(None, &[here, ("origin", "http://localhost:7420"), ("sec-fetch-site", "same-origin")]));
        for wrong in [
            ("origin", "null"),
            ("origin", "http://localhost:7421"),
            ("origin", "https://localhost:7420"),
            ("origin", "http://evil.example"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("sec-fetch-site", "none"),
        ] {
            assert!(!from(None, &[here, wrong]), "{wrong:?}");
        }
        let public = ("host", "steps.example");
        assert!(from(Some(&origin), &[public, ("origin", "https://steps.example")]));
        assert!(!from(Some(&origin), &[public, ("origin", "http://steps.example")]));
        assert!(from(Some(&origin), &[here, ("origin", "http://localhost:7420")]));
        assert!(!from(Some(&origin), &[here, ("origin", "https://steps.example")]));
        assert!(!from(None, &[here, ("origin", "http://localhost:7420"), ("origin", "http://evil.example")]));
    }
}
