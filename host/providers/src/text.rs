//! Texts of other programs, made fit for a message.

/// Longest line taken from another program into a message of ours: two lines of a terminal.
const LINE_MAX: usize = 300;
/// Longest command shown in a message.
const COMMAND_SHOWN: usize = 120;

/// The first line of `text` that says something, without control characters and the prefixes git puts before it.
pub(crate) fn one_line(text: &str) -> String {
    let mut said = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let marked = text.lines().map(str::trim).find_map(|line| {
        line.strip_prefix("fatal: ").or_else(|| line.strip_prefix("error: ")).filter(|rest| !rest.is_empty())
    });
    let line = marked.or_else(|| said.next()).unwrap_or("it gave no reason");
    line.chars().map(plain).take(LINE_MAX).collect()
}

/// Whether a letter shows nothing, or turns the order of others around: two names would look like one, or like something
/// they are not. Letters that merely look alike are not told apart.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A letter as it may stand in a message: joiners are part of words and pictures.
fn plain(c: char) -> char {
    let joins = matches!(c, '\u{200c}' | '\u{200d}');
    if c.is_control() || (is_invisible(c) && !joins) { ' ' } else { c }
}

/// A title or name as part of one line of a message: no control characters, bounded, never empty.
pub(crate) fn as_line(text: &str, otherwise: &str) -> String {
    let line: String = text.chars().map(plain).take(LINE_MAX).collect();
    let line = line.trim();
    if line.is_empty() { otherwise.to_owned() } else { line.to_owned() }
}

/// A command as one line.
pub(crate) fn shown(command: &[String]) -> String {
    let line: String = command.join(" ").chars().take(COMMAND_SHOWN).collect();
    format!("`{}`", as_line(&line, "(empty)"))
}

/// The last lines of `bytes`, at most `lines` of them and `limit` bytes, without trailing blank space.
pub(crate) fn last_lines(bytes: &[u8], lines: usize, limit: usize) -> String {
    let from = bytes.len().saturating_sub(limit);
    let text = String::from_utf8_lossy(&bytes[from..]);
    let text = text.trim_end().trim_start_matches(char::REPLACEMENT_CHARACTER);
    let start = text.rmatch_indices('\n').nth(lines.saturating_sub(1)).map_or(0, |(at, _)| at + 1);
    text[start..].to_owned()
}

/// Number of single-letter edits between two names, for suggestions.
pub(crate) fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::{as_line, edit_distance, last_lines, one_line};

    #[test]
    fn a_reason_is_the_line_that_states_it() {
        assert_eq!(one_line("hint: x\nfatal: not a tree\n"), "not a tree");
        assert_eq!(one_line("\n  something\u{7}odd\n"), "something odd");
        assert_eq!(one_line(""), "it gave no reason");
        assert_eq!(as_line("a\nb", "none"), "a b");
        assert_eq!(as_line(" \n ", "none"), "none");
        assert_eq!(as_line("evil\u{202e}txt.\u{200d}", "none"), "evil txt.\u{200d}");
    }

    #[test]
    fn the_end_of_an_output_is_bounded_by_lines_and_bytes() {
        assert_eq!(last_lines(b"a\nb\nc\n\n", 2, 100), "b\nc");
        assert_eq!(last_lines(b"a\nb\nc", 9, 3), "b\nc");
        assert_eq!(last_lines("ä".repeat(9).as_bytes(), 1, 5), "ää");
        assert_eq!(last_lines(b"", 3, 10), "");
    }

    #[test]
    fn names_that_differ_by_a_slip_are_close() {
        assert_eq!(edit_distance("feature", "featrue"), 2);
        assert_eq!(edit_distance("main", "main"), 0);
        assert_eq!(edit_distance("", "abc"), 3);
    }
}
