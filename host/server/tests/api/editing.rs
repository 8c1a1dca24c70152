//! States of what is edited, lists by the page, and parameters nobody takes.

use crate::fake::FakeService;
use crate::{answer, request, send, shown};
use http_body_util::BodyExt;

const ITEM: &str = "/v1/workspaces/shop/items/shop-3";

async fn tag_of(path: &str) -> String {
    let response = send(&FakeService::new(), request(path, "")).await;
    assert_eq!(response.status(), 200, "{path}");
    response.headers()["etag"].to_str().unwrap().to_owned()
}

async fn status(line: &str, body: &'static str, (header, value): (&'static str, &str)) -> u16 {
    let mut request = request(line, body);
    request.headers_mut().insert(header, value.parse().unwrap());
    send(&FakeService::new(), request).await.status().as_u16()
}

#[tokio::test]
async fn whatever_is_edited_has_a_state_that_a_change_may_name() {
    let shop = "/v1/workspaces/shop";
    for (row, body) in [
        ("items/shop-3", r#"{"title":"x"}"#),
        ("presets/preset-1", r#"{"name":"x"}"#),
        ("pipelines/pipeline-1", r#"{"name":"x"}"#),
        ("schedules/schedule-1", r#"{"name":"x"}"#),
        ("settings", r#"{"waiting_escalation_minutes":5}"#),
    ] {
        let path = format!("{shop}/{row}");
        let tag = tag_of(&path).await;
        assert_eq!(status(&path, "", ("if-none-match", &tag)).await, 304, "{row}");
        assert_eq!(status(&path, "", ("if-none-match", &format!("\"x\", W/{tag}"))).await, 304, "{row}");
        assert_eq!(status(&path, "", ("if-none-match", "\"x\"")).await, 200, "{row}");
        let edited = tag.split('.').next().unwrap();
        let methods: &[(&str, &'static str)] =
            if row == "settings" { &[("PATCH", body)] } else { &[("PATCH", body), ("DELETE", "")] };
        for (method, body) in methods {
            let line = format!("{method} {path}");
            assert_eq!(status(&line, body, ("if-match", &tag)).await, 200, "{line}");
            assert_eq!(status(&line, body, ("if-match", "*")).await, 200, "{line}");
            assert_eq!(
                status(&line, body, ("if-match", &format!("{edited}.moved-on\""))).await,
                200,
                "{line}"
            );
            assert_eq!(status(&line, body, ("if-match", "\"old.old\"")).await, 412, "{line}");
            assert_eq!(status(&line, body, ("if-match", "old")).await, 422, "{line}");
        }
    }
}

#[tokio::test]
async fn a_change_of_an_older_state_never_reaches_the_board() {
    let service = FakeService::new();
    let mut edit = request(&format!("PATCH {ITEM}"), r#"{"title":"x"}"#);
    edit.headers_mut().insert("if-match", "\"old.old\"".parse().unwrap());
    let told = shown(send(&service, edit).await).await;
    assert_eq!(
        told,
        "412 precondition-failed: it was changed since it was read: read it again, and decide again\n"
    );
    assert_eq!(service.calls(), "");
}

#[tokio::test]
async fn rows_that_are_not_there_are_not_found() {
    for row in ["presets/preset-9", "pipelines/pipeline-9", "schedules/schedule-9"] {
        let told = answer(&format!("/v1/workspaces/shop/{row}"), "").await;
        assert!(told.starts_with("404 not-found: there is no "), "{told}");
    }
}

#[tokio::test]
async fn a_list_goes_on_where_it_says() {
    let read = async |path: String| {
        let response = send(&FakeService::new(), request(&path, "")).await;
        let body = response.into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice::<serde_json::Value>(&body).unwrap()
    };
    let path = "/v1/runs/long/timeline?limit=2";
    let first = read(path.to_owned()).await;
    assert_eq!(first["entries"].as_array().unwrap().len(), 2);
    let second = read(format!("{path}&after={}", first["next"])).await;
    assert_eq!(second["entries"].as_array().unwrap().len(), 1);
    assert!(second["next"].is_null());
    for list in ["items", "presets", "pipelines", "schedules", "schedules/schedule-1/runs"] {
        for (query, what) in [("limit=0", "`limit` must be 1 to 500"), ("after=%20", "`after` must be what")]
        {
            let told = answer(&format!("/v1/workspaces/shop/{list}?{query}"), "").await;
            assert!(told.starts_with("422 invalid: ") && told.contains(what), "{list}: {told}");
        }
    }
}

#[tokio::test]
async fn a_parameter_nobody_takes_is_refused() {
    let told = answer("/v1/runs?stauts=failed", "").await;
    assert_eq!(
        told,
        "422 invalid: the query has \"stauts\", which this path does not take; it takes before, item, limit, pipeline, status, text, waits\n"
    );
    let told = answer("POST /v1/runs/run-1/stop?x", "").await;
    assert!(told.starts_with("422 invalid: the query has \"x\""), "{told}");
}

#[tokio::test]
async fn a_field_nobody_knows_is_refused_wherever_it_stands() {
    for (line, body, pointer) in [
        ("POST /v1/trust", r#"{"change":{"remove":{"name":"a","nmae":"b"}}}"#, "/change/remove/nmae"),
        ("POST /v1/kinds/agent/grant", r#"{"grant":{"imprts":[]}}"#, "/grant/imprts"),
        (
            "POST /v1/kinds/agent/grant",
            r#"{"grant":{"dirs":[{"path":"/a","digest":"0","a~/b":1}]}}"#,
            "/grant/dirs/0/digest",
        ),
        (
            "POST /v1/runs/run-1/answers",
            r#"{"answer":"request-changes","comments":[{"body":"x","bdoy":"y"}]}"#,
            "/comments/0/bdoy",
        ),
        ("PATCH /v1/workspaces/shop/items/shop-3", r#"{"tests":{"a~/b":1}}"#, "/tests/a~0~1b"),
    ] {
        let response = send(&FakeService::new(), request(line, body)).await;
        assert_eq!(response.status(), 422, "{line} {body}");
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let problem: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
}
