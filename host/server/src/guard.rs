//! Who may speak to the server, asked before any route.

use crate::identity::{Identity, Role};
use crate::problem::{self, Problem};
use crate::state::AppState;
use axum::extract::{OriginalUri, Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::IpAddr;
use subtle::ConstantTimeEq;

/// Who acted, where the client does not say.
pub(crate) const SOMEBODY: &str = "api";

/// Refuses a request whose `Host` is not a loopback name. A page of another site whose name was made to resolve to
/// this machine (DNS rebinding) sends that name, and so never reaches a route.
pub(crate) async fn host(State(state): State<AppState>, request: Request, next: Next) -> Response {
    if !state.options().allow_remote && !names_loopback(request.headers(), request.uri()) {
        let detail = "the Host header must name this machine: localhost, 127.0.0.1 or [::1]";
        return Problem::new(problem::WRONG_HOST, detail).into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Refuses a request without the bearer token.
pub(crate) async fn token(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let right = given.and_then(|value| value.split_once(' ')).is_some_and(|(scheme, token)| {
        scheme.eq_ignore_ascii_case("bearer") && is_token(&state, token.trim())
    });
    if right {
        request.extensions_mut().insert(Identity {
            name: SOMEBODY.to_owned(),
            role: Role::Admin,
            csrf: String::new(),
        });
        next.run(request).await
    } else {
        let detail =
            "send `Authorization: Bearer TOKEN`; the token is in the file `token` of the data folder";
        Problem::new(problem::UNAUTHORIZED, detail).into_response()
    }
}

/// Whether this is the token of the host, in a time that says nothing of how much of it is right.
pub(crate) fn is_token(state: &AppState, given: &str) -> bool {
    let expected = state.options().token.as_bytes();
    let same: bool = given.as_bytes().ct_eq(expected).into();
    !expected.is_empty() && same
}

/// Refuses a request of somebody who may less than `role`.
pub(crate) async fn permitted(role: Role, request: Request, next: Next) -> Response {
    match request.extensions().get::<Identity>() {
        Some(identity) if identity.role >= role => next.run(request).await,
        Some(identity) => {
            let (name, has) = (&identity.name, identity.role.word());
            let needed = role.word();
            let detail = format!("{name} is {has} and this needs {needed}: ask with a token of that role");
            Problem::new(problem::FORBIDDEN, detail).into_response()
        }
        None => Problem::new(problem::UNAUTHORIZED, "nobody is known to have sent this").into_response(),
    }
}

pub(crate) async fn unknown_path(OriginalUri(uri): OriginalUri) -> Problem {
    Problem::new(problem::NOT_FOUND, format!("there is nothing at {}", uri.path()))
}

pub(crate) async fn wrong_method(method: Method, OriginalUri(uri): OriginalUri) -> Problem {
    Problem::new(problem::WRONG_METHOD, format!("{} does not take {method}", uri.path()))
}

fn names_loopback(headers: &HeaderMap, uri: &Uri) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let named = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok().and_then(|text| text.parse::<Authority>().ok()),
        (None, _) => uri.authority().cloned(),
        (Some(_), Some(_)) => None,
    };
    named.is_some_and(|named| is_loopback_name(named.host()))
}

fn is_loopback_name(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_loopback_name;

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
}
