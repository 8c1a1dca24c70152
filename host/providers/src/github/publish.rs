//! Keeps a branch of the clone and the branch of the same name on GitHub together.

use super::answers::GitRef;
use super::client::segment;
use super::trouble::Trouble;
use super::{Inner, Link};
use crate::files::{blocking, create_private_dir, read_json, write_json};
use crate::git::{GitError, Moved, Pushed, Remote, Repository, repository_name, short};
use lockstep_types::Digest;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Times a branch that moves while it is looked at is looked at.
const TRIES: u32 = 4;
/// Whom GitHub takes a token as password of.
const USER: &str = "x-access-token";

/// The commit of a branch that was pushed last, or two if nobody knows whether the last push arrived: GitHub's branch may be
/// taken from there to anywhere, because what is there is ours.
#[derive(Debug, Serialize, Deserialize)]
struct LastPush {
    branch: String,
    commits: Vec<String>,
}

impl Inner {
    async fn remote(&self, link: &Link) -> Result<Remote, Trouble> {
        let url = format!("{}/{}.git", self.git_base, link.full_name());
        Ok(Remote { url, login: (USER, self.client.token().await?) })
    }

    /// The commit of a branch on GitHub; none if it has no such branch.
    pub(super) async fn forge_tip(&self, link: &Link, branch: &str) -> Result<Option<String>, Trouble> {
        let path = link.api(&format!("git/ref/{}", segment(&format!("heads/{branch}"))));
        let found: Option<GitRef> = self.client.get(&path, &[]).await?;
        Ok(found.map(|found| found.object.sha))
    }

    /// Brings the clone's branch and GitHub's together: whichever is behind follows. The commit both then have; none if the
    /// clone has no such branch.
    pub(super) async fn publish(&self, link: &Link, branch: &str) -> Result<Option<String>, Trouble> {
        let repository = self.git.open(&link.path).await?;
        for attempt in 1..=TRIES {
            let Some(local) = repository.tip(branch).await? else { return Ok(None) };
            let Some(there) = self.forge_tip(link, branch).await? else {
                if self.was_merged(link, branch, &local).await? {
                    return Ok(Some(local));
                }
                if self.push(link, &repository, (branch, &local), None).await? {
                    return Ok(Some(local));
                }
                self.look_again(attempt).await;
                continue;
            };
            if there == local {
                return Ok(Some(local));
            }
            if !repository.has_commit(&there).await? {
                self.fetched(link, &repository, branch).await?;
            }
            let has_all = repository.has_commit(&there).await?;
            let is_done = if has_all && repository.is_ancestor(&there, &local).await? {
                self.push(link, &repository, (branch, &local), None).await?
            } else if has_all && repository.is_ancestor(&local, &there).await? {
                if self.forward(&repository, branch, &local, &there).await? {
                    return Ok(Some(there));
                }
                false
            } else if has_all && self.last_push(&repository, branch).await?.contains(&there) {
                self.push(link, &repository, (branch, &local), Some(&there)).await?
            } else if has_all {
                return Err(Trouble::Lasting(apart(branch)));
            } else {
                false
            };
            if is_done {
                return Ok(Some(local));
            }
            self.look_again(attempt).await;
        }
        Err(Trouble::ForNow(format!("{branch} moved {TRIES} times while it was brought to GitHub")))
    }

    /// Brings the clone's branch up to GitHub's, or makes it. The commit it then has; none if GitHub has no such branch.
    pub(super) async fn follow(&self, link: &Link, branch: &str) -> Result<Option<String>, Trouble> {
        let repository = self.git.open(&link.path).await?;
        for attempt in 1..=TRIES {
            if self.forge_tip(link, branch).await?.is_none() {
                return Ok(None);
            }
            let there = self.fetched(link, &repository, branch).await?;
            let local = repository.tip(branch).await?;
            let is_done = match &local {
                Some(local) if *local == there || repository.is_ancestor(&there, local).await? => true,
                Some(local) if repository.is_ancestor(local, &there).await? => {
                    self.forward(&repository, branch, local, &there).await?
                }
                Some(_) => return Err(Trouble::Lasting(apart(branch))),
                None => repository.create_branch(branch, &there).await?,
            };
            if is_done {
                return Ok(repository.tip(branch).await?);
            }
            self.look_again(attempt).await;
        }
        Err(Trouble::ForNow(format!("{branch} moved {TRIES} times while it was fetched")))
    }

    /// Brings the commits of a branch of GitHub's over; its tip.
    pub(super) async fn fetched(
        &self,
        link: &Link,
        repository: &Repository,
        branch: &str,
    ) -> Result<String, Trouble> {
        let remote = self.remote(link).await?;
        self.git
            .fetch_from(repository, &remote, branch)
            .await
            .map_err(|error| transfer(link, "fetched from", &error))
    }

    /// Pushes a commit; false if the branch moved there meanwhile.
    async fn push(
        &self,
        link: &Link,
        repository: &Repository,
        (branch, commit): (&str, &str),
        replaced: Option<&str>,
    ) -> Result<bool, Trouble> {
        let remote = self.remote(link).await?;
        // Written down first: if the host ends now and the push arrived, what is there is known to be ours.
        let before = self.last_push(repository, branch).await?;
        let pushed_now = vec![commit.to_owned()];
        let either = pushed_now.iter().chain(&before).take(2).cloned().collect();
        self.keep_last_push(repository, branch, either).await?;
        let pushed = self.git.push_to(repository, &remote, (branch, commit), replaced).await;
        match &pushed {
            Ok(Pushed::Done) => self.keep_last_push(repository, branch, pushed_now).await?,
            Ok(Pushed::Moved | Pushed::Refused(_)) => self.keep_last_push(repository, branch, before).await?,
            Err(_) => {}
        }
        match pushed {
            Ok(Pushed::Done) => {
                tracing::info!(%branch, commit = short(commit), repository = link.full_name(), "pushed");
                Ok(true)
            }
            Ok(Pushed::Moved) => Ok(false),
            Ok(Pushed::Refused(why)) => {
                let text = format!("{} does not take {branch}: {why}", link.full_name());
                Err(Trouble::Lasting(text))
            }
            Err(error) => Err(transfer(link, "pushed to", &error)),
        }
    }

    /// Moves the clone's branch forward with the worktrees it is checked out in; false if it moved meanwhile.
    async fn forward(
        &self,
        repository: &Repository,
        branch: &str,
        old: &str,
        new: &str,
    ) -> Result<bool, Trouble> {
        let _lock = self.git.lock(repository).await;
        match repository.move_branch(branch, old, new, "lockstep: as on GitHub").await? {
            Moved::Done { .. } => Ok(true),
            Moved::Elsewhere => Ok(false),
            Moved::Blocked { worktree, why } => Err(Trouble::Lasting(format!(
                "{branch} is behind GitHub's, and checked out in {} and {why}, then retry",
                worktree.display()
            ))),
        }
    }

    fn last_push_file(&self, repository: &Repository, branch: &str) -> PathBuf {
        let folder = self.git.data_dir().join("forge").join(repository_name(repository));
        folder.join(format!("{}.json", Digest::of(branch.as_bytes())))
    }

    async fn last_push(&self, repository: &Repository, branch: &str) -> Result<Vec<String>, Trouble> {
        let file = self.last_push_file(repository, branch);
        let record = blocking(move || read_json::<LastPush>(&file)).await?;
        Ok(record.filter(|record| record.branch == branch).map(|record| record.commits).unwrap_or_default())
    }

    async fn keep_last_push(
        &self,
        repository: &Repository,
        branch: &str,
        commits: Vec<String>,
    ) -> Result<(), Trouble> {
        let file = self.last_push_file(repository, branch);
        let record = LastPush { branch: branch.to_owned(), commits };
        blocking(move || {
            create_private_dir(file.parent().unwrap_or(&file))?;
            write_json(&file, &record)
        })
        .await?;
        Ok(())
    }
}

fn apart(branch: &str) -> String {
    format!(
        "{branch} has commits here that GitHub's lacks, and the other way round: bring them together in the clone, for \
         example with git pull --rebase, then retry"
    )
}

/// What a fetch or push that failed means. A connection may come back; what git says of the rest does not change by itself.
fn transfer(link: &Link, what: &str, error: &GitError) -> Trouble {
    let line = format!("nothing could be {what} {}: {error}", link.full_name());
    let GitError::Failed { reason, .. } = error else { return Trouble::ForNow(line) };
    let lasting = ["uthentication failed", "not found", "could not read Username", "error: 403", "error: 30"];
    match lasting.iter().any(|words| reason.contains(words)) {
        true => Trouble::Lasting(format!("{line}: may the token of config.toml do that?")),
        false => Trouble::ForNow(line),
    }
}
