//! What happens on a forge, and how it comes to the runtime.

use super::Local;
use crate::config::SecretSource;
use lockstep_ports::Deliveries;
use lockstep_runtime::{HookOptions, NamedRepositories};
use lockstep_server::Hooks;
use std::sync::Arc;

/// The label that starts a run of a pull request, unless the operator names another.
const LABEL: &str = "lockstep";

impl Local {
    /// Deliveries of webhooks.
    #[must_use]
    pub fn deliveries(&self) -> Arc<dyn Deliveries> {
        Arc::clone(&self.store) as _
    }

    /// What a server takes webhooks with. From now on what happens on the forge is taken up, if the operator named one.
    ///
    /// # Errors
    /// The secret is not where the configuration says.
    pub fn hooks(&self) -> anyhow::Result<Hooks> {
        let github = self.config.github.as_ref();
        if let Some(github) = github {
            let forge = self.forge.clone();
            let named = self.config.repositories.iter().filter_map(|repository| {
                let path = repository.path.canonicalize().unwrap_or_else(|_| repository.path.clone());
                Some((path.to_string_lossy().into_owned(), repository.github.clone()?))
            });
            self.runtime.take_up_hooks(HookOptions {
                deliveries: self.deliveries(),
                checks: forge.is_some().then(|| Arc::clone(&self.checks)),
                forge: forge.unwrap_or_else(|| Arc::new(NamedRepositories::new(named.collect()))),
                label: github.label.clone().unwrap_or_else(|| LABEL.to_owned()),
                pipeline: github.pipeline.clone(),
            });
        }
        let secret = github.and_then(|github| github.webhook_secret.as_ref());
        let secret = secret.map(SecretSource::read).transpose()?;
        Ok(Hooks { deliveries: self.deliveries(), clock: Arc::clone(&self.clock), secret })
    }
}
