//! The pages, over the same services as `/v1`. A route here reads, calls a service once, and hands what it got to
//! `lockstep_pages`; a form that changes something is answered by a redirect to the page that shows it.

mod acts;
mod form;
mod inbox;
mod live;
mod run;
mod runs;
mod session;

use crate::AppState;
use crate::identity::{Identity, Role};
use crate::problem::Problem;
use axum::Router;
use axum::extract::{FromRequestParts, OriginalUri, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use form::Told;
use lockstep_pages::{Frame, ProblemPage, Section, Template, Typed, assets};
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
        .route("/runs/bulk", post(runs::bulk))
        .route("/runs/{run}", get(run::show))
        .route("/runs/{run}/act", post(acts::on_run))
        .route("/runs/{run}/answers", post(acts::answer))
        .route("/runs/{run}/actions", post(acts::action))
        .route("/runs/{run}/verify", post(run::verify))
        .route("/runs/{run}/report", get(run::report))
        .route("/runs/{run}/calls/{call}/capsule", get(run::capsule))
        .route("/runs/{run}/steps/{step}", get(run::step))
        .route("/runs/{run}/steps/{step}/log", get(run::log))
        .route("/inbox", get(inbox::show))
        .route("/inbox/cards", post(acts::card))
        .route("/live", get(live::live))
        .route("/logout", post(session::sign_out))
        .layer(from_fn_with_state(state.clone(), session::guard));
    Router::new()
        .merge(signed_in.layer(from_fn(form::hand_on)))
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

/// A request for a page: who looks, where, and what the form before it came to.
struct Visit {
    identity: Identity,
    uri: Uri,
    told: Told,
}

impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let identity = Identity::from_request_parts(parts, state).await;
        let identity = identity.map_err(|problem| Refusal(bare("Sign in"), problem))?;
        let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |OriginalUri(uri)| uri).clone();
        let told = parts.extensions.get::<Told>().cloned().unwrap_or_default();
        Ok(Self { identity, uri, told })
    }
}

impl Visit {
    /// The frame of the page. It is fetched again when something changes, unless it answers a form.
    async fn frame(&self, state: &AppState, title: &str, section: Section) -> Frame {
        // A count that cannot be read is no reason not to show the page.
        let waiting = state.board().cards(None).await.map_or(0, |cards| cards.len());
        Frame {
            section: Some(section),
            who: Some(self.identity.name.clone()),
            operates: self.identity.role >= Role::Operator,
            administers: self.identity.role >= Role::Admin,
            csrf: self.identity.csrf.clone(),
            waiting,
            live: self.uri.path_and_query().map_or_else(String::new, ToString::to_string),
            done: self.told.done.clone(),
            refused: self.told.refused.clone(),
            ..bare(title)
        }
    }
}

/// The frame of a page for nobody in particular.
fn bare(title: &str) -> Frame {
    Frame {
        title: title.to_owned(),
        section: None,
        who: None,
        operates: false,
        administers: false,
        csrf: String::new(),
        workspace: None,
        waiting: 0,
        live: String::new(),
        done: String::new(),
        refused: String::new(),
        typed: Typed::default(),
        now: now(),
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
