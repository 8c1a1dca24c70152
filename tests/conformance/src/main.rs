//! `lockstep-conformance NAME`: runs one scenario and shows how its trace differs from the expected one.
//! With `--trace` it prints the trace instead.

use lockstep_conformance::{Components, path, run};
use lockstep_simulator::{Scenario, difference, score};
use std::io::Write as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = std::io::stdout();
    let (flags, names): (Vec<_>, Vec<_>) = std::env::args().skip(1).partition(|arg| arg.starts_with("--"));
    if names.is_empty() {
        writeln!(out, "usage: lockstep-conformance [--trace] SCENARIO...")?;
        return Ok(());
    }
    let components = Components::load().await.map_err(|error| error.to_string())?;
    for name in names {
        let read = |folder: &str| std::fs::read_to_string(path(&format!("{folder}/{name}.json")));
        let scenario = Scenario::read(&read("scenarios")?)?;
        let expected = serde_json::from_str(&read("expected")?)?;
        match run(&scenario, &components).await {
            Ok(trace) if flags.iter().any(|flag| flag == "--trace") => writeln!(out, "{trace:#}")?,
            Ok(trace) => {
                let word = if score(&trace, &expected).passes { "passes" } else { "differs" };
                write!(out, "{name} {word}\n{}", difference(&trace, &expected))?;
            }
            Err(error) => writeln!(out, "{name} {error}")?,
        }
    }
    Ok(())
}
