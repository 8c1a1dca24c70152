use crate::fake::FakeService;
use async_trait::async_trait;
use lockstep_ports::{BacktestProgress, BacktestReport, BacktestRequest, BacktestService, ServiceError};
use lockstep_testkit::samples;

#[async_trait]
impl BacktestService for FakeService {
    async fn backtest(
        &self,
        request: BacktestRequest,
        progress: &(dyn Fn(BacktestProgress) + Send + Sync),
    ) -> Result<BacktestReport, ServiceError> {
        let (asked, found) = samples::backtest(request, progress);
        self.called(asked);
        found
    }
}
