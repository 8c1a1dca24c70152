//! Finds the item a pull request belongs to, and says what is known of it.

use super::Hooks;
use crate::actor::LiveRun;
use crate::board::Desk;
use crate::service::{change_source, journal};
use lockstep_engine::{Phase, Recorded, Step};
use lockstep_hooks::{Budgets, ForgeEvent, Happened, Known, KnownRun, KnownStep, Mark, MarkKind};
use lockstep_ports::ServiceError;
use lockstep_types::board::{Item, ItemId};
use lockstep_types::{
    Access, Event, ItemLevel, ItemStatus, ObserveFailure, QuestionKind, RunId, RunStatus, TurnRecord,
};
use std::sync::Arc;

/// An item, or a run of no board, that carries a change of a forge.
pub(super) struct Carrier {
    pub(super) place: Option<(Arc<Desk>, ItemId)>,
    pub(super) known: Known,
    pub(super) recorded: Option<Arc<Recorded>>,
}

/// What a pull request is found by.
#[derive(Clone, Copy)]
pub(super) struct Sought<'a> {
    pub(super) repository: &'a str,
    pub(super) number: Option<u64>,
    pub(super) branch: Option<&'a str>,
    pub(super) commit: Option<&'a str>,
}

impl<'a> Sought<'a> {
    pub(super) fn of(event: &'a ForgeEvent, repository: &'a str) -> Self {
        let commit = match &event.happened {
            Happened::CheckSettled { head, .. } => Some(head.as_str()),
            _ => None,
        };
        let (number, branch) = (event.happened.number(), event.happened.branch());
        Self { repository, number, branch, commit }
    }
}

impl Hooks {
    /// Who carries a change: an item of a board, else a live run of none.
    pub(super) async fn carrier(&self, sought: Sought<'_>) -> Result<Option<Carrier>, ServiceError> {
        match self.item_of(sought).await? {
            Some((desk, item)) => {
                let recorded = match &item.current_run {
                    Some(run) => Some(self.runtime.recorded(run).await?),
                    None => None,
                };
                let run = match &recorded {
                    Some(recorded) => Some(self.known_run(recorded).await?),
                    None => None,
                };
                let known = Known { item: item.id.to_string(), status: item.status, run };
                Ok(Some(Carrier { place: Some((desk, item.id)), known, recorded }))
            }
            None => {
                let Some(recorded) = self.loose_run(sought).await else { return Ok(None) };
                let run = Some(self.known_run(&recorded).await?);
                let (item, status) = (recorded.run.spec().item.clone(), recorded.run.item_status());
                let known = Known { item, status, run };
                Ok(Some(Carrier { place: None, known, recorded: Some(recorded) }))
            }
        }
    }

    /// The item of a change: by the number of its pull request, else by its branch, else by the commit of its run.
    pub(super) async fn item_of(
        &self,
        sought: Sought<'_>,
    ) -> Result<Option<(Arc<Desk>, Item)>, ServiceError> {
        let mut by_branch = None;
        let mut by_commit = Vec::new();
        for desk in self.runtime.shared.boards.all() {
            for item in desk.read(|board| tasks_of(board, sought.repository)) {
                let number = item.pull_request.as_ref().and_then(|request| request.number);
                if number.is_some() && number == sought.number {
                    return Ok(Some((desk, item)));
                }
                // Of several items on a branch the one that is not done yet.
                let is_open = item.status != ItemStatus::Done;
                if item.head_branch.is_some() && item.head_branch.as_deref() == sought.branch {
                    let better = by_branch.is_none() || is_open;
                    by_branch = if better { Some((Arc::clone(&desk), item)) } else { by_branch };
                } else if is_open && sought.number.is_none() && sought.branch.is_none() {
                    by_commit.push((Arc::clone(&desk), item));
                }
            }
        }
        if by_branch.is_some() || sought.commit.is_none() {
            return Ok(by_branch);
        }
        for (desk, item) in by_commit {
            let Some(run) = &item.current_run else { continue };
            let row = self.runtime.shared.outside.journal.row(run).await.map_err(|error| journal(&error))?;
            if row.and_then(|row| row.summary.change.head_commit).as_deref() == sought.commit {
                return Ok(Some((desk, item)));
            }
        }
        Ok(None)
    }

    /// A live run of no board on a change.
    async fn loose_run(&self, sought: Sought<'_>) -> Option<Arc<Recorded>> {
        let live = self.runtime.shared.live.lock().await;
        live.values().map(LiveRun::state).find(|recorded| {
            let (run, change) = (&recorded.run, recorded.run.change());
            let number = change.pull_request.as_ref().and_then(|request| request.number);
            let is_it = (number.is_some() && number == sought.number)
                || sought.branch == Some(change.head_branch.as_str())
                || (sought.commit.is_some() && sought.commit == change.head_commit.as_deref());
            run.spec().context.workspace.is_none() && change.repository == sought.repository && is_it
        })
    }

    async fn known_run(&self, recorded: &Recorded) -> Result<KnownRun, ServiceError> {
        let run = &recorded.run;
        let is_live = run.status().is_live();
        let policy = &run.spec().pipeline.policy;
        let has = |is: fn(&Step) -> bool| is_live && run.steps().iter().any(is);
        let steps = run.spec().pipeline.steps.iter().zip(run.steps());
        let summary = run.summary();
        Ok(KnownRun {
            id: run.spec().id.clone(),
            status: summary.status,
            failure: summary
                .failure
                .map(|failure| failure.class)
                .filter(|_| summary.status == RunStatus::Failed),
            head: run.change().head_commit.clone(),
            tip: None,
            tip_is_news: false,
            has_effect: has(|step| matches!(step.phase, Phase::Effect(_))),
            has_writer: has(|step| matches!(&step.phase, Phase::Job(order) if order.access == Access::Write)),
            steps: steps
                .map(|(def, step)| KnownStep {
                    name: def.name.clone(),
                    kind: def.kind.clone(),
                    status: step.status,
                    asks_approval: asks_approval(step),
                    review: review(step),
                })
                .collect(),
            budgets: Budgets { repairs: policy.ci_max_attempts, reviews: policy.max_review_iterations },
            marks: self.marks(&run.spec().id).await?,
            cards: run.notices().iter().map(|card| (card.kind.clone(), card.body.clone())).collect(),
        })
    }

    /// What a run was sent back for so far, as its journal tells it.
    async fn marks(&self, run: &RunId) -> Result<Vec<Mark>, ServiceError> {
        let records = self.runtime.shared.outside.journal.records(run, 1).await;
        let records = records.map_err(|error| journal(&error))?;
        let mut marks: Vec<Mark> = Vec::new();
        for record in records.iter().filter_map(|bytes| serde_json::from_slice::<TurnRecord>(bytes).ok()) {
            for event in &record.events {
                let by = match event {
                    Event::StepsCleared { by, .. } => by,
                    Event::ReworkOrdered { rework, .. } => &rework.by,
                    _ => continue,
                };
                marks.extend(Mark::read(by).filter(|mark| marks.last() != Some(mark)));
            }
        }
        Ok(marks)
    }

    /// Brings the local branch of a run forward and looks where it is; none: neither the forge nor the clone has it.
    pub(super) async fn look_at_tip(
        &self,
        known: &mut KnownRun,
        recorded: &Recorded,
    ) -> Result<(), ServiceError> {
        let change = recorded.run.change();
        let (repository, branch) = (change.repository.as_str(), change.head_branch.as_str());
        let changes = &self.runtime.shared.outside.changes;
        let before = changes.resolve(repository, branch, Some(&change.base_branch)).await;
        let before = before.ok().and_then(|change| change.head_commit);
        let after = match self.options.forge.fetch(repository, branch).await {
            Ok(tip) => tip.or_else(|| before.clone()),
            Err(ObserveFailure::NotConfigured) => before.clone(),
            Err(ObserveFailure::Failed(why)) => return Err(ServiceError::Unavailable(why)),
        };
        known.tip_is_news = before != after;
        known.tip = after;
        Ok(())
    }

    /// The tip of a run's branch, without which it is not sent back (DEVIATIONS D-2).
    pub(super) async fn tip(&self, recorded: &Recorded) -> Result<Option<String>, ServiceError> {
        let change = recorded.run.change();
        let changes = &self.runtime.shared.outside.changes;
        let now = changes.resolve(&change.repository, &change.head_branch, Some(&change.base_branch)).await;
        Ok(now.map_err(change_source)?.head_commit)
    }
}

/// The tasks of a board whose change is in a repository.
pub(super) fn tasks_of(board: &lockstep_board::Board, repository: &str) -> Vec<Item> {
    let of_service = |item: &Item| board.service_of(&item.id).and_then(|service| service.repository.clone());
    let is_in = |item: &&Item| {
        let own = item.repository.clone().or_else(|| of_service(item));
        item.level == ItemLevel::Task && own.as_deref() == Some(repository)
    };
    board.items().filter(is_in).cloned().collect()
}

fn asks_approval(step: &Step) -> bool {
    matches!(&step.phase, Phase::Question { question, .. } if question.kind == QuestionKind::Approval)
}

/// What a reviewer on the forge asked of a step, while it works on that.
fn review(step: &Step) -> Option<String> {
    let rework = step.rework.as_ref()?;
    let is_review = Mark::read(&rework.by).is_some_and(|mark| mark.kind == MarkKind::Review);
    is_review.then(|| rework.feedback.clone())
}
