use super::{Style, Tone, indented, line};
use crate::context::Context;
use lockstep_types::board::Item;
use serde_json::Value;

/// A review as it is kept on an item. It is a component's document, so nothing is taken for granted.
pub(crate) fn review(style: &Style, item: &Item, kind: &str, row: &Value, context: &Context) -> String {
    let id = &item.id;
    if row.is_null() {
        let command = context.board_command(&format!("reviews review {id} --kind {kind}"));
        return format!("{id} has no {kind} review: have one made with `{command}`\n");
    }
    let field = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let number = |name: &str| row[name].as_u64().unwrap_or(0);
    let mut text = format!(
        "{} of {id}  {}\npass {} of {}\n",
        style.paint(Tone::Strong, &format!("{kind} review")),
        style.paint(Tone::Attention, &line(&field(row, "status"), 40)),
        number("iteration"),
        number("max"),
    );
    for (at, finding) in row["findings"].as_array().into_iter().flatten().enumerate() {
        let status = field(finding, "status");
        let tone = if status == "open" { Tone::Attention } else { Tone::Good };
        let head = format!("{}, {}", field(finding, "severity"), field(finding, "category"));
        text.push_str(&format!(
            "\n{} {}  {}  {}\n",
            style.paint(Tone::Strong, &at.to_string()),
            style.paint(tone, &line(&status, 40)),
            style.paint(Tone::Faint, &line(&head, 80)),
            style.paint(Tone::Plain, &line(&field(finding, "title"), usize::MAX)),
        ));
        text.push_str(&indented(&field(finding, "detail"), "  "));
        if let Some(reply) = finding["reply"].as_str() {
            text.push_str(&format!("  {}\n{}", style.paint(Tone::Faint, "reply"), indented(reply, "    ")));
        }
        for advice in row["recommendations"].as_array().into_iter().flatten() {
            if advice["sourceFinding"] == finding["id"] {
                let head = format!("recommended ({})", field(advice, "status"));
                text.push_str(&format!("  {}\n", style.paint(Tone::Faint, &line(&head, 80))));
                text.push_str(&indented(&field(advice, "recommendedText"), "    "));
            }
        }
    }
    if let Some(document) = row["document"].as_str() {
        text.push_str(&format!("\n{}\n{}", style.paint(Tone::Faint, "text"), indented(document, "  ")));
    }
    text
}
