//! Whether an SPDX expression is satisfied by the licences that are accepted.

/// Parentheses within parentheses; a licence of a real project has one or two.
const DEPTH_MAX: u32 = 16;

/// `MIT OR (Apache-2.0 AND BSD-3-Clause)`: one side of an OR must be accepted, both of an AND. An exception only adds
/// to what a licence permits, so `WITH` is accepted as the licence before it. What is no expression is not accepted.
pub(crate) fn is_accepted(expression: &str, accepted: &[String]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    let result = either(&mut words, accepted, 0);
    result == Some(true) && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn either(words: &mut Words<'_>, accepted: &[String], depth: u32) -> Option<bool> {
    let mut result = both(words, accepted, depth)?;
    // The second form is the one npm and crates.io had before SPDX.
    while words.next_if(|word| word.eq_ignore_ascii_case("or") || *word == "/").is_some() {
        result |= both(words, accepted, depth)?;
    }
    Some(result)
}

fn both(words: &mut Words<'_>, accepted: &[String], depth: u32) -> Option<bool> {
    let mut result = one(words, accepted, depth)?;
    while words.next_if(|word| word.eq_ignore_ascii_case("and")).is_some() {
        result &= one(words, accepted, depth)?;
    }
    Some(result)
}

fn one(words: &mut Words<'_>, accepted: &[String], depth: u32) -> Option<bool> {
    let word = words.next()?;
    let result = match word {
        ")" => return None,
        "(" if depth < DEPTH_MAX => {
            let inner = either(words, accepted, depth + 1)?;
            words.next_if_eq(&")")?;
            inner
        }
        "(" => return None,
        licence => accepted.iter().any(|one| one.eq_ignore_ascii_case(licence)),
    };
    if words.next_if(|word| word.eq_ignore_ascii_case("with")).is_some() {
        words.next()?;
    }
    Some(result)
}

#[cfg(test)]
mod tests {
    use super::is_accepted;

    #[test]
    fn an_expression_is_accepted_by_its_parts() {
        let accepted = ["MIT", "Apache-2.0"].map(str::to_owned);
        for yes in [
            "MIT",
            "mit",
            "GPL-3.0-only OR MIT",
            "(MIT AND Apache-2.0)",
            "Apache-2.0 WITH LLVM-exception",
            "GPL-3.0-only AND MIT OR Apache-2.0",
            "MIT / GPL-3.0-only",
        ] {
            assert!(is_accepted(yes, &accepted), "{yes}");
        }
        let deep = format!("{}MIT{}", "(".repeat(99), ")".repeat(99));
        for no in ["", "GPL-3.0-only", "MIT AND GPL-3.0-only", "MIT OR", "(MIT", "MIT)", "MIT MIT", &deep] {
            assert!(!is_accepted(no, &accepted), "{no}");
        }
    }
}
