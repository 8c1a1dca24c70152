//! Finds out who sent a request: by a bearer token, or by the cookie of a session. What a session changes must come from a
//! page of this server.

use crate::AppState;
use crate::identity::Identity;
use crate::origin;
use crate::problem::{self, Problem};
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{self, HeaderMap, HeaderValue, Method, header};
use std::sync::Arc;
use std::time::Duration;
use subtle::ConstantTimeEq;

/// Who acted, where the client does not say.
pub(crate) const SOMEBODY: &str = "api";

/// Largest form of a page: its longest field is a description of 50,000 characters, each up to 12 bytes as it is sent.
const FORM_MAX: usize = 1024 * 1024;

/// How long a form may take to arrive.
const FORM_TIME_MAX: Duration = Duration::from_secs(60);

/// Where a script of a page sends what a form has in its field `csrf`.
const CSRF_HEADER: &str = "x-csrf-token";

/// The sender of a request, none if it does not say; and the request, which may have had to be read.
///
/// # Errors
/// A token that is wrong; more requests than allowed; a session's request that no page of this server sent.
pub(crate) async fn sender(
    state: &AppState,
    mut request: Request,
) -> Result<(Option<Identity>, Request), Problem> {
    let from = origin::address(state.options().origin.as_ref(), &request);
    let mut in_session = false;
    let mut found = by_token(state, request.headers(), &from)?;
    if found.is_none() {
        found =
            session_id(state, &request).and_then(|id| state.access().in_session(&id, state.local_digest()));
        in_session = found.is_some();
    }
    state.budget().request(state.access(), found.as_ref(), &from)?;
    let Some(mut identity) = found else { return Ok((None, request)) };
    identity.from = from;
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if in_session && !is_safe {
        request = from_a_page(state, &identity.csrf, request).await?;
    }
    let identity = Identity(Arc::new(identity));
    request.extensions_mut().insert(identity.clone());
    Ok((Some(identity), request))
}

/// Whoever a bearer token belongs to; none if none was sent.
fn by_token(
    state: &AppState,
    headers: &HeaderMap,
    from: &str,
) -> Result<Option<lockstep_access::Identity>, Problem> {
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    let (first, second) = (sent.next(), sent.next());
    let Some(first) = first else { return Ok(None) };
    let bearer = first.to_str().ok().and_then(|value| value.split_once(' '));
    let token = bearer.filter(|(scheme, _)| second.is_none() && scheme.eq_ignore_ascii_case("bearer"));
    match token.and_then(|(_, token)| holder(state, token.trim())) {
        Some(identity) => Ok(Some(identity)),
        None => {
            state.budget().failure(state.access(), from)?;
            Err(unauthorized())
        }
    }
}

/// Whoever may send this token: the user of the data folder, or somebody it was issued to.
pub(crate) fn holder(state: &AppState, token: &str) -> Option<lockstep_access::Identity> {
    let expected = state.options().token.as_bytes();
    let is_local: bool = token.as_bytes().ct_eq(expected).into();
    if is_local && !expected.is_empty() {
        return Some(lockstep_access::Identity::local(SOMEBODY));
    }
    state.access().holder(token)
}

pub(crate) fn unauthorized() -> Problem {
    let detail = "send `Authorization: Bearer TOKEN`; the token is in the file `token` of the data folder, or made by \
                  `lockstep token add`";
    Problem::new(problem::UNAUTHORIZED, detail)
}

/// The id in the cookie of a session. Two cookies of that name are none: one of them was slipped in.
pub(crate) fn session_id<B>(state: &AppState, request: &http::Request<B>) -> Option<String> {
    let (name, _) = origin::cookie(state.options().origin.as_ref(), request.headers(), request.uri());
    let headers = request.headers().get_all(header::COOKIE).iter();
    let pairs = headers.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    let mut ids = pairs.filter_map(|pair| pair.trim().split_once('=')).filter(|(of, _)| *of == name);
    match (ids.next(), ids.next()) {
        (Some((_, id)), None) => Some(id.to_owned()),
        _ => None,
    }
}

/// The header that gives a browser its session, or takes it away.
pub(crate) fn set_cookie(state: &AppState, request: &http::Request<()>, id: Option<&str>) -> HeaderValue {
    let (name, is_secure) = origin::cookie(state.options().origin.as_ref(), request.headers(), request.uri());
    let secure = if is_secure { "; Secure" } else { "" };
    let (id, ends) = id.map_or(("", "; Max-Age=0"), |id| (id, ""));
    let text = format!("{name}={id}; Path=/; HttpOnly; SameSite=Strict{secure}{ends}");
    // An id is hexadecimal, and a name has a port: there is nothing in it that a header does not take.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

/// Refuses what no page of this server sent: by what the browser says, and by what only our pages know.
async fn from_a_page(state: &AppState, expected: &str, request: Request) -> Result<Request, Problem> {
    let refused = |detail: &str| Err(Problem::new(problem::FORGED, detail));
    if !origin::is_from_here(state.options().origin.as_ref(), request.headers(), request.uri()) {
        return refused("this was sent by a page of another site: open the page of this host and try again");
    }
    let is_right = |sent: &str| -> bool { sent.as_bytes().ct_eq(expected.as_bytes()).into() };
    let mut headers = request.headers().get_all(CSRF_HEADER).iter();
    let wrong = "the page is out of date: load it again, and send this once more";
    if let Some(sent) = headers.next() {
        let is_right = headers.next().is_none() && sent.to_str().is_ok_and(is_right);
        return if is_right { Ok(request) } else { refused(wrong) };
    }
    let media = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media = media.and_then(|media| media.split(';').next()).unwrap_or_default().trim();
    if !media.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return refused("send `x-csrf-token` with what a form of the page has in its field `csrf`");
    }
    let (parts, body) = request.into_parts();
    let bytes = match tokio::time::timeout(FORM_TIME_MAX, to_bytes(body, FORM_MAX)).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => {
            let detail = format!("the form is longer than {FORM_MAX} bytes, or was cut off");
            return Err(Problem::new(problem::TOO_LARGE, detail));
        }
        Err(_) => return Err(Problem::new(problem::TOO_SLOW, "the form did not arrive in time")),
    };
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    let mut fields = text.split('&').filter_map(|field| field.strip_prefix("csrf="));
    match (fields.next(), fields.next()) {
        (Some(sent), None) if is_right(sent) => Ok(Request::from_parts(parts, Body::from(bytes))),
        _ => refused(wrong),
    }
}
