//! Driving a run (FORMAT.md section 1.7): one engine, one turn at a time, simulated time.

use crate::mapping::GRADERS;
use crate::outside::{Call, Merge, Poll};
use crate::runner::{Refusal, World};
use crate::scenario::Action;
use lockstep_engine::{Command, Phase, Turn};
use lockstep_ports::StepExecutor as _;
use lockstep_types::{
    Effect, EffectOrder, EffectOutcome, Event, Failure, FailureClass, Input, JobKey, JobOrder, JobOutcome,
    JsonText, NoticeState, RunStatus, StepEvent,
};

/// Waits after which `drive` advances again.
const HOPS_MAX: u32 = 64;

/// A job that was started and has not settled.
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
    /// A poll: everything is a job.
    Poll,
}

impl World<'_> {
    pub(crate) async fn drive(&mut self, action: &Action) -> Result<(), Refusal> {
        let Some(at) = self.board.addressed(action.text("run"), action.block()) else {
            return Ok(());
        };
        loop {
            match self.advance(at).await? {
                Advanced::Stopped => return Ok(()),
                Advanced::Ready => {}
                Advanced::Waiting => self.wait(at).await?,
            }
        }
    }

    /// Waits for jobs and times until something else is to be done.
    async fn wait(&mut self, at: usize) -> Result<(), Refusal> {
        for _ in 0..HOPS_MAX {
            if self.waits_for_job(at) {
                self.watch_job(at).await?;
            } else if let Some(due) = self.board.runs[at].run().next_wakeup() {
                // The gate itself counts its looks.
                self.now = self.now.max(due);
                self.tick(at, &Input::Tick).await?;
            } else {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn watch_job(&mut self, at: usize) -> Result<(), Refusal> {
        let drive = self.scenario.config.drive.clone();
        let (key, mut failures) = (self.job_key(at), 0);
        for _ in 0..drive.job_max_polls {
            self.now = self.now.plus_ms(drive.job_poll_interval_ms);
            failures = if self.poll_job(at).await? { 0 } else { failures + 1 };
            if self.job_key(at) != key || !self.waits_for_job(at) {
                return Ok(());
            }
            if failures >= drive.job_poll_failure_tolerance {
                return self.give_up(at, FailureClass::Timeout, "the job could not be read").await;
            }
        }
        self.give_up(at, FailureClass::Timeout, "the job took too long").await
    }

    async fn give_up(&mut self, at: usize, class: FailureClass, message: &str) -> Result<(), Refusal> {
        self.turn(at, &Input::Fail { failure: Failure::new(class, message) }, Calls::Following).await?;
        self.look();
        Ok(())
    }

    /// One step of the engine.
    pub(crate) async fn advance(&mut self, at: usize) -> Result<Advanced, Refusal> {
        self.count_call()?;
        if self.board.runs[at].run().status() != RunStatus::Running {
            return Ok(Advanced::Stopped);
        }
        let ready = |phase: &Phase| matches!(phase, Phase::Ready(_));
        if self.board.runs[at].run().steps().iter().any(|step| ready(&step.phase)) {
            self.turn(at, &Input::Tick, Calls::One).await?;
        }
        self.go_on(at, From::Advance).await?;
        self.look();
        let run = self.board.runs[at].run();
        Ok(if run.status() != RunStatus::Running {
            Advanced::Stopped
        } else if run.steps().iter().any(|step| ready(&step.phase)) {
            Advanced::Ready
        } else {
            Advanced::Waiting
        })
    }

    pub(crate) async fn poll_job_once(&mut self, action: &Action) -> Result<(), Refusal> {
        let at = self.addressed(action)?;
        if self.waits_for_job(at) {
            self.poll_job(at).await?;
        }
        Ok(())
    }

    pub(crate) async fn poll_gate_once(&mut self, action: &Action) -> Result<(), Refusal> {
        let at = self.addressed(action)?;
        self.tick(at, &Input::Poke).await
    }

    async fn tick(&mut self, at: usize, input: &Input) -> Result<(), Refusal> {
        self.turn(at, input, Calls::Following).await?;
        self.go_on(at, From::Poll).await?;
        self.look();
        Ok(())
    }

    /// Looks at the job of a run once; false if nobody could tell.
    async fn poll_job(&mut self, at: usize) -> Result<bool, Refusal> {
        if self.board.runs[at].job.is_none() && !self.start_job(at, From::Poll).await? {
            return Ok(false);
        }
        let Some(job) = &mut self.board.runs[at].job else {
            return Ok(true);
        };
        match job.call.poll() {
            Poll::Running => Ok(true),
            Poll::Unreadable => Ok(false),
            Poll::Settled(outcome) => {
                let key = job.key.clone();
                self.settle(at, key, outcome).await?;
                self.go_on(at, From::Poll).await?;
                self.look();
                Ok(true)
            }
        }
    }

    /// Carries out what can be done at once: effects, inline calls and starts of jobs.
    async fn go_on(&mut self, at: usize, from: From) -> Result<(), Refusal> {
        loop {
            self.perform_effects(at).await?;
            let before = self.job_key(at);
            if before.is_none() || self.board.runs[at].job.is_some() {
                return Ok(());
            }
            let started = self.start_job(at, from).await?;
            if !started || self.job_key(at) == before {
                return Ok(());
            }
        }
    }

    /// Calls the agent of the job the engine asked for: inline, which settles it, or as a job. False if it cannot be
    /// started now.
    async fn start_job(&mut self, at: usize, from: From) -> Result<bool, Refusal> {
        let Some((step, order)) = self.job_order(at) else {
            return Ok(true);
        };
        let def = &self.board.runs[at].run().spec().pipeline.steps[step];
        let is_helper = order.kind != def.role;
        let can_start = self.scenario.wiring.async_executor.unwrap_or(true);
        let is_job = is_helper || from == From::Poll || self.scenario.async_kinds.contains(&order.kind);
        let is_job = is_job && !GRADERS.contains(&order.kind.as_str());
        if is_job && !can_start && is_helper {
            let outcome = JobOutcome::NotConfigured(order.kind.clone());
            self.settle(at, order.key, outcome).await?;
            return Ok(true);
        }
        let is_job = is_job && can_start;
        let call = self.outside.call(&order.kind);
        let throws = call.throws().map(str::to_owned);
        self.trace.dispatch(&order.kind, call.n, step, is_job && throws.is_some());
        self.trace.context(&order, call.n);
        match throws {
            // DL-1, DL-3: an error of an advance fails the run, one of a poll only makes it a failed poll.
            Some(_) if from == From::Poll => return Ok(false),
            Some(message) => self.give_up(at, FailureClass::Agent, &message).await?,
            None if is_job => self.board.runs[at].job = Some(JobInFlight { key: order.key, call }),
            None => self.settle(at, order.key, call.inline()).await?,
        }
        Ok(true)
    }

    async fn settle(&mut self, at: usize, key: JobKey, outcome: JobOutcome) -> Result<(), Refusal> {
        self.board.runs[at].job = None;
        self.turn(at, &Input::JobSettled { key, outcome }, Calls::Following).await
    }

    pub(crate) async fn perform_effects(&mut self, at: usize) -> Result<(), Refusal> {
        while let Some(order) = self.effect_order(at) {
            let outcome = self.perform(at, &order)?;
            let input = Input::EffectSettled { key: order.key, outcome };
            self.turn(at, &input, Calls::Following).await?;
        }
        Ok(())
    }

    fn perform(&mut self, at: usize, order: &EffectOrder) -> Result<EffectOutcome, Refusal> {
        let Effect::Merge(_) = order.effect else {
            let what = format!("effect {}", order.effect.name());
            return Err(crate::RunError::Unsupported(what).into());
        };
        let block = self.board.runs[at].block.clone();
        Ok(match self.outside.merge(order.change.pull_request.as_ref()) {
            Merge::NotTried(why) => EffectOutcome::NotConfigured(why),
            Merge::Merged => {
                self.trace.merge(&block, true);
                EffectOutcome::Done(JsonText::null())
            }
            Merge::Failed(why) => {
                self.trace.merge(&block, false);
                EffectOutcome::Failed(why)
            }
        })
    }

    /// One turn of the engine. What became true of it is written down once it is finished, as a commit would make it
    /// visible.
    pub(crate) async fn turn(&mut self, at: usize, input: &Input, calls: Calls) -> Result<(), Refusal> {
        self.count_call()?;
        let mut turn = Turn::begin(Some(&self.board.runs[at].recorded), self.now, input)?;
        let mut may_begin = calls == Calls::One;
        while let Some(call) = turn.next_call() {
            if matches!(call.input.event, StepEvent::Started(_)) && !may_begin {
                break;
            }
            may_begin = false;
            let sandbox = &self.components.sandbox;
            let invocation = sandbox.invoke(call.digest, &call.imports, call.input, &self.outside).await;
            turn.called(call.step, invocation)?;
        }
        let Some(finished) = turn.finish() else {
            return Ok(());
        };
        for event in &finished.record.events {
            self.board.follow(at, event);
            self.write(at, event);
        }
        self.board.runs[at].recorded = finished.recorded;
        self.forget_abandoned_job(at);
        Ok(())
    }

    fn count_call(&mut self) -> Result<(), Refusal> {
        let left = self.calls_left.checked_sub(1);
        let endless = || crate::RunError::Broken("the engine was called too often".to_owned());
        self.calls_left = left.ok_or_else(endless)?;
        Ok(())
    }

    /// Writes down the effects an event has in the trace.
    fn write(&mut self, at: usize, event: &Event) {
        let heard = self.scenario.wiring.notifications != Some(false);
        let entry = &mut self.board.runs[at];
        let block = entry.block.clone();
        match event {
            Event::Asked { step, question, .. } => self.trace.park(&block, *step, question.kind),
            Event::NoticeRaised(notice) if heard => {
                let known = entry.notices.insert(notice.id, notice.kind.clone());
                if known.is_none() {
                    self.trace.notify(&block, &notice.kind);
                }
            }
            Event::NoticeClosed { id, state } if heard => {
                let how = if *state == NoticeState::Acted { "acted" } else { "dismissed" };
                if let Some(kind) = entry.notices.get(id).cloned() {
                    self.trace.cleared(&block, &kind, how);
                }
            }
            _ => {}
        }
    }

    /// A job nobody waits for any more would be stopped.
    fn forget_abandoned_job(&mut self, at: usize) {
        let key = self.job_key(at);
        let job = &mut self.board.runs[at].job;
        if job.as_ref().is_some_and(|job| Some(&job.key) != key.as_ref()) {
            *job = None;
        }
    }

    fn waits_for_job(&self, at: usize) -> bool {
        self.job_key(at).is_some()
    }

    fn job_key(&self, at: usize) -> Option<JobKey> {
        self.job_order(at).map(|(_, order)| order.key)
    }

    fn job_order(&self, at: usize) -> Option<(usize, JobOrder)> {
        let run = self.board.runs[at].run();
        let order = run.outstanding().into_iter().find_map(|command| match command {
            Command::Dispatch(order) => Some(order.clone()),
            Command::Invoke(_) | Command::Perform(_) => None,
        })?;
        let step = run.spec().pipeline.steps.iter().position(|def| def.name == order.key.step)?;
        Some((step, order))
    }

    fn effect_order(&self, at: usize) -> Option<EffectOrder> {
        self.board.runs[at].run().outstanding().into_iter().find_map(|command| match command {
            Command::Perform(order) => Some(order.clone()),
            Command::Invoke(_) | Command::Dispatch(_) => None,
        })
    }
}
