use crate::fake::FakeService;
use crate::{request, send, shown};
use expect_test::{Expect, expect, expect_file};

/// Sends requests to one service and compares how each ended, and what the service was asked.
async fn asked(requests: &[(&str, &'static str)], expected: Expect) {
    expected.assert_eq(&exchange(requests).await);
}

async fn exchange(requests: &[(&str, &'static str)]) -> String {
    let service = FakeService::new();
    let mut text = String::new();
    for (line, body) in requests {
        let before = service.calls().len();
        let response = send(&service, request(line, *body)).await;
        let status = response.status();
        let problem = if status.is_success() { String::new() } else { shown(response).await };
        let calls = service.calls();
        let calls = calls[before..].trim().replace('\n', "\n    ");
        let ending = if problem.is_empty() { status.as_u16().to_string() } else { problem.trim().to_owned() };
        text.push_str(&format!("{}\n    {ending}\n    {calls}\n", format!("{line} {body}").trim_end()));
    }
    text.replace("\n    \n", "\n")
}

const SHOP: &str = "/v1/workspaces/shop";

fn at<'b>(lines: &[(&str, &'b str)]) -> Vec<(String, &'b str)> {
    lines.iter().map(|(line, body)| (line.replace(" /", &format!(" {SHOP}/")), *body)).collect()
}

async fn asked_of_the_shop(lines: &[(&str, &'static str)], expected: Expect) {
    let lines = at(lines);
    let lines: Vec<(&str, &'static str)> = lines.iter().map(|(line, body)| (line.as_str(), *body)).collect();
    asked(&lines, expected).await;
}

#[tokio::test]
async fn items_reach_the_board_as_they_were_meant() {
    asked_of_the_shop(
        &[
            ("POST /items", r#"{"level":"module","parent":"shop-1","title":"Till","by":"anna"}"#),
            ("POST /items", r#"{"title":"Fix it","task_type":"bug","labels":["a"]}"#),
            ("PATCH /items/shop-3", r#"{"preset":null,"description":"more","by":"bo"}"#),
            ("PATCH /items/shop-3", "{}"),
            ("POST /items/shop-3/move", r#"{"parent":"shop-2"}"#),
            ("POST /items/shop-3/move", r#"{"parent":null,"by":"bo"}"#),
            ("DELETE /items/shop-3?by=bo", ""),
            ("POST /items/shop-3/start", ""),
            (
                "POST /items/shop-3/start",
                r#"{"pipeline":"pipeline-2","branch":"b","replace":true,"by":"bo","token":"t"}"#,
            ),
            ("POST /items/shop-3/cancel", ""),
            ("POST /items/shop-3/merge", r#"{"by":"bo"}"#),
        ],
        expect![[r#"
            POST /v1/workspaces/shop/items {"level":"module","parent":"shop-1","title":"Till","by":"anna"}
                201
                shop by anna: CreateItem { level: Module, parent: Some(ItemId("shop-1")), item: ItemPatch { title: Some("Till"), service_type: None, task_type: None, description: None, preset: None, pipeline: None, module_name: None, auto_start_dependents: None, labels: None, archived: None, responsible: None, repository: None, directory: None, base_branch: None, head_branch: None, tests: None } }
            POST /v1/workspaces/shop/items {"title":"Fix it","task_type":"bug","labels":["a"]}
                201
                shop by api: CreateItem { level: Task, parent: None, item: ItemPatch { title: Some("Fix it"), service_type: None, task_type: Some(Bug), description: None, preset: None, pipeline: None, module_name: None, auto_start_dependents: None, labels: Some(["a"]), archived: None, responsible: None, repository: None, directory: None, base_branch: None, head_branch: None, tests: None } }
            PATCH /v1/workspaces/shop/items/shop-3 {"preset":null,"description":"more","by":"bo"}
                200
                shop by bo: EditItem { id: ItemId("shop-3"), item: ItemPatch { title: None, service_type: None, task_type: None, description: Some("more"), preset: Some(None), pipeline: None, module_name: None, auto_start_dependents: None, labels: None, archived: None, responsible: None, repository: None, directory: None, base_branch: None, head_branch: None, tests: None } }
            PATCH /v1/workspaces/shop/items/shop-3 {}
                200
                shop by api: EditItem { id: ItemId("shop-3"), item: ItemPatch { title: None, service_type: None, task_type: None, description: None, preset: None, pipeline: None, module_name: None, auto_start_dependents: None, labels: None, archived: None, responsible: None, repository: None, directory: None, base_branch: None, head_branch: None, tests: None } }
            POST /v1/workspaces/shop/items/shop-3/move {"parent":"shop-2"}
                200
                shop by api: MoveItem { id: ItemId("shop-3"), parent: Some(ItemId("shop-2")) }
            POST /v1/workspaces/shop/items/shop-3/move {"parent":null,"by":"bo"}
                200
                shop by bo: MoveItem { id: ItemId("shop-3"), parent: None }
            DELETE /v1/workspaces/shop/items/shop-3?by=bo
                200
                shop by bo: DeleteItem { id: ItemId("shop-3") }
            POST /v1/workspaces/shop/items/shop-3/start
                201
                start shop-3 StartItem { pipeline: None, branch: None, pin: None, replace: false, by: Some("api"), token: None }
            POST /v1/workspaces/shop/items/shop-3/start {"pipeline":"pipeline-2","branch":"b","replace":true,"by":"bo","token":"t"}
                201
                start shop-3 StartItem { pipeline: Some(PipelineId("pipeline-2")), branch: Some("b"), pin: None, replace: true, by: Some("bo"), token: Some("t") }
            POST /v1/workspaces/shop/items/shop-3/cancel
                200
                cancel shop-3 by api
            POST /v1/workspaces/shop/items/shop-3/merge {"by":"bo"}
                200
                merge shop-3 by bo
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_dependency_is_put_and_deleted_whatever_there_was() {
    asked_of_the_shop(
        &[
            ("PUT /items/shop-3/dependencies/shop-2", ""),
            ("PUT /items/shop-3/dependencies/shop-7", ""),
            ("DELETE /items/shop-3/dependencies/shop-2?by=bo", ""),
            ("DELETE /items/shop-3/dependencies/shop-7", ""),
            ("PUT /items/missing/dependencies/shop-2", ""),
        ],
        expect![[r#"
            PUT /v1/workspaces/shop/items/shop-3/dependencies/shop-2
                200
            PUT /v1/workspaces/shop/items/shop-3/dependencies/shop-7
                200
                shop by api: ToggleDependency { id: ItemId("shop-3"), on: ItemId("shop-7") }
            DELETE /v1/workspaces/shop/items/shop-3/dependencies/shop-2?by=bo
                200
                shop by bo: ToggleDependency { id: ItemId("shop-3"), on: ItemId("shop-2") }
            DELETE /v1/workspaces/shop/items/shop-3/dependencies/shop-7
                200
            PUT /v1/workspaces/shop/items/missing/dependencies/shop-2
                404 not-found: item missing: so it is
        "#]],
    )
    .await;
}

#[tokio::test]
async fn presets_reach_the_board() {
    asked_of_the_shop(
        &[
            ("POST /presets", r#"{"name":"Careful","max_risk":0.1}"#),
            ("PATCH /presets/preset-1", r#"{"is_default":true}"#),
            ("DELETE /presets/preset-1", ""),
        ],
        expect![[r#"
            POST /v1/workspaces/shop/presets {"name":"Careful","max_risk":0.1}
                201
                shop by api: CreatePreset(PresetPatch { name: Some("Careful"), is_default: None, max_complexity: None, max_risk: Some(0.1), max_impact: None, ci_max_attempts: None, max_review_iterations: None, tolerated_severity: None, release_watch_minutes: None, release_max_attempts: None })
            PATCH /v1/workspaces/shop/presets/preset-1 {"is_default":true}
                200
                shop by api: EditPreset { id: PresetId("preset-1"), preset: PresetPatch { name: None, is_default: Some(true), max_complexity: None, max_risk: None, max_impact: None, ci_max_attempts: None, max_review_iterations: None, tolerated_severity: None, release_watch_minutes: None, release_max_attempts: None } }
            DELETE /v1/workspaces/shop/presets/preset-1
                200
                shop by api: DeletePreset { id: PresetId("preset-1") }
        "#]],
    )
    .await;
}

#[tokio::test]
async fn what_items_choose_from_reaches_the_board() {
    asked_of_the_shop(
        &[
            ("POST /pipelines", r#"{"name":"P","steps":[{"name":"code","kind":"agent","config":{"a":[1]}}]}"#),
            ("PATCH /pipelines/pipeline-1", r#"{"steps":[{"name":"code","kind":"agent","config":"{\"a\":1}","enabled":false}]}"#),
            ("PATCH /pipelines/pipeline-1", r#"{"labels":["old"],"archived":true}"#),
            ("POST /pipelines", r#"{"name":"P","steps":[{"name":"code","kind":"agent"}]}"#),
            ("POST /pipelines/pipeline-1/clone", ""),
            ("POST /pipelines/pipeline-1/clone", r#"{"name":"Mine","by":"bo"}"#),
            ("DELETE /pipelines/pipeline-1?by=bo", ""),
            ("PATCH /settings", r#"{"task_limit":{"mode":"per-type","limits":{"bug":2}},"waiting_escalation_minutes":5}"#),
            ("POST /schedules", r#"{"service":"shop-1","template":"dep-update","name":"Weekly","pipeline":"pipeline-1","recurrence":{"interval_hours":168,"timezone":"UTC"}}"#),
            ("PATCH /schedules/schedule-1", r#"{"enabled":false}"#),
            ("POST /schedules/schedule-1/run", ""),
            ("DELETE /schedules/schedule-1", ""),
            ("POST /spend/resume", r#"{"by":"bo"}"#),
        ],
        expect![[r#"
            POST /v1/workspaces/shop/pipelines {"name":"P","steps":[{"name":"code","kind":"agent","config":{"a":[1]}}]}
                201
                shop by api: CreatePipeline(PipelinePatch { name: Some("P"), description: None, labels: None, archived: None, pin: None, steps: Some([PipelineStep { name: "code", kind: "agent", role: None, needs: None, approval: false, enabled: true, gating: None, config: {"a":[1]} }]) })
            PATCH /v1/workspaces/shop/pipelines/pipeline-1 {"steps":[{"name":"code","kind":"agent","config":"{\"a\":1}","enabled":false}]}
                200
                shop by api: EditPipeline { id: PipelineId("pipeline-1"), pipeline: PipelinePatch { name: None, description: None, labels: None, archived: None, pin: None, steps: Some([PipelineStep { name: "code", kind: "agent", role: None, needs: None, approval: false, enabled: false, gating: None, config: {"a":1} }]) } }
            PATCH /v1/workspaces/shop/pipelines/pipeline-1 {"labels":["old"],"archived":true}
                200
                shop by api: EditPipeline { id: PipelineId("pipeline-1"), pipeline: PipelinePatch { name: None, description: None, labels: Some(["old"]), archived: Some(true), pin: None, steps: None } }
            POST /v1/workspaces/shop/pipelines {"name":"P","steps":[{"name":"code","kind":"agent"}]}
                201
                shop by api: CreatePipeline(PipelinePatch { name: Some("P"), description: None, labels: None, archived: None, pin: None, steps: Some([PipelineStep { name: "code", kind: "agent", role: None, needs: None, approval: false, enabled: true, gating: None, config: {} }]) })
            POST /v1/workspaces/shop/pipelines/pipeline-1/clone
                201
                shop by api: ClonePipeline { id: PipelineId("pipeline-1"), name: None }
            POST /v1/workspaces/shop/pipelines/pipeline-1/clone {"name":"Mine","by":"bo"}
                201
                shop by bo: ClonePipeline { id: PipelineId("pipeline-1"), name: Some("Mine") }
            DELETE /v1/workspaces/shop/pipelines/pipeline-1?by=bo
                200
                shop by bo: DeletePipeline { id: PipelineId("pipeline-1") }
            PATCH /v1/workspaces/shop/settings {"task_limit":{"mode":"per-type","limits":{"bug":2}},"waiting_escalation_minutes":5}
                200
                shop by api: EditSettings(SettingsPatch { task_limit: Some(PerType { limits: {Bug: 2} }), waiting_escalation_minutes: Some(5), pricing: None })
            POST /v1/workspaces/shop/schedules {"service":"shop-1","template":"dep-update","name":"Weekly","pipeline":"pipeline-1","recurrence":{"interval_hours":168,"timezone":"UTC"}}
                201
                shop by api: CreateSchedule { service: ItemId("shop-1"), template: DepUpdate, schedule: SchedulePatch { name: Some("Weekly"), description: None, recurrence: Some(Recurrence { interval_hours: 168, weekdays: [], window_start_hour: None, window_end_hour: None, timezone: "UTC" }), pipeline: Some(PipelineId("pipeline-1")), enabled: None } }
            PATCH /v1/workspaces/shop/schedules/schedule-1 {"enabled":false}
                200
                shop by api: EditSchedule { id: ScheduleId("schedule-1"), schedule: SchedulePatch { name: None, description: None, recurrence: None, pipeline: None, enabled: Some(false) } }
            POST /v1/workspaces/shop/schedules/schedule-1/run
                200
                shop by api: RunSchedule { id: ScheduleId("schedule-1") }
            DELETE /v1/workspaces/shop/schedules/schedule-1
                200
                shop by api: DeleteSchedule { id: ScheduleId("schedule-1") }
            POST /v1/workspaces/shop/spend/resume {"by":"bo"}
                200
                resume by bo
        "#]],
    )
    .await;
}

#[tokio::test]
async fn actions_on_runs_reviews_and_notices_reach_whom_they_are_for() {
    asked(
        &[
            ("POST /v1/runs/run-1/actions", r#"{"step":"try","action":"confirm","input":{"a":1},"by":"bo"}"#),
            ("POST /v1/runs/run-1/actions", r#"{"action":"destroy"}"#),
            ("POST /v1/runs/run-1/actions", r#"{"step":null,"action":"destroy","input":null}"#),
            ("POST /v1/runs/run-1/teardown", ""),
            (
                "POST /v1/workspaces/shop/items/shop-3/reviews/clarity-review/actions",
                r#"{"action":"reply","input":{"item":0,"text":"yes"}}"#,
            ),
            ("/v1/notices", ""),
            ("/v1/notices?workspace=shop", ""),
            ("POST /v1/notices/run-1:n1/act", ""),
            ("POST /v1/notices/shop-3%3An2/dismiss", r#"{"by":"bo"}"#),
            ("POST /v1/workspaces", r#"{"id":"lab"}"#),
            ("POST /v1/workspaces", r#"{"id":"lab","name":"The lab"}"#),
        ],
        expect![[r#"
            POST /v1/runs/run-1/actions {"step":"try","action":"confirm","input":{"a":1},"by":"bo"}
                200
                run-1: Act { step: Some("try"), action: "confirm", input: {"a":1} } by bo
            POST /v1/runs/run-1/actions {"action":"destroy"}
                200
                run-1: Act { step: None, action: "destroy", input: {} } by api
            POST /v1/runs/run-1/actions {"step":null,"action":"destroy","input":null}
                200
                run-1: Act { step: None, action: "destroy", input: {} } by api
            POST /v1/runs/run-1/teardown
                200
                run-1: TearDown by api
            POST /v1/workspaces/shop/items/shop-3/reviews/clarity-review/actions {"action":"reply","input":{"item":0,"text":"yes"}}
                200
                clarity-review of shop-3: StepAction { name: "reply", input: {"item":0,"text":"yes"}, by: "api" }
            /v1/notices
                200
                cards of None
            /v1/notices?workspace=shop
                200
                cards of Some(WorkspaceId("shop"))
            POST /v1/notices/run-1:n1/act
                200
                Act run-1:n1 by api
            POST /v1/notices/shop-3%3An2/dismiss {"by":"bo"}
                200
                Dismiss shop-3:n2 by bo
            POST /v1/workspaces {"id":"lab"}
                201
                workspace lab "lab"
            POST /v1/workspaces {"id":"lab","name":"The lab"}
                201
                workspace lab "The lab"
        "#]],
    )
    .await;
}

#[tokio::test]
async fn what_is_wrong_is_told_apart_and_never_reaches_the_board() {
    let text = exchange(&[
        ("/v1/workspaces/no%20id/items", ""),
        ("/v1/workspaces/shop/items/a.b", ""),
        ("/v1/workspaces/shop/items/%ff", ""),
        ("PATCH /v1/workspaces/shop/presets/-x", "{}"),
        ("PUT /v1/workspaces/shop/items/shop-3/dependencies/a%2Fb", ""),
        ("/v1/workspaces/shop/nothing", ""),
        ("PUT /v1/workspaces/shop/items", "{}"),
        ("POST /v1/workspaces/shop/items", "{"),
        ("POST /v1/workspaces/shop/items", ""),
        ("POST /v1/workspaces/shop/items", "[]"),
        ("POST /v1/workspaces/shop/items", r#"{"tilte":"x"}"#),
        ("POST /v1/workspaces/shop/items", r#"{"title":7}"#),
        ("POST /v1/workspaces/shop/items", r#"{"title":"x","level":"epic"}"#),
        ("POST /v1/workspaces/shop/items", r#"{"title":"x","parent":"a b"}"#),
        ("POST /v1/workspaces/shop/items", r#"{"title":"x","by":7}"#),
        ("POST /v1/workspaces/shop/items/shop-3/move", "{\"to\":\"shop-1\"}"),
        ("POST /v1/workspaces/shop/items/shop-3/start", r#"{"pipeline":"a b"}"#),
        ("POST /v1/workspaces/shop/presets", r#"{"name":"x","ci_max_attempts":-1}"#),
        ("POST /v1/workspaces/shop/presets", r#"{"name":"x","ci_max_attempts":5000000000}"#),
        ("POST /v1/workspaces/shop/pipelines", r#"{"name":"x","steps":[{"kind":"agent"}]}"#),
        (
            "POST /v1/workspaces/shop/pipelines",
            r#"{"name":"x","steps":[{"name":"a","kind":"agent","config":"{"}]}"#,
        ),
        ("POST /v1/workspaces/shop/schedules", r#"{"name":"x"}"#),
        ("PATCH /v1/workspaces/shop/settings", r#"{"task_limit":{"mode":"some"}}"#),
        ("PATCH /v1/workspaces/shop/settings", r#"{"pricing":{"monthly_limit":-1}}"#),
        ("/v1/workspaces/shop/spend?month=soon", ""),
        ("/v1/notices?workspace=a%20b", ""),
        ("POST /v1/runs/run-1/actions", r#"{"action":""}"#),
        ("POST /v1/runs/run-1/actions", r#"{"action":"x","input":[1]}"#),
        ("POST /v1/runs/run-1/actions", r#"{"input":{}}"#),
        (
            "POST /v1/workspaces/shop/items/shop-3/reviews/clarity-review/actions",
            r#"{"action":"x","step":"y"}"#,
        ),
        ("POST /v1/workspaces", r#"{"id":"a b"}"#),
    ])
    .await;
    expect_file!["./board_wrong.txt"].assert_eq(&text);
}

#[tokio::test]
async fn what_the_board_says_is_passed_on() {
    asked(
        &[
            ("/v1/workspaces/missing/items", ""),
            ("POST /v1/workspaces/busy/items", r#"{"title":"x"}"#),
            ("PATCH /v1/workspaces/wrong/items/shop-3", r#"{"title":"x"}"#),
            ("POST /v1/workspaces/shop/items/missing/start", ""),
            ("POST /v1/workspaces", r#"{"id":"busy"}"#),
            ("POST /v1/notices/missing/act", ""),
            ("/v1/workspaces/away/presets", ""),
            ("POST /v1/workspaces/shop/items/panic/merge", ""),
        ],
        expect![[r#"
            /v1/workspaces/missing/items
                404 not-found: workspace missing: so it is
            POST /v1/workspaces/busy/items {"title":"x"}
                409 conflict: workspace busy: so it is
                busy by api: CreateItem { level: Task, parent: None, item: ItemPatch { title: Some("x"), service_type: None, task_type: None, description: None, preset: None, pipeline: None, module_name: None, auto_start_dependents: None, labels: None, archived: None, responsible: None, repository: None, directory: None, base_branch: None, head_branch: None, tests: None } }
            PATCH /v1/workspaces/wrong/items/shop-3 {"title":"x"}
                422 invalid: workspace wrong: so it is
                wrong by api: EditItem { id: ItemId("shop-3"), item: ItemPatch { title: Some("x"), service_type: None, task_type: None, description: None, preset: None, pipeline: None, module_name: None, auto_start_dependents: None, labels: None, archived: None, responsible: None, repository: None, directory: None, base_branch: None, head_branch: None, tests: None } }
            POST /v1/workspaces/shop/items/missing/start
                404 not-found: item missing: so it is
                start missing StartItem { pipeline: None, branch: None, pin: None, replace: false, by: Some("api"), token: None }
            POST /v1/workspaces {"id":"busy"}
                409 conflict: workspace busy: so it is
                workspace busy "busy"
            POST /v1/notices/missing/act
                404 not-found: card missing: so it is
                Act missing by api
            /v1/workspaces/away/presets
                503 unavailable: workspace away: so it is
            POST /v1/workspaces/shop/items/panic/merge
                500 internal: the request ended in a fault of the host: see its log
                merge panic by api
        "#]],
    )
    .await;
}

#[tokio::test]
async fn an_item_is_started_once_under_its_key() {
    let service = FakeService::new();
    let mut start = request("POST /v1/workspaces/shop/items/shop-3/start", "");
    start.headers_mut().insert("idempotency-key", "\"abc\"".parse().unwrap());
    let response = send(&service, start).await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["location"]),
        (201, &"/v1/runs/run-1".parse().unwrap())
    );
    expect![[r#"start shop-3 StartItem { pipeline: None, branch: None, pin: None, replace: false, by: Some("api"), token: Some("abc") }"#]].assert_eq(&service.calls());
    let made = send(&service, request("POST /v1/workspaces/shop/items", r#"{"title":"x"}"#)).await;
    assert_eq!(made.headers()["location"], "/v1/workspaces/shop/items/shop-5");
}
