use super::runs::{act, one_token};
use crate::AppState;
use crate::extract::{ClientToken, JsonBody, PathRun};
use crate::problem::{self, Problem};
use axum::Json;
use axum::extract::State;
use lockstep_ports::RunAction;
use lockstep_types::{Answer, Comment, QuestionId, RunSummary};
use schemars::JsonSchema;
use serde::Deserialize;

/// The fields of every answer, flat. A field that does not belong to the answer given is refused: an edited proposal
/// must not get lost because of a slip in its name.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AnswerBody {
    answer: Word,
    question: Option<QuestionId>,
    choice: Option<String>,
    text: Option<String>,
    #[serde(default)]
    comments: Vec<Comment>,
    proposal: Option<String>,
    feedback: Option<String>,
    reason: Option<String>,
    by: Option<String>,
    token: Option<String>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Word {
    Choose,
    Approve,
    RequestChanges,
    Reject,
}

impl Word {
    fn name(self) -> &'static str {
        match self {
            Self::Choose => "choose",
            Self::Approve => "approve",
            Self::RequestChanges => "request-changes",
            Self::Reject => "reject",
        }
    }

    fn takes(self, field: &str) -> bool {
        match self {
            Self::Choose => matches!(field, "choice" | "text" | "comments"),
            Self::Approve => field == "proposal",
            Self::RequestChanges => matches!(field, "feedback" | "comments"),
            Self::Reject => field == "reason",
        }
    }
}

impl AnswerBody {
    fn into_answer(self) -> Result<Answer, Problem> {
        let given = [
            ("choice", self.choice.is_some()),
            ("text", self.text.is_some()),
            ("comments", !self.comments.is_empty()),
            ("proposal", self.proposal.is_some()),
            ("feedback", self.feedback.is_some()),
            ("reason", self.reason.is_some()),
        ];
        let answer = self.answer.name();
        if let Some((field, _)) =
            given.iter().find(|(field, is_given)| *is_given && !self.answer.takes(field))
        {
            let detail = format!("`{field}` does not belong to the answer `{answer}`");
            return Err(Problem::new(problem::INVALID, detail));
        }
        Ok(match self.answer {
            Word::Choose => {
                let Some(choice) = self.choice else {
                    return Err(Problem::new(problem::INVALID, "the answer `choose` needs a `choice`"));
                };
                Answer::Choose { choice, text: self.text, comments: self.comments }
            }
            Word::Approve => Answer::Approve { proposal: self.proposal },
            Word::RequestChanges => Answer::RequestChanges {
                feedback: self.feedback.unwrap_or_default(),
                comments: self.comments,
            },
            Word::Reject => Answer::Reject { reason: self.reason.unwrap_or_default() },
        })
    }
}

pub(super) async fn answer(
    State(state): State<AppState>,
    PathRun(run): PathRun,
    ClientToken(token): ClientToken,
    JsonBody(mut body): JsonBody<AnswerBody>,
) -> super::Answer<Json<RunSummary>> {
    let (question, by) = (body.question, body.by.take());
    let token = one_token(token, body.token.take())?;
    let answer = body.into_answer()?;
    act(&state, run, RunAction::Answer { question, answer, token }, by).await
}
