//! People who start runs, answer, answer again, answer too late, stop and retry; and what they were told.

use crate::board::Deed;
use crate::outside::lock;
use crate::pipeline;
use crate::random::Random;
use lockstep_ports::{RunAction, RunService, ServiceError, StartRequest};
use lockstep_runtime::Runtime;
use lockstep_types::{Answer, Digest, Question, QuestionId, QuestionKind, RunId, RunSummary, RunView};
use std::sync::{Arc, Mutex};

/// Repository of all runs.
pub(crate) const REPOSITORY: &str = "/repository";

/// What people did and what the host said to it. What it did not live to say is not here.
#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) acts: Vec<Act>,
    pub(crate) starts: Vec<Start>,
    pub(crate) deeds: Vec<Deed>,
    /// Beginnings and ends of deeds so far.
    pub(crate) moments: usize,
}

pub(crate) struct Act {
    pub(crate) run: RunId,
    pub(crate) action: RunAction,
    /// Each act has a name of its own.
    pub(crate) by: String,
    pub(crate) told: Result<RunSummary, ServiceError>,
}

pub(crate) struct Start {
    pub(crate) token: String,
    pub(crate) told: Result<RunSummary, ServiceError>,
}

/// Somebody with a name of their own, and what they are about to do.
pub(crate) struct Person {
    pub(crate) runtime: Runtime,
    pub(crate) ledger: Arc<Mutex<Ledger>>,
    pub(crate) by: String,
}

impl Person {
    pub(crate) async fn start(self, request: StartRequest) {
        let token = request.token.clone().unwrap_or_default();
        let told = self.runtime.start(request).await;
        lock(&self.ledger).starts.push(Start { token, told });
    }

    async fn act(&self, run: &RunId, action: RunAction, by: &str) {
        let told = self.runtime.act(run, action.clone(), by).await;
        let (run, by) = (run.clone(), by.to_owned());
        lock(&self.ledger).acts.push(Act { run, action, by, told });
    }

    /// Looks at a run and does something to it, sensible or not.
    pub(crate) async fn meddle(self, run: RunId, mut random: Random) {
        let Ok(view) = self.runtime.get(&run).await else { return };
        let action = action(&view, &mut random);
        self.act(&run, action.clone(), &self.by).await;
        if random.chance(30) {
            self.act(&run, action, &format!("{}-again", self.by)).await;
        }
    }

    /// Does what makes a run go on, if that is up to a person.
    pub(crate) async fn help(self, run: RunId) {
        let Ok(view) = self.runtime.get(&run).await else { return };
        if let Some(action) = helpful(&view) {
            self.act(&run, action, &self.by).await;
        }
    }
}

fn questions(view: &RunView) -> Vec<&Question> {
    view.steps.iter().filter_map(|step| step.question.as_ref()).collect()
}

pub(crate) fn helpful(view: &RunView) -> Option<RunAction> {
    if view.summary.status == lockstep_types::RunStatus::Paused {
        // The host itself resumes those that wait for a budget.
        let is_for_budget = view.summary.waiting.iter().any(|waiting| waiting.on == "budget");
        return (!is_for_budget).then_some(RunAction::Resume);
    }
    let question = *questions(view).first()?;
    Some(answer(question.id, consent(question)))
}

fn consent(question: &Question) -> Answer {
    match question.kind {
        QuestionKind::Approval => Answer::Approve { proposal: None },
        _ => choose(question.options.first().map_or("words", String::as_str)),
    }
}

fn choose(choice: &str) -> Answer {
    Answer::Choose { choice: choice.to_owned(), text: None, comments: Vec::new() }
}

fn answer(question: QuestionId, answer: Answer) -> RunAction {
    let token = Some(format!("answer-{question}"));
    RunAction::Answer { question: Some(question), answer, token }
}

fn action(view: &RunView, random: &mut Random) -> RunAction {
    let open = questions(view);
    if !open.is_empty() && random.chance(70) {
        let question = open[random.index(open.len())];
        return answer(question.id, some_answer(question, random));
    }
    let step = &view.steps[random.index(view.steps.len())];
    match random.below(100) {
        0..10 => RunAction::Pause,
        10..30 => RunAction::Resume,
        30..36 => RunAction::Stop { reason: "enough".to_owned() },
        36..52 => RunAction::Retry,
        52..66 => RunAction::Restart { step: step.name.clone(), digest: None },
        66..70 => {
            let (_, digest) = some_component(random);
            RunAction::Restart { step: step.name.clone(), digest: Some(digest.to_string()) }
        }
        70..85 => repin(random),
        // Too late, too early, or to nothing at all.
        _ => answer(QuestionId(1 + u32::try_from(random.below(4)).unwrap_or_default()), choose("A")),
    }
}

fn repin(random: &mut Random) -> RunAction {
    let (kind, digest) = some_component(random);
    RunAction::Repin { pins: [(kind.to_owned(), digest.to_string())].into(), reason: String::new() }
}

/// One of the components there are, and its kind.
pub(crate) fn some_component(random: &mut Random) -> (&'static str, Digest) {
    let kind = pipeline::KINDS[random.index(pipeline::KINDS.len())];
    let version = u32::try_from(random.below(u64::from(pipeline::VERSIONS))).unwrap_or_default();
    (kind, Digest::of(&pipeline::component(kind, version)))
}

fn some_answer(question: &Question, random: &mut Random) -> Answer {
    match random.below(100) {
        0..70 => consent(question),
        70..85 if question.kind == QuestionKind::Approval => {
            Answer::RequestChanges { feedback: "otherwise".to_owned(), comments: Vec::new() }
        }
        85..90 if question.kind == QuestionKind::Approval => Answer::Reject { reason: String::new() },
        _ => choose("not an option"),
    }
}
