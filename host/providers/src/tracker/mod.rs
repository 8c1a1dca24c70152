//! Issue trackers: where `open-ticket` goes that no command of a pipeline performs.
//!
//! A ticket is filed at least once under a key and is there once. What was begun is written down first, so that only a
//! key that was begun before has to be looked for; how that is done is the tracker's.

mod follow;
mod github;
mod linear;

pub use follow::TicketUpdates;
pub use github::GithubIssues;
pub use linear::LinearIssues;

use crate::files::{blocking, create_private_dir, read_json, write_json};
use crate::http::{HttpError, HttpFault};
use crate::jobs::numbered_name;
use async_trait::async_trait;
use lockstep_ports::{Effects, Ticket, Tracker, TrackerError};
use lockstep_types::{Effect, EffectKey, EffectOrder, EffectOutcome, JsonText, ProviderCommand, RunId};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Longest title every tracker takes.
const TITLE_CHARS: usize = 250;

/// Longest body every tracker takes, with room for what is added to it.
const BODY_CHARS: usize = 60_000;

/// Effects with a tracker for the tickets that no command files; all else is done by whoever did it before.
pub struct TrackedEffects {
    others: Arc<dyn Effects>,
    tracker: Arc<dyn Tracker>,
    folder: PathBuf,
}

/// What a step asks a tracker for.
#[derive(Deserialize)]
struct Wanted {
    title: String,
    #[serde(default)]
    body: String,
}

impl TrackedEffects {
    /// `data` is the host's data folder, where filed tickets are kept by their key.
    #[must_use]
    pub fn new(others: Arc<dyn Effects>, tracker: Arc<dyn Tracker>, data: &Path) -> Self {
        Self { others, tracker, folder: data.join("tickets") }
    }

    async fn file(&self, key: &EffectKey, order: &EffectOrder, wanted: &Wanted) -> io::Result<EffectOutcome> {
        let folder = self.folder.join(key.run.as_str());
        let name = numbered_name(&key.step, key.number);
        let (begun, filed) = (folder.join(format!("{name}.begun")), folder.join(format!("{name}.json")));
        if let Some(ticket) = read_json::<Ticket>(&filed)? {
            return Ok(EffectOutcome::Done(JsonText::of(&ticket)));
        }
        let is_first = !begun.exists();
        if is_first {
            let mark = begun.clone();
            blocking(move || {
                create_private_dir(&folder)?;
                write_json(&mark, &true)
            })
            .await?;
        }
        let title = first_chars(&wanted.title, TITLE_CHARS);
        let body = first_chars(&wanted.body, BODY_CHARS);
        let asked_at = order.requested_at;
        match self.tracker.file(&key.to_string(), &title, &body, asked_at, is_first).await {
            Ok(ticket) => {
                let outcome = EffectOutcome::Done(JsonText::of(&ticket));
                blocking(move || write_json(&filed, &ticket)).await?;
                Ok(outcome)
            }
            Err(error) if error.is_temporary => Ok(EffectOutcome::Failed(error.message)),
            Err(error) => Ok(EffectOutcome::Refused(error.message)),
        }
    }
}

#[async_trait]
impl Effects for TrackedEffects {
    async fn perform(&self, order: &EffectOrder, command: Option<&ProviderCommand>) -> EffectOutcome {
        let (Effect::OpenTicket(body), None) = (&order.effect, command) else {
            return self.others.perform(order, command).await;
        };
        let wanted: Wanted = match serde_json::from_str(body.as_str()) {
            Ok(wanted) => wanted,
            Err(error) => return EffectOutcome::Refused(format!("open-ticket: it is no ticket: {error}")),
        };
        self.file(&order.key, order, &wanted).await.unwrap_or_else(|error| {
            EffectOutcome::Failed(format!("open-ticket: the data folder cannot be used: {error}"))
        })
    }

    async fn stop(&self, key: &EffectKey) {
        self.others.stop(key).await;
    }

    async fn sweep(&self, wanted: &BTreeSet<EffectKey>) {
        self.others.sweep(wanted).await;
    }

    async fn forget(&self, run: &RunId) {
        let folder = self.folder.join(run.as_str());
        if let Err(error) = blocking(move || crate::files::remove_tree_if_there(&folder)).await {
            tracing::warn!(%run, %error, "the tickets of a run could not be forgotten");
        }
        self.others.forget(run).await;
    }
}

/// The line in a text of ours that only we write there, and that people do not see.
fn mark(key: &str) -> String {
    format!("<!-- lockstep:{key} -->")
}

fn first_chars(text: &str, limit: usize) -> String {
    text.chars().take(limit).collect()
}

fn failed(error: &HttpError) -> TrackerError {
    let next = match &error.fault {
        HttpFault::Status { status: 401, .. } => ": put a token that is valid in place of it",
        HttpFault::Status { status: 403, is_throttled: false, .. } => ": give the token the right to do this",
        HttpFault::Status { status: 404 | 410, .. } => {
            ": look whether the name in config.toml is right and the token may see it"
        }
        _ => "",
    };
    TrackerError { message: format!("{error}{next}"), is_temporary: error.is_temporary() }
}

fn refused(message: impl Into<String>) -> TrackerError {
    TrackerError { message: message.into(), is_temporary: false }
}
