//! Giving a run other components, and letting runs go on that were held for one.

use super::{guard, trust};
use crate::actor::{self, LiveRun};
use crate::runtime::{Runtime, Shared};
use lockstep_engine::Recorded;
use lockstep_ports::ServiceError;
use lockstep_types::{Pin, Repin, RunId};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Runtime {
    /// What a run is to be given: components that are stored, implement their kinds, are not stopped and ask for nothing
    /// beyond what their kinds are granted now.
    pub(crate) async fn repin(
        &self,
        run: &RunId,
        digests: &BTreeMap<String, String>,
        by: String,
        reason: String,
    ) -> Result<Repin, ServiceError> {
        let recorded = self.recorded(run).await?;
        let mut pins = BTreeMap::new();
        for (kind, digest) in digests {
            pins.insert(kind.clone(), self.pin_for(&recorded, kind, digest).await?);
        }
        if pins.is_empty() {
            return Err(ServiceError::Invalid("nothing to repin: say which kind, as KIND=DIGEST".to_owned()));
        }
        Ok(Repin { pins, migrations: Vec::new(), by, reason })
    }

    /// The same for the kind of one step.
    pub(crate) async fn repin_of_step(
        &self,
        run: &RunId,
        step: &str,
        digest: &str,
        by: &str,
    ) -> Result<Repin, ServiceError> {
        let recorded = self.recorded(run).await?;
        let ix = crate::service::find_step(&recorded, step)?;
        let kind = recorded.run.spec().pipeline.steps[ix].kind.clone();
        let digests = [(kind, digest.to_owned())].into();
        self.repin(run, &digests, by.to_owned(), format!("restart of step {step}")).await
    }

    async fn pin_for(&self, recorded: &Recorded, kind: &str, digest: &str) -> Result<Pin, ServiceError> {
        let info = self.find_component(digest).await?;
        if info.descriptor.kind != kind {
            return Err(ServiceError::Conflict(format!(
                "component {} implements kind {}, not {kind}: choose one that implements {kind}",
                info.digest.short(),
                info.descriptor.kind
            )));
        }
        let registry = self.registry().await?;
        guard::refuse_stopped(&info, &registry)?;
        let of_run = recorded.run.spec().pins.get(kind).map(|pin| &*pin.grant);
        let grant = registry.grant(kind).or(of_run).cloned().unwrap_or_default();
        guard::refuse_excess(&info, kind, &grant, |beyond| guard::grant_command(kind, beyond))?;
        if !self.is_carried(&info.digest) {
            trust::check(&info, &registry)?;
        }
        Ok(Pin {
            digest: info.digest,
            grant: Arc::new(grant),
            access: info.descriptor.access,
            is_canary: false,
        })
    }
}

impl Shared {
    /// Wakes the runs that are held for a component: to be called once what is stopped has changed. A run whose mailbox
    /// is full looks anyway.
    pub(crate) async fn wake_held(&self) {
        let held = |run: &&LiveRun| run.state().run.held_for().is_some();
        for run in self.live.lock().await.values().filter(held) {
            actor::poke(&run.sender());
        }
    }
}
