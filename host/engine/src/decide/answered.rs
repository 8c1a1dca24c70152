//! What follows from a person's answer (SPEC section 12, DEVIATIONS D-12).

use super::Decider;
use crate::notices::DECISION_REQUIRED;
use crate::run::Phase;
use lockstep_types::{
    Answer, Comment, Completion, Event, Failure, FailureClass, Held, Question, QuestionId, QuestionKind,
    Rejected, ReworkOrder, RunStatus, StepIx,
};

/// Characters of an edited proposal (SPEC AP-4).
const PROPOSAL_MAX: usize = 50_000;
/// Characters of feedback (SPEC AP-5) and of a free answer.
const FEEDBACK_MAX: usize = 10_000;
/// Characters of a reason (SPEC AP-6).
const REASON_MAX: usize = 2_000;
/// Characters of a comment (SPEC AP-10).
const COMMENT_MAX: usize = 5_000;
/// Comments in one answer: more than a person writes, few enough to hand to a job.
const COMMENTS_MAX: usize = 500;

impl Decider {
    pub(super) fn answered(
        &mut self,
        id: QuestionId,
        answer: &Answer,
        token: Option<&str>,
        by: &str,
    ) -> Result<(), Rejected> {
        if self.is_repeated(id, answer, token)? {
            return Ok(());
        }
        let Some((ix, question)) = self.run.question_of(id) else {
            let text = format!("run {} has no open question {id}: see `lockstep why {0}`", self.run.spec.id);
            return Err(if id.0 <= self.run.questions_asked && id.0 > 0 {
                Rejected::Conflict(text)
            } else {
                Rejected::NotFound(text)
            });
        };
        if self.run.status == RunStatus::Paused && self.run.held_for.is_none() {
            let text = format!("run {} is paused: resume it, then answer", self.run.spec.id);
            return Err(Rejected::Conflict(text));
        }
        fits(question, answer)?;
        within_limits(answer)?;
        let held = match &self.run.steps[ix].phase {
            Phase::Question { held, .. } => held.clone(),
            _ => None,
        };
        let proposal = question.proposal.clone();
        let (answer, token, by) = (answer.clone(), token.map(str::to_owned), by.to_owned());
        self.emit(Event::Answered { step: ix, question: id, answer: answer.clone(), token, by });
        self.dismiss(|kind| kind == DECISION_REQUIRED);
        self.unblock();
        self.follow(ix, answer, held.as_deref(), proposal);
        Ok(())
    }

    /// Whether this answer was taken before, so that it changes nothing; a conflict if another one was.
    fn is_repeated(&self, id: QuestionId, answer: &Answer, token: Option<&str>) -> Result<bool, Rejected> {
        let Some(record) = self.run.answers.iter().find(|record| record.question.id == id) else {
            return Ok(false);
        };
        let same_token = token.is_some() && token == record.token.as_deref() && *answer == record.answer;
        let settled_alike = matches!(
            (&record.answer, answer),
            (Answer::Approve { .. }, Answer::Approve { .. }) | (Answer::Reject { .. }, Answer::Reject { .. })
        );
        if same_token || settled_alike {
            return Ok(true);
        }
        let text = format!("question {id} of run {} was answered before by {}", self.run.spec.id, record.by);
        Err(Rejected::Conflict(text))
    }

    fn follow(&mut self, ix: StepIx, answer: Answer, held: Option<&Held>, proposal: Option<String>) {
        match (answer, held) {
            (Answer::Approve { .. }, Some(Held::Effect(effect))) => self.perform(ix, effect),
            (Answer::Approve { proposal: edited }, Some(held)) => self.let_pass(ix, edited, held),
            (Answer::RequestChanges { feedback, comments }, held) => {
                let completion = held.and_then(Held::completion);
                let producer =
                    completion.and_then(|completion| self.run.producer(ix, &completion.on_behalf_of));
                let by = "human".to_owned();
                match producer {
                    Some(producer) => self.rework(producer, feedback, comments, by),
                    None => {
                        let rework = Some(ReworkOrder { feedback, comments, previous: proposal, by });
                        self.start_step(ix, rework);
                    }
                }
            }
            (Answer::Reject { reason }, _) => {
                let name = &self.run.def(ix).name;
                let message = match reason.trim() {
                    "" => format!("what {name} produced was rejected"),
                    reason => format!("what {name} produced was rejected: {reason}"),
                };
                self.fail(Some(ix), Failure::new(FailureClass::Rejected, message));
            }
            // `Choose` made the step ready; an approval always holds something back.
            (Answer::Choose { .. } | Answer::Approve { .. }, _) => {}
        }
    }

    /// The step ends as it was held back, with what people are told of it (D-3).
    fn let_pass(&mut self, ix: StepIx, edited: Option<String>, held: &Held) {
        if let Held::Decision(_, notices) = held {
            for notice in notices {
                self.raise(Some(ix), notice);
            }
        }
        if let Some(completion) = held.completion() {
            let output = edited.or_else(|| completion.output.clone());
            self.complete_step(ix, Completion { output, ..completion.clone() });
        }
    }
}

fn fits(question: &Question, answer: &Answer) -> Result<(), Rejected> {
    if !question.actions.is_empty() {
        return Err(Rejected::Conflict(format!(
            "question {} is not answered but acted on: take one of the actions {}",
            question.id,
            question.actions.join(", ")
        )));
    }
    match (question.kind, answer) {
        (QuestionKind::Approval, Answer::Choose { .. }) => Err(Rejected::Conflict(format!(
            "question {} is an approval: approve, request changes or reject",
            question.id
        ))),
        (QuestionKind::Approval, _) => Ok(()),
        (_, Answer::Choose { choice, .. })
            if question.options.is_empty() || question.options.contains(choice) =>
        {
            Ok(())
        }
        (_, Answer::Choose { choice, .. }) => Err(Rejected::Invalid(format!(
            "{choice:?} is not an answer to question {}: choose one of {}",
            question.id,
            question.options.join(", ")
        ))),
        _ => {
            Err(Rejected::Conflict(format!("question {} is not an approval: choose an answer", question.id)))
        }
    }
}

fn within_limits(answer: &Answer) -> Result<(), Rejected> {
    let bounded = |what: &str, text: &str, max: usize| {
        if text.chars().count() > max {
            return Err(Rejected::Invalid(format!("the {what} has more than {max} characters: shorten it")));
        }
        Ok(())
    };
    let bounded_comments = |comments: &[Comment]| {
        if comments.len() > COMMENTS_MAX {
            return Err(Rejected::Invalid(format!("more than {COMMENTS_MAX} comments: send fewer")));
        }
        comments.iter().try_for_each(|comment| {
            bounded("comment", &comment.body, COMMENT_MAX)?;
            bounded("quote", comment.quote.as_deref().unwrap_or_default(), PROPOSAL_MAX)
        })
    };
    match answer {
        Answer::Choose { choice, text, comments } => {
            bounded("answer", choice, FEEDBACK_MAX)?;
            bounded("text", text.as_deref().unwrap_or_default(), FEEDBACK_MAX)?;
            bounded_comments(comments)
        }
        Answer::Approve { proposal } => {
            bounded("proposal", proposal.as_deref().unwrap_or_default(), PROPOSAL_MAX)
        }
        Answer::RequestChanges { feedback, comments } => {
            if feedback.trim().is_empty() && comments.is_empty() {
                return Err(Rejected::Invalid("say what to change: give feedback or a comment".to_owned()));
            }
            bounded("feedback", feedback, FEEDBACK_MAX)?;
            bounded_comments(comments)
        }
        Answer::Reject { reason } => bounded("reason", reason, REASON_MAX),
    }
}
