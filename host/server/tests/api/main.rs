//! The routes over a fake service: what each answers, to whom, and what it refuses.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod access;
mod backtests;
mod board;
mod board_answers;
mod description;
mod editing;
mod events;
mod fake;
mod fake_backtest;
mod fake_board;
mod fake_components;
mod guards;
mod hooks;
mod limits;
mod listening;
mod observed;
mod pages;
mod registry;
mod repeats;
mod roles;
mod routes;
mod sessions;
mod workers;

use axum::body::Body;
use axum::http::{Request, Response};
use fake::FakeService;
use http_body_util::BodyExt;
use lockstep_server::{AppState, Options, Services, app};
use serde_json::Value;
use std::sync::Arc;
use tower::ServiceExt;

const TOKEN: &str = "right-token";

fn state(service: &Arc<FakeService>) -> AppState {
    AppState::new(
        Services::of(service),
        Options { token: TOKEN.to_owned(), allow_remote: false, ..Options::default() },
    )
}

/// A request with the right token and host; `path` may be preceded by a method.
fn request(line: &str, body: impl Into<Body>) -> Request<Body> {
    let (method, path) = line.split_once(' ').unwrap_or(("GET", line));
    Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost:7420")
        .header("authorization", format!("Bearer {TOKEN}"))
        .header("content-type", "application/json")
        .body(body.into())
        .expect("a request of constants")
}

async fn send(service: &Arc<FakeService>, request: Request<Body>) -> Response<Body> {
    app(state(service)).oneshot(request).await.expect("routes do not fail")
}

/// A response as one text: `422 invalid: why` for a problem, else status, content type and body.
async fn shown(response: Response<Body>) -> String {
    let status = response.status().as_u16();
    let media = response.headers().get("content-type").map_or("", |value| value.to_str().unwrap()).to_owned();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let value = || serde_json::from_slice::<Value>(&body).unwrap();
    match media.as_str() {
        "application/problem+json" => {
            let (code, detail) = (&value()["code"], &value()["detail"]);
            format!("{status} {}: {}\n", code.as_str().unwrap(), detail.as_str().unwrap())
        }
        "application/json" => format!("{status} {:#}\n", value()),
        _ => format!("{status} {media}\n{}", String::from_utf8_lossy(&body)),
    }
}

async fn answer(line: &str, body: &'static str) -> String {
    shown(send(&FakeService::new(), request(line, body)).await).await
}
