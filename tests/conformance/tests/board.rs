//! Pipelines are edited and schedules fire in a script: what no scenario of the folder does.

use expect_test::{Expect, expect};
use lockstep_conformance::{Components, run};
use lockstep_simulator::Scenario;
use serde_json::{Value, json};

const HOUR_MS: u64 = 3_600_000;

type Tested = Result<(), Box<dyn std::error::Error>>;

/// What a script does, an effect in each line.
async fn check(fields: Value, script: &Value, expected: &Expect) -> Tested {
    let mut scenario = json!({
        "name": "board",
        "pipelines": [{"id": "p", "agentKinds": ["coder"]}],
        "script": script,
    });
    for (name, value) in fields.as_object().into_iter().flatten() {
        scenario[name.as_str()] = value.clone();
    }
    let components = Components::load().await.map_err(|error| error.to_string())?;
    let trace = run(&Scenario::read(&scenario.to_string())?, &components).await?;
    let line = |effect: &Value| {
        let fields = effect.as_object().into_iter().flatten();
        let rest = fields.filter(|(name, _)| !["at", "fx"].contains(&name.as_str()));
        let rest: String = rest.map(|(name, value)| format!(" {name}={value}")).collect();
        format!("{} {}{rest}\n", effect["at"], effect["fx"].as_str().unwrap_or_default())
    };
    expected.assert_eq(&trace["effects"].as_array().into_iter().flatten().map(line).collect::<String>());
    Ok(())
}

#[tokio::test]
async fn a_pipeline_is_made_changed_and_started() -> Tested {
    let script = json!([
        {"do": "create_pipeline", "input": {"name": "two", "agentKinds": ["coder", "reviewer"], "thresholds": [null, 0.5]}},
        {"do": "update_pipeline", "id": "pl_1", "input": {"agentKinds": ["coder", "tester"]}},
        {"do": "update_pipeline", "id": "pl_1", "input": {"thresholds": [null, 1.5]}},
        {"do": "update_pipeline", "id": "pl_1", "input": {"enabled": [true, false]}},
        {"do": "update_pipeline", "id": "pl_2", "input": {"name": "other"}},
        {"do": "start", "pipeline": "pl_1"},
        {"do": "drive"},
    ]);
    check(
        json!({}),
        &script,
        &expect![[r#"
        1 action-rejected class="validation" do="update_pipeline"
        2 action-rejected class="validation" do="update_pipeline"
        4 action-rejected class="not-found" do="update_pipeline"
        5 block-status block="task" to="in_progress"
        5 run-status to="running"
        6 dispatch kind="coder" n=1 step=0
        6 notify type="pipeline_complete"
        6 block-status block="task" to="pr_ready"
        6 run-status to="done"
    "#]],
    )
    .await
}

#[tokio::test]
async fn a_pipeline_that_cannot_run_is_not_stored() -> Tested {
    let gating = json!({"enabled": true, "minRisk": 0.3});
    let script = json!([
        {"do": "create_pipeline", "input": {"agentKinds": ["coder"]}},
        {"do": "create_pipeline", "input": {"name": "none", "agentKinds": []}},
        {"do": "create_pipeline", "input": {"name": "off", "agentKinds": ["coder"], "enabled": [false]}},
        {"do": "create_pipeline", "input": {"name": "alone", "agentKinds": ["reviewer"]}},
        {"do": "create_pipeline", "input": {"name": "gated", "agentKinds": ["coder", "reviewer"], "gating": [null, gating]}},
        {"do": "create_pipeline", "input": {"name": "watch", "agentKinds": ["coder", "post-release-health"]}},
        {"do": "start", "pipeline": "pl_1"},
    ]);
    check(
        json!({"wiring": {"observability": false}}),
        &script,
        &expect![[r#"
        0 action-rejected class="validation" do="create_pipeline"
        1 action-rejected class="validation" do="create_pipeline"
        2 action-rejected class="validation" do="create_pipeline"
        3 action-rejected class="validation" do="create_pipeline"
        4 action-rejected class="validation" do="create_pipeline"
        5 action-rejected class="validation" do="create_pipeline"
        6 action-rejected class="not-found" do="start"
    "#]],
    )
    .await
}

#[tokio::test]
async fn a_schedule_starts_its_task_again_and_again() -> Tested {
    let input = json!({
        "blockId": "svc", "name": "weekly", "pipelineId": "p", "template": "dep-update",
        "recurrence": {"intervalHours": 24},
    });
    let script = json!([
        {"do": "schedule_create", "input": input},
        {"do": "run_due"},
        {"do": "clock", "ms": 24 * HOUR_MS},
        {"do": "run_due"},
        {"do": "run_now"},
        {"do": "drive", "run": "exec_1"},
        {"do": "run_now"},
        {"do": "schedule_runs"},
        {"do": "schedule_remove"},
        {"do": "run_now"},
    ]);
    check(
        json!({}),
        &script,
        &expect![[r#"
        0 block-added level="task" parent="svc"
        3 block-status block="simulation-1" to="in_progress"
        3 run-status block="simulation-1" to="running"
        4 action-rejected class="conflict" do="run_now"
        5 dispatch kind="coder" n=1 step=0
        5 notify block="simulation-1" type="pipeline_complete"
        5 block-status block="simulation-1" to="pr_ready"
        5 run-status block="simulation-1" to="done"
        6 notification-cleared as="dismissed" block="simulation-1" type="pipeline_complete"
        6 block-status block="simulation-1" to="in_progress"
        6 run-status block="simulation-1" to="running"
        8 run-status block="simulation-1" to="none"
        9 action-rejected class="not-found" do="run_now"
    "#]],
    )
    .await
}

#[tokio::test]
async fn what_is_wrong_with_a_schedule_is_refused() -> Tested {
    let recurrence = json!({"intervalHours": 24});
    let script = json!([
        {"do": "schedule_create", "input": {"blockId": "task", "name": "x", "pipelineId": "p", "recurrence": recurrence}},
        {"do": "schedule_create", "input": {"blockId": "svc", "name": "x", "pipelineId": "q", "recurrence": recurrence}},
        {"do": "schedule_create", "input": {"blockId": "svc", "name": "x", "pipelineId": "p", "recurrence": {"intervalHours": 0}}},
        {"do": "schedule_create", "input": {"blockId": "svc", "name": "x", "pipelineId": "p", "recurrence": {"intervalHours": 1, "weekdays": [7]}}},
        {"do": "schedule_update", "patch": {"enabled": false}},
        {"do": "schedule_create", "input": {"blockId": "svc", "name": "x", "pipelineId": "p", "recurrence": recurrence}},
        {"do": "schedule_update", "patch": {"enabled": false}},
        {"do": "clock", "ms": 48 * HOUR_MS},
        {"do": "run_due"},
        {"do": "pipeline_put", "pipeline": {"id": "p", "agentKinds": ["reviewer"]}},
        {"do": "run_now"},
    ]);
    check(
        json!({}),
        &script,
        &expect![[r#"
        0 action-rejected class="conflict" do="schedule_create"
        1 action-rejected class="not-found" do="schedule_create"
        2 action-rejected class="validation" do="schedule_create"
        3 action-rejected class="validation" do="schedule_create"
        4 action-rejected class="not-found" do="schedule_update"
        5 block-added level="task" parent="svc"
        10 action-rejected class="validation" do="run_now"
    "#]],
    )
    .await
}
