//! What has to hold before runs get a component. Each refusal says in one line what stands against it, and the command
//! that would allow it.

use super::{Answer, store, trust};
use crate::backtest::gate_options;
use crate::pipeline_file;
use crate::runtime::Runtime;
use lockstep_board::run_steps;
use lockstep_ports::{BacktestReport, BoardService, Gates, ServiceError};
use lockstep_types::{ComponentInfo, DirGrant, Grant, Registry};

/// Pipelines whose configs are looked through; a host has some tens.
const PIPELINES_MAX: usize = 1000;
/// Steps that are named in warnings; more are only counted.
const WARNINGS_MAX: usize = 5;

/// A component that runs of a kind are to get, and how.
pub(super) struct Candidate<'a> {
    pub(super) info: &'a ComponentInfo,
    pub(super) kind: &'a str,
    /// What the kind may do from then on.
    pub(super) grant: &'a Grant,
    pub(super) gates: &'a Gates,
    /// What to make of live runs that could not go on with it.
    pub(super) states: States,
    /// The command that is made, for the lines that say what to do: `activate`.
    pub(super) command: &'a str,
    /// Its options beside gates, each after a space.
    pub(super) options: String,
}

impl Candidate<'_> {
    /// The command that would give it what it may not do yet. An activation grants by its own options, and keeps all it was
    /// given.
    fn allowed(&self, beyond: &Grant) -> String {
        match self.command {
            "activate" => self.activation(&flags(beyond, "--grant-")),
            _ => grant_command(self.kind, beyond),
        }
    }

    /// The command that activates it with one more option, without the program's name.
    pub(super) fn activation(&self, option: &str) -> String {
        let Self { info, kind, gates, options, .. } = self;
        format!("activate {kind} {}{options} {option}{}", info.digest.short(), gate_options(gates))
    }
}

/// What was found about a candidate that is not refused.
pub(super) struct Found {
    /// A line each.
    pub(super) warnings: Vec<String>,
    /// What the backtest showed that was asked for.
    pub(super) backtest: Option<Box<BacktestReport>>,
}

/// What to make of states of live runs that a candidate could not take over. The runs keep the component they have anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum States {
    /// They stand against it.
    Refuse,
    /// They are told: a way back must not be closed by them.
    Tell,
    /// They are not looked at.
    Ignore,
}

impl Runtime {
    /// Refuses a candidate that runs must not get, what is cheapest to find out first.
    pub(super) async fn guard(&self, candidate: &Candidate<'_>, registry: &Registry) -> Answer<Found> {
        refuse_other_kind(candidate)?;
        refuse_stopped(candidate.info, registry)?;
        refuse_excess(candidate.info, candidate.kind, candidate.grant, |beyond| candidate.allowed(beyond))?;
        let mut warnings = Vec::new();
        if !self.is_carried(&candidate.info.digest) {
            warnings.extend(trust::check(candidate.info, registry)?);
        }
        self.refuse_unusable(candidate.info).await?;
        let backtest = self.gates(candidate).await?.map(Box::new);
        warnings.extend(self.try_states(candidate).await?);
        warnings.extend(self.refused_configs(candidate).await?);
        Ok(Found { warnings, backtest })
    }

    /// Refuses bytes that are damaged, do not compile, or do not export the world, as the host is now.
    async fn refuse_unusable(&self, info: &ComponentInfo) -> Answer<()> {
        let outside = &self.shared.outside;
        let digest = info.digest.short();
        let bytes = outside.components.bytes(&info.digest).await.map_err(store)?;
        let bytes = bytes.ok_or_else(|| ServiceError::NotFound(format!("component {digest} is gone")))?;
        let inspected = outside.executor.inspect(&bytes).await;
        inspected.map(drop).map_err(|error| {
            ServiceError::Conflict(format!("component {digest} cannot be used by this host: {error}"))
        })
    }

    /// Refuses a candidate that does not show what was asked of it.
    async fn gates(&self, candidate: &Candidate<'_>) -> Answer<Option<BacktestReport>> {
        let Candidate { info, kind, gates, command, options, .. } = candidate;
        if !gates.is_any() {
            return Ok(None);
        }
        let command = format!("lockstep component {command} {kind} {}{options}", info.digest.short());
        self.pass_backtest(kind, &info.digest, gates, &command).await.map(Some)
    }

    /// Steps of stored pipelines whose configs the candidate would refuse: their runs would not start.
    async fn refused_configs(&self, candidate: &Candidate<'_>) -> Answer<Vec<String>> {
        let schema = candidate.info.descriptor.config_schema.value();
        let Ok(schema) = jsonschema::validator_for(&schema) else { return Ok(Vec::new()) };
        let mut refused = Vec::new();
        let mut looked = 0;
        for workspace in self.workspaces().await? {
            for pipeline in self.pipelines(&workspace.id).await? {
                looked += 1;
                if looked > PIPELINES_MAX || pipeline.archived {
                    continue;
                }
                for step in run_steps(&pipeline).into_iter().filter(|step| step.kind == candidate.kind) {
                    let problems = pipeline_file::config_problems(&schema, &step.config.value());
                    refused.extend(problems.into_iter().next().map(|(place, problem)| {
                        let place = if place.is_empty() { String::new() } else { format!(" at {place}") };
                        format!(
                            "it refuses the config of step {} of pipeline {:?} in workspace {}{place}: {problem}",
                            step.name, pipeline.name, workspace.id
                        )
                    }));
                }
            }
        }
        let more = refused.len().saturating_sub(WARNINGS_MAX);
        refused.truncate(WARNINGS_MAX);
        if more > 0 {
            refused.push(format!("it refuses the configs of {more} more steps"));
        }
        Ok(refused)
    }
}

/// All that a component asks for.
pub(super) fn asked_for(info: &ComponentInfo) -> Grant {
    Grant {
        imports: info.imports.clone(),
        jobs: info.descriptor.jobs.clone(),
        effects: info.descriptor.effects.clone(),
        dirs: Vec::new(),
    }
}

/// What is in `asked` and not in `granted`.
pub(super) fn beyond(asked: &Grant, granted: &Grant) -> Grant {
    let without = |asked: &[String], granted: &[String]| {
        asked.iter().filter(|name| !granted.contains(name)).cloned().collect()
    };
    Grant {
        imports: without(&asked.imports, &granted.imports),
        jobs: without(&asked.jobs, &granted.jobs),
        effects: without(&asked.effects, &granted.effects),
        dirs: asked.dirs.iter().filter(|dir| !granted.dirs.contains(dir)).cloned().collect(),
    }
}

pub(super) fn is_empty(grant: &Grant) -> bool {
    *grant == Grant::default()
}

/// A grant as options of a command; `prefix` stands before each name: `--`, `--grant-`.
pub(super) fn flags(grant: &Grant, prefix: &str) -> String {
    let pairs = [("import", &grant.imports), ("job", &grant.jobs), ("effect", &grant.effects)];
    let names =
        pairs.iter().flat_map(|(what, names)| names.iter().map(move |name| format!("{prefix}{what} {name}")));
    let dir = |dir: &DirGrant| match prefix {
        // Said to people, not to a command: which files they were.
        "" => format!("dir {}={}", dir.path, dir.digest.short()),
        _ => format!("{prefix}dir {}", dir.path),
    };
    let flags: Vec<String> = names.chain(grant.dirs.iter().map(dir)).collect();
    flags.join(" ")
}

fn refuse_other_kind(candidate: &Candidate<'_>) -> Answer<()> {
    let (info, kind, command) = (candidate.info, candidate.kind, candidate.command);
    let own = &info.descriptor.kind;
    if own == kind {
        return Ok(());
    }
    let digest = info.digest.short();
    let options = &candidate.options;
    Err(ServiceError::Conflict(format!(
        "component {digest} implements kind {own}, not {kind}: use `lockstep component {command} {own} {digest}{options}`"
    )))
}

/// Refuses a component that was stopped.
pub(super) fn refuse_stopped(info: &ComponentInfo, registry: &Registry) -> Answer<()> {
    let Some(stop) = registry.stop_of(&info.digest) else { return Ok(()) };
    let digest = info.digest.short();
    Err(ServiceError::Conflict(format!(
        "component {digest} was stopped by {} ({}): allow it with `lockstep component resume-digest {digest}`",
        stop.by, stop.reason
    )))
}

/// Refuses a component that asks for more than the grant. `allowed` is the command that would allow what is beyond it.
pub(super) fn refuse_excess(
    info: &ComponentInfo,
    kind: &str,
    grant: &Grant,
    allowed: impl FnOnce(&Grant) -> String,
) -> Answer<()> {
    let beyond = beyond(&asked_for(info), grant);
    if is_empty(&beyond) {
        return Ok(());
    }
    Err(ServiceError::Conflict(format!(
        "component {} asks for more than kind {kind} is granted: allow it with `lockstep component {}`",
        info.digest.short(),
        allowed(&beyond)
    )))
}

/// The command that grants a kind more, without the program's name.
pub(super) fn grant_command(kind: &str, more: &Grant) -> String {
    format!("grant {kind} {}", flags(more, "--"))
}
