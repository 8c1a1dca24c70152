use crate::fake::FakeService;
use crate::{answer, request, send, shown};
use axum::body::Body;
use expect_test::{Expect, expect};
use http_body_util::BodyExt;

/// Compares what each request is answered, under the request.
async fn check(requests: &[(&str, &'static str)], expected: Expect) {
    let mut text = String::new();
    for (line, body) in requests {
        let answer = answer(line, body).await;
        let asked = format!("{line} {body}");
        text.push_str(&format!("{}\n    {}\n", asked.trim_end(), answer.trim_end().replace('\n', "\n    ")));
    }
    expected.assert_eq(&text);
}

const START: &str = r#"{"pipeline":"p","repository":"/r","branch":"feature"}"#;

#[tokio::test]
async fn a_run_is_started_once_under_its_key() {
    let service = FakeService::new();
    let mut start = request("POST /v1/runs", START);
    start.headers_mut().insert("idempotency-key", "\"abc\"".parse().unwrap());
    let response = send(&service, start).await;
    assert_eq!(response.headers()["location"], "/v1/runs/run-1");
    assert_eq!(response.status(), 201);
    expect![[r#"start feature by Some("api") token Some("abc")"#]].assert_eq(&service.calls());
}

#[tokio::test]
async fn two_keys_that_differ_are_refused() {
    let body = r#"{"pipeline":"p","repository":"/r","branch":"feature","token":"one"}"#;
    let mut start = request("POST /v1/runs", body);
    start.headers_mut().insert("idempotency-key", "two".parse().unwrap());
    expect![[r#"
        422 invalid: `Idempotency-Key` and `token` differ: send one of them
    "#]]
    .assert_eq(&shown(send(&FakeService::new(), start).await).await);
}

#[tokio::test]
async fn what_cannot_be_a_start_is_told_apart() {
    check(
        &[
            ("POST /v1/runs", "{"),
            ("POST /v1/runs", "{}"),
            ("POST /v1/runs", r#"{"pipeline":"p","repository":"/r","branch":"f","brnach":"x"}"#),
        ],
        expect![[r#"
            POST /v1/runs {
                400 unparsable: the body is not JSON: EOF while parsing an object at line 1 column 1
            POST /v1/runs {}
                422 invalid: the body is not what this route takes at /pipeline: missing field `pipeline` at line 1 column 2
            POST /v1/runs {"pipeline":"p","repository":"/r","branch":"f","brnach":"x"}
                422 invalid: the body is not what this route takes at /brnach: unknown field `brnach`, expected one of `pipeline`, `pipeline_file`, `repository`, `branch`, `base`, `title`, `description`, `pin`, `item`, `by`, `token` at line 1 column 55
        "#]],
    )
    .await;
    let mut form = request("POST /v1/runs", START);
    form.headers_mut().insert("content-type", "text/plain".parse().unwrap());
    expect![[r#"
        415 wrong-type: send the body with `Content-Type: application/json`
    "#]]
    .assert_eq(&shown(send(&FakeService::new(), form).await).await);
}

#[tokio::test]
async fn every_error_of_the_service_has_its_status() {
    check(
        &[
            ("/v1/runs/missing", ""),
            ("POST /v1/runs/busy/retry", ""),
            ("/v1/runs/wrong/timeline", ""),
            ("/v1/runs/broken/why", ""),
        ],
        expect![[r#"
            /v1/runs/missing
                404 not-found: run missing: so it is
            POST /v1/runs/busy/retry
                409 conflict: run busy: so it is
            /v1/runs/wrong/timeline
                422 invalid: run wrong: so it is
            /v1/runs/broken/why
                500 internal: run broken: so it is
        "#]],
    )
    .await;
    let response = send(&FakeService::new(), request("/v1/runs/away", "")).await;
    assert_eq!(response.headers()["retry-after"], "1");
    expect![[r#"
        503 unavailable: run away: so it is
    "#]]
    .assert_eq(&shown(response).await);
}

#[tokio::test]
async fn a_problem_is_what_rfc_9457_says() {
    let response = send(&FakeService::new(), request("/v1/runs/missing", "")).await;
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let document: serde_json::Value = serde_json::from_slice(&body).unwrap();
    expect![[r#"
        {
          "code": "not-found",
          "detail": "run missing: so it is",
          "status": 404,
          "title": "Not found",
          "type": "urn:lockstep:problem:not-found"
        }"#]]
    .assert_eq(&format!("{document:#}"));
}

#[tokio::test]
async fn a_panic_of_the_service_is_a_problem_of_one_request() {
    let body = r#"{"pipeline":"p","repository":"/r","branch":"panic"}"#;
    check(
        &[("POST /v1/runs", body)],
        expect![[r#"
        POST /v1/runs {"pipeline":"p","repository":"/r","branch":"panic"}
            500 internal: the request ended in a fault of the host: see its log
    "#]],
    )
    .await;
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    check(
        &[("/nothing", ""), ("/v1/nothing", ""), ("/v1/runs/no%20id", ""), ("/v1/runs/%ff", "")],
        expect![[r#"
            /nothing
                404 not-found: there is nothing at /nothing
            /v1/nothing
                404 not-found: there is nothing at /v1/nothing
            /v1/runs/no%20id
                404 not-found: no such run: "no id" is not a run id: 1 to 128 letters, digits, - or _
            /v1/runs/%ff
                404 not-found: Invalid URL: Invalid UTF-8 in `run`
        "#]],
    )
    .await;
    let response = send(&FakeService::new(), request("DELETE /v1/runs", "")).await;
    assert_eq!(response.headers()["allow"], "GET,HEAD,POST");
    expect![[r#"
        405 wrong-method: /v1/runs does not take DELETE
    "#]]
    .assert_eq(&shown(response).await);
}

#[tokio::test]
async fn a_list_says_where_it_goes_on() {
    let page: serde_json::Value = body_of("/v1/runs?limit=2&status=blocked&before=run-9").await;
    assert_eq!((page["runs"].as_array().unwrap().len(), &page["next"]), (2, &"run-1".into()));
    let last: serde_json::Value = body_of("/v1/runs").await;
    assert_eq!((last["runs"].as_array().unwrap().len(), last["next"].is_null()), (3, true));
    check(&[("/v1/runs?limit=501", ""), ("/v1/runs?status=asleep", "")], expect![[r#"
        /v1/runs?limit=501
            422 invalid: `limit` must be 1 to 500
        /v1/runs?status=asleep
            422 invalid: the query cannot be read: status: unknown variant `asleep`, expected one of `running`, `blocked`, `paused`, `done`, `failed`
    "#]]).await;
}

async fn body_of(path: &str) -> serde_json::Value {
    let text = answer(path, "").await;
    serde_json::from_str(text.strip_prefix("200 ").unwrap()).unwrap()
}

#[tokio::test]
async fn actions_reach_the_service_as_they_were_meant() {
    let service = FakeService::new();
    for (path, body) in [
        ("stop", r#"{"reason":"enough","by":"anna"}"#),
        ("stop", ""),
        ("retry", ""),
        ("restart", r#"{"step":"code"}"#),
        ("restart", r#"{"step":"code","digest":"3fa1"}"#),
        ("repin", r#"{"pins":{"ci-gate":"3fa1"},"reason":"better","by":"anna"}"#),
        ("pause", "{}"),
        ("resume", r#"{"by":"bo"}"#),
        ("answers", r#"{"answer":"approve","proposal":"better","by":"anna"}"#),
        ("answers", r#"{"answer":"choose","question":2,"choice":"merge","text":"now"}"#),
        ("answers", r#"{"answer":"request-changes","feedback":"shorter"}"#),
        ("answers", r#"{"answer":"reject"}"#),
    ] {
        let response = send(&service, request(&format!("POST /v1/runs/run-1/{path}"), body)).await;
        assert_eq!(response.status(), 200, "{path} {body}");
    }
    expect![[r#"
        run-1: Stop { reason: "enough" } by anna
        run-1: Stop { reason: "stopped on request" } by api
        run-1: Retry by api
        run-1: Restart { step: "code", digest: None } by api
        run-1: Restart { step: "code", digest: Some("3fa1") } by api
        run-1: Repin { pins: {"ci-gate": "3fa1"}, reason: "better" } by anna
        run-1: Pause by api
        run-1: Resume by bo
        run-1: Answer { question: None, answer: Approve { proposal: Some("better") }, token: None } by anna
        run-1: Answer { question: Some(QuestionId(2)), answer: Choose { choice: "merge", text: Some("now"), comments: [] }, token: None } by api
        run-1: Answer { question: None, answer: RequestChanges { feedback: "shorter", comments: [] }, token: None } by api
        run-1: Answer { question: None, answer: Reject { reason: "" }, token: None } by api"#]].assert_eq(&service.calls());
}

#[tokio::test]
async fn an_answer_with_a_field_of_another_is_refused() {
    let path = "POST /v1/runs/run-1/answers";
    check(
        &[
            (path, r#"{"answer":"choose","choice":"x","proposal":"y"}"#),
            (path, r#"{"answer":"choose"}"#),
            (path, r#"{"answer":"approve","propsal":"y"}"#),
            (path, r#"{"answer":"perhaps"}"#),
        ],
        expect![[r#"
            POST /v1/runs/run-1/answers {"answer":"choose","choice":"x","proposal":"y"}
                422 invalid: `proposal` does not belong to the answer `choose`
            POST /v1/runs/run-1/answers {"answer":"choose"}
                422 invalid: the answer `choose` needs a `choice`
            POST /v1/runs/run-1/answers {"answer":"approve","propsal":"y"}
                422 invalid: the body is not what this route takes at /propsal: unknown field `propsal`, expected one of `answer`, `question`, `choice`, `text`, `comments`, `proposal`, `feedback`, `reason`, `by`, `token` at line 1 column 29
            POST /v1/runs/run-1/answers {"answer":"perhaps"}
                422 invalid: the body is not what this route takes at /answer: unknown variant `perhaps`, expected one of `choose`, `approve`, `request-changes`, `reject` at line 1 column 19
        "#]],
    )
    .await;
}

#[tokio::test]
async fn what_a_run_did_can_be_read() {
    check(
        &[
            ("/v1/runs/run-1/timeline?after=4", ""),
            ("/v1/runs/run-1/why", ""),
            ("/v1/runs/run-1/invocations?step=code", ""),
            ("/v1/runs/run-1/steps/code/log", ""),
        ],
        expect![[r#"
            /v1/runs/run-1/timeline?after=4
                200 {
                  "entries": [
                    {
                      "at": 5,
                      "run": "run-1",
                      "seq": 5,
                      "step": "code",
                      "text": "begins",
                      "what": "step-started"
                    }
                  ],
                  "next": null
                }
            /v1/runs/run-1/why
                200 {
                  "run": "run-1",
                  "status": "blocked",
                  "waiting": [
                    {
                      "act": "answer it",
                      "on": "approval",
                      "reason": "somebody must consent",
                      "since": 5,
                      "step": "merge"
                    }
                  ]
                }
            /v1/runs/run-1/invocations?step=code
                200 {
                  "invocations": [],
                  "next": null
                }
            /v1/runs/run-1/steps/code/log
                200 text/plain; charset=utf-8
                the log of code
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_pipeline_is_checked() {
    check(
        &[
            ("POST /v1/pipelines/check", r#"{"pipeline":"good"}"#),
            ("POST /v1/pipelines/check", r#"{"pipeline":"bad","pipeline_file":"p.toml"}"#),
        ],
        expect![[r#"
            POST /v1/pipelines/check {"pipeline":"good"}
                200 {
                  "valid": true
                }
            POST /v1/pipelines/check {"pipeline":"bad","pipeline_file":"p.toml"}
                422 invalid: p.toml:1: no such kind
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_run_is_replayed_and_verified() {
    check(
        &[("POST /v1/runs/run-1/replay", ""), ("POST /v1/runs/run-1/verify", "")],
        expect![[r#"
            POST /v1/runs/run-1/replay
                200 {
                  "differences": [],
                  "fuel": 99,
                  "invocations": 3,
                  "migrations": 0,
                  "run": "run-1"
                }
            POST /v1/runs/run-1/verify
                200 {
                  "head": "0000000000000000000000000000000000000000000000000000000000000000",
                  "problems": [],
                  "records": 4,
                  "replay": {
                    "differences": [],
                    "fuel": 99,
                    "invocations": 3,
                    "migrations": 0,
                    "run": "run-1"
                  }
                }
        "#]],
    )
    .await;
}

#[tokio::test]
async fn components_are_added_and_activated() {
    let service = FakeService::new();
    let mut upload = request("POST /v1/components", vec![0_u8; 2 * 1024 * 1024]);
    assert_eq!(send(&service, upload).await.status(), 415);
    upload = request("POST /v1/components", vec![0_u8; 2 * 1024 * 1024]);
    upload.headers_mut().insert("content-type", "application/wasm".parse().unwrap());
    assert_eq!(send(&service, upload).await.status(), 201);
    let activate = request("POST /v1/components/activations", r#"{"kind":"agent","digest":"2d71"}"#);
    assert_eq!(send(&service, activate).await.status(), 200);
    let fetched = send(&service, request("GET /v1/components/2d71/wasm", "")).await;
    assert_eq!(fetched.status(), 200);
    assert_eq!(fetched.headers()["content-type"], "application/wasm");
    expect![[r#"
        add 2097152 bytes, None, by Some("api") because None
        activate agent 2d71 by Some("api")
        bytes of 2d71"#]]
    .assert_eq(&service.calls());
}

#[tokio::test]
async fn components_and_what_kinds_ran_on_are_listed() {
    check(
        &[("/v1/components", ""), ("/v1/components/activations/agent", "")],
        expect![[r#"
            /v1/components
                200 {
                  "components": [
                    {
                      "active_for": [
                        "agent"
                      ],
                      "added_at": 0,
                      "canary_for": [],
                      "descriptor": {
                        "access": "write",
                        "config_schema": "{}",
                        "effects": [],
                        "jobs": [],
                        "kind": "agent",
                        "state_version": 1,
                        "summary": "works",
                        "version": "1"
                      },
                      "digest": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
                      "imports": [],
                      "size": 1,
                      "stop": null,
                      "warning": null,
                      "world": "lockstep:step/step@0.2.0"
                    }
                  ],
                  "next": null
                }
            /v1/components/activations/agent
                200 {
                  "activations": [
                    {
                      "at": 7,
                      "by": "anna",
                      "digest": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
                      "grant": {
                        "effects": [],
                        "imports": [],
                        "jobs": []
                      },
                      "kind": "agent",
                      "reason": ""
                    }
                  ],
                  "next": null
                }
        "#]],
    )
    .await;
}

#[tokio::test]
async fn bodies_have_a_limit_announced_or_not() {
    let path = "POST /v1/runs";
    let unannounced = Body::from_stream(tokio_stream::iter(
        std::iter::repeat_n("x".repeat(64 * 1024), 17).map(Ok::<_, std::io::Error>),
    ));
    expect![[r#"
        413 too-large: the body is larger than 1048576 bytes, the most this route takes
    "#]]
    .assert_eq(&shown(send(&FakeService::new(), request(path, unannounced)).await).await);
    let mut announced = request(path, "");
    announced.headers_mut().insert("content-length", "1048577".parse().unwrap());
    assert_eq!(send(&FakeService::new(), announced).await.status(), 413);
    let mut wasm = request("POST /v1/components", "");
    wasm.headers_mut().insert("content-type", "application/wasm".parse().unwrap());
    wasm.headers_mut().insert("content-length", "67108865".parse().unwrap());
    assert_eq!(send(&FakeService::new(), wasm).await.status(), 413);
}
