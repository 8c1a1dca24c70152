//! Backtests, capsules and cases as people see them.

use crate::{Served, write};
use expect_test::expect;

fn transcripts(served: &Served, lines: &[&str]) -> String {
    lines.iter().map(|line| served.transcript(line)).collect()
}

#[test]
fn a_backtest_tells_what_differs_and_how_many() {
    let served = Served::new();
    write(served.folder.path(), "gate.wasm", "component");
    let text = transcripts(
        &served,
        &[
            "component backtest gate.wasm --kind gate",
            "component backtest 3fa1 --kind gate --last 5 --since 2026-01-05 --show 2 --json",
            "component backtest gate.wasm --kind other",
            "component backtest gone.wasm --kind gate",
            "component backtest 3fa1 --kind gate --since tomorrow",
        ],
    );
    expect![""].assert_eq(&text);
    expect![""].assert_eq(&served.service.calls());
}

#[test]
fn what_cannot_be_tested_or_exported_says_why() {
    let served = Served::new();
    write(served.folder.path(), "gate.wasm", "component");
    let text = transcripts(
        &served,
        &[
            "step test gate.wasm cases.toml",
            "step test gone.wasm cases.toml",
            "step test gate.wasm",
            "capsule export latest none",
            "capsule export gone ci",
        ],
    );
    expect![""].assert_eq(&text);
}
