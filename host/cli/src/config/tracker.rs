use super::SecretSource;
use serde::Deserialize;

/// `[tracker]`: where tickets go that no command of a pipeline files.
#[derive(Debug, Deserialize)]
#[serde(tag = "provider", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum TrackerConfig {
    /// Issues of a repository.
    Github {
        /// `OWNER/NAME`.
        repository: String,
        token: SecretSource,
        /// Given to every ticket.
        #[serde(default)]
        labels: Vec<String>,
        #[serde(default = "github")]
        url: String,
    },
    /// Issues of a team.
    Linear {
        /// Its key, which its issues begin with: `ENG`.
        team: String,
        token: SecretSource,
        #[serde(default = "linear")]
        url: String,
    },
}

fn github() -> String {
    "https://api.github.com".to_owned()
}

fn linear() -> String {
    "https://api.linear.app/graphql".to_owned()
}

impl TrackerConfig {
    pub(super) fn check(&self) -> Result<(), String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        match self {
            Self::Github { repository, .. } => match repository.split_once('/') {
                Some((owner, name))
                    if !owner.is_empty()
                        && !name.is_empty()
                        && [owner, name].iter().all(|part| part.chars().all(plain) && *part != "..") =>
                {
                    Ok(())
                }
                _ => Err(format!(" the repository {repository:?} of the tracker must be OWNER/NAME")),
            },
            Self::Linear { .. } => Ok(()),
        }
    }
}
