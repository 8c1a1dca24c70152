//! What stands between a pull request and its merge, for people.

use super::answers::{Pull, Review};
use super::client::Beyond;
use super::trouble::Trouble;
use super::{Inner, Link};
use lockstep_ports::ReviewVerdict;
use std::collections::BTreeMap;

/// Pages of reviews that are read: a thousand.
pub(super) const REVIEW_PAGES_MAX: usize = 10;
/// Reviewers named.
const NAMED_MAX: usize = 5;

impl Inner {
    /// What stands between a pull request and its merge beside conflicts, as far as the host is told.
    pub(super) async fn obstacles(&self, link: &Link, pull: &Pull) -> Result<Vec<String>, Trouble> {
        let base = &pull.base.branch;
        let state = pull.mergeable_state.as_deref().unwrap_or_default();
        let mut reasons = Vec::new();
        if pull.draft || state == "draft" {
            reasons.push("it is a draft: mark it as ready for review".to_owned());
        }
        if state == "behind" {
            reasons.push(format!("it is behind {base}: update the branch"));
        }
        if state != "blocked" {
            return Ok(reasons);
        }
        let rules = self.rules(link, base).await?;
        if rules.iter().any(|rule| rule.kind == "merge_queue") {
            reasons.push(merge_queue(base, pull));
        }
        let reviews = self.review_list(link, pull.number).await?;
        let (against, approvals) = verdicts(&reviews);
        if !against.is_empty() {
            reasons.push(format!("changes were requested by {}", against.join(", ")));
        }
        let counts = rules.iter().filter_map(|rule| rule.parameters.as_ref());
        let needed = counts.map(|parameters| parameters.required_approving_review_count).max().unwrap_or(0);
        if needed > approvals {
            reasons.push(format!("{approvals} of {needed} approving reviews were given"));
        }
        if reasons.is_empty() {
            reasons.push(format!("the protection of {base} wants a review or check that is still missing"));
        }
        Ok(reasons)
    }

    /// Whether a branch takes changes through a merge queue alone.
    pub(super) async fn has_merge_queue(&self, link: &Link, branch: &str) -> Result<bool, Trouble> {
        Ok(self.rules(link, branch).await?.iter().any(|rule| rule.kind == "merge_queue"))
    }

    pub(super) async fn review_list(&self, link: &Link, number: u64) -> Result<Vec<Review>, Trouble> {
        let path = link.api(&format!("pulls/{number}/reviews"));
        self.client.list(&path, &[], (REVIEW_PAGES_MAX, Beyond::Refused), |page: Vec<Review>| page).await
    }
}

/// What to do where only a merge queue merges.
pub(super) fn merge_queue(base: &str, pull: &Pull) -> String {
    format!(
        "{base} takes changes through its merge queue alone, which the host does not enter: add {} to it, and retry when it \
         is merged",
        pull.html_url
    )
}

/// Who is against it, and how many are for it: the last word of each counts that is a verdict.
fn verdicts(reviews: &[Review]) -> (Vec<String>, u64) {
    let mut last: BTreeMap<&str, ReviewVerdict> = BTreeMap::new();
    for review in reviews {
        let author = review.user.as_ref().map_or("ghost", |user| user.login.as_str());
        match verdict(&review.state) {
            Some(ReviewVerdict::Commented) | None => {}
            Some(verdict) => {
                last.insert(author, verdict);
            }
        }
    }
    let of = |wanted| last.iter().filter(move |(_, verdict)| **verdict == wanted).map(|(author, _)| *author);
    let against = of(ReviewVerdict::ChangesRequested).take(NAMED_MAX).map(str::to_owned).collect();
    (against, of(ReviewVerdict::Approved).count() as u64)
}

/// What the state of a review means; none for one that was not sent yet.
pub(super) fn verdict(state: &str) -> Option<ReviewVerdict> {
    match state {
        "APPROVED" => Some(ReviewVerdict::Approved),
        "CHANGES_REQUESTED" => Some(ReviewVerdict::ChangesRequested),
        "COMMENTED" => Some(ReviewVerdict::Commented),
        "DISMISSED" => Some(ReviewVerdict::Dismissed),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::verdicts;
    use serde_json::json;

    #[test]
    fn the_last_verdict_of_each_reviewer_counts() {
        let review = |login: &str, state: &str| json!({ "id": 1, "user": { "login": login }, "state": state, "body": "", "commit_id": null });
        let reviews = json!([
            review("ann", "CHANGES_REQUESTED"),
            review("bob", "CHANGES_REQUESTED"),
            review("cid", "APPROVED"),
            review("ann", "APPROVED"),
            review("ann", "COMMENTED"),
            review("cid", "DISMISSED"),
            review("dan", "PENDING"),
        ]);
        let reviews: Vec<_> = serde_json::from_value(reviews).unwrap();
        assert_eq!(verdicts(&reviews), (vec!["bob".to_owned()], 1));
    }
}
