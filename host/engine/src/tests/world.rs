//! A host small enough for tests: components answer from a script, time passes when told, nothing else exists.

use crate::{Call, Command, Recorded, Turn, timeline};
use lockstep_types::{
    Access, Admission, Answer, Change, Completion, Digest, EffectOutcome, Fault, Grant, Input, Invocation,
    ItemContext, JobOutcome, JobRequest, JobResult, JsonText, Migration, Next, Observation, Outcome, Pin,
    Pinning, Pipeline, Policy, QuestionId, QuestionKind, Rejected, Repin, ReworkRequest, RunId, RunSpec,
    StepDef, Stop, Timestamp, Transition, TurnRecord,
};
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::sync::Arc;

/// A step as tests write it: `name`, `name needs a,b`, with `!` for approval, `?` for one that only reads and `+` for one
/// that may merge.
pub(super) fn pipeline(steps: &[&str]) -> Pipeline {
    let mut defs: Vec<StepDef> = Vec::new();
    for (at, text) in steps.iter().enumerate() {
        let (head, needs) =
            text.split_once(" needs ").map_or((*text, None), |(head, needs)| (head, Some(needs)));
        let name = head.trim_end_matches(['!', '?', '+']).to_owned();
        let position = |need: &str| defs.iter().position(|def: &StepDef| def.name == need).unwrap();
        let needs = match needs {
            Some("nothing") => Vec::new(),
            Some(needs) => needs.split(',').map(position).collect(),
            None => at.checked_sub(1).into_iter().collect(),
        };
        let kind = match head {
            head if head.contains('?') => "reader",
            head if head.contains('+') => "merger",
            _ => "writer",
        };
        defs.push(StepDef {
            role: name.clone(),
            name,
            kind: kind.to_owned(),
            needs,
            approval: head.contains('!'),
            gating: None,
            config: JsonText::of(&serde_json::json!({})),
        });
    }
    Pipeline {
        name: "p".to_owned(),
        version: String::new(),
        base: None,
        policy: Policy::default(),
        pin: Pinning::Run,
        checks: BTreeMap::new(),
        jobs: BTreeMap::new(),
        effects: BTreeMap::new(),
        observations: BTreeMap::new(),
        steps: defs,
    }
}

/// The components of all kinds, in a version.
pub(super) fn pins(version: &str) -> BTreeMap<String, Pin> {
    let pin = |access, effects: &[&str]| {
        let grant = Grant {
            imports: Vec::new(),
            dirs: Vec::new(),
            jobs: vec!["work".to_owned(), "{role}".to_owned()],
            effects: effects.iter().map(|effect| (*effect).to_owned()).collect(),
        };
        Pin { digest: Digest::of(version.as_bytes()), grant: Arc::new(grant), access, is_canary: false }
    };
    [
        ("writer".to_owned(), pin(Access::Write, &["provision"])),
        ("merger".to_owned(), pin(Access::Write, &["merge", "provision"])),
        ("reader".to_owned(), pin(Access::ReadOnly, &["provision"])),
    ]
    .into()
}

pub(super) fn spec(pipeline: Pipeline) -> RunSpec {
    RunSpec {
        id: "run-1".parse().unwrap(),
        item: "task".to_owned(),
        title: "Do the thing".to_owned(),
        description: String::new(),
        initiator: "somebody".to_owned(),
        pipeline: Arc::new(pipeline),
        pins: pins("component"),
        change: Change {
            repository: "/repo".to_owned(),
            base_branch: "main".to_owned(),
            head_branch: "work".to_owned(),
            head_commit: Some("aaaaaaaaaaaaaaaa".to_owned()),
            pull_request: None,
        },
        context: ItemContext::default(),
        created_at: Timestamp(1000),
    }
}

pub(super) fn complete(output: &str) -> Next {
    Next::Complete(Completion { output: Some(output.to_owned()), ..Completion::default() })
}

pub(super) fn dispatch(kind: &str) -> Next {
    Next::Dispatch(JobRequest {
        kind: kind.to_owned(),
        access: Access::Write,
        extra_outputs: Vec::new(),
        input: JsonText::null(),
        time_limit_ms: None,
    })
}

pub(super) fn rework(producer: &str, feedback: &str) -> Next {
    let producers = vec![producer.to_owned()];
    Next::Rework(ReworkRequest { producers, feedback: feedback.to_owned(), comments: Vec::new() })
}

pub(super) fn ask(kind: QuestionKind, options: &[&str]) -> Next {
    let options = options.iter().map(|option| (*option).to_owned()).collect();
    Next::Ask { kind, prompt: "which?".to_owned(), options, proposal: None, actions: Vec::new() }
}

pub(super) fn done(output: &str) -> JobOutcome {
    JobOutcome::Done(JobResult { output: output.to_owned(), ..JobResult::default() })
}

/// The state a component leaves: it knows its own.
fn state(attempt: u32, digest: Digest) -> JsonText {
    JsonText::of(&serde_json::json!({ "attempt": attempt, "by": digest.to_string() }))
}

/// What a scripted component says next.
#[derive(Clone, Debug)]
pub(super) enum Says {
    Transition(Box<Transition>),
    Fault(Fault),
}

impl From<Next> for Says {
    fn from(next: Next) -> Self {
        Transition::new(JsonText::null(), next).into()
    }
}

impl From<Transition> for Says {
    fn from(transition: Transition) -> Self {
        Self::Transition(Box::new(transition))
    }
}

pub(super) struct World {
    pub(super) recorded: Option<Recorded>,
    pub(super) records: Vec<Vec<u8>>,
    pub(super) turns: Vec<TurnRecord>,
    pub(super) now: Timestamp,
    pub(super) admission: Admission,
    /// What the component that is called next sees.
    pub(super) sees: Vec<Observation>,
    says: BTreeMap<String, VecDeque<Says>>,
    log: String,
}

impl World {
    /// `says`: what the component of each step answers, call by call; after that it completes.
    pub(super) fn new(says: &[(&str, Vec<Says>)]) -> Self {
        let says = says.iter().map(|(step, says)| ((*step).to_owned(), says.clone().into())).collect();
        Self {
            recorded: None,
            records: Vec::new(),
            turns: Vec::new(),
            now: Timestamp(1000),
            admission: Admission::default(),
            sees: Vec::new(),
            says,
            log: String::new(),
        }
    }

    pub(super) fn started(steps: &[&str], says: &[(&str, Vec<Says>)]) -> Self {
        let mut world = Self::new(says);
        world.input(&Input::Start(Arc::new(spec(pipeline(steps)))));
        world
    }

    /// Takes an input, and writes down what became true or why nothing did.
    pub(super) fn input(&mut self, input: &Input) {
        if let Err(rejected) = self.try_input(input) {
            let class = match rejected {
                Rejected::NotFound(_) => "not found",
                Rejected::Conflict(_) => "conflict",
                Rejected::Invalid(_) => "invalid",
            };
            writeln!(self.log, "rejected ({class}): {rejected}").unwrap();
        }
    }

    pub(super) fn try_input(&mut self, input: &Input) -> Result<(), Rejected> {
        let mut turn = Turn::begin(self.recorded.as_ref(), self.now, input, self.admission.clone())?;
        let says_before = self.says.clone();
        while let Some(call) = turn.next_call() {
            let name = call.input.step.name.clone();
            self.check_call(&call);
            let says = self.says.get_mut(&name).and_then(VecDeque::pop_front);
            let outcome = match says.unwrap_or_else(|| complete(&name).into()) {
                Says::Transition(transition) => Outcome::Transition(Box::new(Transition {
                    state: state(call.input.step.attempt, call.digest),
                    ..*transition
                })),
                Says::Fault(fault) => Outcome::Fault(fault),
            };
            let invocation = Invocation {
                digest: call.digest,
                fingerprint: Digest::zero(),
                input: call.input,
                observations: std::mem::take(&mut self.sees),
                logs: Vec::new(),
                outcome,
                fuel: 1,
                peak_memory: 0,
            };
            if let Err(rejected) = turn.called(call.step, invocation) {
                // A component is asked again what was refused, and answers the same.
                self.says = says_before;
                return Err(rejected);
            }
        }
        if let Some(finished) = turn.finish() {
            self.write(&finished.record, finished.recorded.run.spec());
            self.records.push(finished.bytes);
            self.turns.push(finished.record);
            self.recorded = Some(finished.recorded);
        }
        Ok(())
    }

    /// A component is called on its own states alone, and never while it is stopped.
    fn check_call(&self, call: &Call) {
        assert!(!self.admission.stopped.contains_key(&call.digest), "a stopped component is called");
        if let Some(found) = &call.input.state {
            let by = found.value()["by"].as_str().map(str::to_owned);
            assert_eq!(by, Some(call.digest.to_string()), "it is given the state of another component");
        }
    }

    /// What a host makes of a wish for another version of the components of a kind: every state is migrated.
    pub(super) fn repin(&self, kind: &str, version: &str) -> Repin {
        let pin = pins(version)[kind].clone();
        let migrated = |(step, from, before): (usize, Digest, &JsonText)| {
            let attempt = u32::try_from(before.value()["attempt"].as_u64().unwrap()).unwrap();
            let after = state(attempt, pin.digest);
            (from != pin.digest).then(|| Migration {
                step,
                digest: pin.digest,
                from_version: 1,
                before: before.clone(),
                after,
            })
        };
        let migrations = self.run().states_of(kind).filter_map(migrated).collect();
        let pins = [(kind.to_owned(), pin)].into();
        Repin { pins, migrations, by: "ann".to_owned(), reason: "a try".to_owned() }
    }

    /// Moves the pointers of all kinds.
    pub(super) fn activate(&mut self, version: &str) {
        self.admission.active = Arc::new(pins(version));
    }

    pub(super) fn stop(&mut self, version: &str) {
        let digest = Digest::of(version.as_bytes());
        let stop = Stop { digest, by: "bob".to_owned(), at: self.now, reason: "it lies".to_owned() };
        Arc::make_mut(&mut self.admission.stopped).insert(digest, stop);
    }

    pub(super) fn let_go_on(&mut self, version: &str) {
        Arc::make_mut(&mut self.admission.stopped).remove(&Digest::of(version.as_bytes()));
    }

    fn write(&mut self, record: &TurnRecord, spec: &RunSpec) {
        for entry in timeline(spec, record) {
            let step = entry.step.unwrap_or_default();
            writeln!(self.log, "{step:<6} {:<16} {}", entry.what, entry.text).unwrap();
        }
    }

    /// Settles the job or effect the run waits for.
    pub(super) fn settle(&mut self, job: &JobOutcome, effect: &EffectOutcome) {
        let input = match self.run().outstanding().first() {
            Some(Command::Dispatch(order)) => {
                Input::JobSettled { key: order.key.clone(), outcome: job.clone() }
            }
            Some(Command::Perform(order)) => {
                Input::EffectSettled { key: order.key.clone(), outcome: effect.clone() }
            }
            _ => return,
        };
        self.input(&input);
    }

    pub(super) fn job(&mut self, outcome: &JobOutcome) {
        self.settle(outcome, &EffectOutcome::Done(JsonText::null()));
    }

    pub(super) fn answer(&mut self, question: u32, answer: Answer, token: Option<&str>) {
        let (token, by) = (token.map(str::to_owned), "ann".to_owned());
        self.input(&Input::Answered { question: QuestionId(question), answer, token, by });
    }

    pub(super) fn run(&self) -> &crate::Run {
        &self.recorded.as_ref().unwrap().run
    }

    /// Everything written so far, then where the run stands.
    pub(super) fn text(&self) -> String {
        let run = self.run();
        let open = |notice: &&lockstep_types::Notice| notice.state == lockstep_types::NoticeState::Open;
        let notices: Vec<&str> =
            run.notices().iter().filter(open).map(|notice| notice.kind.as_str()).collect();
        let mut text = self.log.clone();
        writeln!(text, "= {} item {:?} notices {notices:?}", run.status().word(), run.item_status()).unwrap();
        text
    }

    /// The run as its journal tells it.
    pub(super) fn replayed(&self, records: usize) -> Recorded {
        let id: RunId = "run-1".parse().unwrap();
        Recorded::replay(&id, self.records[..records].iter().map(Vec::as_slice)).unwrap()
    }
}
