use crate::fake::FakeService;
use crate::{answer, request, send, shown};
use expect_test::{Expect, expect};

/// Sends requests to one service and compares how each ended, and what the service was asked.
async fn asked(requests: &[(&str, &'static str)], expected: Expect) {
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
    expected.assert_eq(&text.replace("\n    \n", "\n"));
}

/// Compares what each request is answered.
async fn answered(requests: &[(&str, &'static str)], expected: Expect) {
    let mut text = String::new();
    for (line, body) in requests {
        text.push_str(&format!(
            "{line}\n    {}\n",
            answer(line, body).await.trim_end().replace('\n', "\n    ")
        ));
    }
    expected.assert_eq(&text);
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
                start shop-3 StartItem { pipeline: None, branch: None, replace: false, by: Some("api"), token: None }
            POST /v1/workspaces/shop/items/shop-3/start {"pipeline":"pipeline-2","branch":"b","replace":true,"by":"bo","token":"t"}
                201
                start shop-3 StartItem { pipeline: Some(PipelineId("pipeline-2")), branch: Some("b"), replace: true, by: Some("bo"), token: Some("t") }
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
async fn what_items_choose_from_reaches_the_board() {
    asked_of_the_shop(
        &[
            ("POST /presets", r#"{"name":"Careful","max_risk":0.1}"#),
            ("PATCH /presets/preset-1", r#"{"is_default":true}"#),
            ("DELETE /presets/preset-1", ""),
            ("POST /pipelines", r#"{"name":"P","steps":[{"name":"code","kind":"agent","config":{"a":[1]}}]}"#),
            ("PATCH /pipelines/pipeline-1", r#"{"steps":[{"name":"code","kind":"agent","config":"{\"a\":1}","enabled":false}]}"#),
            ("PATCH /pipelines/pipeline-1", r#"{"labels":["old"],"archived":true}"#),
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
            POST /v1/workspaces/shop/presets {"name":"Careful","max_risk":0.1}
                201
                shop by api: CreatePreset(PresetPatch { name: Some("Careful"), is_default: None, max_complexity: None, max_risk: Some(0.1), max_impact: None, ci_max_attempts: None, max_review_iterations: None, tolerated_severity: None, release_watch_minutes: None, release_max_attempts: None })
            PATCH /v1/workspaces/shop/presets/preset-1 {"is_default":true}
                200
                shop by api: EditPreset { id: PresetId("preset-1"), preset: PresetPatch { name: None, is_default: Some(true), max_complexity: None, max_risk: None, max_impact: None, ci_max_attempts: None, max_review_iterations: None, tolerated_severity: None, release_watch_minutes: None, release_max_attempts: None } }
            DELETE /v1/workspaces/shop/presets/preset-1
                200
                shop by api: DeletePreset { id: PresetId("preset-1") }
            POST /v1/workspaces/shop/pipelines {"name":"P","steps":[{"name":"code","kind":"agent","config":{"a":[1]}}]}
                201
                shop by api: CreatePipeline(PipelinePatch { name: Some("P"), description: None, labels: None, archived: None, steps: Some([PipelineStep { name: "code", kind: "agent", role: None, needs: None, approval: false, enabled: true, gating: None, config: {"a":[1]} }]) })
            PATCH /v1/workspaces/shop/pipelines/pipeline-1 {"steps":[{"name":"code","kind":"agent","config":"{\"a\":1}","enabled":false}]}
                200
                shop by api: EditPipeline { id: PipelineId("pipeline-1"), pipeline: PipelinePatch { name: None, description: None, labels: None, archived: None, steps: Some([PipelineStep { name: "code", kind: "agent", role: None, needs: None, approval: false, enabled: false, gating: None, config: {"a":1} }]) } }
            PATCH /v1/workspaces/shop/pipelines/pipeline-1 {"labels":["old"],"archived":true}
                200
                shop by api: EditPipeline { id: PipelineId("pipeline-1"), pipeline: PipelinePatch { name: None, description: None, labels: Some(["old"]), archived: Some(true), steps: None } }
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
                clarity of shop-3: StepAction { name: "reply", input: {"item":0,"text":"yes"}, by: "api" }
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
    asked(
        &[
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
            ("POST /v1/workspaces/shop/items/shop-3/reviews/clarity-review/actions", r#"{"action":"x","step":"y"}"#),
            ("POST /v1/workspaces", r#"{"id":"a b"}"#),
        ],
        expect![[r#"
            /v1/workspaces/no%20id/items
                404 not-found: no such workspace: "no id" is not a workspace id: 1 to 64 letters, digits, - or _
            /v1/workspaces/shop/items/a.b
                404 not-found: no such item: "a.b" is not a item id: 1 to 128 letters, digits, - or _
            /v1/workspaces/shop/items/%ff
                404 not-found: Invalid URL: Invalid UTF-8 in `id`
            PATCH /v1/workspaces/shop/presets/-x {}
                404 not-found: no such preset: "-x" is not a preset id: 1 to 128 letters, digits, - or _
            PUT /v1/workspaces/shop/items/shop-3/dependencies/a%2Fb
                404 not-found: no such item: "a/b" is not a item id: 1 to 128 letters, digits, - or _
            /v1/workspaces/shop/nothing
                404 not-found: there is nothing at /v1/workspaces/shop/nothing
            PUT /v1/workspaces/shop/items {}
                405 wrong-method: /v1/workspaces/shop/items does not take PUT
            POST /v1/workspaces/shop/items {
                400 unparsable: the body is not JSON: EOF while parsing an object at line 1 column 1
            POST /v1/workspaces/shop/items
                400 unparsable: the body is not JSON: EOF while parsing a value at line 1 column 0
            POST /v1/workspaces/shop/items []
                422 invalid: the body is not what this route takes: invalid type: sequence, expected a map at line 1 column 0
            POST /v1/workspaces/shop/items {"tilte":"x"}
                422 invalid: the body is not what this route takes: unknown field `tilte`, expected one of `title`, `service_type`, `task_type`, `description`, `preset`, `pipeline`, `module_name`, `auto_start_dependents`, `labels`, `archived`, `responsible`, `repository`, `directory`, `base_branch`, `head_branch`, `tests`
            POST /v1/workspaces/shop/items {"title":7}
                422 invalid: the body is not what this route takes: invalid type: integer `7`, expected a string
            POST /v1/workspaces/shop/items {"title":"x","level":"epic"}
                422 invalid: `level` cannot be read: unknown variant `epic`, expected one of `service`, `module`, `task`
            POST /v1/workspaces/shop/items {"title":"x","parent":"a b"}
                422 invalid: `parent` cannot be read: "a b" is not a item id: 1 to 128 letters, digits, - or _
            POST /v1/workspaces/shop/items {"title":"x","by":7}
                422 invalid: `by` cannot be read: invalid type: integer `7`, expected a string
            POST /v1/workspaces/shop/items/shop-3/move {"to":"shop-1"}
                422 invalid: the body is not what this route takes: unknown field `to`, expected `parent` or `by` at line 1 column 5
            POST /v1/workspaces/shop/items/shop-3/start {"pipeline":"a b"}
                422 invalid: the body is not what this route takes: "a b" is not a pipeline id: 1 to 128 letters, digits, - or _ at line 1 column 18
            POST /v1/workspaces/shop/presets {"name":"x","ci_max_attempts":-1}
                422 invalid: the body is not what this route takes: invalid value: integer `-1`, expected u32
            POST /v1/workspaces/shop/presets {"name":"x","ci_max_attempts":5000000000}
                422 invalid: the body is not what this route takes: invalid value: integer `5000000000`, expected u32
            POST /v1/workspaces/shop/pipelines {"name":"x","steps":[{"kind":"agent"}]}
                422 invalid: `steps` cannot be read: missing field `name`
            POST /v1/workspaces/shop/pipelines {"name":"x","steps":[{"name":"a","kind":"agent","config":"{"}]}
                422 invalid: the `config` of step "a" is a text that is not JSON
            POST /v1/workspaces/shop/schedules {"name":"x"}
                422 invalid: the body has no `service`: add it
            PATCH /v1/workspaces/shop/settings {"task_limit":{"mode":"some"}}
                422 invalid: the body is not what this route takes: unknown variant `some`, expected one of `off`, `shared`, `per-type`
            PATCH /v1/workspaces/shop/settings {"pricing":{"monthly_limit":-1}}
                422 invalid: the body is not what this route takes: a limit is an amount, or the word none
            /v1/workspaces/shop/spend?month=soon
                422 invalid: "soon" is not a month: write it like 2026-01
            /v1/notices?workspace=a%20b
                422 invalid: "a b" is not a workspace id: 1 to 64 letters, digits, - or _
            POST /v1/runs/run-1/actions {"action":""}
                422 invalid: `action` is empty: name an action
            POST /v1/runs/run-1/actions {"action":"x","input":[1]}
                422 invalid: the body is not what this route takes: invalid type: sequence, expected a map at line 1 column 22
            POST /v1/runs/run-1/actions {"input":{}}
                422 invalid: the body is not what this route takes: missing field `action` at line 1 column 12
            POST /v1/workspaces/shop/items/shop-3/reviews/clarity-review/actions {"action":"x","step":"y"}
                422 invalid: the body is not what this route takes: unknown field `step`, expected one of `action`, `input`, `by` at line 1 column 20
            POST /v1/workspaces {"id":"a b"}
                422 invalid: the body is not what this route takes: "a b" is not a workspace id: 1 to 64 letters, digits, - or _ at line 1 column 12
        "#]],
    )
    .await;
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
                start missing StartItem { pipeline: None, branch: None, replace: false, by: Some("api"), token: None }
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
    expect![[r#"start shop-3 StartItem { pipeline: None, branch: None, replace: false, by: Some("api"), token: Some("abc") }"#]].assert_eq(&service.calls());
    let made = send(&service, request("POST /v1/workspaces/shop/items", r#"{"title":"x"}"#)).await;
    assert_eq!(made.headers()["location"], "/v1/workspaces/shop/items/shop-5");
}

#[tokio::test]
async fn boards_can_be_read() {
    answered(
        &[
            ("/v1/workspaces", ""),
            ("/v1/workspaces/shop/presets", ""),
            ("/v1/workspaces/shop/pipelines", ""),
            ("/v1/workspaces/shop/schedules", ""),
            ("/v1/workspaces/shop/schedules/schedule-1/runs", ""),
            ("/v1/workspaces/shop/settings", ""),
            ("/v1/workspaces/shop/spend?month=2026-11", ""),
            ("/v1/notices", ""),
        ],
        expect![[r#"
            /v1/workspaces
                200 {
                  "workspaces": [
                    {
                      "created_at": 1,
                      "id": "shop",
                      "last_number": 4,
                      "name": "The shop"
                    }
                  ]
                }
            /v1/workspaces/shop/presets
                200 {
                  "presets": [
                    {
                      "ci_max_attempts": 10,
                      "id": "preset-1",
                      "is_default": true,
                      "max_complexity": 0.5,
                      "max_impact": 0.5,
                      "max_review_iterations": 6,
                      "max_risk": 0.4,
                      "name": "Balanced",
                      "release_max_attempts": 1,
                      "release_watch_minutes": 30,
                      "tolerated_severity": "none"
                    }
                  ]
                }
            /v1/workspaces/shop/pipelines
                200 {
                  "pipelines": [
                    {
                      "archived": false,
                      "builtin": false,
                      "created_at": 1,
                      "description": "",
                      "id": "pipeline-1",
                      "labels": [],
                      "name": "Quick",
                      "steps": [
                        {
                          "approval": false,
                          "config": "{\"a\":1}",
                          "enabled": true,
                          "kind": "agent",
                          "name": "code"
                        }
                      ],
                      "updated_at": 1
                    }
                  ]
                }
            /v1/workspaces/shop/schedules
                200 {
                  "schedules": [
                    {
                      "created_at": 1,
                      "enabled": true,
                      "id": "schedule-1",
                      "last_run": null,
                      "late_minutes": 0,
                      "name": "Weekly",
                      "next_run": 9,
                      "pipeline": "pipeline-1",
                      "recurrence": {
                        "interval_hours": 168,
                        "timezone": "UTC",
                        "weekdays": [],
                        "window_end_hour": null,
                        "window_start_hour": null
                      },
                      "runs": 0,
                      "task": "shop-4",
                      "template": "custom"
                    }
                  ]
                }
            /v1/workspaces/shop/schedules/schedule-1/runs
                200 {
                  "runs": [
                    {
                      "finished_at": null,
                      "forced": false,
                      "number": 1,
                      "outcome": null,
                      "run": null,
                      "schedule": "schedule-1",
                      "started_at": 1,
                      "state": "skipped"
                    }
                  ]
                }
            /v1/workspaces/shop/settings
                200 {
                  "pricing": {
                    "currency": "EUR",
                    "default_price": {
                      "input_per_million": 0.14,
                      "output_per_million": 0.55
                    },
                    "monthly_limit": 100,
                    "prices": {}
                  },
                  "task_limit": {
                    "mode": "off"
                  },
                  "waiting_escalation_minutes": 120
                }
            /v1/workspaces/shop/spend?month=2026-11
                200 {
                  "cost": 0,
                  "input_tokens": 7,
                  "month": 11,
                  "output_tokens": 8,
                  "over_budget": false,
                  "paused": [],
                  "settings": {
                    "pricing": {
                      "currency": "EUR",
                      "default_price": {
                        "input_per_million": 0.14,
                        "output_per_million": 0.55
                      },
                      "monthly_limit": 100,
                      "prices": {}
                    },
                    "task_limit": {
                      "mode": "off"
                    },
                    "waiting_escalation_minutes": 120
                  },
                  "year": 2026
                }
            /v1/notices
                200 {
                  "notices": [
                    {
                      "act": "merge",
                      "id": "run-1:n1",
                      "item": "shop-3",
                      "notice": {
                        "body": "",
                        "id": 1,
                        "kind": "merge_review",
                        "raised_at": 3,
                        "severity": "normal",
                        "state": "open",
                        "title": "Merge it?"
                      },
                      "workspace": "shop"
                    }
                  ]
                }
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_list_of_items_and_an_item_say_the_same() {
    let read = async |path: &str| {
        let text = answer(path, "").await;
        serde_json::from_str::<serde_json::Value>(text.strip_prefix("200 ").unwrap()).unwrap()
    };
    let list = read("/v1/workspaces/shop/items").await;
    let mut item = read("/v1/workspaces/shop/items/shop-3").await;
    assert_eq!(item.as_object_mut().unwrap().remove("cards"), Some(serde_json::json!([])));
    assert_eq!(list["items"][0], item);
}
