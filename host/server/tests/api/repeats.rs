//! Requests that come again under their idempotency key.

use crate::fake::FakeService;
use crate::{TOKEN, request, shown};
use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use expect_test::expect;
use lockstep_ports::{JournalError, Replies, Reply};
use lockstep_server::{AppState, Options, Services, app};
use lockstep_types::{Digest, Timestamp};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::sync::Semaphore;
use tower::ServiceExt;

/// A store that outlives servers. Every write waits for a permit.
struct Kept {
    rows: Mutex<HashMap<Digest, Reply>>,
    permits: Semaphore,
}

impl Kept {
    fn new(writes: usize) -> Arc<Self> {
        Arc::new(Self { rows: Mutex::default(), permits: Semaphore::new(writes) })
    }

    async fn write(&self) -> Result<(), JournalError> {
        self.permits.acquire().await.map_err(|_| JournalError::Closed)?.forget();
        Ok(())
    }
}

#[async_trait]
impl Replies for Kept {
    async fn keys(&self) -> Result<Vec<(Digest, Timestamp)>, JournalError> {
        Ok(self.rows.lock().unwrap().iter().map(|(key, reply)| (*key, reply.at)).collect())
    }
    async fn reply(&self, key: &Digest) -> Result<Option<Reply>, JournalError> {
        Ok(self.rows.lock().unwrap().get(key).cloned())
    }
    async fn keep(&self, key: &Digest, reply: &Reply) -> Result<(), JournalError> {
        self.write().await?;
        self.rows.lock().unwrap().insert(*key, reply.clone());
        Ok(())
    }
    async fn forget(&self, keys: &[(Digest, Timestamp)]) -> Result<(), JournalError> {
        keys.iter().for_each(|(key, _)| drop(self.rows.lock().unwrap().remove(key)));
        Ok(())
    }
}

fn server(service: &Arc<FakeService>, kept: &Arc<Kept>) -> Router {
    let kept: Arc<dyn Replies> = Arc::<Kept>::clone(kept);
    let services = Services { replies: Some(kept), ..Services::of(service) };
    app(AppState::new(services, Options { token: TOKEN.to_owned(), ..Options::default() }))
}

fn keyed(line: &str, body: &'static str, key: &str) -> Request<Body> {
    let mut request = request(line, body);
    request.headers_mut().insert("idempotency-key", key.parse().unwrap());
    request
}

async fn ask(server: &Router, line: &str, body: &'static str, key: &str) -> String {
    let response = server.clone().oneshot(keyed(line, body, key)).await.unwrap();
    let again = response.headers().contains_key("idempotency-replayed");
    let shown = shown(response).await;
    format!("{}{}", if again { "again: " } else { "" }, shown.lines().next().unwrap_or_default())
}

const ITEMS: &str = "POST /v1/workspaces/shop/items";
const ITEM: &str = r#"{"title":"x"}"#;

#[tokio::test]
async fn what_comes_again_is_answered_again_and_done_once_even_by_the_next_server() {
    let (service, kept) = (FakeService::new(), Kept::new(9));
    let first = server(&service, &kept);
    let made = first.clone().oneshot(keyed(ITEMS, ITEM, "a")).await.unwrap();
    let again = first.clone().oneshot(keyed(ITEMS, ITEM, "\"a\"")).await.unwrap();
    assert_eq!(made.headers()["location"], again.headers()["location"]);
    let made = shown(made).await;
    assert_eq!(made, shown(again).await);
    let next = server(&service, &kept).oneshot(keyed(ITEMS, ITEM, "a")).await.unwrap();
    assert_eq!(next.headers()["idempotency-replayed"], "true");
    assert_eq!(made, shown(next).await);
    assert_eq!(service.calls().lines().count(), 1);
    let other = ask(&first, ITEMS, r#"{"title":"y"}"#, "a").await;
    expect!["422 key-reused: This `Idempotency-Key` came with another request before: use a key for one request only."]
        .assert_eq(&other);
    let elsewhere = ask(&first, "POST /v1/workspaces/mill/items", ITEM, "a").await;
    assert_eq!(elsewhere, other);
    assert_eq!(ask(&first, ITEMS, ITEM, "b").await, "201 {");
    assert_eq!(service.calls().lines().count(), 2);
}

#[tokio::test]
async fn one_that_is_under_way_is_in_use() {
    let (service, kept) = (FakeService::new(), Kept::new(0));
    let server = server(&service, &kept);
    // The runtime has one thread: each of them goes as far as it can before this goes on.
    let ask_later = |key| {
        let server = server.clone();
        tokio::spawn(async move { ask(&server, ITEMS, ITEM, key).await })
    };
    let (first, second) = (ask_later("a"), ask_later("a"));
    let told = tokio::select! {
        told = first => told.unwrap(),
        told = second => told.unwrap(),
    };
    let in_use = "409 key-in-use: The first request with this `Idempotency-Key` is still under way: ask again in a moment.";
    assert_eq!(told, in_use);
    kept.permits.add_permits(9);
    let mut told = in_use.to_owned();
    while told == in_use {
        told = ask(&server, ITEMS, ITEM, "a").await;
        tokio::task::yield_now().await;
    }
    assert_eq!(told, "again: 201 {");
    assert_eq!(service.calls().lines().count(), 1);
}

#[tokio::test]
async fn what_was_not_done_may_be_tried_again() {
    let (service, kept) = (FakeService::new(), Kept::new(9));
    let server = server(&service, &kept);
    let busy = "POST /v1/runs/busy/retry";
    for _ in 0..2 {
        assert_eq!(ask(&server, busy, "", "a").await, "409 conflict: run busy: so it is");
        assert_eq!(
            ask(&server, "POST /v1/runs/away/retry", "", "b").await,
            "503 unavailable: run away: so it is"
        );
    }
    assert!(kept.rows.lock().unwrap().is_empty());
    assert_eq!(service.calls().lines().count(), 4);
    assert_eq!(
        ask(&server, "POST /v1/runs/broken/retry", "", "c").await,
        "500 internal: run broken: so it is"
    );
    assert_eq!(
        ask(&server, "POST /v1/runs/broken/retry", "", "c").await,
        "again: 500 internal: run broken: so it is"
    );
}

#[tokio::test]
async fn one_that_was_cut_off_is_not_done_again_unless_that_does_no_harm() {
    let (service, kept) = (FakeService::new(), Kept::new(9));
    let start = r#"{"pipeline":"p","repository":"/r","branch":"feature"}"#;
    let first = server(&service, &kept);
    ask(&first, ITEMS, ITEM, "item").await;
    ask(&first, "POST /v1/runs", start, "run").await;
    // As the store would be after a crash between the beginning and the end.
    kept.rows.lock().unwrap().values_mut().for_each(|reply| reply.answer = None);
    let next = server(&service, &kept);
    let told = ask(&next, ITEMS, ITEM, "item").await;
    assert!(told.starts_with("409 key-unsettled: The host ended while"), "{told}");
    assert_eq!(ask(&next, "POST /v1/runs", start, "run").await, "201 {");
    assert_eq!(ask(&next, "POST /v1/runs", start, "run").await, "again: 201 {");
    assert_eq!(service.calls().matches("token Some(\"run\")").count(), 2);
}

#[tokio::test]
async fn old_keys_make_room() {
    let (service, kept) = (FakeService::new(), Kept::new(9));
    let request = Digest::of(b"x");
    for number in 0..5000_u64 {
        let key = Digest::of(&number.to_be_bytes());
        kept.rows.lock().unwrap().insert(key, Reply { request, at: Timestamp(number), answer: None });
    }
    assert_eq!(ask(&server(&service, &kept), ITEMS, ITEM, "a").await, "201 {");
    assert_eq!(kept.rows.lock().unwrap().len(), 1, "all the others are older than a day");
}

#[tokio::test]
async fn every_post_takes_a_key_and_refuses_what_is_none() {
    let (service, kept) = (FakeService::new(), Kept::new(99));
    let server = server(&service, &kept);
    for line in ["POST /v1/runs/run-1/stop", "POST /v1/runs/run-1/verify", "POST /v1/notices/run-1:n1/act"] {
        assert_eq!(ask(&server, line, "", line.rsplit('/').next().unwrap()).await, "200 {", "{line}");
        let long = "k".repeat(256);
        assert_eq!(
            ask(&server, line, "", &long).await,
            "422 invalid: `Idempotency-Key` must be 1 to 255 visible ASCII characters"
        );
    }
    let mut upload = keyed("POST /v1/components", "x", "c");
    upload.headers_mut().insert("content-type", "application/wasm".parse().unwrap());
    assert_eq!(server.clone().oneshot(upload).await.unwrap().status(), 201);
}
