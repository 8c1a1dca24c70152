//! The rules of names, lines and labels.

use crate::bounds::{LABEL_CHARS_MAX, LABELS_MAX, LINE_CHARS_MAX};
use lockstep_types::{ItemStatus, Rejected};
use std::fmt::Display;

pub(crate) fn invalid(message: impl Into<String>) -> Rejected {
    Rejected::Invalid(message.into())
}

pub(crate) fn conflict(message: impl Into<String>) -> Rejected {
    Rejected::Conflict(message.into())
}

pub(crate) fn unknown(what: &str, id: &impl Display) -> Rejected {
    Rejected::NotFound(format!("there is no {what} {id} on this board: list the {what}s to see their ids"))
}

/// Refuses one more of something when there are as many as there may be.
pub(crate) fn room(what: &str, count: usize, max: usize) -> Result<(), Rejected> {
    if count < max {
        return Ok(());
    }
    Err(conflict(format!(
        "the board has {max} {what}, as many as it may: delete some that are no longer needed"
    )))
}

/// The name without blanks around it, if it has 1 to `max` characters.
pub(crate) fn name(what: &str, text: &str, max: usize) -> Result<String, Rejected> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > max || text.contains(char::is_control) {
        return Err(invalid(format!("the {what} must be one line of 1 to {max} characters")));
    }
    Ok(text.to_owned())
}

/// A value of one line; blank means none.
pub(crate) fn line(what: &str, text: Option<&str>) -> Result<Option<String>, Rejected> {
    match text.map(str::trim) {
        None | Some("") => Ok(None),
        Some(text) => name(what, text, LINE_CHARS_MAX).map(Some),
    }
}

pub(crate) fn at_most(what: &str, text: String, max: usize) -> Result<String, Rejected> {
    if text.chars().count() > max {
        return Err(invalid(format!("the {what} has more than {max} characters: shorten it")));
    }
    Ok(text)
}

/// Labels trimmed, without blanks and repetitions (SPEC PL-6).
pub(crate) fn labels(given: &[String]) -> Result<Vec<String>, Rejected> {
    let mut labels: Vec<String> = Vec::new();
    for label in given.iter().map(|label| label.trim()).filter(|label| !label.is_empty()) {
        let label = name("label", label, LABEL_CHARS_MAX)?;
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    if labels.len() > LABELS_MAX {
        return Err(invalid(format!("there are more than {LABELS_MAX} labels: leave some out")));
    }
    Ok(labels)
}

/// The word of a status in messages, as in stored data.
pub(crate) fn status(status: ItemStatus) -> &'static str {
    match status {
        ItemStatus::Planned => "planned",
        ItemStatus::Ready => "ready",
        ItemStatus::InProgress => "in-progress",
        ItemStatus::Blocked => "blocked",
        ItemStatus::PrReady => "pr-ready",
        ItemStatus::Done => "done",
    }
}
