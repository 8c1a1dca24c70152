//! What payloads are read as: those GitHub documents, and those somebody made up to do harm.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod examples;
mod hostile;
mod own;

use lockstep_hooks::github::read;
use lockstep_hooks::{Happened, Reading};

/// What a payload is read as, in one line.
fn told(event: &str, body: &[u8]) -> String {
    let event = match read(event, body) {
        Ok(Reading::Event(event)) => event,
        Ok(Reading::Ping) => return "ping".to_owned(),
        Ok(Reading::Ignored(why)) => return format!("ignored: {why}"),
        Err(refused) => return format!("refused: {refused}"),
    };
    let what = match event.happened {
        Happened::Labelled { on, labels } => {
            format!("#{} of {} labelled {}", on.number, fork(on.head_branch), labels.join(", "))
        }
        Happened::Commented { number, author, may_write, text } => {
            format!("#{number}: {author} (may write: {may_write}) said {text:?}")
        }
        Happened::CheckSettled { head, name, failed, numbers, branches } => {
            let state = if failed { "failed" } else { "passed" };
            format!("{name} {state} at {:.7}, {numbers:?} {}", head, branches.join(", "))
        }
        Happened::Reviewed { on, review, author, may_write, verdict, text, commit } => {
            let number = on.number;
            format!(
                "#{number}: review {review} by {author} (may write: {may_write}): {verdict:?} of {commit:.7}: {text:?}"
            )
        }
        Happened::Synchronised { on } => format!("#{} moved to {:.7}", on.number, on.head_commit),
        Happened::Closed { on, merged } => format!("#{} closed, merged: {merged}", on.number),
        Happened::Pushed { branch, head } => {
            format!("pushed {branch} to {:.7}", head.as_deref().unwrap_or("nothing"))
        }
        Happened::QueueRejected { number, reason, conflicts, .. } => {
            format!("#{number} rejected by the merge queue: {reason:?}, conflicts: {conflicts}")
        }
    };
    format!("{} by {}: {what}", event.repository, event.sender)
}

fn fork(branch: Option<String>) -> String {
    branch.unwrap_or_else(|| "a fork".to_owned())
}
