use super::trouble::Trouble;
use super::{GitHub, Inner, Link};
use async_trait::async_trait;
use lockstep_ports::Mergeability;
use lockstep_types::{Change, MergeReport, ObserveFailure, Verdict};
use std::sync::Arc;

/// Looks at a pull request until GitHub has found out whether it merges; with the waits between them some seconds. Whoever
/// asked asks again later.
const LOOKS: u32 = 5;

/// Whether changes merge on GitHub, for its repositories. Implements `Mergeability`.
#[derive(Clone)]
pub struct GitHubMergeability {
    github: GitHub,
    local: Arc<dyn Mergeability>,
}

impl GitHubMergeability {
    /// `local` names the files that conflict, and answers for all other repositories.
    #[must_use]
    pub fn new(github: GitHub, local: Arc<dyn Mergeability>) -> Self {
        Self { github, local }
    }
}

#[async_trait]
impl Mergeability for GitHubMergeability {
    async fn read(&self, change: &Change) -> Result<MergeReport, ObserveFailure> {
        let inner = &self.github.inner;
        let Some(link) = inner.link_of(&change.repository).await else {
            return self.local.read(change).await;
        };
        match inner.mergeability(link, change).await {
            Ok(Some(mut report)) => {
                if report.verdict == Verdict::Conflicted {
                    report.conflicts = self.conflicts(link, change).await;
                }
                Ok(report)
            }
            Ok(None) => self.local.read(change).await,
            Err(Trouble::ForNow(why)) => {
                let unknown =
                    MergeReport { verdict: Verdict::Unknown, reasons: vec![why], ..MergeReport::default() };
                Ok(MergeReport { head_commit: self.local.read(change).await?.head_commit, ..unknown })
            }
            Err(Trouble::Lasting(why)) => Err(ObserveFailure::Failed(why)),
        }
    }
}

impl GitHubMergeability {
    /// The files in conflict, for whoever resolves that in the clone; the base branch has to be GitHub's for that.
    async fn conflicts(&self, link: &Link, change: &Change) -> Vec<String> {
        if let Err(trouble) = self.github.inner.follow(link, &change.base_branch).await {
            tracing::warn!(
                branch = change.base_branch,
                why = trouble.line(),
                "the base branch is not GitHub's"
            );
        }
        self.local.read(change).await.map(|report| report.conflicts).unwrap_or_default()
    }
}

impl Inner {
    /// None if there is no pull request to look at.
    async fn mergeability(&self, link: &Link, change: &Change) -> Result<Option<MergeReport>, Trouble> {
        let Some(head) = self.publish(link, &change.head_branch).await? else {
            return Ok(Some(MergeReport { verdict: Verdict::Unknown, ..MergeReport::default() }));
        };
        let report = |verdict, reasons| MergeReport {
            head_commit: Some(head.clone()),
            verdict,
            conflicts: Vec::new(),
            reasons,
        };
        let Some(pull) = self.open_pull(link, change).await? else {
            if self.merged_pull(link, change, &head).await?.is_some() {
                return Ok(Some(report(Verdict::Mergeable, vec!["it is merged already".to_owned()])));
            }
            // The clone answers as well, once it has GitHub's base branch.
            self.follow(link, &change.base_branch).await?;
            return Ok(None);
        };
        for look in 1..=LOOKS {
            if let Some(pull) = self.pull(link, pull.number).await?
                && pull.head.sha == head
                && let Some(merges) = pull.mergeable
            {
                let verdict = if merges { Verdict::Mergeable } else { Verdict::Conflicted };
                let reasons = self.obstacles(link, &pull).await?;
                return Ok(Some(report(verdict, reasons)));
            }
            if look < LOOKS {
                self.look_again(look).await;
            }
        }
        Ok(Some(report(Verdict::Unknown, vec!["GitHub has not found out yet".to_owned()])))
    }
}
