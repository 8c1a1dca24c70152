//! What a unified diff adds and takes away.

use std::collections::BTreeMap;

/// The lines of one file's diff.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Lines<'a> {
    /// Added lines by their number in the new file, from 1.
    pub(crate) added: BTreeMap<usize, &'a str>,
    /// Lines that are gone.
    pub(crate) removed: Vec<&'a str>,
}

impl<'a> Lines<'a> {
    pub(crate) fn of(diff: &'a str) -> Self {
        let mut lines = Self::default();
        // 0 until the first hunk: the lines before it name the file.
        let mut number = 0;
        for line in diff.lines() {
            if let Some(hunk) = line.strip_prefix("@@ ") {
                number = new_start(hunk);
            } else if number == 0 {
            } else if let Some(text) = line.strip_prefix('+') {
                lines.added.insert(number, text);
                number += 1;
            } else if let Some(text) = line.strip_prefix('-') {
                lines.removed.push(text);
            } else if line.starts_with(' ') || line.is_empty() {
                number += 1;
            }
        }
        lines
    }
}

/// 12 of `-10,4 +12,6 @@ fn main()`.
fn new_start(hunk: &str) -> usize {
    let new = hunk.split(' ').find_map(|word| word.strip_prefix('+'));
    let digits = new.and_then(|range| range.split(',').next());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::Lines;

    #[test]
    fn added_lines_have_the_numbers_of_the_new_file() {
        let diff = "--- a/x\n+++ b/x\n@@ -1,2 +1,3 @@\n one\n-two\n+zwei\n+drei\n@@ -9 +11,2 @@ fn\n nine\n+--- ten\n";
        let lines = Lines::of(diff);
        assert_eq!(lines.added, [(2, "zwei"), (3, "drei"), (12, "--- ten")].into());
        assert_eq!(lines.removed, ["two"]);
    }
}
