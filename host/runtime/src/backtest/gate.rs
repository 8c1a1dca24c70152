use lockstep_ports::{BacktestCounts, BacktestReport, Gates};

/// Whether a report passes what is asked of it; if not, one line that says which numbers do not, how to look at the
/// calls, and how to do it all the same: `command` with the options that would allow it.
///
/// # Errors
/// The line.
pub fn gate(report: &BacktestReport, gates: &Gates, command: &str) -> Result<(), String> {
    if !gates.is_any() {
        return Ok(());
    }
    let (kind, digest, counts) = (&report.kind, report.candidate.short(), &report.counts);
    if counts.all() == 0 {
        return Err(format!(
            "no recorded call of kind {kind} shows what component {digest} would change: try again after some runs, \
             or do without with `{command}`"
        ));
    }
    let mut allowing = *gates;
    let failed: Vec<String> =
        [changed(counts, &mut allowing), fuel(report, &mut allowing)].into_iter().flatten().collect();
    if failed.is_empty() {
        return Ok(());
    }
    Err(format!(
        "component {digest} does not pass over {} recorded calls of kind {kind}: {}: see which calls with \
         `lockstep component backtest {digest} --kind {kind}`, or allow it with `{command}{}`",
        counts.all(),
        failed.join(", and "),
        options(&allowing)
    ))
}

/// What is wrong with how many calls come out differently; then as many are allowed.
fn changed(counts: &BacktestCounts, gates: &mut Gates) -> Option<String> {
    let different = counts.different();
    let allowed = if gates.require_identical { 0 } else { gates.max_changed? };
    if different <= allowed {
        return None;
    }
    (gates.require_identical, gates.max_changed) = (false, Some(different));
    let parts = [
        ("changed", counts.changed),
        ("asking what is not recorded", counts.unrecorded),
        ("without a transition", counts.faults),
        ("with a state of another version", counts.other_state),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(_, number)| *number > 0)
        .map(|(what, number)| format!("{number} {what}"))
        .collect();
    let may = if allowed == 0 { "none may".to_owned() } else { format!("at most {allowed} may") };
    let parts = if different == counts.changed { String::new() } else { format!(" ({})", parts.join(", ")) };
    Some(format!("{different} would come out differently{parts}, {may}"))
}

/// What is wrong with how much fuel they use; then as much is allowed.
fn fuel(report: &BacktestReport, gates: &mut Gates) -> Option<String> {
    let allowed = gates.max_fuel_growth?;
    let Some(growth) = report.fuel.growth_percent() else {
        gates.max_fuel_growth = None;
        return Some("none was made under this engine configuration, so fuel cannot be compared".to_owned());
    };
    if growth <= allowed {
        return None;
    }
    gates.max_fuel_growth = Some(growth.ceil());
    Some(format!("fuel would grow by {growth:.2} %, more than the {allowed} % allowed"))
}

/// Gates as options of a command, each after a space.
pub(crate) fn options(gates: &Gates) -> String {
    let mut options = String::new();
    if gates.require_identical {
        options.push_str(" --require-identical");
    }
    if let Some(allowed) = gates.max_changed {
        options.push_str(&format!(" --max-changed {allowed}"));
    }
    if let Some(allowed) = gates.max_fuel_growth {
        options.push_str(&format!(" --max-fuel-growth {allowed}"));
    }
    options
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
    fn a_gate_says_what_failed_and_what_would_allow_it() {
        let identical = Gates { require_identical: true, ..Gates::default() };
        let some = Gates { max_changed: Some(2), ..Gates::default() };
        let fuel = Gates { max_fuel_growth: Some(10.0), ..Gates::default() };
        let all = Gates { max_fuel_growth: Some(10.0), ..identical };
        let command = "lockstep component activate ci-gate 000000000000";
        let gate = |report: BacktestReport, gates: &Gates| gate(&report, gates, command);
        assert_eq!(gate(report(3, 3), &Gates::default()), Ok(()));
        assert_eq!(gate(report(3, 0), &identical), Ok(()));
        assert_eq!(gate(report(3, 2), &some), Ok(()));
        let refusals = [
            gate(report(3, 1), &identical),
            gate(report(3, 3), &some),
            gate(report(3, 0), &all),
            gate(report(3, 1), &all),
            gate(report(0, 0), &identical),
            gate(report(0, 1), &fuel),
        ];
        let lines: Vec<String> = refusals.into_iter().map(|refusal| refusal.unwrap_err()).collect();
        expect![[r#"
            component 000000000000 does not pass over 4 recorded calls of kind ci-gate: 1 would come out differently, none may: see which calls with `lockstep component backtest 000000000000 --kind ci-gate`, or allow it with `lockstep component activate ci-gate 000000000000 --max-changed 1`
            component 000000000000 does not pass over 6 recorded calls of kind ci-gate: 3 would come out differently, at most 2 may: see which calls with `lockstep component backtest 000000000000 --kind ci-gate`, or allow it with `lockstep component activate ci-gate 000000000000 --max-changed 3`
            component 000000000000 does not pass over 3 recorded calls of kind ci-gate: fuel would grow by 25.00 %, more than the 10 % allowed: see which calls with `lockstep component backtest 000000000000 --kind ci-gate`, or allow it with `lockstep component activate ci-gate 000000000000 --require-identical --max-fuel-growth 25`
            component 000000000000 does not pass over 4 recorded calls of kind ci-gate: 1 would come out differently, none may, and fuel would grow by 25.00 %, more than the 10 % allowed: see which calls with `lockstep component backtest 000000000000 --kind ci-gate`, or allow it with `lockstep component activate ci-gate 000000000000 --max-changed 1 --max-fuel-growth 25`
            no recorded call of kind ci-gate shows what component 000000000000 would change: try again after some runs, or do without with `lockstep component activate ci-gate 000000000000`
            component 000000000000 does not pass over 1 recorded calls of kind ci-gate: none was made under this engine configuration, so fuel cannot be compared: see which calls with `lockstep component backtest 000000000000 --kind ci-gate`, or allow it with `lockstep component activate ci-gate 000000000000`"#]].assert_eq(&lines.join("\n"));
    }
}
