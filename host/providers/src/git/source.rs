use super::LocalGit;
use super::error::GitError;
use super::refs::branch_ref;
use super::repository::Repository;
use crate::text::{as_line, edit_distance, one_line};
use async_trait::async_trait;
use lockstep_ports::{ChangeSource, ChangeSourceError};
use lockstep_types::Change;

/// Branches among which a mistyped name is looked for.
const BRANCHES_LISTED: usize = 1000;
/// Names shown as what was perhaps meant.
const SUGGESTIONS_MAX: usize = 3;
/// Edits within which a name counts as a slip of another.
const SLIP_MAX: usize = 3;

#[async_trait]
impl ChangeSource for LocalGit {
    async fn resolve(
        &self,
        repository: &str,
        head: &str,
        base: Option<&str>,
    ) -> Result<Change, ChangeSourceError> {
        let failed = |error: GitError| match error {
            GitError::NoRepository { path } => ChangeSourceError::NoRepository { repository: path },
            other => ChangeSourceError::Git {
                repository: as_line(repository, "(empty)"),
                reason: other.to_string(),
            },
        };
        let opened = self.open(repository).await.map_err(failed)?;
        let head_commit = opened.resolve_branch(head).await?;
        let base = match base {
            Some(base) => {
                opened.resolve_branch(base).await?;
                base.to_owned()
            }
            None => opened.default_base(head).await?,
        };
        if base == head {
            let reason = format!("{head} cannot be merged into itself: name another base branch with --base");
            return Err(ChangeSourceError::Git { repository: opened.shown(), reason });
        }
        for branch in [head, base.as_str()] {
            for worktree in opened.checked_out(branch).await.map_err(failed)? {
                if opened.is_dirty(&worktree).await.map_err(failed)? {
                    let worktree = worktree.path.display().to_string();
                    return Err(ChangeSourceError::Dirty { branch: branch.to_owned(), worktree });
                }
            }
        }
        Ok(Change {
            repository: opened.shown(),
            base_branch: base,
            head_branch: head.to_owned(),
            head_commit: Some(head_commit),
            pull_request: None,
        })
    }

    async fn resolve_or_create(
        &self,
        repository: &str,
        head: &str,
        base: Option<&str>,
    ) -> Result<Change, ChangeSourceError> {
        match self.resolve(repository, head, base).await {
            Err(ChangeSourceError::NoBranch { branch, .. }) if branch == head => {}
            resolved => return resolved,
        }
        let opened = self.open(repository).await.map_err(|error| ChangeSourceError::Git {
            repository: as_line(repository, "(empty)"),
            reason: one_line(&error.to_string()),
        })?;
        let base = match base {
            Some(base) => base.to_owned(),
            None => opened.default_base(head).await?,
        };
        let tip = opened.resolve_branch(&base).await?;
        branch_ref(head).map_err(|_| opened.no_branch_name(head))?;
        opened.create_branch(head, &tip).await.map_err(|error| opened.unreadable(&error))?;
        self.resolve(repository, head, Some(&base)).await
    }

    async fn subject(&self, change: &Change) -> Option<String> {
        let repository = self.open(&change.repository).await.ok()?;
        let commit = match &change.head_commit {
            Some(commit) => commit.clone(),
            None => repository.tip(&change.head_branch).await.ok()??,
        };
        let args = ["log", "-1", "--format=%s", "--end-of-options", super::refs::commit_id(&commit).ok()?];
        let subject = repository.call(args).text().await.ok()?;
        Some(as_line(&subject, "")).filter(|subject| !subject.is_empty())
    }
}

impl Repository {
    /// The tip of a branch, or what to do about its absence.
    async fn resolve_branch(&self, branch: &str) -> Result<String, ChangeSourceError> {
        let missing = |hint: String| ChangeSourceError::NoBranch {
            repository: self.shown(),
            branch: branch.chars().take(200).collect(),
            hint,
        };
        let name = branch_ref(branch).map_err(|_| missing("that is not a branch name".into()))?;
        // The word of git itself, in case its rules and ours part.
        let checked = self.call(["check-ref-format", &name]).holds().await;
        if !checked.map_err(|error| self.unreadable(&error))? {
            return Err(missing("git does not take that for a branch name".into()));
        }
        match self.tip(branch).await.map_err(|error| self.unreadable(&error))? {
            Some(commit) => Ok(commit),
            None => Err(missing(self.suggestion(branch).await)),
        }
    }

    fn no_branch_name(&self, branch: &str) -> ChangeSourceError {
        ChangeSourceError::NoBranch {
            repository: self.shown(),
            branch: branch.chars().take(200).collect(),
            hint: "that is not a branch name".into(),
        }
    }

    fn unreadable(&self, error: &GitError) -> ChangeSourceError {
        ChangeSourceError::Git { repository: self.shown(), reason: one_line(&error.to_string()) }
    }

    /// What was perhaps meant by a branch that does not exist.
    async fn suggestion(&self, branch: &str) -> String {
        let count = format!("--count={BRANCHES_LISTED}");
        let listed =
            self.call(["for-each-ref", &count, "--format=%(refname:strip=2)", "refs/heads"]).text().await;
        let listed = listed.unwrap_or_default();
        let mut names: Vec<(usize, &str)> =
            listed.lines().map(|name| (edit_distance(branch, name), name)).collect();
        if names.is_empty() {
            return "it has no branches yet, make a first commit".into();
        }
        names.sort();
        let near: Vec<&str> = names
            .iter()
            .filter(|(edits, name)| *edits <= SLIP_MAX || name.contains(branch))
            .map(|(_, name)| *name)
            .take(SUGGESTIONS_MAX)
            .collect();
        if near.is_empty() {
            let some: Vec<&str> = names.iter().map(|(_, name)| *name).take(SUGGESTIONS_MAX).collect();
            format!("it has {}{}", some.join(", "), if names.len() > some.len() { ", …" } else { "" })
        } else {
            format!("did you mean {}?", near.join(" or "))
        }
    }

    /// The branch that receives a change of `head` when nobody says which.
    async fn default_base(&self, head: &str) -> Result<String, ChangeSourceError> {
        let current = self.call(["symbolic-ref", "--quiet", "--short", "HEAD"]).text().await.ok();
        let configured = self.call(["config", "--get", "init.defaultBranch"]).text().await.ok();
        let candidates = [current, Some("main".into()), Some("master".into()), configured];
        for candidate in candidates.into_iter().flatten().filter(|name| name != head) {
            if branch_ref(&candidate).is_err() {
                continue;
            }
            if self.tip(&candidate).await.map_err(|error| self.unreadable(&error))?.is_some() {
                return Ok(candidate);
            }
        }
        let hint = format!("name the branch that receives {head} with --base");
        let branch = if head == "main" { "master" } else { "main" };
        Err(ChangeSourceError::NoBranch { repository: self.shown(), branch: branch.into(), hint })
    }
}
