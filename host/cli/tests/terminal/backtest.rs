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
            "component backtest gate.wasm --kind other",
            "component backtest gone.wasm --kind gate",
            "component backtest 3fa1 --kind gate --since tomorrow",
        ],
    );
    expect![[r#"
        $ lockstep component backtest gate.wasm --kind gate
        gate 2  3fc4ccfe7458  over 2 recorded calls of 1 run in 12ms

        changed  00000000 call 4  ci  2026-01-05 09:00:00
                 next  complete green -> wait 500 ms

        the same                           1
        changed                            1
          decides otherwise                1
        fuel                         +25.0 %  (1 up, one call by 50 %; 0 down; 2,000 -> 2,500)
        = 3
        $ lockstep component backtest gate.wasm --kind other
        ! lockstep: it implements kind gate, not other
        = 5
        $ lockstep component backtest gone.wasm --kind gate
        ! lockstep: "gone.wasm" is neither a file nor the digest of a component: build the file, or see `lockstep component list`
        = 5
        $ lockstep component backtest 3fa1 --kind gate --since tomorrow
        ! error: invalid value 'tomorrow' for '--since <TIME>': "tomorrow" is no time: write how long ago (90m, 24h, 7d), a day (2026-01-05), or 2026-01-05T09:00:00Z
        ! 
        ! For more information, try '--help'.
        = 2
    "#]].assert_eq(&text);
}

#[test]
fn a_backtest_is_asked_for_as_the_options_say() {
    let served = Served::new();
    let line = "component backtest 3fa1 --kind gate --last 5 --since 2026-01-05 --show 2 --json";
    let output = served.command(line).output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &report["counts"]["changed"]), (Some(3), &1.into()));
    assert!(output.stderr.is_empty(), "no progress where nobody looks: {output:?}");
    expect!["backtest 3fa1 for gate, Some(5) Some(Timestamp(1767571200000)) [] 2"]
        .assert_eq(&served.service.calls());
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
    expect![[r#"
        $ lockstep step test gate.wasm cases.toml
        ! lockstep: gate.wasm: not a WebAssembly component: it does not begin as WebAssembly does
        = 5
        $ lockstep step test gone.wasm cases.toml
        ! lockstep: gone.wasm cannot be read: No such file or directory (os error 2)
        = 5
        $ lockstep step test gate.wasm
        ! error: the following required arguments were not provided:
        !   <CASES>
        ! 
        ! Usage: lockstep step test --data <DIR> <COMPONENT> <CASES>
        ! 
        ! For more information, try '--help'.
        = 2
        $ lockstep capsule export latest none
        ! lockstep: there is no run yet: start one with `lockstep run`
        = 5
        $ lockstep capsule export gone ci
        ! lockstep: there is no run gone: see `lockstep runs list`
        = 5
    "#]]
    .assert_eq(&text);
}
