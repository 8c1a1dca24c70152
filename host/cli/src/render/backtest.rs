use super::{Style, Tone, duration, grouped, line, short};
use lockstep_ports::{BacktestCase, BacktestFuel, BacktestOutcome, BacktestProgress, BacktestReport};

/// Longest line about one thing.
const LINE_MAX: usize = 200;
/// Longest side of a table's row.
const SIDE_MAX: usize = 60;
/// Calls of a canary that are shown beside what the active component makes of them.
const VERDICTS_SHOWN: usize = 20;
/// Longest verdict beside another one.
const VERDICT_MAX: usize = 44;
/// Width of the progress bar.
const BAR: u64 = 30;

/// What a backtest showed: a table of what differs, each with its fields, and a summary.
pub(crate) fn backtest(style: &Style, report: &BacktestReport, shown: usize) -> String {
    let counts = &report.counts;
    let mut text = format!(
        "{} {}  {}  over {} of {} in {}\n",
        style.paint(Tone::Strong, &line(&report.kind, LINE_MAX)),
        line(&report.version, LINE_MAX),
        style.paint(Tone::Faint, &report.candidate.short()),
        counted_grouped(counts.all(), "recorded call"),
        counted_grouped(report.runs, "run"),
        duration(report.took_ms),
    );
    for case in &report.cases {
        text.push_str(&one(style, case));
    }
    let left_out = counts.different().saturating_sub(report.cases.len() as u64);
    if left_out > 0 {
        let note = format!("{} more: --show {}", grouped(left_out), counts.different().max(shown as u64));
        text.push_str(&format!("\n{}\n", style.paint(Tone::Faint, &note)));
    }
    text.push_str(&format!("\n{}", summary(style, report)));
    text
}

/// Calls that a canary made, with its verdict beside the active component's, those that differ first.
pub(super) fn verdicts(style: &Style, report: &BacktestReport) -> String {
    let rows: Vec<_> = report
        .cases
        .iter()
        .take(VERDICTS_SHOWN)
        .map(|case| {
            let (tone, what) = differs_in(&case.outcome);
            vec![
                (Tone::Faint, format!("{} call {}", short(&case.run), case.number)),
                (Tone::Plain, line(&case.step, VERDICT_MAX)),
                (tone, what),
                (Tone::Plain, line(&case.recorded, VERDICT_MAX)),
                (Tone::Plain, line(&case.candidate, VERDICT_MAX)),
            ]
        })
        .collect();
    let active = format!("ACTIVE {}", report.candidate.short());
    let mut text = style.table(&["CALL", "STEP", "DIFFERS IN", "CANDIDATE", &active], &rows);
    let more = report.counts.all().saturating_sub(rows.len() as u64);
    if more > 0 {
        text.push_str(&format!("and {} more\n", grouped(more)));
    }
    let counts = &report.counts;
    let decided = match counts.decided {
        0 => String::new(),
        decided => format!(", {} of them decide otherwise", grouped(decided)),
    };
    text.push_str(&format!(
        "{} of the candidate: {} the same with the active component, {} otherwise{decided}\n",
        counted_grouped(counts.all(), "call"),
        grouped(counts.identical),
        grouped(counts.different()),
    ));
    text
}

/// The parts of a transition that differ: `next, state`.
fn differs_in(outcome: &BacktestOutcome) -> (Tone, String) {
    match outcome {
        BacktestOutcome::Identical => (Tone::Faint, "-".to_owned()),
        BacktestOutcome::Changed { differences } => {
            let mut parts: Vec<&str> = Vec::new();
            for difference in differences {
                let part = difference.field.split(['.', '[']).next().unwrap_or_default();
                if !parts.contains(&part) {
                    parts.push(part);
                }
            }
            (Tone::Attention, line(&parts.join(", "), VERDICT_MAX))
        }
        BacktestOutcome::Unrecorded { .. } => (Tone::Attention, "asks other things".to_owned()),
        BacktestOutcome::Fault { .. } => (Tone::Bad, "fault".to_owned()),
        BacktestOutcome::OtherState { .. } => (Tone::Bad, "state version".to_owned()),
    }
}

fn word(outcome: &BacktestOutcome) -> (Tone, &'static str) {
    match outcome {
        BacktestOutcome::Identical => (Tone::Good, "same"),
        BacktestOutcome::Changed { .. } => (Tone::Attention, "changed"),
        BacktestOutcome::Unrecorded { .. } => (Tone::Attention, "asks"),
        BacktestOutcome::Fault { .. } => (Tone::Bad, "fault"),
        BacktestOutcome::OtherState { .. } => (Tone::Bad, "state"),
    }
}

fn one(style: &Style, case: &BacktestCase) -> String {
    let (tone, word) = word(&case.outcome);
    let place = format!("{} call {}", short(&case.run), case.number);
    let mut text = format!(
        "\n{}  {}  {}  {}\n",
        style.cell(tone, word, 7),
        place,
        style.paint(Tone::Strong, &line(&case.step, SIDE_MAX)),
        style.paint(Tone::Faint, &style.moment(case.at)),
    );
    let mut row = |what: &str| text.push_str(&format!("         {}\n", line(what, 2 * LINE_MAX)));
    match &case.outcome {
        BacktestOutcome::Identical => row(&case.candidate),
        BacktestOutcome::Changed { differences } => {
            let width = differences.iter().map(|one| one.field.chars().count()).max().unwrap_or(0).min(40);
            for one in differences {
                let side = |value: &Option<String>| {
                    value.as_ref().map_or_else(|| "nothing".to_owned(), |value| line(value, LINE_MAX))
                };
                let (before, after) = (side(&one.recorded), side(&one.candidate));
                let field = style.cell(Tone::Faint, &one.field, width);
                if before.chars().count() + after.chars().count() <= SIDE_MAX * 2 {
                    text.push_str(&format!("         {field}  {before} -> {after}\n"));
                } else {
                    let fill = " ".repeat(width.max(one.field.chars().count()));
                    text.push_str(&format!("         {field}  {before}\n         {fill}  -> {after}\n"));
                }
            }
        }
        BacktestOutcome::Unrecorded { asked } => {
            row(&format!("recorded {}", case.recorded));
            row(&format!("asks what is not recorded: {}", asked.join(", ")));
        }
        BacktestOutcome::Fault { class, message } => {
            row(&format!("recorded {}", case.recorded));
            row(&format!("fault {class}: {message}"));
        }
        BacktestOutcome::OtherState { recorded, candidate, message } => {
            row(&format!("state of version {recorded}, the component's is {candidate}: {message}"));
        }
    }
    text
}

fn summary(style: &Style, report: &BacktestReport) -> String {
    let counts = &report.counts;
    if counts.all() == 0 {
        return format!("no call of kind {} is recorded there\n", line(&report.kind, LINE_MAX));
    }
    let rows = [
        (Tone::Good, "the same", counts.identical),
        (Tone::Attention, "changed", counts.changed),
        (Tone::Attention, "  decides otherwise", counts.decided),
        (Tone::Attention, "asks what is not recorded", counts.unrecorded),
        (Tone::Bad, "no transition", counts.faults),
        (Tone::Bad, "state of another version", counts.other_state),
    ];
    let mut text = String::new();
    // Whether a change is more than words is said even if it is not.
    let is_told = |what: &str, count: u64| match what {
        "the same" => true,
        "  decides otherwise" => counts.changed > 0,
        _ => count > 0,
    };
    for (tone, what, count) in rows.into_iter().filter(|(_, what, count)| is_told(what, *count)) {
        let tone = if count == 0 { Tone::Plain } else { tone };
        text.push_str(&format!("{}  {:>9}\n", style.cell(tone, what, 25), grouped(count)));
    }
    text.push_str(&fuel(style, &report.fuel));
    if report.unreadable_runs > 0 {
        let runs = counted_grouped(report.unreadable_runs, "run");
        let note = format!("{runs} left out: the journal cannot be read, see `lockstep verify`");
        text.push_str(&format!("{}\n", style.paint(Tone::Bad, &note)));
    }
    if report.is_cut {
        text.push_str("there are more calls than are made again at once: ask for later ones with --since\n");
    }
    text
}

fn fuel(style: &Style, fuel: &BacktestFuel) -> String {
    let Some(growth) = fuel.growth_percent() else {
        return "fuel not comparable: nothing was made under this engine configuration\n".to_owned();
    };
    let tone = if growth > 0.0 { Tone::Attention } else { Tone::Good };
    let worst = match fuel.worst_growth_percent {
        0 => String::new(),
        worst => format!(", one call by {worst} %"),
    };
    format!(
        "{}  {:>9}  ({} up{worst}; {} down; {} -> {})\n",
        style.cell(Tone::Plain, "fuel", 25),
        style.paint(tone, &format!("{growth:+.1} %")),
        grouped(fuel.up),
        grouped(fuel.down),
        grouped(fuel.recorded),
        grouped(fuel.candidate),
    )
}

/// `[######........] 1,234 of 5,000 calls, 12 differ`
pub(crate) fn backtest_progress(so_far: BacktestProgress) -> String {
    let BacktestProgress { done, of, different } = so_far;
    let differ = if different > 0 { format!(", {} differ", grouped(different)) } else { String::new() };
    let Some(of) = of.filter(|of| *of > 0) else {
        return format!("{}{differ}", counted_grouped(done, "call"));
    };
    let full = (done.saturating_mul(BAR) / of).min(BAR);
    let bar: String = (0..BAR).map(|at| if at < full { '#' } else { '.' }).collect();
    format!("[{bar}] {} of {} calls{differ}", grouped(done), grouped(of))
}

/// `1 call`, `12,345 calls`
fn counted_grouped(number: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(number), if number == 1 { "" } else { "s" })
}
