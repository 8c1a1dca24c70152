//! Release health from monitoring systems on loopback.

use crate::fixture::{Fixture, provider, run_id};
use crate::loopback::{Service, reply};
use lockstep_ports::{ObservationOrder, Observations, Secret};
use lockstep_providers::http::{Http, HttpOptions, Retry};
use lockstep_providers::{Datadog, HealthPage, HealthSource, WatchedReleases};
use lockstep_types::{HealthStatus, ObserveFailure, SignalState, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

fn http(url: &str) -> Http {
    let mut options = HttpOptions::new("test", url);
    options.retry = Retry::NEVER;
    Http::new(options.secret("dd-api-key", "", &Secret::new("k3y".to_owned())).unwrap()).unwrap()
}

fn watched(fixture: &Fixture, source: HealthSource) -> WatchedReleases {
    WatchedReleases::new(Arc::new(fixture.observations()), vec![(None, source)])
}

#[tokio::test]
async fn a_page_answers_as_a_command_would() {
    let fixture = Fixture::new();
    let body =
        r#"{"signals":[{"name":"errors","state":"alert","changed_at":99},{"name":"p99","state":"alert"}]}"#;
    let service = Service::script(&[&reply(200, &[], body)]);
    let page = HealthPage::new(http(&format!("{}/health?team=a", service.url())), None);
    let releases = watched(&fixture, HealthSource::Page(page));
    let (run, change, commands) = (run_id(), fixture.change(), BTreeMap::new());
    let order = ObservationOrder { run: &run, change: &change, commands: &commands };
    let report = releases.release_health(order, Timestamp(100)).await.unwrap();
    assert_eq!(report.status, HealthStatus::Regressed);
    assert_eq!(report.signals[0].state, SignalState::Warn);
    assert!(service.lines()[0].starts_with("GET /health?team=a&run="), "{:?}", service.lines());
    let evidence = releases.evidence(order, Timestamp(100)).await.unwrap();
    assert_eq!(evidence.regressed.len(), 1);
    // A command of the pipeline wins.
    let own = [("release-health".to_owned(), provider("echo '{\"signals\":[]}'"))].into();
    let order = ObservationOrder { commands: &own, ..order };
    assert_eq!(releases.release_health(order, Timestamp(0)).await.unwrap().status, HealthStatus::Pending);
}

#[tokio::test]
async fn a_page_that_misbehaves_is_a_failed_look() {
    let fixture = Fixture::new();
    let (run, change, commands) = (run_id(), fixture.change(), BTreeMap::new());
    let order = ObservationOrder { run: &run, change: &change, commands: &commands };
    let cases = [
        (
            reply(200, &[], "<html>"),
            "answered what is not understood: it is not a health report: it is not a JSON object",
        ),
        (reply(200, &[], ""), "answered what is not understood: it is not a health report: it is empty"),
        (reply(503, &[("retry-after", "7")], "down"), "answered 503: down (again in 7 s)"),
        (reply(403, &[], "k3y may not"), "answered 403: *** may not"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{\"si".to_owned(), "was cut short"),
        (String::new(), "was cut short"),
    ];
    for (answer, expected) in cases {
        let service = Service::script(&[&answer]);
        let releases = watched(&fixture, HealthSource::Page(HealthPage::new(http(&service.url()), None)));
        match releases.release_health(order, Timestamp(0)).await {
            Err(ObserveFailure::Failed(line)) => assert!(line.contains(expected), "{line}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn monitors_and_objectives_of_datadog_are_signals() {
    let fixture = Fixture::new();
    let service = Service::new(|asked| {
        let path = asked.line.split([' ', '?']).nth(1).unwrap();
        let monitor = |id, state, seconds| {
            format!(
                r#"{{"id":{id},"name":"m{id}","type":"query alert","query":"q","overall_state":"{state}",
                "state":{{"groups":{{"host:a":{{"status":"{state}","last_triggered_ts":{seconds}}}}}}}}}"#
            )
        };
        let body = match path {
            "/api/v1/monitor/1" => monitor(1, "Alert", 50),
            "/api/v1/monitor" => format!("[{},{}]", monitor(1, "Alert", 50), monitor(2, "No Data", 0)),
            "/api/v1/slo/s" => {
                r#"{"data":{"name":"up","thresholds":[{"timeframe":"7d","target":99.9}]}}"#.to_owned()
            }
            "/api/v1/slo/s/history" => r#"{"data":{"overall":{"sli_value":99.5}}}"#.to_owned(),
            _ => return Some(reply(404, &[], r#"{"errors":["Monitor not found"]}"#).into_bytes()),
        };
        Some(reply(200, &[], &body).into_bytes())
    });
    let (run, change, commands) = (run_id(), fixture.change(), BTreeMap::new());
    let order = ObservationOrder { run: &run, change: &change, commands: &commands };
    let datadog = |monitors, tags, slos| {
        HealthSource::Datadog(Datadog::new(http(&service.url()), monitors, tags, slos))
    };
    let all = datadog(vec![1], vec!["service:shop".to_owned()], vec!["s".to_owned()]);
    let report = watched(&fixture, all).release_health(order, Timestamp(60_000)).await.unwrap();
    let shown: Vec<String> = report
        .signals
        .iter()
        .map(|signal| {
            format!("{} {:?} {}", signal.name, signal.state, signal.detail.as_deref().unwrap_or("-"))
        })
        .collect();
    assert_eq!(shown, ["m1 Warn host:a", "m2 NoData host:a", "up Alert 99.500 of 99.9"]);
    assert_eq!(report.status, HealthStatus::Regressed);
    assert_eq!(service.asked()[0].header("dd-api-key"), Some("k3y"));
    let missing = watched(&fixture, datadog(vec![7], Vec::new(), Vec::new()));
    match missing.release_health(order, Timestamp(0)).await {
        Err(ObserveFailure::Failed(line)) => {
            assert!(line.ends_with("answered 404: Monitor not found"), "{line}");
        }
        other => panic!("{other:?}"),
    }
}
