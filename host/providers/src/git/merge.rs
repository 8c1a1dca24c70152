//! The commit that merging a change gives, for each method, made without a worktree and without moving a branch.

use super::error::GitError;
use super::refs::short;
use super::repository::{CommitSpec, MergedTree, Repository};
use crate::text::as_line;
use lockstep_types::{EffectOrder, MergeMethod, Timestamp};

/// Commits a rebase makes anew: one is a few git programs, and a change with more is better squashed.
const REBASE_COMMITS_MAX: usize = 500;
/// Names of files in a message about a conflict.
const CONFLICTS_SHOWN: usize = 5;

/// Names the effect in the commits made for it, so that a commit is found again by the key of its effect.
const EFFECT_TRAILER: &str = "Lockstep-Effect";

/// Why an effect does not take place.
#[derive(Debug)]
pub(crate) enum Halt {
    /// Doing the same again would not help.
    Refused(String),
    /// Doing the same again may help.
    Failed(String),
}

impl From<GitError> for Halt {
    fn from(error: GitError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<std::io::Error> for Halt {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(format!("the data folder cannot be written: {error}"))
    }
}

/// The line that marks a commit as made for an effect.
pub(super) fn trailer(order: &EffectOrder) -> String {
    format!("{EFFECT_TRAILER}: {}", order.key.to_string().escape_default())
}

impl Repository {
    /// The commit the base branch would move to from `base`. `head` is not contained in it yet.
    pub(super) async fn merged(
        &self,
        order: &EffectOrder,
        method: MergeMethod,
        base: &str,
        head: &str,
    ) -> Result<String, Halt> {
        let change = &order.change;
        match method {
            MergeMethod::Merge => {
                let tree = self.clean_merge(order, base, head).await?;
                let subject = format!("Merge branch '{}' into {}", change.head_branch, change.base_branch);
                let title = as_line(&order.title, &change.head_branch);
                let message = format!("{subject}\n\n{title}\n\n{}\n", trailer(order));
                self.commit_at(order.requested_at, &tree, &[base, head], message).await
            }
            MergeMethod::Squash => {
                let tree = self.clean_merge(order, base, head).await?;
                let title = as_line(&order.title, &change.head_branch);
                let about = format!("Squashed from branch '{}' at {head}.", change.head_branch);
                let message = format!("{title}\n\n{about}\n\n{}\n", trailer(order));
                self.commit_at(order.requested_at, &tree, &[base], message).await
            }
            MergeMethod::Rebase => self.rebased(order, base, head).await,
            MergeMethod::FastForward => {
                if self.is_ancestor(base, head).await? {
                    return Ok(head.to_owned());
                }
                Err(Halt::Refused(format!(
                    "{} has commits that {} lacks, so it cannot be fast-forwarded: update the branch first",
                    change.base_branch, change.head_branch
                )))
            }
        }
    }

    /// The commit the head branch would move to from `head` to take in `base`.
    pub(super) async fn updated(&self, order: &EffectOrder, base: &str, head: &str) -> Result<String, Halt> {
        if self.is_ancestor(head, base).await? {
            // The branch has nothing of its own: it only has to catch up.
            return Ok(base.to_owned());
        }
        let tree = self.clean_merge(order, head, base).await?;
        let change = &order.change;
        let subject = format!("Merge branch '{}' into {}", change.base_branch, change.head_branch);
        self.commit_at(order.requested_at, &tree, &[head, base], format!("{subject}\n\n{}\n", trailer(order)))
            .await
    }

    async fn commit_at(
        &self,
        at: Timestamp,
        tree: &str,
        parents: &[&str],
        message: String,
    ) -> Result<String, Halt> {
        Ok(self.commit(CommitSpec { tree, parents, message, at, author: None }).await?)
    }

    async fn clean_merge(&self, order: &EffectOrder, ours: &str, theirs: &str) -> Result<String, Halt> {
        if self.merge_base(ours, theirs).await?.is_none() {
            let (base, head) = (&order.change.base_branch, &order.change.head_branch);
            return Err(Halt::Refused(format!(
                "{base} and {head} have no commit in common: they cannot be merged"
            )));
        }
        match self.merge_tree(None, ours, theirs).await? {
            MergedTree::Clean(tree) => Ok(tree),
            MergedTree::Conflicts(files) => Err(conflict(order, &files)),
        }
    }

    /// The commits of `head` that are not in `base`, made anew one after another on top of `base`.
    async fn rebased(&self, order: &EffectOrder, base: &str, head: &str) -> Result<String, Halt> {
        let range = format!("{base}..{head}");
        let limit = format!("--max-count={}", REBASE_COMMITS_MAX + 1);
        let listed = self.call(["rev-list", "--topo-order", "--parents", &limit, &range]).text().await?;
        let commits: Vec<Vec<&str>> = listed.lines().rev().map(|line| line.split(' ').collect()).collect();
        if commits.len() > REBASE_COMMITS_MAX {
            let branch = &order.change.head_branch;
            let text =
                format!("{branch} has more than {REBASE_COMMITS_MAX} commits to rebase: merge or squash it");
            return Err(Halt::Refused(text));
        }
        let has_merges = commits.iter().any(|commit| commit.len() > 2);
        if !has_merges && self.is_ancestor(base, head).await? {
            // Already on top: the commits that were tested are the ones that land.
            return Ok(head.to_owned());
        }
        let (mut onto, mut onto_tree) = (base.to_owned(), self.tree_of(base).await?);
        let kept: Vec<&Vec<&str>> = commits.iter().filter(|commit| commit.len() <= 2).collect();
        for (at, commit) in kept.iter().enumerate() {
            let [commit, parent] = commit.as_slice() else {
                let text = "a commit of the branch has no parent: it cannot be rebased";
                return Err(Halt::Refused(text.into()));
            };
            let tree = match self.merge_tree(Some(parent), &onto, commit).await? {
                MergedTree::Clean(tree) => tree,
                MergedTree::Conflicts(files) => return Err(conflict(order, &files)),
            };
            // A commit whose content the base already has is left out, but the last one carries the trailer.
            if tree != onto_tree || at + 1 == kept.len() {
                let marker = (at + 1 == kept.len()).then(|| trailer(order));
                onto = self.commit_again(commit, &tree, &onto, marker.as_deref(), order.requested_at).await?;
                onto_tree = tree;
            }
        }
        if has_merges && onto_tree != self.clean_merge(order, base, head).await? {
            let text =
                "the merge commits of the branch hold changes that a rebase would lose: merge or squash it";
            return Err(Halt::Refused(text.into()));
        }
        Ok(onto)
    }

    /// The same commit, author and message on another parent.
    async fn commit_again(
        &self,
        commit: &str,
        tree: &str,
        parent: &str,
        marker: Option<&str>,
        at: Timestamp,
    ) -> Result<String, Halt> {
        let format = "--format=%an%x00%ae%x00%ad%x00%B";
        let args = ["log", "-1", "--date=raw", "--no-show-signature", format, "--end-of-options", commit];
        let about = self.call(args).text().await?;
        let mut parts = about.splitn(4, '\0').map(str::to_owned);
        let (Some(name), Some(email), Some(date), Some(message)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(GitError::Answer { name: "log" }.into());
        };
        let message = with_trailer(&message, marker);
        let author = Some((name, email, date));
        Ok(self.commit(CommitSpec { tree, parents: &[parent], message, at, author }).await?)
    }
}

fn conflict(order: &EffectOrder, files: &[String]) -> Halt {
    let shown: Vec<&str> = files.iter().take(CONFLICTS_SHOWN).map(String::as_str).collect();
    let more = files.len().saturating_sub(shown.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Halt::Refused(format!(
        "{} and {} conflict in {}{more}: resolve that on {}",
        order.change.base_branch,
        order.change.head_branch,
        as_line(&shown.join(", "), "no named file"),
        order.change.head_branch
    ))
}

/// The head commit, unless the branch is not at the commit the component decided on.
pub(crate) fn check_head<'a>(order: &EffectOrder, tip: Option<&'a str>) -> Result<&'a str, Halt> {
    let branch = &order.change.head_branch;
    let text = match (order.change.head_commit.as_deref(), tip) {
        (Some(tested), Some(tip)) if tested == tip => return Ok(tip),
        (None, _) => format!("nothing was tested on {branch}: the run knows no commit of it"),
        (Some(_), None) => format!("branch {branch} is gone: push it again and retry"),
        (Some(tested), Some(tip)) => format!(
            "{branch} moved from {} to {} after it was tested: retry from the first step that looks at its commit",
            short(tested),
            short(tip)
        ),
    };
    Err(Halt::Refused(text))
}

/// A commit message with one more trailer at its end.
fn with_trailer(message: &str, marker: Option<&str>) -> String {
    let message = message.trim_end();
    let Some(marker) = marker else { return format!("{message}\n") };
    let is_trailer = |line: &str| {
        line.split_once(": ").is_some_and(|(name, _)| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        })
    };
    let joins = message.rsplit_once("\n\n").is_some_and(|(_, last)| last.lines().all(is_trailer));
    format!("{message}{}{marker}\n", if joins { "\n" } else { "\n\n" })
}

#[cfg(test)]
mod tests {
    use super::with_trailer;

    #[test]
    fn a_trailer_joins_those_that_are_there() {
        assert_eq!(with_trailer("fix: it\n", None), "fix: it\n");
        assert_eq!(with_trailer("fix: it\n", Some("K: v")), "fix: it\n\nK: v\n");
        assert_eq!(with_trailer("a\n\nbody\n\n", Some("K: v")), "a\n\nbody\n\nK: v\n");
        assert_eq!(with_trailer("a\n\nSigned-off-by: b\n", Some("K: v")), "a\n\nSigned-off-by: b\nK: v\n");
    }
}
