//! The OpenAPI document and its page.

use crate::fake::FakeService;
use crate::{request, send, state};
use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use lockstep_server::app;
use serde_json::Value;
use tower::ServiceExt;

/// What anybody is answered, without a token.
async fn open(path: &str) -> (u16, String) {
    let request = Request::get(path).header("host", "localhost").body(Body::empty()).unwrap();
    let response = send(&FakeService::new(), request).await;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn document() -> Value {
    let (status, text) = open("/v1/openapi.json").await;
    assert_eq!(status, 200);
    serde_json::from_str(&text).unwrap()
}

fn operations(document: &Value) -> impl Iterator<Item = (&String, &String, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths.flat_map(|(path, methods)| methods.as_object().unwrap().iter().map(move |(m, o)| (path, m, o)))
}

#[tokio::test]
async fn everything_described_is_there_and_takes_no_other_method() {
    let document = document().await;
    let server = app(state(&FakeService::new()));
    let mut checked = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let example = path.replace("{run}", "run-1").replace(['{', '}'], "");
        for method in ["get", "post", "put", "patch", "delete", "trace"] {
            let line = format!("{} {example}", method.to_uppercase());
            let status = server.clone().oneshot(request(&line, "")).await.unwrap().status();
            assert_eq!(status == 405, methods.get(method).is_none(), "{line}: {status}");
            checked += 1;
        }
    }
    assert!(checked > 300, "{checked}");
}

#[tokio::test]
async fn every_reference_leads_somewhere() {
    fn check(within: &Value, document: &Value) {
        match within {
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value.as_str().filter(|_| name == "$ref") {
                        Some(to) => assert!(document.pointer(&to[1..]).is_some(), "{to}"),
                        None => check(value, document),
                    }
                }
            }
            Value::Array(values) => values.iter().for_each(|value| check(value, document)),
            _ => {}
        }
    }
    let document = document().await;
    check(&document, &document);
}

#[tokio::test]
async fn every_operation_says_who_may_and_what_it_answers() {
    let document = document().await;
    let mut ids = std::collections::BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        let line = format!("{method} {path}");
        assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{line}");
        assert!(operation["x-role"].is_string() || operation["security"] == serde_json::json!([]), "{line}");
        let answers = operation["responses"].as_object().unwrap();
        assert!(answers.keys().any(|status| status.starts_with('2')), "{line}");
        for parameter in operation["parameters"].as_array().unwrap() {
            assert!(!parameter["description"].as_str().unwrap().is_empty(), "{line}: {parameter}");
        }
    }
}

#[tokio::test]
async fn the_page_shows_every_operation_and_every_code() {
    let (document, (status, page)) = (document().await, open("/v1/docs").await);
    assert_eq!(status, 200);
    for (path, method, _) in operations(&document) {
        assert!(page.contains(&format!("<code>{} {path}</code>", method.to_uppercase())), "{method} {path}");
    }
    for code in
        document["components"]["schemas"]["Problem"]["properties"]["code"]["oneOf"].as_array().unwrap()
    {
        assert!(page.contains(&format!("<code>{}</code>", code["const"].as_str().unwrap())), "{code}");
    }
    for private in ["http://", "https://", "<script", "style=", "right-token"] {
        assert!(!page.contains(private), "{private}");
    }
}
