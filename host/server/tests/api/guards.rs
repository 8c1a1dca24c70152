use crate::fake::FakeService;
use crate::{request, send, shown, state};
use axum::http::StatusCode;
use expect_test::expect;
use lockstep_server::{AppState, Options, Services, app};
use tower::ServiceExt;

#[tokio::test]
async fn everything_under_v1_needs_the_token() {
    for path in ["/v1/runs", "/v1/nothing", "/v1/events", "DELETE /v1/runs"] {
        for value in
            [None, Some("Bearer wrong"), Some("Bearer "), Some("Basic right-token"), Some("right-token")]
        {
            let mut unauthorized = request(path, "");
            unauthorized.headers_mut().remove("authorization");
            if let Some(value) = value {
                unauthorized.headers_mut().insert("authorization", value.parse().unwrap());
            }
            let response = send(&FakeService::new(), unauthorized).await;
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path} {value:?}");
            assert_eq!(response.headers()["www-authenticate"], "Bearer");
        }
    }
    let mut unauthorized = request("/v1/runs", "");
    unauthorized.headers_mut().remove("authorization");
    expect![[r#"
        401 unauthorized: send `Authorization: Bearer TOKEN`; the token is in the file `token` of the data folder, or made by `lockstep token add`
    "#]].assert_eq(&shown(send(&FakeService::new(), unauthorized).await).await);
}

#[tokio::test]
async fn health_needs_no_token() {
    for path in ["/login", "/healthz", "/readyz"] {
        let mut open = request(path, "");
        open.headers_mut().remove("authorization");
        assert_eq!(send(&FakeService::new(), open).await.status(), 200, "{path}");
    }
}

#[tokio::test]
async fn a_host_that_is_not_this_machine_is_refused() {
    for (host, status) in
        [("127.0.0.1:7420", 200), ("[::1]:7420", 200), ("LOCALHOST", 200), ("evil.example", 421), ("", 421)]
    {
        let mut request = request("/v1/runs", "");
        request.headers_mut().insert("host", host.parse().unwrap());
        assert_eq!(send(&FakeService::new(), request).await.status(), status, "{host:?}");
    }
    let mut rebound = request("/healthz", "");
    rebound.headers_mut().insert("host", "evil.example:7420".parse().unwrap());
    expect![[r#"
        421 wrong-host: the Host header must name this machine: localhost, 127.0.0.1 or [::1]
    "#]]
    .assert_eq(&shown(send(&FakeService::new(), rebound).await).await);
    let mut twice = request("/healthz", "");
    twice.headers_mut().append("host", "localhost".parse().unwrap());
    assert_eq!(send(&FakeService::new(), twice).await.status(), 421);
    let mut none = request("/healthz", "");
    none.headers_mut().remove("host");
    assert_eq!(send(&FakeService::new(), none).await.status(), 421);
}

#[tokio::test]
async fn a_remote_server_answers_to_any_name_but_not_without_token() {
    let options = Options { token: "t".to_owned(), allow_remote: true, ..Options::default() };
    let app = app(AppState::new(Services::of(&FakeService::new()), options));
    for (token, status) in [("Bearer t", 200), ("Bearer u", 401)] {
        let mut request = request("/v1/runs", "");
        request.headers_mut().insert("host", "build.example".parse().unwrap());
        request.headers_mut().insert("authorization", token.parse().unwrap());
        assert_eq!(app.clone().oneshot(request).await.unwrap().status(), status);
    }
}

#[tokio::test]
async fn an_empty_token_lets_nobody_in() {
    let options = Options { token: String::new(), allow_remote: false, ..Options::default() };
    let app = app(AppState::new(Services::of(&FakeService::new()), options));
    let mut request = request("/v1/runs", "");
    request.headers_mut().insert("authorization", "Bearer ".parse().unwrap());
    assert_eq!(app.oneshot(request).await.unwrap().status(), 401);
}

#[tokio::test]
async fn answers_are_not_cached_or_guessed_at() {
    let response = app(state(&FakeService::new())).oneshot(request("/v1/runs", "")).await.unwrap();
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
}
