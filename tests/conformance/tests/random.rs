//! Random pipelines and random scripts with the real components: a simulation ends, and tells the same story twice.

use lockstep_conformance::{Components, run};
use lockstep_simulator::{Scenario, SimulationError};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// Kinds a pipeline is made of; the first is always the producer of the change.
const KINDS: [&str; 14] = [
    "coder",
    "ci",
    "conflicts",
    "tester",
    "merger",
    "documenter",
    "requirements-review",
    "clarity-review",
    "human-test",
    "deployer",
    "tracker",
    "task-estimator",
    "post-release-health",
    "architect",
];

fn pipeline() -> impl Strategy<Value = Value> {
    let step = (0..KINDS.len(), any::<bool>());
    prop::collection::vec(step, 0..5).prop_map(|steps| {
        let kinds: Vec<&str> =
            ["coder", "reviewer"].into_iter().chain(steps.iter().map(|step| KINDS[step.0])).collect();
        let gates: Vec<bool> = [false, false].into_iter().chain(steps.iter().map(|step| step.1)).collect();
        json!({"id": "p", "agentKinds": kinds, "gates": gates})
    })
}

fn action() -> impl Strategy<Value = Value> {
    let named = |name: &'static str| Just(json!({"do": name}));
    prop_oneof![
        8 => named("drive"),
        2 => named("advance"),
        1 => named("poll_job"),
        1 => named("poll_gate"),
        4 => named("approve"),
        1 => Just(json!({"do": "request_changes", "feedback": "other"})),
        1 => named("reject"),
        1 => Just(json!({"do": "companion_exceeded", "choice": "proceed"})),
        1 => named("start"),
        1 => Just(json!({"do": "start", "replace": true})),
        2 => named("retry"),
        1 => (0..6_u32).prop_map(|step| json!({"do": "restart", "step": step})),
        1 => named("stop"),
        1 => named("cancel"),
        1 => named("teardown"),
        1 => named("merge_pr"),
        1 => named("resume_paused"),
        1 => named("run_review"),
        2 => Just(json!({"do": "review_settle_all", "reply": "yes"})),
        2 => named("incorporate"),
        1 => named("re_review"),
        1 => Just(json!({"do": "proceed", "force": true})),
        1 => Just(json!({"do": "review_exceeded", "choice": "extra-round"})),
        2 => named("ht_confirm"),
        1 => named("ht_fix"),
        1 => named("ht_pull_main"),
        1 => named("ht_recreate"),
        1 => named("ht_destroy"),
        // A card that a person closes is not raised again for the same wait: other cards only.
        1 => Just(json!({"do": "notification", "type": "merge_review"})),
        1 => named("escalate"),
        1 => Just(json!({"do": "clock", "ms": 7_200_000})),
        1 => (0..200_u32).prop_map(|cost| json!({"do": "spend", "cost": cost})),
    ]
}

fn agent() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => Just(json!({})),
        1 => Just(json!({"throw": "no capacity"})),
        1 => Just(json!({"failed": "it broke"})),
        1 => Just(json!({"failed": "evicted or crashed"})),
        1 => Just(json!({"decision": {"question": "which?", "options": ["A", "B"]}})),
        1 => Just(json!({"assessment": {"rating": 0.2, "summary": "again"}})),
        1 => Just(json!({"output": "no json"})),
    ]
}

fn providers() -> impl Strategy<Value = Value> {
    let check = |conclusion: &'static str| json!({"checks": [{"name": "test", "status": "completed", "conclusion": conclusion}]});
    let ci = prop_oneof![Just(check("success")), Just(check("failure")), Just(json!({"throw": "down"}))];
    let finding = json!({"items": [{"severity": "high", "title": "unclear", "detail": "d"}]});
    let review = prop_oneof![Just(json!({"items": []})), Just(finding), Just(json!("not json"))];
    let environment =
        prop_oneof![Just(json!({})), Just(json!({"status": "failed"})), Just(json!({"throw": "quota"}))];
    (
        prop::collection::vec(ci, 1..4),
        prop::collection::vec(review, 1..4),
        prop::collection::vec(environment, 1..3),
    )
        .prop_map(|(ci, review, provision)| {
            json!({
                "ci": ci, "mergeability": [{}], "branch": ["noop"],
                "environment": {"provision": provision},
                "llm": {"requirements-review": review, "requirements-rework": ["better words"]}
            })
        })
}

fn scenario() -> impl Strategy<Value = Value> {
    let agents = prop::collection::vec(prop::collection::vec(agent(), 0..4), 5);
    let script = prop::collection::vec(action(), 0..20);
    let asynchronous = any::<bool>();
    (pipeline(), agents, providers(), script, asynchronous).prop_map(
        |(pipeline, agents, providers, script, asynchronous)| {
            let kinds = ["coder", "reviewer", "tester", "ci-fixer", "fixer"];
            let agents: serde_json::Map<String, Value> =
                kinds.into_iter().map(str::to_owned).zip(agents.into_iter().map(Value::Array)).collect();
            let jobs: &[&str] = if asynchronous { &["coder", "tester"] } else { &[] };
            let script: Vec<Value> = std::iter::once(json!({"do": "start"})).chain(script).collect();
            json!({
                "name": "random", "engine": "0.15.0", "pipelines": [pipeline], "agents": agents,
                "providers": providers, "asyncKinds": jobs, "script": script,
                "config": {"pricing": {"monthlyLimit": 100}, "drive": {"ciMaxPolls": 5, "jobMaxPolls": 5}}
            })
        },
    )
}

/// What must hold of the end of any simulation.
fn check(trace: &Value) {
    let end = &trace["final"];
    for run in end["runs"].as_array().into_iter().flatten() {
        let (block, status) =
            (run["block"].as_str().unwrap_or_default(), run["status"].as_str().unwrap_or_default());
        let item = end["blocks"][block].as_str().unwrap_or_default();
        let waits =
            run["steps"].as_array().into_iter().flatten().any(|step| step["state"] == "waiting_decision");
        match status {
            "blocked" => assert!(waits, "a blocked run waits for somebody: {run}"),
            "done" => assert!(["done", "pr_ready", "planned"].contains(&item), "{item} after {run}"),
            "running" => assert_ne!(item, "blocked", "nobody is waited for: {run}"),
            _ => {}
        }
        assert_eq!(run["failure"].is_string(), status == "failed", "only a failed run has a failure: {run}");
        if status == "blocked" {
            let open = end["openNotifications"].as_array().is_some_and(|open| !open.is_empty());
            assert!(open, "somebody is waited for and nobody is told: {run}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_random_scenario_ends_and_tells_the_same_story_twice(scenarios in prop::collection::vec(scenario(), 5)) {
        let runtime = Runtime::new().unwrap();
        let components = runtime.block_on(components());
        for scenario in scenarios {
            let text = scenario.to_string();
            let scenario = Scenario::read(&text).unwrap();
            let traces = [0, 1].map(|_| runtime.block_on(run(&scenario, components)));
            prop_assert_eq!(&traces[0], &traces[1], "{}", text);
            match &traces[0] {
                Ok(trace) => check(trace),
                Err(SimulationError::Stuck(_)) => {}
                Err(error) => prop_assert!(false, "{}: {}", error, text),
            }
        }
    }
}

/// Loaded once: compiling them is most of the time.
async fn components() -> &'static Components {
    static COMPONENTS: tokio::sync::OnceCell<Components> = tokio::sync::OnceCell::const_new();
    COMPONENTS.get_or_init(|| async { Components::load().await.expect("the components are built") }).await
}
