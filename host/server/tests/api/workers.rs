//! What workers are answered, over a queue that says back what it was asked.

use crate::fake::FakeService;
use crate::{TOKEN, request, shown};
use async_trait::async_trait;
use axum::body::Body;
use axum::http::Request;
use expect_test::{Expect, expect};
use lockstep_ports::{LeaseAsk, Leased, Word, WorkerError, WorkerFailure, WorkerQueue, WorkersView};
use lockstep_server::{AppState, Options, Services, app};
use lockstep_types::JobProgress;
use std::sync::{Arc, Mutex, PoisonError};
use tower::ServiceExt;

/// A queue without jobs, whose leases are all lost but `held`.
#[derive(Default)]
struct FakeQueue(Mutex<Vec<String>>);

impl FakeQueue {
    fn told<T>(&self, lease: &str, what: String, answer: T) -> Result<T, WorkerError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(what);
        match lease {
            "held" => Ok(answer),
            "early" => Err(WorkerError::Unavailable("the host has just started".into())),
            _ => Err(WorkerError::LeaseLost("it is somebody else's".into())),
        }
    }
}

#[async_trait]
impl WorkerQueue for FakeQueue {
    async fn lease(&self, ask: LeaseAsk) -> Result<Option<Leased>, WorkerError> {
        self.told("held", format!("{ask:?}"), None)
    }

    async fn heartbeat(&self, lease: &str) -> Result<Word, WorkerError> {
        self.told(lease, "heartbeat".into(), Word::Evicted { reason: "silent".into() })
    }

    async fn progress(&self, lease: &str, progress: JobProgress) -> Result<Word, WorkerError> {
        self.told(lease, format!("{progress:?}"), Word::Wanted)
    }

    async fn log(&self, lease: &str, text: &str) -> Result<Word, WorkerError> {
        self.told(lease, format!("log {text:?}"), Word::Wanted)
    }

    async fn bundle(&self, lease: &str, bytes: Vec<u8>) -> Result<Vec<String>, WorkerError> {
        self.told(lease, format!("bundle of {}", bytes.len()), vec!["c0ffee".to_owned()])
    }

    async fn complete(&self, lease: &str, result: &str, commit: Option<String>) -> Result<(), WorkerError> {
        self.told(lease, format!("complete {result} {commit:?}"), ())
    }

    async fn fail(&self, lease: &str, class: WorkerFailure, message: &str) -> Result<(), WorkerError> {
        self.told(lease, format!("fail {class:?} {message:?}"), ())
    }

    async fn workers(&self) -> WorkersView {
        WorkersView::default()
    }
}

async fn say(queue: &Arc<FakeQueue>, request: Request<Body>) -> String {
    let services = Services { workers: Some(Arc::clone(queue) as _), ..Services::of(&FakeService::new()) };
    let options = Options { token: TOKEN.to_owned(), ..Options::default() };
    let answer = app(AppState::new(services, options)).oneshot(request).await.unwrap();
    shown(answer).await.replace("\n  ", " ").replace("\n}", " }")
}

/// What is answered to each request, and what reached the queue.
async fn check(requests: &[(&str, &str)], expected: Expect) {
    let queue = Arc::new(FakeQueue::default());
    let mut told = String::new();
    for (path, body) in requests {
        told += &say(&queue, request(&format!("POST /v1/workers/{path}"), (*body).to_owned())).await;
    }
    for line in queue.0.lock().unwrap().iter() {
        told += &format!("> {line}\n");
    }
    expected.assert_eq(&told);
}

#[tokio::test]
async fn a_job_from_its_lease_to_its_end() {
    check(
        &[
            ("lease", r#"{"worker":"w","pools":["a"],"wait_s":0}"#),
            ("heartbeat", r#"{"lease":"held"}"#),
            ("progress", r#"{"lease":"held","progress":{"completed":1,"total":2}}"#),
            ("logs", r#"{"lease":"held","text":"a\n"}"#),
            ("complete", r#"{"lease":"held","result":{"report": {"b":1.0, "a":2}},"commit":"c0ffee"}"#),
            ("fail", r#"{"lease":"held","class":"crashed","message":"m"}"#),
        ],
        expect![[r#"
            200 { "job": null }
            200 { "reason": "silent", "state": "evicted" }
            200 { "state": "wanted" }
            200 { "state": "wanted" }
            200 { "is_taken": true }
            200 { "is_taken": true }
            > LeaseAsk { worker: "w", pools: ["a"], labels: [], wait: 0ns }
            > heartbeat
            > JobProgress { completed: 1, total: 2, label: None, subtasks: [] }
            > log "a\n"
            > complete {"report": {"b":1.0, "a":2}} Some("c0ffee")
            > fail Crashed "m"
        "#]],
    )
    .await;
}

#[tokio::test]
async fn what_comes_too_late_or_wrong_is_refused() {
    check(
        &[
            ("complete", r#"{"lease":"old","result":{}}"#),
            ("fail", r#"{"lease":"early","class":"failed","message":"m"}"#),
            ("fail", r#"{"lease":"held","class":"bored","message":"m"}"#),
            ("complete", r#"{"lease":"held"}"#),
            ("complete", r#"{"lease":"held","result":{"#),
            ("lease", r#"{"worker":"w","pools":"a"}"#),
            ("progress", r#"{"lease":"held","progress":{"completed":-1}}"#),
            ("logs", r#"{"lease":"held","text":"a","more":1}"#),
            ("bundle?lease=held", "{}"),
        ],
        expect![[r#"
            409 lease-lost: it is somebody else's
            503 unavailable: the host has just started
            422 invalid: the body is not what this route takes at /class: unknown variant `bored`, expected one of `failed`, `evicted`, `crashed` at line 1 column 31
            422 invalid: the body is not what this route takes at /result: missing field `result` at line 1 column 16
            400 unparsable: the body is not JSON: EOF while parsing an object at line 1 column 26
            422 invalid: the body is not what this route takes at /pools: invalid type: string "a", expected a sequence at line 1 column 25
            422 invalid: the body is not what this route takes at /progress/completed: invalid value: integer `-1`, expected u32 at line 1 column 42
            422 invalid: the body is not what this route takes at /more: unknown field `more`, expected `lease` or `text` at line 1 column 33
            415 wrong-type: send the bundle with `Content-Type: application/x-git-bundle`
            > complete {} None
            > fail Failed "m"
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_bundle_has_its_own_type_and_size() {
    let queue = Arc::new(FakeQueue::default());
    let sent = |length: usize| {
        let mut request = request("POST /v1/workers/bundle?lease=held", vec![b'x'; length]);
        request.headers_mut().insert("content-type", "application/x-git-bundle".parse().unwrap());
        request
    };
    assert_eq!(say(&queue, sent(10)).await, "200 { \"commits\": [   \"c0ffee\" ] }\n");
    assert!(say(&queue, sent((64 << 20) + 1)).await.starts_with("413 too-large"));
    assert_eq!(*queue.0.lock().unwrap(), ["bundle of 10"]);
}

#[tokio::test]
async fn a_host_without_a_queue_says_so() {
    let answer = crate::answer("POST /v1/workers/lease", r#"{"worker":"w","pools":["a"]}"#).await;
    assert_eq!(answer, "503 unavailable: this host has no queue for workers\n");
}
