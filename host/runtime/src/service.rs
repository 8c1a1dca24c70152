//! The host as its drivers see it.

use crate::actor::{self, LiveRun};
use crate::board::{Left, Writer};
use crate::credentials;
use crate::replay;
use crate::runtime::{Runtime, STARTING_MAX, Shared, lock};
use crate::wired::wired;
use async_trait::async_trait;
use lockstep_engine::{Phase, Recorded, timeline};
use lockstep_ports::{
    ChangeSourceError, FeedItem, InvocationView, JournalError, ReplayReport, RunAction, RunPage, RunQuery,
    RunService, ServiceError, StartRequest, VerifyReport,
};
use lockstep_types::board::Change;
use lockstep_types::{
    Digest, Input, ItemContext, JobKey, QuestionId, Rejected, RunId, RunSpec, RunSummary, RunView,
    StepAction, TimelineEntry, TurnRecord,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Longest wait for the feed: a client that went away is noticed within it.
const FEED_WAIT: Duration = Duration::from_secs(15);
/// Bytes of a job's log that are shown.
const LOG_TAIL_BYTES: usize = 64 << 10;
/// Characters of a title, description or item somebody gives.
const TEXT_CHARS_MAX: usize = 50_000;
/// Tries to hand an input to a run whose task is just ending.
const HANDOVER_TRIES: usize = 8;

#[async_trait]
impl RunService for Runtime {
    async fn start(&self, request: StartRequest) -> Result<RunSummary, ServiceError> {
        let runtime = self.clone();
        // A client that goes away meanwhile must not leave a run that is stored and that nobody drives.
        let started = tokio::spawn(async move { runtime.start_once(request).await });
        started.await.unwrap_or_else(|error| Err(ServiceError::Internal(chain(&error))))
    }

    async fn check_pipeline(&self, text: &str, file: &str) -> Result<(), ServiceError> {
        let kinds = Arc::clone(&*self.shared.kinds.read().await);
        kinds.pipeline(text, file).map(drop)
    }

    async fn list(&self, query: RunQuery) -> Result<RunPage, ServiceError> {
        self.list_page(query).await
    }

    async fn get(&self, run: &RunId) -> Result<RunView, ServiceError> {
        let recorded = self.recorded(run).await?;
        let mut view = recorded.run.view(recorded.seq);
        for (shown, step) in view.steps.iter_mut().zip(recorded.run.steps()) {
            if let Phase::Job(order) = &step.phase {
                shown.job_progress = self.shared.outside.jobs.progress(&order.key).await;
            }
        }
        Ok(view)
    }

    async fn act(&self, run: &RunId, action: RunAction, by: &str) -> Result<RunSummary, ServiceError> {
        let input = self.input_of(run, action, by).await?;
        let recorded = self.send(run, input).await?;
        self.shared.extend_lease(recorded.run.spec()).await;
        Ok(recorded.run.summary())
    }

    async fn timeline(&self, run: &RunId, after: u64) -> Result<Vec<TimelineEntry>, ServiceError> {
        let spec = self.shared.spec(run).await.map_err(|error| journal(&error))?;
        let spec = spec.ok_or_else(|| no_such_run(run))?;
        let from = after.saturating_add(1);
        let records =
            self.shared.outside.journal.records(run, from).await.map_err(|error| journal(&error))?;
        let mut entries = Vec::new();
        for (bytes, seq) in records.iter().zip(from..) {
            let record: TurnRecord = serde_json::from_slice(bytes).map_err(|error| {
                ServiceError::Internal(format!(
                    "record {seq} of {run} cannot be read: {error}: see `lockstep verify {run}`"
                ))
            })?;
            entries.extend(timeline(&spec, &record));
        }
        Ok(entries)
    }

    async fn feed(&self, after: u64, limit: usize) -> Result<Vec<FeedItem>, ServiceError> {
        let shared = &self.shared;
        let end = *shared.feed_end.borrow();
        let entries = shared
            .outside
            .journal
            .feed(after, Shared::feed_page(limit))
            .await
            .map_err(|error| journal(&error))?;
        if entries.is_empty() && after < end {
            // The runs of all that came after it are gone: whoever follows goes on behind them.
            return Ok(vec![FeedItem { position: end, entries: Vec::new() }]);
        }
        let mut first: BTreeMap<RunId, u64> = BTreeMap::new();
        for entry in &entries {
            first.entry(entry.run.clone()).and_modify(|seq| *seq = entry.seq.min(*seq)).or_insert(entry.seq);
        }
        let mut stored: BTreeMap<RunId, (Option<Arc<RunSpec>>, Vec<Vec<u8>>)> = BTreeMap::new();
        for (run, from) in &first {
            let records =
                shared.outside.journal.records(run, *from).await.map_err(|error| journal(&error))?;
            let spec = shared.spec(run).await.map_err(|error| journal(&error))?;
            stored.insert(run.clone(), (spec, records));
        }
        let item = |entry: &lockstep_ports::FeedEntry| {
            let entries = stored.get(&entry.run).and_then(|(spec, records)| {
                let at = usize::try_from(entry.seq - first.get(&entry.run)?).ok()?;
                let record: TurnRecord = serde_json::from_slice(records.get(at)?).ok()?;
                Some(timeline(spec.as_ref()?, &record))
            });
            FeedItem { position: entry.position, entries: entries.unwrap_or_default() }
        };
        Ok(entries.iter().map(item).collect())
    }

    async fn feed_end(&self) -> u64 {
        *self.shared.feed_end.borrow()
    }

    async fn feed_beyond(&self, after: u64) {
        let mut end = self.shared.feed_end.subscribe();
        let beyond = end.wait_for(|end| *end > after);
        drop(tokio::time::timeout(FEED_WAIT, beyond).await);
    }

    async fn invocations(
        &self,
        run: &RunId,
        step: Option<&str>,
    ) -> Result<Vec<InvocationView>, ServiceError> {
        let recorded = self.recorded(run).await?;
        let steps = &recorded.run.spec().pipeline.steps;
        if let Some(name) = step {
            find_step(&recorded, name)?;
        }
        let view = |placed: replay::Placed| {
            let def = steps.get(placed.step)?;
            let (seq, number, invocation) = (placed.seq, placed.number, placed.invocation);
            Some(InvocationView { seq, number, step: def.name.clone(), kind: def.kind.clone(), invocation })
        };
        let placed = replay::invocations(self.shared.records(run).await?);
        let wanted = |view: &InvocationView| step.is_none_or(|name| view.step == name);
        Ok(placed.into_iter().filter_map(view).filter(wanted).collect())
    }

    async fn job_log(&self, run: &RunId, step: &str) -> Result<String, ServiceError> {
        let recorded = self.recorded(run).await?;
        let ix = find_step(&recorded, step)?;
        let number = recorded.run.steps()[ix].jobs;
        let key = JobKey { run: run.clone(), step: step.to_owned(), number };
        let log = self.shared.outside.jobs.log_tail(&key, LOG_TAIL_BYTES).await;
        log.ok_or_else(|| ServiceError::NotFound(format!("step {step} of run {run} has no job log")))
    }

    async fn replay(&self, run: &RunId) -> Result<ReplayReport, ServiceError> {
        self.shared.replay(run).await
    }

    async fn verify(&self, run: &RunId) -> Result<VerifyReport, ServiceError> {
        self.shared.verify(run).await
    }
}

enum StartError {
    Service(ServiceError),
    TokenUsed(RunId),
}

impl Runtime {
    async fn start_once(&self, request: StartRequest) -> Result<RunSummary, ServiceError> {
        let (_alone, known) = self.turnstile(request.token.as_deref()).await?;
        if let Some(summary) = known {
            return Ok(summary);
        }
        let token = request.token.clone();
        let spec = Arc::new(self.spec_of(request).await?);
        self.launch(spec, token, None).await
    }

    /// Waits for a start under the same token that is under way, and gives the run that was started under it.
    pub(crate) async fn turnstile(
        &self,
        token: Option<&str>,
    ) -> Result<(Option<tokio::sync::MutexGuard<'_, ()>>, Option<RunSummary>), ServiceError> {
        let Some(token) = token else { return Ok((None, None)) };
        let place = usize::from(Digest::of(token.as_bytes()).bytes()[0]) % STARTING_MAX;
        let alone = self.shared.starting[place].lock().await;
        let known =
            self.shared.outside.journal.started_under(token).await.map_err(|error| journal(&error))?;
        let known = match known {
            Some(run) => Some(self.get(&run).await?.summary),
            None => None,
        };
        Ok((Some(alone), known))
    }

    /// Begins a run, with what that changes on its board.
    pub(crate) async fn launch(
        &self,
        spec: Arc<RunSpec>,
        token: Option<String>,
        board: Option<(Writer, Vec<Change>)>,
    ) -> Result<RunSummary, ServiceError> {
        let shared = &self.shared;
        shared.reserve(&spec).map_err(rejected)?;
        if let Err(error) = shared.lease(&spec).await {
            shared.release(&spec);
            return Err(credentials::refused(&error));
        }
        lock(&shared.launched).insert(spec.id.clone());
        let started = self.first_turn(&spec, token, board).await;
        // From the commit on somebody may act on the run, and so start its task: then all else is up to that.
        let mut live = shared.live.lock().await;
        let is_ours = lock(&shared.launched).remove(&spec.id);
        let started = match started {
            Ok(recorded) if is_ours && recorded.run.status().is_live() => {
                let summary = recorded.run.summary();
                live.insert(spec.id.clone(), actor::spawn(Arc::clone(shared), recorded));
                return Ok(summary);
            }
            started => started.map(|recorded| recorded.run.summary()),
        };
        if is_ours {
            shared.release(&spec);
            shared.end_lease(&spec).await;
        }
        drop(live);
        match started {
            Ok(summary) => Ok(summary),
            Err(StartError::Service(error)) => Err(error),
            Err(StartError::TokenUsed(run)) => Ok(self.get(&run).await?.summary),
        }
    }

    /// Resolves all a run is made from. Every refusal comes before anything is stored (DEVIATIONS D-11).
    async fn spec_of(&self, request: StartRequest) -> Result<RunSpec, ServiceError> {
        let outside = &self.shared.outside;
        let texts = [&request.title, &request.description, &request.item];
        if texts.into_iter().flatten().any(|text| text.chars().count() > TEXT_CHARS_MAX) {
            let message =
                format!("a title, description or item has more than {TEXT_CHARS_MAX} characters: shorten it");
            return Err(ServiceError::Invalid(message));
        }
        let file = request.pipeline_file.as_deref().unwrap_or("pipeline");
        let kinds = Arc::clone(&*self.shared.kinds.read().await);
        let mut pipeline = kinds.pipeline(&request.pipeline, file)?;
        if let Some(pin) = request.pin.filter(|pin| *pin != pipeline.pin) {
            Arc::make_mut(&mut pipeline).pin = pin;
        }
        let base = request.base.as_deref().or(pipeline.base.as_deref());
        let change = outside
            .changes
            .resolve(&request.repository, &request.branch, base)
            .await
            .map_err(change_source)?;
        let title = match request.title {
            Some(title) => title,
            None => outside.changes.subject(&change).await.unwrap_or_else(|| request.branch.clone()),
        };
        let now = outside.clock.now();
        let id = RunId::new(now, outside.clock.unique());
        let item = request.item.unwrap_or(request.branch);
        Ok(RunSpec {
            pins: kinds.pins(&pipeline, &id, &item),
            id,
            item,
            title,
            description: request.description.unwrap_or_default(),
            initiator: request.by.unwrap_or_else(|| "operator".to_owned()),
            context: ItemContext { wired: Some(wired(&pipeline)), ..ItemContext::default() },
            pipeline,
            change,
            created_at: now,
        })
    }

    async fn first_turn(
        &self,
        spec: &Arc<RunSpec>,
        token: Option<String>,
        board: Option<(Writer, Vec<Change>)>,
    ) -> Result<Recorded, StartError> {
        let input = Input::Start(Arc::clone(spec));
        let admission = self.shared.admission(spec, &input, spec.created_at).await;
        let finished = actor::turn(&self.shared, None, spec.created_at, &input, admission).await;
        let finished = finished.map_err(|error| StartError::Service(rejected(error)))?;
        let Some(mut finished) = finished else {
            return Err(StartError::Service(ServiceError::Internal(
                "the start of a run had no effect".to_owned(),
            )));
        };
        let bytes = std::mem::take(&mut finished.bytes);
        let left = Left { before: None, input: &input, finished: &finished };
        match self.shared.commit(left, bytes, token, board).await {
            Ok(position) => {
                self.shared.announce(position);
                Ok(finished.recorded)
            }
            Err(JournalError::TokenUsed { run }) => Err(StartError::TokenUsed(run)),
            Err(error) => Err(StartError::Service(journal(&error))),
        }
    }

    /// The run as it stands: from its task if it is live, else folded from its journal.
    pub(crate) async fn recorded(&self, run: &RunId) -> Result<Arc<Recorded>, ServiceError> {
        let live = self.shared.live.lock().await.get(run).map(LiveRun::state);
        match live {
            Some(recorded) => Ok(recorded),
            None => self.load(run).await.map(Arc::new),
        }
    }

    async fn load(&self, run: &RunId) -> Result<Recorded, ServiceError> {
        if self.shared.outside.journal.row(run).await.map_err(|error| journal(&error))?.is_none() {
            return Err(no_such_run(run));
        }
        let loaded = self.shared.load(run).await.map_err(|error| journal(&error))?;
        loaded.map_err(|error| ServiceError::Internal(format!("{error}: see `lockstep verify {run}`")))
    }

    /// Hands an input to a run, and waits until what follows from it is durable.
    pub(crate) async fn send(&self, run: &RunId, input: Input) -> Result<Arc<Recorded>, ServiceError> {
        for _ in 0..HANDOVER_TRIES {
            let sender = self.task_of(run).await?;
            if let Some(answer) = actor::send(&sender, input.clone()).await {
                return answer;
            }
        }
        Err(ServiceError::Unavailable(format!("run {run} is busy: try again")))
    }

    /// The task of a run, started if the run has ended or was not live.
    pub(crate) async fn task_of(
        &self,
        run: &RunId,
    ) -> Result<tokio::sync::mpsc::Sender<actor::Message>, ServiceError> {
        if *self.shared.stopping.borrow() {
            return Err(ServiceError::Unavailable(
                "the host is going down: try again when it is back".to_owned(),
            ));
        }
        if let Some(problem) = lock(&self.shared.damaged).get(run) {
            return Err(ServiceError::Internal(format!("{problem}: see `lockstep verify {run}`")));
        }
        let mut live = self.shared.live.lock().await;
        if let Some(task) = live.get(run).filter(|task| !task.is_over()) {
            return Ok(task.sender());
        }
        let recorded = self.load(run).await?;
        lock(&self.shared.launched).remove(run);
        let task = actor::spawn(Arc::clone(&self.shared), recorded);
        let sender = task.sender();
        live.insert(run.clone(), task);
        Ok(sender)
    }

    async fn input_of(&self, run: &RunId, action: RunAction, by: &str) -> Result<Input, ServiceError> {
        let by = by.to_owned();
        Ok(match action {
            RunAction::Stop { reason } => Input::Stop { reason, class: None, by },
            RunAction::TearDown => Input::TearDown,
            RunAction::Act { step, action, input } => {
                let step = match step {
                    Some(step) => step,
                    None => only_step_with_actions(&*self.recorded(run).await?)?,
                };
                Input::Act { step, action: StepAction { name: action, input, by } }
            }
            RunAction::Pause => Input::Pause { by, over_budget: false },
            RunAction::Resume => Input::Resume { by },
            RunAction::Retry => Input::Retry { head_commit: self.go_on(run).await?, by },
            RunAction::Restart { step, digest } => {
                let repin = match digest {
                    Some(digest) => Some(Box::new(self.repin_of_step(run, &step, &digest, &by).await?)),
                    None => None,
                };
                Input::Restart { step, head_commit: self.go_on(run).await?, by, repin }
            }
            RunAction::Repin { pins, reason } => {
                Input::Repin(Box::new(self.repin(run, &pins, by, reason).await?))
            }
            RunAction::Answer { question, answer, token } => {
                let question = match question {
                    Some(question) => question,
                    None => only_question(&*self.recorded(run).await?)?,
                };
                Input::Answered { question, answer, token, by }
            }
        })
    }

    /// What must hold before a run goes on anew (DEVIATIONS D-2): its branch is there. Gives the tip of the branch.
    async fn go_on(&self, run: &RunId) -> Result<Option<String>, ServiceError> {
        let recorded = self.recorded(run).await?;
        let change = recorded.run.change();
        let changes = &self.shared.outside.changes;
        let now = changes.resolve(&change.repository, &change.head_branch, Some(&change.base_branch)).await;
        let now = now.map_err(change_source)?;
        Ok(now.head_commit)
    }
}

fn only_question(recorded: &Recorded) -> Result<QuestionId, ServiceError> {
    let id = &recorded.run.spec().id;
    let open = |step: &lockstep_engine::Step| match &step.phase {
        Phase::Question { question, .. } => Some(question.id),
        _ => None,
    };
    let questions: Vec<QuestionId> = recorded.run.steps().iter().filter_map(open).collect();
    match questions.as_slice() {
        [question] => Ok(*question),
        [] => Err(ServiceError::Conflict(format!("run {id} waits for no answer: see `lockstep why {id}`"))),
        several => {
            let names: Vec<String> = several.iter().map(QuestionId::to_string).collect();
            Err(ServiceError::Conflict(format!(
                "run {id} has several open questions: name one of {}",
                names.join(", ")
            )))
        }
    }
}

/// The step that a person can act on, when there is just one.
fn only_step_with_actions(recorded: &Recorded) -> Result<String, ServiceError> {
    let spec = recorded.run.spec();
    let takes_actions = |step: &lockstep_engine::Step| matches!(&step.phase, Phase::Question { question, .. } if !question.actions.is_empty());
    let steps = recorded.run.steps().iter().zip(&spec.pipeline.steps);
    let names: Vec<&str> =
        steps.filter(|(step, _)| takes_actions(step)).map(|(_, def)| def.name.as_str()).collect();
    match names.as_slice() {
        [name] => Ok((*name).to_owned()),
        [] => {
            let id = &spec.id;
            Err(ServiceError::Conflict(format!("run {id} waits for no action: see `lockstep why {id}`")))
        }
        several => Err(ServiceError::Conflict(format!(
            "several steps of run {} take actions: name one of {}",
            spec.id,
            several.join(", ")
        ))),
    }
}

pub(crate) fn find_step(recorded: &Recorded, name: &str) -> Result<usize, ServiceError> {
    let spec = recorded.run.spec();
    spec.pipeline.steps.iter().position(|step| step.name == name).ok_or_else(|| {
        let names: Vec<&str> = spec.pipeline.steps.iter().map(|step| step.name.as_str()).collect();
        ServiceError::NotFound(format!("run {} has no step {name:?}: it has {}", spec.id, names.join(", ")))
    })
}

pub(crate) fn no_such_run(run: &RunId) -> ServiceError {
    ServiceError::NotFound(format!("there is no run {run}: see `lockstep runs list`"))
}

pub(crate) fn rejected(rejected: Rejected) -> ServiceError {
    match rejected {
        Rejected::NotFound(text) => ServiceError::NotFound(text),
        Rejected::Conflict(text) => ServiceError::Conflict(text),
        Rejected::Invalid(text) => ServiceError::Invalid(text),
    }
}

pub(crate) fn journal(error: &JournalError) -> ServiceError {
    match error {
        JournalError::Full { .. } | JournalError::Closed => ServiceError::Unavailable(chain(error)),
        _ => ServiceError::Internal(chain(error)),
    }
}

pub(crate) fn change_source(error: ChangeSourceError) -> ServiceError {
    match error {
        ChangeSourceError::Dirty { .. } => ServiceError::Conflict(error.to_string()),
        _ => ServiceError::Invalid(error.to_string()),
    }
}

/// An error with its sources in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
