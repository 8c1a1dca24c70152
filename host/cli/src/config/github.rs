use super::{RepositoryConfig, SecretSource};
use lockstep_providers::{GitHubCredential, GitHubOptions};
use serde::Deserialize;
use std::time::Duration;

/// The section `[github]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GitHubConfig {
    /// Address of its API, if it is not github.com's.
    pub(crate) api: Option<String>,
    /// Address its repositories are below, if it is not github.com.
    pub(crate) git: Option<String>,
    /// Seconds within which CI begins to report on a new commit.
    pub(crate) checks_appear_s: Option<u64>,
    /// A token of an account.
    pub(crate) token: Option<SecretSource>,
    /// In its place: an App, installed where the repositories are.
    pub(crate) app: Option<AppConfig>,
    /// What its webhook signs deliveries with.
    #[serde(alias = "webhook-secret")]
    pub(crate) webhook_secret: Option<SecretSource>,
    /// The label that starts a run of a pull request, if it is not `lockstep`.
    pub(crate) label: Option<String>,
    /// Name of the pipeline such runs are of, if it is not the item's or the workspace's first.
    pub(crate) pipeline: Option<String>,
}

/// A GitHub App.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AppConfig {
    /// Its id, a number, or its client id.
    pub(crate) id: AppId,
    /// Id of its installation.
    pub(crate) installation: u64,
    /// Its private key, in PEM.
    pub(crate) key: SecretSource,
}

/// The id of an App as its settings show it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum AppId {
    Number(u64),
    Client(String),
}

impl GitHubConfig {
    pub(super) fn check(&self) -> Result<(), String> {
        match (&self.token, &self.app) {
            (Some(_), Some(_)) => Err(" [github] has a token and an app: leave one out".into()),
            // Deliveries of a webhook are taken without asking anything.
            (None, None) if self.webhook_secret.is_none() => {
                Err(" [github] needs token or app, or webhook_secret".into())
            }
            _ => Ok(()),
        }
    }

    /// What the provider is given, with the secrets as they are now. None if no repository is on GitHub.
    ///
    /// # Errors
    /// A secret is not where the configuration says.
    pub(crate) fn options(&self, repositories: &[RepositoryConfig]) -> anyhow::Result<Option<GitHubOptions>> {
        let named =
            |repository: &RepositoryConfig| Some((repository.path.clone(), repository.github.clone()?));
        let repositories: Vec<_> = repositories.iter().filter_map(named).collect();
        if repositories.is_empty() {
            return Ok(None);
        }
        let credential = match (&self.token, &self.app) {
            (_, Some(app)) => GitHubCredential::App {
                id: match &app.id {
                    AppId::Number(id) => id.to_string(),
                    AppId::Client(id) => id.clone(),
                },
                installation: app.installation,
                key: app.key.read()?,
            },
            (Some(token), None) => GitHubCredential::Token(token.read()?),
            (None, None) => return Ok(None),
        };
        let mut options = GitHubOptions::new(credential, repositories);
        if let Some(api) = &self.api {
            options.api.clone_from(api);
        }
        if let Some(git) = &self.git {
            options.git.clone_from(git);
        }
        if let Some(seconds) = self.checks_appear_s {
            options.pace.checks_appear = Duration::from_secs(seconds);
        }
        Ok(Some(options))
    }
}
