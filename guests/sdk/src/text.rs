//! Small texts for notes, notices and messages.

/// Characters of a commit people recognise it by.
const SHORT_COMMIT: usize = 7;

/// A commit as people write it: `3f2a91c`, or `no commit`.
#[must_use]
pub fn short_commit(commit: Option<&str>) -> &str {
    commit.map_or("no commit", |commit| commit.get(..SHORT_COMMIT).unwrap_or(commit))
}

/// `1 check`, `2 checks`.
#[must_use]
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// The first line that is not blank, trimmed.
#[must_use]
pub fn first_line(text: &str) -> &str {
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("")
}

/// At most `max` characters of `text`; an ellipsis says that some are missing.
#[must_use]
pub fn at_most(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// The first `max` items joined by commas, and how many more there are.
#[must_use]
pub fn list<'a>(items: impl IntoIterator<Item = &'a str>, max: usize) -> String {
    let mut text = String::new();
    let mut more = 0_usize;
    for (index, item) in items.into_iter().enumerate() {
        if index >= max {
            more += 1;
            continue;
        }
        if index > 0 {
            text.push_str(", ");
        }
        text.push_str(item);
    }
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

/// A number from 0 to 1 with at most three decimals: `0.8`, `0.125`, `1`.
#[must_use]
pub fn score(value: f64) -> String {
    let thousandths = (value.clamp(0.0, 1.0) * 1000.0 + 0.5) as u32;
    let (whole, rest) = (thousandths / 1000, thousandths % 1000);
    if rest == 0 {
        return whole.to_string();
    }
    let text = format!("{whole}.{rest:03}");
    text.trim_end_matches('0').to_owned()
}

/// What to add to the pipeline file, or for an item's run to the commands of its repository, so that jobs of this kind can be carried out.
#[must_use]
pub fn missing_executor(kind: &str) -> String {
    format!(
        "nothing carries out `{kind}` jobs; add [jobs.{kind}] command = [\"...\"] to the pipeline file, or for items to .lockstep/commands.toml"
    )
}

/// What is wrong with a JSON value from outside, without the position a person cannot see.
#[must_use]
pub fn json_error(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_short_and_whole() {
        assert_eq!(short_commit(Some("3f2a91c77d")), "3f2a91c");
        assert_eq!(short_commit(Some("sha")), "sha");
        assert_eq!(count(1, "check"), "1 check");
        assert_eq!(count(0, "check"), "0 checks");
        assert_eq!(first_line("\n  boom \nmore"), "boom");
        assert_eq!(at_most("häßlich", 3), "häß…");
        assert_eq!(at_most("häß", 3), "häß");
        assert_eq!(list(["a", "b", "c"], 2), "a, b and 1 more");
        assert_eq!(list([], 2), "");
    }

    #[test]
    fn scores_show_what_decides() {
        assert_eq!(score(0.8), "0.8");
        assert_eq!(score(0.799), "0.799");
        assert_eq!(score(1.0), "1");
        assert_eq!(score(0.0), "0");
        assert_eq!(score(0.05), "0.05");
    }
}
