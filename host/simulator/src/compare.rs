//! Comparing a trace with the expected one (FORMAT.md section 3.5).

use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// How a trace compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Score {
    /// Effects and final state are equal.
    pub passes: bool,
    /// Contexts are equal too.
    pub contexts: bool,
}

/// Compares a trace with the expected one.
#[must_use]
pub fn score(trace: &Value, expected: &Value) -> Score {
    let same = |part: &str| trace[part] == expected[part];
    let passes = same("effects") && same("final");
    Score { passes, contexts: passes && same("contexts") }
}

/// Where the two differ, for people: `-` is expected and missing, `+` happened and is not expected.
#[must_use]
pub fn difference(trace: &Value, expected: &Value) -> String {
    let mut text = String::new();
    for part in ["effects", "contexts"] {
        let (ours, theirs) = (lines(&trace[part]), lines(&expected[part]));
        if ours != theirs {
            let _ = writeln!(text, "{part}:");
            write_lines(&mut text, &theirs, &ours);
        }
    }
    let (ours, theirs) = (final_lines(&trace["final"]), final_lines(&expected["final"]));
    if ours != theirs {
        text.push_str("final:\n");
        write_lines(&mut text, &theirs, &ours);
    }
    text
}

fn lines(list: &Value) -> Vec<String> {
    list.as_array().map(Vec::as_slice).unwrap_or_default().iter().map(Value::to_string).collect()
}

fn final_lines(state: &Value) -> Vec<String> {
    let mut text = Vec::new();
    for run in state["runs"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let mut head = run.clone();
        head["steps"] = Value::Null;
        text.push(head.to_string());
        text.extend(lines(&run["steps"]));
    }
    let parts: BTreeSet<&String> = state.as_object().into_iter().flat_map(|state| state.keys()).collect();
    text.extend(
        parts.into_iter().filter(|part| *part != "runs").map(|part| format!("{part} {}", state[part])),
    );
    text
}

/// The longest common subsequence as context, the rest marked.
fn write_lines(text: &mut String, expected: &[String], ours: &[String]) {
    let mut common = vec![vec![0_usize; ours.len() + 1]; expected.len() + 1];
    for i in (0..expected.len()).rev() {
        for j in (0..ours.len()).rev() {
            common[i][j] = if expected[i] == ours[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < expected.len() || j < ours.len() {
        let (mark, line) = if i < expected.len() && j < ours.len() && expected[i] == ours[j] {
            (i, j) = (i + 1, j + 1);
            (' ', &expected[i - 1])
        } else if j == ours.len() || (i < expected.len() && common[i + 1][j] >= common[i][j + 1]) {
            i += 1;
            ('-', &expected[i - 1])
        } else {
            j += 1;
            ('+', &ours[j - 1])
        };
        let _ = writeln!(text, "  {mark} {line}");
    }
}

#[cfg(test)]
mod tests {
    use super::{difference, score};
    use serde_json::json;

    #[test]
    fn a_difference_shows_what_is_missing_and_what_is_too_much() {
        let expected =
            json!({"effects": [1, 2, 3], "final": {"runs": [], "blocks": {"a": 1}}, "contexts": []});
        let trace = json!({"effects": [1, 4, 3], "final": {"runs": [], "blocks": {"a": 1}}, "contexts": [5]});
        assert_eq!(difference(&trace, &expected), "effects:\n    1\n  - 2\n  + 4\n    3\ncontexts:\n  + 5\n");
        assert!(!score(&trace, &expected).passes);
        assert!(score(&expected, &expected).contexts);
    }
}
