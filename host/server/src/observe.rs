//! What is seen of every request: an id, a line of the log, a span, a count.

use crate::state::AppState;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use lockstep_ports::{Measure, Meter, MetricsPage, NoMeter};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Instant;
use tracing::Instrument as _;

/// Header by which a request goes by the same name everywhere.
const REQUEST_ID: &str = "x-request-id";

/// Longest id that is taken over from a client.
const ID_MAX: usize = 64;

/// What the server tells of itself, and whom it asks whether the host is ready.
#[derive(Clone)]
pub struct Watch {
    /// Counts requests.
    pub meter: Arc<dyn Meter>,
    /// Shows what was counted, under `/metrics`; none: there is no such page.
    pub metrics: Option<Arc<dyn MetricsPage>>,
    /// Whether `/metrics` needs no token.
    pub open_metrics: bool,
    /// Says what is not ready; none: the host is, if it answers.
    pub readiness: Option<Arc<dyn lockstep_ports::Readiness>>,
}

impl Default for Watch {
    fn default() -> Self {
        Self { meter: NoMeter::shared(), metrics: None, open_metrics: false, readiness: None }
    }
}

/// Gives a request its id, and counts it with its answer.
pub(crate) async fn requests(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let id = id_of(&request);
    let method = word(request.method());
    let route = request.extensions().get::<MatchedPath>().map_or("-", MatchedPath::as_str).to_owned();
    // Not only for traces: whatever is logged meanwhile carries the id.
    let span = tracing::error_span!("request", id, method, route, status = tracing::field::Empty);
    let begun = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let (status, time) = (response.status().as_u16(), begun.elapsed());
    span.record("status", status);
    span.in_scope(|| tracing::info!(us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX), "answered"));
    state.watch().meter.note(&Measure::Request { method, route: &route, status, time });
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// The id a client gave, if it is one, else a new one.
fn id_of(request: &Request) -> String {
    let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    match given {
        Some(id) if !id.is_empty() && id.len() <= ID_MAX && id.chars().all(plain) => id.to_owned(),
        // Seeds of hash maps are random, and no two the same.
        _ => format!("{:016x}", RandomState::new().build_hasher().finish()),
    }
}

/// Methods are counted by name; a client may make up its own.
fn word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
