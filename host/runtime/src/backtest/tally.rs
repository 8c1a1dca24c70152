//! Adds up what came of the calls.

use super::judge::Judged;
use lockstep_ports::{BacktestCase, BacktestCounts, BacktestFuel, BacktestOutcome, BacktestProgress};
use std::collections::BTreeMap;

pub(super) struct Tally {
    shown: usize,
    with_identical: bool,
    pub(super) counts: BacktestCounts,
    pub(super) fuel: BacktestFuel,
    /// By the order in which the calls were found, so that the report is the same however they were spread over cores.
    /// Those that say no more than other words come last, so that they are left out first.
    cases: BTreeMap<(bool, u64), BacktestCase>,
}

impl Tally {
    pub(super) fn new(shown: usize, with_identical: bool) -> Self {
        let (counts, fuel) = (BacktestCounts::default(), BacktestFuel::default());
        Self { shown, with_identical, counts, fuel, cases: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, judged: Judged) {
        let case = judged.case;
        let (is_carried_out, is_identical) = match &case.outcome {
            BacktestOutcome::Identical => (true, true),
            BacktestOutcome::Changed { .. } => (true, false),
            _ => (false, false),
        };
        *match &case.outcome {
            BacktestOutcome::Identical => &mut self.counts.identical,
            BacktestOutcome::Changed { .. } => &mut self.counts.changed,
            BacktestOutcome::Unrecorded { .. } => &mut self.counts.unrecorded,
            BacktestOutcome::Fault { .. } => &mut self.counts.faults,
            BacktestOutcome::OtherState { .. } => &mut self.counts.other_state,
        } += 1;
        let is_decided = decides_otherwise(&case.outcome);
        self.counts.decided += u64::from(is_decided);
        if is_carried_out && judged.is_fuel_comparable {
            self.add_fuel(case.recorded_fuel, case.candidate_fuel);
        }
        if !is_identical || self.with_identical {
            let is_minor = is_carried_out && !is_decided;
            self.cases.insert((is_minor, judged.order), case);
            if self.cases.len() > self.shown {
                self.cases.pop_last();
            }
        }
    }

    fn add_fuel(&mut self, recorded: u64, candidate: u64) {
        let fuel = &mut self.fuel;
        fuel.calls += 1;
        fuel.recorded = fuel.recorded.saturating_add(recorded);
        fuel.candidate = fuel.candidate.saturating_add(candidate);
        fuel.up += u64::from(candidate > recorded);
        fuel.down += u64::from(candidate < recorded);
        let growth = candidate.saturating_sub(recorded).saturating_mul(100).checked_div(recorded);
        fuel.worst_growth_percent = fuel.worst_growth_percent.max(growth.unwrap_or(0));
    }

    pub(super) fn progress(&self, of: Option<u64>) -> BacktestProgress {
        BacktestProgress { done: self.counts.all(), of, different: self.counts.different() }
    }

    pub(super) fn into_cases(self) -> Vec<BacktestCase> {
        self.cases.into_values().collect()
    }
}

/// Whether the run would go on otherwise: what is next differs, and not only in the words that explain it.
fn decides_otherwise(outcome: &BacktestOutcome) -> bool {
    let BacktestOutcome::Changed { differences } = outcome else { return false };
    let explains = ["next.wait.reason", "next.fail.message", "next.fail.detail", "next.skip"];
    let mut fields = differences.iter().map(|difference| difference.field.as_str());
    fields.any(|field| field == "outcome" || field.starts_with("next") && !explains.contains(&field))
}
