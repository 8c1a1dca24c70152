use super::{pipelines, read_component};
use crate::args::SimulateArgs;
use crate::context::Context;
use crate::exit::{Exit, Refused};
use crate::wiring::{self, Simulator};
use lockstep_runtime::pipeline_file::{self, Descriptors};
use lockstep_simulator::{Scenario, Simulated, difference, score, simulate as run, story};
use lockstep_types::Pipeline;
use serde_json::{Value, json};
use std::io::Read as _;
use std::path::Path;

/// Largest scenario, and largest trace it is compared with.
const SCENARIO_MAX: u64 = 8 << 20;
/// `lockstep simulate`
pub(super) async fn simulate(context: &Context, args: SimulateArgs) -> anyhow::Result<Exit> {
    let shown = args.file.display().to_string();
    let wrong = |error: lockstep_simulator::SimulationError| Refused(format!("{shown}: {error}"));
    let text = scenario_text(&args.file)?;
    let scenario = Scenario::read(&text).map_err(wrong)?;
    let mut simulator = wiring::open_simulator(context.folder.path()).await?;
    for given in &args.component {
        add_component(&mut simulator, given).await?;
    }
    if simulator.kinds.0.is_empty() {
        return Refused::because(
            "this lockstep was built without its standard components: run `cargo xtask guests` and build again",
        );
    }
    let pipeline = args.pipeline.as_deref().map(|file| read_pipeline(&simulator, file)).transpose()?;
    let simulated = run(&scenario, &simulator.kinds, &simulator.executor, pipeline.as_ref()).await;
    let simulated = simulated.map_err(wrong)?;
    show(context, &scenario, &simulated, args.reduced)?;
    match &args.expect {
        Some(file) => compare(context, &simulated.trace, file),
        None => Ok(Exit::Done),
    }
}

fn scenario_text(file: &Path) -> anyhow::Result<String> {
    if file != Path::new("-") {
        return super::read_text(file, SCENARIO_MAX);
    }
    let mut text = String::new();
    match std::io::stdin().take(SCENARIO_MAX + 1).read_to_string(&mut text) {
        Ok(size) if size as u64 > SCENARIO_MAX => {
            Refused::because(format!("the scenario is larger than {SCENARIO_MAX} bytes"))
        }
        Ok(_) => Ok(text),
        Err(error) => Refused::because(format!("standard input cannot be read: {error}")),
    }
}

async fn add_component(simulator: &mut Simulator, given: &str) -> anyhow::Result<()> {
    let Some((kind, file)) = given.split_once('=').filter(|(kind, _)| !kind.is_empty()) else {
        return Refused::because(format!(
            "--component {given:?}: give KIND=FILE, such as ci-gate=strict.wasm"
        ));
    };
    let bytes = read_component(Path::new(file))?;
    let Simulator { executor, store, kinds } = simulator;
    let added = store.add(executor, kinds, Some(kind), file, bytes).await;
    added.map_err(|error| Refused(error.to_string()).into())
}

fn read_pipeline(simulator: &Simulator, file: &Path) -> anyhow::Result<Pipeline> {
    let known = simulator.kinds.0.iter().map(|(name, kind)| (name.clone(), kind.descriptor.clone()));
    let text = pipelines::read(file)?;
    let read = pipeline_file::read(&text, &file.to_string_lossy(), &Descriptors(known.collect()));
    read.map_err(|errors| Refused(errors.to_string()).into())
}

fn show(context: &Context, scenario: &Scenario, simulated: &Simulated, reduced: bool) -> anyhow::Result<()> {
    if reduced {
        return context.term.out(&format!("{:#}\n", simulated.trace));
    }
    let timeline = simulated.timeline.iter();
    let timeline: Vec<Value> = timeline
        .map(|(line, block, entry)| json!({"script": line, "block": block, "entry": entry}))
        .collect();
    let refused: Vec<Value> =
        simulated.refused.iter().map(|(line, why)| json!({"script": line, "why": why})).collect();
    let document = json!({"trace": simulated.trace, "timeline": timeline, "refused": refused});
    context.term.show(&document, |_, _| story(scenario, simulated))
}

fn compare(context: &Context, trace: &Value, file: &Path) -> anyhow::Result<Exit> {
    let text = super::read_text(file, SCENARIO_MAX)?;
    let expected: Value = match serde_json::from_str(&text) {
        Ok(expected) => expected,
        Err(error) => return Refused::because(format!("{}: {error}", file.display())),
    };
    if score(trace, &expected).passes {
        context.term.note(&format!("as {} says", file.display()));
        return Ok(Exit::Done);
    }
    context.term.error(&format!("not as {} says: - is missing, + is not expected", file.display()));
    for line in difference(trace, &expected).lines() {
        context.term.error(line);
    }
    Ok(Exit::Failed)
}
