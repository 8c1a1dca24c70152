//! Every scenario, held against the list of those that pass: the list only changes on purpose.

use lockstep_conformance::{Components, path, run, scenario_names, score};
use lockstep_simulator::Scenario;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::Instant;

/// Names of the scenarios that pass, one a line, sorted.
const LIST: &str = "passing.txt";

#[tokio::test]
async fn the_listed_scenarios_pass_and_no_others() -> Result<(), Box<dyn std::error::Error>> {
    let begun = Instant::now();
    let components = Components::load().await.map_err(|error| error.to_string())?;
    let names = scenario_names()?;
    let (mut passing, mut contexts) = (BTreeSet::new(), 0);
    for name in &names {
        let read = |folder: &str| std::fs::read_to_string(path(&format!("{folder}/{name}.json")));
        let scenario = Scenario::read(&read("scenarios")?)?;
        let expected: serde_json::Value = serde_json::from_str(&read("expected")?)?;
        let trace = run(&scenario, &components).await.map_err(|error| format!("{name}: {error}"))?;
        let score = score(&trace, &expected);
        contexts += u32::from(score.contexts);
        if score.passes {
            passing.insert(name.clone());
        }
    }
    let (all, seconds) = (names.len(), begun.elapsed().as_secs_f32());
    let (passed, mut err) = (passing.len(), std::io::stderr());
    writeln!(err, "{passed} of {all} scenarios pass (contexts: {contexts}), {seconds:.1} s")?;
    hold_against_list(&passing)?;
    Ok(())
}

fn hold_against_list(passing: &BTreeSet<String>) -> std::io::Result<()> {
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        let list: String = passing.iter().map(|name| format!("{name}\n")).collect();
        return std::fs::write(path(LIST), list);
    }
    let list = std::fs::read_to_string(path(LIST))?;
    let listed: BTreeSet<String> = list.lines().map(str::to_owned).collect();
    let lost = listed
        .difference(passing)
        .map(|name| format!("{name} passes no longer: cargo run -p lockstep-conformance {name}"));
    let gained = passing
        .difference(&listed)
        .map(|name| format!("{name} passes now: UPDATE=1 cargo test -p lockstep-conformance lists it"));
    let changed: Vec<String> = lost.chain(gained).collect();
    assert!(changed.is_empty(), "\n{}", changed.join("\n"));
    Ok(())
}
