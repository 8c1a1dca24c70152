//! The host as a service, and its client commands.

use crate::server::Server;
use crate::shop::Shop;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

#[test]
fn commands_are_the_client_of_a_server_that_has_the_folder() {
    let shop = Shop::new();
    let server = Server::start(&shop.host);
    let (pipeline, repo) = (shop.pipeline(), shop.repo());
    let args = shop.run_args(pipeline.to_str().unwrap(), repo.to_str().unwrap(), "receipt");
    let ran = shop.host.run(&args);
    assert_eq!(ran.status, Some(0), "{ran:?}");

    let id = shop.host.json(&["runs", "list"])[0]["id"].as_str().unwrap().to_owned();
    let shown = server.http(&format!("GET /v1/runs/{id}"), &server.token);
    assert!(shown.starts_with("HTTP/1.1 200") && shown.contains("\"status\":\"done\""), "{shown}");
    let denied = server.http("GET /v1/runs", "wrong");
    assert!(denied.starts_with("HTTP/1.1 401"), "{denied}");
    let missing = server.http("GET /v1/runs/run-none", &server.token);
    assert!(missing.starts_with("HTTP/1.1 404") && missing.contains("application/problem+json"), "{missing}");
    let rubbish = server.http("POST /v1/runs\n{\"pipeline\": 1}", &server.token);
    assert!(rubbish.starts_with("HTTP/1.1 4"), "{rubbish}");
    let second = shop.host.command(&["serve", "--listen", "127.0.0.1:0"]).output().unwrap();
    assert_eq!(second.status.code(), Some(5), "two servers on one folder: {second:?}");
    let replayed = shop.host.run(&["replay", &id]);
    assert_eq!(replayed.status, Some(0), "{replayed:?}");
}

#[test]
fn a_component_swapped_under_a_live_run_changes_only_the_next_one() {
    let shop = Shop::new();
    let _server = Server::start(&shop.host);
    let strict = crate::host::root().join("target/examples/ci-gate-strict.wasm");
    let before = shop.host.json(&["component", "history", "ci-gate"]);
    let (pipeline, repo) = (shop.pipeline(), shop.repo());
    let args = shop.run_args(pipeline.to_str().unwrap(), repo.to_str().unwrap(), "receipt");
    let mut first = shop.host.command(&args).arg("--json").stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(first.stdout.take().unwrap()).lines();
    assert!(lines.next().is_some_and(|line| line.is_ok()), "the first run is in flight");
    let digest = shop.host.json(&["component", "add", strict.to_str().unwrap()])["digest"].clone();
    let activated =
        shop.host.run(&["component", "activate", "ci-gate", digest.as_str().unwrap(), "--reason", "test"]);
    assert_eq!(activated.status, Some(0), "{activated:?}");
    for line in lines {
        line.unwrap();
    }
    assert_eq!(first.wait().unwrap().code(), Some(0));
    let ci = |run: &serde_json::Value| {
        let steps = run["steps"].as_array().unwrap();
        steps.iter().find(|step| step["name"] == "ci").unwrap()["digest"].clone()
    };
    let old = before.as_array().unwrap().last().unwrap()["digest"].clone();
    assert_eq!(ci(&shop.host.json(&["runs", "show", "latest"])), old, "a run keeps what it was pinned to");
    let args = shop.run_args(pipeline.to_str().unwrap(), repo.to_str().unwrap(), "discount");
    assert_eq!(shop.host.run(&args).status, Some(0));
    assert_eq!(ci(&shop.host.json(&["runs", "show", "latest"])), digest, "the next one takes the new one");
    for run in shop.host.json(&["runs", "list"]).as_array().unwrap() {
        let replayed = shop.host.run(&["replay", run["id"].as_str().unwrap()]);
        assert_eq!(replayed.status, Some(0), "{replayed:?}");
    }
}
