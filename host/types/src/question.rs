use crate::{NoticeId, QuestionId, Timestamp};
use serde::{Deserialize, Serialize};

/// What kind of answer a parked step needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum QuestionKind {
    /// A question in the course of the work.
    Decision,
    /// An automatic loop came to its limit.
    Cap,
    /// Findings to be answered.
    Review,
    /// A human tries the change.
    HumanTest,
    /// A human consents to what the step produced; asked by the engine.
    Approval,
}

impl QuestionKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Decision, Self::Cap, Self::Review, Self::HumanTest, Self::Approval];

    /// The word of what a run waits for.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Decision => "decision",
            Self::Cap => "cap",
            Self::Review => "review",
            Self::HumanTest => "human-test",
            Self::Approval => "approval",
        }
    }
}

/// A question that parks a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Question {
    /// Its number within the run.
    pub id: QuestionId,
    /// What kind of answer it needs.
    pub kind: QuestionKind,
    /// The question.
    pub prompt: String,
    /// Choices; empty means free text, or for an approval: approve, request changes, reject.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// The text it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<String>,
    /// Actions that may be taken while it is open; with any it cannot be answered otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<String>,
    /// When it was asked.
    pub asked_at: Timestamp,
}

/// How urgent a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// When there is time.
    Normal,
    /// Now.
    Urgent,
}

/// Whether a notice still wants something (SPEC NT-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum NoticeState {
    /// It waits for somebody.
    Open,
    /// Somebody did what it asks for.
    Acted,
    /// It no longer matters.
    Dismissed,
}

/// A card for a human.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Notice {
    /// Its number within the run.
    pub id: NoticeId,
    /// For example `ci_failed`. One open notice per kind (SPEC NT-2).
    pub kind: String,
    /// The step it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// How urgent.
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// What is needed to act on it.
    pub body: String,
    /// Whether it still wants something.
    pub state: NoticeState,
    /// When it was first raised.
    pub raised_at: Timestamp,
    /// Whether it belongs to the item and no run: the end of a run leaves it open.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_loose: bool,
}
