//! The task of one live run: it takes inputs one after another, and is the only one that changes its run.

use crate::board::{Left, Writer};
use crate::credentials;
use crate::observer::LiveObserver;
use crate::runtime::{Drive, Shared};
use lockstep_engine::{Command, Finished, Phase, Recorded, Run, Step, Turn};
use lockstep_ports::{JournalError, ServiceError};
use lockstep_types::{Admission, EffectKey, EffectOrder, Input, JobKey, JobOrder, Rejected, Timestamp};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinHandle};
use tracing::Instrument as _;

/// Inputs that may wait for a run: people and jobs wait for a place, wake-ups are dropped.
const MAILBOX_MAX: usize = 64;
/// Milliseconds before a turn that could not be stored (a full disk) is tried again: soon enough for a person who made
/// room, seldom enough not to fill the log.
const COMMIT_RETRY_MS: u64 = 1000;

type Reply = oneshot::Sender<Result<Arc<Recorded>, ServiceError>>;

pub(crate) struct Message {
    input: Input,
    reply: Option<Reply>,
}

/// The outside of a run's task.
pub(crate) struct LiveRun {
    sender: mpsc::Sender<Message>,
    state: watch::Receiver<Arc<Recorded>>,
    task: JoinHandle<()>,
}

impl LiveRun {
    pub(crate) fn sender(&self) -> mpsc::Sender<Message> {
        self.sender.clone()
    }

    /// The run as it goes on.
    pub(crate) fn follow(&self) -> watch::Receiver<Arc<Recorded>> {
        self.state.clone()
    }

    pub(crate) fn state(&self) -> Arc<Recorded> {
        self.state.borrow().clone()
    }

    /// Whether its task is over though it is still listed: a fault of ours ended it.
    pub(crate) fn is_over(&self) -> bool {
        self.task.is_finished()
    }

    pub(crate) async fn ended(self) {
        drop(self.sender);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the task of a run ended badly");
        }
    }
}

/// Sends an input and waits until what follows from it is durable; none if the task ended before it took the input.
pub(crate) async fn send(
    sender: &mpsc::Sender<Message>,
    input: Input,
) -> Option<Result<Arc<Recorded>, ServiceError>> {
    let (reply, answer) = oneshot::channel();
    sender.send(Message { input, reply: Some(reply) }).await.ok()?;
    answer.await.ok()
}

/// Tells a run that something it waits for may have changed.
pub(crate) fn poke(sender: &mpsc::Sender<Message>) {
    // A full mailbox means that the run is about to look around anyway.
    drop(sender.try_send(Message { input: Input::Poke, reply: None }));
}

/// Keys of the jobs a run waits for.
pub(crate) fn jobs_wanted(run: &Run) -> Vec<JobKey> {
    let key = |command| match command {
        Command::Dispatch(order) => Some(JobOrder::clone(order).key),
        Command::Invoke(_) | Command::Perform(_) => None,
    };
    run.outstanding().into_iter().filter_map(key).collect()
}

/// Whether a step waits for an effect, though a teardown may have to come first.
fn awaits_effect(run: &Run, key: &EffectKey) -> bool {
    let waits = |step: &Step| matches!(&step.phase, Phase::Effect(order) if order.key == *key);
    run.status().is_live() && run.steps().iter().any(waits)
}

pub(crate) fn effects_wanted(run: &Run) -> Vec<EffectKey> {
    let of_steps = run.steps().iter().filter_map(|step| match &step.phase {
        Phase::Effect(order) => Some(&order.key),
        _ => None,
    });
    let of_run = run.outstanding().into_iter().filter_map(|command| match command {
        Command::Perform(order) => Some(&order.key),
        Command::Invoke(_) | Command::Dispatch(_) => None,
    });
    of_steps.chain(of_run).cloned().collect()
}

/// Runs the turn that follows from an input, calling components as it needs them. Nothing is durable yet.
pub(crate) async fn turn(
    shared: &Shared,
    recorded: Option<&Recorded>,
    now: Timestamp,
    input: &Input,
    admission: Admission,
) -> Result<Option<Finished>, Rejected> {
    let mut turn = Turn::begin(recorded, now, input, admission)?;
    while let Some(call) = turn.next_call() {
        let observer = LiveObserver { outside: &shared.outside, run: turn.run(), step: call.step };
        let executor = &shared.outside.executor;
        let invocation = executor.invoke(call.digest, &call.grant, call.input, &observer).await;
        turn.called(call.step, invocation)?;
    }
    Ok(turn.finish())
}

/// Starts the task of a run that is live, or about to be.
pub(crate) fn spawn(shared: Arc<Shared>, recorded: Recorded) -> LiveRun {
    let (sender, mailbox) = mpsc::channel(MAILBOX_MAX);
    let recorded = Arc::new(recorded);
    let (publish, state) = watch::channel(Arc::clone(&recorded));
    let actor = Actor {
        shared,
        recorded,
        publish,
        // The task must not keep its own mailbox open.
        sender: sender.downgrade(),
        mailbox,
        jobs: BTreeMap::new(),
        effects: BTreeMap::new(),
        unstored: VecDeque::new(),
        retry_at: None,
        failing: false,
    };
    LiveRun { sender, state, task: tokio::spawn(actor.run()) }
}

struct Actor {
    shared: Arc<Shared>,
    recorded: Arc<Recorded>,
    publish: watch::Sender<Arc<Recorded>>,
    sender: mpsc::WeakSender<Message>,
    mailbox: mpsc::Receiver<Message>,
    jobs: BTreeMap<JobKey, AbortHandle>,
    effects: BTreeMap<EffectKey, AbortHandle>,
    /// Ends of jobs and effects whose turn could not be stored: nobody sends them again. Each job and effect ends once,
    /// and none begins without a commit.
    unstored: VecDeque<Input>,
    /// When to try again after a failed commit. Until then only people are answered.
    retry_at: Option<Timestamp>,
    /// Whether the last turn could not be stored: said once, not at every try.
    failing: bool,
}

impl Actor {
    async fn run(mut self) {
        let mut stopping = self.shared.stopping.subscribe();
        self.dispatch();
        // A turn cut short by its bound, or a crash before its time, left calls to be made.
        self.tick().await;
        loop {
            // A turn ends early when it made as many calls as one may: the next one goes on.
            let mut seq = None;
            while self.retry_at.is_none() && self.has_calls_left() && seq != Some(self.recorded.seq) {
                seq = Some(self.recorded.seq);
                self.take(Message { input: Input::Tick, reply: None }).await;
            }
            if self.is_over() && self.retire().await {
                return;
            }
            let clock = Arc::clone(&self.shared.outside.clock);
            let wakeup = self.retry_at.or_else(|| self.recorded.run.next_wakeup());
            let message = tokio::select! {
                // In order, so that the same things happening give the same turns.
                biased;
                _ = stopping.wait_for(|stopping| *stopping) => return self.abandon(),
                message = self.mailbox.recv() => match message {
                    Some(message) => Some(message),
                    None => return self.abandon(),
                },
                () = async { clock.sleep_until(wakeup.unwrap_or_default()).await }, if wakeup.is_some() => None,
            };
            match message {
                Some(message) => self.take(message).await,
                None => self.tick().await,
            }
        }
    }

    /// Whether the run has ended and has nothing left to tear down.
    fn is_over(&self) -> bool {
        let run = &self.recorded.run;
        !run.status().is_live() && run.outstanding().is_empty()
    }

    fn has_calls_left(&self) -> bool {
        self.recorded.run.outstanding().iter().any(|command| matches!(command, Command::Invoke(_)))
    }

    /// Time has come: first for what could not be stored.
    async fn tick(&mut self) {
        self.retry_at = None;
        while let Some(input) = self.unstored.pop_front() {
            self.take(Message { input, reply: None }).await;
            if self.retry_at.is_some() {
                return;
            }
        }
        self.take(Message { input: Input::Tick, reply: None }).await;
    }

    /// Takes one input: turn, commit, and only then state, reply and dispatch. A person is told that a turn could not be
    /// stored; what nobody can send again is kept.
    async fn take(&mut self, message: Message) {
        let Message { input, reply } = message;
        if self.retry_at.is_some() && reply.is_none() {
            return self.keep(input);
        }
        let outcome = self.turn(&input).await;
        if let Err(TurnError::Journal(error)) = &outcome {
            if !self.failing {
                tracing::error!(run = %self.recorded.run.spec().id, %error, "a turn could not be stored; trying on");
            }
            self.catch_up(error).await;
        }
        self.failing = matches!(outcome, Err(TurnError::Journal(_)));
        match (outcome, reply) {
            (Ok(()), Some(reply)) => drop(reply.send(Ok(Arc::clone(&self.recorded)))),
            (Err(error), Some(reply)) => drop(reply.send(Err(error.into()))),
            (Ok(()), None) => {}
            (Err(TurnError::Rejected(error)), None) => {
                tracing::debug!(run = %self.recorded.run.spec().id, %error, "an input was not taken");
            }
            (Err(TurnError::Journal(_)), None) => self.keep(input),
        }
    }

    fn keep(&mut self, input: Input) {
        match input {
            // Time comes again by itself, and a lost wake-up only costs a poll interval.
            Input::Tick | Input::Poke => {}
            _ => self.unstored.push_back(input),
        }
        let later = self.shared.outside.clock.now().plus_ms(COMMIT_RETRY_MS);
        self.retry_at = Some(self.retry_at.unwrap_or(later));
    }

    /// After a commit that did not continue what is stored, goes on from what is stored.
    async fn catch_up(&mut self, error: &JournalError) {
        if !matches!(error, JournalError::Conflict { .. }) {
            return;
        }
        if let Ok(Ok(recorded)) = self.shared.load(&self.recorded.run.spec().id).await {
            let before = jobs_wanted(&self.recorded.run);
            self.recorded = Arc::new(recorded);
            self.publish.send_replace(Arc::clone(&self.recorded));
            self.stop_unwanted(before);
            self.dispatch();
        }
    }

    /// An ended run that is to go on needs its item for itself, before anything of it begins.
    async fn turn(&mut self, input: &Input) -> Result<(), TurnError> {
        let shared = Arc::clone(&self.shared);
        let migrated = shared.with_migrations(&self.recorded, input).await?;
        let input = migrated.as_ref().unwrap_or(input);
        let is_live = self.recorded.run.status().is_live();
        let begins_again = match input {
            Input::Retry { .. } | Input::Restart { .. } => true,
            // A live run has its item, and stays as it was started.
            Input::SendBack { .. } => !is_live,
            _ => false,
        };
        // Held until the turn is durable: nobody else takes the place that was free.
        let writer = match begins_again {
            true => shared.check_again(&self.recorded, input).await?,
            false => None,
        };
        let revives = begins_again && !is_live;
        if revives {
            let spec = self.recorded.run.spec();
            shared.reserve(spec).map_err(TurnError::Rejected)?;
            if let Err(error) = shared.lease(spec).await {
                shared.release(spec);
                return Err(TurnError::Rejected(credentials::not_taken(&error)));
            }
        }
        let id = self.recorded.run.spec().id.as_str();
        let span = tracing::info_span!(target: "lockstep::trace", "turn", run.id = id);
        let outcome = self.turn_of(input, writer).instrument(span).await;
        if !self.recorded.run.status().is_live() {
            // Before anybody is told: whoever hears that it has ended may start another, or this one again.
            shared.release(self.recorded.run.spec());
        }
        outcome
    }

    async fn turn_of(&mut self, input: &Input, writer: Option<Writer>) -> Result<(), TurnError> {
        let now = self.shared.outside.clock.now();
        let admission = self.shared.admission(self.recorded.run.spec(), input, now).await;
        let Some(mut finished) = turn(&self.shared, Some(&self.recorded), now, input, admission).await?
        else {
            return Ok(());
        };
        let bytes = std::mem::take(&mut finished.bytes);
        let left = Left { before: Some(&self.recorded.run), input, finished: &finished };
        let position =
            self.shared.commit(left, bytes, None, writer.map(|writer| (writer, Vec::new()))).await?;
        let mut before = jobs_wanted(&self.recorded.run);
        if let Input::JobSettled { key, .. } = input {
            before.retain(|wanted| wanted != key);
        }
        self.recorded = Arc::new(finished.recorded);
        self.publish.send_replace(Arc::clone(&self.recorded));
        self.shared.announce(position);
        self.stop_unwanted(before);
        self.dispatch();
        self.look_again().await;
        Ok(())
    }

    /// Who lets a component be called again wakes the runs that are held then. This one may be held since, by a turn that
    /// began before.
    async fn look_again(&self) {
        let Some(held_for) = self.recorded.run.held_for() else { return };
        let is_stopped = self.shared.kinds.read().await.stopped().contains_key(&held_for.digest);
        if let (false, Some(sender)) = (is_stopped, self.sender.upgrade()) {
            poke(&sender);
        }
    }

    /// Starts what is asked for and not under way, and forgets what is no longer asked for.
    fn dispatch(&mut self) {
        if self.shared.drive == Drive::Nothing {
            return;
        }
        let recorded = Arc::clone(&self.recorded);
        let (mut jobs, mut effects) = (BTreeMap::new(), BTreeMap::new());
        for command in recorded.run.outstanding() {
            match command {
                Command::Invoke(_) => {}
                Command::Dispatch(order) => {
                    let running = self.jobs.remove(&order.key).unwrap_or_else(|| self.start_job(order));
                    jobs.insert(order.key.clone(), running);
                }
                Command::Perform(order) => {
                    let running = self.effects.remove(&order.key).unwrap_or_else(|| self.start_effect(order));
                    effects.insert(order.key.clone(), running);
                }
            }
        }
        for task in std::mem::replace(&mut self.jobs, jobs).values() {
            task.abort();
        }
        // Those left have settled, or nobody waits for them: whose task is at its end is not ended again.
        for (key, task) in std::mem::replace(&mut self.effects, effects) {
            if !task.is_finished() && !awaits_effect(&recorded.run, &key) {
                let effects = Arc::clone(&self.shared.outside.effects);
                tokio::spawn(async move { effects.stop(&key).await });
            }
        }
    }

    /// Ends the jobs that were asked for before this turn and no longer are.
    fn stop_unwanted(&self, before: Vec<JobKey>) {
        let wanted = jobs_wanted(&self.recorded.run);
        for key in before.into_iter().filter(|key| !wanted.contains(key)) {
            self.shared.stop_job(key);
        }
    }

    fn start_job(&self, order: &JobOrder) -> AbortHandle {
        let (shared, sender, order) = (Arc::clone(&self.shared), self.sender.clone(), order.clone());
        let command = self.recorded.run.spec().pipeline.jobs.get(&order.kind).cloned();
        let task = tokio::spawn(async move {
            let outcome = shared.outside.jobs.carry_out(&order, command.as_ref()).await;
            deliver(&sender, Input::JobSettled { key: order.key, outcome }).await;
        });
        task.abort_handle()
    }

    fn start_effect(&self, order: &EffectOrder) -> AbortHandle {
        let (shared, sender, order) = (Arc::clone(&self.shared), self.sender.clone(), order.clone());
        let command = self.recorded.run.spec().pipeline.effects.get(order.effect.name()).cloned();
        let task = tokio::spawn(async move {
            let outcome = shared.outside.effects.perform(&order, command.as_ref()).await;
            deliver(&sender, Input::EffectSettled { key: order.key, outcome }).await;
        });
        task.abort_handle()
    }

    /// Leaves the table of live runs, unless somebody has sent an input meanwhile (a retry).
    async fn retire(&mut self) -> bool {
        let shared = Arc::clone(&self.shared);
        let mut live = shared.live.lock().await;
        if !self.mailbox.is_empty() {
            return false;
        }
        self.mailbox.close();
        let spec = self.recorded.run.spec();
        shared.outside.checks.forget(&spec.id).await;
        shared.end_lease(spec).await;
        shared.release(spec);
        live.remove(&spec.id);
        true
    }

    /// The host goes down: jobs go on outside and are found again.
    fn abandon(self) {
        for task in self.jobs.values().chain(self.effects.values()) {
            task.abort();
        }
    }
}

async fn deliver(sender: &mpsc::WeakSender<Message>, input: Input) {
    if let Some(sender) = sender.upgrade() {
        // The task is gone only if the host goes down: the outcome is kept outside and found again.
        drop(sender.send(Message { input, reply: None }).await);
    }
}

pub(crate) enum TurnError {
    Rejected(Rejected),
    Journal(JournalError),
}

impl From<Rejected> for TurnError {
    fn from(rejected: Rejected) -> Self {
        Self::Rejected(rejected)
    }
}

impl From<JournalError> for TurnError {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

impl From<TurnError> for ServiceError {
    fn from(error: TurnError) -> Self {
        match error {
            TurnError::Rejected(rejected) => crate::service::rejected(rejected),
            TurnError::Journal(error) => crate::service::journal(&error),
        }
    }
}
