//! Finds recorded calls: from the newest run backwards, one journal at a time.

use crate::replay::damaged;
use crate::runtime::Shared;
use lockstep_engine::Run;
use lockstep_ports::{BacktestRequest, JournalError, ROWS_PAGE_MAX, ServiceError};
use lockstep_types::{Digest, DirGrant, Event, Invocation, RunId, RunRow, Timestamp, TurnRecord};
use std::collections::VecDeque;
use std::sync::Arc;

/// Runs whose journals are looked at: a run has some tens of calls, so this is more than `CALLS_MAX` calls of most kinds.
pub(super) const RUNS_MAX: usize = 100_000;

/// A call to be made again.
pub(super) struct Call {
    pub(super) run: RunId,
    pub(super) number: u32,
    pub(super) recorded: Invocation,
    /// The directories it could read.
    pub(super) dirs: Vec<DirGrant>,
}

/// Which calls are wanted.
#[derive(Clone)]
pub(super) struct Wanted {
    kind: String,
    since: Timestamp,
    made_by: Option<Digest>,
}

impl Wanted {
    pub(super) fn new(request: &BacktestRequest) -> Self {
        Self {
            kind: request.kind.clone(),
            since: request.since.unwrap_or_default(),
            made_by: request.made_by,
        }
    }

    fn takes(&self, call: &Invocation) -> bool {
        call.input.step.kind == self.kind
            && call.input.run.now >= self.since
            && self.made_by.is_none_or(|digest| digest == call.digest)
    }
}

/// The runs to look at, the newest first.
pub(super) struct Runs {
    shared: Arc<Shared>,
    since: Timestamp,
    page: VecDeque<RunId>,
    /// Where the next page begins; none: there is none.
    before: Option<Option<RunId>>,
    seen: usize,
    pub(super) is_cut: bool,
}

impl Runs {
    pub(super) fn new(shared: &Arc<Shared>, request: &BacktestRequest) -> Self {
        let before = request.runs.is_empty().then_some(None);
        Self {
            shared: Arc::clone(shared),
            since: request.since.unwrap_or_default(),
            page: request.runs.iter().cloned().collect(),
            before,
            seen: 0,
            is_cut: false,
        }
    }

    pub(super) async fn next(&mut self) -> Result<Option<RunId>, ServiceError> {
        loop {
            if let Some(run) = self.page.pop_front() {
                self.seen += 1;
                self.is_cut = self.seen > RUNS_MAX;
                return Ok(Some(run).filter(|_| !self.is_cut));
            }
            let Some(before) = self.before.take() else { return Ok(None) };
            let journal = &self.shared.outside.journal;
            let rows = journal.rows(before.as_ref(), ROWS_PAGE_MAX).await;
            let rows = rows.map_err(|error: JournalError| crate::service::journal(&error))?;
            if rows.len() == ROWS_PAGE_MAX {
                self.before = rows.last().map(|row| Some(row.summary.id.clone()));
            }
            // A run that began long ago may have gone on since.
            let recent = |row: &RunRow| row.summary.updated_at >= self.since;
            self.page = rows.into_iter().filter(recent).map(|row| row.summary.id).collect();
        }
    }
}

/// The wanted calls of a run, the newest first. Holds its journal in memory, as opening the run does.
pub(super) async fn calls(
    shared: Arc<Shared>,
    run: RunId,
    wanted: Wanted,
) -> Result<Vec<Call>, ServiceError> {
    let records = shared.records(&run).await?;
    let mut calls = Vec::new();
    let mut number = 0;
    let mut state: Option<Run> = None;
    for TurnRecord { at, events, .. } in records {
        for event in events {
            let pin = match (&state, &event) {
                (Some(state), Event::Invoked { step, .. }) => state.pin(*step),
                _ => None,
            };
            let dirs = pin.map(|pin| pin.grant.dirs.clone()).unwrap_or_default();
            match &mut state {
                Some(state) => state.apply(at, &event).map_err(|error| damaged(&run, &error))?,
                None => state = Some(Run::create(&event).map_err(|error| damaged(&run, &error))?),
            }
            if let Event::Invoked { invocation, .. } = event {
                number += 1;
                if wanted.takes(&invocation) {
                    calls.push(Call {
                        run: run.clone(),
                        number,
                        recorded: Arc::unwrap_or_clone(invocation),
                        dirs,
                    });
                }
            }
        }
    }
    calls.reverse();
    Ok(calls)
}
