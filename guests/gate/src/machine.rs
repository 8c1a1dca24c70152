use crate::state::{AttemptEntry, AttemptOutcome, FailingCheck, GateState, LastVerdict, Phase};
use lockstep_sdk::text::{at_most, count, missing_executor, short_commit};
use lockstep_sdk::{
    Call, Completion, Event, Failure, FailureClass, JobOutcome, JobRequest, JobSettled, ObserveError,
    StepError, Transition, Waiting,
};

/// Characters of a helper's account kept in the attempt log: enough to see what it tried.
const MAX_ACCOUNT_CHARS: usize = 2_000;

/// What a gate looks at and whom it calls.
pub trait Gate {
    /// Job kind of the helper.
    const HELPER: &'static str;

    /// Kind of the notice raised when the gate gives up.
    const NOTICE: &'static str;

    /// Title of that notice.
    const NOTICE_TITLE: &'static str;

    /// What is looked at, as the subject of a sentence: `CI`.
    const SUBJECT: &'static str;

    /// Looks.
    ///
    /// # Errors
    /// As the host answers.
    fn probe(&self) -> Result<Probe, ObserveError>;

    /// What the helper is to do about it; `attempt` counts from 1 to `of`.
    fn repair(&self, head: Option<&str>, problem: &Problem, attempt: u32, of: u32) -> JobRequest;

    /// What is wrong, as the beginning of the gate's failure: `CI fails: test (failure)`.
    fn broken(&self, problem: Option<&str>) -> String;
}

/// Budgets and intervals of a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Helpers it may dispatch; 0 means none.
    pub max_attempts: u32,
    /// Milliseconds between two looks.
    pub interval_ms: u64,
    /// Looks while it is pending; 0 means it may not wait at all.
    pub max_polls: u32,
    /// Looks in a row that may fail.
    pub read_failure_tolerance: u32,
}

/// What a look saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Head commit; none if the change has none.
    pub head: Option<String>,
    /// What it means.
    pub verdict: Verdict,
}

/// What a look means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The gate is open; the text is the step's output.
    Pass(String),
    /// Not known yet; the text says what it waits for.
    Pending(String),
    /// Something is wrong.
    Fail(Problem),
}

/// Something is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problem {
    /// For the timeline: `2 checks failing`.
    pub headline: String,
    /// What is wrong, kept and told; none where there is nothing to tell (SPEC CF-5).
    pub summary: Option<String>,
    /// Checks that failed.
    pub failing_checks: Vec<FailingCheck>,
    /// What the helper needs beside that: the last lines of a check's output, a path in conflict.
    pub details: Vec<(String, String)>,
}

/// Handles one event of a gate.
///
/// # Errors
/// An event a gate never asked for.
pub fn advance<G: Gate, C>(
    gate: &G,
    call: &Call<C>,
    limits: Limits,
    mut state: GateState,
    event: Event,
) -> Result<Transition<GateState>, StepError> {
    let machine = Machine { gate, limits, now: call.run.now };
    match event {
        Event::Started(_) => {
            // GM-4: a later change of the policy does not move the budget. A rework keeps what was spent.
            state.max_attempts.get_or_insert(limits.max_attempts);
            state.phase = Phase::Checking;
            state.polls = 0;
            state.due_at = None;
            state.read_failures = 0;
            Ok(machine.look(state, true))
        }
        Event::Due => {
            // The host also calls early, when what was waited for may have changed; that is no poll of the budget.
            if state.due_at.is_none_or(|due_at| machine.now >= due_at) {
                state.polls = state.polls.saturating_add(1);
                state.due_at = None;
            }
            Ok(machine.look(state, false))
        }
        Event::JobSettled(job) => Ok(machine.helper_settled(state, job)),
        Event::Answered(_) | Event::EffectSettled(_) | Event::Acted(_) => {
            Err(StepError::unexpected(&event, "a gate looks or has a helper at work"))
        }
    }
}

struct Machine<'a, G> {
    gate: &'a G,
    limits: Limits,
    now: u64,
}

impl<G: Gate> Machine<'_, G> {
    fn look(&self, mut state: GateState, is_first: bool) -> Transition<GateState> {
        let probe = match self.gate.probe() {
            Ok(probe) => probe,
            Err(ObserveError::NotConfigured) => return skipped::<G>(state),
            Err(ObserveError::Failed(why)) => return self.unreadable(state, is_first, &why),
        };
        state.read_failures = 0;
        state.phase = Phase::Checking;
        record(&mut state, &probe);
        let at = short_commit(probe.head.as_deref());
        match probe.verdict {
            Verdict::Pass(output) => {
                let note = format!("{output} at {at}");
                Transition::new(state, Completion::new().output(output)).note(note)
            }
            Verdict::Pending(reason) => {
                let note = match state.polls {
                    0 => format!("{reason} at {at}"),
                    polls => format!("{reason} at {at}; look {polls} of {}", self.limits.max_polls),
                };
                self.wait_or_time_out(state, &reason).note(note)
            }
            Verdict::Fail(problem) => {
                let seen = match &problem.summary {
                    Some(summary) => format!("{} at {at}: {summary}", problem.headline),
                    None => format!("{} at {at}", problem.headline),
                };
                self.repair_or_give_up(state, probe.head.as_deref(), &problem, &seen)
            }
        }
    }

    /// DL-1: the first look must succeed. DL-3: later ones may fail a few times in a row.
    fn unreadable(&self, mut state: GateState, is_first: bool, why: &str) -> Transition<GateState> {
        let subject = G::SUBJECT;
        if is_first {
            let message = format!("{subject} cannot be read: {why}");
            return Transition::new(state, Failure::new(FailureClass::Agent, &message)).note(message);
        }
        state.read_failures = state.read_failures.saturating_add(1);
        let failures = state.read_failures;
        let tolerance = self.limits.read_failure_tolerance;
        if failures >= tolerance {
            let message = format!("{subject} could not be read {failures} times in a row: {why}");
            return Transition::new(state, Failure::new(FailureClass::Timeout, &message)).note(message);
        }
        let note = format!("{subject} could not be read ({failures} of {tolerance} in a row): {why}");
        self.wait_or_time_out(state, &format!("{subject} could not be read: {why}")).note(note)
    }

    /// CI-11, GM-11: the last permitted look is the one that decides.
    fn wait_or_time_out(&self, state: GateState, reason: &str) -> Transition<GateState> {
        if state.polls < self.limits.max_polls {
            return self.wait(state, reason);
        }
        let looks = count(state.polls as usize, "look");
        let message = format!("{} was still not decided after {looks}: {reason}", G::SUBJECT);
        Transition::new(state, Failure::new(FailureClass::Timeout, message))
    }

    /// After an early call the time of the next counted look stays.
    fn wait(&self, mut state: GateState, reason: &str) -> Transition<GateState> {
        let due_at = state.due_at.unwrap_or_else(|| self.now.saturating_add(self.limits.interval_ms));
        state.due_at = Some(due_at);
        Transition::new(state, Waiting::new(due_at.saturating_sub(self.now), reason))
    }

    /// GM-6, GM-8, CI-9.
    fn repair_or_give_up(
        &self,
        mut state: GateState,
        head: Option<&str>,
        problem: &Problem,
        seen: &str,
    ) -> Transition<GateState> {
        let budget = state.max_attempts.unwrap_or(self.limits.max_attempts);
        if state.attempts >= budget {
            let why = match state.attempts {
                0 => "no repair is allowed".to_owned(),
                1 => format!("1 {} attempt was not enough", G::HELPER),
                spent => format!("{spent} {} attempts were not enough", G::HELPER),
            };
            return self.give_up(state, &why).note(format!("{seen}; {why}"));
        }
        state.attempts += 1;
        state.phase = Phase::Working;
        state.due_at = None;
        let attempt = state.attempts;
        let job = self.gate.repair(head, problem, attempt, budget);
        Transition::new(state, job)
            .note(format!("{seen}; {} attempt {attempt} of {budget}", G::HELPER))
            .progress(attempt, budget, format!("{} at work", G::HELPER))
    }

    /// GM-9: the helper is never believed, and its failure never fails the run.
    fn helper_settled(&self, mut state: GateState, job: JobSettled) -> Transition<GateState> {
        state.phase = Phase::Checking;
        let (outcome, account) = match job.outcome {
            JobOutcome::Done(result) => (AttemptOutcome::Completed, result.output),
            JobOutcome::Failed(account) | JobOutcome::Evicted(account) => (AttemptOutcome::Failed, account),
            JobOutcome::NotConfigured(_) => return self.no_helper(state),
        };
        let account = at_most(account.trim(), MAX_ACCOUNT_CHARS);
        let word = if outcome == AttemptOutcome::Completed { "done" } else { "failed" };
        let note = format!("{} attempt {} {word}; looks again", G::HELPER, state.attempts);
        if state.last_failure_summary.is_none() && !account.is_empty() {
            // CF-7: a gate without words of its own shows the helper's, until the next look.
            state.last_failure_summary = Some(account.clone());
        }
        let summary = if account.is_empty() { format!("{} gave no account", G::HELPER) } else { account };
        let (attempt, at, head_sha) = (state.attempts, self.now, state.head_sha.clone());
        state.attempt_log.push(AttemptEntry { attempt, at, outcome, head_sha, summary });
        state.polls = 0;
        state.read_failures = 0;
        self.wait(state, &format!("{} has to look at the repaired change", G::SUBJECT)).note(note)
    }

    /// CI-10, D-14: nobody to repair it is a spent budget, and nothing was attempted.
    fn no_helper(&self, mut state: GateState) -> Transition<GateState> {
        state.attempts = state.attempts.saturating_sub(1);
        let missing = missing_executor(G::HELPER);
        self.give_up(state, &missing).note(missing)
    }

    /// CI-10, D-13, D-14. The state keeps what the last look saw.
    fn give_up(&self, mut state: GateState, why: &str) -> Transition<GateState> {
        state.due_at = None;
        let message = format!("{}; {why}", self.gate.broken(state.last_failure_summary.as_deref()));
        let links: Vec<_> = state.failing_checks.iter().filter_map(|check| check.url.as_deref()).collect();
        let body =
            if links.is_empty() { message.clone() } else { format!("{message}\n{}", links.join("\n")) };
        Transition::new(state, Failure::new(FailureClass::GateExhausted, message)).notice(
            G::NOTICE,
            G::NOTICE_TITLE,
            body,
        )
    }
}

/// GM-3: a gate without a provider lets everything through, and says so.
fn skipped<G: Gate>(state: GateState) -> Transition<GateState> {
    let output = format!("skipped: no provider tells about {}", G::SUBJECT);
    Transition::new(state, Completion::new().output(&output)).note(output)
}

/// GM-5: every look overwrites what the one before saw.
fn record(state: &mut GateState, probe: &Probe) {
    state.head_sha.clone_from(&probe.head);
    state.last_failure_summary = None;
    state.failing_checks.clear();
    state.last_verdict = Some(match &probe.verdict {
        Verdict::Pass(_) => LastVerdict::Pass,
        Verdict::Pending(_) => LastVerdict::Pending,
        Verdict::Fail(problem) => {
            state.last_failure_summary.clone_from(&problem.summary);
            state.failing_checks.clone_from(&problem.failing_checks);
            LastVerdict::Fail
        }
    });
}
