use super::{Style, Tone, bytes, counted, grouped, line};
use crate::cases::{CallReport, CaseReport, Tested};
use lockstep_types::{LogLevel, Outcome};
use std::path::Path;

/// Longest line about one thing.
const LINE_MAX: usize = 240;
/// Longest name of a case beside its figures.
const NAME_MAX: usize = 72;

/// What a component made of cases.
pub(crate) fn tested(style: &Style, tested: &Tested) -> String {
    let mut text = format!(
        "{} {}  {}\n",
        style.paint(Tone::Strong, &line(&tested.kind, LINE_MAX)),
        line(&tested.version, LINE_MAX),
        style.paint(Tone::Faint, &tested.digest.short())
    );
    let width = tested.cases.iter().map(|case| place(case).1.chars().count()).max().unwrap_or(0);
    let mut last = None;
    for case in &tested.cases {
        let heading = place(case).0;
        if last.as_ref() != Some(&heading) {
            text.push_str(&format!("\n{}\n", style.paint(Tone::Faint, &heading)));
            last = Some(heading);
        }
        text.push_str(&one(style, case, width));
    }
    let (all, differing) = (tested.cases.len(), tested.differing());
    let summary = match differing {
        0 => style.paint(Tone::Good, &format!("{}: as expected", counted(all, "case"))),
        _ => style.paint(Tone::Bad, &format!("{}: {differing} not as expected", counted(all, "case"))),
    };
    let calls = || tested.cases.iter().flat_map(|case| &case.calls);
    let fuel = calls().map(|call| call.fuel).max().unwrap_or(0);
    let memory = calls().map(|call| call.peak_memory).max().unwrap_or(0);
    text.push_str(&format!("\n{summary}; at most {} fuel and {} a call\n", grouped(fuel), bytes(memory)));
    text
}

/// What a case stands under, and what it is called there: a case of a table by its name, a capsule by its file.
fn place(case: &CaseReport) -> (String, String) {
    let path = Path::new(&case.file);
    let (heading, name) = match (case.at, path.parent(), path.file_name()) {
        (None, Some(folder), Some(file)) => (folder.to_string_lossy(), file.to_string_lossy()),
        _ => ((&*case.file).into(), (&*case.name).into()),
    };
    let heading = if heading.is_empty() { ".".into() } else { heading };
    (line(&heading, LINE_MAX), line(&name, NAME_MAX))
}

fn one(style: &Style, case: &CaseReport, width: usize) -> String {
    let fuel: u64 = case.calls.iter().map(|call| call.fuel).sum();
    let memory = case.calls.iter().map(|call| call.peak_memory).max().unwrap_or(0);
    let calls = if case.calls.len() > 1 { format!("{} calls, ", case.calls.len()) } else { String::new() };
    let cost = format!("{calls}fuel {}, {}", grouped(fuel), bytes(memory));
    let (tone, word) = if case.passed { (Tone::Good, "ok") } else { (Tone::Bad, "differs") };
    let name = style.cell(Tone::Plain, &place(case).1, width);
    let mut text = format!("  {}  {name}  {}\n", style.cell(tone, word, 7), style.paint(Tone::Faint, &cost));
    for (at, call) in case.calls.iter().enumerate() {
        if call.mismatches.is_empty() && call.problems.is_empty() {
            continue;
        }
        let which = if at > 0 { format!("call {}: ", at + 1) } else { String::new() };
        text.push_str(&difference(style, &which, call));
    }
    text
}

fn difference(style: &Style, which: &str, call: &CallReport) -> String {
    let mut text = String::new();
    for problem in &call.problems {
        text.push_str(&format!("           {which}{}\n", style.paint(Tone::Bad, &line(problem, LINE_MAX))));
    }
    for mismatch in &call.mismatches {
        text.push_str(&format!(
            "           {which}{}\n             expected {}\n             came     {}\n",
            style.paint(Tone::Bad, &line(&mismatch.field, LINE_MAX)),
            line(&mismatch.expected, LINE_MAX),
            line(&mismatch.came, LINE_MAX)
        ));
    }
    for entry in &call.logs {
        let tone = if entry.level == LogLevel::Error { Tone::Bad } else { Tone::Faint };
        text.push_str(&format!(
            "             {}\n",
            style.paint(tone, &format!("log: {}", line(&entry.message, LINE_MAX)))
        ));
    }
    if let Outcome::Fault(fault) = &call.outcome {
        text.push_str(&super::indented(fault.backtrace.as_deref().unwrap_or_default(), "             "));
    }
    text
}
