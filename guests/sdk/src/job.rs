use crate::text::{at_most, first_line, missing_executor};
use crate::{
    Failure, FailureClass, JobOutcome, JobQuestion, JobResult, JobSettled, Next, Question, QuestionKind,
    Transition,
};

/// Characters of a job's own account in a message; the whole is in its detail and its log.
const MESSAGE_CHARS: usize = 300;

/// Characters of a question in a note.
const NOTED_CHARS: usize = 120;

/// Characters of a job's own account kept as a failure's detail.
const DETAIL_CHARS: usize = 8_000;

impl JobSettled {
    /// The result of a job that ended well, or how the step fails for one that did not.
    ///
    /// # Errors
    /// `job-failed` and `evicted` as they say; `agent` when nothing carries out this kind, because a retry
    /// cannot help before the pipeline file is changed.
    pub fn result(self) -> Result<JobResult, Failure> {
        let kind = self.kind;
        let (class, what, account) = match self.outcome {
            JobOutcome::Done(result) => return Ok(result),
            JobOutcome::NotConfigured(_) => {
                return Err(Failure::new(FailureClass::Agent, missing_executor(&kind)));
            }
            JobOutcome::Failed(account) => (FailureClass::JobFailed, "failed", account),
            JobOutcome::Evicted(account) => (FailureClass::Evicted, "was evicted too often", account),
        };
        let said = at_most(first_line(&account), MESSAGE_CHARS);
        let failure = if said.is_empty() {
            Failure::new(class, format!("job `{kind}` {what}"))
        } else {
            Failure::new(class, format!("job `{kind}` {what}: {said}"))
        };
        let is_whole = said == account.trim();
        Err(if is_whole { failure } else { failure.detail(at_most(&account, DETAIL_CHARS)) })
    }
}

/// What a step does instead of going on with a job's result: it fails, or asks a person what the job asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Detour {
    /// What is to happen next.
    pub next: Next,
    /// Why, in one line.
    pub note: String,
}

impl Detour {
    /// The transition that takes it.
    #[must_use]
    pub fn with<S>(self, state: S) -> Transition<S> {
        Transition::new(state, self.next).note(self.note)
    }
}

impl JobSettled {
    /// The result of a job that ended well and asks nothing (SPEC AP-1).
    ///
    /// # Errors
    /// What the step does instead.
    pub fn finished(self) -> Result<JobResult, Box<Detour>> {
        let kind = self.kind.clone();
        let mut result = match self.result() {
            Ok(result) => result,
            Err(failure) => {
                let note = failure.message.clone();
                return Err(Box::new(Detour { next: failure.into(), note }));
            }
        };
        match result.question.take() {
            None => Ok(result),
            Some(question) => {
                let note = format!("{kind} asks: {}", at_most(&question.prompt, NOTED_CHARS));
                Err(Box::new(Detour { next: question.ask(&result.output).into(), note }))
            }
        }
    }
}

impl JobQuestion {
    /// The same question to a person; `output` is what the job had produced when it asked.
    #[must_use]
    pub fn ask(self, output: &str) -> Question {
        Question::new(QuestionKind::Decision, self.prompt).options(self.options).proposal(output)
    }
}
