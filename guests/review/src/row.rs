//! The review as it is kept on the item.

use crate::{Config, Gate};
use lockstep_sdk::{Call, NewDocument, RunInfo, StepError, ToleratedSeverity, read_object};
use serde::{Deserialize, Serialize};

/// A review (SPEC RV-6, RV-7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// Its id, the same as long as it is not replaced.
    pub id: String,
    /// Where it stands.
    pub status: Status,
    /// Pass, from 1.
    pub iteration: u32,
    /// Passes before a person has to decide.
    pub max: u32,
    /// What the latest pass found, the gravest first.
    pub findings: Vec<Finding>,
    /// The rewritten text.
    pub document: Option<String>,
    /// What was recommended as replies (SPEC RV-21).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recommendations: Vec<Recommendation>,
    /// When its first pass ended.
    pub created_at: u64,
    /// When it changed last.
    pub updated_at: u64,
}

/// Where a review stands (SPEC RV-6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Its findings wait for a person.
    Ready,
    /// The answers are to be worked in.
    Incorporating,
    /// It is reviewed again.
    Reviewing,
    /// The answers are worked in.
    Merged,
    /// Its passes are spent.
    Exceeded,
    /// Settled.
    Incorporated,
}

/// Something unclear (SPEC RV-2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Its id within the review.
    pub id: String,
    /// What it is.
    pub category: Category,
    /// How grave it is.
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// In full; may be empty.
    pub detail: String,
    /// Where it stands.
    pub status: FindingStatus,
    /// What a person answered.
    pub reply: Option<String>,
    /// When it was found.
    pub created_at: u64,
    /// When it changed last.
    pub updated_at: u64,
}

/// What a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Category {
    /// Something is missing.
    Gap,
    /// Something can be read in two ways.
    Clarification,
    /// Something is taken for granted.
    Assumption,
    /// Something may go wrong.
    Risk,
    /// Anything else.
    Question,
}

/// How grave a finding is; the gravest comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Gravely.
    High,
    /// In between.
    Medium,
    /// Hardly.
    Low,
}

/// Where a finding stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingStatus {
    /// Nobody dealt with it.
    Open,
    /// A person replied.
    Answered,
    /// It is settled.
    Resolved,
    /// It is none.
    Dismissed,
    /// A recommendation is asked for (SPEC RV-21).
    RecommendRequested,
}

/// A reply that was recommended (SPEC RV-21).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recommendation {
    /// Id of the finding it is for.
    pub source_finding: String,
    /// The reply.
    pub recommended_text: String,
    /// What became of it.
    pub status: RecommendationStatus,
    /// What a person said when asking for another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The fragment it rests on, where the model names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grounded_in_fragment: Option<String>,
}

/// What became of a recommendation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecommendationStatus {
    /// A person has to look at it.
    Ready,
    /// It became the reply.
    Accepted,
    /// It did not.
    Rejected,
}

/// What follows from the findings (SPEC RV-5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disposition {
    Settled,
    Exceeded,
    Waiting,
}

impl Finding {
    fn is_outstanding(&self) -> bool {
        !matches!(self.status, FindingStatus::Dismissed | FindingStatus::Resolved)
    }

    /// RV-13: whether it has something to work in.
    fn has_reply(&self) -> bool {
        let is_settled = matches!(self.status, FindingStatus::Answered | FindingStatus::Resolved);
        is_settled && self.reply.as_ref().is_some_and(|reply| !reply.trim().is_empty())
    }
}

impl Row {
    /// The review of the item; none if there never was one.
    pub(crate) fn read(gate: &Gate, run: &RunInfo) -> Result<Option<Self>, StepError> {
        let Some(text) = run.document(gate.document) else { return Ok(None) };
        if text == "null" {
            return Ok(None);
        }
        let name = gate.document;
        let unreadable = |why| StepError::Other(format!("document `{name}` of the item is no review: {why}"));
        read_object(text).map(Some).map_err(unreadable)
    }

    /// RV-7.
    pub(crate) fn first(call: &Call<Config>, findings: Vec<Finding>) -> Self {
        let (run, step) = (&call.run, &call.step);
        Self {
            id: format!("{}.{}.{}", run.id, step.name, step.attempt),
            status: Status::Ready,
            iteration: 1,
            max: call.config.max_iterations.unwrap_or(call.policy.max_review_iterations),
            findings,
            document: None,
            recommendations: Vec::new(),
            created_at: run.now,
            updated_at: run.now,
        }
    }

    /// RV-8: the maximum stays as it was.
    pub(crate) fn next(mut self, findings: Vec<Finding>) -> Self {
        self.iteration = self.iteration.saturating_add(1);
        self.findings = findings;
        self.recommendations.clear();
        self
    }

    /// RV-5; the tolerated severity is the one of now (RV-8, surprising).
    pub(crate) fn disposition(&self, tolerated: ToleratedSeverity) -> Disposition {
        let outstanding = self.findings.iter().filter(|finding| finding.is_outstanding());
        let Some(gravest) = outstanding.map(|finding| finding.severity).min() else {
            return Disposition::Settled;
        };
        let needed = match gravest {
            Severity::Low => ToleratedSeverity::Low,
            Severity::Medium => ToleratedSeverity::Medium,
            Severity::High => ToleratedSeverity::High,
        };
        if needed <= tolerated {
            Disposition::Settled
        } else if self.iteration >= self.max {
            Disposition::Exceeded
        } else {
            Disposition::Waiting
        }
    }

    pub(crate) fn open(&self) -> usize {
        self.findings.iter().filter(|finding| finding.status == FindingStatus::Open).count()
    }

    pub(crate) fn replied(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.has_reply())
    }

    /// As it is to be kept. Only the text of a settled review stands in for the description (SPEC CX-3).
    pub(crate) fn keep(&mut self, gate: &Gate, status: Status, now: u64) -> NewDocument {
        self.status = status;
        self.updated_at = now;
        let document = NewDocument::new(gate.document, self);
        match &self.document {
            Some(text) if status == Status::Incorporated => document.stands_in(text.as_str(), gate.rank),
            _ => document,
        }
    }
}
