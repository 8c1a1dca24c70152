use super::{Style, Tone, counted, grouped, line};
use lockstep_ports::{ReplayReport, VerifyReport};

/// Longest excerpt of a value that differs.
const VALUE_MAX: usize = 300;

/// What a replay showed.
pub(crate) fn replay(style: &Style, report: &ReplayReport) -> String {
    let migrations = match report.migrations {
        0 => String::new(),
        some => format!(", {}", counted(some as usize, "migration")),
    };
    let calls = counted(report.invocations as usize, "call");
    let calls = format!("{calls}{migrations}, fuel {}", grouped(report.fuel));
    if report.differences.is_empty() {
        let verdict = style.paint(Tone::Good, "identical bit for bit");
        return format!("{}: {calls}: {verdict}\n", report.run);
    }
    let verdict = style.paint(Tone::Bad, &counted(report.differences.len(), "difference"));
    let mut text = format!("{}: {calls}: {verdict}\n", report.run);
    for difference in &report.differences {
        let head =
            format!("call {} of {}: {}", difference.number, line(&difference.step, 60), difference.what);
        text.push_str(&format!("  {}\n", style.paint(Tone::Strong, &head)));
        text.push_str(&format!("    recorded  {}\n", line(&difference.recorded, VALUE_MAX)));
        text.push_str(&format!("    replayed  {}\n", line(&difference.replayed, VALUE_MAX)));
    }
    text
}

/// What a verification showed.
pub(crate) fn verify(style: &Style, report: &VerifyReport) -> String {
    let mut text = replay(style, &report.replay);
    let records = format!("{} records, head {}", grouped(report.records), report.head.short());
    if report.problems.is_empty() {
        let verdict = style.paint(Tone::Good, "the chain is whole and gives the stored run");
        text.push_str(&format!("journal: {records}: {verdict}\n"));
    } else {
        let verdict = style.paint(Tone::Bad, &counted(report.problems.len(), "problem"));
        text.push_str(&format!("journal: {records}: {verdict}\n"));
        report
            .problems
            .iter()
            .for_each(|problem| text.push_str(&format!("  {}\n", line(problem, VALUE_MAX))));
    }
    text
}
