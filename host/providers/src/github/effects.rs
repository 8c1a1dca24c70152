use super::GitHub;
use crate::git::{Halt, short};
use async_trait::async_trait;
use lockstep_ports::Effects;
use lockstep_types::{Effect, EffectKey, EffectOrder, EffectOutcome, ProviderCommand, RunId};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Merges and updates on GitHub, for changes of its repositories. Implements `Effects`.
#[derive(Clone)]
pub struct GitHubEffects {
    github: GitHub,
    local: Arc<dyn Effects>,
}

impl GitHubEffects {
    /// `local` performs everything else, and all for other repositories.
    #[must_use]
    pub fn new(github: GitHub, local: Arc<dyn Effects>) -> Self {
        Self { github, local }
    }
}

#[async_trait]
impl Effects for GitHubEffects {
    async fn perform(&self, order: &EffectOrder, command: Option<&ProviderCommand>) -> EffectOutcome {
        let method = match &order.effect {
            Effect::Merge(method) => Some(*method),
            Effect::UpdateBranch => None,
            _ => return self.local.perform(order, command).await,
        };
        let inner = &self.github.inner;
        let Some(link) = inner.link_of(&order.change.repository).await else {
            return self.local.perform(order, command).await;
        };
        let Some(tested) = order.change.head_commit.as_deref() else {
            let branch = &order.change.head_branch;
            return EffectOutcome::Refused(format!(
                "nothing was tested on {branch}: the run knows no commit of it"
            ));
        };
        let done = match method {
            Some(method) => inner.merge(link, order, method, tested).await,
            None => inner.update_branch(link, order, tested).await,
        };
        match done {
            Ok(done) => {
                tracing::info!(key = %order.key, commit = short(tested), "{} on GitHub", order.effect.name());
                EffectOutcome::Done(done)
            }
            Err(Halt::Refused(why)) => EffectOutcome::Refused(why),
            Err(Halt::Failed(why)) => EffectOutcome::Failed(why),
        }
    }

    async fn stop(&self, key: &EffectKey) {
        self.local.stop(key).await;
    }

    async fn sweep(&self, wanted: &BTreeSet<EffectKey>) {
        self.local.sweep(wanted).await;
    }

    async fn forget(&self, run: &RunId) {
        self.local.forget(run).await;
    }
}
