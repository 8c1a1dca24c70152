use crate::answer;
use expect_test::{Expect, expect};

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
