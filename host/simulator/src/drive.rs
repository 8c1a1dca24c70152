//! Driving a run (FORMAT.md section 1.7): one engine, one turn at a time, simulated time.

use crate::agents::{Call, Poll};
use crate::blueprints::BLUEPRINTS;
use crate::mapping::GRADERS;
use crate::outside::{BranchUpdate, Merge};
use crate::runs::RunEntry;
use crate::world::{Refusal, World};
use crate::{Action, SimulationError};
use lockstep_engine::{Command, Finished, Phase, Turn};
use lockstep_types::board::ItemId;
use lockstep_types::{
    Effect, EffectOrder, EffectOutcome, Event, Failure, FailureClass, Input, JobKey, JobOrder, JobOutcome,
    JobResult, JsonText, RunStatus, StepEvent, TimelineEntry,
};
use serde_json::json;

/// Waits after which `drive` advances again.
const HOPS_MAX: u32 = 64;

/// A job that was started and has not settled.
#[derive(Clone, Debug)]
pub(crate) struct JobInFlight {
    key: JobKey,
    call: Call,
}

/// Which components a turn calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Calls {
    /// Those of steps that go on; a step that begins waits for the next advance.
    Following,
    /// The first one whatever it is, then those of steps that go on.
    One,
}

/// Where an advance leaves the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Advanced {
    /// A job or a time is waited for.
    Waiting,
    /// Something can be done at once.
    Ready,
    /// It has ended, is paused or waits for a person.
    Stopped,
}

/// When a job that the engine asked for may be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    /// An advance: agents answer inline unless they are async.
    Advance,
    /// An advance whose errors become outputs (SPEC EN-17).
    Swallowing,
    /// A poll: everything is a job.
    Poll,
}

/// What a poll came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Read {
    Good,
    /// It failed, and everything is as it was before it.
    Failed,
}

impl World<'_> {
    pub(crate) async fn drive(&mut self, action: &Action) -> Result<(), Refusal> {
        let Ok(at) = self.addressed(action) else {
            return Ok(());
        };
        loop {
            match self.advance(at, From::Advance).await? {
                Advanced::Stopped => return Ok(()),
                Advanced::Ready => {}
                Advanced::Waiting => self.wait(at).await?,
            }
        }
    }

    /// Waits for jobs and times until something else is to be done.
    async fn wait(&mut self, at: usize) -> Result<(), Refusal> {
        for _ in 0..HOPS_MAX {
            if self.runs[at].begins_anew {
                return Ok(());
            }
            if self.job_key(at).is_some() {
                self.watch_job(at).await?;
            } else if self.runs[at].run().next_wakeup().is_some() {
                self.watch_timer(at).await?;
            } else {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn watch_job(&mut self, at: usize) -> Result<(), Refusal> {
        let drive = self.scenario.config.drive;
        let (key, mut failures) = (self.job_key(at), 0);
        for _ in 0..drive.job_max_polls {
            self.now = self.now.plus_ms(drive.job_poll_interval_ms);
            let read = self.poll_job(at).await?;
            failures = if read == Read::Good { 0 } else { failures + 1 };
            if self.job_key(at) != key {
                return Ok(());
            }
            if read == Read::Failed && failures >= drive.job_poll_failure_tolerance {
                return self.give_up(at, FailureClass::Timeout, "the job could not be read").await;
            }
        }
        self.give_up(at, FailureClass::Timeout, "the job took too long").await
    }

    /// The looks of a waiting step. The step counts those that were made; one in which a helper could not be started is
    /// counted here, because nothing of it is kept (DL-3).
    async fn watch_timer(&mut self, at: usize) -> Result<(), Refusal> {
        let (drive, mut failures) = (self.scenario.config.drive, 0);
        for _ in 0..drive.ci_max_polls.max(1) {
            let Some(due) = self.runs[at].run().next_wakeup() else {
                return Ok(());
            };
            self.now = match failures {
                0 => self.now.max(due),
                _ => self.now.plus_ms(drive.ci_poll_interval_ms),
            };
            failures = if self.tick(at, From::Poll).await? == Read::Good { 0 } else { failures + 1 };
            if failures > 0 && failures >= drive.job_poll_failure_tolerance {
                return self.give_up(at, FailureClass::Timeout, "the gate could not be read").await;
            }
            if self.job_key(at).is_some() {
                return Ok(());
            }
        }
        let kind = self.runs[at].kind_of(self.runs[at].current());
        if failures > 0 && matches!(kind, "ci-gate" | "conflicts-gate") {
            return self.give_up(at, FailureClass::Timeout, "the gate was still not decided").await;
        }
        Ok(())
    }

    async fn give_up(&mut self, at: usize, class: FailureClass, message: &str) -> Result<(), Refusal> {
        self.input(at, &Input::Fail { failure: Failure::new(class, message) }).await?;
        Ok(self.look()?)
    }

    pub(crate) async fn advance_once(&mut self, action: &Action) -> Result<(), Refusal> {
        let Ok(at) = self.addressed(action) else {
            return Ok(());
        };
        let from = if action.flag("swallow") { From::Swallowing } else { From::Advance };
        self.stage.is_single = true;
        self.advance(at, from).await.map(drop)
    }

    /// What an agent or a model throws within an advance fails the run if somebody drives it; a single advance is refused
    /// (DL-1).
    async fn thrown(&mut self, at: usize, message: String, put_back: bool) -> Result<(), Refusal> {
        let before = self.before_turn.take().filter(|_| put_back || self.stage.is_single);
        if let Some(before) = before {
            self.runs[at] = before;
        }
        if self.stage.is_single {
            return Err(Refusal::Failed(message));
        }
        self.give_up(at, FailureClass::Agent, &message).await
    }

    /// One step of the engine.
    async fn advance(&mut self, at: usize, from: From) -> Result<Advanced, Refusal> {
        self.count_call()?;
        if !self.admit(at).await? {
            return Ok(Advanced::Stopped);
        }
        self.stage.is_admitted = true;
        let advanced = self.advance_admitted(at, from).await;
        self.stage.is_admitted = false;
        advanced
    }

    async fn advance_admitted(&mut self, at: usize, from: From) -> Result<Advanced, Refusal> {
        let ready = |phase: &Phase| matches!(phase, Phase::Ready(_));
        if self.runs[at].run().steps().iter().any(|step| ready(&step.phase)) {
            self.turn(at, &Input::Tick, Calls::One).await?;
            self.go_on(at, from).await?;
        } else if self.runs[at].run().has_timer() {
            self.tick(at, from).await?;
        } else {
            self.go_on(at, from).await?;
        }
        self.look()?;
        let run = self.runs[at].run();
        Ok(if run.status() != RunStatus::Running {
            Advanced::Stopped
        } else if run.steps().iter().any(|step| ready(&step.phase)) {
            Advanced::Ready
        } else {
            Advanced::Waiting
        })
    }

    /// SPEC SP-3: over budget a run is paused at its next advance, and goes on at the one after there is a budget again.
    async fn admit(&mut self, at: usize) -> Result<bool, Refusal> {
        let run = self.runs[at].run();
        let role = run.spec().pipeline.steps.get(self.runs[at].current()).map(|step| step.role.as_str());
        let admitted = self.admission().admits(role.unwrap_or_default());
        let by = "the budget".to_owned();
        match (run.status(), admitted) {
            (RunStatus::Running, true) => Ok(true),
            (RunStatus::Paused, true) => {
                self.input(at, &Input::Resume { by }).await?;
                Ok(true)
            }
            (RunStatus::Running, false) => {
                self.input(at, &Input::Pause { by, over_budget: true }).await?;
                self.look()?;
                Ok(false)
            }
            _ => Ok(false),
        }
    }

    pub(crate) async fn poll_job_once(&mut self, action: &Action) -> Result<(), Refusal> {
        let Ok(at) = self.addressed(action) else {
            return Ok(());
        };
        match self.job_key(at) {
            Some(_) if self.poll_job(at).await? == Read::Failed => {
                Err(Refusal::Failed("the job could not be read".to_owned()))
            }
            _ => Ok(()),
        }
    }

    pub(crate) async fn poll_gate_once(&mut self, action: &Action) -> Result<(), Refusal> {
        let Ok(at) = self.addressed(action) else {
            return Ok(());
        };
        match self.tick(at, From::Poll).await? {
            Read::Good => Ok(()),
            Read::Failed => Err(Refusal::Failed("the gate could not be read".to_owned())),
        }
    }

    /// `gate_exhausted`: the polls of a gate are used up (SPEC GM-11, RH-12).
    pub(crate) async fn gate_exhausted(&mut self, action: &Action) -> Result<(), Refusal> {
        let Ok(at) = self.addressed(action) else {
            return Ok(());
        };
        let entry = &self.runs[at];
        match entry.kind_of(entry.current()) {
            "ci-gate" | "conflicts-gate" | "deployer" if entry.run().has_timer() => {
                self.give_up(at, FailureClass::Timeout, "the gate was still not decided").await
            }
            // It looks once more, and ends only when its own rule says so.
            _ => self.poll_gate_once(action).await,
        }
    }

    /// Every waiting step looks now, whatever its time.
    async fn tick(&mut self, at: usize, from: From) -> Result<Read, Refusal> {
        let before = self.runs[at].clone();
        self.turn(at, &Input::Poke, Calls::Following).await?;
        let read = self.go_on(at, from).await?;
        Ok(self.put_back(at, before, read)?)
    }

    /// Looks at the job of a run once.
    async fn poll_job(&mut self, at: usize) -> Result<Read, Refusal> {
        let before = self.runs[at].clone();
        let is_started = before.job.is_some() || before.begins_anew;
        if !is_started && self.start_job(at, From::Poll).await? == Read::Failed {
            return Ok(self.put_back(at, before, Read::Failed)?);
        }
        let Some(job) = &mut self.runs[at].job else {
            return Ok(Read::Good);
        };
        let outcome = match job.call.poll() {
            Poll::Running => return Ok(Read::Good),
            Poll::Unreadable => return Ok(Read::Failed),
            Poll::Settled(outcome) => outcome,
        };
        let key = job.key.clone();
        self.settle(at, key, outcome).await?;
        let read = self.go_on(at, From::Poll).await?;
        Ok(self.put_back(at, before, read)?)
    }

    /// A poll in which a job could not be started is as if it had not been made.
    fn put_back(&mut self, at: usize, before: RunEntry, read: Read) -> Result<Read, SimulationError> {
        if read == Read::Failed {
            self.runs[at] = before;
        } else {
            self.failing_start = None;
        }
        self.look()?;
        Ok(read)
    }

    /// Carries out what can be done at once: effects, inline calls and starts of jobs.
    async fn go_on(&mut self, at: usize, from: From) -> Result<Read, Refusal> {
        loop {
            self.perform_effects(at).await?;
            let before = self.job_key(at);
            // EV-3: a step's own job that was evicted begins anew with the next advance, a helper at once (reading 15).
            let begins_later = from == From::Poll && self.runs[at].begins_anew;
            if before.is_none() || self.runs[at].job.is_some() || begins_later {
                return Ok(Read::Good);
            }
            let read = self.start_job(at, from).await?;
            if read == Read::Failed || self.job_key(at) == before {
                return Ok(read);
            }
        }
    }

    /// Calls the agent of the job the engine asked for: inline, which settles it, or as a job.
    async fn start_job(&mut self, at: usize, from: From) -> Result<Read, Refusal> {
        let Some((step, order)) = self.job_order(at) else {
            return Ok(Read::Good);
        };
        self.runs[at].begins_anew = false;
        if is_model(&order.kind) {
            return self.call_model(at, order).await;
        }
        let is_helper = order.kind != self.runs[at].run().spec().pipeline.steps[step].role;
        let can_start = self.outside.wired.jobs;
        let is_job = is_helper || from == From::Poll || self.scenario.async_kinds.contains(&order.kind);
        let is_job = is_job && !GRADERS.contains(&order.kind.as_str());
        if is_job && !can_start && is_helper {
            let outcome = JobOutcome::NotConfigured(order.kind.clone());
            self.settle(at, order.key, outcome).await?;
            return Ok(Read::Good);
        }
        let is_job = is_job && can_start;
        let call = self.outside.call(&order.kind);
        let throws = call.throws().map(str::to_owned);
        let start_fails = is_job && throws.is_some();
        let is_known = start_fails && self.failing_start.as_ref() == Some(&order.kind);
        if !is_known {
            self.trace.dispatch(&order.kind, call.n, Some(step), start_fails);
            self.trace.context(&order, call.n);
        }
        match (throws.clone(), from) {
            // DL-1, DL-3: an error of an advance fails the run, one of a poll only makes it a failed poll.
            (Some(_), From::Poll) => {
                let why = throws.unwrap_or_default();
                self.note(
                    at,
                    step,
                    format!("{} could not be started, nothing of this look is kept: {why}", order.kind),
                );
                self.failing_start = Some(order.kind);
                return Ok(Read::Failed);
            }
            (Some(message), From::Swallowing) if !is_job => {
                let result = JobResult { output: message, ..JobResult::default() };
                self.settle(at, order.key, JobOutcome::Done(result)).await?;
            }
            (Some(message), _) => self.thrown(at, message, is_helper).await?,
            (None, _) if is_job => self.runs[at].job = Some(JobInFlight { key: order.key, call }),
            (None, _) => self.settle(at, order.key, call.inline()).await?,
        }
        Ok(Read::Good)
    }

    /// A call of the review model, which is always answered at once.
    async fn call_model(&mut self, at: usize, order: JobOrder) -> Result<Read, Refusal> {
        let Some(call) = self.outside.call_model(&order.kind) else {
            let outcome = JobOutcome::NotConfigured(order.kind.clone());
            self.settle(at, order.key, outcome).await?;
            return Ok(Read::Good);
        };
        self.trace.dispatch(&order.kind, call.n, None, false);
        match call.throws().map(str::to_owned) {
            Some(message) => self.thrown(at, message, false).await?,
            None => self.settle(at, order.key, call.inline()).await?,
        }
        Ok(Read::Good)
    }

    /// Whether the job under way is the step's own and no helper's: only such a one is metered (SPEC EN-9, EN-10).
    fn is_own_job(&self, at: usize) -> bool {
        let steps = &self.runs[at].run().spec().pipeline.steps;
        self.job_order(at).is_some_and(|(step, order)| order.kind == steps[step].role)
    }

    async fn settle(&mut self, at: usize, key: JobKey, outcome: JobOutcome) -> Result<(), Refusal> {
        let is_metered = self.is_own_job(at);
        self.runs[at].job = None;
        if let JobOutcome::Done(result) = &outcome
            && is_metered
            && let Some(usage) = result.usage
        {
            let model = result.model.as_deref().unwrap_or("unknown");
            let changes = self.board.meter(model, usage, self.now);
            self.change(&changes);
        }
        if let JobOutcome::Done(result) = &outcome
            && self.job_order(at).is_some_and(|(_, order)| order.kind == BLUEPRINTS)
        {
            self.map_service(at, result)?;
        }
        self.turn(at, &Input::JobSettled { key, outcome }, Calls::Following).await
    }

    pub(crate) async fn perform_effects(&mut self, at: usize) -> Result<(), Refusal> {
        while let Some(order) = self.effect_order(at) {
            let outcome = self.perform(at, &order);
            let input = Input::EffectSettled { key: order.key.clone(), outcome };
            self.turn(at, &input, Calls::Following).await?;
        }
        Ok(())
    }

    fn perform(&mut self, at: usize, order: &EffectOrder) -> EffectOutcome {
        let wired = self.outside.wired;
        let missing = || EffectOutcome::NotConfigured(order.effect.name().to_owned());
        match &order.effect {
            Effect::Merge(_) => {
                let block = self.runs[at].block.as_str().to_owned();
                match self.outside.merge(order.change.pull_request.as_ref()) {
                    Merge::NotTried(why) => EffectOutcome::NotConfigured(why),
                    Merge::Merged => {
                        self.trace.merge(&block, true);
                        EffectOutcome::Done(JsonText::null())
                    }
                    Merge::Failed(why) => {
                        self.trace.merge(&block, false);
                        EffectOutcome::Failed(why)
                    }
                }
            }
            Effect::UpdateBranch if wired.branch => self.update_branch(),
            Effect::OpenTicket(_) if wired.tracker => {
                self.trace.outside_call("ticket", json!({}));
                self.outside.ticket()
            }
            Effect::Provision { .. } if wired.environment => {
                self.trace.outside_call("provision", json!({}));
                self.outside.provision()
            }
            Effect::Teardown(_) if wired.teardown => {
                self.trace.outside_call("teardown", json!({}));
                if self.outside.teardown() {
                    EffectOutcome::Done(JsonText::null())
                } else {
                    EffectOutcome::Failed("the environment could not be torn down".to_owned())
                }
            }
            Effect::AnnotateIncident(evidence) if wired.incident => {
                let signals = evidence.value()["signals"].clone();
                self.trace.outside_call("incident-enrich", json!({"signals": signals}));
                self.outside.annotate_incident()
            }
            _ => missing(),
        }
    }

    fn update_branch(&mut self) -> EffectOutcome {
        let (word, outcome) = match self.outside.update_branch() {
            BranchUpdate::Merged => {
                ("merged", EffectOutcome::Done(JsonText::of(&json!({"result": "merged"}))))
            }
            BranchUpdate::Noop => ("noop", EffectOutcome::Done(JsonText::of(&json!({"result": "noop"})))),
            BranchUpdate::Conflict => {
                ("conflict", EffectOutcome::Refused("the base branch conflicts with the change".to_owned()))
            }
            BranchUpdate::Failed(why) => ("error", EffectOutcome::Failed(why)),
        };
        self.trace.outside_call("branch-update", json!({"result": word}));
        outcome
    }

    /// One turn of the engine. What became true of it is written down once it is finished, as a commit would make it
    /// visible.
    pub(crate) async fn turn(&mut self, at: usize, input: &Input, calls: Calls) -> Result<(), Refusal> {
        self.count_call()?;
        let mut turn = Turn::begin(Some(&self.runs[at].recorded), self.now, input, self.admission())?;
        let mut may_begin = calls == Calls::One;
        while may_begin || !turn.next_begins() {
            let Some(call) = turn.next_call() else {
                break;
            };
            may_begin = may_begin && !matches!(call.input.event, StepEvent::Started(_));
            let invocation =
                self.executor.invoke(call.digest, &call.imports, call.input, &self.outside).await;
            turn.called(call.step, invocation)?;
        }
        let Some(finished) = turn.finish() else {
            return Ok(());
        };
        let block = self.runs[at].block.clone();
        self.before_turn = Some(self.runs[at].clone());
        self.tell(&block, &finished);
        self.write(at, &finished);
        self.runs[at].recorded = finished.recorded.clone();
        self.forget_abandoned_job(at);
        if finished.record.events.iter().any(is_merged) {
            self.merged_by_run(at)?;
        }
        Ok(())
    }

    /// Keeps a line for people that is in no journal.
    fn note(&mut self, at: usize, step: usize, text: String) {
        let entry = &self.runs[at];
        let spec = entry.run().spec();
        let (run, block) = (spec.id.clone(), entry.block.as_str().to_owned());
        let step = spec.pipeline.steps.get(step).map(|def| def.role.clone());
        let (at, seq, what) = (self.now, entry.recorded.seq, "simulated".to_owned());
        self.timeline.push((self.trace.at(), block, TimelineEntry { run, seq, at, step, what, text }));
    }

    /// Keeps what happened for people.
    pub(crate) fn tell(&mut self, block: &ItemId, finished: &Finished) {
        let line = self.trace.at();
        let spec = finished.recorded.run.spec();
        // Scenarios call steps by what they do, and so does the story.
        let role = |name: String| {
            let def = spec.pipeline.steps.iter().find(|def| def.name == name);
            def.map_or(name, |def| def.role.clone())
        };
        for entry in lockstep_engine::timeline(spec, &finished.record) {
            let step = entry.step.map(role);
            self.timeline.push((line, block.as_str().to_owned(), TimelineEntry { step, ..entry }));
        }
    }

    /// Writes down the effects that events have in the trace.
    fn write(&mut self, at: usize, finished: &Finished) {
        let block = self.runs[at].block.clone();
        for event in &finished.record.events {
            self.runs[at].follow(&mut self.counters, event);
            self.follow_cards(&block, event);
            self.follow_documents(&block, event);
            if let Event::Asked { step, question, .. } = event {
                self.trace.park(block.as_str(), *step, question.kind);
            }
        }
    }

    /// A merge by a run: the module of the item is the board's matter (SPEC BD-9).
    fn merged_by_run(&mut self, at: usize) -> Result<(), Refusal> {
        let (block, status) = (self.runs[at].block.clone(), self.runs[at].run().item_status());
        if status == lockstep_types::ItemStatus::Done {
            self.runs[at].seen_item = status;
            self.merged(&block)?;
        }
        Ok(())
    }

    /// A job nobody waits for any more would be stopped.
    fn forget_abandoned_job(&mut self, at: usize) {
        let key = self.job_key(at);
        let job = &mut self.runs[at].job;
        if job.as_ref().is_some_and(|job| Some(&job.key) != key.as_ref()) {
            *job = None;
        }
    }

    /// Whether a job is asked for and nobody started it.
    pub(crate) fn is_job_due(&self, at: usize) -> bool {
        self.runs[at].job.is_none() && self.job_key(at).is_some()
    }

    fn job_key(&self, at: usize) -> Option<JobKey> {
        self.job_order(at).map(|(_, order)| order.key)
    }

    fn job_order(&self, at: usize) -> Option<(usize, JobOrder)> {
        let run = self.runs[at].run();
        let order = run.outstanding().into_iter().find_map(|command| match command {
            Command::Dispatch(order) => Some(order.clone()),
            Command::Invoke(_) | Command::Perform(_) => None,
        })?;
        let step = run.spec().pipeline.steps.iter().position(|def| def.name == order.key.step)?;
        Some((step, order))
    }

    fn effect_order(&self, at: usize) -> Option<EffectOrder> {
        self.runs[at].run().outstanding().into_iter().find_map(|command| match command {
            Command::Perform(order) => Some(order.clone()),
            Command::Invoke(_) | Command::Dispatch(_) => None,
        })
    }
}

/// Whether a job is a call of the review model.
fn is_model(kind: &str) -> bool {
    ["requirements-", "clarity-"].iter().any(|review| kind.starts_with(review))
}

fn is_merged(event: &Event) -> bool {
    matches!(event, Event::ItemMoved { to: lockstep_types::ItemStatus::Done })
}
