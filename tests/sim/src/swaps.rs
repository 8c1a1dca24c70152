//! Components that are swapped under live runs: the same runs are lived through twice, once in peace, and once while
//! the pointers of all kinds move to and fro and runs are repinned, before each move of the clock. They must end the same.
//! Between two moves of the clock nothing happens that a swap could meet, so that swapping more often would show no more.

use crate::check;
use crate::life::{live, settle, waits_for_a_person};
use crate::pipeline;
use crate::random::Random;
use crate::world::{Host, World, shown};
use lockstep_ports::{
    ActivateRequest, ComponentService, Journal, RunAction, RunService, ServiceError, StartRequest,
};
use lockstep_types::{Digest, Event, RunId, RunSummary, RunView, TurnRecord};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use tokio::task::JoinSet;

/// Pipelines that the runs share.
const PIPELINES: usize = 12;
/// Rounds in which every run must have ended.
const ROUNDS_MAX: u32 = 20_000;
/// Versions the kinds are swapped between.
const VERSIONS: u32 = 2;
/// Live runs that are repinned in a round.
const REPINNED: usize = 5;

/// What the swaps came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swaps {
    /// Times the pointers of all kinds moved.
    pub activations: u32,
    /// Runs that were given other components.
    pub repins: u32,
    /// States that were migrated with that.
    pub migrations: u32,
    /// Calls of components.
    pub calls: u32,
    /// Runs that called both versions of a kind.
    pub mixed_runs: u32,
}

/// Lives through `runs` runs twice.
///
/// # Errors
/// Says what did not hold: a call of a component that was not pinned, a run that ended otherwise than without swaps, a
/// journal that does not verify or replay.
pub fn swap(seed: u64, runs: u64) -> Result<Swaps, String> {
    let (peaceful, _) = once(seed, runs, false)?;
    let (swapped, swaps) = once(seed, runs, true)?;
    for (id, end) in &peaceful {
        let other = swapped.get(id).ok_or_else(|| format!("{id} was never started among swaps"))?;
        if other != end {
            return Err(format!("{id} ended otherwise among swaps:\n{other}\nand without them:\n{end}"));
        }
    }
    Ok(swaps)
}

fn once(seed: u64, runs: u64, is_swapping: bool) -> Result<(BTreeMap<RunId, String>, Swaps), String> {
    let mut world = World::with_versions_alike(seed);
    world.calm();
    let host = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let host = host.map_err(shown)?;
    host.block_on(async {
        let mut life = Life { host: world.open().await?, swaps: Swaps::default(), random: Random::new(seed) };
        life.live_through(&mut world, runs, is_swapping).await?;
        check::check(&mut world).await?;
        life.tell(&world).await
    })
}

struct Life {
    host: Host,
    swaps: Swaps,
    random: Random,
}

impl Life {
    async fn live_through(&mut self, world: &mut World, runs: u64, is_swapping: bool) -> Result<(), String> {
        let pipelines: Vec<String> = (0..PIPELINES).map(|_| pipeline::chain(&mut world.random)).collect();
        let mut people: JoinSet<Result<(), String>> = JoinSet::new();
        for (number, pipeline) in (0..runs).zip(pipelines.iter().cycle()) {
            let (runtime, request) = (self.host.runtime.clone(), request(pipeline, number));
            people.spawn(async move { runtime.start(request).await.map(drop).map_err(shown) });
        }
        for _ in 0..ROUNDS_MAX {
            settle().await;
            if world.journal.flush() > 0 {
                continue;
            }
            while let Some(done) = people.try_join_next() {
                done.map_err(shown)??;
            }
            let live = live(world).await?;
            if people.is_empty() && live.is_empty() {
                return Ok(());
            }
            if !people.is_empty() {
                continue;
            }
            if is_swapping {
                self.swap(&live, &mut people).await?;
            }
            let waiting: Vec<&RunSummary> = live.iter().filter(|run| waits_for_a_person(run)).collect();
            match world.clock.next_due() {
                Some(due) if waiting.is_empty() => drop(world.clock.advance_to(due)),
                _ => waiting.into_iter().for_each(|run| drop(people.spawn(self.help(run.id.clone())))),
            }
        }
        Err("the runs do not end".to_owned())
    }

    /// Moves the pointers of all kinds, and gives some runs what they point to now.
    async fn swap(
        &mut self,
        live: &[RunSummary],
        people: &mut JoinSet<Result<(), String>>,
    ) -> Result<(), String> {
        let version = self.swaps.activations % VERSIONS;
        let mut pins = BTreeMap::new();
        for kind in pipeline::KINDS {
            let digest = Digest::of(&pipeline::component(kind, version)).to_string();
            pins.insert(kind, digest.clone());
            let request = ActivateRequest { kind: kind.to_owned(), digest, ..ActivateRequest::default() };
            self.host.runtime.activate(request).await.map_err(shown)?;
        }
        self.swaps.activations += 1;
        for _ in 0..REPINNED.min(live.len()) {
            let run = live[self.random.index(live.len())].id.clone();
            let view = self.host.runtime.get(&run).await.map_err(shown)?;
            let kinds: BTreeSet<&str> = view.steps.iter().map(|step| step.kind.as_str()).collect();
            let pins = kinds.into_iter().map(|kind| (kind.to_owned(), pins[kind].clone())).collect();
            let action = RunAction::Repin { pins, reason: String::new() };
            let runtime = self.host.runtime.clone();
            people.spawn(async move {
                match runtime.act(&run, action, "swapper").await {
                    // It ended meanwhile.
                    Ok(_) | Err(ServiceError::Conflict(_)) => Ok(()),
                    Err(error) => Err(format!("{run} is not repinned: {error}")),
                }
            });
        }
        Ok(())
    }

    fn help(&self, run: RunId) -> impl Future<Output = Result<(), String>> + use<> {
        let runtime = self.host.runtime.clone();
        async move {
            let view = runtime.get(&run).await.map_err(shown)?;
            match crate::people::helpful(&view) {
                Some(action) => runtime.act(&run, action, "helper").await.map(drop).map_err(shown),
                None => Ok(()),
            }
        }
    }

    /// How every run ended, once it verifies and all its calls come out the same again.
    async fn tell(mut self, world: &World) -> Result<(BTreeMap<RunId, String>, Swaps), String> {
        world.executor.is_slow.store(false, Ordering::Relaxed);
        let mut ends = BTreeMap::new();
        for row in world.rows().await? {
            let id = row.summary.id;
            let report = self.host.runtime.verify(&id).await.map_err(shown)?;
            if let Some(problem) = report.problems.first() {
                return Err(format!("{id} does not verify: {problem}"));
            }
            if let Some(difference) = report.replay.differences.first() {
                return Err(format!("{id} replays differently: {difference:?}"));
            }
            self.swaps.migrations += report.replay.migrations;
            self.swaps.calls += report.replay.invocations;
            let mut called: BTreeMap<String, BTreeSet<Digest>> = BTreeMap::new();
            for bytes in world.journal.records(&id, 1).await.map_err(shown)? {
                let record: TurnRecord = serde_json::from_slice(&bytes).map_err(shown)?;
                for event in record.events {
                    match event {
                        Event::Repinned(_) => self.swaps.repins += 1,
                        Event::Invoked { invocation, .. } => {
                            called
                                .entry(invocation.input.step.kind.clone())
                                .or_default()
                                .insert(invocation.digest);
                        }
                        _ => {}
                    }
                }
            }
            self.swaps.mixed_runs += u32::from(called.values().any(|digests| digests.len() > 1));
            let view = self.host.runtime.get(&id).await.map_err(shown)?;
            ends.insert(id, end(&view));
        }
        Ok((ends, self.swaps))
    }
}

/// All of a run's end that does not name a component.
fn end(view: &RunView) -> String {
    let run = &view.summary;
    let failure = view
        .steps
        .iter()
        .fold(format!("{:?}", run.failure), |text, step| text.replace(&step.digest.short(), "component"));
    let mut text = format!("{} {:?} {failure} {:?}\n", run.status.word(), run.item_status, view.facts);
    for step in &view.steps {
        let times = (step.started_at, step.finished_at, step.attempt, step.invocations);
        text += &format!("{} {:?} {:?} {:?} {times:?}\n", step.name, step.status, step.output, step.skipped);
    }
    text
}

fn request(pipeline: &str, number: u64) -> StartRequest {
    StartRequest {
        pipeline: pipeline.to_owned(),
        pipeline_file: None,
        repository: crate::people::REPOSITORY.to_owned(),
        branch: format!("branch-{number}"),
        base: None,
        title: None,
        description: None,
        pin: None,
        item: Some(format!("item-{number}")),
        by: None,
        token: Some(format!("token-{number}")),
    }
}

#[cfg(test)]
mod tests {
    use super::swap;

    #[test]
    fn two_hundred_live_runs_end_as_they_would_while_every_kind_is_swapped_all_the_time() {
        let swaps = swap(7, 200).unwrap_or_else(|what| panic!("{what}"));
        let many = [swaps.activations, swaps.repins, swaps.migrations, swaps.mixed_runs];
        assert!(many.iter().all(|times| *times >= 20), "hardly anything was swapped: {swaps:?}");
    }

    #[test]
    fn some_live_runs_end_as_they_would_for_many_seeds() {
        for seed in 100..106 {
            swap(seed, 20).unwrap_or_else(|what| panic!("seed {seed}: {what}"));
        }
    }
}
