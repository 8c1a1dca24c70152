/// Why what somebody asked for changes nothing. Display is one line for whoever asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// It names something that does not exist.
    #[error("{0}")]
    NotFound(String),
    /// What it is about is not in a state in which it can be done.
    #[error("{0}")]
    Conflict(String),
    /// It is wrong in itself.
    #[error("{0}")]
    Invalid(String),
}
