use crate::fake::FakeService;
use crate::{answer, request, send, shown, state};
use axum::body::Body;
use axum::http::Response;
use expect_test::expect;
use http_body_util::BodyExt;
use lockstep_server::app;
use std::sync::Arc;
use tower::ServiceExt;

/// The next `frames` events of a stream, as they go over the wire.
async fn read(response: &mut Response<Body>, frames: usize) -> String {
    let mut text = String::new();
    for _ in 0..frames {
        let frame = response.body_mut().frame().await.expect("the stream goes on").unwrap();
        text.push_str(&String::from_utf8_lossy(&frame.into_data().unwrap()));
    }
    text
}

fn three_records() -> Arc<FakeService> {
    let service = FakeService::new();
    for run in ["run-a", "run-b", "run-a"] {
        service.happen(run);
    }
    service
}

#[tokio::test]
async fn a_stream_begins_where_it_was_asked_to() {
    let mut stream = send(&three_records(), request("/v1/events?after=1", "")).await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    expect![[r#"
        id: 1
        retry: 1000

        event: timeline
        id: 2
        data: {"position":2,"entries":[{"run":"run-b","seq":2,"at":2,"step":"code","what":"step-started","text":"begins"}]}

        event: timeline
        id: 3
        data: {"position":3,"entries":[{"run":"run-a","seq":3,"at":3,"step":"code","what":"step-started","text":"begins"}]}

    "#]].assert_eq(&read(&mut stream, 3).await);
}

#[tokio::test]
async fn what_was_seen_last_counts_more_than_the_address() {
    let mut resumed = request("/v1/events?after=0", "");
    resumed.headers_mut().insert("last-event-id", "2".parse().unwrap());
    let mut stream = send(&three_records(), resumed).await;
    expect![[r#"
        id: 2
        retry: 1000

        event: timeline
        id: 3
        data: {"position":3,"entries":[{"run":"run-a","seq":3,"at":3,"step":"code","what":"step-started","text":"begins"}]}

    "#]].assert_eq(&read(&mut stream, 2).await);
}

#[tokio::test]
async fn without_a_position_a_stream_shows_what_happens_from_now_on() {
    let service = three_records();
    let mut stream = send(&service, request("/v1/events", "")).await;
    let before = read(&mut stream, 1).await;
    service.happen("run-c");
    expect![[r#"
        id: 3
        retry: 1000

        event: timeline
        id: 4
        data: {"position":4,"entries":[{"run":"run-c","seq":4,"at":4,"step":"code","what":"step-started","text":"begins"}]}

    "#]].assert_eq(&(before + &read(&mut stream, 1).await));
}

#[tokio::test]
async fn a_stream_of_one_run_passes_over_the_others_but_keeps_its_place() {
    let service = three_records();
    let mut stream = send(&service, request("/v1/events?after=0&run=run-b", "")).await;
    expect![[r#"
        id: 0
        retry: 1000

        event: timeline
        id: 2
        data: {"position":2,"entries":[{"run":"run-b","seq":2,"at":2,"step":"code","what":"step-started","text":"begins"}]}

        id: 3

    "#]].assert_eq(&read(&mut stream, 3).await);
}

#[tokio::test]
async fn a_position_of_another_folder_is_refused() {
    expect![[r#"
        422 invalid: position 9 is beyond the end of the feed, 0: begin again without one
    "#]]
    .assert_eq(&answer("/v1/events?after=9", "").await);
    let mut wrong = request("/v1/events", "");
    wrong.headers_mut().insert("last-event-id", "x".parse().unwrap());
    expect![[r#"
        422 invalid: `Last-Event-ID` must be a position of the feed
    "#]]
    .assert_eq(&shown(send(&FakeService::new(), wrong).await).await);
}

#[tokio::test]
async fn streams_end_when_the_server_stops() {
    let service = three_records();
    let state = state(&service);
    let stream = app(state.clone()).oneshot(request("/v1/events", "")).await.unwrap();
    state.stop();
    stream.into_body().collect().await.unwrap();
    let late = app(state).oneshot(request("/v1/feed?wait=true", "")).await.unwrap();
    assert_eq!(late.status(), 200);
}

#[tokio::test]
async fn there_are_only_so_many_streams_and_a_closed_one_makes_room() {
    let app = app(state(&FakeService::new()));
    let open = || async { app.clone().oneshot(request("/v1/events", "")).await.unwrap() };
    let mut streams = Vec::new();
    let refused = loop {
        let stream = open().await;
        if stream.status() != 200 {
            break stream;
        }
        streams.push(stream);
        assert!(streams.len() <= 64, "no limit");
    };
    expect![[r#"
        503 busy: 64 event streams are open already: close one
    "#]]
    .assert_eq(&shown(refused).await);
    streams.pop();
    while open().await.status() != 200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_feed_can_be_polled() {
    let service = three_records();
    let poll = |line: &'static str| async { shown(send(&service, request(line, "")).await).await };
    expect![[r#"
        200 {
          "end": 3,
          "items": []
        }
    "#]]
    .assert_eq(&poll("/v1/feed").await);
    expect![[r#"
        200 {
          "end": 3,
          "items": [
            {
              "entries": [
                {
                  "at": 2,
                  "run": "run-b",
                  "seq": 2,
                  "step": "code",
                  "text": "begins",
                  "what": "step-started"
                }
              ],
              "position": 2
            }
          ]
        }
    "#]]
    .assert_eq(&poll("/v1/feed?after=1&limit=1&wait=true").await);
    expect![[r#"
        200 {
          "end": 3,
          "items": []
        }
    "#]]
    .assert_eq(&poll("/v1/feed?limit=0").await);
    expect![[r#"
        422 invalid: position 8 is beyond the end of the feed, 3: begin again without one
    "#]]
    .assert_eq(&poll("/v1/feed?after=8").await);
    let (waited, ()) = tokio::join!(poll("/v1/feed?after=3&wait=true"), async { service.happen("run-d") });
    expect![[r#"
        200 {
          "end": 4,
          "items": [
            {
              "entries": [
                {
                  "at": 4,
                  "run": "run-d",
                  "seq": 4,
                  "step": "code",
                  "text": "begins",
                  "what": "step-started"
                }
              ],
              "position": 4
            }
          ]
        }
    "#]]
    .assert_eq(&waited);
}

#[tokio::test]
async fn a_reader_is_told_what_is_no_longer_kept() {
    let service = three_records();
    service.forget(1);
    service.forget(3);
    let mut stream = send(&service, request("/v1/events?after=0", "")).await;
    expect![[r#"
        id: 0
        retry: 1000

        event: gap
        id: 1
        data: {"after":0,"before":2}

        event: timeline
        id: 2
        data: {"position":2,"entries":[{"run":"run-b","seq":2,"at":2,"step":"code","what":"step-started","text":"begins"}]}

        event: gap
        id: 3
        data: {"after":2,"before":4}

    "#]].assert_eq(&read(&mut stream, 4).await);
}
