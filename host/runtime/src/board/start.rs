//! Runs of items: everything that must hold before, and all a run is made of (SPEC EN-1, DEVIATIONS D-11).

use super::left::loose_of;
use super::{Desk, Writer};
use crate::components::Kinds;
use crate::credentials;
use crate::pipeline_file::{Commands, Kinds as _, read_commands};
use crate::runtime::{Runtime, Shared};
use crate::service::{change_source, journal, rejected};
use lockstep_board::{ItemRecord, ShapeStep, Start, infra::Infra, run_steps, shape};
use lockstep_ports::{RunAction, RunService, ServiceError, StartItem};
use lockstep_types::board::{Change, Item, ItemId, PipelineDef, PipelineId, ScheduleId};
use lockstep_types::{
    Change as Head, Input, ItemContext, Notice, NoticeState, ObserveFailure, Pinning, Pipeline, Policy,
    Rejected, RunId, RunSpec, RunSummary, StepDef,
};
use std::sync::Arc;

/// Where a repository keeps the commands of its checks and jobs: a file of their own, else its pipeline file.
const COMMAND_FILES: [&str; 2] = [".lockstep/commands.toml", ".lockstep/pipeline.toml"];

/// The observation a release is watched by.
const RELEASE_HEALTH: &str = "release-health";

/// A start that is asked for.
pub(crate) struct Starting {
    pub(crate) item: ItemId,
    pub(crate) asked: StartItem,
    /// The schedule that asks, and whether a person forced it.
    pub(crate) fired: Option<(ScheduleId, bool)>,
}

/// What the board says of a start that may be.
pub(crate) struct Planned {
    pub(crate) item: Item,
    pub(crate) name: String,
    pub(crate) steps: Vec<StepDef>,
    pub(crate) policy: Policy,
    pub(crate) pin: Pinning,
    repository: String,
    base: Option<String>,
    head: Option<String>,
}

/// What the repository says.
pub(crate) struct Sources {
    pub(crate) change: Head,
    pub(crate) commands: Commands,
}

impl Shared {
    /// What the host can do for testers: containers can be nested on the machine it runs on, so that whether somebody
    /// provisions environments does not matter (SPEC TI-4).
    pub(crate) fn infra(&self) -> Infra {
        Infra { environments: true, ..Infra::default() }
    }
}

impl Runtime {
    /// Starts a run of an item. A refusal changes nothing; with `replace` the old run is stopped only when nothing else
    /// stands against the new one.
    pub(crate) async fn start_on_board(
        &self,
        desk: Arc<Desk>,
        starting: Starting,
    ) -> Result<RunSummary, ServiceError> {
        let (_alone, known) = self.turnstile(starting.asked.token.as_deref()).await?;
        if let Some(summary) = known {
            return Ok(summary);
        }
        let kinds = Arc::clone(&*self.shared.kinds.read().await);
        let planned = self.plan(&desk, &starting, &kinds, starting.asked.replace)?;
        // Git takes its time, and nobody waits for it.
        let sources = self.sources(&planned).await?;
        check_observability(&planned, &sources.commands, &kinds)?;
        if starting.asked.replace
            && let Some(run) = desk.live_run(&starting.item)
        {
            let initiator = by(&starting.asked);
            let checked = self.shared.check_credentials(&sources.commands.jobs, &initiator).await;
            checked.map_err(|error| credentials::refused(&error))?;
            self.stop_run(&run, "replaced", &by(&starting.asked)).await?;
        }
        let writer = desk.writer().await;
        let planned = self.plan(&desk, &starting, &kinds, false)?;
        let old = self.notices_of(planned.item.current_run.as_ref()).await?;
        let spec = self.spec_on_board(&planned, sources, &kinds, by(&starting.asked), &old);
        let changes = begun(&writer, &starting, &spec)?;
        let summary = self.launch(Arc::new(spec), starting.asked.token, Some((writer, changes))).await?;
        self.close_cards(planned.item.current_run, old);
        Ok(summary)
    }

    /// Closes the cards of a run that is its item's no more, apart: nobody sees them from now on (DEVIATIONS D-7 d).
    pub(crate) fn close_cards(&self, run: Option<RunId>, open: Vec<Notice>) {
        let (runtime, Some(run)) = (self.clone(), run) else { return };
        tokio::spawn(async move {
            for Notice { id, .. } in open {
                let input = Input::NoticeSettled { id, state: NoticeState::Dismissed };
                if let Err(error) = runtime.send(&run, input).await {
                    tracing::debug!(%run, %error, "a card of a run that is over stays open");
                }
            }
        });
    }

    /// Stops a run and waits until that is durable. It no longer holds its item, whatever it still has to tear down.
    pub(crate) async fn stop_run(&self, run: &RunId, reason: &str, by: &str) -> Result<(), ServiceError> {
        let reason = reason.to_owned();
        self.act(run, RunAction::Stop { reason }, by).await.map(drop)
    }

    /// Checks a start against the board.
    fn plan(
        &self,
        desk: &Desk,
        starting: &Starting,
        kinds: &Kinds,
        replace: bool,
    ) -> Result<Planned, ServiceError> {
        let (id, asked) = (&starting.item, &starting.asked);
        let live_run = desk.live_run(id).filter(|_| !replace);
        let live = desk.live_items();
        let planned = desk.read(|board| {
            let item = board.item(id)?.clone();
            let first = board.pipelines().find(|pipeline| !pipeline.archived).map(|pipeline| &pipeline.id);
            let wanted: Option<&PipelineId> = asked.pipeline.as_ref().or(item.pipeline.as_ref()).or(first);
            let wanted = wanted.ok_or_else(|| {
                Rejected::NotFound("the workspace has no pipeline to start: create one".to_owned())
            })?;
            let def = board.pipeline(wanted)?;
            check_kinds(def, kinds)?;
            let steps = kinds.descriptors(|kinds| kinds.shape(&def.steps));
            board.check_start(&Start {
                item: id,
                steps: &steps,
                live_run: live_run.as_ref(),
                infra: self.shared.infra(),
                unusable_models: &[],
                live: &live,
            })?;
            check_configs(def, kinds)?;
            let policy = board.policy_for(&item, Policy::default());
            let (name, steps) = (def.name.clone(), run_steps(def));
            let head = asked.branch.clone().or_else(|| item.head_branch.clone());
            let (repository, base) = repository(board, &item)?;
            Ok(Planned {
                item,
                name,
                steps,
                policy,
                pin: asked.pin.unwrap_or(def.pin),
                repository,
                base,
                head,
            })
        });
        planned.map_err(rejected)
    }

    /// What the board says of one step for an item, beside its run.
    pub(crate) fn plan_step(&self, desk: &Desk, id: &ItemId, step: StepDef) -> Result<Planned, ServiceError> {
        let planned = desk.read(|board| {
            let item = board.item(id)?.clone();
            let (repository, base) = repository(board, &item)?;
            let policy = board.policy_for(&item, Policy::default());
            let (name, head) = (step.kind.clone(), item.head_branch.clone());
            Ok(Planned { item, name, steps: vec![step], policy, pin: Pinning::Run, repository, base, head })
        });
        planned.map_err(rejected)
    }

    /// The change, on a branch that is made if the item has none yet, and the commands of the repository.
    pub(crate) async fn sources(&self, planned: &Planned) -> Result<Sources, ServiceError> {
        let outside = &self.shared.outside;
        let (repository, base) = (planned.repository.as_str(), planned.base.as_deref());
        let own = format!("lockstep/{}", planned.item.id);
        let change = match &planned.head {
            Some(head) if *head != own => outside.changes.resolve(repository, head, base).await,
            _ => outside.changes.resolve_or_create(repository, &own, base).await,
        };
        let change = change.map_err(change_source)?;
        let at_base = Head { head_branch: change.base_branch.clone(), head_commit: None, ..change.clone() };
        Ok(Sources { commands: self.commands(&at_base).await?, change })
    }

    /// The commands of a repository at a commit, from the first of the files it has.
    async fn commands(&self, change: &Head) -> Result<Commands, ServiceError> {
        for file in COMMAND_FILES {
            let text = match self.shared.outside.workspace.read_file(change, file).await {
                Ok(Some(text)) => text,
                Ok(None) | Err(ObserveFailure::NotConfigured) => continue,
                Err(ObserveFailure::Failed(error)) => {
                    let repository = &change.repository;
                    return Err(ServiceError::Unavailable(format!(
                        "{file} of {repository} cannot be read: {error}: see to it, then try again"
                    )));
                }
            };
            let commands = read_commands(&String::from_utf8_lossy(&text), file);
            return commands.map_err(|errors| ServiceError::Invalid(errors.to_string()));
        }
        Ok(Commands::default())
    }

    /// The notices of an item's last run, whose loose ones go on to the next.
    pub(crate) async fn notices_of(&self, run: Option<&RunId>) -> Result<Vec<Notice>, ServiceError> {
        let Some(run) = run else { return Ok(Vec::new()) };
        let row = self.shared.outside.journal.row(run).await.map_err(|error| journal(&error))?;
        Ok(row.map(|row| row.summary.open_notices).unwrap_or_default())
    }

    pub(crate) fn spec_on_board(
        &self,
        planned: &Planned,
        sources: Sources,
        kinds: &Kinds,
        by: String,
        old: &[Notice],
    ) -> RunSpec {
        let outside = &self.shared.outside;
        let item = &planned.item;
        let pipeline = Pipeline {
            name: planned.name.clone(),
            version: String::new(),
            base: None,
            policy: planned.policy.clone(),
            pin: planned.pin,
            checks: sources.commands.checks,
            jobs: sources.commands.jobs,
            effects: sources.commands.effects,
            observations: sources.commands.observations,
            steps: planned.steps.clone(),
        };
        let wired = crate::wired::wired(&pipeline);
        let now = outside.clock.now();
        let id = RunId::new(now, outside.clock.unique());
        RunSpec {
            pins: kinds.pins(&pipeline, &id, item.id.as_str()),
            id,
            item: item.id.to_string(),
            title: item.title.clone(),
            description: item.description.clone(),
            initiator: by,
            pipeline: Arc::new(pipeline),
            change: Head { pull_request: item.pull_request.clone(), ..sources.change },
            context: ItemContext {
                workspace: Some(item.workspace.clone()),
                level: item.level,
                documents: item.documents.clone(),
                environments: item.environments.clone(),
                notices: loose_of(item, old),
                wired: Some(wired),
                errand: None,
            },
            created_at: now,
        }
    }
}

/// Who asks for a start.
pub(crate) fn by(asked: &StartItem) -> String {
    asked.by.clone().unwrap_or_else(|| "operator".to_owned())
}

/// What the beginning of a run changes on its board.
fn begun(writer: &Writer, starting: &Starting, spec: &RunSpec) -> Result<Vec<Change>, ServiceError> {
    let record = ItemRecord {
        current_run: Some(Some(spec.id.clone())),
        // They are the run's now.
        notices: Some(Vec::new()),
        ..ItemRecord::default()
    };
    let now = spec.created_at;
    let changes = writer.desk().read(|board| {
        let mut changes = board.record(&starting.item, record, now)?;
        if let Some((schedule, forced)) = &starting.fired {
            changes.extend(board.schedule_started(schedule, Ok(&spec.id), *forced, now)?);
        }
        Ok(changes)
    });
    changes.map_err(rejected)
}

/// Refuses to watch a release that nobody answers for (SPEC PL-13, RH-13).
fn check_observability(planned: &Planned, commands: &Commands, kinds: &Kinds) -> Result<(), ServiceError> {
    let step = |def: &StepDef| ShapeStep {
        role: def.role.clone(),
        enabled: true,
        needs_observability: kinds
            .descriptor(&def.kind)
            .is_some_and(|known| known.needs.iter().any(|need| need == "observability")),
        ..ShapeStep::default()
    };
    let steps: Vec<ShapeStep> = planned.steps.iter().map(step).collect();
    let is_connected = commands.observations.contains_key(RELEASE_HEALTH);
    shape::check_observability(&steps, is_connected).map_err(|error| {
        ServiceError::Invalid(format!("{error}: {} has no [observations.{RELEASE_HEALTH}]", COMMAND_FILES[0]))
    })
}

/// The nearest repository and base branch upwards from an item.
fn repository(board: &lockstep_board::Board, item: &Item) -> Result<(String, Option<String>), Rejected> {
    let service = board.service_of(&item.id);
    let of_service = |field: fn(&Item) -> &Option<String>| service.and_then(|service| field(service).clone());
    let repository = item.repository.clone().or_else(|| of_service(|item| &item.repository));
    let base = item.base_branch.clone().or_else(|| of_service(|item| &item.base_branch));
    let missing = || {
        let at = service.map_or(&item.id, |service| &service.id);
        Rejected::Invalid(format!("{at} has no repository: set the path of one"))
    };
    Ok((repository.ok_or_else(missing)?, base))
}

/// Refuses steps of kinds that nobody implements: what else is said of them would mislead.
fn check_kinds(def: &PipelineDef, kinds: &Kinds) -> Result<(), Rejected> {
    let mut enabled = def.steps.iter().filter(|step| step.enabled);
    match enabled.find(|step| kinds.descriptor(&step.kind).is_none()) {
        None => Ok(()),
        Some(step) => Err(Rejected::Invalid(format!(
            "step {} of pipeline {:?} is of kind {}, which has no component: activate one, or disable the step",
            step.name, def.name, step.kind
        ))),
    }
}

fn check_configs(def: &PipelineDef, kinds: &Kinds) -> Result<(), Rejected> {
    let steps = run_steps(def);
    let problem = |step: &StepDef| {
        let problems = kinds.config_problems(&step.kind, &step.config.value());
        problems.into_iter().next().map(|(place, problem)| (step.name.clone(), place, problem))
    };
    match steps.iter().find_map(problem) {
        None => Ok(()),
        Some((step, place, problem)) => Err(Rejected::Invalid(format!(
            "the config of step {step} of pipeline {:?} is wrong at {place:?}: {problem}: correct it",
            def.name
        ))),
    }
}
