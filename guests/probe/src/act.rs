//! What a well-behaved component may do; the rest is in `fault`.
//!
//! | `do` | what happens |
//! |---|---|
//! | `complete` | completes with `text`, default `ok` |
//! | `skip`, `fail` | skips, fails with the class in `list`, because of `text` |
//! | `wait` | waits `n` ms, then completes |
//! | `count` | waits 1 ms `n` times, counting in its state, then completes with the count |
//! | `dispatch` | a job of the step's role, with `write` access or not; completes with how it ended |
//! | `ask` | asks `text` with the options `list`; completes with the answer |
//! | `perform-merge` | asks for a merge; completes with how it ended |
//! | `rework` | sends a producer of the roles `list` back, the first time; then completes |
//! | `fact`, `notice`, `artifact` | completes and leaves a fact `probe`, a notice `probe`, an artifact |
//! | `observe` | asks everything it can; completes with the answers |
//! | `echo` | completes with what it was told of the run |

use crate::{Config, completed, fault, to};
use lockstep_sdk::bindings::Transition;
use lockstep_sdk::bindings::lockstep::step::log;
use lockstep_sdk::{
    Access, Completion, Effect, EffectOutcome, EffectRequest, Event, Failure, FailureClass, JobOutcome,
    JobRequest, MergeMethod, NewFact, Next, Notice, Question, QuestionKind, ReworkRequest, Severity,
    StepInput, Waiting, checks, environments, history, mergeability, release_health, workspace,
};

pub(crate) fn started(config: &Config, input: &StepInput) -> Result<Transition, String> {
    let next: Next = match config.action.as_str() {
        "complete" => return Ok(completed(config.text("ok"))),
        "skip" => Next::Skip(config.text("told to")),
        "fail" => Failure::new(class(config), config.text("told to")).into(),
        "wait" => Waiting::new(config.n.unwrap_or(1), config.text("told to")).into(),
        "count" => return Ok(count(config, input)),
        "dispatch" => {
            let access = if config.write { Access::Write } else { Access::ReadOnly };
            JobRequest::new(&input.step.role, access).into()
        }
        "ask" => Question::new(QuestionKind::Decision, config.text("Which?")).options(&config.list).into(),
        "perform-merge" => EffectRequest::new(Effect::Merge(MergeMethod::Merge)).proposal("merge it").into(),
        "rework" => return Ok(rework(config, input)),
        "fact" | "notice" | "artifact" => return Ok(leave(config)),
        "observe" => return Ok(completed(observe())),
        "echo" => return Ok(completed(format!("{:?} {:?}", input.run, input.decisions))),
        _ => return fault::commit(config),
    };
    Ok(to("{}", next))
}

/// Whatever it asked for has happened.
pub(crate) fn later(config: &Config, input: &StepInput, event: &Event) -> Transition {
    match event {
        Event::Due if config.action == "count" => count(config, input),
        Event::Started(_) | Event::Due => completed("due".to_owned()),
        Event::JobSettled(job) => match &job.outcome {
            JobOutcome::Done(result) => completed(result.output.clone()),
            JobOutcome::Failed(why) => completed(format!("failed: {why}")),
            JobOutcome::Evicted(why) => completed(format!("evicted: {why}")),
            JobOutcome::NotConfigured(why) => completed(format!("not-configured: {why}")),
        },
        Event::Answered(answer) => completed(answer.choice.clone()),
        Event::Acted(action) => completed(format!("{}: {}", action.name, action.input)),
        Event::EffectSettled(outcome) => match outcome {
            EffectOutcome::Done(json) => completed(format!("done: {json}")),
            EffectOutcome::Refused(why) => completed(format!("refused: {why}")),
            EffectOutcome::Failed(why) => completed(format!("failed: {why}")),
            EffectOutcome::NotConfigured(why) => completed(format!("not-configured: {why}")),
        },
    }
}

fn class(config: &Config) -> FailureClass {
    match config.list.first().map(String::as_str) {
        Some("job-failed") => FailureClass::JobFailed,
        Some("evicted") => FailureClass::Evicted,
        Some("timeout") => FailureClass::Timeout,
        Some("gate-exhausted") => FailureClass::GateExhausted,
        Some("companion-rejected") => FailureClass::CompanionRejected,
        Some("review-rejected") => FailureClass::ReviewRejected,
        Some("cancelled") => FailureClass::Cancelled,
        _ => FailureClass::Agent,
    }
}

/// The state is the count itself.
fn count(config: &Config, input: &StepInput) -> Transition {
    let counted = input.state.as_deref().and_then(|state| state.parse::<u64>().ok()).unwrap_or(0);
    if counted >= config.n.unwrap_or(1) {
        return completed(counted.to_string());
    }
    to((counted + 1).to_string(), Waiting::new(1, "counts"))
}

fn rework(config: &Config, input: &StepInput) -> Transition {
    match input.state {
        Some(_) => completed(config.text("ok")),
        None => to("{}", ReworkRequest::new(config.list.clone(), config.text("again"))),
    }
}

fn leave(config: &Config) -> Transition {
    let mut completion = Completion::new().output("ok");
    if config.action == "artifact" {
        completion = completion.artifact("probe.txt", "text/plain", config.text("content"));
    }
    let mut transition = to("{}", completion);
    transition.note = Some("leaves something".to_owned());
    match config.action.as_str() {
        "fact" => transition.facts.push(NewFact { name: "probe".to_owned(), value: config.text("1") }),
        "notice" => transition.notices.push(Notice {
            kind: "probe".to_owned(),
            severity: Severity::Normal,
            title: config.text("look"),
            body: "a probe raised this".to_owned(),
        }),
        _ => {}
    }
    transition
}

/// Asks everything there is to ask, and logs a line of each level.
fn observe() -> String {
    for level in [log::Level::Debug, log::Level::Info, log::Level::Warn, log::Level::Error] {
        log::write(level, "observing");
    }
    let changed = workspace::changed_files();
    let first = changed.as_ref().ok().and_then(|files| files.first()).map(|file| file.path.clone());
    let content = first.as_ref().map(|path| workspace::read_file(path));
    let diff = first.map(|path| workspace::diff(&path));
    format!(
        "checks {:?}\nmergeability {:?}\nchanged {changed:?}\nfirst {content:?}\ndiff {diff:?}\nattempts {:?}\nhealth {:?}\nevidence {:?}\nenvironment {:?}",
        checks::read(),
        mergeability::read(),
        history::attempts(),
        release_health::read(1),
        release_health::gather(1),
        environments::read("env-1"),
    )
}
