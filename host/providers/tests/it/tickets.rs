//! Trackers, against services on loopback that keep what they are told.

use crate::fixture::{Fixture, provider};
use crate::loopback::{Asked, Service, reply};
use lockstep_ports::{Effects, Secret, TicketState, Tracker};
use lockstep_providers::http::{Http, HttpOptions, Retry};
use lockstep_providers::{GithubIssues, LinearIssues, TrackedEffects};
use lockstep_types::{Effect, EffectOutcome, JsonText, Timestamp};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn http(service: &Service) -> Http {
    let mut options = HttpOptions::new("test", service.url());
    options.retry = Retry { attempts: 2, first: Duration::ZERO, longest: Duration::ZERO };
    Http::new(options.secret("authorization", "", &Secret::new("k3y".to_owned())).unwrap()).unwrap()
}

fn json_reply(status: u16, body: &Value) -> Option<Vec<u8>> {
    Some(reply(status, &[("content-type", "application/json")], &body.to_string()).into_bytes())
}

/// A repository with issues; `lose` says which creations are kept although their answer is lost.
fn github(lose: impl Fn(usize) -> bool + Send + Sync + 'static) -> Service {
    let issues: Mutex<Vec<Value>> = Mutex::default();
    Service::new(move |asked| {
        let mut issues = issues.lock().unwrap();
        let path = asked.line.split(['?', ' ']).nth(1).unwrap();
        if path != "/repos/acme/shop/issues" {
            return json_reply(404, &json!({ "message": "Not Found" }));
        }
        if asked.line.starts_with("GET") {
            return json_reply(200, &json!(*issues));
        }
        let number = issues.len() + 1;
        let url = format!("https://github.test/acme/shop/issues/{number}");
        let issue = json!({ "number": number, "html_url": url, "body": asked.json()["body"] });
        issues.push(issue.clone());
        if lose(number) { Some(Vec::new()) } else { json_reply(201, &issue) }
    })
}

fn ticket(title: &str) -> Effect {
    Effect::OpenTicket(JsonText::of(&json!({ "title": title, "body": "slow" })))
}

fn filed(service: &Service) -> Vec<Value> {
    let asked = service.asked().into_iter();
    asked.filter(|asked| asked.line == "POST /repos/acme/shop/issues").map(|asked| asked.json()).collect()
}

fn tracked(fixture: &Fixture, tracker: impl Tracker + 'static) -> TrackedEffects {
    TrackedEffects::new(Arc::new(fixture.effects()), Arc::new(tracker), &fixture.root().join("data"))
}

#[tokio::test]
async fn a_ticket_is_filed_once_however_often_it_is_asked_for() {
    let fixture = Fixture::new();
    let service = github(|number| number == 1);
    let issues = GithubIssues::new(http(&service), "acme/shop".to_owned(), vec!["debt".to_owned()]);
    let order = fixture.effect(ticket("Tech debt"), 1);
    let outcome = tracked(&fixture, issues.clone()).perform(&order, None).await;
    let EffectOutcome::Done(told) = &outcome else { panic!("{outcome:?}") };
    let expected = json!({ "external_id": "#1", "url": "https://github.test/acme/shop/issues/1" });
    assert_eq!(told.value(), expected);
    assert_eq!(filed(&service).len(), 1, "the lost one was found");
    assert_eq!(filed(&service)[0]["labels"], json!(["debt"]));
    let again = tracked(&fixture, issues.clone()).perform(&order, None).await;
    assert_eq!(again, outcome);
    // A host that was killed before it kept the answer looks for it.
    for entry in std::fs::read_dir(fixture.root().join("data/tickets").join(order.key.run.as_str())).unwrap()
    {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|kind| kind == "json") {
            std::fs::remove_file(path).unwrap();
        }
    }
    assert_eq!(tracked(&fixture, issues.clone()).perform(&order, None).await, outcome);
    assert_eq!(filed(&service).len(), 1);
    let second = tracked(&fixture, issues).perform(&fixture.effect(ticket("Other"), 2), None).await;
    assert!(
        matches!(&second, EffectOutcome::Done(told) if told.value()["external_id"] == "#2"),
        "{second:?}"
    );
}

#[tokio::test]
async fn a_command_wins_and_other_effects_go_their_way() {
    let fixture = Fixture::new();
    let service = github(|_| false);
    let effects = tracked(&fixture, GithubIssues::new(http(&service), "acme/shop".to_owned(), Vec::new()));
    let order = fixture.effect(ticket("x"), 1);
    let command = provider("echo '{\"external_id\":\"own\"}'");
    let outcome = effects.perform(&order, Some(&command)).await;
    assert!(
        matches!(&outcome, EffectOutcome::Done(told) if told.value()["external_id"] == "own"),
        "{outcome:?}"
    );
    let other = effects.perform(&fixture.effect(Effect::AnnotateIncident(JsonText::null()), 2), None).await;
    assert!(matches!(other, EffectOutcome::NotConfigured(_)));
    assert!(service.lines().is_empty());
}

#[tokio::test]
async fn what_github_refuses_is_told_with_what_to_do() {
    let fixture = Fixture::new();
    let cases = [
        (
            reply(401, &[], r#"{"message":"Bad credentials"}"#),
            "refused: test: URL answered 401: Bad credentials: put a token that is valid in place of it",
        ),
        (
            reply(403, &[], r#"{"message":"Resource not accessible by k3y"}"#),
            "refused: test: URL answered 403: Resource not accessible by ***: give the token the right to do this",
        ),
        (
            reply(410, &[], r#"{"message":"Issues are disabled"}"#),
            "refused: test: URL answered 410: Issues are disabled: look whether the name in config.toml is right and the token may see it",
        ),
        (reply(500, &[], ""), "failed: test: URL answered 500"),
        (
            reply(201, &[], "[]"),
            "refused: test: URL answered what is not understood: invalid type: sequence, expected a field",
        ),
        (String::new(), "failed: test: the answer of URL was cut short"),
    ];
    for (number, (answer, expected)) in (1..).zip(&cases) {
        let service = Service::script(&[answer]);
        let issues = GithubIssues::new(http(&service), "acme/shop".to_owned(), Vec::new());
        let outcome = tracked(&fixture, issues).perform(&fixture.effect(ticket("x"), number), None).await;
        let line = match outcome {
            EffectOutcome::Refused(line) => format!("refused: {line}"),
            EffectOutcome::Failed(line) => format!("failed: {line}"),
            other => panic!("{other:?}"),
        };
        let line = line.replace(&format!("{}/repos/acme/shop/issues", service.url()), "URL");
        assert!(line.starts_with(&expected[..expected.len().min(60)]), "{line}");
    }
}

/// A Linear that knows team ENG; `lose` cuts the answer to what was created.
fn linear(lose: bool) -> Service {
    let issues: Mutex<Vec<Value>> = Mutex::default();
    Service::new(move |asked: &Asked| {
        let (mut issues, body) = (issues.lock().unwrap(), asked.json());
        let (query, variables) = (body["query"].as_str().unwrap(), &body["variables"]);
        let refused = |message: &str| {
            json_reply(
                200,
                &json!({ "errors": [{ "message": "bad", "extensions": { "userPresentableMessage": message } }] }),
            )
        };
        let states = json!({ "nodes": [
            { "id": "s-doing", "type": "started", "position": 1.0 }, { "id": "s-done", "type": "completed", "position": 2.0 },
        ]});
        if query.contains("teams(") {
            let nodes = if variables["key"] == "ENG" { json!([{ "id": "team-1" }]) } else { json!([]) };
            return json_reply(200, &json!({ "data": { "teams": { "nodes": nodes } } }));
        }
        if query.contains("issueCreate") {
            let input = &variables["input"];
            if issues.iter().any(|issue| issue["id"] == input["id"]) {
                return refused("the id is taken");
            }
            let issue = json!({ "id": input["id"], "identifier": "ENG-1", "url": "https://linear.test/ENG-1",
                "state": { "id": "s-todo", "type": "unstarted" }, "team": { "states": states } });
            issues.push(issue.clone());
            let data = json!({ "data": { "issueCreate": { "success": true, "issue": issue } } });
            return if lose { Some(Vec::new()) } else { json_reply(200, &data) };
        }
        if query.contains("issueUpdate") {
            return json_reply(200, &json!({ "data": { "issueUpdate": { "success": true } } }));
        }
        let found = issues
            .iter()
            .find(|issue| issue["id"] == variables["id"] || issue["identifier"] == variables["id"]);
        match found {
            Some(issue) => json_reply(200, &json!({ "data": { "issue": issue } })),
            None => refused("there is no such issue"),
        }
    })
}

#[tokio::test]
async fn linear_is_told_once_even_if_its_answer_is_lost() {
    for lose in [false, true] {
        let service = linear(lose);
        let issues = LinearIssues::new(http(&service), "ENG".to_owned());
        for _ in 0..2 {
            let ticket = issues.file("run/step/effect-1", "t", "b", Timestamp(0), true).await.unwrap();
            assert_eq!(ticket.external_id, "ENG-1");
        }
        issues.set_state("ENG-1", TicketState::Done).await.unwrap();
        let last = service.asked().last().unwrap().json();
        assert_eq!(last["variables"], json!({ "id": "ENG-1", "input": { "stateId": "s-done" } }));
        let error = issues.set_state("ENG-2", TicketState::Done).await.unwrap_err();
        assert!(error.message.ends_with("answered 200: there is no such issue"), "{error}");
    }
    let service = linear(false);
    let issues = LinearIssues::new(http(&service), "OPS".to_owned());
    let error = issues.file("k", "t", "b", Timestamp(0), true).await.unwrap_err();
    assert_eq!(error.message, "linear: there is no team OPS: correct it in config.toml");
}
