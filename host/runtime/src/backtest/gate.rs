use lockstep_ports::{BacktestReport, Gates};

/// Whether a report passes what is asked of it; if not, one line that says what is wrong and how to look at it.
///
/// # Errors
/// The line.
pub fn gate(report: &BacktestReport, gates: &Gates) -> Result<(), String> {
    if !gates.is_any() {
        return Ok(());
    }
    let (kind, all, different) = (&report.kind, report.counts.all(), report.counts.different());
    let command = format!("lockstep component backtest {} --kind {kind}", report.candidate.short());
    if all == 0 {
        return Err(format!(
            "no recorded call of kind {kind} shows what component {} would change: activate it without a gate, \
             or after some runs",
            report.candidate.short()
        ));
    }
    let allowed = if gates.require_identical { Some(0) } else { gates.max_changed };
    if let Some(allowed) = allowed.filter(|allowed| different > *allowed) {
        return Err(format!(
            "{different} of {all} recorded calls of kind {kind} come out differently with component {}, {}: \
             see which with `{command}`",
            report.candidate.short(),
            if allowed == 0 { "none may".to_owned() } else { format!("at most {allowed} may") },
        ));
    }
    let Some(allowed) = gates.max_fuel_growth else { return Ok(()) };
    match report.fuel.growth_percent() {
        None => Err(format!(
            "no recorded call of kind {kind} was made under this engine configuration, so fuel cannot be compared: \
             leave --max-fuel-growth out, or try again after some runs"
        )),
        Some(growth) if growth > allowed => Err(format!(
            "component {} uses {growth:.1} % more fuel than {} recorded calls of kind {kind}, at most {allowed} % \
             may be: see which with `{command}`",
            report.candidate.short(),
            report.fuel.calls,
        )),
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::gate;
    use expect_test::expect;
    use lockstep_ports::{BacktestCounts, BacktestFuel, BacktestReport, Gates};
    use lockstep_types::Digest;

    fn report(identical: u64, changed: u64) -> BacktestReport {
        let fuel = BacktestFuel {
            calls: identical,
            recorded: 1000 * identical,
            candidate: 1250 * identical,
            ..BacktestFuel::default()
        };
        BacktestReport {
            kind: "ci-gate".to_owned(),
            candidate: Digest::zero(),
            version: "2".to_owned(),
            runs: 1,
            unreadable_runs: 0,
            counts: BacktestCounts { identical, changed, ..BacktestCounts::default() },
            fuel,
            cases: Vec::new(),
            is_cut: false,
            took_ms: 1,
        }
    }

    #[test]
    fn a_gate_says_how_many_and_where_to_look() {
        let identical = Gates { require_identical: true, ..Gates::default() };
        let some = Gates { max_changed: Some(2), ..Gates::default() };
        let fuel = Gates { max_fuel_growth: Some(10.0), ..Gates::default() };
        assert_eq!(gate(&report(3, 3), &Gates::default()), Ok(()));
        assert_eq!(gate(&report(3, 0), &identical), Ok(()));
        assert_eq!(gate(&report(3, 2), &some), Ok(()));
        let refusals = [
            gate(&report(3, 1), &identical),
            gate(&report(3, 3), &some),
            gate(&report(3, 0), &fuel),
            gate(&report(0, 0), &identical),
            gate(&report(0, 1), &fuel),
        ];
        let lines: Vec<String> = refusals.into_iter().map(|refusal| refusal.unwrap_err()).collect();
        expect![[r#"
            1 of 4 recorded calls of kind ci-gate come out differently with component 000000000000, none may: see which with `lockstep component backtest 000000000000 --kind ci-gate`
            3 of 6 recorded calls of kind ci-gate come out differently with component 000000000000, at most 2 may: see which with `lockstep component backtest 000000000000 --kind ci-gate`
            component 000000000000 uses 25.0 % more fuel than 3 recorded calls of kind ci-gate, at most 10 % may be: see which with `lockstep component backtest 000000000000 --kind ci-gate`
            no recorded call of kind ci-gate shows what component 000000000000 would change: activate it without a gate, or after some runs
            no recorded call of kind ci-gate was made under this engine configuration, so fuel cannot be compared: leave --max-fuel-growth out, or try again after some runs"#]]
        .assert_eq(&lines.join("\n"));
    }
}
