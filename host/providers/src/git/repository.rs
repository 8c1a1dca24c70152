//! One repository: its refs and commits. Everything here works without a worktree.

use super::Inner;
use super::command::Call;
use super::error::GitError;
use super::refs::{branch_ref, commit_id};
use lockstep_types::Timestamp;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Filters and merge drivers a repository may name: far above any real one, and below what an environment holds.
const DRIVERS_MAX: usize = 1000;
/// Paths in conflict that are reported; people act on the first few.
const CONFLICTS_MAX: usize = 1000;

/// A repository as it was opened for one answer.
#[derive(Clone, Debug)]
pub(crate) struct Repository {
    pub(super) inner: Arc<Inner>,
    common_dir: PathBuf,
    /// Root of the worktree it was opened in; none if it is bare.
    pub(super) top: Option<PathBuf>,
    /// Settings that take the commands away from its filters and merge drivers.
    drivers: Vec<(OsString, OsString)>,
}

/// What merging two commits gives.
#[derive(Debug)]
pub(crate) enum MergedTree {
    /// This tree.
    Clean(String),
    /// Conflicts in these files.
    Conflicts(Vec<String>),
}

/// A commit to be made.
#[derive(Debug)]
pub(crate) struct CommitSpec<'a> {
    pub(crate) tree: &'a str,
    pub(crate) parents: &'a [&'a str],
    pub(crate) message: String,
    /// Time of the commit; fixed, so that making it again gives the same commit.
    pub(crate) at: Timestamp,
    /// Name, address and date, where they are not the host's.
    pub(crate) author: Option<(String, String, String)>,
}

impl Repository {
    pub(super) async fn open(inner: Arc<Inner>, path: &str) -> Result<Self, GitError> {
        let none = || GitError::NoRepository { path: crate::text::as_line(path, "(empty)") };
        let folder = Path::new(path);
        if path.contains('\0') || !folder.is_dir() {
            return Err(none());
        }
        let args = ["rev-parse", "--path-format=absolute", "--git-common-dir", "--is-bare-repository"];
        let mut call = inner.git.call(args).folder(folder);
        // A repository without a worktree has to be named itself: one found above could lie among the files of a change.
        if is_git_dir(folder) {
            call = call.env("GIT_DIR", ".");
        }
        let found = call.run().await?;
        if found.code != Some(0) {
            // A repository that git does not trust or cannot read is there, and git says why.
            let absent = found.messages.contains("not a git repository");
            return Err(if absent { none() } else { found.failed() });
        }
        let mut lines = found.stdout.split(|byte| *byte == b'\n');
        let common_dir = lines.next().filter(|line| !line.is_empty()).ok_or_else(none)?;
        let bare = lines.next() == Some(b"true".as_slice());
        let common_dir = real(Path::new(OsStr::from_bytes(common_dir)))?;
        let mut repository = Self { inner, common_dir, top: None, drivers: Vec::new() };
        if !bare {
            repository.top = repository.root_above(&real(folder)?);
        }
        repository.drivers = repository.drivers_disarmed(&repository.common_dir).await?;
        Ok(repository)
    }

    /// The folder above `folder` that git's folder belongs to. A `core.worktree` of the repository is not asked: it could
    /// name any folder of this machine.
    fn root_above(&self, folder: &Path) -> Option<PathBuf> {
        folder.ancestors().find(|above| above.join(".git").exists()).map(Path::to_owned)
    }

    /// The folder with the objects and refs, shared by all its worktrees.
    pub(crate) fn common_dir(&self) -> &Path {
        &self.common_dir
    }

    /// Where a person finds it.
    pub(crate) fn shown(&self) -> String {
        self.top.as_ref().unwrap_or(&self.common_dir).display().to_string()
    }

    /// A call in this repository that sees no worktree.
    pub(super) fn call<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Call<'_> {
        self.inner
            .git
            .call(args)
            .env("GIT_DIR", &self.common_dir)
            .env("GIT_WORK_TREE", self.inner.git.home())
            .settings(&self.drivers)
    }

    /// What has to be set so that no filter and no merge driver of the repository's configuration runs: files are taken
    /// as they are stored, and merged as text, which is what a forge does too.
    /// `git_dir` is the repository's folder or that of one of its worktrees, which may have a configuration of its own.
    pub(super) async fn drivers_disarmed(
        &self,
        git_dir: &Path,
    ) -> Result<Vec<(OsString, OsString)>, GitError> {
        let pattern = r"^(filter\..*\.(clean|smudge|process|required)|merge\..*\.driver|hook\..*\.command)$";
        let call = self.call(["config", "-z", "--name-only", "--get-regexp", pattern]);
        let found = call.env("GIT_DIR", git_dir).run().await?;
        if !matches!(found.code, Some(0 | 1)) {
            return Err(found.failed());
        }
        let mut settings = Vec::new();
        for name in found.fields() {
            if settings.len() == DRIVERS_MAX {
                return Err(GitError::Bound { what: "filters and merge drivers", max: DRIVERS_MAX });
            }
            let value = if name.starts_with(b"merge.") {
                "git merge-file --quiet --marker-size=%L %A %O %B || exit 1"
            } else if name.ends_with(b".required") {
                "false"
            } else if name.starts_with(b"hook.") {
                "true"
            } else {
                ""
            };
            settings.push((OsStr::from_bytes(name).to_owned(), value.into()));
        }
        Ok(settings)
    }

    /// The commit at the tip of a branch; none if there is no such branch.
    pub(crate) async fn tip(&self, branch: &str) -> Result<Option<String>, GitError> {
        let commit = format!("{}^{{commit}}", branch_ref(branch)?);
        let found =
            self.call(["rev-parse", "--verify", "--quiet", "--end-of-options", &commit]).run().await?;
        match found.code {
            Some(0) => Ok(Some(String::from_utf8_lossy(&found.stdout).trim().to_owned())),
            Some(1) => Ok(None),
            _ => Err(found.failed()),
        }
    }

    /// The commit at the tip of a branch that has to exist.
    pub(crate) async fn existing_tip(&self, branch: &str) -> Result<String, GitError> {
        let tip = self.tip(branch).await?;
        tip.ok_or_else(|| GitError::NoBranch { repository: self.shown(), branch: branch.to_owned() })
    }

    /// Whether a commit is in this repository.
    pub(crate) async fn has_commit(&self, commit: &str) -> Result<bool, GitError> {
        let object = format!("{}^{{commit}}", commit_id(commit)?);
        Ok(self.call(["cat-file", "-e", &object]).run().await?.code == Some(0))
    }

    /// Whether `old` is `new` or one of its ancestors.
    pub(crate) async fn is_ancestor(&self, old: &str, new: &str) -> Result<bool, GitError> {
        self.call(["merge-base", "--is-ancestor", commit_id(old)?, commit_id(new)?]).holds().await
    }

    /// The best common ancestor; none if the histories are unrelated.
    pub(super) async fn merge_base(&self, a: &str, b: &str) -> Result<Option<String>, GitError> {
        let found = self.call(["merge-base", commit_id(a)?, commit_id(b)?]).run().await?;
        match found.code {
            Some(0) => Ok(Some(String::from_utf8_lossy(&found.stdout).trim().to_owned())),
            Some(1) => Ok(None),
            _ => Err(found.failed()),
        }
    }

    /// The tree of a commit.
    pub(crate) async fn tree_of(&self, commit: &str) -> Result<String, GitError> {
        let tree = format!("{}^{{tree}}", commit_id(commit)?);
        self.call(["rev-parse", "--verify", "--end-of-options", &tree]).text().await
    }

    /// Merges two commits, since `base` or their merge base, without touching a worktree or a ref. Attributes are read
    /// from `ours`.
    pub(super) async fn merge_tree(
        &self,
        base: Option<&str>,
        ours: &str,
        theirs: &str,
    ) -> Result<MergedTree, GitError> {
        let mut call = self.call(["merge-tree", "--write-tree", "--name-only", "-z", "--no-messages"]);
        if let Some(base) = base {
            call = call.arg(format!("--merge-base={}", commit_id(base)?));
        }
        let call = call.env("GIT_ATTR_SOURCE", commit_id(ours)?).arg(ours).arg(commit_id(theirs)?);
        let merged = call.run().await?;
        let mut fields = merged.fields().map(|field| String::from_utf8_lossy(field).into_owned());
        match (merged.code, fields.next()) {
            (Some(0), Some(tree)) => Ok(MergedTree::Clean(tree)),
            (Some(1), Some(_)) => {
                let mut conflicts: Vec<String> = fields.take(CONFLICTS_MAX).collect();
                conflicts.sort();
                conflicts.dedup();
                Ok(MergedTree::Conflicts(conflicts))
            }
            (Some(0 | 1), None) => Err(GitError::Answer { name: "merge-tree" }),
            _ => Err(merged.failed()),
        }
    }

    /// Makes a commit that no branch names yet.
    pub(crate) async fn commit(&self, spec: CommitSpec<'_>) -> Result<String, GitError> {
        let date = format!("@{} +0000", spec.at.0 / 1000);
        let mut call = self.call(["commit-tree", spec.tree]).env("GIT_COMMITTER_DATE", &date);
        for parent in spec.parents {
            call = call.arg("-p").arg(commit_id(parent)?);
        }
        call = match spec.author {
            Some((name, email, date)) => call
                .env("GIT_AUTHOR_NAME", if name.trim().is_empty() { &email } else { &name })
                .env("GIT_AUTHOR_EMAIL", &email)
                .env("GIT_AUTHOR_DATE", date),
            None => call.env("GIT_AUTHOR_DATE", &date),
        };
        call.arg("-F").arg("-").stdin(spec.message.into_bytes()).text().await
    }

    /// Makes a branch at a commit; false if there is one of that name.
    pub(crate) async fn create_branch(&self, branch: &str, commit: &str) -> Result<bool, GitError> {
        let name = branch_ref(branch)?;
        // Only if it is still not there: somebody else's branch of that name is theirs.
        let created = self.call(["update-ref", &name, commit_id(commit)?, ""]).run().await?;
        if created.code == Some(0) {
            return Ok(true);
        }
        if self.tip(branch).await?.is_some() { Ok(false) } else { Err(created.failed()) }
    }

    /// Moves a branch from `old` to `new`; false if it is no longer at `old`.
    pub(super) async fn compare_and_swap(
        &self,
        branch: &str,
        old: &str,
        new: &str,
        why: &str,
    ) -> Result<bool, GitError> {
        let name = branch_ref(branch)?;
        let moved = self
            .call(["update-ref", "--create-reflog", "-m", why, &name, commit_id(new)?, commit_id(old)?])
            .run()
            .await?;
        if moved.code == Some(0) {
            return Ok(true);
        }
        if self.tip(branch).await?.as_deref() == Some(old) { Err(moved.failed()) } else { Ok(false) }
    }
}

/// Whether a folder looks like git's own.
fn is_git_dir(folder: &Path) -> bool {
    folder.join("HEAD").exists() && folder.join("objects").is_dir() && folder.join("refs").is_dir()
}

/// A path without links.
pub(super) fn real(path: &Path) -> Result<PathBuf, GitError> {
    path.canonicalize().map_err(|source| GitError::File {
        what: "find",
        path: path.display().to_string(),
        source,
    })
}
