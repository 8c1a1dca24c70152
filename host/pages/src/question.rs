//! A question that waits for a person, with what is needed to answer it.

use lockstep_types::{
    NoticeState, Question, QuestionKind, RunStatus, RunView, Severity, StepView, Timestamp,
};
use serde_json::Value;

/// Lines of a proposal that take remarks one by one; for a longer one the remark says which lines it means.
const LINES_MAX: usize = 400;

/// Actions with a form of their own; any other one takes its arguments as JSON.
const KNOWN_ACTIONS: [&str; 14] = [
    "reply",
    "set-status",
    "incorporate",
    "proceed",
    "extra-round",
    "stop-reset",
    "request-recommendation",
    "accept-recommendation",
    "reject-recommendation",
    "confirm",
    "request-fix",
    "pull-main",
    "recreate",
    "destroy",
];

/// A question of a run.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Id of the run.
    pub run: String,
    /// Title of the run.
    pub title: String,
    /// Item of the run.
    pub item: String,
    /// The step that asks.
    pub step: String,
    /// Its kind.
    pub step_kind: String,
    /// The question.
    pub question: Question,
    /// Whether it waited too long.
    pub is_urgent: bool,
    /// Whether the run has to be resumed before it is answered.
    pub is_paused: bool,
    /// The review it is about.
    pub review: Option<Review>,
    /// What is to be tried.
    pub trial: Option<Trial>,
}

impl Asked {
    /// The question a step waits on. `review` is the document of its review, where it is one.
    #[must_use]
    pub fn of(run: &RunView, step: &StepView, review: Option<&Value>) -> Option<Self> {
        let question = step.question.clone()?;
        let summary = &run.summary;
        let urgent = |notice: &lockstep_types::Notice| {
            notice.state == NoticeState::Open
                && notice.severity == Severity::Urgent
                && notice.step.as_ref() == Some(&step.name)
        };
        let state = step.state.as_ref();
        let trial = state.filter(|_| question.kind == QuestionKind::HumanTest).map(Trial::of);
        Some(Self {
            run: summary.id.to_string(),
            title: summary.title.clone(),
            item: summary.item.clone(),
            step: step.name.clone(),
            step_kind: step.kind.clone(),
            is_urgent: run.notices.iter().any(urgent),
            is_paused: summary.status == RunStatus::Paused,
            review: review.map(Review::of),
            trial,
            question,
        })
    }

    /// What tells its forms from those of other questions on a page.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}-{}", self.run, self.question.id)
    }

    pub(crate) fn form(&self, part: &str) -> String {
        format!("{}-{part}", self.key())
    }

    pub(crate) fn is_approval(&self) -> bool {
        self.question.kind == QuestionKind::Approval
    }

    pub(crate) fn wants(&self) -> &'static str {
        crate::text::question(self.question.kind)
    }

    pub(crate) fn takes(&self, action: &str) -> bool {
        self.question.actions.iter().any(|known| known == action)
    }

    pub(crate) fn other_actions(&self) -> Vec<&String> {
        self.question.actions.iter().filter(|action| !KNOWN_ACTIONS.contains(&action.as_str())).collect()
    }

    pub(crate) fn proposal(&self) -> &str {
        self.question.proposal.as_deref().unwrap_or_default()
    }

    /// The lines of the proposal that take remarks, with their numbers from 1.
    pub(crate) fn lines(&self) -> Vec<(usize, &str)> {
        self.proposal().lines().take(LINES_MAX).enumerate().map(|(at, line)| (at + 1, line)).collect()
    }

    pub(crate) fn rows(&self) -> usize {
        self.proposal().lines().count().clamp(6, 24)
    }

    pub(crate) fn asked_at(&self) -> &Timestamp {
        &self.question.asked_at
    }
}

/// A review as it is kept. It is a component's document, so nothing is taken for granted.
#[derive(Clone, Debug, Default)]
pub struct Review {
    /// Where it stands.
    pub status: String,
    /// Pass, from 1.
    pub pass: u64,
    /// Passes before a person has to decide.
    pub max: u64,
    /// What it found.
    pub findings: Vec<Finding>,
    /// The rewritten text.
    pub document: String,
}

/// A finding of a review.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "as the review names them")]
pub struct Finding {
    pub id: String,
    pub title: String,
    pub detail: String,
    pub category: String,
    pub severity: String,
    pub status: String,
    pub reply: String,
    /// What was recommended as a reply, and what became of that.
    pub advice: Vec<(String, String)>,
}

impl Review {
    /// Reads the document of a review.
    #[must_use]
    pub fn of(row: &Value) -> Self {
        let number = |name: &str| row[name].as_u64().unwrap_or(0);
        let finding = |finding: &Value| {
            let advice = list(&row["recommendations"]);
            let advice = advice.filter(|advice| advice["sourceFinding"] == finding["id"]);
            Finding {
                id: said(finding, "id"),
                title: said(finding, "title"),
                detail: said(finding, "detail"),
                category: said(finding, "category"),
                severity: said(finding, "severity"),
                status: said(finding, "status"),
                reply: said(finding, "reply"),
                advice: advice
                    .map(|advice| (said(advice, "recommendedText"), said(advice, "status")))
                    .collect(),
            }
        };
        Self {
            status: said(row, "status"),
            pass: number("iteration"),
            max: number("max"),
            findings: list(&row["findings"]).map(finding).collect(),
            document: said(row, "document"),
        }
    }

    pub(crate) fn open(&self) -> usize {
        self.findings.iter().filter(|finding| finding.is_open()).count()
    }
}

impl Finding {
    pub(crate) fn is_open(&self) -> bool {
        self.status == "open"
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.status == "dismissed" || self.status == "resolved"
    }
}

/// A change that a person is to try, as its step keeps it; nothing is taken for granted.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "as the step names them")]
pub struct Trial {
    pub url: String,
    pub status: String,
    pub expires_at: Option<Timestamp>,
    /// Why there is no environment.
    pub degraded: String,
    pub attempts: u64,
    pub max_attempts: u64,
    /// What helpers did, and what for.
    pub rounds: Vec<(String, String, String)>,
}

impl Trial {
    fn of(state: &Value) -> Self {
        let environment = &state["environment"];
        let round =
            |round: &Value| (said(round, "helperKind"), said(round, "findings"), said(round, "outcome"));
        Self {
            url: said(environment, "url"),
            status: said(environment, "status"),
            expires_at: environment["expiresAt"].as_u64().map(Timestamp),
            degraded: said(state, "degradedReason"),
            attempts: state["attempts"].as_u64().unwrap_or(0),
            max_attempts: state["maxAttempts"].as_u64().unwrap_or(0),
            rounds: list(&state["rounds"]).map(round).collect(),
        }
    }
}

fn said(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
