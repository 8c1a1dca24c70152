//! Who looks at a page. The cookie of a browser holds the token of the data folder.

use super::{bare, rendered};
use crate::AppState;
use crate::guard::{self, SOMEBODY};
use crate::identity::{Identity, Role};
use axum::Form;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use lockstep_pages::SignInPage;
use lockstep_types::Digest;
use serde::Deserialize;

const COOKIE: &str = "lockstep-session";

/// Lets a request pass that comes from somebody who has signed in; anybody else is asked to.
pub(super) async fn guard(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let token = cookie(request.headers()).filter(|token| guard::is_token(&state, token));
    let Some(token) = token else {
        let wanted = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let next = if request.method() == Method::GET { wanted } else { "/" };
        let query = next.replace('%', "%25").replace('&', "%26").replace('#', "%23").replace('+', "%2B");
        return Redirect::to(&format!("/login?next={query}")).into_response();
    };
    let csrf = Digest::of_parts(&[b"csrf", token.as_bytes()]).to_string();
    request.extensions_mut().insert(Identity { name: SOMEBODY.to_owned(), role: Role::Admin, csrf });
    next.run(request).await
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    next: String,
}

pub(super) async fn ask(Query(Wanted { next }): Query<Wanted>) -> Response {
    rendered(&SignInPage { frame: bare("Sign in"), next: of_this_host(next), refused: String::new() })
}

#[derive(Deserialize)]
pub(super) struct Credentials {
    token: String,
    #[serde(default)]
    next: String,
}

pub(super) async fn sign_in(
    State(state): State<AppState>,
    Form(Credentials { token, next }): Form<Credentials>,
) -> Response {
    let next = of_this_host(next);
    if !guard::is_token(&state, token.trim()) {
        let refused = "That is not the token of this host.".to_owned();
        let page = rendered(&SignInPage { frame: bare("Sign in"), next, refused });
        return (StatusCode::UNAUTHORIZED, page).into_response();
    }
    let cookie = format!("{COOKIE}={}; Path=/; HttpOnly; SameSite=Strict", token.trim());
    let cookie = HeaderValue::from_str(&cookie).map_err(|_| StatusCode::BAD_REQUEST);
    cookie.map(|cookie| ([(header::SET_COOKIE, cookie)], Redirect::to(&next))).into_response()
}

#[derive(Deserialize)]
pub(super) struct Out {
    csrf: String,
}

pub(super) async fn sign_out(identity: Identity, Form(Out { csrf }): Form<Out>) -> Response {
    if csrf != identity.csrf {
        return StatusCode::FORBIDDEN.into_response();
    }
    let gone = format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    ([(header::SET_COOKIE, gone)], Redirect::to("/login")).into_response()
}

/// A path that leads nowhere else: `//example.com` and `/\example.com` are other hosts to a browser.
fn of_this_host(next: String) -> String {
    let is_ours = next.strip_prefix('/').is_some_and(|rest| !rest.starts_with(['/', '\\']));
    if is_ours { next } else { "/".to_owned() }
}

fn cookie(headers: &HeaderMap) -> Option<String> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = pairs.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| value.to_owned())
}
