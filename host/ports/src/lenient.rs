use crate::Observer;
use crate::recorded::shown;
use async_trait::async_trait;
use lockstep_types::{Observation, ObservationAnswer, ObservationRequest, ObserveFailure};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Unrecorded questions kept at most: a component may ask hundreds, and the first few say what is missing.
const UNRECORDED_MAX: usize = 16;

/// Answers another component than the recorded one from the record of a call: by equal request, in recorded order for
/// each request, so that it may ask in another order, or less. What is asked more often than recorded has no answer.
#[derive(Debug)]
pub struct LenientObserver {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Answers not given yet.
    left: Vec<Observation>,
    unrecorded: Vec<String>,
    is_more_unrecorded: bool,
}

impl LenientObserver {
    /// An observer that answers from `record`.
    #[must_use]
    pub fn new(record: Vec<Observation>) -> Self {
        Self { state: Mutex::new(State { left: record, unrecorded: Vec::new(), is_more_unrecorded: false }) }
    }

    /// What was asked and is not in the record, each once, in the order it was asked; at most a few.
    #[must_use]
    pub fn unrecorded(&self) -> Vec<String> {
        let state = self.state();
        let more = state.is_more_unrecorded.then(|| "and more".to_owned());
        state.unrecorded.iter().cloned().chain(more).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Observer for LenientObserver {
    async fn observe(&self, request: &ObservationRequest) -> ObservationAnswer {
        let mut state = self.state();
        if let Some(at) = state.left.iter().position(|observation| observation.request == *request) {
            return state.left.remove(at).answer;
        }
        let asked = shown(request);
        if !state.unrecorded.contains(&asked) {
            match state.unrecorded.len() < UNRECORDED_MAX {
                true => state.unrecorded.push(asked),
                false => state.is_more_unrecorded = true,
            }
        }
        ObservationAnswer::Failed(ObserveFailure::Failed("not in the record".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::LenientObserver;
    use crate::Observer;
    use lockstep_types::{Observation, ObservationAnswer, ObservationRequest};

    fn read(path: &str) -> ObservationRequest {
        ObservationRequest::ReadFile { path: path.to_owned() }
    }

    fn text(text: &str) -> ObservationAnswer {
        ObservationAnswer::ReadFile(Some(text.as_bytes().to_vec()))
    }

    #[tokio::test]
    async fn answers_come_by_request_in_recorded_order() {
        let told = |path, answer| Observation { request: read(path), answer: text(answer) };
        let observer = LenientObserver::new(vec![told("a", "1"), told("b", "2"), told("a", "3")]);
        assert_eq!(observer.observe(&read("b")).await, text("2"));
        assert_eq!(observer.observe(&read("a")).await, text("1"));
        assert_eq!(observer.observe(&read("a")).await, text("3"));
        assert!(observer.unrecorded().is_empty());
        for _ in 0..2 {
            assert!(matches!(observer.observe(&read("a")).await, ObservationAnswer::Failed(_)));
        }
        assert_eq!(observer.unrecorded(), ["workspace.read-file of a"]);
    }
}
