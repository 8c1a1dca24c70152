//! What a `blueprints` agent found is brought onto the board (SPEC BI-2).

use crate::world::{Refusal, World};
use lockstep_board::Blueprint;
use lockstep_types::JobResult;
use serde_json::json;

/// The agent kind whose result is a map of the service.
pub(crate) const BLUEPRINTS: &str = "blueprints";

impl World<'_> {
    /// A result that asks a question is not looked at yet (SPEC EN-10); a map that cannot be read changes nothing (EN-11).
    pub(crate) fn map_service(&mut self, at: usize, result: &JobResult) -> Result<(), Refusal> {
        if self.scenario.wiring.blueprint != Some(true) || result.question.is_some() {
            return Ok(());
        }
        let Some(report) = &result.report else {
            return Ok(());
        };
        let Ok(blueprint) = Blueprint::parse(&json!({"service": report.value()}).to_string()) else {
            return Ok(());
        };
        let service = self.board.service_of(&self.runs[at].block).map(|service| service.id.clone());
        let changes = self.board.ingest_blueprint(service.as_ref(), &blueprint, self.now)?;
        self.change(&changes);
        Ok(())
    }
}
