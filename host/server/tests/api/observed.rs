//! What the server tells of itself to those who run it.

use crate::fake::FakeService;
use crate::{TOKEN, request, shown};
use async_trait::async_trait;
use axum::Router;
use lockstep_ports::{Measure, Meter, MetricsPage, Readiness};
use lockstep_server::{AppState, Options, Services, Watch, app};
use std::sync::{Arc, Mutex};
use tower::ServiceExt as _;

#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Meter for Notes {
    fn note(&self, measure: &Measure<'_>) {
        if let Measure::Request { method, route, status, .. } = measure {
            self.0.lock().unwrap().push(format!("{method} {route} {status}"));
        }
    }
}

#[async_trait]
impl MetricsPage for Notes {
    async fn page(&self) -> String {
        "counted 1\n# EOF\n".to_owned()
    }
}

#[async_trait]
impl Readiness for Notes {
    async fn missing(&self) -> Vec<String> {
        vec!["store: the disk is full: free some space".to_owned()]
    }
}

fn observed(notes: &Arc<Notes>, open_metrics: bool) -> Router {
    let watch = Watch {
        meter: Arc::clone(notes) as _,
        metrics: Some(Arc::clone(notes) as _),
        open_metrics,
        readiness: Some(Arc::clone(notes) as _),
    };
    let services = Services { watch, ..Services::of(&FakeService::new()) };
    app(AppState::new(services, Options { token: TOKEN.to_owned(), ..Options::default() }))
}

#[tokio::test]
async fn requests_are_counted_by_route_and_have_an_id() {
    let notes = Arc::new(Notes::default());
    let app = observed(&notes, false);
    let mut named = request("/v1/runs/some/timeline", "");
    named.headers_mut().insert("x-request-id", "mine-1".parse().unwrap());
    assert_eq!(app.clone().oneshot(named).await.unwrap().headers()["x-request-id"], "mine-1");
    let mut rubbish = request("BREW /anything", "");
    rubbish.headers_mut().insert("x-request-id", "a b".parse().unwrap());
    let answer = app.oneshot(rubbish).await.unwrap();
    assert_eq!(answer.headers()["x-request-id"].len(), 16);
    let counted = notes.0.lock().unwrap().clone();
    assert!(counted[0].starts_with("GET /v1/runs/{run}/timeline "), "{counted:?}");
    assert!(counted[1].starts_with("other - "), "{counted:?}");
}

#[tokio::test]
async fn metrics_need_a_token_unless_they_are_open() {
    let notes = Arc::new(Notes::default());
    for (open, with_token, status) in [(false, true, 200), (false, false, 401), (true, false, 200)] {
        let mut request = request("/metrics", "");
        if !with_token {
            request.headers_mut().remove("authorization");
        }
        let answer = observed(&notes, open).oneshot(request).await.unwrap();
        assert_eq!(answer.status(), status);
        if status == 200 {
            let page = shown(answer).await;
            assert!(page.starts_with("200 application/openmetrics-text"), "{page}");
            assert!(page.ends_with("counted 1\n# HELP lockstep_event_streams Event streams and long polls that are open.\n# TYPE lockstep_event_streams gauge\nlockstep_event_streams 0\n# EOF\n"), "{page}");
        }
    }
}

#[tokio::test]
async fn a_host_that_is_not_ready_says_why() {
    let answer = observed(&Arc::default(), false).oneshot(request("/readyz", "")).await.unwrap();
    let page = shown(answer).await;
    assert!(
        page.starts_with("503 ") && page.ends_with("store: the disk is full: free some space\n"),
        "{page}"
    );
}
