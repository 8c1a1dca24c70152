use crate::fake::FakeService;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::body::Bytes;
use lockstep_server::{AppState, Options, Services, app};
use tower::ServiceExt as _;

const TOKEN: &str = "right-token";

/// A request: its method and path on the first line, its content type on the second, then its body. The routes are the
/// real ones, the service behind them is that of their tests.
pub(crate) fn request(data: &[u8]) {
    let mut parts = data.splitn(3, |byte| *byte == b'\n');
    let (Some(line), Some(media)) = (parts.next(), parts.next()) else { return };
    let body = parts.next().unwrap_or_default().to_vec();
    let Some((method, path)) = std::str::from_utf8(line).ok().and_then(|line| line.split_once(' ')) else {
        return;
    };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost:7420")
        .header("authorization", format!("Bearer {TOKEN}"))
        .header("content-type", media)
        .body(Full::new(Bytes::from(body)));
    let Ok(request) = request else { return };
    // The stream of events has no end, and the service of the tests panics where it is asked to.
    let asks_for_more = path.contains("/events") || path.contains("/feed");
    if asks_for_more || data.windows(5).any(|word| word == b"panic") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(answer(request));
}

async fn answer(request: Request<Full<Bytes>>) {
    let service = FakeService::new();
    let options = Options { token: TOKEN.to_owned(), allow_remote: false, ..Options::default() };
    let state = AppState::new(Services::of(&service), options);
    let Ok(response) = app(state).oneshot(request).await;
    let status = response.status();
    let media = response.headers().get("content-type").cloned();
    let body = response.into_body().collect().await.expect("an answer is whole").to_bytes();
    if status.is_client_error() || status.is_server_error() {
        assert_eq!(media.expect("a problem has a type"), "application/problem+json");
        let problem: serde_json::Value = serde_json::from_slice(&body).expect("a problem is JSON");
        assert!(problem["code"].is_string() && problem["detail"].is_string(), "{problem}");
    }
}
