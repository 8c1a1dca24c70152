//! What becomes of a pipeline in a world that is played from a script.

use crate::ServiceError;
use async_trait::async_trait;

/// A scenario a draft can be tried in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioView {
    /// Its name.
    pub name: String,
    /// What happens in it, one line.
    pub about: String,
}

/// Tries pipelines without touching anything: time and everybody outside are simulated.
#[async_trait]
pub trait SimulationService: Send + Sync {
    /// The scenarios there are.
    fn scenarios(&self) -> Vec<ScenarioView>;

    /// Takes a pipeline file through a scenario and tells what happened, a line each.
    ///
    /// # Errors
    /// `NotFound` without such a scenario, `Invalid` with what is wrong with the file, a line each, or if it never ends.
    async fn simulate(&self, scenario: &str, pipeline: &str) -> Result<String, ServiceError>;
}
