/// What comments begin with that are meant for the host.
const PREFIX: &str = "/lockstep";
/// Characters of a pipeline's name (SPEC PL-6).
const NAME_CHARS_MAX: usize = 120;

/// A comment that is meant for the host.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    Start(Option<String>),
    Stop,
    Retry,
    Approve,
}

impl Command {
    /// Reads the first line of a comment; none if it is not meant for the host, and why not if it cannot be taken.
    pub(super) fn read(text: &str) -> Result<Option<Self>, String> {
        let line = text.trim_start().lines().next().unwrap_or_default().trim_end();
        let Some(rest) = line.strip_prefix(PREFIX) else { return Ok(None) };
        if !rest.is_empty() && !rest.starts_with(char::is_whitespace) {
            return Ok(None);
        }
        let (word, argument) = match rest.trim().split_once(char::is_whitespace) {
            Some((word, argument)) => (word, argument.trim()),
            None => (rest.trim(), ""),
        };
        match (word, argument) {
            ("start", "") => Ok(Some(Self::Start(None))),
            ("start", name) if name.chars().count() <= NAME_CHARS_MAX => {
                Ok(Some(Self::Start(Some(name.to_owned()))))
            }
            ("stop", "") => Ok(Some(Self::Stop)),
            ("retry", "") => Ok(Some(Self::Retry)),
            ("approve", "") => Ok(Some(Self::Approve)),
            _ => Err(format!("{PREFIX} takes start [PIPELINE], stop, retry or approve")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Command;

    #[test]
    fn only_the_first_line_of_a_comment_commands() {
        let some = |command| Ok(Some(command));
        assert_eq!(Command::read("/lockstep start"), some(Command::Start(None)));
        assert_eq!(
            Command::read("\n  /lockstep start  Ours and theirs \nplease"),
            some(Command::Start(Some("Ours and theirs".to_owned())))
        );
        assert_eq!(Command::read("/lockstep\tretry"), some(Command::Retry));
        for other in
            ["", "well done", "> /lockstep start", "/lockstepping", "see /lockstep stop", "a\n/lockstep stop"]
        {
            assert_eq!(Command::read(other), Ok(None), "{other}");
        }
        for wrong in ["/lockstep", "/lockstep merge", "/lockstep stop now"] {
            assert!(Command::read(wrong).is_err(), "{wrong}");
        }
        assert!(Command::read(&format!("/lockstep start {}", "x".repeat(121))).is_err());
    }
}
