//! Every scenario: effects and final state exactly as expected, and what was handed to each agent.

use lockstep_conformance::{Components, path, run, scenario_names};
use lockstep_simulator::{Scenario, difference, score};
use std::io::Write as _;
use std::time::Instant;

/// Scenarios whose differences are shown in full; of the others only the names.
const SHOWN_MAX: usize = 3;

#[tokio::test]
async fn every_scenario_goes_as_expected() -> Result<(), Box<dyn std::error::Error>> {
    let components = Components::load().await.map_err(|error| error.to_string())?;
    let (names, begun) = (scenario_names()?, Instant::now());
    let (mut contexts, mut failed) = (0, Vec::new());
    for name in &names {
        let read = |folder: &str| std::fs::read_to_string(path(&format!("{folder}/{name}.json")));
        let scenario = Scenario::read(&read("scenarios")?)?;
        let expected: serde_json::Value = serde_json::from_str(&read("expected")?)?;
        let trace = run(&scenario, &components).await.map_err(|error| format!("{name}: {error}"))?;
        let score = score(&trace, &expected);
        contexts += usize::from(score.contexts);
        if !score.contexts {
            failed.push((name, difference(&trace, &expected)));
        }
    }
    let (all, seconds) = (names.len(), begun.elapsed().as_secs_f32());
    let mut err = std::io::stderr();
    writeln!(
        err,
        "{} of {all} scenarios go as expected, contexts too in {contexts}; {seconds:.1} s",
        all - failed.len()
    )?;
    let shown = failed.iter().take(SHOWN_MAX).map(|(name, difference)| format!("{name}\n{difference}"));
    let shown: String = shown.collect();
    let names: Vec<&str> = failed.iter().map(|(name, _)| name.as_str()).collect();
    assert!(failed.is_empty(), "\n{shown}{} differ: {}", names.len(), names.join(", "));
    Ok(())
}
