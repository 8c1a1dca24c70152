use crate::Observer;
use async_trait::async_trait;
use lockstep_types::{Observation, ObservationAnswer, ObservationRequest, ObserveFailure};
use std::sync::{Mutex, PoisonError};

/// Complaints kept at most: the first few show where a replay left its record, the rest only follows from them.
const COMPLAINTS_MAX: usize = 16;

/// Answers a component from the record of an earlier call, in order, and remembers where the call left the record.
#[derive(Debug)]
pub struct RecordedObserver {
    record: Vec<Observation>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    answered: usize,
    complaints: Vec<String>,
}

impl RecordedObserver {
    /// An observer that answers from `record`.
    #[must_use]
    pub fn new(record: Vec<Observation>) -> Self {
        Self { record, seen: Mutex::default() }
    }

    /// Where the call differed from its record, one line each: what it asked that was not recorded in that place, and
    /// what was recorded that it did not ask. Empty if it asked exactly what is recorded.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut complaints = seen.complaints.clone();
        if let Some(next) = self.record.get(seen.answered) {
            let left = self.record.len() - seen.answered;
            complaints.push(format!(
                "{left} of {} recorded answers were not asked for, the first to {}",
                self.record.len(),
                shown(&next.request)
            ));
        }
        complaints
    }
}

#[async_trait]
impl Observer for RecordedObserver {
    async fn observe(&self, request: &ObservationRequest) -> ObservationAnswer {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let next = self.record.get(seen.answered);
        if let Some(observation) = next.filter(|next| next.request == *request) {
            seen.answered += 1;
            return observation.answer.clone();
        }
        let complaint = match next {
            Some(next) => format!("it asked {} where {} is recorded", shown(request), shown(&next.request)),
            None => format!("it asked {} after the last recorded answer", shown(request)),
        };
        if seen.complaints.len() < COMPLAINTS_MAX {
            seen.complaints.push(complaint);
        }
        ObservationAnswer::Failed(ObserveFailure::Failed("not in the record".to_owned()))
    }
}

pub(crate) fn shown(request: &ObservationRequest) -> String {
    match request {
        ObservationRequest::ReadFile { path } | ObservationRequest::Diff { path } => {
            format!("{} of {path}", request.name())
        }
        other => other.name().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::RecordedObserver;
    use crate::Observer;
    use expect_test::expect;
    use lockstep_types::{Observation, ObservationAnswer, ObservationRequest};

    #[tokio::test]
    async fn what_differs_from_the_record_is_remembered() {
        let observer = RecordedObserver::new(vec![
            Observation {
                request: ObservationRequest::ChangedFiles,
                answer: ObservationAnswer::ChangedFiles(Vec::new()),
            },
            Observation {
                request: ObservationRequest::ReadFile { path: "a.rs".to_owned() },
                answer: ObservationAnswer::ReadFile(None),
            },
        ]);
        let first = observer.observe(&ObservationRequest::ChangedFiles).await;
        assert_eq!(first, ObservationAnswer::ChangedFiles(Vec::new()));
        let other = observer.observe(&ObservationRequest::ReadFile { path: "b.rs".to_owned() }).await;
        assert!(matches!(other, ObservationAnswer::Failed(_)));
        expect![[r#"
            it asked workspace.read-file of b.rs where workspace.read-file of a.rs is recorded
            1 of 2 recorded answers were not asked for, the first to workspace.read-file of a.rs"#]]
        .assert_eq(&observer.complaints().join("\n"));
    }
}
