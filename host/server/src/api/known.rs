//! Refuses parameters of the query that a path does not take: a slip in the name of a filter must not list everything.

use super::Asked;
use crate::problem::{self, Problem};
use axum::extract::{Query, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

pub(super) async fn only(State(asked): State<Asked>, request: Request, next: Next) -> Response {
    if request.uri().query().is_none() {
        return next.run(request).await;
    }
    let names = &asked.query;
    // One that cannot be read is refused by whoever reads it, if anybody does.
    let given = Query::<Vec<(String, String)>>::try_from_uri(request.uri()).map(|given| given.0);
    let given = given.unwrap_or_default();
    match given.iter().find(|(name, _)| !names.contains(name)) {
        Some((name, _)) => {
            let takes = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            let detail = format!("the query has {name:?}, which this path does not take; it takes {takes}");
            Problem::new(problem::INVALID, detail).into_response()
        }
        None => next.run(request).await,
    }
}
