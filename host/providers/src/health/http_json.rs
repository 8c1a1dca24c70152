use super::failed;
use crate::http::{Http, HttpRequest, HttpResponse};
use crate::observations::{Misread, read_evidence, read_health};
use lockstep_ports::ObservationOrder;
use lockstep_types::{Evidence, HealthReport, ObserveFailure, Timestamp};

/// An address that answers what a command would: `{"signals": [{"name": "errors", "state": "alert"}]}`.
#[derive(Clone, Debug)]
pub struct HealthPage {
    health: Http,
    evidence: Option<Http>,
}

impl HealthPage {
    /// Health from the base of one client, evidence from that of another, if there is one.
    #[must_use]
    pub fn new(health: Http, evidence: Option<Http>) -> Self {
        Self { health, evidence }
    }

    pub(super) async fn look(
        &self,
        order: ObservationOrder<'_>,
        since: Timestamp,
    ) -> Result<HealthReport, ObserveFailure> {
        ask(&self.health, order, since, read_health).await
    }

    pub(super) async fn evidence(
        &self,
        order: ObservationOrder<'_>,
        since: Timestamp,
    ) -> Result<Option<Evidence>, ObserveFailure> {
        match &self.evidence {
            Some(evidence) => ask(evidence, order, since, read_evidence).await.map(Some),
            None => Ok(None),
        }
    }

    pub(super) async fn check(&self) -> Result<String, String> {
        let response = self.health.send(&HttpRequest::get("")).await.and_then(HttpResponse::ok);
        let response = response.map_err(|error| error.to_string())?;
        let text = std::str::from_utf8(&response.body).map_err(|error| error.to_string())?;
        match read_health(text.trim(), Timestamp(0)) {
            Ok(report) => Ok(format!("{} signals", report.signals.len())),
            Err(Misread { what, why }) => Err(format!("its answer is not {what}: {why}")),
        }
    }
}

async fn ask<T>(
    http: &Http,
    order: ObservationOrder<'_>,
    since: Timestamp,
    read: impl FnOnce(&str, Timestamp) -> Result<T, Misread>,
) -> Result<T, ObserveFailure> {
    let request = HttpRequest::get("")
        .query("run", order.run)
        .query("branch", &order.change.base_branch)
        .query("commit", order.change.head_commit.as_deref().unwrap_or_default())
        .query("watch_since", since.0);
    let response = http.send(&request).await.and_then(HttpResponse::ok).map_err(|error| failed(&error))?;
    let text = std::str::from_utf8(&response.body).unwrap_or_default();
    read(text.trim(), since)
        .map_err(|Misread { what, why }| failed(&response.misread(&format!("it is not {what}: {why}"))))
}
