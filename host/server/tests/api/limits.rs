use crate::access::{Host, by};
use crate::{TOKEN, shown};
use expect_test::expect;
use http_body_util::BodyExt;
use lockstep_server::Limits;
use lockstep_types::Role;

#[tokio::test]
async fn whoever_asks_too_often_is_told_when_to_come_back() {
    let limits = Limits { requests_per_minute: 6, request_burst: 2, ..Limits::default() };
    let host = Host::with(limits, None).await;
    let (bob, vic) = (host.token("bob", Role::Viewer, &[]).await, host.token("vic", Role::Viewer, &[]).await);
    for status in [200, 200, 429] {
        assert_eq!(host.ask(&bob, "/v1/runs", "").await.status(), status);
    }
    let refused = host.ask(&bob, "/v1/runs", "").await;
    assert_eq!(refused.headers()["retry-after"], "10");
    expect![[r#"
        429 too-many-requests: this is more than may be asked in so short a time: try again in 10 s
    "#]]
    .assert_eq(&shown(refused).await);
    assert_eq!(host.ask(&vic, "/v1/runs", "").await.status(), 200, "others are not held up");
    host.pass(10_000);
    assert_eq!(host.ask(&bob, "/v1/runs", "").await.status(), 200);
    for _ in 0..200 {
        assert_eq!(host.ask(TOKEN, "/v1/runs", "").await.status(), 200, "a terminal is not held up");
    }
}

#[tokio::test]
async fn wrong_tokens_are_counted_and_the_right_one_passes_all_the_same() {
    let host = Host::new().await;
    let id = &host.token("bob", Role::Viewer, &[]).await[..20];
    let guess = |n: u32| format!("{id}_{n:064x}");
    let mut seen = Vec::new();
    for n in 0..22 {
        seen.push(host.ask(&guess(n), "/v1/runs", "").await.status().as_u16());
    }
    assert_eq!(seen[..20], [401; 20]);
    assert_eq!(seen[20..], [429; 2]);
    expect![[r#"
        429 too-many-requests: too many wrong tokens came from this address: try again in 6 s
    "#]]
    .assert_eq(&host.answer("lsk_", "/v1/runs", "").await);
    assert_eq!(host.ask(TOKEN, "/v1/runs", "").await.status(), 200);
    let form = || {
        let mut request = by(TOKEN, "POST /login", "token=wrong");
        request.headers_mut().remove("authorization");
        request.headers_mut().insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
        request
    };
    assert_eq!(host.send(form()).await.status(), 429, "nor can it be guessed by the form");
    host.pass(60_000);
    assert_eq!(host.send(form()).await.status(), 401);
}

#[tokio::test]
async fn a_stream_ends_with_the_token_it_was_begun_with() {
    let host = Host::new().await;
    let bob = host.token("bob", Role::Viewer, &[]).await;
    let mut stream = host.ask(&bob, "/v1/events?after=0", "").await;
    let begun = stream.body_mut().frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(begun.starts_with(b"id: 0"));
    assert_eq!(host.ask(TOKEN, "DELETE /v1/tokens/bob", "").await.status(), 200);
    host.service.happen("run-1");
    let rest = stream.into_body().collect().await.unwrap().to_bytes();
    let rest = String::from_utf8_lossy(&rest);
    assert!(rest.contains("event: problem") && rest.contains("accepted no more"), "{rest}");
}

#[tokio::test]
async fn streams_are_counted_for_each_and_for_all() {
    let limits = Limits { streams: 4, streams_each: 2, ..Limits::default() };
    let host = Host::with(limits, None).await;
    let (bob, vic) = (host.token("bob", Role::Viewer, &[]).await, host.token("vic", Role::Viewer, &[]).await);
    let first = host.ask(&bob, "/v1/events", "").await;
    let second = host.ask(&bob, "/v1/events", "").await;
    assert_eq!((first.status().as_u16(), second.status().as_u16()), (200, 200));
    expect![[r#"
        503 busy: 2 event streams of yours are open already: close one
    "#]]
    .assert_eq(&host.answer(&bob, "/v1/events", "").await);
    let others = [host.ask(&vic, "/v1/events", "").await, host.ask(TOKEN, "/v1/events", "").await];
    assert!(others.iter().all(|response| response.status() == 200));
    expect![[r#"
        503 busy: 4 event streams are open already: close one
    "#]]
    .assert_eq(&host.answer(TOKEN, "/v1/events", "").await);
}
