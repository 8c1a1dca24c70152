//! Who looks at a page: whoever has signed in with this browser, by a token or by a link of `lockstep open`.

use super::{Refusal, bare, rendered};
use crate::AppState;
use crate::known::{self, sender};
use crate::origin;
use crate::problem::{self, Problem};
use axum::Form;
use axum::extract::{FromRequest, Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use lockstep_access::{Identity, acting};
use lockstep_pages::{SignInPage, SignedInPage};
use lockstep_types::SessionOf;
use serde::Deserialize;

/// A request without its body.
type Head = axum::http::Request<()>;

/// Longest path somebody is brought to after signing in.
const NEXT_MAX: usize = 2000;

/// Lets a request pass that comes from somebody who is known; anybody else is asked to sign in.
pub(super) async fn guard(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let wanted = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let wanted = if request.method() == Method::GET { wanted } else { "/".to_owned() };
    let by_script = request.headers().contains_key("hx-request");
    match sender(&state, request).await {
        Ok((Some(identity), request)) => acting(Some(identity.0), next.run(request)).await,
        Ok((None, _)) => {
            let mut query = wanted;
            for (plain, escaped) in [("%", "%25"), ("&", "%26"), ("#", "%23"), ("+", "%2B")] {
                query = query.replace(plain, escaped);
            }
            let login = format!("/login?next={query}");
            // A script would put the form into the page it was sent from.
            let redirect = HeaderValue::from_str(&login).unwrap_or(HeaderValue::from_static("/login"));
            match by_script {
                true => (StatusCode::UNAUTHORIZED, [(HeaderName::from_static("hx-redirect"), redirect)])
                    .into_response(),
                false => Redirect::to(&login).into_response(),
            }
        }
        Err(problem) => Refusal(bare(""), problem).into_response(),
    }
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    next: String,
    once: Option<String>,
}

pub(super) async fn ask(
    State(state): State<AppState>,
    Query(Wanted { next, once }): Query<Wanted>,
    parts: Parts,
) -> Response {
    let head = Head::from_parts(parts, ());
    let ask = |refused: &str| {
        rendered(&SignInPage {
            frame: bare("Sign in"),
            next: of_this_host(next),
            refused: refused.to_owned(),
        })
    };
    let Some(code) = once else { return ask("") };
    let Some(name) = state.access().use_link(&code) else {
        let from = origin::address(state.options().origin.as_ref(), &head);
        if let Err(problem) = state.budget().failure(state.access(), &from) {
            return Refusal(bare(""), problem).into_response();
        }
        let page = ask("This link was used already, or is too old. Run `lockstep open` for a new one.");
        return (StatusCode::UNAUTHORIZED, page).into_response();
    };
    let of = SessionOf::Local { name: name.clone(), token: state.local_digest() };
    match begin(&state, &head, Identity::local(&name), of).await {
        Ok(cookie) => {
            // Not a redirect: a browser that was sent here by another page would not send the cookie along with it.
            let head =
                [(header::SET_COOKIE, cookie), (header::REFRESH, HeaderValue::from_static("0; url=/"))];
            (head, rendered(&SignedInPage { frame: bare("Signed in"), name })).into_response()
        }
        Err(problem) => Refusal(bare(""), problem).into_response(),
    }
}

#[derive(Deserialize)]
pub(super) struct Credentials {
    token: String,
    #[serde(default)]
    next: String,
}

pub(super) async fn sign_in(State(state): State<AppState>, request: Request) -> Response {
    match signed_in(&state, request).await {
        Ok(response) => response,
        Err(problem) => Refusal(bare(""), problem).into_response(),
    }
}

async fn signed_in(state: &AppState, request: Request) -> Result<Response, Problem> {
    let origin = state.options().origin.as_ref();
    if !origin::is_from_here(origin, request.headers(), request.uri()) {
        let detail = "this was sent by a page of another site: open the page of this host and sign in there";
        return Err(Problem::new(problem::FORGED, detail));
    }
    let from = origin::address(origin, &request);
    let (parts, body) = request.into_parts();
    let head = Head::from_parts(parts.clone(), ());
    let Form(Credentials { token, next }) = Form::from_request(Request::from_parts(parts, body), state)
        .await
        .map_err(|rejection| Problem::new(problem::UNPARSABLE, rejection.body_text()))?;
    let next = of_this_host(next);
    let Some(identity) = known::holder(state, token.trim()) else {
        state.budget().failure(state.access(), &from)?;
        let refused = "That is no token of this host, or no longer one.".to_owned();
        let page = rendered(&SignInPage { frame: bare("Sign in"), next, refused });
        return Ok((StatusCode::UNAUTHORIZED, page).into_response());
    };
    let of = match identity.via.strip_prefix("token ") {
        Some(id) => SessionOf::Token(id.to_owned()),
        None => SessionOf::Local { name: identity.name.clone(), token: state.local_digest() },
    };
    let cookie = begin(state, &head, identity, of).await?;
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(&next)).into_response())
}

/// Ends the session a browser had, and begins another; the cookie that says so.
async fn begin(
    state: &AppState,
    head: &Head,
    identity: Identity,
    of: SessionOf,
) -> Result<HeaderValue, Problem> {
    let from = origin::address(state.options().origin.as_ref(), head);
    let identity = Identity { from, ..identity };
    state.access().happened(&identity, "session.begin", &identity.via).await?;
    if let Some(id) = known::session_id(state, head) {
        state.access().end_session(&id).await?;
    }
    let id = state.access().begin_session(of).await?;
    Ok(known::set_cookie(state, head, Some(&id)))
}

pub(super) async fn sign_out(
    State(state): State<AppState>,
    identity: crate::identity::Identity,
    parts: Parts,
) -> Response {
    let head = Head::from_parts(parts, ());
    let ended = async {
        if let Some(id) = known::session_id(&state, &head) {
            state.access().end_session(&id).await?;
            state.access().happened(&identity, "session.end", &identity.via).await?;
        }
        Ok::<_, Problem>(())
    };
    if let Err(problem) = ended.await {
        return Refusal(bare(""), problem).into_response();
    }
    let gone = known::set_cookie(&state, &head, None);
    ([(header::SET_COOKIE, gone)], Redirect::to("/login")).into_response()
}

/// A path that leads nowhere else: `//example.com` and `/\example.com` are other hosts to a browser, which also drops
/// tabs and line ends on its way there.
fn of_this_host(next: String) -> String {
    let is_plain = next.len() <= NEXT_MAX && next.bytes().all(|byte| byte.is_ascii_graphic());
    let is_ours = next.strip_prefix('/').is_some_and(|rest| !rest.starts_with(['/', '\\']));
    if is_plain && is_ours { next } else { "/".to_owned() }
}
