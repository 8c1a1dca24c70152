use crate::ObserveError;
use crate::bindings::lockstep::step::{log, workspace as files};
use crate::{checks, environments, history, mergeability, release_health, workspace};

pub use log::Level as LogLevel;

/// What a component may ask the host, one method per import of the world.
///
/// A step is generic over this trait and compiled for [`WasmHost`] alone, so a method it never calls is not
/// compiled in, and the component does not import that interface. Never use it as a trait object: a vtable
/// would import everything.
pub trait Host {
    /// The checks of continuous integration at the head commit.
    ///
    /// # Errors
    /// No provider is wired, or it could not answer this time.
    fn checks(&self) -> Result<checks::Report, ObserveError>;

    /// Whether the change merges into its base branch.
    ///
    /// # Errors
    /// No provider is wired, or it could not answer this time.
    fn mergeability(&self) -> Result<mergeability::Report, ObserveError>;

    /// Files of the change, sorted by path.
    ///
    /// # Errors
    /// No provider is wired, or it could not answer this time.
    fn changed_files(&self) -> Result<Vec<workspace::ChangedFile>, ObserveError>;

    /// One file at the head commit; none when it is not there.
    ///
    /// # Errors
    /// No provider is wired, or it could not answer this time.
    fn read_file(&self, path: &str) -> Result<Option<Vec<u8>>, ObserveError>;

    /// How a file of the change differs from the merge base, as a unified diff; none when it does not differ or is
    /// binary.
    ///
    /// # Errors
    /// No provider is wired, or it could not answer this time.
    fn diff(&self, path: &str) -> Result<Option<String>, ObserveError>;

    /// What monitoring says of the released change; an alert older than `watch_since` is not this release's.
    ///
    /// # Errors
    /// No provider is wired, or it could not answer this time.
    fn release_health(&self, watch_since: u64) -> Result<release_health::Report, ObserveError>;

    /// What somebody who investigates a regression needs, gathered afresh.
    ///
    /// # Errors
    /// No provider is wired, or it could not answer this time.
    fn evidence(&self, watch_since: u64) -> Result<release_health::Evidence, ObserveError>;

    /// The environment of an id that `provision` told; none if it is not known any more.
    ///
    /// # Errors
    /// No provider is wired, or it could not answer this time.
    fn environment(&self, id: &str) -> Result<Option<environments::Report>, ObserveError>;

    /// Attempts of this step, the oldest first, the current one last.
    fn attempts(&self) -> Vec<history::Attempt>;

    /// Keeps a line with the invocation. It never decides anything.
    fn log(&self, level: LogLevel, message: &str);
}

/// The host a component runs in.
#[derive(Clone, Copy, Debug)]
pub struct WasmHost;

impl Host for WasmHost {
    fn checks(&self) -> Result<checks::Report, ObserveError> {
        checks::read()
    }

    fn mergeability(&self) -> Result<mergeability::Report, ObserveError> {
        mergeability::read()
    }

    fn changed_files(&self) -> Result<Vec<workspace::ChangedFile>, ObserveError> {
        files::changed_files()
    }

    fn read_file(&self, path: &str) -> Result<Option<Vec<u8>>, ObserveError> {
        files::read_file(path)
    }

    fn diff(&self, path: &str) -> Result<Option<String>, ObserveError> {
        files::diff(path)
    }

    fn release_health(&self, watch_since: u64) -> Result<release_health::Report, ObserveError> {
        release_health::read(watch_since)
    }

    fn evidence(&self, watch_since: u64) -> Result<release_health::Evidence, ObserveError> {
        release_health::gather(watch_since)
    }

    fn environment(&self, id: &str) -> Result<Option<environments::Report>, ObserveError> {
        environments::read(id)
    }

    fn attempts(&self) -> Vec<history::Attempt> {
        history::attempts()
    }

    fn log(&self, level: LogLevel, message: &str) {
        log::write(level, message);
    }
}
