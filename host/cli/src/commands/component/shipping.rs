//! What pushing and pulling have in common: how far it is, and how a failure ends the command.

use crate::exit::Refused;
use crate::render;
use crate::term::Term;
use lockstep_ports::{DistributionError, Progress};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often it is said how far a long transfer is.
const PROGRESS_PAUSE: Duration = Duration::from_secs(3);

/// Says now and then how far it is: `word` of how much. Says nothing of what is done at once.
pub(super) fn progress(term: &Term, word: &'static str) -> Progress {
    let (term, said) = (term.clone(), Mutex::new(Instant::now()));
    Arc::new(move |done, total| {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.elapsed() >= PROGRESS_PAUSE {
            *said = Instant::now();
            term.note(&format!("{word} {} of {}", render::bytes(done), render::bytes(total)));
        }
    })
}

/// What was given is refused; a place that does not answer is a fault of the world.
pub(super) fn explained(error: DistributionError) -> anyhow::Error {
    match error {
        DistributionError::Unreachable { .. }
        | DistributionError::Failed { .. }
        | DistributionError::Busy { .. }
        | DistributionError::Io { .. } => error.into(),
        refused => Refused(refused.to_string()).into(),
    }
}
