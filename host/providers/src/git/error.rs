use std::io;

/// Git could not be run or did not do what was asked. Display is one line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GitError {
    /// There is no such program, or it cannot be started.
    #[error("{program} cannot be started: install git 2.40 or newer")]
    Start {
        program: String,
        #[source]
        source: io::Error,
    },
    /// Its input or output broke.
    #[error("git {name} was cut off")]
    Pipe {
        name: String,
        #[source]
        source: io::Error,
    },
    /// An argument no program can be given.
    #[error("git {name} was given a text with a NUL in it")]
    Argument { name: String },
    /// It ran too long.
    #[error("git {name} did not end within {seconds} s")]
    TooLong { name: String, seconds: u64 },
    /// It said too much.
    #[error("git {name} gave more than {bytes} bytes")]
    TooMuch { name: String, bytes: usize },
    /// It refused.
    #[error("git {name}: {reason}")]
    Failed { name: String, reason: String },
    /// It answered in a form that is not known.
    #[error("git {name} answered something unexpected")]
    Answer { name: &'static str },
    /// A name that cannot be a branch.
    #[error("{name:?} is not a branch name")]
    BranchName { name: String },
    /// A text that cannot be a commit.
    #[error("{text:?} is not a commit id")]
    CommitId { text: String },
    /// No repository there.
    #[error("{path} is not a git repository")]
    NoRepository { path: String },
    /// A branch that is needed is not there.
    #[error("{repository} has no branch {branch}")]
    NoBranch { repository: String, branch: String },
    /// More than the host is willing to handle.
    #[error("{what}: more than {max}")]
    Bound { what: &'static str, max: usize },
    /// A folder or file of git's could not be handled.
    #[error("cannot {what} {path}")]
    File {
        what: &'static str,
        path: String,
        #[source]
        source: io::Error,
    },
}

/// A folder of the host could not be prepared.
#[derive(Debug, thiserror::Error)]
#[error("cannot create {path}: give a data folder this user may write to")]
pub struct SetupError {
    /// What was to be created.
    pub path: String,
    /// Why it was not.
    #[source]
    pub source: io::Error,
}
