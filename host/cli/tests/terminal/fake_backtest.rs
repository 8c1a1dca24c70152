use crate::fake::FakeService;
use async_trait::async_trait;
use lockstep_ports::{
    BacktestCandidate, BacktestCase, BacktestCounts, BacktestFuel, BacktestOutcome, BacktestProgress,
    BacktestReport, BacktestRequest, BacktestService, FieldDifference, ServiceError,
};
use lockstep_types::{Digest, Timestamp};

#[async_trait]
impl BacktestService for FakeService {
    async fn backtest(
        &self,
        request: BacktestRequest,
        progress: &(dyn Fn(BacktestProgress) + Send + Sync),
    ) -> Result<BacktestReport, ServiceError> {
        let candidate = match &request.candidate {
            BacktestCandidate::Bytes(bytes) => format!("{} bytes", bytes.len()),
            BacktestCandidate::Digest(digest) => digest.clone(),
        };
        let BacktestRequest { kind, last, since, runs, shown, .. } = request;
        self.called(format!("backtest {candidate} for {kind}, {last:?} {since:?} {runs:?} {shown}"));
        if kind == "other" {
            return Err(ServiceError::Invalid("it implements kind gate, not other".to_owned()));
        }
        progress(BacktestProgress { done: 1, of: Some(2), different: 1 });
        Ok(BacktestReport {
            kind,
            candidate: Digest::of(b"two"),
            version: "2".to_owned(),
            runs: 1,
            unreadable_runs: 0,
            counts: BacktestCounts { identical: 1, changed: 1, decided: 1, ..BacktestCounts::default() },
            fuel: BacktestFuel {
                calls: 2,
                recorded: 2000,
                candidate: 2500,
                up: 1,
                down: 0,
                worst_growth_percent: 50,
            },
            cases: vec![BacktestCase {
                run: "run-1".parse().unwrap(),
                number: 4,
                step: "ci".to_owned(),
                at: Timestamp(1_767_603_600_000),
                made_by: Digest::of(b"one"),
                recorded: "complete green".to_owned(),
                candidate: "wait 500 ms".to_owned(),
                recorded_fuel: 1000,
                candidate_fuel: 1500,
                outcome: BacktestOutcome::Changed {
                    differences: vec![FieldDifference {
                        field: "next".to_owned(),
                        recorded: Some("complete green".to_owned()),
                        candidate: Some("wait 500 ms".to_owned()),
                    }],
                },
            }],
            is_cut: false,
            took_ms: 12,
        })
    }
}
