//! Worktrees: the user's, which follow the branches the host moves, and the host's own, for checks and jobs.

use super::command::{CHECKOUT_TIME_LIMIT, Call};
use super::error::GitError;
use super::refs::commit_id;
use super::repository::{Repository, real};
use crate::files::{blocking, remove_tree_if_there};
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Times a worktree is brought up to a moved branch before it is left as it is: another git may hold its index just now.
const FOLLOW_TRIES: u32 = 20;
/// Between two of them; together one second.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(50);
/// Worktrees of one repository that are looked at.
const WORKTREES_MAX: usize = 10_000;

/// Lists the files a merge left undecided. Told to ignore submodules, git starts no other git in them.
const UNDECIDED: [&str; 5] =
    ["diff-files", "--name-only", "-z", "--diff-filter=U", "--ignore-submodules=all"];

/// A worktree in which a branch is checked out.
#[derive(Clone, Debug)]
pub(crate) struct Worktree {
    pub(crate) path: PathBuf,
    /// Its own part of the repository.
    git_dir: PathBuf,
    /// As those of the repository, with what its own configuration adds: a job can write that.
    drivers: Vec<(OsString, OsString)>,
}

/// What became of a branch that was to be moved.
#[derive(Debug)]
pub(crate) enum Moved {
    /// It is at the new commit. These worktrees could not follow.
    Done { behind: Vec<PathBuf> },
    /// It was no longer at the old commit; nothing was changed.
    Elsewhere,
    /// A worktree in which it is checked out could not follow; nothing was changed.
    Blocked { worktree: PathBuf, why: String },
}

impl Repository {
    /// The worktrees, other than the host's own, in which `branch` is checked out.
    pub(crate) async fn checked_out(&self, branch: &str) -> Result<Vec<Worktree>, GitError> {
        let listed = self.call(["worktree", "list", "--porcelain", "-z"]).checked().await?;
        let wanted = format!("branch refs/heads/{branch}");
        let ours = self.inner.data_dir.join("worktrees");
        let (mut path, mut found) = (None, Vec::new());
        for field in listed.fields().take(WORKTREES_MAX * 6) {
            if let Some(name) = field.strip_prefix(b"worktree ") {
                path = Some(PathBuf::from(OsStr::from_bytes(name)));
            } else if field == wanted.as_bytes()
                && let Some(path) = path.take()
                && !path.starts_with(&ours)
                && let Some(worktree) = self.worktree_at(&path).await?
            {
                found.push(worktree);
            }
        }
        Ok(found)
    }

    /// The worktree at `path`, if it is one of this repository.
    async fn worktree_at(&self, path: &Path) -> Result<Option<Worktree>, GitError> {
        let common_dir = self.common_dir();
        let main = if common_dir == path { self.top.as_deref() } else { Some(path) };
        if let Some(root) = main.filter(|root| belongs_to(root, common_dir)) {
            return self.worktree(real(root)?, common_dir.to_owned()).await.map(Some);
        }
        match self.linked_worktree(path) {
            Some((path, git_dir)) => self.worktree(path, git_dir).await.map(Some),
            None => Ok(None),
        }
    }

    async fn worktree(&self, path: PathBuf, git_dir: PathBuf) -> Result<Worktree, GitError> {
        let drivers = self.drivers_disarmed(&git_dir).await?;
        Ok(Worktree { path, git_dir, drivers })
    }

    /// A call in a worktree.
    fn call_in<A: AsRef<OsStr>>(&self, worktree: &Worktree, args: impl IntoIterator<Item = A>) -> Call<'_> {
        let call = self.inner.git.call(args).env("GIT_DIR", &worktree.git_dir);
        call.env("GIT_WORK_TREE", &worktree.path).folder(&worktree.path).settings(&worktree.drivers)
    }

    /// The linked worktree at `path` and its part of the repository. What the repository says of its worktrees is believed, what a worktree says of its
    /// repository is not: jobs and checks can write there.
    fn linked_worktree(&self, path: &Path) -> Option<(PathBuf, PathBuf)> {
        let entries = std::fs::read_dir(self.common_dir().join("worktrees")).ok()?;
        let real_path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        for entry in entries.flatten().take(WORKTREES_MAX) {
            let git_dir = entry.path();
            let Ok(pointer) = std::fs::read(git_dir.join("gitdir")) else { continue };
            let pointer = git_dir.join(OsStr::from_bytes(pointer.trim_ascii_end()));
            let Some(root) = pointer.parent() else { continue };
            if root == real_path || root.canonicalize().is_ok_and(|root| root == real_path) {
                return Some((real_path, git_dir));
            }
        }
        None
    }

    /// Whether tracked files of a worktree differ from its commit.
    pub(crate) async fn is_dirty(&self, worktree: &Worktree) -> Result<bool, GitError> {
        let args = ["status", "--porcelain", "-z", "--untracked-files=no", "--ignore-submodules=all"];
        Ok(!self.call_in(worktree, args).checked().await?.stdout.is_empty())
    }

    /// Moves a branch from `old` to `new` if it is still at `old`, and with it the worktrees in which it is checked out.
    /// Whether they can follow is found out first. The caller holds the lock of the repository.
    pub(crate) async fn move_branch(
        &self,
        branch: &str,
        old: &str,
        new: &str,
        why: &str,
    ) -> Result<Moved, GitError> {
        let worktrees = self.checked_out(branch).await?;
        for worktree in &worktrees {
            if let Some(why) = self.obstacle(worktree, old, new).await? {
                return Ok(Moved::Blocked { worktree: worktree.path.clone(), why });
            }
        }
        if !self.compare_and_swap(branch, old, new, why).await? {
            return Ok(Moved::Elsewhere);
        }
        let behind = self.bring_up(&worktrees, old, new).await;
        Ok(Moved::Done { behind })
    }

    /// Brings the worktrees of a branch that was moved from `old` to `new` up to it, where that did not happen because
    /// the host ended in between. A branch that has moved on since is left alone.
    pub(crate) async fn heal(&self, branch: &str, old: &str, new: &str) -> Result<Vec<PathBuf>, GitError> {
        if self.tip(branch).await?.as_deref() != Some(new) {
            return Ok(Vec::new());
        }
        let worktrees = self.checked_out(branch).await?;
        Ok(self.bring_up(&worktrees, old, new).await)
    }

    /// Why a worktree could not be brought from `old` to `new`.
    async fn obstacle(&self, worktree: &Worktree, old: &str, new: &str) -> Result<Option<String>, GitError> {
        if self.is_dirty(worktree).await? {
            return Ok(Some("it has uncommitted changes: commit or stash them".into()));
        }
        self.refresh(worktree).await?;
        let args = ["read-tree", "--dry-run", "-m", "-u", commit_id(old)?, commit_id(new)?];
        let tried = self.call_in(worktree, args).run().await?;
        Ok((tried.code != Some(0))
            .then(|| format!("{}: move it away", crate::text::one_line(&tried.messages))))
    }

    /// The worktrees that could not be brought up.
    async fn bring_up(&self, worktrees: &[Worktree], old: &str, new: &str) -> Vec<PathBuf> {
        let mut behind = Vec::new();
        for worktree in worktrees {
            let mut followed = Ok(());
            for attempt in 0..FOLLOW_TRIES {
                if attempt > 0 {
                    tokio::time::sleep(FOLLOW_INTERVAL).await;
                }
                followed = self.follow(worktree, old, new).await;
                if followed.is_ok() {
                    break;
                }
            }
            if let Err(error) = followed {
                tracing::warn!(worktree = %worktree.path.display(), %error, "a worktree did not follow its branch");
                behind.push(worktree.path.clone());
            }
        }
        behind
    }

    /// One two-tree update: it changes only files that are as they were at `old`.
    async fn follow(&self, worktree: &Worktree, old: &str, new: &str) -> Result<(), GitError> {
        self.refresh(worktree).await?;
        let index = self.call_in(worktree, ["write-tree"]).text().await?;
        if index == self.tree_of(new).await? {
            return Ok(());
        }
        let args = ["read-tree", "-m", "-u", commit_id(old)?, commit_id(new)?];
        self.call_in(worktree, args).time_limit(CHECKOUT_TIME_LIMIT).checked().await?;
        Ok(())
    }

    /// Has git look at the files again, so that one whose content is the same counts as the same.
    async fn refresh(&self, worktree: &Worktree) -> Result<(), GitError> {
        let args = ["update-index", "-q", "--refresh"];
        self.call_in(worktree, args).run().await?;
        Ok(())
    }

    /// Makes a worktree of the host's own at `commit`, in place of whatever is at `path`.
    pub(crate) async fn add_worktree(&self, path: &Path, commit: &str) -> Result<Worktree, GitError> {
        self.remove_worktree(path).await?;
        if let Some(folder) = path.parent() {
            crate::files::create_private_dir(folder)
                .map_err(|source| file_error("create", folder, source))?;
        }
        self.call(["worktree", "add", "--quiet", "--detach", "--force", "--end-of-options"])
            .arg(path)
            .arg(commit_id(commit)?)
            .time_limit(CHECKOUT_TIME_LIMIT)
            .checked()
            .await?;
        self.own_worktree(path).await
    }

    /// A worktree of the host's own that was made before.
    pub(crate) async fn own_worktree(&self, path: &Path) -> Result<Worktree, GitError> {
        let known = self.linked_worktree(path);
        let none = || GitError::NoRepository { path: path.display().to_string() };
        let (path, git_dir) = known.ok_or_else(none)?;
        self.worktree(path, git_dir).await
    }

    /// Takes a used worktree of the host's own to `commit` and removes all that git does not know there, except the
    /// folders in `keep`.
    pub(crate) async fn reuse_worktree(
        &self,
        path: &Path,
        commit: &str,
        keep: &[String],
    ) -> Result<Worktree, GitError> {
        let worktree = self.own_worktree(path).await?;
        let args =
            ["checkout", "--quiet", "--force", "--detach", "--no-recurse-submodules", commit_id(commit)?];
        self.call_in(&worktree, args).time_limit(CHECKOUT_TIME_LIMIT).checked().await?;
        let mut clean = self.call_in(&worktree, ["clean", "--quiet", "-ffdx"]);
        for folder in keep {
            // A link in its place could make the next check write somewhere else.
            if std::fs::symlink_metadata(worktree.path.join(folder)).is_ok_and(|about| about.is_dir()) {
                clean = clean.arg(format!("--exclude=/{folder}"));
            }
        }
        clean.time_limit(CHECKOUT_TIME_LIMIT).checked().await?;
        Ok(worktree)
    }

    /// Removes a worktree of the host's own with what git remembers of it; there may be none.
    pub(crate) async fn remove_worktree(&self, path: &Path) -> Result<(), GitError> {
        let known = self.linked_worktree(path);
        let gone = path.to_owned();
        blocking(move || remove_tree_if_there(&gone)).await.map_err(|e| file_error("remove", path, e))?;
        if let Some((_, git_dir)) = known {
            let admin = git_dir.display().to_string();
            blocking(move || remove_tree_if_there(&git_dir)).await.map_err(|source| GitError::File {
                what: "remove",
                path: admin,
                source,
            })?;
        }
        Ok(())
    }

    /// The commit a worktree is at.
    pub(crate) async fn head_of(&self, worktree: &Worktree) -> Result<String, GitError> {
        let args = ["rev-parse", "--verify", "--end-of-options", "HEAD^{commit}"];
        self.call_in(worktree, args).text().await
    }

    /// Puts everything in a worktree that git does not ignore into its index and gives the tree of that. `git add` would
    /// have another git look into every submodule, under a configuration that lies in the worktree: whatever it names
    /// would run. These commands look at a submodule's head and no further.
    pub(crate) async fn tree_of_files(&self, worktree: &Worktree) -> Result<String, GitError> {
        let changed = ["ls-files", "-z", "--modified", "--deleted"].as_slice();
        let undecided = UNDECIDED.as_slice();
        let others = ["ls-files", "-z", "--others", "--exclude-standard"].as_slice();
        let mut paths = BTreeSet::new();
        for args in [changed, undecided, others] {
            let listed = self.call_in(worktree, args).time_limit(CHECKOUT_TIME_LIMIT).checked().await?;
            // A repository within this one is listed as a folder.
            paths.extend(listed.fields().map(|path| path.strip_suffix(b"/").unwrap_or(path).to_vec()));
        }
        let mut list = Vec::new();
        for path in paths {
            list.extend_from_slice(&path);
            list.push(0);
        }
        let update = ["update-index", "--add", "--remove", "--replace", "-z", "--stdin"];
        self.call_in(worktree, update).stdin(list).time_limit(CHECKOUT_TIME_LIMIT).checked().await?;
        self.call_in(worktree, ["write-tree"]).text().await
    }

    /// Files that a merge left without a decision in a worktree's index.
    pub(crate) async fn undecided(&self, worktree: &Worktree) -> Result<Vec<PathBuf>, GitError> {
        let listed = self.call_in(worktree, UNDECIDED).checked().await?;
        Ok(listed.fields().map(|name| PathBuf::from(OsStr::from_bytes(name))).collect())
    }

    /// The commits a merge under way in a worktree brings in.
    pub(crate) fn merging(&self, worktree: &Worktree) -> Vec<String> {
        let text = std::fs::read_to_string(worktree.git_dir.join("MERGE_HEAD")).unwrap_or_default();
        text.lines().filter(|line| commit_id(line).is_ok()).map(str::to_owned).collect()
    }

    /// Whether a rebase under way in a worktree was left half done.
    pub(crate) fn is_rebasing(&self, worktree: &Worktree) -> bool {
        ["rebase-merge", "rebase-apply"].iter().any(|folder| worktree.git_dir.join(folder).exists())
    }
}

/// Whether the git folder of a worktree's root is `git_dir`.
fn belongs_to(root: &Path, git_dir: &Path) -> bool {
    let pointer = root.join(".git");
    let named = match std::fs::symlink_metadata(&pointer) {
        Ok(about) if about.is_file() => {
            let text = std::fs::read_to_string(&pointer).unwrap_or_default();
            text.strip_prefix("gitdir: ").map(|named| root.join(named.trim_end()))
        }
        Ok(_) => Some(pointer),
        Err(_) => None,
    };
    named.and_then(|named| named.canonicalize().ok()).is_some_and(|named| named == git_dir)
}

fn file_error(what: &'static str, path: &Path, source: std::io::Error) -> GitError {
    GitError::File { what, path: path.display().to_string(), source }
}
