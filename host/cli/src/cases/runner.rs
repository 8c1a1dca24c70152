use super::file::{Case, What};
use super::world::World;
use super::{Mismatch, fields, wrong};
use lockstep_ports::{Inspected, StepExecutor};
use lockstep_runtime::backtest::{differences, in_words};
use lockstep_types::{
    Capsule, Descriptor, Grant, Invocation, LogLine, Next, Outcome, StepEvent, StepInput, Transition,
};
use serde::Serialize;

/// What a component made of cases.
#[derive(Serialize)]
pub(crate) struct Tested {
    pub(crate) kind: String,
    pub(crate) version: String,
    pub(crate) digest: lockstep_types::Digest,
    pub(crate) cases: Vec<CaseReport>,
}

/// What it made of one.
#[derive(Serialize)]
pub(crate) struct CaseReport {
    pub(crate) file: String,
    pub(crate) name: String,
    pub(crate) passed: bool,
    /// Those that were made: none after one that differs.
    pub(crate) calls: Vec<CallReport>,
    /// Place in its file, where that can be blessed.
    #[serde(skip)]
    pub(crate) at: Option<usize>,
}

/// What it made of one call.
#[derive(Serialize)]
pub(crate) struct CallReport {
    /// On one line.
    pub(crate) came: String,
    pub(crate) fuel: u64,
    pub(crate) peak_memory: u64,
    /// What is not as expected.
    pub(crate) mismatches: Vec<Mismatch>,
    /// What is wrong beside that, one line each.
    pub(crate) problems: Vec<String>,
    pub(crate) logs: Vec<LogLine>,
    pub(crate) outcome: Outcome,
    /// Whether the case said what has to come out.
    #[serde(skip)]
    pub(crate) was_expected: bool,
}

impl CallReport {
    fn passed(&self) -> bool {
        self.mismatches.is_empty() && self.problems.is_empty()
    }
}

impl Tested {
    pub(crate) fn differing(&self) -> usize {
        self.cases.iter().filter(|case| !case.passed).count()
    }
}

/// Whether the calls of a case can be made of a component that says `descriptor` of itself.
pub(crate) fn check(case: &Case, descriptor: &Descriptor) -> anyhow::Result<()> {
    calls(case, descriptor).map(drop)
}

/// The calls of a written case; none of a recorded one.
fn calls(case: &Case, descriptor: &Descriptor) -> anyhow::Result<Vec<fields::Call>> {
    let What::Written { calls, .. } = &case.what else { return Ok(Vec::new()) };
    let read = calls.iter().map(|call| fields::call(call.clone(), descriptor)).collect::<Result<Vec<_>, _>>();
    read.map_err(|error| wrong(&case.file, Some(&case.name), error))
}

/// Runs cases. A case that cannot be read is an error before the first one is run.
pub(crate) async fn run(
    executor: &dyn StepExecutor,
    component: &Inspected,
    cases: &[Case],
    bless: bool,
) -> anyhow::Result<Vec<CaseReport>> {
    let mut ready = Vec::new();
    for case in cases {
        ready.push(calls(case, &component.descriptor)?);
    }
    let mut reports = Vec::new();
    for (case, calls) in cases.iter().zip(ready) {
        let (calls, at) = match &case.what {
            What::Written { at, .. } => (written(executor, component, calls, bless).await, Some(*at)),
            What::Recorded(capsule) => (vec![recorded(executor, component, capsule).await], None),
        };
        let passed = calls.iter().all(CallReport::passed);
        reports.push(CaseReport { file: case.file.clone(), name: case.name.clone(), passed, calls, at });
    }
    Ok(reports)
}

/// Makes the calls of a case one after the other, each after what the one before left, up to one that differs; all of
/// them if what comes out is to be blessed.
async fn written(
    executor: &dyn StepExecutor,
    component: &Inspected,
    calls: Vec<fields::Call>,
    bless: bool,
) -> Vec<CallReport> {
    let mut reports: Vec<CallReport> = Vec::new();
    let mut before: Option<(StepInput, Transition)> = None;
    for mut call in calls {
        if let Some((input, transition)) = before.take() {
            carry_on(&mut call, &input, transition);
        }
        let input = call.input;
        let made =
            executor.invoke(component.digest, &everything_it_wants(component), input, &call.world).await;
        let mut report = report(&made, &call.world);
        match &call.expect {
            Some(expect) => report.mismatches = expect.mismatches(&made.outcome, made.fuel),
            None if bless => {}
            None => report.problems.push(
                "it does not say what has to come out: add `expect`, or let `--bless` write it".to_owned(),
            ),
        }
        report.was_expected = call.expect.is_some();
        let goes_on = report.passed() || bless;
        reports.push(report);
        match made.outcome {
            Outcome::Transition(transition) if goes_on => before = Some((made.input, *transition)),
            _ => break,
        }
    }
    reports
}

/// What the host would give to the next call of a step: the state, facts and documents the last one left, and the time it
/// waited for.
fn carry_on(call: &mut fields::Call, last: &StepInput, left: Transition) {
    let input = &mut call.input;
    if !call.has_state {
        input.state = Some(left.state);
    }
    if !call.has_now {
        input.run.now = match (&input.event, &left.next) {
            (StepEvent::Due, Next::Wait { ms, .. }) => last.run.now.plus_ms(*ms),
            _ => last.run.now,
        };
    }
    let facts = last.run.facts.iter().chain(&left.facts);
    facts.for_each(|fact| put(&mut input.run.facts, fact.clone(), |fact| &fact.name));
    let documents = last.run.documents.iter().chain(&left.documents);
    documents.for_each(|document| put(&mut input.run.documents, document.clone(), |document| &document.name));
}

/// Puts something in place of what has the same name.
fn put<T>(list: &mut Vec<T>, new: T, name: impl Fn(&T) -> &String) {
    list.retain(|old| name(old) != name(&new));
    list.push(new);
}

/// On the bench there is no operator to ask.
fn everything_it_wants(component: &Inspected) -> Grant {
    Grant { imports: component.imports.clone(), ..Grant::default() }
}

/// Makes a recorded call again: it has to come out as it did, and cost the same if the same component made it.
async fn recorded(executor: &dyn StepExecutor, component: &Inspected, capsule: &Capsule) -> CallReport {
    let world = World::recorded(capsule.observations.clone());
    let grant = everything_it_wants(component);
    let made = executor.invoke(component.digest, &grant, capsule.input.clone(), &world).await;
    let mut report = report(&made, &world);
    let nothing = || "nothing".to_owned();
    let mismatch = |difference: lockstep_ports::FieldDifference| Mismatch {
        field: difference.field,
        expected: difference.recorded.unwrap_or_else(nothing),
        came: difference.candidate.unwrap_or_else(nothing),
    };
    report.mismatches = differences(&capsule.expected, &made.outcome).into_iter().map(mismatch).collect();
    let is_same = made.digest == capsule.digest && made.fingerprint == capsule.fingerprint;
    if is_same && made.fuel != capsule.fuel {
        let (expected, came) = (capsule.fuel.to_string(), made.fuel.to_string());
        report.mismatches.push(Mismatch { field: "fuel".to_owned(), expected, came });
    }
    report
}

fn report(made: &Invocation, world: &World) -> CallReport {
    CallReport {
        came: in_words(&made.outcome),
        fuel: made.fuel,
        peak_memory: made.peak_memory,
        mismatches: Vec::new(),
        problems: world.missing(),
        logs: made.logs.clone(),
        outcome: made.outcome.clone(),
        was_expected: true,
    }
}
