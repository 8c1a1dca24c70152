//! What happened while nobody listened: what the forge says is compared with what is known, and the difference is taken up as if it
//! had been delivered.

use super::Hooks;
use super::carry_out::Followed;
use super::known::{Sought, tasks_of};
use lockstep_hooks::{ForgeEvent, Happened, SeenPullRequest};
use lockstep_ports::{CheckOrder, ForgePullRequest, ForgeReview, ReviewVerdict};
use lockstep_types::board::Item;
use lockstep_types::{Check, ItemStatus, ObserveFailure, RunId};
use std::collections::BTreeMap;

/// Who did what was found by looking.
const SOMEBODY: &str = "somebody";
/// Items with a pull request looked at in one look of one repository: those that changed last.
const ITEMS_MAX: usize = 200;

impl Hooks {
    /// Looks at every repository once. What fails is looked at the next time.
    pub(super) async fn look(&self) {
        for repository in self.options.forge.repositories() {
            match self.look_at(&repository).await {
                Ok(()) | Err(ObserveFailure::NotConfigured) => {}
                Err(ObserveFailure::Failed(error)) => {
                    tracing::warn!(repository, error, "what happened on the forge is not known");
                }
            }
        }
    }

    async fn look_at(&self, repository: &str) -> Result<(), ObserveFailure> {
        let open = self.options.forge.open_pull_requests(repository).await?;
        for on in &open {
            self.look_at_open(repository, on).await?;
        }
        let with_request = self.items_with_request(repository);
        for item in with_request.into_iter().take(ITEMS_MAX) {
            let number = item.pull_request.as_ref().and_then(|request| request.number);
            let Some(number) = number.filter(|number| open.iter().all(|on| on.number != *number)) else {
                continue;
            };
            // It is open no more, or beyond those that are listed.
            let Some(now) = self.options.forge.pull_request(repository, number).await? else { continue };
            if now.is_open {
                self.look_at_open(repository, &now).await?;
            } else {
                let merged = now.is_merged;
                self.found(repository, Happened::Closed { on: SeenPullRequest::from(&now), merged }).await;
            }
        }
        Ok(())
    }

    async fn look_at_open(&self, repository: &str, on: &ForgePullRequest) -> Result<(), ObserveFailure> {
        let sought =
            Sought { repository, number: Some(on.number), branch: on.head_branch.as_deref(), commit: None };
        let Ok(carrier) = self.carrier(sought).await else { return Ok(()) };
        let Some(run) = carrier.as_ref().and_then(|carrier| carrier.known.run.as_ref()) else {
            let is_asked_for = on.labels.iter().any(|label| label.eq_ignore_ascii_case(&self.rules.label));
            if is_asked_for {
                let labels = on.labels.clone();
                self.found(repository, Happened::Labelled { on: on.into(), labels }).await;
            }
            return Ok(());
        };
        if run.head.as_deref() != Some(on.head_commit.as_str()) {
            self.found(repository, Happened::Synchronised { on: on.into() }).await;
            return Ok(());
        }
        let id = run.id.clone();
        for review in last_words(self.options.forge.reviews(repository, on.number).await?) {
            if review.verdict == ReviewVerdict::ChangesRequested && review.commit == on.head_commit {
                let happened = Happened::Reviewed {
                    on: on.into(),
                    review: review.id,
                    author: review.author,
                    may_write: review.author_may_write,
                    verdict: review.verdict,
                    text: review.body,
                    commit: review.commit,
                };
                self.found(repository, happened).await;
            }
        }
        if carrier.is_some_and(|carrier| carrier.known.status == ItemStatus::PrReady) {
            self.look_at_checks(repository, on, &id).await?;
        }
        Ok(())
    }

    /// The checks of a change that awaits its merge. A live run looks itself.
    async fn look_at_checks(
        &self,
        repository: &str,
        on: &ForgePullRequest,
        run: &RunId,
    ) -> Result<(), ObserveFailure> {
        let Some(checks) = &self.options.checks else { return Ok(()) };
        let Ok(recorded) = self.runtime.recorded(run).await else { return Ok(()) };
        let spec = recorded.run.spec();
        let order = CheckOrder {
            run,
            change: recorded.run.change(),
            title: &spec.title,
            description: &spec.description,
            commands: &spec.pipeline.checks,
        };
        let report = checks.read(order).await?;
        if let Some(red) = report.checks.iter().find(|check| is_failing(check)) {
            let happened = Happened::CheckSettled {
                head: on.head_commit.clone(),
                name: red.name.clone(),
                failed: true,
                numbers: vec![on.number],
                branches: on.head_branch.clone().into_iter().collect(),
            };
            self.found(repository, happened).await;
        }
        Ok(())
    }

    /// Takes something up that was found, once for each head.
    async fn found(&self, repository: &str, happened: Happened) {
        let head = match &happened {
            Happened::CheckSettled { head, .. } => Some(head),
            happened => happened.pull_request().map(|on| &on.head_commit),
        };
        let from = format!("look at {}", head.map_or("", String::as_str));
        let (repository, sender) = (repository.to_owned(), SOMEBODY.to_owned());
        let event = ForgeEvent { repository, sender, happened };
        let repository = &event.repository;
        match self.take_up_in(repository, &event, &from).await {
            Ok(Followed::Done(what)) => tracing::info!(repository, what, "found on the forge"),
            Ok(Followed::Nothing(why) | Followed::Later(why)) => {
                tracing::debug!(repository, why, "found on the forge, and nothing follows");
            }
            Err(error) => tracing::warn!(repository, %error, "what was found on the forge is not taken up"),
        }
    }

    /// The items of a repository with a pull request that are not done, those that changed last first.
    fn items_with_request(&self, repository: &str) -> Vec<Item> {
        let mut items: Vec<Item> = Vec::new();
        for desk in self.runtime.shared.boards.all() {
            items.extend(desk.read(|board| tasks_of(board, repository)));
        }
        items.retain(|item| item.status != ItemStatus::Done && item.pull_request.is_some());
        items.sort_by_key(|item| std::cmp::Reverse(item.updated_at));
        items
    }
}

/// What each reviewer concluded last.
fn last_words(reviews: Vec<ForgeReview>) -> impl Iterator<Item = ForgeReview> {
    let mut last: BTreeMap<String, ForgeReview> = BTreeMap::new();
    let concluded = reviews.into_iter().filter(|review| review.verdict != ReviewVerdict::Commented);
    last.extend(concluded.map(|review| (review.author.clone(), review)));
    last.into_values()
}

/// SPEC CI-2, CI-3.
fn is_failing(check: &Check) -> bool {
    let passes = matches!(check.conclusion.as_deref(), Some("success" | "neutral" | "skipped"));
    check.status == "completed" && !passes
}
