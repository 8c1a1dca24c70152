//! Webhooks: what is taken, what is refused, and that nothing is acknowledged before it is kept.

use crate::fake::FakeService;
use crate::{TOKEN, request, shown};
use axum::body::Body;
use axum::http::{Request, Response};
use expect_test::expect;
use hmac::{Hmac, KeyInit, Mac};
use lockstep_ports::{Deliveries, Secret};
use lockstep_server::{AppState, Hooks, Options, Services, app};
use lockstep_testkit::{MemDeliveries, SimClock};
use lockstep_types::Timestamp;
use std::sync::Arc;
use tower::ServiceExt;

const SECRET: &str = "it's a secret to everybody";

async fn send(kept: &MemDeliveries, request: Request<Body>) -> Response<Body> {
    let hooks = Hooks {
        deliveries: Arc::new(kept.clone()),
        clock: Arc::new(SimClock::new(Timestamp(1000), 1)),
        secret: Some(Secret::new(SECRET.to_owned())),
    };
    let services = Services { hooks: Some(hooks), ..Services::of(&FakeService::new()) };
    let options = Options { token: TOKEN.to_owned(), ..Options::default() };
    app(AppState::new(services, options)).oneshot(request).await.unwrap()
}

fn sign(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    let digits: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={digits}")
}

fn delivery(id: &str, body: &str) -> Request<Body> {
    Request::post("/hooks/github")
        .header("host", "hooks.example.org")
        .header("content-type", "application/json")
        .header("x-github-event", "push")
        .header("x-github-delivery", id)
        .header("x-hub-signature-256", sign(SECRET, body.as_bytes()))
        .body(Body::from(body.to_owned()))
        .unwrap()
}

fn with(mut request: Request<Body>, name: &'static str, value: Option<&str>) -> Request<Body> {
    request.headers_mut().remove(name);
    if let Some(value) = value {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    request
}

/// The example GitHub gives in its documentation of signatures.
#[test]
fn the_signature_is_that_of_the_documented_example() {
    let documented = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    assert_eq!(sign("It's a Secret to Everybody", b"Hello, World!"), documented);
}

#[tokio::test]
async fn a_signed_delivery_is_kept_before_it_is_acknowledged_and_its_id_counts_once() {
    let kept = MemDeliveries::default();
    let told = [
        shown(send(&kept, delivery("d1", "{\"a\": 1}")).await).await,
        shown(send(&kept, delivery("d1", "{\"a\": 2}")).await).await,
    ];
    expect![[r#"
        202 {
          "delivery": "d1",
          "result": "taken"
        }
        200 {
          "delivery": "d1",
          "result": "already taken"
        }
    "#]]
    .assert_eq(&told.concat());
    let (delivery, body) = kept.get("d1").await.unwrap().unwrap();
    assert_eq!((delivery.event.as_str(), body.as_slice()), ("push", b"{\"a\": 1}".as_slice()));
    assert_eq!(kept.list(None, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_forged_incomplete_or_cannot_be_kept_is_refused_and_leaves_nothing() {
    let kept = MemDeliveries::default();
    let good = || delivery("d1", "{}");
    let other = sign("another secret", b"{}");
    let long = "x".repeat(129);
    let requests = [
        with(good(), "x-hub-signature-256", None),
        with(good(), "x-hub-signature-256", Some("sha256=abc")),
        with(good(), "x-hub-signature-256", Some(&format!("sha256={}", "zz".repeat(32)))),
        with(good(), "x-hub-signature-256", Some(&sign(SECRET, b"{ }"))),
        with(good(), "x-hub-signature-256", Some(&other)),
        with(good(), "x-hub-signature-256", Some(&other.replace("sha256", "sha1"))),
        with(good(), "x-github-delivery", None),
        with(good(), "x-github-delivery", Some(&long)),
        with(good(), "x-github-delivery", Some("a b")),
        with(good(), "x-github-event", None),
        with(good(), "x-github-event", Some("../push")),
        with(good(), "content-type", Some("application/x-www-form-urlencoded")),
        with(good(), "content-length", Some("26214401")),
        request("/hooks/github", ""),
    ];
    let mut told = String::new();
    for request in requests {
        told += &shown(send(&kept, request).await).await;
    }
    kept.set_full(true);
    told += &shown(send(&kept, good()).await).await;
    expect![[r#"
        401 unauthorized: X-Hub-Signature-256 is missing or no signature: give the webhook a secret
        401 unauthorized: X-Hub-Signature-256 is missing or no signature: give the webhook a secret
        401 unauthorized: X-Hub-Signature-256 is missing or no signature: give the webhook a secret
        401 unauthorized: the signature is not that of this payload: the webhook and config.toml need the same secret
        401 unauthorized: the signature is not that of this payload: the webhook and config.toml need the same secret
        401 unauthorized: X-Hub-Signature-256 is missing or no signature: give the webhook a secret
        422 invalid: the header x-github-delivery is missing or not one of GitHub's
        422 invalid: the header x-github-delivery is missing or not one of GitHub's
        422 invalid: the header x-github-delivery is missing or not one of GitHub's
        422 invalid: the header x-github-event is missing or not one of GitHub's
        422 invalid: the header x-github-event is missing or not one of GitHub's
        415 wrong-type: set the content type of the webhook to application/json
        413 too-large: the body is larger than 26214400 bytes, the most this route takes
        405 wrong-method: /hooks/github does not take GET
        503 unavailable: the delivery is not kept: 0 deliveries wait to be taken up already: look at `lockstep deliveries list`, then redeliver
    "#]].assert_eq(&told);
    assert_eq!(kept.list(None, 9).await.unwrap(), []);
    kept.set_full(false);
    assert_eq!(send(&kept, good()).await.status(), 202, "delivered again it is taken");
}

#[tokio::test]
async fn a_payload_as_large_as_github_sends_is_taken_and_a_larger_one_is_not() {
    let kept = MemDeliveries::default();
    let largest = format!("\"{}\"", "x".repeat(25 * 1024 * 1024 - 2));
    assert_eq!(send(&kept, delivery("d1", &largest)).await.status(), 202);
    assert_eq!(send(&kept, delivery("d2", &(largest + " "))).await.status(), 413);
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_does_not_arrive_is_given_up() {
    let kept = MemDeliveries::default();
    let slow = delivery("d1", "{}").map(|_| {
        Body::from_stream(tokio_stream::pending::<Result<axum::body::Bytes, std::convert::Infallible>>())
    });
    expect![[r#"
        408 too-slow: the body did not arrive in time: send it again
    "#]]
    .assert_eq(&shown(send(&kept, slow).await).await);
}

#[tokio::test]
async fn without_a_secret_nothing_is_taken_and_a_server_without_hooks_says_so() {
    let service = FakeService::new();
    let told = shown(crate::send(&service, delivery("d1", "{}")).await).await
        + &shown(crate::send(&service, request("/v1/deliveries", "")).await).await;
    expect![[r#"
        404 not-found: no webhook is configured: set `webhook-secret` under [github] in config.toml
        404 not-found: this server keeps no deliveries
    "#]]
    .assert_eq(&told);
}

#[tokio::test]
async fn deliveries_are_listed_shown_and_replayed() {
    let kept = MemDeliveries::default();
    for (id, body) in [("d1", "{\"a\": 1}"), ("d2", "not JSON")] {
        assert_eq!(send(&kept, delivery(id, body)).await.status(), 202);
    }
    let lines =
        ["/v1/deliveries?limit=1", "/v1/deliveries?before=2", "/v1/deliveries?limit=0", "/v1/deliveries/d2"];
    let mut told = String::new();
    for line in lines {
        told += &shown(send(&kept, request(line, "")).await).await;
    }
    expect![[r#"
        200 {
          "deliveries": [
            {
              "bytes": 8,
              "event": "push",
              "id": "d2",
              "number": 2,
              "received_at": 1000,
              "replays": 0,
              "state": "waiting",
              "tries": 0
            }
          ],
          "next": 2
        }
        200 {
          "deliveries": [
            {
              "bytes": 8,
              "event": "push",
              "id": "d1",
              "number": 1,
              "received_at": 1000,
              "replays": 0,
              "state": "waiting",
              "tries": 0
            }
          ],
          "next": null
        }
        422 invalid: `limit` must be 1 to 200
        200 {
          "bytes": 8,
          "event": "push",
          "id": "d2",
          "number": 2,
          "payload": "not JSON",
          "received_at": 1000,
          "replays": 0,
          "state": "waiting",
          "tries": 0
        }
    "#]]
    .assert_eq(&told);
}

#[tokio::test]
async fn a_delivery_is_taken_up_again_when_somebody_says_so() {
    let kept = MemDeliveries::default();
    assert_eq!(send(&kept, delivery("d1", "{}")).await.status(), 202);
    let mut told = String::new();
    for line in ["POST /v1/deliveries/d1/replay", "POST /v1/deliveries/d3/replay", "/v1/deliveries/d3"] {
        told += &shown(send(&kept, request(line, "")).await).await;
    }
    expect![[r#"
        200 {
          "bytes": 2,
          "event": "push",
          "id": "d1",
          "number": 1,
          "received_at": 1000,
          "replays": 1,
          "state": "waiting",
          "tries": 0
        }
        404 not-found: there is no delivery "d3": see `lockstep deliveries list`
        404 not-found: there is no delivery "d3": see `lockstep deliveries list`
    "#]]
    .assert_eq(&told);
}
