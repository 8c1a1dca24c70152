//! Components whose every answer is a pure function of the seed, the component and its input.

use crate::outside::lock;
use crate::random::mix;
use async_trait::async_trait;
use lockstep_ports::{Clock, Inspected, LoadError, Observer, StepExecutor};
use lockstep_testkit::{SimClock, samples};
use lockstep_types::{
    Access, Completion, Digest, Document, Effect, EffectOutcome, Fact, FailureClass, Fault, Grant,
    Invocation, ItemStatus, JobOutcome, JobRequest, JsonText, MergeMethod, NewNotice, Next, Observation,
    ObservationRequest, Outcome, QuestionKind, ReworkRequest, Severity, StepEvent, StepInput, Transition,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// Calls after which a step only completes, so that every run ends.
const CALLS_MAX: u64 = 8;
/// Whatever takes time takes some of these milliseconds, so that much of it ends at the same time.
pub(crate) const TICK_MS: u64 = 250;
/// Milliseconds that a slow call takes at most.
const SLOW_MS: u64 = 40;

pub(crate) struct SimExecutor {
    pub(crate) seed: u64,
    pub(crate) clock: Arc<SimClock>,
    /// Whether some calls take time, in which the host may crash.
    pub(crate) is_slow: AtomicBool,
    /// Whether all versions of a component do the same, and take over every state.
    pub(crate) versions_are_alike: bool,
    /// State versions of the components that were looked at.
    pub(crate) versions: Mutex<BTreeMap<Digest, u32>>,
    /// What was found wrong in a call.
    pub(crate) wrong: Mutex<Option<String>>,
}

/// The state of a component: it says which version made it.
#[derive(Serialize, Deserialize)]
struct State {
    version: u32,
    calls: u64,
}

impl SimExecutor {
    pub(crate) fn new(seed: u64, clock: Arc<SimClock>) -> Self {
        Self {
            seed,
            clock,
            is_slow: AtomicBool::new(true),
            versions_are_alike: false,
            versions: Mutex::default(),
            wrong: Mutex::default(),
        }
    }

    fn version(&self, digest: Digest) -> u32 {
        lock(&self.versions).get(&digest).copied().unwrap_or_default()
    }

    /// The calls so far, read from a state that must be of this version.
    fn calls(&self, version: u32, state: Option<&JsonText>) -> u64 {
        let Some(state) = state else { return 0 };
        match state.read::<State>() {
            Ok(state) if state.version == version => state.calls,
            _ => {
                let found = format!("version {version} is given the state {}", state.as_str());
                *lock(&self.wrong) = Some(found);
                0
            }
        }
    }
}

#[async_trait]
impl StepExecutor for SimExecutor {
    async fn inspect(&self, bytes: &[u8]) -> Result<Inspected, LoadError> {
        let inspected = samples::inspected(bytes)?;
        lock(&self.versions).insert(inspected.digest, inspected.descriptor.state_version);
        Ok(inspected)
    }

    async fn invoke(
        &self,
        digest: Digest,
        _grant: &Grant,
        input: StepInput,
        observer: &dyn Observer,
    ) -> Invocation {
        let version = self.version(digest);
        let calls = self.calls(version, input.state.as_ref());
        let component = if self.versions_are_alike { input.step.kind.clone() } else { digest.to_string() };
        let number = calls.to_string();
        let parts = [&input.run.id, &input.step.name, &component, &number, tag(&input.event)];
        let roll = mix(self.seed, &parts);
        if roll.is_multiple_of(12) && self.is_slow.load(Ordering::Relaxed) {
            self.clock.sleep_until(self.clock.now().plus_ms(1 + roll % SLOW_MS)).await;
        }
        let mut observations = Vec::new();
        for (nth, request) in [(3, ObservationRequest::Attempts), (5, ObservationRequest::Checks)] {
            if roll.is_multiple_of(nth) {
                let answer = observer.observe(&request).await;
                observations.push(Observation { request, answer });
            }
        }
        Invocation {
            digest,
            fingerprint: self.fingerprint(),
            outcome: outcome(roll, version, calls, &input),
            input,
            observations,
            logs: Vec::new(),
            fuel: 1000 + roll % 1000,
            peak_memory: 0,
        }
    }

    async fn migrate(&self, digest: Digest, from_version: u32, state: &JsonText) -> Result<JsonText, Fault> {
        let calls = self.calls(from_version, Some(state));
        let roll = mix(self.seed, &[&digest.to_string(), state.as_str()]);
        if roll.is_multiple_of(10) && !self.versions_are_alike {
            let message = "simulated refusal".to_owned();
            return Err(Fault { class: FailureClass::BadOutput, message, backtrace: None });
        }
        Ok(JsonText::of(&State { version: self.version(digest), calls }))
    }

    fn fingerprint(&self) -> Digest {
        Digest::of(b"simulated")
    }
}

fn tag(event: &StepEvent) -> &'static str {
    match event {
        StepEvent::Started(None) => "started",
        StepEvent::Started(Some(_)) => "rework",
        StepEvent::Due => "due",
        StepEvent::JobSettled { outcome: JobOutcome::Done(_), .. } => "job-done",
        StepEvent::JobSettled { .. } => "job-failed",
        StepEvent::Answered(_) => "answered",
        StepEvent::EffectSettled(EffectOutcome::Done(_)) => "effect-done",
        StepEvent::EffectSettled(_) => "effect-failed",
        StepEvent::Acted(_) => "acted",
    }
}

fn outcome(roll: u64, version: u32, calls: u64, input: &StepInput) -> Outcome {
    let percent = roll / 7 % 100;
    let next = match &input.event {
        _ if calls >= CALLS_MAX => complete(input),
        StepEvent::Started(_) => anything(percent, roll, input),
        StepEvent::EffectSettled(EffectOutcome::Done(_)) if percent < 80 => Some(merged(roll)),
        StepEvent::Due | StepEvent::Answered(_) if percent < 50 => complete(input),
        StepEvent::JobSettled { outcome: JobOutcome::Done(_), .. } if percent < 60 => complete(input),
        StepEvent::JobSettled { outcome: JobOutcome::Failed(message), .. } if percent < 10 => {
            Some(Next::Fail { class: FailureClass::JobFailed, message: message.clone(), detail: None })
        }
        _ => anything(roll / 700 % 100, roll, input),
    };
    let Some(next) = next else {
        let message = "simulated trap".to_owned();
        return Outcome::Fault(Fault { class: FailureClass::Trapped, message, backtrace: None });
    };
    let facts = if roll.is_multiple_of(4) { vec![fact(calls)] } else { Vec::new() };
    let notices = if matches!(next, Next::Ask { kind: QuestionKind::Review, .. }) && roll.is_multiple_of(2) {
        vec![notice()]
    } else {
        Vec::new()
    };
    let state = JsonText::of(&State { version, calls: calls + 1 });
    let documents = if roll.is_multiple_of(5) { vec![document(roll)] } else { Vec::new() };
    let beside = Transition { facts, notices, documents, ..Transition::new(state, next) };
    Outcome::Transition(Box::new(beside))
}

fn anything(percent: u64, roll: u64, input: &StepInput) -> Option<Next> {
    let writes = input.step.kind == "writer";
    match percent {
        0..25 => complete(input),
        25..50 => Some(Next::Dispatch(JobRequest {
            kind: "work".to_owned(),
            access: if writes { Access::Write } else { Access::ReadOnly },
            extra_outputs: Vec::new(),
            input: JsonText::null(),
            time_limit_ms: None,
        })),
        50..62 => Some(Next::Wait { ms: TICK_MS * (1 + roll % 20), reason: "time".to_owned() }),
        62..70 => Some(ask(QuestionKind::Decision, &["A", "B"])),
        70..75 => Some(ask(QuestionKind::Review, &["A"])),
        75..85 if writes => {
            let ticket = Effect::OpenTicket(JsonText::of(&roll));
            let effect = if roll.is_multiple_of(3) { ticket } else { Effect::Merge(MergeMethod::Merge) };
            Some(Next::Perform { effect, proposal: Some("do it".to_owned()) })
        }
        85..91 => rework(roll, input),
        91..95 => Some(Next::Skip("nothing to do".to_owned())),
        95..97 => Some(Next::Fail {
            class: FailureClass::Agent,
            message: "simulated failure".to_owned(),
            detail: None,
        }),
        97 => None,
        _ => complete(input),
    }
}

fn complete(input: &StepInput) -> Option<Next> {
    let output = Some(format!("output of {} {}", input.step.name, input.step.attempt));
    Some(Next::Complete(Completion { output, ..Completion::default() }))
}

fn merged(roll: u64) -> Next {
    let item_status = roll.is_multiple_of(2).then_some(ItemStatus::Done);
    Next::Complete(Completion { output: Some("performed".to_owned()), item_status, ..Completion::default() })
}

fn rework(roll: u64, input: &StepInput) -> Option<Next> {
    let outputs = &input.run.outputs;
    let count = u64::try_from(outputs.len()).unwrap_or_default().max(1);
    let Some(producer) = usize::try_from(roll % count).ok().and_then(|at| outputs.get(at)) else {
        return complete(input);
    };
    Some(Next::Rework(ReworkRequest {
        producers: vec![producer.role.clone()],
        feedback: "again".to_owned(),
        comments: Vec::new(),
    }))
}

fn ask(kind: QuestionKind, options: &[&str]) -> Next {
    let options = options.iter().map(|option| (*option).to_owned()).collect();
    Next::Ask { kind, prompt: "which?".to_owned(), options, proposal: None, actions: Vec::new() }
}

fn fact(calls: u64) -> Fact {
    Fact { name: format!("fact-{}", calls % 3), value: JsonText::of(&calls), step: String::new() }
}

fn document(roll: u64) -> Document {
    Document { name: format!("document-{}", roll % 2), value: JsonText::of(&(roll % 1000)), stands_in: None }
}

fn notice() -> NewNotice {
    NewNotice {
        kind: "review_findings".to_owned(),
        severity: Severity::Normal,
        title: "findings".to_owned(),
        body: String::new(),
    }
}
