//! Merges a change, or its base branch into it, by GitHub.
//!
//! What was answered with nothing may have been done: each try begins with looking whether it was, so that it is done once.

use super::answers::{GitRef, Merged, Pull, Refusal};
use super::client::segment;
use super::obstacles::merge_queue;
use super::pulls::About;
use super::trouble::Trouble;
use super::{Inner, Link};
use crate::git::{Halt, check_head, method_word};
use lockstep_types::{Change, EffectOrder, JsonText, MergeMethod};
use reqwest::Method;
use serde::Serialize;

/// Times a merge is tried: GitHub may still be finding out whether it can, or the base branch may move. With the waits
/// between them about a minute.
const TRIES: u32 = 10;
/// Looks at a branch that GitHub updates in its own time; about a minute, too.
const UPDATE_LOOKS: u32 = 10;

/// What came of one try.
enum Try {
    /// This commit is on the base branch.
    Done(String),
    /// Another one may succeed; why this one did not.
    Again(String),
}

#[derive(Serialize)]
struct Wanted<'a> {
    sha: &'a str,
    merge_method: &'a str,
}

impl Inner {
    /// Merges the commit that was tested, and no other.
    pub(super) async fn merge(
        &self,
        link: &Link,
        order: &EffectOrder,
        method: MergeMethod,
        tested: &str,
    ) -> Result<JsonText, Halt> {
        let change = &order.change;
        let mut why = String::new();
        for attempt in 1..=TRIES {
            let (pull, tried) = match self.try_to_merge(link, order, method, tested).await {
                Ok(tried) => tried,
                // What was asked may have been done, so it is looked for.
                Err(Halt::Failed(failed)) if attempt < TRIES => (None, Try::Again(failed)),
                Err(halt) => return Err(halt),
            };
            match tried {
                Try::Done(commit) => {
                    let notes = self.base_followed(link, change).await;
                    return Ok(done(change, Some(method), &commit, pull.as_ref(), notes));
                }
                Try::Again(reason) => why = reason,
            }
            if attempt < TRIES {
                self.look_again(attempt).await;
            }
        }
        Err(Halt::Failed(format!("{} was not merged: {why}", change.head_branch)))
    }

    async fn try_to_merge(
        &self,
        link: &Link,
        order: &EffectOrder,
        method: MergeMethod,
        tested: &str,
    ) -> Result<(Option<Pull>, Try), Halt> {
        let change = &order.change;
        let open = self.open_pull(link, change).await?;
        if open.is_none()
            && let Some(pull) = self.merged_pull(link, change, tested).await?
        {
            let commit = pull.merge_commit_sha.clone().unwrap_or_else(|| tested.to_owned());
            return Ok((Some(pull), Try::Done(commit)));
        }
        let head = self.publish(link, &change.head_branch).await?;
        check_head(order, head.as_deref())?;
        let about = About { title: &order.title, description: "", run: order.key.run.as_str() };
        let Some(pull) = self.ensure_pull(link, change, about).await? else {
            return Ok((None, self.already_there(link, change, tested).await?));
        };
        if pull.head.sha != tested {
            return Ok((Some(pull), Try::Again("GitHub has not taken note of the last push yet".into())));
        }
        let tried = match method {
            MergeMethod::FastForward => self.fast_forward(link, change, tested).await?,
            MergeMethod::Merge => self.put_merge(link, order, &pull, "merge", tested).await?,
            MergeMethod::Squash => self.put_merge(link, order, &pull, "squash", tested).await?,
            MergeMethod::Rebase => self.put_merge(link, order, &pull, "rebase", tested).await?,
        };
        Ok((Some(pull), tried))
    }

    async fn put_merge(
        &self,
        link: &Link,
        order: &EffectOrder,
        pull: &Pull,
        method: &str,
        tested: &str,
    ) -> Result<Try, Halt> {
        let path = link.api(&format!("pulls/{}/merge", pull.number));
        let wanted = Wanted { sha: tested, merge_method: method };
        let answer = self.client.change(Method::PUT, &path, Some(&wanted)).await?;
        let said = Refusal::line(&answer.body);
        match answer.status {
            200 => {
                let merged: Merged = answer.json().map_err(Trouble::from)?;
                if merged.merged {
                    return Ok(Try::Done(merged.sha));
                }
                Ok(Try::Again(said))
            }
            405 | 409 => self.why_not(link, order, pull, tested, said).await,
            422 => Err(Halt::Refused(format!("{} is not merged: {said}", pull.html_url))),
            _ => Err(Trouble::from(answer.refused()).into()),
        }
    }

    /// What a merge that GitHub did not make needs: another try, or a person.
    async fn why_not(
        &self,
        link: &Link,
        order: &EffectOrder,
        pull: &Pull,
        tested: &str,
        said: String,
    ) -> Result<Try, Halt> {
        let change = &order.change;
        let Some(now) = self.pull(link, pull.number).await? else { return Ok(Try::Again(said)) };
        if now.is_merged() && now.head.sha == tested {
            return Ok(Try::Done(now.merge_commit_sha.unwrap_or_else(|| tested.to_owned())));
        }
        let url = &now.html_url;
        if now.head.sha != tested {
            check_head(order, Some(&now.head.sha))?;
        }
        if !now.is_open() {
            return Err(Halt::Refused(format!("{url} was closed: open it again and retry")));
        }
        if said.contains("Base branch was modified") || said.contains("Head branch was modified") {
            return Ok(Try::Again(said));
        }
        if said.to_lowercase().contains("merge queue")
            || self.has_merge_queue(link, &change.base_branch).await?
        {
            return Err(Halt::Refused(merge_queue(&change.base_branch, &now)));
        }
        match now.mergeable {
            None => Ok(Try::Again(said)),
            Some(false) => Err(Halt::Refused(format!(
                "{url} conflicts with {}: resolve that on {}",
                change.base_branch, change.head_branch
            ))),
            Some(true) => {
                let reasons = self.obstacles(link, &now).await?;
                let reasons =
                    if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join("; ")) };
                Err(Halt::Refused(format!("{url} is not merged: {said}{reasons}")))
            }
        }
    }

    /// Moves the base branch to the tested commit. GitHub has no such merge; the pull request counts as merged by it.
    async fn fast_forward(&self, link: &Link, change: &Change, tested: &str) -> Result<Try, Halt> {
        #[derive(Serialize)]
        struct Moved<'a> {
            sha: &'a str,
            force: bool,
        }
        let base = &change.base_branch;
        let path = link.api(&format!("git/refs/{}", segment(&format!("heads/{base}"))));
        let wanted = Moved { sha: tested, force: false };
        let answer = self.client.change(Method::PATCH, &path, Some(&wanted)).await?;
        match answer.status {
            200 => {
                let moved: GitRef = answer.json().map_err(Trouble::from)?;
                Ok(Try::Done(moved.object.sha))
            }
            409 | 422 => {
                let said = Refusal::line(&answer.body);
                if let Try::Done(commit) = self.already_there(link, change, tested).await? {
                    return Ok(Try::Done(commit));
                }
                Err(Halt::Refused(format!(
                    "{base} cannot be fast-forwarded: {said}; update the branch, or merge it"
                )))
            }
            _ => Err(Trouble::from(answer.refused()).into()),
        }
    }

    /// Whether the base branch on GitHub has the tested commit already.
    async fn already_there(&self, link: &Link, change: &Change, tested: &str) -> Result<Try, Halt> {
        let repository = self.git.open(&link.path).await?;
        let base = self.fetched(link, &repository, &change.base_branch).await?;
        if repository.is_ancestor(tested, &base).await? {
            return Ok(Try::Done(tested.to_owned()));
        }
        Ok(Try::Again(format!("GitHub sees nothing to merge from {}", change.head_branch)))
    }

    /// Brings the clone's base branch up to GitHub's, as a merge in the clone would have; what did not go well.
    async fn base_followed(&self, link: &Link, change: &Change) -> Vec<String> {
        let base = &change.base_branch;
        match self.follow(link, base).await {
            Ok(_) => Vec::new(),
            Err(trouble) => vec![format!("{base} of the clone is not brought up: {}", trouble.line())],
        }
    }

    /// Has GitHub merge the base branch into the head branch, and the clone follow.
    pub(super) async fn update_branch(
        &self,
        link: &Link,
        order: &EffectOrder,
        tested: &str,
    ) -> Result<JsonText, Halt> {
        let mut asked = None;
        let mut why = "GitHub took it and has not made it yet".to_owned();
        for look in 1..=UPDATE_LOOKS {
            match self.try_to_update(link, order, tested, &mut asked).await {
                Ok(Some(done)) => return Ok(done),
                Ok(None) => {}
                // What was asked may have been done, so it is looked for.
                Err(Halt::Failed(failed)) => why = failed,
                Err(halt) => return Err(halt),
            }
            if look < UPDATE_LOOKS {
                self.look_again(look).await;
            }
        }
        Err(Halt::Failed(format!("{} was not updated: {why}", order.change.head_branch)))
    }

    /// None while GitHub has not made it.
    async fn try_to_update(
        &self,
        link: &Link,
        order: &EffectOrder,
        tested: &str,
        asked: &mut Option<Pull>,
    ) -> Result<Option<JsonText>, Halt> {
        let change = &order.change;
        let repository = self.git.open(&link.path).await?;
        let head = self.publish(link, &change.head_branch).await?;
        let base = self.fetched(link, &repository, &change.base_branch).await?;
        if let Some(head) = &head
            && repository.is_ancestor(&base, head).await?
            && repository.is_ancestor(tested, head).await?
        {
            return Ok(Some(done(change, None, head, asked.as_ref(), Vec::new())));
        }
        check_head(order, head.as_deref())?;
        if asked.is_none() {
            *asked = Some(self.ask_for_update(link, order, tested).await?);
        }
        Ok(None)
    }

    async fn ask_for_update(&self, link: &Link, order: &EffectOrder, tested: &str) -> Result<Pull, Halt> {
        #[derive(Serialize)]
        struct Expected<'a> {
            expected_head_sha: &'a str,
        }
        let change = &order.change;
        let about = About { title: &order.title, description: "", run: order.key.run.as_str() };
        let Some(pull) = self.ensure_pull(link, change, about).await? else {
            let (head, base) = (&change.head_branch, &change.base_branch);
            let text =
                format!("{head} has no commit that {base} lacks, so GitHub has nothing to update: push one");
            return Err(Halt::Refused(text));
        };
        let path = link.api(&format!("pulls/{}/update-branch", pull.number));
        let expected = Expected { expected_head_sha: tested };
        let answer = self.client.change(Method::PUT, &path, Some(&expected)).await?;
        match answer.status {
            202 => Ok(pull),
            422 => {
                let said = Refusal::line(&answer.body);
                let now = self.pull(link, pull.number).await?;
                if now.is_some_and(|now| now.head.sha != tested) {
                    // By this very update, or by somebody: the next look tells.
                    return Ok(pull);
                }
                Err(Halt::Refused(format!("{} is not updated: {said}", pull.html_url)))
            }
            _ => Err(Trouble::from(answer.refused()).into()),
        }
    }
}

/// What a merge or update is reported as; as one in the clone, and by which pull request.
fn done(
    change: &Change,
    method: Option<MergeMethod>,
    commit: &str,
    pull: Option<&Pull>,
    notes: Vec<String>,
) -> JsonText {
    #[derive(Serialize)]
    struct Done<'a> {
        commit: &'a str,
        base: &'a str,
        method: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        pull_request: Option<&'a str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        notes: Vec<String>,
    }
    let method = method_word(method);
    let pull_request = pull.map(|pull| pull.html_url.as_str());
    JsonText::of(&Done { commit, base: &change.base_branch, method, pull_request, notes })
}
