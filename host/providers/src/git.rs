//! A local git repository: what a change is, whether it merges, its files, and merging it.

mod bundle;
mod command;
mod effects;
mod error;
mod merge;
mod observe;
mod refs;
mod remote;
mod repository;
mod source;
mod worktree;

pub(crate) use effects::method_word;
pub(crate) use error::GitError;
pub use error::SetupError;
pub(crate) use merge::{Halt, check_head};
pub(crate) use refs::short;
pub(crate) use remote::{Pushed, Remote};
pub(crate) use repository::{CommitSpec, Repository};
pub(crate) use worktree::{Moved, Worktree};

use crate::files::create_private_dir;
use command::Git;
use lockstep_types::Digest;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OwnedMutexGuard;

/// Repositories whose locks are remembered before those nobody holds are dropped.
const REMEMBERED_LOCKS: usize = 64;

/// How the host runs git.
#[derive(Clone, Debug)]
pub struct GitOptions {
    /// The host's data folder.
    pub data_dir: PathBuf,
    /// The program, 2.40 or newer: a path, or a name to be found in `PATH`.
    pub program: PathBuf,
}

impl GitOptions {
    /// The `git` of `PATH`, with what it needs kept below `data_dir`.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self { data_dir: data_dir.into(), program: "git".into() }
    }
}

/// Git repositories of this machine. Implements `ChangeSource`, `Mergeability` and `Workspace`; cheap to
/// clone, and one for all providers of a host, because it keeps those that move a branch from each other's way.
#[derive(Clone, Debug)]
pub struct LocalGit {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    git: Git,
    data_dir: PathBuf,
    locks: Mutex<HashMap<PathBuf, Arc<tokio::sync::Mutex<()>>>>,
}

impl LocalGit {
    /// Prepares the data folder.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn new(options: GitOptions) -> Result<Self, SetupError> {
        let home = options.data_dir.join("git-home");
        let prepared = create_private_dir(&home)
            .and_then(|()| create_private_dir(&options.data_dir.join("effects")))
            .and_then(|()| options.data_dir.canonicalize());
        let data_dir =
            prepared.map_err(|source| SetupError { path: options.data_dir.display().to_string(), source })?;
        let git = Git::new(options.program, data_dir.join("git-home"));
        Ok(Self { inner: Arc::new(Inner { git, data_dir, locks: Mutex::default() }) })
    }

    /// The data folder, without links in its path.
    pub(crate) fn data_dir(&self) -> &Path {
        &self.inner.data_dir
    }

    /// Where the host's own worktrees of a repository are.
    pub(crate) fn worktrees_of(&self, repository: &Repository) -> PathBuf {
        self.inner.data_dir.join("worktrees").join(repository_name(repository))
    }

    /// Finds the repository at `path`, or the one that `path` is in.
    pub(crate) async fn open(&self, path: &str) -> Result<Repository, GitError> {
        Repository::open(Arc::clone(&self.inner), path).await
    }

    /// Waits for the right to move branches of a repository: between moving one and bringing a worktree up to it, nobody
    /// else may judge that worktree.
    pub(crate) async fn lock(&self, repository: &Repository) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.inner.locks.lock().unwrap_or_else(PoisonError::into_inner);
            if locks.len() >= REMEMBERED_LOCKS {
                locks.retain(|_, lock| Arc::strong_count(lock) > 1);
            }
            Arc::clone(locks.entry(repository.common_dir().to_owned()).or_default())
        };
        lock.lock_owned().await
    }
}

/// A name for a repository among the host's files.
pub(crate) fn repository_name(repository: &Repository) -> String {
    Digest::of(repository.common_dir().as_os_str().as_encoded_bytes()).short()
}
