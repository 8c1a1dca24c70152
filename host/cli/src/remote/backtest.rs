use super::{Answer, RemoteService, WORK_TIME, encoded, problem};
use async_trait::async_trait;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Request, header};
use lockstep_ports::{
    BacktestCandidate, BacktestLine, BacktestProgress, BacktestReport, BacktestRequest, BacktestService,
    ServiceError,
};

/// Largest line, the report: ten thousand calls with their differences.
const LINE_MAX: usize = 64 << 20;

#[async_trait]
impl BacktestService for RemoteService {
    async fn backtest(
        &self,
        request: BacktestRequest,
        progress: &(dyn Fn(BacktestProgress) + Send + Sync),
    ) -> Answer<BacktestReport> {
        let reading = self.read_backtest(request, progress);
        tokio::time::timeout(WORK_TIME, reading).await.unwrap_or_else(|_| {
            let minutes = WORK_TIME.as_secs() / 60;
            Err(ServiceError::Unavailable(format!(
                "the backtest took longer than {minutes} minutes: ask for fewer calls with --last"
            )))
        })
    }
}

impl RemoteService {
    async fn read_backtest(
        &self,
        request: BacktestRequest,
        progress: &(dyn Fn(BacktestProgress) + Send + Sync),
    ) -> Answer<BacktestReport> {
        let internal = |error: hyper::http::Error| ServiceError::Internal(error.to_string());
        let gone = |why: &dyn std::error::Error| {
            ServiceError::Unavailable(format!(
                "the server at {} ended the backtest: {}: try again",
                self.url,
                super::deepest(why)
            ))
        };
        let mut post = Request::post(format!("{}{}", self.url, path(&request)));
        post = post.header(header::AUTHORIZATION, &self.authorization);
        let body = match request.candidate {
            BacktestCandidate::Bytes(bytes) => {
                post = post.header(header::CONTENT_TYPE, "application/wasm");
                Bytes::from(bytes)
            }
            BacktestCandidate::Digest(_) => Bytes::new(),
        };
        let response = self.client.request(post.body(Full::from(body)).map_err(internal)?).await;
        let response = response.map_err(|error| gone(&error))?;
        let status = response.status();
        let mut body = response.into_body();
        if !status.is_success() {
            let body = Limited::new(body, LINE_MAX).collect().await.map_err(|error| gone(&*error))?;
            return Err(problem(status, &body.to_bytes()));
        }
        let mut line = Vec::new();
        while let Some(frame) = body.frame().await {
            let data = frame.map_err(|error| gone(&error))?.into_data().unwrap_or_default();
            for part in data.split_inclusive(|byte| *byte == b'\n') {
                line.extend_from_slice(part);
                if line.len() > LINE_MAX {
                    return Err(ServiceError::Internal(
                        "the server's report is too long to be read".to_owned(),
                    ));
                }
                if !part.ends_with(b"\n") {
                    continue;
                }
                match self.read(Bytes::from(std::mem::take(&mut line)))? {
                    BacktestLine::Progress(so_far) => progress(so_far),
                    BacktestLine::Report(report) => return Ok(*report),
                    BacktestLine::Error(error) => return Err(error),
                }
            }
        }
        Err(ServiceError::Unavailable(format!(
            "the server at {} ended before the backtest did: try again",
            self.url
        )))
    }
}

fn path(request: &BacktestRequest) -> String {
    let mut path = format!("/v1/backtests?kind={}&shown={}", encoded(&request.kind), request.shown);
    if let BacktestCandidate::Digest(digest) = &request.candidate {
        path.push_str(&format!("&digest={}", encoded(digest)));
    }
    if let Some(last) = request.last {
        path.push_str(&format!("&last={last}"));
    }
    if let Some(since) = request.since {
        path.push_str(&format!("&since={}", since.0));
    }
    if !request.runs.is_empty() {
        let runs: Vec<&str> = request.runs.iter().map(lockstep_types::RunId::as_str).collect();
        path.push_str(&format!("&runs={}", runs.join(",")));
    }
    if let Some(digest) = request.made_by {
        path.push_str(&format!("&made_by={digest}"));
    }
    if request.with_identical {
        path.push_str("&with_identical=true");
    }
    path
}
