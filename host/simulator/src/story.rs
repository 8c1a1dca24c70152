//! What happened in a simulation, for people.

use crate::{Scenario, Simulated};
use std::fmt::Write as _;

/// The whole story: what the script did, and what each run made of it.
#[must_use]
pub fn story(scenario: &Scenario, simulated: &Simulated) -> String {
    let mut text = String::new();
    let about = if scenario.about.is_empty() { String::new() } else { format!(": {}", scenario.about) };
    let _ = writeln!(text, "{}{about}", scenario.name);
    for (at, action) in scenario.script.iter().enumerate() {
        let arguments: Vec<String> =
            action.args.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let _ = writeln!(text, "\n{at:>3}  {} {}", action.name, arguments.join(" "));
        for (_, why) in simulated.refused.iter().filter(|(line, _)| *line == at) {
            let _ = writeln!(text, "     refused: {why}");
        }
        for (_, block, entry) in simulated.timeline.iter().filter(|(line, ..)| *line == at) {
            let step = entry.step.as_deref().unwrap_or("run");
            let _ = writeln!(text, "     {}  {block:<8} {step:<20} {}", entry.at, entry.text);
        }
    }
    let end = &simulated.trace["final"];
    text.push_str("\nin the end\n");
    for run in end["runs"].as_array().into_iter().flatten() {
        let failure = run["failure"].as_str().map(|class| format!(" ({class})")).unwrap_or_default();
        let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let _ = writeln!(text, "     run of {}: {}{failure}", word(&run["block"]), word(&run["status"]));
    }
    for (block, status) in end["blocks"].as_object().into_iter().flatten() {
        let _ = writeln!(text, "     {block}: {}", status.as_str().unwrap_or_default());
    }
    for card in end["openNotifications"].as_array().into_iter().flatten() {
        let _ = writeln!(text, "     open: {}", card.as_str().unwrap_or_default());
    }
    text
}
