//! The standard components in the real sandbox, each in two builds, swapped to and fro under live runs all the time: every
//! run ends as it does when nothing is swapped, every call is one of a pinned component, and every journal replays bit
//! for bit.

use async_trait::async_trait;
use lockstep_ports::{
    ActivateRequest, CheckOrder, Checks, Clock, ComponentService, Jobs, Journal, ROWS_PAGE_MAX, RunAction,
    RunService, StartRequest,
};
use lockstep_runtime::{Drive, Outside, Runtime, StandardComponent, Waker};
use lockstep_sandbox::{Sandbox, SandboxOptions};
use lockstep_testkit::{
    FakeChangeSource, FakeCredentials, FakeEffects, FakeMergeability, FakeObservations, FakeWorkspace,
    MemComponents, MemJournal, SimClock,
};
use lockstep_types::{
    Check, CheckReport, Digest, EffectOutcome, EnvironmentReport, EnvironmentStatus, Event, HealthReport,
    HealthStatus, JobCommand, JobKey, JobOrder, JobOutcome, JobResult, JsonText, MergeReport, ObserveFailure,
    RunId, RunStatus, RunSummary, RunView, Timestamp, TurnRecord, Verdict,
};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Live runs: an unoptimised sandbox gets through them, twice and the replay, in less than a minute.
const RUNS: usize = 200;
/// Of them, those that are given other components after each move of the pointers.
const REPINNED: usize = 3;
/// Moves of the clock in which every run must have ended.
const MOVES_MAX: u32 = 2000;
/// The kinds of the pipeline: all that need no person.
const KINDS: [&str; 12] = [
    "requirements-review",
    "clarity-review",
    "task-estimator",
    "agent",
    "companion-grader",
    "ci-gate",
    "tester",
    "conflicts-gate",
    "deployer",
    "tracker",
    "merge-resolver",
    "release-health-gate",
];

const PIPELINE: &str = r#"
name = "change"
[policy]
gate_interval_ms = 1000
[effects.provision]
command = ["never started, as all effects are scripted"]
[[steps]]
name = "requirements"
kind = "requirements-review"
[[steps]]
name = "clarity"
kind = "clarity-review"
[[steps]]
name = "estimate"
kind = "task-estimator"
[[steps]]
name = "code"
kind = "agent"
role = "coder"
[[steps]]
name = "review"
kind = "companion-grader"
role = "reviewer"
config = { threshold = 0.8 }
[[steps]]
name = "ci"
kind = "ci-gate"
[[steps]]
name = "test"
kind = "tester"
[[steps]]
name = "conflicts"
kind = "conflicts-gate"
[[steps]]
name = "deploy"
kind = "deployer"
[[steps]]
name = "ticket"
kind = "tracker"
[[steps]]
name = "merge"
kind = "merge-resolver"
[[steps]]
name = "watch"
kind = "release-health-gate"
"#;

/// Jobs take some seconds of the clock, by their key, and end as their kind and number say.
struct TimedJobs(Arc<SimClock>);

#[async_trait]
impl Jobs for TimedJobs {
    async fn carry_out(&self, order: &JobOrder, _: Option<&JobCommand>) -> JobOutcome {
        let seconds = 1 + u64::from(Digest::of(order.key.to_string().as_bytes()).bytes()[0] % 9);
        self.0.sleep_until(order.dispatched_at.plus_ms(seconds * 1000)).await;
        let report = |report: serde_json::Value| Some(JsonText::of(&report));
        let (output, report) = match order.kind.as_str() {
            // The first version of the work is sent back.
            "reviewer" if order.key.number == 1 => (r#"{"rating": 0.5, "summary": "no tests"}"#, None),
            "reviewer" => (r#"{"rating": 0.9, "summary": "good"}"#, None),
            "tester" => (
                "2 tests passed",
                report(json!({
                    "greenlight": true, "summary": "2 tests passed", "tested": ["all"], "outcomes": [],
                    "concerns": [], "environment": "local",
                })),
            ),
            "requirements-review" | "clarity-review" => (r#"{"items": []}"#, None),
            "task-estimator" => {
                (r#"{"complexity": 0.2, "risk": 0.2, "impact": 0.2, "rationale": "small"}"#, None)
            }
            "merger" => (
                "assessed",
                report(json!({"complexity": 0.1, "risk": 0.1, "impact": 0.1, "rationale": "small"})),
            ),
            _ => ("worked", None),
        };
        JobOutcome::Done(JobResult { output: output.to_owned(), report, ..JobResult::default() })
    }

    async fn stop(&self, _: &JobKey) {}

    async fn forget(&self, _: &RunId) {}

    async fn sweep(&self, _: &BTreeSet<JobKey>) {}

    async fn log_tail(&self, _: &JobKey, _: usize) -> Option<String> {
        None
    }
}

/// Checks of each run are queued, then fail, then succeed.
#[derive(Default)]
struct SlowChecks(Mutex<BTreeMap<RunId, u32>>);

#[async_trait]
impl Checks for SlowChecks {
    async fn read(&self, order: CheckOrder<'_>) -> Result<CheckReport, ObserveFailure> {
        let mut reads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let read = reads.entry(order.run.clone()).or_default();
        *read += 1;
        let (status, conclusion) = match read {
            1 => ("queued", None),
            2 => ("completed", Some("failure")),
            _ => ("completed", Some("success")),
        };
        let check = Check {
            name: "test".to_owned(),
            status: status.to_owned(),
            conclusion: conclusion.map(str::to_owned),
            url: None,
            summary: None,
        };
        Ok(CheckReport { head_commit: Some("1".repeat(40)), checks: vec![check], pull_request: None })
    }

    async fn forget(&self, _: &RunId) {}
}

/// A host with two builds of every kind.
struct Host {
    runtime: Runtime,
    journal: MemJournal,
    clock: Arc<SimClock>,
    /// The digests of each kind.
    builds: BTreeMap<&'static str, [Digest; 2]>,
    swaps: usize,
}

/// What a component is called by, made another build of it: its code is the same, its digest is not.
fn rebuilt(component: &[u8]) -> Vec<u8> {
    // A custom section: its id, its size, the length of its name, its name and one byte.
    [component, &[0, 7, 5, b'b', b'u', b'i', b'l', b'd', 2]].concat()
}

impl Host {
    async fn open() -> Self {
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
        let components = Arc::new(MemComponents::new());
        let cache_dir = Some(target.join("conformance/compiled"));
        let options = SandboxOptions { cache_dir, ..SandboxOptions::default() };
        let sandbox = Sandbox::new(Arc::clone(&components) as _, options).expect("a sandbox can be made");
        let clock = Arc::new(SimClock::new(Timestamp(1_767_603_600_000), 1));
        let journal = MemJournal::new();
        let merges = MergeReport {
            head_commit: Some("1".repeat(40)),
            verdict: Verdict::Mergeable,
            ..MergeReport::default()
        };
        let effects = FakeEffects::new();
        effects.script("merge", [EffectOutcome::Done(JsonText::null())]);
        let ticket = json!({"externalId": "T-1", "url": "https://tracker.test/T-1"});
        effects.script("open-ticket", [EffectOutcome::Done(JsonText::of(&ticket))]);
        let environment = json!({"id": "e-1", "status": "provisioning"});
        effects.script("provision", [EffectOutcome::Done(JsonText::of(&environment))]);
        let observations = FakeObservations::default();
        observations.set_environments([Ok(Some(EnvironmentReport {
            status: EnvironmentStatus::Ready,
            url: Some("https://e-1.test".to_owned()),
            expires_at: None,
        }))]);
        observations.set_health([Ok(HealthReport { status: HealthStatus::Healthy, signals: Vec::new() })]);
        let outside = Outside {
            journal: Arc::new(journal.clone()),
            components,
            executor: Arc::new(sandbox),
            checks: Arc::new(SlowChecks::default()),
            mergeability: Arc::new(FakeMergeability::new([Ok(merges)])),
            workspace: Arc::new(FakeWorkspace::default()),
            credentials: Arc::new(FakeCredentials::default()),
            observations: Arc::new(observations),
            jobs: Arc::new(TimedJobs(Arc::clone(&clock))),
            effects: Arc::new(effects),
            changes: Arc::new(FakeChangeSource::default()),
            clock: Arc::<SimClock>::clone(&clock),
        };
        let runtime =
            Runtime::open(outside, Waker::default(), Drive::Runs).await.expect("an empty host opens");
        let mut builds = BTreeMap::new();
        for kind in KINDS {
            let file = target.join(format!("components/{kind}.wasm"));
            let bytes = std::fs::read(&file)
                .unwrap_or_else(|error| panic!("{}: {error}: run `cargo xtask guests`", file.display()));
            let other = rebuilt(&bytes);
            runtime
                .install(&[StandardComponent { name: kind, bytes: &bytes }])
                .await
                .expect("it is standard");
            let second = runtime.add_component(other.into()).await.expect("it is the same code");
            assert_eq!(second.info.descriptor.kind, kind);
            builds.insert(kind, [Digest::of(&bytes), second.info.digest]);
        }
        Self { runtime, journal, clock, builds, swaps: 0 }
    }

    async fn live_through(&mut self, is_swapping: bool) {
        for number in 0..RUNS {
            self.runtime.start(request(number)).await.expect("it can start");
        }
        for _ in 0..MOVES_MAX {
            // Time of tokio is paused: it moves only when nothing else can go on.
            tokio::time::sleep(Duration::from_millis(1)).await;
            let live: Vec<RunSummary> =
                self.runs().await.into_iter().filter(|run| run.status.is_live()).collect();
            if live.is_empty() {
                return;
            }
            if is_swapping {
                self.swap(&live).await;
            }
            let due = self.clock.next_due().expect("a live run waits for a time");
            self.clock.advance_to(due);
        }
        panic!("the runs do not end");
    }

    async fn runs(&self) -> Vec<RunSummary> {
        let rows = self.journal.rows(None, ROWS_PAGE_MAX).await.expect("memory can be read");
        rows.into_iter().map(|row| row.summary).collect()
    }

    /// Moves the pointers of all kinds to the other build, and gives it to some of the live runs.
    async fn swap(&mut self, live: &[RunSummary]) {
        self.swaps += 1;
        let digest = |kind: &str| self.builds[kind][self.swaps % 2].to_string();
        for kind in KINDS {
            let (kind, digest) = (kind.to_owned(), digest(kind));
            self.runtime
                .activate(ActivateRequest { kind, digest, ..ActivateRequest::default() })
                .await
                .expect("the kind is the same");
        }
        let pins: BTreeMap<String, String> =
            KINDS.into_iter().map(|kind| (kind.to_owned(), digest(kind))).collect();
        for run in live.iter().cycle().skip(self.swaps * REPINNED).take(REPINNED.min(live.len())) {
            let action = RunAction::Repin { pins: pins.clone(), reason: String::new() };
            self.runtime.act(&run.id, action, "swapper").await.expect("the run is live");
        }
    }

    async fn ends(&self) -> BTreeMap<RunId, String> {
        let mut ends = BTreeMap::new();
        for run in self.runs().await {
            let view = self.runtime.get(&run.id).await.expect("the run is there");
            ends.insert(run.id, end(&view));
        }
        ends
    }

    /// Verifies and replays every run, and counts those of whose kinds both builds were called.
    async fn check(&self) -> usize {
        let mut mixed = 0;
        let mut of_all: BTreeMap<String, BTreeSet<Digest>> = BTreeMap::new();
        for run in self.runs().await {
            let report = self.runtime.verify(&run.id).await.expect("the run is there");
            assert_eq!((&report.problems, &report.replay.differences), (&vec![], &vec![]), "{}", run.id);
            let mut called: BTreeMap<String, BTreeSet<Digest>> = BTreeMap::new();
            for bytes in self.journal.records(&run.id, 1).await.expect("memory can be read") {
                let record: TurnRecord = serde_json::from_slice(&bytes).expect("it was written by us");
                for event in record.events {
                    if let Event::Invoked { invocation, .. } = event {
                        called
                            .entry(invocation.input.step.kind.clone())
                            .or_default()
                            .insert(invocation.digest);
                    }
                }
            }
            mixed += usize::from(called.values().any(|digests| digests.len() == 2));
            called.into_iter().for_each(|(kind, digests)| of_all.entry(kind).or_default().extend(digests));
        }
        let builds = self.builds.iter().map(|(kind, builds)| ((*kind).to_owned(), BTreeSet::from(*builds)));
        assert_eq!(of_all, builds.collect(), "both builds of every kind were called");
        mixed
    }
}

fn request(number: usize) -> StartRequest {
    // Every other run takes its components step by step.
    let pinning = if number.is_multiple_of(2) { "pin = \"step\"\n" } else { "" };
    StartRequest {
        pipeline: format!("{pinning}{PIPELINE}"),
        pipeline_file: None,
        repository: "/repository".to_owned(),
        branch: format!("branch-{number}"),
        base: None,
        title: Some("Do it".to_owned()),
        description: None,
        pin: None,
        item: Some(format!("item-{number}")),
        by: None,
        token: None,
    }
}

/// All of a run's end that does not name a component.
fn end(view: &RunView) -> String {
    let run = &view.summary;
    assert_eq!((run.status, &run.failure), (RunStatus::Done, &None), "{}", run.id);
    let mut text = format!("{:?} {:?}\n", run.item_status, view.facts);
    for step in &view.steps {
        let times = (step.started_at, step.finished_at, step.attempt, step.invocations);
        text += &format!("{} {:?} {:?} {:?} {times:?}\n", step.name, step.status, step.output, step.state);
    }
    text
}

#[tokio::test(start_paused = true)]
async fn live_runs_end_as_they_would_while_every_kind_is_swapped_all_the_time() {
    let mut peaceful = Host::open().await;
    peaceful.live_through(false).await;
    let mut swapped = Host::open().await;
    swapped.live_through(true).await;
    let (peaceful, among_swaps) = (peaceful.ends().await, swapped.ends().await);
    assert_eq!(peaceful.len(), RUNS);
    for (run, end) in &peaceful {
        assert_eq!(among_swaps.get(run), Some(end), "{run} ended otherwise");
    }
    let mixed = swapped.check().await;
    assert!(swapped.swaps >= 20 && mixed >= RUNS / 4, "{} swaps, {mixed} mixed runs", swapped.swaps);
}
