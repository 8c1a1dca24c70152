//! Makes recorded calls again with another component, on all cores, and compares. It stores nothing and acts on nothing.
//!
//! Journals are read ahead by some runs and calls handed on in batches, so that memory does not grow with the number
//! of calls, only with the longest run.

mod difference;
mod gate;
mod judge;
mod source;
mod tally;

pub use difference::{differences, in_words};
pub use gate::gate;
pub(crate) use gate::options as gate_options;

use crate::Runtime;
use async_trait::async_trait;
use judge::{Bench, Candidate, Judged};
use lockstep_ports::{
    BacktestCandidate, BacktestProgress, BacktestReport, BacktestRequest, BacktestService, Gates, Inspected,
    ServiceError,
};
use lockstep_types::{ComponentInfo, Digest};
use source::{Call, Runs, Wanted};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tally::Tally;
use tokio::task::{JoinError, JoinHandle, JoinSet};

/// Calls that are made again if nobody says how many: a fifth of a second for a component in Rust, some seconds for an
/// interpreted one.
const CALLS_DEFAULT: usize = 1000;
/// Calls that are made again at most, whatever is asked for: some minutes.
const CALLS_MAX: usize = 1_000_000;
/// Calls told of one by one at most: a page that somebody reads, and a bound on memory.
const SHOWN_MAX: usize = 10_000;
/// Calls a worker takes at a time: enough that handing them over costs nothing, few enough that all cores end together.
const BATCH: usize = 32;
/// Runs read ahead per core: reading and decoding a journal takes about as long as the calls in it.
const READ_AHEAD: usize = 2;
/// How often progress is told: often enough to look alive.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

type Progress<'a> = &'a (dyn Fn(BacktestProgress) + Send + Sync);

#[async_trait]
impl BacktestService for Runtime {
    async fn backtest(
        &self,
        request: BacktestRequest,
        progress: Progress<'_>,
    ) -> Result<BacktestReport, ServiceError> {
        let begun = Instant::now();
        let candidate = self.candidate(&request).await?;
        let bench = Arc::new(Bench {
            executor: Arc::clone(&self.shared.outside.executor),
            components: Arc::clone(&self.shared.outside.components),
            candidate,
            versions: Mutex::new(HashMap::new()),
        });
        let mut backtest = Backtest::new(self, bench, &request, progress);
        backtest.run().await?;
        Ok(backtest.report(request.kind, begun.elapsed()))
    }
}

impl Runtime {
    /// Refuses a component that does not show what is asked of it in a backtest over the last calls of a kind. `command`
    /// is what was asked for, without gates.
    pub(crate) async fn pass_backtest(
        &self,
        kind: &str,
        digest: &Digest,
        gates: &Gates,
        command: &str,
    ) -> Result<BacktestReport, ServiceError> {
        let mut request = BacktestRequest::new(kind, BacktestCandidate::Digest(digest.to_string()));
        request.shown = 0;
        let report = self.backtest(request, &|_| ()).await?;
        gate(&report, gates, command).map_err(ServiceError::Conflict)?;
        Ok(report)
    }

    /// Looks at the candidate and refuses it for another kind than its own.
    async fn candidate(&self, request: &BacktestRequest) -> Result<Candidate, ServiceError> {
        let candidate = match &request.candidate {
            BacktestCandidate::Bytes(bytes) => {
                let inspected = self.shared.outside.executor.inspect(bytes).await;
                let inspected = inspected.map_err(|error| ServiceError::Invalid(error.to_string()))?;
                let Inspected { digest, imports, descriptor, .. } = inspected;
                Candidate { digest, imports, descriptor }
            }
            BacktestCandidate::Digest(digest) => {
                let info = self.find_component(digest).await?;
                let ComponentInfo { digest, imports, descriptor, .. } = info;
                Candidate { digest, imports, descriptor }
            }
        };
        let kind = &candidate.descriptor.kind;
        if *kind != request.kind {
            return Err(ServiceError::Invalid(format!(
                "component {} implements kind {kind}, not {}: backtest it with `--kind {kind}`",
                candidate.digest.short(),
                request.kind
            )));
        }
        Ok(candidate)
    }
}

/// A task that ends with whoever waits for it.
struct Reading(JoinHandle<Result<Vec<Call>, ServiceError>>);

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Backtest<'a> {
    host: &'a Runtime,
    bench: Arc<Bench>,
    wanted: Wanted,
    runs: Runs,
    /// Whether runs were named, which must then exist.
    are_named: bool,
    reading: VecDeque<Reading>,
    working: JoinSet<Vec<Judged>>,
    cores: usize,
    /// Calls that may still be handed on, and those that were.
    left: usize,
    handed_on: u64,
    tally: Tally,
    limit: Option<u64>,
    runs_used: u64,
    unreadable: u64,
    is_cut: bool,
    progress: Progress<'a>,
    told: Instant,
}

impl<'a> Backtest<'a> {
    fn new(host: &'a Runtime, bench: Arc<Bench>, request: &BacktestRequest, progress: Progress<'a>) -> Self {
        let is_open = request.since.is_none() && request.runs.is_empty();
        let left = request.last.unwrap_or(if is_open { CALLS_DEFAULT } else { CALLS_MAX }).min(CALLS_MAX);
        Self {
            host,
            bench,
            wanted: Wanted::new(request),
            runs: Runs::new(&host.shared, request),
            are_named: !request.runs.is_empty(),
            reading: VecDeque::new(),
            working: JoinSet::new(),
            cores: std::thread::available_parallelism().map_or(2, usize::from),
            left,
            handed_on: 0,
            tally: Tally::new(request.shown.min(SHOWN_MAX), request.with_identical),
            limit: (request.last.is_some() || is_open).then_some(left as u64),
            runs_used: 0,
            unreadable: 0,
            is_cut: false,
            progress,
            told: Instant::now(),
        }
    }

    async fn run(&mut self) -> Result<(), ServiceError> {
        while let Some(calls) = self.next_run().await? {
            self.runs_used += u64::from(!calls.is_empty());
            self.is_cut |= calls.len() > self.left && self.limit.is_none();
            let mut calls = calls.into_iter().take(self.left).peekable();
            while calls.peek().is_some() {
                self.hand_on(calls.by_ref().take(BATCH).collect()).await?;
            }
            if self.left == 0 {
                break;
            }
        }
        self.reading.clear();
        self.is_cut |= self.runs.is_cut;
        // How many there are is known from here on.
        self.limit = Some(self.handed_on);
        while let Some(judged) = self.working.join_next().await {
            self.take(judged)?;
        }
        (self.progress)(self.tally.progress(self.limit));
        Ok(())
    }

    /// The wanted calls of the next run, while those of the following ones are being read.
    async fn next_run(&mut self) -> Result<Option<Vec<Call>>, ServiceError> {
        loop {
            while self.reading.len() < self.cores * READ_AHEAD {
                let Some(run) = self.runs.next().await? else { break };
                let (shared, wanted) = (Arc::clone(&self.host.shared), self.wanted.clone());
                self.reading.push_back(Reading(tokio::spawn(source::calls(shared, run, wanted))));
            }
            let Some(mut reading) = self.reading.pop_front() else { return Ok(None) };
            match (&mut reading.0).await.map_err(|error| ended_early(&error))? {
                Ok(calls) => return Ok(Some(calls)),
                Err(error) if self.are_named => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, "a run is left out of a backtest");
                    self.unreadable += 1;
                }
            }
        }
    }

    async fn hand_on(&mut self, batch: Vec<Call>) -> Result<(), ServiceError> {
        while self.working.len() >= self.cores * 2 {
            let Some(judged) = self.working.join_next().await else { break };
            self.take(judged)?;
        }
        self.left -= batch.len();
        let (bench, begin) = (Arc::clone(&self.bench), self.handed_on);
        self.handed_on += batch.len() as u64;
        self.working.spawn(async move {
            let mut judged = Vec::with_capacity(batch.len());
            for (call, order) in batch.into_iter().zip(begin..) {
                judged.push(bench.judge(order, call).await);
            }
            judged
        });
        Ok(())
    }

    fn take(&mut self, judged: Result<Vec<Judged>, JoinError>) -> Result<(), ServiceError> {
        judged.map_err(|error| ended_early(&error))?.into_iter().for_each(|judged| self.tally.add(judged));
        if self.told.elapsed() >= PROGRESS_EVERY {
            self.told = Instant::now();
            (self.progress)(self.tally.progress(self.limit));
        }
        Ok(())
    }

    fn report(self, kind: String, took: Duration) -> BacktestReport {
        BacktestReport {
            kind,
            candidate: self.bench.candidate.digest,
            version: self.bench.candidate.descriptor.version.clone(),
            runs: self.runs_used,
            unreadable_runs: self.unreadable,
            counts: self.tally.counts,
            fuel: self.tally.fuel,
            is_cut: self.is_cut,
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            cases: self.tally.into_cases(),
        }
    }
}

fn ended_early(error: &JoinError) -> ServiceError {
    ServiceError::Internal(format!("a part of the backtest ended early: {error}"))
}
