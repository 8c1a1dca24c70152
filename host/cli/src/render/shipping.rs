use super::{Style, Tone, bytes, line};
use crate::commands::{PullReport, PushReport};

/// Longest kind or version that is shown of what a stranger claims.
const CLAIM_MAX: usize = 60;

/// A component that is at its place now.
pub(crate) fn pushed(style: &Style, report: &PushReport) -> String {
    let done = if report.was_there { "was there already" } else { "pushed" };
    let described =
        described(&report.kind, &report.version, report.size, report.signed, &report.component.to_string());
    let mut text = format!("{done}: {}\n  {described}\n", style.paint(Tone::Strong, &report.reference));
    if let Some(before) = &report.moved_from {
        text.push_str(&format!("  the tag meant sha256:{before} before\n"));
    }
    text
}

/// A component that was fetched and checked.
pub(crate) fn pulled(style: &Style, report: &PullReport) -> String {
    let described =
        described(&report.kind, &report.version, report.size, report.signed, &report.component.to_string());
    let mut text = format!("pulled: {}\n  {described}\n", style.paint(Tone::Strong, &report.reference));
    match &report.output {
        Some(file) => text.push_str(&format!("  written to {}\n", file.display())),
        None if report.added.is_none() => text.push_str("  kept nowhere: --add or --output keeps it\n"),
        None => {}
    }
    text
}

fn described(kind: &str, version: &str, size: u64, signed: bool, digest: &str) -> String {
    let words = [line(kind, CLAIM_MAX), line(version, CLAIM_MAX), bytes(size)];
    let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
    let signed = if signed { "with a signature" } else { "without a signature" };
    format!("{}, {signed}, component sha256:{digest}", words.join(" "))
}
