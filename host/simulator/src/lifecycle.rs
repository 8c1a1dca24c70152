//! Runs begin, end and begin again (SPEC sections 16, 18 and 19).

use crate::drive::Calls;
use crate::outside::Merge;
use crate::runs::RunEntry;
use crate::world::{PERSON, Refusal, World};
use crate::{Action, SimulationError, items, mapping};
use lockstep_board::{ItemRecord, ShapeStep, Start, infra::Infra};
use lockstep_engine::Turn;
use lockstep_types::board::{Item, ItemId, PipelineStep};
use lockstep_types::{
    Change, Failure, FailureClass, Input, ItemContext, ItemStatus, Notice, NoticeId, NoticeState, Pipeline,
    Rejected, RunId, RunSpec,
};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// How a run is to begin.
pub(crate) struct Beginning<'a> {
    /// The pipeline; none: the first.
    pub(crate) pipeline: Option<&'a str>,
    /// Whether it takes the place of a live run.
    pub(crate) replace: bool,
    /// Whether the credentials of its initiator cannot be had.
    pub(crate) activate_fails: bool,
}

impl World<'_> {
    pub(crate) async fn start(&mut self, action: &Action) -> Result<(), Refusal> {
        let block = self.item_id(action.block())?;
        let beginning = Beginning {
            pipeline: action.text("pipeline"),
            replace: action.flag("replace"),
            activate_fails: action.args.contains_key("activateFails"),
        };
        self.begin(&block, &beginning).await.map(drop)
    }

    /// Everything is refused before anything changes (D-11).
    pub(crate) async fn begin(&mut self, block: &ItemId, asked: &Beginning<'_>) -> Result<RunId, Refusal> {
        let def = self.pipeline(asked.pipeline)?;
        let of_file = self.file.filter(|file| file.name == def.name).map(|file| &file.policy);
        let old = self.run_of(block.as_str());
        let live = old.filter(|at| self.runs[*at].run().status().is_live());
        self.check_start(block, &def.steps, live.filter(|_| !asked.replace))?;
        if asked.activate_fails {
            return Err(Refusal::Failed("the credentials of the initiator cannot be activated".to_owned()));
        }
        if let Some(at) = old {
            if live.is_some() {
                self.stop_run(at, "replaced").await?;
            }
            self.close_cards(at).await?;
            self.drop_run(at)?;
        }
        let item = self.board.item(block)?.clone();
        let policy = items::policy_of(self.scenario, &self.board, &item, of_file);
        let id = self.counters.next_execution();
        let spec = self.spec(&item, mapping::pipeline(&def, policy), &id)?;
        let run = spec.id.clone();
        let loose = spec.context.notices.clone();
        let admission = self.admission();
        let turn = Turn::begin(None, self.now, &Input::Start(Arc::new(spec)), admission)?;
        let Some(finished) = turn.finish() else {
            return Err(SimulationError::Stuck("a started run has no events".to_owned()).into());
        };
        self.cards.taken_over(block, &loose);
        self.record(block, ItemRecord { notices: Some(Vec::new()), ..ItemRecord::default() })?;
        self.tell(block, &finished);
        self.runs.push(RunEntry::new(id, block.clone(), finished.recorded));
        Ok(run)
    }

    /// What must hold before a run begins or begins again (D-2, D-11).
    fn check_start(
        &self,
        block: &ItemId,
        steps: &[PipelineStep],
        live_run: Option<usize>,
    ) -> Result<(), Refusal> {
        let shape = |step: &PipelineStep| ShapeStep::new(step, self.kinds.descriptor(&step.kind));
        let steps: Vec<ShapeStep> = steps.iter().map(shape).collect();
        let live = self.runs.iter().filter(|entry| entry.run().status().is_live());
        let live: BTreeSet<ItemId> = live.map(|entry| entry.block.clone()).collect();
        let nested_containers = self.scenario.config.local_test_infra_supported.unwrap_or(true);
        self.board.check_start(&Start {
            item: block,
            steps: &steps,
            live_run: live_run.map(|at| &self.runs[at].run().spec().id),
            infra: Infra { nested_containers, environments: self.outside.wired.environment },
            unusable_models: &[],
            live: &live,
        })?;
        Ok(())
    }

    pub(crate) fn spec(&self, item: &Item, pipeline: Pipeline, id: &str) -> Result<RunSpec, SimulationError> {
        let change = Change {
            repository: "acme/shop".to_owned(),
            base_branch: "main".to_owned(),
            head_branch: format!("work/{}", item.id),
            head_commit: None,
            pull_request: item.pull_request.clone(),
        };
        let roles = pipeline.steps.iter().map(|step| step.role.clone());
        let helpers = self.kinds.helper_jobs().filter(|_| self.outside.wired.jobs).cloned();
        let wired = roles.chain(helpers).chain(self.outside.wired.effects()).collect();
        let numbered = (1..).zip(&item.notices);
        let loose =
            numbered.map(|(at, notice)| Notice { id: NoticeId(at), is_loose: true, ..notice.clone() });
        Ok(RunSpec {
            id: mapping::id(id)?,
            item: item.id.as_str().to_owned(),
            title: item.title.clone(),
            description: item.description.clone(),
            initiator: PERSON.to_owned(),
            pipeline: Arc::new(pipeline),
            pins: self.kinds.pins(),
            change,
            context: ItemContext {
                workspace: Some(item.workspace.clone()),
                level: item.level,
                documents: item.documents.clone(),
                environments: item.environments.clone(),
                notices: loose.collect(),
                wired: Some(wired),
                errand: None,
            },
            created_at: self.now,
        })
    }

    /// SPEC FK-4: failing an unknown run does nothing.
    pub(crate) async fn fail(&mut self, action: &Action) -> Result<(), Refusal> {
        let Ok(at) = self.addressed(action) else {
            return Ok(());
        };
        let class = failure_class(action.text("kind").unwrap_or("unknown"))?;
        let mut failure = Failure::new(class, action.text("message").unwrap_or_default());
        failure.detail = action.text("detail").map(str::to_owned);
        self.input(at, &Input::Fail { failure }).await
    }

    pub(crate) async fn stop(&mut self, action: &Action) -> Result<(), Refusal> {
        let at = self.addressed(action)?;
        let reason = action.text("reason").unwrap_or_default().to_owned();
        let class = action.text("kind").map(failure_class).transpose()?;
        self.input(at, &Input::Stop { reason, class, by: PERSON.to_owned() }).await
    }

    async fn stop_run(&mut self, at: usize, reason: &str) -> Result<(), Refusal> {
        let input = Input::Stop { reason: reason.to_owned(), class: None, by: PERSON.to_owned() };
        self.turn(at, &input, Calls::Following).await?;
        self.perform_effects(at).await
    }

    pub(crate) async fn retry(&mut self, action: &Action) -> Result<(), Refusal> {
        let at = self.addressed(action)?;
        let input = Input::Retry { head_commit: None, by: Self::person(action) };
        self.begin_again(at, &input).await
    }

    pub(crate) async fn restart(&mut self, action: &Action) -> Result<(), Refusal> {
        let at = self.addressed(action)?;
        let step = action.args.get("step").map(mapping::step_name).unwrap_or_default();
        let input = Input::Restart { step, head_commit: None, by: Self::person(action), repin: None };
        self.begin_again(at, &input).await
    }

    /// D-2: first whether the engine would take it, then the preconditions, and only then anything changes.
    async fn begin_again(&mut self, at: usize, input: &Input) -> Result<(), Refusal> {
        let entry = &self.runs[at];
        drop(Turn::begin(Some(&entry.recorded), self.now, input, self.admission())?);
        let steps = mapping::board_steps(&entry.run().spec().pipeline);
        self.check_start(&entry.block.clone(), &steps, None)?;
        self.input(at, input).await?;
        self.runs[at].id = self.counters.next_execution();
        Ok(())
    }

    /// SPEC SC-4: the run is dropped and the block is as if it had never begun.
    pub(crate) async fn cancel(&mut self, block: &str) -> Result<(), Refusal> {
        let block = self.item_id(block)?;
        if let Some(at) = self.run_of(block.as_str()) {
            self.remove_run(at).await?;
        }
        self.set_status(&block, ItemStatus::Planned)?;
        Ok(())
    }

    /// SPEC SC-5: the runs of a block and of all below it are dropped.
    pub(crate) async fn teardown(&mut self, block: &str) -> Result<(), Refusal> {
        let root = self.item_id(block)?;
        let below: Vec<ItemId> = self.board.subtree(&root).into_iter().map(|item| item.id.clone()).collect();
        for block in below {
            let Some(at) = self.run_of(block.as_str()) else {
                continue;
            };
            self.remove_run(at).await?;
            let status = self.board.item(&block)?.status;
            if matches!(status, ItemStatus::InProgress | ItemStatus::Blocked) {
                self.set_status(&block, ItemStatus::Planned)?;
            }
        }
        Ok(())
    }

    pub(crate) async fn remove_run(&mut self, at: usize) -> Result<(), Refusal> {
        let block = self.runs[at].block.clone();
        let before = self.board.item(&block)?.status;
        self.stop_run(at, "").await?;
        self.close_cards(at).await?;
        self.runs[at].seen_item = self.runs[at].run().item_status();
        self.drop_run(at)?;
        self.record(&block, ItemRecord { status: Some(before), ..ItemRecord::default() })?;
        self.trace.run_status(block.as_str(), "none", None);
        Ok(())
    }

    /// D-7 reading d: with a run its cards go.
    async fn close_cards(&mut self, at: usize) -> Result<(), Refusal> {
        let open = |notice: &&Notice| notice.state == NoticeState::Open && !notice.is_loose;
        let ids: Vec<NoticeId> =
            self.runs[at].run().notices().iter().filter(open).map(|notice| notice.id).collect();
        for id in ids {
            let input = Input::NoticeSettled { id, state: NoticeState::Dismissed };
            self.turn(at, &input, Calls::Following).await?;
        }
        Ok(())
    }

    /// Forgets a run; what it had of its item goes back there.
    fn drop_run(&mut self, at: usize) -> Result<(), SimulationError> {
        let entry = self.runs.remove(at);
        let run = entry.run();
        let loose = |notice: &&Notice| notice.state == NoticeState::Open && notice.is_loose;
        let loose: Vec<Notice> = run.notices().iter().filter(loose).cloned().collect();
        self.cards.given_back(&entry.block, &loose);
        let held = run.environments().iter().filter(|held| !held.released);
        let record = ItemRecord {
            documents: Some(run.documents().to_vec()),
            environments: Some(held.map(|held| held.environment.clone()).collect()),
            notices: Some(loose),
            ..ItemRecord::default()
        };
        self.record(&entry.block, record)
    }

    /// `merge_pr` (SPEC MR-12): only what awaits a merge is merged, and a failing merge is the person's to see.
    pub(crate) async fn merge_by_hand(&mut self, action: &Action) -> Result<(), Refusal> {
        let block = self.item_id(action.block())?;
        self.board.check_manual_merge(&block)?;
        let pull_request = self.board.item(&block)?.pull_request.clone();
        match self.outside.merge(pull_request.as_ref()) {
            Merge::NotTried(why) => {
                return Err(Rejected::Conflict(format!("{block} was not merged: {why}")).into());
            }
            Merge::Failed(why) => {
                self.trace.merge(block.as_str(), false);
                return Err(Refusal::Failed(why));
            }
            Merge::Merged => self.trace.merge(block.as_str(), true),
        }
        if let Some(at) = self.run_of(block.as_str()) {
            self.input(at, &Input::Merged { by: Self::person(action) }).await?;
        }
        self.merged(&block)
    }

    /// The item is done and moves to its module (SPEC MR-6, BD-9).
    pub(crate) fn merged(&mut self, block: &ItemId) -> Result<(), Refusal> {
        let before = self.board.item(block)?.status;
        let changes = self.board.merged(block, self.now)?;
        self.change(&changes);
        if before != ItemStatus::Done {
            self.trace.block_status(block.as_str(), crate::trace::item_word(ItemStatus::Done));
        }
        Ok(())
    }
}

fn failure_class(kind: &str) -> Result<FailureClass, SimulationError> {
    serde_json::from_value(Value::String(kind.replace('_', "-")))
        .map_err(|_| SimulationError::Scenario(format!("there is no failure kind {kind:?}")))
}
