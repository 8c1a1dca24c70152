use crate::{Frame, text};
use askama::Template;
use lockstep_types::Timestamp;

/// Something that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditLine {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// What.
    pub action: String,
    /// To what.
    pub subject: String,
    /// What exactly, and why.
    pub detail: String,
    /// How it ended; empty: it was done.
    pub outcome: String,
}

/// Who did what, the newest first.
#[derive(Template)]
#[template(path = "library/audit.html")]
pub struct AuditPage {
    /// What is around it.
    pub frame: Frame,
    /// What was done.
    pub lines: Vec<AuditLine>,
    /// Only what holds this is shown.
    pub wanted: String,
    /// Address of what was done before.
    pub next: Option<String>,
}
