use crate::term::Closed;
use lockstep_ports::ServiceError;

/// How the process ends. The numbers are documented in `lockstep --help` and never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// What was asked for was done; for a run, it is done.
    Done = 0,
    /// A fault of Lockstep or of the machine.
    Internal = 1,
    // 2 is clap's: the command line is wrong.
    /// The run failed, or a replay found a difference.
    Failed = 3,
    /// The run waits for a person.
    Waiting = 4,
    /// What was given is wrong, or not possible now.
    Refused = 5,
    /// Ctrl-C.
    Interrupted = 130,
    /// Whoever read the output went away.
    NobodyReads = 141,
}

impl Exit {
    pub(crate) fn code(self) -> u8 {
        self as u8
    }
}

/// Something given is wrong, or not possible now.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refused(pub(crate) String);

impl Refused {
    pub(crate) fn because<T>(reason: impl Into<String>) -> anyhow::Result<T> {
        Err(Self(reason.into()).into())
    }
}

/// The exit of `error` and the lines to say about it.
pub(crate) fn explain(error: &anyhow::Error) -> (Exit, Vec<String>) {
    let exit = error.chain().find_map(|cause| {
        if cause.is::<Closed>() {
            return Some(Exit::NobodyReads);
        }
        if cause.is::<Refused>() {
            return Some(Exit::Refused);
        }
        cause.downcast_ref().map(|error| match error {
            ServiceError::NotFound(_)
            | ServiceError::Conflict(_)
            | ServiceError::Invalid(_)
            | ServiceError::Forbidden(_) => Exit::Refused,
            ServiceError::Unavailable(_) | ServiceError::Internal(_) => Exit::Internal,
        })
    });
    let exit = exit.unwrap_or(Exit::Internal);
    let text = if exit == Exit::NobodyReads { String::new() } else { format!("{error:#}") };
    (exit, text.lines().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::{Exit, Refused, explain};
    use crate::term::Closed;
    use anyhow::{Context, anyhow};
    use lockstep_ports::ServiceError;

    #[test]
    fn an_error_says_how_the_process_ends() {
        let text = || "no run x".to_owned();
        let cases = [
            (anyhow!("disk full"), Exit::Internal, 1),
            (ServiceError::NotFound(text()).into(), Exit::Refused, 1),
            (ServiceError::Conflict(text()).into(), Exit::Refused, 1),
            (ServiceError::Invalid("p.toml:3: a\np.toml:9: b".to_owned()).into(), Exit::Refused, 2),
            (ServiceError::Unavailable(text()).into(), Exit::Internal, 1),
            (ServiceError::Internal(text()).into(), Exit::Internal, 1),
            (Refused(text()).into(), Exit::Refused, 1),
            (anyhow::Error::new(Closed), Exit::NobodyReads, 0),
        ];
        for (error, exit, lines) in cases {
            let wrapped = format!("{error:?}");
            let explained = explain(&error);
            assert_eq!((explained.0, explained.1.len()), (exit, lines), "{wrapped}");
        }
        let chain = Err::<(), _>(Refused(text())).context("cannot start").unwrap_err();
        assert_eq!(explain(&chain), (Exit::Refused, vec!["cannot start: no run x".to_owned()]));
    }

    #[test]
    fn exit_codes_are_the_documented_ones() {
        let codes =
            [Exit::Done, Exit::Internal, Exit::Failed, Exit::Waiting, Exit::Refused, Exit::Interrupted];
        assert_eq!(codes.map(Exit::code), [0, 1, 3, 4, 5, 130]);
    }
}
