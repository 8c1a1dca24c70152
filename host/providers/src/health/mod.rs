//! Release health from a monitoring system, where no command of a pipeline looks.

mod datadog;
mod http_json;

pub use datadog::Datadog;
pub use http_json::HealthPage;

use crate::http::HttpError;
use crate::observations::WrittenSignal;
use async_trait::async_trait;
use lockstep_ports::{ObservationOrder, Observations};
use lockstep_types::{
    EnvironmentReport, Evidence, HealthReport, ObserveFailure, Signal, SignalState, Timestamp,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is watched for one repository.
#[derive(Clone, Debug)]
pub enum HealthSource {
    /// An address that answers in JSON.
    Page(HealthPage),
    /// Monitors and service level objectives of Datadog.
    Datadog(Datadog),
}

impl HealthSource {
    async fn look(
        &self,
        order: ObservationOrder<'_>,
        since: Timestamp,
    ) -> Result<HealthReport, ObserveFailure> {
        match self {
            Self::Page(page) => page.look(order, since).await,
            Self::Datadog(datadog) => {
                let signals = datadog.signals().await?;
                Ok(crate::observations::reported(None, signals, since))
            }
        }
    }

    async fn evidence(
        &self,
        order: ObservationOrder<'_>,
        since: Timestamp,
    ) -> Result<Evidence, ObserveFailure> {
        if let Self::Page(page) = self
            && let Some(evidence) = page.evidence(order, since).await?
        {
            return Ok(evidence);
        }
        let signals = self.look(order, since).await?.signals;
        let is_alerting = |signal: &Signal| signal.state == SignalState::Alert;
        let regressed = signals.into_iter().filter(is_alerting).collect();
        Ok(Evidence { regressed, ..Evidence::default() })
    }

    /// Asks whether it answers; one line for people.
    ///
    /// # Errors
    /// One line that says what is wrong.
    pub async fn check(&self) -> Result<String, String> {
        match self {
            Self::Page(page) => page.check().await,
            Self::Datadog(datadog) => datadog.check().await,
        }
    }
}

/// Observations with a monitoring system for the releases that no command looks at (SPEC RH-7).
pub struct WatchedReleases {
    others: Arc<dyn Observations>,
    /// The repository each is for; none: all that have no other.
    sources: Vec<(Option<PathBuf>, HealthSource)>,
}

impl WatchedReleases {
    /// Commands first, then the source of the change's repository, then the one for all.
    #[must_use]
    pub fn new(others: Arc<dyn Observations>, sources: Vec<(Option<PathBuf>, HealthSource)>) -> Self {
        Self { others, sources }
    }

    fn source(&self, order: ObservationOrder<'_>, name: &str) -> Option<&HealthSource> {
        if order.commands.contains_key(name) {
            return None;
        }
        let wanted = Path::new(&order.change.repository);
        let own = self.sources.iter().find(|(path, _)| path.as_deref() == Some(wanted));
        let own = own.or_else(|| self.sources.iter().find(|(path, _)| path.is_none()));
        own.map(|(_, source)| source)
    }
}

#[async_trait]
impl Observations for WatchedReleases {
    async fn release_health(
        &self,
        order: ObservationOrder<'_>,
        watch_since: Timestamp,
    ) -> Result<HealthReport, ObserveFailure> {
        match self.source(order, "release-health") {
            Some(source) => source.look(order, watch_since).await,
            None => self.others.release_health(order, watch_since).await,
        }
    }

    async fn evidence(
        &self,
        order: ObservationOrder<'_>,
        watch_since: Timestamp,
    ) -> Result<Evidence, ObserveFailure> {
        match self.source(order, "evidence") {
            Some(source) => source.evidence(order, watch_since).await,
            None => self.others.evidence(order, watch_since).await,
        }
    }

    async fn environment(
        &self,
        order: ObservationOrder<'_>,
        id: &str,
    ) -> Result<Option<EnvironmentReport>, ObserveFailure> {
        self.others.environment(order, id).await
    }
}

fn failed(error: &HttpError) -> ObserveFailure {
    ObserveFailure::Failed(error.to_string())
}

type Signals = Vec<WrittenSignal>;
