use crate::board::{self, Site};
use crate::check::Seen;
use crate::executor::SimExecutor;
use crate::life;
use crate::outside::{SimChanges, SimEffects, SimJobs, lock};
use crate::people::Ledger;
use crate::pipeline;
use crate::random::{Random, mix};
use crate::truth;
use lockstep_ports::{Checks, ComponentService as _, Journal};
use lockstep_runtime::{Drive, Outside, Runtime, StandardComponent, Waker};
use lockstep_testkit::{
    FakeChecks, FakeCredentials, FakeMergeability, FakeObservations, FakeWorkspace, MemComponents,
    MemJournal, SimClock,
};
use lockstep_types::{CheckReport, Digest, JsonText, ObserveFailure, RunId, RunRow, Timestamp};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

/// Where every history begins.
const BEGINNING: Timestamp = Timestamp(1_767_603_600_000);
/// Times the host goes down at most.
const CRASHES_MAX: u64 = 3;
/// Milliseconds the host stays down at most, if it does not come back at once.
const DOWN_MS: u64 = 20_000;
/// Items of work, fewer than runs, so that runs want the same one.
pub(crate) const ITEMS: u64 = 8;
/// Rows read at once, far more than a world has.
pub(crate) const ROWS: usize = 1000;
/// Rounds of all tasks within which a host is up, far more than it takes.
const TAKING_ROUNDS_MAX: u32 = 100_000;
/// Last things done that a failure tells.
const TRACE_SHOWN: usize = 40;

/// How a history ended, the same for the same seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Digest of every byte of every journal and board, of their order, and of what happened to the host.
    pub log: Digest,
    /// Runs that came to an end.
    pub runs: u64,
    /// Turns that were committed.
    pub turns: u64,
    /// Times the host was opened.
    pub lives: u64,
    /// Times a person was told that something was done.
    pub told: u64,
    /// What went wrong on the way.
    pub faults: Faults,
    /// How often people were told yes, by what they had asked of the board, and what the board did by itself.
    pub board: BTreeMap<&'static str, u64>,
}

/// How often what went wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Commits that were written and not durable when the host went down.
    pub lost_commits: u64,
    /// Commits that were durable when the host went down before anybody was told.
    pub untold_commits: u64,
    /// Commits that the full disk refused.
    pub failed_commits: u64,
    /// Jobs that were lost with their machine and begun anew.
    pub jobs_begun_again: u64,
    /// Effects that were asked for again because their answer was lost.
    pub effects_asked_again: u64,
    /// Times a person was refused, or told that the disk is full.
    pub refusals: u64,
}

impl std::ops::AddAssign for Faults {
    fn add_assign(&mut self, other: Self) {
        self.lost_commits += other.lost_commits;
        self.untold_commits += other.untold_commits;
        self.failed_commits += other.failed_commits;
        self.jobs_begun_again += other.jobs_begun_again;
        self.effects_asked_again += other.effects_asked_again;
        self.refusals += other.refusals;
    }
}

/// Something that must hold did not. Displays with the seed and how to see it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The history it is in.
    pub seed: u64,
    /// What did not hold.
    pub what: String,
    trace: Vec<String>,
}

impl std::error::Error for Broken {}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.trace.iter().rev().take(TRACE_SHOWN).rev() {
            writeln!(f, "  {line}")?;
        }
        let Self { seed, what, .. } = self;
        write!(
            f,
            "seed {seed}: {what}\nto see it again: cargo run -p lockstep-sim -- --from {seed} --seeds 1"
        )
    }
}

/// Lives through the whole history of a seed.
///
/// # Errors
/// `Broken` says what did not hold.
pub fn simulate(seed: u64) -> Result<Ended, Broken> {
    let mut world = World::new(seed);
    world.history().map_err(|what| Broken { seed, what, trace: std::mem::take(&mut world.trace) })
}

/// Everything that outlives the host.
pub(crate) struct World {
    pub(crate) random: Random,
    pub(crate) clock: Arc<SimClock>,
    pub(crate) journal: MemJournal,
    pub(crate) executor: Arc<SimExecutor>,
    pub(crate) jobs: Arc<SimJobs>,
    pub(crate) effects: Arc<SimEffects>,
    pub(crate) ledger: Arc<Mutex<Ledger>>,
    /// What the journals were found to say, to read only what is new.
    pub(crate) seen: BTreeMap<RunId, Seen>,
    pub(crate) pipelines: Vec<String>,
    pub(crate) starts_left: u64,
    /// People so far, and start tokens so far.
    pub(crate) people: u64,
    pub(crate) tokens: u64,
    /// Flushes that are still to fail.
    pub(crate) full_for: u64,
    pub(crate) faults: Faults,
    /// What stands on the board, from the first life on.
    pub(crate) site: Option<Site>,
    changes: Arc<SimChanges>,
    components: Arc<MemComponents>,
    checks: Arc<FakeChecks>,
    trace: Vec<String>,
    lives: u64,
}

/// A host that is up.
pub(crate) struct Host {
    pub(crate) runtime: Runtime,
    pub(crate) wake: lockstep_ports::Wake,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let clock = Arc::new(SimClock::new(BEGINNING, mix(seed, &["clock"])));
        let report = |commit: u64| CheckReport {
            head_commit: Some(format!("{commit:040x}")),
            ..CheckReport::default()
        };
        let reports = [Ok(report(1)), Err(ObserveFailure::Failed("gone".to_owned())), Ok(report(2))];
        let pipelines = (0..3).map(|_| pipeline::text(&mut random)).collect();
        Self {
            journal: MemJournal::manual_with_boards(),
            executor: Arc::new(SimExecutor::new(seed, Arc::clone(&clock))),
            jobs: Arc::new(SimJobs::new(seed, Arc::clone(&clock))),
            effects: Arc::new(SimEffects::new(seed, Arc::clone(&clock))),
            clock,
            ledger: Arc::default(),
            seen: BTreeMap::new(),
            pipelines,
            starts_left: 5 + random.below(16),
            people: 0,
            tokens: 0,
            full_for: 0,
            faults: Faults::default(),
            site: None,
            changes: Arc::new(SimChanges::new(seed)),
            components: Arc::default(),
            checks: Arc::new(FakeChecks::new(reports)),
            trace: Vec::new(),
            lives: 0,
            random,
        }
    }

    /// A world in which all versions of a component do the same and take over each other's states, and nothing is slow.
    pub(crate) fn with_versions_alike(seed: u64) -> Self {
        let world = Self::new(seed);
        let clock = Arc::clone(&world.clock);
        let executor = SimExecutor { versions_are_alike: true, ..SimExecutor::new(seed, clock) };
        executor.is_slow.store(false, Ordering::Relaxed);
        Self { executor: Arc::new(executor), ..world }
    }

    fn history(&mut self) -> Result<Ended, String> {
        for _ in 0..self.random.below(CRASHES_MAX + 1) {
            host(life::faulty(self))?;
            self.crash();
        }
        host(life::healed(self))?;
        let (mut told, mut refused) = (0, 0);
        for act in &lock(&self.ledger).acts {
            *if act.told.is_ok() { &mut told } else { &mut refused } += 1;
        }
        let again = |times: u32| u64::from(times.saturating_sub(1));
        self.faults.refusals = refused;
        self.faults.jobs_begun_again = self.jobs.begun().into_values().map(again).sum();
        self.faults.effects_asked_again = self.effects.fake.arrivals().into_values().map(again).sum();
        host(self.ended(told))
    }

    async fn ended(&self, told: u64) -> Result<Ended, String> {
        let mut bytes = Vec::new();
        let rows = self.rows().await?;
        for row in &rows {
            let records = self.journal.records(&row.summary.id, 1).await.map_err(shown)?;
            bytes.extend(records.into_iter().flatten());
        }
        for entry in self.journal.feed(0, usize::MAX).await.map_err(shown)? {
            bytes.extend(format!("{} {} {}\n", entry.position, entry.run, entry.seq).into_bytes());
        }
        for (_, row) in self.journal.boards().await.map_err(shown)? {
            bytes.extend(JsonText::of(&row).as_str().bytes());
        }
        bytes.extend(self.trace.iter().flat_map(|line| line.bytes()));
        let log = Digest::of(&bytes);
        let (runs, turns) = (rows.len() as u64, self.journal.feed_end());
        let board = truth::counted(self).await?;
        Ok(Ended { log, runs, turns, lives: self.lives, told, faults: self.faults, board })
    }

    pub(crate) async fn rows(&self) -> Result<Vec<RunRow>, String> {
        self.journal.rows(None, ROWS).await.map_err(shown)
    }

    /// Whoever asks for a branch is answered from now on.
    pub(crate) fn calm(&self) {
        self.changes.is_failing.store(false, Ordering::Relaxed);
    }

    pub(crate) fn note(&mut self, what: impl Into<String>) {
        self.trace.push(what.into());
    }

    pub(crate) async fn open(&mut self) -> Result<Host, String> {
        self.lives += 1;
        let life = self.lives;
        self.note(format!("life {life}: the host comes up"));
        let waker = Waker::default();
        let wake = Arc::clone(&waker.wake);
        let checks: Arc<dyn Checks> = Arc::<FakeChecks>::clone(&self.checks);
        let outside = Outside {
            journal: Arc::new(self.journal.clone()),
            components: Arc::<MemComponents>::clone(&self.components),
            executor: Arc::<SimExecutor>::clone(&self.executor),
            checks,
            mergeability: Arc::new(FakeMergeability::default()),
            workspace: Arc::new(FakeWorkspace::default()),
            credentials: Arc::new(FakeCredentials::default()),
            observations: Arc::new(FakeObservations::default()),
            jobs: Arc::<SimJobs>::clone(&self.jobs),
            effects: Arc::<SimEffects>::clone(&self.effects),
            changes: Arc::<SimChanges>::clone(&self.changes),
            clock: Arc::<SimClock>::clone(&self.clock),
        };
        let journal = self.journal.clone();
        let opened = taking_all(&journal, Runtime::open(outside, waker, Drive::Runs)).await;
        let runtime = opened.map_err(shown)?;
        let (writer, reader) = (pipeline::component("writer", 0), pipeline::component("reader", 0));
        let standard = [("writer", writer.as_slice()), ("reader", reader.as_slice())];
        let standard = standard.map(|(name, bytes)| StandardComponent { name, bytes });
        runtime.install(&standard).await.map_err(shown)?;
        for (kind, version) in
            pipeline::KINDS.iter().flat_map(|kind| (0..pipeline::VERSIONS).map(move |at| (kind, at)))
        {
            runtime.add_component(pipeline::component(kind, version).into()).await.map_err(shown)?;
        }
        let host = Host { runtime, wake };
        if self.site.is_none() {
            taking_all(&journal, board::set_up(self, &host)).await?;
        }
        Ok(host)
    }

    /// The host is gone, with all it had not flushed; perhaps so are machines that carried out its jobs.
    fn crash(&mut self) {
        let pending = self.journal.pending();
        let kept = if self.full_for > 0 { 0 } else { self.random.index(pending + 1) };
        let lost = pending - kept;
        self.note(format!("the host goes down, {lost} commits are lost, of {kept} nobody was told"));
        self.faults.lost_commits += lost as u64;
        self.faults.untold_commits += kept as u64;
        self.journal = self.journal.crash_inside(kept);
        self.full_for = 0;
        if self.random.chance(50) {
            self.jobs.lose(&mut self.random);
        }
        if self.random.chance(50) {
            let ms = self.random.below(DOWN_MS);
            self.clock.advance_ms(ms);
        }
    }
}

/// Lets something come to its end while the disk takes everything at once. It must not wait for time to pass.
async fn taking_all<T>(journal: &MemJournal, work: impl Future<Output = T>) -> T {
    let flushing = async {
        for _ in 0..TAKING_ROUNDS_MAX {
            journal.flush();
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        done = work => done,
        () = flushing => panic!("the host waits for time to pass before it is up"),
    }
}

/// Runs a host to the end of a future. All its tasks stop where they are then, as in a crash.
fn host<T>(life: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime without any driver but time can be made").block_on(life)
}

pub(crate) fn shown(error: impl fmt::Display) -> String {
    error.to_string()
}
