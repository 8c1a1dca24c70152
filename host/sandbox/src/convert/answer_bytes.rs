use lockstep_types::{Check, ObservationAnswer, ObserveFailure, Signal};

/// What a part of an answer counts beside its texts, so that many empty parts are not free.
const PART_BYTES: usize = 32;

/// Bytes of the reason of a failure that counts nothing. An answer over the limit is told as such a failure, which has to
/// fit whenever the call is made again from its record.
const FREE_REASON_BYTES: usize = 256;

/// Bytes an answer counts towards the limit of what a component is told.
pub(crate) fn answer_bytes(answer: &ObservationAnswer) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let bytes = match answer {
        ObservationAnswer::Checks(report) => {
            let check = |check: &Check| {
                let named = check.name.len() + check.status.len();
                PART_BYTES + named + text(&check.conclusion) + text(&check.url) + text(&check.summary)
            };
            text(&report.head_commit) + report.checks.iter().map(check).sum::<usize>()
        }
        ObservationAnswer::Mergeability(report) => {
            let conflict = |path: &String| PART_BYTES + path.len();
            text(&report.head_commit) + report.conflicts.iter().map(conflict).sum::<usize>()
        }
        ObservationAnswer::ChangedFiles(files) => {
            files.iter().map(|file| PART_BYTES + file.path.len()).sum::<usize>()
        }
        ObservationAnswer::ReadFile(content) => content.as_ref().map_or(0, Vec::len),
        ObservationAnswer::Diff(diff) => text(diff),
        ObservationAnswer::Attempts(attempts) => attempts
            .iter()
            .map(|attempt| PART_BYTES + attempt.outcome.len() + text(&attempt.output))
            .sum::<usize>(),
        ObservationAnswer::ReleaseHealth(report) => signals(&report.signals),
        ObservationAnswer::Evidence(evidence) => {
            let errors = evidence.errors.iter().map(|error| PART_BYTES + error.len()).sum::<usize>();
            signals(&evidence.regressed) + errors + text(&evidence.notes)
        }
        ObservationAnswer::Environment(report) => report.as_ref().map_or(0, |report| text(&report.url)),
        ObservationAnswer::Failed(ObserveFailure::Failed(reason)) if reason.len() <= FREE_REASON_BYTES => {
            return 0;
        }
        ObservationAnswer::Failed(ObserveFailure::NotConfigured) => 0,
        ObservationAnswer::Failed(ObserveFailure::Failed(reason)) => reason.len(),
    };
    PART_BYTES + bytes
}

fn signals(signals: &[Signal]) -> usize {
    let one = |signal: &Signal| {
        PART_BYTES + signal.id.len() + signal.name.len() + signal.detail.as_ref().map_or(0, String::len)
    };
    signals.iter().map(one).sum()
}

#[cfg(test)]
mod tests {
    use super::{FREE_REASON_BYTES, answer_bytes};
    use lockstep_types::{ObservationAnswer, ObserveFailure};
    use serde_json::json;

    #[test]
    fn a_short_failure_is_always_told() {
        let failed = |bytes: usize| {
            answer_bytes(&ObservationAnswer::Failed(ObserveFailure::Failed("x".repeat(bytes))))
        };
        assert_eq!(failed(FREE_REASON_BYTES), 0);
        assert!(failed(FREE_REASON_BYTES + 1) > FREE_REASON_BYTES);
    }

    #[test]
    fn every_byte_of_an_answer_counts() {
        let file = |bytes: usize| answer_bytes(&ObservationAnswer::ReadFile(Some(vec![0; bytes])));
        assert_eq!(file(100), file(0) + 100);
        let paths = |count: usize| {
            let report = json!({ "verdict": "unknown", "conflicts": vec![""; count] });
            answer_bytes(&ObservationAnswer::Mergeability(serde_json::from_value(report).unwrap()))
        };
        assert!(paths(10) > paths(0), "nothing is free");
    }
}
