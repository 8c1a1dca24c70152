//! The registry of components over HTTP.

use crate::fake::FakeService;
use crate::{request, send, shown};
use expect_test::expect;

/// What some requests ask of the service, and how each ends.
async fn asked(lines: &[(&str, &str)]) -> String {
    let service = FakeService::new();
    let mut text = String::new();
    for (line, body) in lines {
        let status = send(&service, request(line, (*body).to_owned())).await.status().as_u16();
        text.push_str(&format!("{status} {line}\n"));
    }
    format!("{text}{}", service.calls())
}

#[tokio::test]
async fn every_change_names_who_made_it() {
    let asked = asked(&[
        ("POST /v1/kinds/agent/grant", r#"{"grant":{"imports":["log"],"jobs":[],"effects":[]},"by":"ann"}"#),
        ("POST /v1/kinds/agent/rollback", ""),
        ("POST /v1/kinds/agent/rollback", r#"{"by":"ann","reason":"it is slow"}"#),
        ("POST /v1/kinds/agent/promote", ""),
        ("POST /v1/kinds/agent/canary", r#"{"digest":"2d71","share":10}"#),
        ("POST /v1/components/2d71/stop", r#"{"reason":"it merges"}"#),
        ("POST /v1/components/2d71/resume", ""),
        ("POST /v1/components/2d71/signatures", r#"{"signature":"text"}"#),
        ("POST /v1/components/gc", ""),
        ("POST /v1/components/gc", r#"{"dry_run":true,"by":"ann"}"#),
        ("POST /v1/trust", r#"{"change":{"policy":"require"}}"#),
        ("POST /v1/trust", r#"{"change":{"add":{"name":"team","key":"00"}},"by":"ann"}"#),
        (
            "POST /v1/components/activations",
            r#"{"kind":"agent","digest":"2d71","gates":{"max_changed":2,"max_fuel_growth":5.5}}"#,
        ),
    ]);
    expect![[r#"
        200 POST /v1/kinds/agent/grant
        200 POST /v1/kinds/agent/rollback
        200 POST /v1/kinds/agent/rollback
        200 POST /v1/kinds/agent/promote
        200 POST /v1/kinds/agent/canary
        200 POST /v1/components/2d71/stop
        200 POST /v1/components/2d71/resume
        200 POST /v1/components/2d71/signatures
        200 POST /v1/components/gc
        200 POST /v1/components/gc
        200 POST /v1/trust
        200 POST /v1/trust
        200 POST /v1/components/activations
        grant agent Grant { imports: ["log"], jobs: [], effects: [], dirs: [] } revoke false by Some("ann")
        rollback agent by Some("api") because None
        rollback agent by Some("ann") because Some("it is slow")
        promote agent by Some("api") because None
        canary agent 2d71 Some(10) [] by Some("api")
        stop 2d71 by Some("api") because Some("it merges")
        resume 2d71 by Some("api") because None
        sign text 2d71 by Some("api") because None
        gc false by Some("api")
        gc true by Some("ann")
        trust Policy(Require) by Some("api") because None
        trust Add { name: "team", key: "00" } by Some("ann") because None
        activate agent 2d71 by Some("api") Gates { require_identical: false, max_changed: Some(2), max_fuel_growth: Some(5.5) }"#]].assert_eq(&asked.await);
}

#[tokio::test]
async fn what_is_not_understood_is_refused_before_it_is_asked() {
    let asked = asked(&[
        (
            "POST /v1/kinds/agent/grant",
            r#"{"grant":{"imports":["log"],"jobs":[],"effects":[]},"forever":true}"#,
        ),
        ("POST /v1/kinds/agent/canary", r#"{"share":10}"#),
        ("POST /v1/kinds/agent/canary", r#"{"digest":"2d71","share":1000}"#),
        ("POST /v1/components/2d71/signatures", ""),
        ("POST /v1/trust", r#"{"change":{"policy":"sometimes"}}"#),
        ("POST /v1/components/activations", r#"{"kind":"agent","digest":"2d71","gates":{"max":1}}"#),
        ("GET /v1/audit?last=-1", ""),
        ("POST /v1/components/inspect", "no wasm by its type"),
    ]);
    expect![[r#"
        422 POST /v1/kinds/agent/grant
        422 POST /v1/kinds/agent/canary
        422 POST /v1/kinds/agent/canary
        400 POST /v1/components/2d71/signatures
        422 POST /v1/trust
        422 POST /v1/components/activations
        422 GET /v1/audit?last=-1
        415 POST /v1/components/inspect
    "#]]
    .assert_eq(&asked.await);
}

#[tokio::test]
async fn bytes_come_with_who_sends_them() {
    let service = FakeService::new();
    for line in [
        "POST /v1/components?by=ann&reason=a%20try&signature=lockstep-signature-v1%20a%20b",
        "POST /v1/components",
        "POST /v1/components/inspect",
    ] {
        let mut upload = request(line, vec![0_u8; 10]);
        upload.headers_mut().insert("content-type", "application/wasm".parse().unwrap());
        assert!(send(&service, upload).await.status().is_success(), "{line}");
    }
    let mut upload = request("POST /v1/dirs", "lockstep-dir 1\n");
    upload.headers_mut().insert("content-type", "application/vnd.lockstep.dir".parse().unwrap());
    assert_eq!(send(&service, upload).await.status(), 201);
    let mut untyped = request("POST /v1/dirs", "lockstep-dir 1\n");
    untyped.headers_mut().insert("content-type", "application/wasm".parse().unwrap());
    assert_eq!(send(&service, untyped).await.status(), 415);
    let mut large = request("POST /v1/components/inspect", "");
    large.headers_mut().insert("content-type", "application/wasm".parse().unwrap());
    large.headers_mut().insert("content-length", (500 << 20).to_string().parse().unwrap());
    assert_eq!(send(&service, large).await.status(), 413, "it is refused by its announced size");
    expect![[r#"
        add 10 bytes, Some("lockstep-signature-v1 a b"), by Some("ann") because Some("a try")
        add 10 bytes, None, by Some("api") because None
        inspect 10 bytes
        keep-dir 15 bytes"#]]
    .assert_eq(&service.calls());
}

/// What reads answer.
async fn answers(paths: &[&str]) -> String {
    let mut text = String::new();
    for path in paths {
        let answer = shown(send(&FakeService::new(), request(path, "")).await).await;
        text.push_str(&format!("{path}\n{answer}"));
    }
    text
}

#[tokio::test]
async fn a_kind_and_its_canary_are_read() {
    let answers = answers(&["/v1/kinds/agent", "/v1/kinds/agent/canary"]);
    expect![[r#"
        /v1/kinds/agent
        200 {
          "active": {
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
          },
          "canary": null,
          "component": null,
          "grant": {
            "effects": [],
            "imports": [],
            "jobs": []
          },
          "granted": null,
          "kind": "agent",
          "moves": 1,
          "stop": null
        }
        /v1/kinds/agent/canary
        200 {
          "canary": {
            "at": 8,
            "by": "anna",
            "digest": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
            "kind": "agent",
            "reason": "",
            "to": {
              "share": 10
            }
          },
          "candidate": {
            "done": 1,
            "failed": 1,
            "live": 1,
            "runs": 3
          },
          "others": {
            "done": 0,
            "failed": 0,
            "live": 0,
            "runs": 0
          },
          "runs": []
        }
    "#]]
    .assert_eq(&answers.await);
}

#[tokio::test]
async fn trust_and_the_audit_log_are_read() {
    let answers = answers(&["/v1/trust", "/v1/components/audit?last=3"]);
    expect![[r#"
        /v1/trust
        200 {
          "keys": [],
          "policy": "off"
        }
        /v1/components/audit?last=3
        200 {
          "entries": [
            {
              "action": "activate",
              "at": 7,
              "by": "anna",
              "detail": "2d71 1",
              "number": 1,
              "reason": "",
              "subject": "agent"
            }
          ]
        }
    "#]]
    .assert_eq(&answers.await);
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let answers = answers(&["/v1/kinds/missing", "/v1/components/missing", "/v1/kinds/missing/canary"]);
    expect![[r#"
        /v1/kinds/missing
        404 not-found: kind missing: so it is
        /v1/components/missing
        404 not-found: component missing: so it is
        /v1/kinds/missing/canary
        404 not-found: canary missing: so it is
    "#]]
    .assert_eq(&answers.await);
}
