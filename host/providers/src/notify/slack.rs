use super::message::{details, headline, link};
use lockstep_ports::{Happening, Message};
use serde_json::{Value, json};

/// Longest text of a block; Slack takes 3000.
const TEXT_CHARS: usize = 2900;

/// A message of text blocks.
pub(super) fn message(delivery: &Message, origin: &str) -> Value {
    let headline = headline(delivery);
    let sign = match delivery.what {
        Happening::Started => ":arrow_forward:",
        Happening::Blocked | Happening::Notice => ":raising_hand:",
        Happening::Paused => ":double_vertical_bar:",
        Happening::Done => ":white_check_mark:",
        Happening::Failed => ":x:",
    };
    let title = format!("{sign} *<{}|{}>*", link(delivery, origin), escaped(&headline));
    let lines: Vec<String> = details(delivery).iter().map(|line| escaped(line)).collect();
    let text = cut(&format!("{title}\n{}", lines.join("\n")));
    let mut blocks = vec![json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } })];
    if let Some(run) = &delivery.summary {
        let about = format!("{} | {} | {}", run.item, run.pipeline, run.change.head_branch);
        let about = json!({ "type": "mrkdwn", "text": cut(&escaped(&about)) });
        blocks.push(json!({ "type": "context", "elements": [about] }));
    }
    json!({ "text": escaped(&headline), "blocks": blocks })
}

/// Nothing of a title or an output becomes a link or a mention.
fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('|', "\u{2223}")
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::message;
    use lockstep_ports::{Happening, Message};
    use lockstep_types::Timestamp;

    #[test]
    fn a_message_is_text_with_a_link_and_mentions_nobody() {
        let delivery = Message {
            id: "run-1.4.0".to_owned(),
            at: Timestamp(0),
            what: Happening::Failed,
            run: "run-1".to_owned().try_into().unwrap(),
            step: Some("ci".to_owned()),
            text: "gate-exhausted: <!channel> & <https://a|b>".to_owned(),
            summary: None,
        };
        expect_test::expect![[r#"
            {
              "blocks": [
                {
                  "text": {
                    "text": ":x: *<http://127.0.0.1:7420/runs/run-1|run-1 failed>*\nci: gate-exhausted: &lt;!channel&gt; &amp; &lt;https://a∣b&gt;",
                    "type": "mrkdwn"
                  },
                  "type": "section"
                }
              ],
              "text": "run-1 failed"
            }"#]]
        .assert_eq(&serde_json::to_string_pretty(&message(&delivery, "http://127.0.0.1:7420")).unwrap());
    }
}
