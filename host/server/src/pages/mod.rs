//! The pages, over the same services as `/v1`. A route here reads, calls a service once, and hands what it got to
//! `lockstep_pages`; a form that changes something is answered by a redirect to the page that shows it.

mod live;
mod runs;
mod session;

use crate::AppState;
use crate::identity::Identity;
use crate::problem::Problem;
use axum::Router;
use axum::extract::{OriginalUri, Path, Request};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use lockstep_pages::{Frame, ProblemPage, Section, Template, assets};
use lockstep_types::Timestamp;
use std::time::SystemTime;

/// Nothing but what this host serves, no script or style within a page, no frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Every page with what it refers to.
pub(crate) fn pages(state: &AppState) -> Router<AppState> {
    let signed_in = Router::new()
        .route("/", get(|| async { Redirect::to("/runs") }))
        .route("/runs", get(runs::list))
        .route("/live", get(live::live))
        .route("/logout", post(session::sign_out))
        .layer(from_fn_with_state(state.clone(), session::guard));
    Router::new()
        .merge(signed_in)
        .route("/login", get(session::ask).post(session::sign_in))
        .route("/assets/{name}", get(asset))
        .layer(from_fn(with_policy))
}

async fn with_policy(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

async fn asset(Path(name): Path<String>) -> Response {
    match assets::ASSETS.iter().find(|asset| asset.name == name) {
        Some(asset) => {
            let head: [(HeaderName, &str); 2] =
                [(header::CONTENT_TYPE, asset.media), (header::CACHE_CONTROL, "private, max-age=300")];
            (head, asset.text).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// What a page is answered with, or why it cannot be.
type Shown = Result<Response, Refusal>;

/// A problem as a page shows it.
struct Refusal(Frame, Problem);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self(mut frame, problem) = self;
        problem.title().clone_into(&mut frame.title);
        frame.live.clear();
        (problem.status(), rendered(&ProblemPage { frame, detail: problem.detail().to_owned() }))
            .into_response()
    }
}

fn rendered(page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => Html(html).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be made");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// The frame of a page for somebody who has signed in.
async fn frame(
    state: &AppState,
    identity: &Identity,
    title: &str,
    section: Section,
    OriginalUri(uri): &OriginalUri,
) -> Frame {
    // A count that cannot be read is no reason not to show the page.
    let waiting = state.board().cards(None).await.map_or(0, |cards| cards.len());
    Frame {
        section: Some(section),
        who: Some(identity.name.clone()),
        csrf: identity.csrf.clone(),
        waiting,
        live: uri.path_and_query().map_or_else(String::new, ToString::to_string),
        ..bare(title)
    }
}

/// The frame of a page for nobody in particular.
fn bare(title: &str) -> Frame {
    Frame {
        title: title.to_owned(),
        section: None,
        who: None,
        csrf: String::new(),
        workspace: None,
        waiting: 0,
        live: String::new(),
        done: String::new(),
        now: now(),
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
