//! From sled's errors to those of the ports.

use lockstep_ports::{ComponentStoreError, JournalError};
use std::fmt;
use std::io;
use std::sync::Arc;

/// A failure that many wait for: each is told the same.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// The disk is full.
    Full,
    /// Anything else, and what was being done.
    Io(&'static str, Shared),
    /// A stored value cannot be read.
    Damaged(&'static str, Shared),
}

/// An error with several owners.
#[derive(Clone, Debug)]
pub(crate) struct Shared(Arc<dyn std::error::Error + Send + Sync>);

impl Shared {
    pub(crate) fn new(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(error.into().into())
    }
}

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Shared {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("the disk is full"),
            Self::Io(operation, error) => write!(f, "cannot {operation}: {error}"),
            Self::Damaged(what, error) => write!(f, "{what} is damaged: {error}"),
        }
    }
}

impl Failure {
    pub(crate) fn of_io(operation: &'static str, error: io::Error) -> Self {
        match error.kind() {
            // A quota, a limit on file sizes: also space that somebody can give back.
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::Full
            }
            _ => Self::Io(operation, Shared::new(error)),
        }
    }

    pub(crate) fn of_sled(operation: &'static str, error: sled::Error) -> Self {
        match error {
            sled::Error::Io(error) => Self::of_io(operation, error),
            error @ sled::Error::Corruption { .. } => Self::Damaged("a page", Shared::new(error)),
            error => Self::Io(operation, Shared::new(error)),
        }
    }

    pub(crate) fn journal(&self, path: &str) -> JournalError {
        let path = path.to_owned();
        match self {
            Self::Full => JournalError::Full { path },
            Self::Io(operation, source) => {
                JournalError::Io { operation, path, source: Box::new(source.clone()) }
            }
            Self::Damaged(what, source) => {
                JournalError::Damaged { what: (*what).to_owned(), path, source: Box::new(source.clone()) }
            }
        }
    }
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("sled panicked").to_owned()
}

/// An error of the journal as one of the component store.
pub(crate) fn component(operation: &'static str, error: JournalError) -> ComponentStoreError {
    match error {
        JournalError::Damaged { what, source, .. } => ComponentStoreError::Unreadable { what, source },
        error => ComponentStoreError::Io { operation, source: Box::new(error) },
    }
}
