use crate::answer;
use expect_test::{ExpectFile, expect_file};

/// Compares what each request is answered.
async fn answered(requests: &[(&str, &'static str)], expected: ExpectFile) {
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
        expect_file!["./board_answers.txt"],
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
