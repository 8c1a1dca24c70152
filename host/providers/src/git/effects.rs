use super::command::Call;
use super::error::GitError;
use super::merge::{Halt, check_head, trailer};
use super::repository::Repository;
use super::worktree::Moved;
use super::{LocalGit, refs::commit_id};
use crate::files::{blocking, read_json, remove_if_there, write_json};
use lockstep_types::{Digest, Effect, EffectKey, EffectOrder, EffectOutcome, JsonText, MergeMethod};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Times a merge is made anew because the base branch moved meanwhile. Each takes well under a second.
const BASE_MOVES_MAX: u32 = 8;
/// Commits of the target branch among which an effect that was performed before is looked for. The intent record covers
/// a crash; this is for a data folder that was lost.
const SEARCHED_COMMITS: usize = 2000;

/// A branch about to be moved, kept from before that until it and its worktrees have moved.
#[derive(Debug, Serialize, Deserialize)]
struct Intent {
    key: EffectKey,
    target: String,
    old: String,
    new: String,
}

impl LocalGit {
    /// Merges a change into its base branch, or its base branch into it. The same key again gives the same outcome and
    /// moves nothing a second time. Any other effect is not configured.
    pub async fn perform(&self, order: &EffectOrder) -> EffectOutcome {
        let method = match &order.effect {
            Effect::Merge(method) => Some(*method),
            Effect::UpdateBranch => None,
            other => {
                let text =
                    format!("no provider performs {}: wire one, or leave it out of the step", other.name());
                return EffectOutcome::NotConfigured(text);
            }
        };
        match self.move_target(order, method).await {
            Ok(done) => EffectOutcome::Done(done),
            Err(Halt::Refused(text)) => EffectOutcome::Refused(text),
            Err(Halt::Failed(text)) => EffectOutcome::Failed(text),
        }
    }

    /// Moves the base branch (a merge by a method) or the head branch (an update, no method).
    async fn move_target(&self, order: &EffectOrder, method: Option<MergeMethod>) -> Result<JsonText, Halt> {
        let repository = self.open(&order.change.repository).await?;
        let _lock = self.lock(&repository).await;
        let change = &order.change;
        let target = if method.is_some() { &change.base_branch } else { &change.head_branch };
        if let Some((commit, behind)) = self.performed_before(&repository, order, target).await? {
            return Ok(done(order, method, &commit, &behind));
        }
        for _ in 0..BASE_MOVES_MAX {
            let base = repository.existing_tip(&change.base_branch).await?;
            let head = repository.tip(&change.head_branch).await?;
            if let Some(commit) = repository.nothing_to_do(order, method, &base, head.as_deref()).await? {
                return Ok(done(order, method, &commit, &[]));
            }
            let head = check_head(order, head.as_deref())?;
            let (old, new) = match method {
                Some(method) => (base.as_str(), repository.merged(order, method, &base, head).await?),
                None => (head, repository.updated(order, &base, head).await?),
            };
            self.keep_intent(order, target, old, &new).await?;
            let why = format!("lockstep: {}", order.key.to_string().escape_default());
            match repository.move_branch(target, old, &new, &why).await? {
                Moved::Done { behind } => {
                    self.drop_intent(order).await?;
                    return Ok(done(order, method, &new, &behind));
                }
                Moved::Elsewhere => {}
                Moved::Blocked { worktree, why } => {
                    self.drop_intent(order).await?;
                    let text =
                        format!("{target} is checked out in {} and {why}, then retry", worktree.display());
                    return Err(Halt::Refused(text));
                }
            }
        }
        Err(Halt::Failed(format!("{target} moved {BASE_MOVES_MAX} times while it was merged into: retry")))
    }

    /// The commit this effect already put on its target, and the worktrees that could not follow.
    async fn performed_before(
        &self,
        repository: &Repository,
        order: &EffectOrder,
        target: &str,
    ) -> Result<Option<(String, Vec<PathBuf>)>, Halt> {
        let Some(tip) = repository.tip(target).await? else { return Ok(None) };
        let path = self.intent_path(order);
        let intent = blocking(move || read_json::<Intent>(&path)).await?;
        if let Some(intent) = intent.filter(|intent| intent.key == order.key && intent.target == target) {
            let there = repository.has_commit(&intent.new).await?;
            let moved = there && repository.is_ancestor(&intent.new, &tip).await?;
            let behind =
                if moved { repository.heal(target, &intent.old, &intent.new).await? } else { Vec::new() };
            self.drop_intent(order).await?;
            if moved {
                return Ok(Some((intent.new, behind)));
            }
        }
        let marked = repository.marked_commit(&tip, &trailer(order)).await?;
        Ok(marked.map(|commit| (commit, Vec::new())))
    }

    fn intent_path(&self, order: &EffectOrder) -> PathBuf {
        let name = Digest::of(order.key.to_string().as_bytes());
        self.data_dir().join("effects").join(format!("{name}.json"))
    }

    async fn keep_intent(&self, order: &EffectOrder, target: &str, old: &str, new: &str) -> Result<(), Halt> {
        let path = self.intent_path(order);
        let intent =
            Intent { key: order.key.clone(), target: target.into(), old: old.into(), new: new.into() };
        Ok(blocking(move || write_json(&path, &intent)).await?)
    }

    async fn drop_intent(&self, order: &EffectOrder) -> Result<(), Halt> {
        let path = self.intent_path(order);
        Ok(blocking(move || remove_if_there(&path)).await?)
    }
}

impl Repository {
    /// The commit to report if the target branch already holds what it is to take in: by a fast-forward that this very
    /// effect made, or because somebody else was first.
    async fn nothing_to_do(
        &self,
        order: &EffectOrder,
        method: Option<MergeMethod>,
        base: &str,
        head: Option<&str>,
    ) -> Result<Option<String>, Halt> {
        let Some(tested) = order.change.head_commit.as_deref() else { return Ok(None) };
        if !self.has_commit(tested).await? {
            return Ok(None);
        }
        match (method, head) {
            (Some(_), _) => Ok(self.is_ancestor(tested, base).await?.then(|| tested.to_owned())),
            (None, Some(head)) => {
                let held = self.is_ancestor(base, head).await? && self.is_ancestor(tested, head).await?;
                Ok(held.then(|| head.to_owned()))
            }
            (None, None) => Ok(None),
        }
    }

    /// The commit with this trailer among the last ones of a branch.
    async fn marked_commit(&self, tip: &str, marker: &str) -> Result<Option<String>, GitError> {
        let skip = format!("--skip={SEARCHED_COMMITS}");
        let end = self.call(["rev-list", "--first-parent", "--max-count=1", &skip, tip]).text().await?;
        let grep = format!("--grep={marker}");
        let args = ["log", "--first-parent", "-z", "--fixed-strings", &grep, "--format=%H%n%B", tip];
        let mut call: Call<'_> = self.call(args);
        if !end.is_empty() {
            call = call.arg(format!("^{}", commit_id(&end)?));
        }
        let found = call.checked().await?;
        let marked = found.fields().map(String::from_utf8_lossy).find_map(|about| {
            let (commit, message) = about.split_once('\n')?;
            message.lines().any(|line| line == marker).then(|| commit.to_owned())
        });
        Ok(marked)
    }
}

/// What a merge or update is reported as.
fn done(order: &EffectOrder, method: Option<MergeMethod>, commit: &str, behind: &[PathBuf]) -> JsonText {
    #[derive(Serialize)]
    struct Done<'a> {
        commit: &'a str,
        base: &'a str,
        method: &'a str,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        notes: Vec<String>,
    }
    let method = method_word(method);
    let note = |worktree: &PathBuf| {
        format!(
            "{} still has the files of before: look at them, then git reset --hard there",
            worktree.display()
        )
    };
    let notes = behind.iter().map(note).collect();
    JsonText::of(&Done { commit, base: &order.change.base_branch, method, notes })
}

/// The word for a merge by a method, or for an update, in what is reported of it.
pub(crate) fn method_word(method: Option<MergeMethod>) -> &'static str {
    match method {
        Some(MergeMethod::Merge) => "merge",
        Some(MergeMethod::Squash) => "squash",
        Some(MergeMethod::Rebase) => "rebase",
        Some(MergeMethod::FastForward) => "fast-forward",
        None => "update-branch",
    }
}
