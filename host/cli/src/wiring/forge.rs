//! Which repositories are on a forge, and who answers for them.

use crate::config::HostConfig;
use lockstep_ports::{Checks, Effects, Mergeability};
use lockstep_providers::{GitHub, GitHubChecks, GitHubEffects, GitHubMergeability, LocalGit};
use std::sync::Arc;

/// The forge that the operator's repositories are on.
pub(super) fn open(config: &HostConfig, git: &LocalGit) -> anyhow::Result<Option<GitHub>> {
    let Some(github) = &config.github else { return Ok(None) };
    let Some(options) = github.options(&config.repositories)? else { return Ok(None) };
    Ok(Some(GitHub::new(git.clone(), options)?))
}

/// What a forge answers for the repositories on it, and this machine for the others.
pub(super) struct Asked {
    pub(super) checks: Arc<dyn Checks>,
    pub(super) mergeability: Arc<dyn Mergeability>,
    pub(super) effects: Arc<dyn Effects>,
}

impl Asked {
    pub(super) fn of(self, forge: Option<&GitHub>) -> Self {
        let Some(forge) = forge else { return self };
        Self {
            checks: Arc::new(GitHubChecks::new(forge.clone(), self.checks)),
            mergeability: Arc::new(GitHubMergeability::new(forge.clone(), self.mergeability)),
            effects: Arc::new(GitHubEffects::new(forge.clone(), self.effects)),
        }
    }
}
