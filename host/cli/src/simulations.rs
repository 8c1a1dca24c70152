//! Drafts of pipelines, tried by a server in the scenarios that come with the host.

use crate::wiring::{self, Simulator};
use async_trait::async_trait;
use lockstep_ports::{ScenarioView, ServiceError, SimulationService};
use lockstep_runtime::pipeline_file::{self, Descriptors};
use lockstep_simulator::{Scenario, simulate, story};
use std::path::PathBuf;
use tokio::sync::OnceCell;

/// Worlds that people try a pipeline in first.
const SCENARIOS: [&str; 2] = [
    include_str!("../../../examples/scenarios/red-then-green.json"),
    include_str!("../../../examples/scenarios/all-green.json"),
];

pub(crate) struct Simulations {
    folder: PathBuf,
    /// Brought up when somebody simulates: most servers never do.
    simulator: OnceCell<Simulator>,
}

impl Simulations {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, simulator: OnceCell::new() }
    }
}

fn scenarios() -> impl Iterator<Item = Scenario> {
    SCENARIOS.iter().filter_map(|text| Scenario::read(text).ok())
}

#[async_trait]
impl SimulationService for Simulations {
    fn scenarios(&self) -> Vec<ScenarioView> {
        scenarios().map(|Scenario { name, about, .. }| ScenarioView { name, about }).collect()
    }

    async fn simulate(&self, scenario: &str, pipeline: &str) -> Result<String, ServiceError> {
        let found = scenarios().find(|one| one.name == scenario);
        let scenario = found.ok_or_else(|| {
            ServiceError::NotFound(format!("there is no scenario {scenario:?}: choose one of the list"))
        })?;
        let simulator = self.simulator.get_or_try_init(|| wiring::open_simulator(&self.folder)).await;
        let Simulator { executor, kinds, .. } = simulator
            .map_err(|error| ServiceError::Internal(format!("the simulator does not come up: {error:#}")))?;
        let known = kinds.0.iter().map(|(name, kind)| (name.clone(), kind.descriptor.clone()));
        let read = pipeline_file::read(pipeline, "draft", &Descriptors(known.collect()));
        let pipeline = read.map_err(|errors| ServiceError::Invalid(errors.to_string()))?;
        let simulated = simulate(&scenario, kinds, executor, Some(&pipeline)).await;
        let simulated = simulated.map_err(|error| ServiceError::Invalid(error.to_string()))?;
        Ok(story(&scenario, &simulated))
    }
}
