use super::SecretSource;
use serde::Deserialize;
use std::path::PathBuf;

/// `[[release-health]]`: what tells whether a release is well, where no command of a pipeline does.
#[derive(Debug, Deserialize)]
#[serde(tag = "provider", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum ReleaseHealthConfig {
    /// An address that answers what a command would.
    Http {
        /// The repository it is for; none: all that have no other.
        #[serde(default)]
        repository: Option<PathBuf>,
        url: String,
        /// Where evidence is; none: the signals that alert are all there is.
        #[serde(default)]
        evidence_url: Option<String>,
        /// Sent as a bearer token.
        #[serde(default)]
        token: Option<SecretSource>,
    },
    /// Monitors and service level objectives.
    Datadog {
        /// The repository it is for; none: all that have no other.
        #[serde(default)]
        repository: Option<PathBuf>,
        api_key: SecretSource,
        app_key: SecretSource,
        /// Ids.
        #[serde(default)]
        monitors: Vec<u64>,
        /// Monitors with all of these tags.
        #[serde(default)]
        monitor_tags: Vec<String>,
        /// Ids.
        #[serde(default)]
        slos: Vec<String>,
        #[serde(default = "datadog")]
        url: String,
    },
}

fn datadog() -> String {
    "https://api.datadoghq.com".to_owned()
}

impl ReleaseHealthConfig {
    pub(crate) fn repository(&self) -> Option<&PathBuf> {
        match self {
            Self::Http { repository, .. } | Self::Datadog { repository, .. } => repository.as_ref(),
        }
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if let Some(path) = self.repository().filter(|path| !path.is_absolute()) {
            return Err(format!(" the repository {} of a release-health must be absolute", path.display()));
        }
        match self {
            Self::Datadog { monitors, monitor_tags, slos, .. }
                if monitors.is_empty() && monitor_tags.is_empty() && slos.is_empty() =>
            {
                Err(" a release-health of datadog watches nothing: give it monitors, monitor_tags or slos"
                    .to_owned())
            }
            Self::Datadog { slos, .. }
                if slos.iter().any(|id| !id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')) =>
            {
                Err(" an id of the slos of a release-health has other characters than letters, digits and -"
                    .to_owned())
            }
            _ => Ok(()),
        }
    }
}
