use crate::fake::FakeService;
use async_trait::async_trait;
use lockstep_ports::{
    BacktestCandidate, BacktestProgress, BacktestReport, BacktestRequest, BacktestService, ServiceError,
};
use lockstep_testkit::samples;

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
        Ok(samples::backtest(&kind))
    }
}
