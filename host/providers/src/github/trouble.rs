use crate::git::{GitError, Halt};
use crate::http::HttpError;

/// Why GitHub was of no help. Each holds one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The same may go well later, without anybody doing anything.
    ForNow(String),
    /// Somebody has to do something.
    Lasting(String),
}

impl Trouble {
    pub(super) fn line(&self) -> &str {
        match self {
            Self::ForNow(line) | Self::Lasting(line) => line,
        }
    }
}

impl From<HttpError> for Trouble {
    fn from(error: HttpError) -> Self {
        if error.is_temporary() {
            return Self::ForNow(error.to_string());
        }
        let hint = match error.status() {
            Some(401) => ": put a token that GitHub takes where config.toml says",
            Some(403) => ": give the token of config.toml that permission",
            Some(404) => ": is it there, and may the token of config.toml see it?",
            Some(301 | 302 | 307 | 308) => ": write its new name into config.toml",
            _ => "",
        };
        Self::Lasting(format!("{error}{hint}"))
    }
}

impl From<GitError> for Trouble {
    fn from(error: GitError) -> Self {
        match error {
            GitError::TooLong { .. } | GitError::Pipe { .. } => Self::ForNow(error.to_string()),
            error => Self::Lasting(error.to_string()),
        }
    }
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        Self::ForNow(format!("the data folder cannot be used: {error}"))
    }
}

impl From<Trouble> for lockstep_types::ObserveFailure {
    fn from(trouble: Trouble) -> Self {
        Self::Failed(trouble.line().to_owned())
    }
}

impl From<Trouble> for Halt {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::ForNow(why) => Self::Failed(why),
            Trouble::Lasting(why) => Self::Refused(why),
        }
    }
}
