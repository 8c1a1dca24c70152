//! A host whose every port is in the test's hand. Its tasks go on only while the test lets them.

use lockstep_ports::{RunAction, RunService, ServiceError, StartRequest, Wake};
use lockstep_runtime::{Drive, Outside, Runtime, StandardComponent, Waker};
use lockstep_testkit::samples;
use lockstep_testkit::{
    FakeChangeSource, FakeChecks, FakeCredentials, FakeEffects, FakeJobs, FakeMergeability, FakeObservations,
    FakeWorkspace, MemComponents, MemJournal, ScriptedExecutor, SimClock,
};
use lockstep_types::{
    Access, Answer, Completion, Descriptor, Effect, EffectOutcome, FailureClass, Fault, JobOutcome,
    JobRequest, JobResult, JsonText, MergeMethod, Next, Outcome, QuestionKind, RunId, RunStatus, RunSummary,
    RunView, Timestamp, Transition,
};
use std::sync::Arc;
use std::time::Duration;

/// What outlives a host.
pub(crate) struct World {
    pub(crate) journal: MemJournal,
    pub(crate) components: Arc<MemComponents>,
    pub(crate) executor: Arc<ScriptedExecutor>,
    pub(crate) jobs: Arc<FakeJobs>,
    pub(crate) effects: Arc<FakeEffects>,
    pub(crate) clock: Arc<SimClock>,
    pub(crate) files: Arc<FakeWorkspace>,
    pub(crate) observations: Arc<FakeObservations>,
    pub(crate) credentials: Arc<FakeCredentials>,
}

impl World {
    /// Steps complete with their name unless something is pushed for them; jobs are held; commits are durable at once.
    pub(crate) fn new() -> Self {
        Self::over(MemJournal::new())
    }

    /// The same, with commits that wait for the test.
    pub(crate) fn manual() -> Self {
        Self::over(MemJournal::manual())
    }

    fn over(journal: MemJournal) -> Self {
        let executor = ScriptedExecutor::transitions(|input| transition(complete(&input.step.name)))
            .migrating(|_, from, state| migrated(from, state));
        let (jobs, effects) = (FakeJobs::new(), FakeEffects::new());
        jobs.hold("work");
        effects.script("merge", [EffectOutcome::Done(JsonText::null())]);
        Self {
            journal,
            components: Arc::default(),
            executor: Arc::new(executor),
            observations: Arc::default(),
            credentials: Arc::default(),
            jobs: Arc::new(jobs),
            effects: Arc::new(effects),
            clock: Arc::new(SimClock::new(Timestamp(1000), 1)),
            files: Arc::default(),
        }
    }

    /// Queues what the component of a step answers, call by call.
    pub(crate) fn says(&self, step: &str, answers: impl IntoIterator<Item = Next>) {
        for next in answers {
            self.executor.push(step, Outcome::Transition(Box::new(transition(next))));
        }
    }

    pub(crate) fn faults(&self, step: &str, fault: Fault) {
        self.executor.push(step, Outcome::Fault(fault));
    }

    pub(crate) fn open(&self) -> Host {
        self.open_to(Drive::Runs)
    }

    pub(crate) fn open_to(&self, drive: Drive) -> Host {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let tokio = tokio.unwrap();
        let waker = Waker::default();
        let wake = Arc::clone(&waker.wake);
        let outside = Outside {
            journal: Arc::new(self.journal.clone()),
            components: Arc::<MemComponents>::clone(&self.components),
            executor: Arc::<ScriptedExecutor>::clone(&self.executor),
            checks: Arc::new(FakeChecks::default()),
            mergeability: Arc::new(FakeMergeability::default()),
            workspace: Arc::<FakeWorkspace>::clone(&self.files),
            credentials: Arc::<FakeCredentials>::clone(&self.credentials),
            observations: Arc::<FakeObservations>::clone(&self.observations),
            jobs: Arc::<FakeJobs>::clone(&self.jobs),
            effects: Arc::<FakeEffects>::clone(&self.effects),
            changes: Arc::new(FakeChangeSource::default()),
            clock: Arc::<SimClock>::clone(&self.clock),
        };
        let runtime = tokio.block_on(async {
            let runtime = Runtime::open(outside, waker, drive).await.unwrap();
            let writer = component(&descriptor("writer", "1"));
            let merger =
                component(&Descriptor { effects: vec!["merge".to_owned()], ..descriptor("merger", "1") });
            let standard = [("writer", &writer), ("merger", &merger)];
            let standard = standard.map(|(name, bytes)| StandardComponent { name, bytes });
            runtime.install(&standard).await.unwrap();
            runtime
        });
        Host { tokio, runtime, wake }
    }

    /// The host is gone where it stands, with every commit that was not flushed; what it left is opened.
    pub(crate) fn crash(&mut self, host: Host) -> Host {
        drop(host);
        self.journal = self.journal.crash();
        self.open()
    }
}

pub(crate) struct Host {
    tokio: tokio::runtime::Runtime,
    pub(crate) runtime: Runtime,
    pub(crate) wake: Wake,
}

impl Host {
    pub(crate) fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.tokio.block_on(future)
    }

    /// Begins something that waits for the test, and lets it come as far as it does.
    pub(crate) fn begin<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        let task = self.tokio.spawn(future);
        self.settle();
        task
    }

    /// Lets every task go on until it waits.
    pub(crate) fn settle(&self) {
        self.run(async { tokio::time::sleep(Duration::from_millis(1)).await });
    }

    /// Begins to act on a run.
    pub(crate) fn begin_act(
        &self,
        run: &RunId,
        action: RunAction,
    ) -> tokio::task::JoinHandle<Result<RunSummary, ServiceError>> {
        let (runtime, run) = (self.runtime.clone(), run.clone());
        self.begin(async move { runtime.act(&run, action, "ann").await })
    }

    /// Begins to start a run.
    pub(crate) fn begin_start(
        &self,
        request: StartRequest,
    ) -> tokio::task::JoinHandle<Result<RunSummary, ServiceError>> {
        let runtime = self.runtime.clone();
        self.begin(async move { runtime.start(request).await })
    }

    pub(crate) fn start(&self, steps: &[&str]) -> RunId {
        let started = self.run(self.runtime.start(request("task", steps)));
        self.settle();
        started.unwrap().id
    }

    pub(crate) fn act(&self, run: &RunId, action: RunAction) -> Result<RunSummary, ServiceError> {
        let told = self.run(self.runtime.act(run, action, "ann"));
        self.settle();
        told
    }

    pub(crate) fn get(&self, run: &RunId) -> RunView {
        self.run(self.runtime.get(run)).unwrap()
    }

    pub(crate) fn status(&self, run: &RunId) -> RunStatus {
        self.get(run).summary.status
    }

    /// The run's history, a line for each entry.
    pub(crate) fn history(&self, run: &RunId) -> String {
        let entries = self.run(self.runtime.timeline(run, 0)).unwrap();
        let line = |entry: lockstep_types::TimelineEntry| {
            format!("{} {} {}: {}\n", entry.seq, entry.step.unwrap_or_default(), entry.what, entry.text)
        };
        entries.into_iter().map(line).collect()
    }

    /// How often something happened in a run.
    pub(crate) fn count(&self, run: &RunId, what: &str) -> usize {
        self.run(self.runtime.timeline(run, 0)).unwrap().iter().filter(|entry| entry.what == what).count()
    }
}

/// The kind of a step: `land` merges, every other one only writes.
pub(crate) fn kind(step: &str) -> &'static str {
    if step == "land" { "merger" } else { "writer" }
}

/// A chain of steps; `!` marks one that needs consent.
pub(crate) fn pipeline(steps: &[&str]) -> String {
    let step = |step: &&str| {
        let name = step.trim_end_matches('!');
        let approval = step.ends_with('!');
        let kind = kind(name);
        format!("[[steps]]\nname = \"{name}\"\nkind = \"{kind}\"\nrole = \"{name}\"\napproval = {approval}\n")
    };
    format!("name = \"p\"\n{}", steps.iter().map(step).collect::<String>())
}

pub(crate) fn request(item: &str, steps: &[&str]) -> StartRequest {
    StartRequest {
        pipeline: pipeline(steps),
        pipeline_file: None,
        repository: "/repository".to_owned(),
        branch: "work".to_owned(),
        base: None,
        title: None,
        description: None,
        pin: None,
        item: Some(item.to_owned()),
        by: None,
        token: None,
    }
}

pub(crate) fn descriptor(kind: &str, version: &str) -> Descriptor {
    Descriptor { jobs: vec!["work".to_owned()], access: Access::Write, ..samples::descriptor(kind, version) }
}

pub(crate) fn component(descriptor: &Descriptor) -> Vec<u8> {
    samples::component(descriptor).1
}

/// What the components of these tests make of another version's state: they do not read numbers.
pub(crate) fn migrated(from: u32, state: &JsonText) -> Result<JsonText, Fault> {
    if state.value().is_number() {
        let message = "its `migrate` gave up: a number says nothing".to_owned();
        return Err(Fault { class: FailureClass::BadOutput, message, backtrace: None });
    }
    Ok(JsonText::of(&serde_json::json!({ "from": from, "was": state.value() })))
}

pub(crate) fn transition(next: Next) -> Transition {
    Transition::new(JsonText::null(), next)
}

pub(crate) fn complete(output: &str) -> Next {
    Next::Complete(Completion { output: Some(output.to_owned()), ..Completion::default() })
}

pub(crate) fn dispatch() -> Next {
    Next::Dispatch(JobRequest {
        kind: "work".to_owned(),
        access: Access::Write,
        extra_outputs: Vec::new(),
        input: JsonText::null(),
        time_limit_ms: None,
    })
}

pub(crate) fn merge() -> Next {
    Next::Perform { effect: Effect::Merge(MergeMethod::Merge), proposal: None }
}

pub(crate) fn wait(ms: u64) -> Next {
    Next::Wait { ms, reason: "time".to_owned() }
}

pub(crate) fn ask() -> Next {
    let options = vec!["A".to_owned(), "B".to_owned()];
    Next::Ask {
        kind: QuestionKind::Decision,
        prompt: "which?".to_owned(),
        options,
        proposal: None,
        actions: Vec::new(),
    }
}

pub(crate) fn fail() -> Next {
    Next::Fail { class: lockstep_types::FailureClass::Agent, message: "no".to_owned(), detail: None }
}

pub(crate) fn done(output: &str) -> JobOutcome {
    JobOutcome::Done(JobResult { output: output.to_owned(), ..JobResult::default() })
}

pub(crate) fn choose(choice: &str, token: Option<&str>) -> RunAction {
    let answer = Answer::Choose { choice: choice.to_owned(), text: None, comments: Vec::new() };
    RunAction::Answer {
        question: Some(lockstep_types::QuestionId(1)),
        answer,
        token: token.map(str::to_owned),
    }
}

pub(crate) fn stop() -> RunAction {
    RunAction::Stop { reason: String::new() }
}
