//! The client for everybody outside, against a service that misbehaves.

use crate::loopback::{Service, reply};
use lockstep_ports::{Measure, Meter, Secret};
use lockstep_providers::http::{Http, HttpError, HttpFault, HttpOptions, HttpRequest, HttpResponse, Retry};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Tries again at once.
const AT_ONCE: Retry = Retry { attempts: 3, first: Duration::ZERO, longest: Duration::from_secs(5) };

fn options(base: &str) -> HttpOptions {
    let mut options = HttpOptions::new("test", base);
    options.retry = AT_ONCE;
    options
}

async fn send(service: &Service, request: HttpRequest) -> Result<HttpResponse, HttpError> {
    Http::new(options(&service.url())).unwrap().send(&request).await
}

fn ok(body: &str) -> String {
    reply(200, &[], body)
}

#[tokio::test]
async fn a_request_carries_what_it_was_given() {
    let service = Service::script(&[&ok(r#"{"a":1}"#)]);
    let token = Secret::new("t0ken".to_owned());
    let base = format!("{}/api/v3/", service.url());
    let http = Http::new(options(&base).secret("authorization", "Bearer ", &token).unwrap()).unwrap();
    let request = HttpRequest::post("/repos/a?x=1").query("q", "a b&c").json(&serde_json::json!({"k": "v"}));
    let response = http.send(&request).await.unwrap().ok().unwrap();
    assert_eq!(response.json::<serde_json::Value>().unwrap()["a"], 1);
    let asked = &service.asked()[0];
    assert_eq!(asked.line, "POST /api/v3/repos/a?x=1&q=a+b%26c");
    assert_eq!(asked.header("authorization"), Some("Bearer t0ken"));
    assert_eq!(asked.header("content-type"), Some("application/json"));
    assert!(asked.header("user-agent").unwrap().starts_with("lockstep/"));
    assert_eq!(asked.json()["k"], "v");
}

#[tokio::test]
async fn what_was_not_carried_out_is_asked_again() {
    let limited = reply(429, &[("retry-after", "0")], "");
    let service = Service::script(&[&limited, &limited, &ok("")]);
    assert_eq!(send(&service, HttpRequest::post("/")).await.unwrap().status, 200);
    assert_eq!(service.lines().len(), 3);
    let secondary = reply(403, &[("retry-after", "0")], "");
    let service = Service::script(&[&secondary, &ok("")]);
    assert_eq!(send(&service, HttpRequest::post("/")).await.unwrap().status, 200);
}

#[tokio::test]
async fn what_may_have_been_carried_out_is_only_repeated_if_that_is_harmless() {
    let broken = reply(502, &[], "bad gateway");
    let cases =
        [(HttpRequest::get("/"), 3), (HttpRequest::post("/"), 1), (HttpRequest::post("/").repeatable(), 3)];
    for (request, times) in cases {
        for fault in [broken.as_str(), "", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"] {
            let service = Service::script(&[fault]);
            let outcome = send(&service, request.clone()).await.and_then(HttpResponse::ok);
            assert!(outcome.unwrap_err().is_temporary(), "{fault}");
            assert_eq!(service.lines().len(), times, "{fault} {request:?}");
        }
    }
}

#[tokio::test]
async fn a_service_that_wants_a_long_rest_gets_it_from_the_caller() {
    let service = Service::script(&[&reply(429, &[("retry-after", "6")], r#"{"message":"slow down"}"#)]);
    let error = send(&service, HttpRequest::get("/x?key=1")).await.unwrap().ok().unwrap_err();
    assert_eq!(service.lines().len(), 1);
    let url = service.url();
    assert_eq!(error.to_string(), format!("test: {url}/x answered 429: slow down (again in 6 s)"));
}

#[tokio::test]
async fn a_service_that_never_answers_is_given_up() {
    let service = Service::new(|_| None);
    let request = HttpRequest::post("/").time(Duration::from_millis(50));
    let error = send(&service, request).await.unwrap_err();
    assert_eq!(error.fault, HttpFault::Timeout(Duration::from_millis(50)));
}

#[tokio::test]
async fn an_answer_is_bounded_and_need_not_be_json() {
    let service = Service::script(&[&ok("0123456789")]);
    let mut options = options(&service.url());
    options.answer_max = 9;
    let error = Http::new(options).unwrap().send(&HttpRequest::get("/")).await.unwrap_err();
    assert_eq!(error.fault, HttpFault::TooLarge(9));
    let service = Service::script(&[&ok("<html>")]);
    let response = send(&service, HttpRequest::get("/")).await.unwrap();
    assert!(matches!(response.json::<u32>().unwrap_err().fault, HttpFault::Misread(_)));
}

#[tokio::test]
async fn secrets_are_told_to_nobody_else() {
    let elsewhere = Service::script(&[&ok("")]);
    let there = format!("{}/blob", elsewhere.url());
    let moved = reply(302, &[("location", &there)], "");
    let home = Service::script(&[&moved, &reply(301, &[("location", "/renamed")], ""), &ok("here")]);
    let secret = Secret::new("s3cret".to_owned());
    let http = Http::new(options(&home.url()).secret("authorization", "Bearer ", &secret).unwrap()).unwrap();
    assert_eq!(http.send(&HttpRequest::get("/a")).await.unwrap().status, 302);
    assert_eq!(elsewhere.lines().len(), 0);
    assert_eq!(http.send(&HttpRequest::get("/b")).await.unwrap().status, 200);
    assert_eq!(home.lines(), ["GET /a", "GET /b", "GET /renamed"]);
    assert_eq!(home.asked()[2].header("authorization"), Some("Bearer s3cret"));
    let request = HttpRequest::get(there).secret("x-key", "other").header("x-open", "yes");
    http.send(&request).await.unwrap();
    let asked = &elsewhere.asked()[0];
    assert_eq!((asked.header("authorization"), asked.header("x-key")), (None, None));
    assert_eq!(asked.header("x-open"), Some("yes"));
}

#[tokio::test]
async fn errors_show_no_secret() {
    let body = r#"{"message":"no such token: s3cret"}"#;
    let service = Service::script(&[&reply(401, &[], body)]);
    let secret = Secret::new("s3cret".to_owned());
    let http =
        Http::new(options(&service.url()).secret("authorization", "token ", &secret).unwrap()).unwrap();
    let error = http.send(&HttpRequest::get("/").query("k", "s3cret")).await.unwrap().ok().unwrap_err();
    assert!(error.to_string().ends_with("/ answered 401: no such token: ***"), "{error}");
    assert!(!format!("{http:?} {error:?}").contains("s3cret"));
    let split =
        HttpOptions::new("test", "https://a").secret("x-key", "", &Secret::new("s3cret\nx".to_owned()));
    assert!(!split.err().unwrap().to_string().contains("s3cret"));
}

#[tokio::test]
async fn only_this_machine_is_spoken_to_without_tls() {
    let refused = |base: &str| Http::new(HttpOptions::new("test", base)).unwrap_err().fault;
    assert_eq!(refused("http://example.org/"), HttpFault::Unencrypted);
    for base in ["ftp://localhost", "localhost", "", "http://user:pass@localhost/"] {
        assert!(matches!(refused(base), HttpFault::Address(_)), "{base}");
    }
    for base in ["http://localhost:1", "http://[::1]:1", "http://127.3.2.1"] {
        Http::new(HttpOptions::new("test", base)).unwrap();
    }
    let http = Http::new(options("http://127.0.0.1:1")).unwrap();
    let foreign = http.send(&HttpRequest::get("http://192.0.2.1/")).await.unwrap_err();
    assert_eq!(foreign.fault, HttpFault::Unencrypted);
    let nobody = http.send(&HttpRequest::post("/")).await.unwrap_err();
    assert!(matches!(nobody.fault, HttpFault::Unreachable(_)), "{nobody:?}");
    let rubbish = http.send(&HttpRequest::get("/").header("x", "a\nb")).await.unwrap_err();
    assert!(matches!(rubbish.fault, HttpFault::Request(_)));
}

#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Meter for Notes {
    fn note(&self, measure: &Measure<'_>) {
        let line = match measure {
            Measure::ProviderCall { provider, outcome, .. } => format!("{provider} {outcome}"),
            Measure::RateLimit { provider, remaining } => format!("{provider} has {remaining}"),
            _ => return,
        };
        self.0.lock().unwrap().push(line);
    }
}

#[tokio::test]
async fn every_request_is_counted() {
    let broken = reply(500, &[("x-ratelimit-remaining", "7")], "");
    let service = Service::script(&[&broken, "HTTP/1.1 rubbish", &ok("")]);
    let notes = Arc::new(Notes::default());
    let mut options = options(&service.url());
    options.meter = Arc::<Notes>::clone(&notes);
    Http::new(options).unwrap().send(&HttpRequest::get("/")).await.unwrap();
    assert_eq!(*notes.0.lock().unwrap(), ["test 5xx", "test has 7", "test cut-short", "test 2xx"]);
}
