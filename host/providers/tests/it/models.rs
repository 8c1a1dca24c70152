//! Jobs that models answer, against a server process that speaks the protocol by a script.

use crate::fixture::Fixture;
use lockstep_ports::{Jobs, Secret};
use lockstep_providers::http::Retry;
use lockstep_providers::{JobOptions, LocalJobs, ModelOptions, Models, Structured};
use lockstep_types::{Access, JobCommand, JobOutcome, JobResult, Usage};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

const KEY: &str = "sk-test-0123456789abcdef";

/// An endpoint with its script; it ends with its test.
struct Endpoint {
    process: Child,
    url: String,
    seen: PathBuf,
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Endpoint {
    /// None if there is no Python, which is said.
    fn start(fixture: &Fixture, script: &Value) -> Option<Self> {
        let seen = fixture.root().join("seen.jsonl");
        let server = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/model_server.py");
        // `cargo xtask models` names one that has the types of OpenAI's client.
        let checking = std::env::var_os("LOCKSTEP_PYTHON_WITH_OPENAI");
        let mut command = Command::new(checking.unwrap_or_else(|| "python3".into()));
        command.args(["-B", server, &script.to_string()]).arg(&seen).stdout(Stdio::piped());
        let Ok(mut process) = command.spawn() else {
            writeln!(std::io::stderr().lock(), "skipped: an endpoint for models: there is no python3")
                .unwrap();
            return None;
        };
        let mut port = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut port).unwrap();
        let url = format!("http://127.0.0.1:{}/v1", port.trim());
        Some(Self { process, url, seen })
    }

    fn options(&self) -> ModelOptions {
        ModelOptions {
            key: Some(Arc::new(|| Ok(Secret::new(KEY.into())))),
            max_output_tokens: Some(500),
            temperature: Some(0.0),
            retry: Retry { attempts: 3, first: Duration::from_millis(1), longest: Duration::from_secs(1) },
            ..ModelOptions::new(self.url.clone(), "scripted-1")
        }
    }

    fn seen(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.seen).unwrap_or_default();
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        whole.map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn jobs(fixture: &Fixture, options: ModelOptions) -> LocalJobs {
    let mut models = Models::default();
    models.add("small", options).unwrap();
    LocalJobs::new(fixture.git.clone(), JobOptions::new(Vec::new())).unwrap().with_models(models)
}

/// A job that has to report a rating.
fn graded() -> JobCommand {
    let schema = json!({
        "type": "object",
        "required": ["rating"],
        "properties": { "rating": { "type": "number", "minimum": 0, "maximum": 1 }, "summary": { "type": "string" } },
        "additionalProperties": false,
    });
    let instructions = Some("Grade the work.".to_owned());
    JobCommand {
        model: Some("small".into()),
        instructions,
        schema: Some(schema),
        diff: true,
        ..JobCommand::default()
    }
}

fn usage(rounds: u64) -> Usage {
    Usage { input_tokens: 100 * rounds, output_tokens: 20 * rounds }
}

/// Plays a script; the outcome and what the endpoint saw.
async fn play(script: Value) -> Option<(JobOutcome, Vec<Value>)> {
    let fixture = Fixture::new();
    let endpoint = Endpoint::start(&fixture, &script)?;
    let jobs = jobs(&fixture, endpoint.options());
    let order = fixture.job(Access::ReadOnly);
    let outcome = jobs.carry_out(&order, Some(&graded())).await;
    let seen = endpoint.seen();
    assert!(seen.iter().all(|seen| seen["authorization"] == format!("Bearer {KEY}")));
    let log = jobs.log_tail(&order.key, 100_000).await.unwrap_or_default();
    assert!(!log.contains(KEY) && !format!("{outcome:?}").contains(KEY), "the key is shown nowhere");
    assert_eq!(jobs.carry_out(&order, Some(&graded())).await, outcome, "a second arrival is told the same");
    assert_eq!(endpoint.seen().len(), seen.len(), "and nothing is asked for it");
    Some((outcome, seen))
}

fn done(outcome: &JobOutcome) -> &JobResult {
    let JobOutcome::Done(result) = outcome else { panic!("{outcome:?}") };
    result
}

#[tokio::test]
async fn a_good_answer_is_the_report() {
    let good = json!([{ "say": "{\"rating\": 0.90, \"summary\": \"Sound.\"}" }]);
    let Some((outcome, seen)) = play(good).await else { return };
    let result = done(&outcome);
    assert_eq!(result.report.as_ref().unwrap().as_str(), r#"{"rating": 0.90, "summary": "Sound."}"#);
    assert_eq!((result.output.as_str(), result.model.as_deref()), ("Sound.", Some("small:scripted-1")));
    assert!(result.usage == Some(usage(1)) && result.head_commit.is_some());
    let body = &seen[0]["body"];
    assert_eq!(body["response_format"]["json_schema"]["schema"]["required"], json!(["rating"]));
    assert_eq!(
        (body["max_completion_tokens"].as_u64(), body["model"].as_str()),
        (Some(500), Some("scripted-1"))
    );
    let user = body["messages"][1]["content"].as_str().unwrap();
    assert!(user.contains("\"prompt\": \"write c\"") && user.contains("How b.txt differs"), "{user}");
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_repaired_once() {
    let repaired = json!([{ "say": "Very good!" }, { "say": "{\"rating\": 1}" }]);
    let Some((outcome, seen)) = play(repaired).await else { return };
    assert_eq!((done(&outcome).usage, seen.len()), (Some(usage(2)), 2));
    let last = seen[1]["body"]["messages"].as_array().unwrap().last().unwrap();
    assert!(last["content"].as_str().unwrap().contains("it is not JSON"), "{last}");
    let twice = json!([{ "say": "Very good!" }, { "say": "{\"rating\": 9}" }, { "say": "{\"rating\": 1}" }]);
    let Some((outcome, seen)) = play(twice).await else { return };
    let JobOutcome::FailedAfterUse { message, model, usage: spent } = outcome else { panic!("{outcome:?}") };
    assert!(message.contains("does not fit the schema") && message.contains("/rating"), "{message}");
    assert_eq!((model.as_str(), spent, seen.len()), ("small:scripted-1", usage(2), 2));
}

#[tokio::test]
async fn an_endpoint_that_is_not_to_be_had_is_asked_again() {
    let good = json!({ "say": "{\"rating\": 1}" });
    for trouble in [
        json!({ "status": 429, "error": "slow down", "headers": { "Retry-After": "0" } }),
        json!({ "status": 500, "error": "oops" }),
        json!({ "status": 503, "raw": "" }),
        json!({ "say": "{\"rating\": 1}", "half": true }),
        json!({ "drop": true }),
    ] {
        let Some((outcome, seen)) = play(json!([trouble, good])).await else { return };
        assert_eq!((done(&outcome).usage, seen.len()), (Some(usage(1)), 2), "{trouble}");
    }
}

#[tokio::test]
async fn what_cannot_be_answered_is_named_and_not_asked_again() {
    for (script, says, is_paid) in [
        (json!([{ "status": 401, "error": "bad key: $KEY" }]), "check `key` of [models.small]", false),
        (json!([{ "status": 404, "error": "no such model" }]), "check `url` and `model`", false),
        (json!([{ "raw": "<html>" }]), "not understood", false),
        (json!([{ "raw": "{}" }]), "not understood", false),
        (json!([{ "say": "{}", "pad": 3 << 20 }]), "more than 2097152 bytes", false),
        (json!([{ "say": "{\"rat", "finish": "length" }]), "raise `max_output_tokens`", true),
        (json!([{ "refuse": "I must not." }]), "it refuses: I must not.", true),
    ] {
        let Some((outcome, seen)) = play(script).await else { return };
        let (message, paid) = match &outcome {
            JobOutcome::Failed(message) => (message, false),
            JobOutcome::FailedAfterUse { message, .. } => (message, true),
            _ => panic!("{outcome:?}"),
        };
        assert!(message.contains(says) && !message.contains('\n'), "{message}");
        assert_eq!((paid, seen.len()), (is_paid, 1), "{message}");
    }
    let down = json!({ "status": 500, "error": "oops" });
    let Some((outcome, seen)) = play(json!([down, down, down, down])).await else { return };
    assert!(matches!(&outcome, JobOutcome::Failed(line) if line.contains("retry the step")), "{outcome:?}");
    assert_eq!(seen.len(), 3);
}

#[tokio::test]
async fn a_slow_answer_is_given_up_and_asked_for_again() {
    let fixture = Fixture::new();
    let Some(endpoint) = Endpoint::start(&fixture, &json!([{ "hang": true }, { "say": "{\"rating\": 1}" }]))
    else {
        return;
    };
    let options = ModelOptions { time: Duration::from_secs(2), ..endpoint.options() };
    let outcome = jobs(&fixture, options).carry_out(&fixture.job(Access::ReadOnly), Some(&graded())).await;
    assert_eq!((done(&outcome).usage, endpoint.seen().len()), (Some(usage(1)), 2));
}

#[tokio::test]
async fn a_job_has_its_time_limit_and_can_be_stopped() {
    let fixture = Fixture::new();
    let hang = json!([{ "hang": true }, { "hang": true }]);
    let Some(endpoint) = Endpoint::start(&fixture, &hang) else { return };
    let jobs = jobs(&fixture, endpoint.options());
    let mut order = fixture.job(Access::ReadOnly);
    order.time_limit_ms = Some(300);
    let outcome = jobs.carry_out(&order, Some(&graded())).await;
    assert!(
        matches!(&outcome, JobOutcome::Failed(line) if line.contains("time limit of 0.3 s")),
        "{outcome:?}"
    );
    (order.key.number, order.time_limit_ms) = (2, None);
    let carried = tokio::spawn({
        let (jobs, order) = (jobs.clone(), order.clone());
        async move { jobs.carry_out(&order, Some(&graded())).await }
    });
    while endpoint.seen().len() < 2 {
        tokio::task::yield_now().await;
    }
    let progress = jobs.progress(&order.key).await.unwrap();
    assert_eq!(progress.label.as_deref(), Some("asks small:scripted-1"));
    jobs.stop(&order.key).await;
    assert!(matches!(carried.await.unwrap(), JobOutcome::Failed(line) if line.contains("stopped")));
}

#[tokio::test]
async fn what_was_answered_before_a_crash_is_not_asked_again() {
    let fixture = Fixture::new();
    let Some(endpoint) =
        Endpoint::start(&fixture, &json!([{ "say": "no" }, { "hang": true }, { "say": "{\"rating\": 1}" }]))
    else {
        return;
    };
    let (first, order) = (jobs(&fixture, endpoint.options()), fixture.job(Access::ReadOnly));
    let carried = tokio::spawn({
        let (jobs, order) = (first.clone(), order.clone());
        async move { jobs.carry_out(&order, Some(&graded())).await }
    });
    while endpoint.seen().len() < 2 {
        tokio::task::yield_now().await;
    }
    carried.abort();
    drop(carried.await);
    let outcome = jobs(&fixture, endpoint.options()).carry_out(&order, Some(&graded())).await;
    assert_eq!((done(&outcome).usage, endpoint.seen().len()), (Some(usage(2)), 3), "the repair alone");
}

#[tokio::test]
async fn endpoints_differ_in_what_they_take() {
    let fixture = Fixture::new();
    let script = json!([{ "say": "{\"rating\": 1}" }, { "say": "```json\n{\"rating\": 1}\n```" }, { "say": " plain text ", "usage": false }]);
    let Some(endpoint) = Endpoint::start(&fixture, &script) else { return };
    let mut order = fixture.job(Access::Write);
    for (number, structured) in [(1, Structured::JsonObject), (2, Structured::None)] {
        order.key.number = number;
        let options =
            ModelOptions { structured, limit_field: "max_tokens".into(), key: None, ..endpoint.options() };
        done(&jobs(&fixture, options).carry_out(&order, Some(&graded())).await);
    }
    order.key.number = 3;
    let words = JobCommand { model: Some("small".into()), ..JobCommand::default() };
    let outcome = jobs(&fixture, endpoint.options()).carry_out(&order, Some(&words)).await;
    assert_eq!((done(&outcome).output.as_str(), done(&outcome).usage), ("plain text", None));
    let seen = endpoint.seen();
    assert_eq!(seen[0]["body"]["response_format"], json!({ "type": "json_object" }));
    assert!(seen[1]["body"].get("response_format").is_none() && seen[1]["body"]["max_tokens"] == 500);
    assert_eq!(seen[1]["authorization"], Value::Null);
}

#[tokio::test]
async fn a_model_nobody_configured_and_a_key_that_is_not_there_are_named() {
    let fixture = Fixture::new();
    let key: lockstep_providers::KeySource =
        Arc::new(|| Err("the variable X is not set to a text: set it".into()));
    let options = ModelOptions { key: Some(key), ..ModelOptions::new("http://127.0.0.1:1/v1", "m") };
    let (jobs, mut order) = (jobs(&fixture, options), fixture.job(Access::ReadOnly));
    let other = JobCommand { model: Some("large".into()), ..graded() };
    let outcome = jobs.carry_out(&order, Some(&other)).await;
    assert!(
        matches!(&outcome, JobOutcome::NotConfigured(line) if line.contains("add [models.large]")),
        "{outcome:?}"
    );
    order.key.number = 2;
    let outcome = jobs.carry_out(&order, Some(&graded())).await;
    assert!(matches!(&outcome, JobOutcome::Failed(line) if line.contains("X is not set")), "{outcome:?}");
    let plain =
        Models::default().add("far", ModelOptions::new("http://models.example.org/v1", "m")).unwrap_err();
    assert!(plain.to_string().contains("without TLS"), "{plain}");
}
