//! `config.toml` of the data folder: what the host is wired to. It is the operator's word; no file is as good as an empty
//! one, and whatever is not wired answers that it is not configured.

mod models;
mod secret;
mod server;
mod workers;

pub(crate) use models::ModelConfig;
pub(crate) use secret::SecretSource;

pub(crate) use server::ServerConfig;
pub(crate) use workers::WorkersConfig;

use crate::exit::Refused;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// Name of the file in the data folder.
pub(crate) const FILE: &str = "config.toml";

/// Largest configuration: a few hundred repositories are some ten kilobytes.
const FILE_MAX: u64 = 1024 * 1024;

/// Everything in the file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HostConfig {
    /// Repositories that are more than a folder.
    #[serde(rename = "repository")]
    pub(crate) repositories: Vec<RepositoryConfig>,
    /// The models that jobs name.
    pub(crate) models: BTreeMap<String, ModelConfig>,
    /// How workers are dealt with.
    pub(crate) workers: WorkersConfig,
    /// How the server is reached, and how much may be asked of it.
    pub(crate) server: ServerConfig,
}

/// A repository of this machine and what it is a clone of.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RepositoryConfig {
    /// Its folder, absolute.
    pub(crate) path: PathBuf,
    /// `OWNER/NAME` on GitHub.
    #[serde(default)]
    #[allow(dead_code, reason = "no forge is wired yet")]
    pub(crate) github: Option<String>,
}

impl HostConfig {
    /// The configuration of a data folder.
    ///
    /// # Errors
    /// The file cannot be read, or says something that is not understood, with its line.
    pub(crate) fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(FILE);
        let mut text = String::new();
        let read = File::open(&path).and_then(|file| file.take(FILE_MAX + 1).read_to_string(&mut text));
        match read {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => {
                return Refused::because(format!("{} cannot be read: {error}", path.display()));
            }
            Ok(length) if length as u64 > FILE_MAX => {
                return Refused::because(format!("{} is longer than {FILE_MAX} bytes", path.display()));
            }
            Ok(_) => {}
        }
        Self::parse(&text).or_else(|reason| Refused::because(format!("{}:{reason}", path.display())))
    }

    /// `LINE: what is wrong` if it cannot be taken.
    fn parse(text: &str) -> Result<Self, String> {
        let config: Self = toml::from_str(text).map_err(|error| {
            let until = error.span().map_or(0, |span| span.start.min(text.len()));
            let line = text.as_bytes()[..until].iter().filter(|byte| **byte == b'\n').count() + 1;
            format!("{line}: {}", error.message().replace('\n', "; "))
        })?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        self.workers.check()?;
        for (name, model) in &self.models {
            model.check(name)?;
        }
        self.server.check()?;
        match self.repositories.iter().find(|repository| !repository.path.is_absolute()) {
            Some(repository) => {
                Err(format!(" the path {} of a repository must be absolute", repository.path.display()))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::HostConfig;

    #[test]
    fn what_is_not_understood_is_named_with_its_line() {
        let wrong = |text: &str| HostConfig::parse(text).unwrap_err();
        assert!(HostConfig::parse("").unwrap().repositories.is_empty());
        let one = HostConfig::parse("[[repository]]\npath = \"/srv/shop\"\ngithub = \"acme/shop\"").unwrap();
        assert_eq!(one.repositories[0].github.as_deref(), Some("acme/shop"));
        assert_eq!(
            wrong("\n[[repository]]\npath = \"shop\""),
            " the path shop of a repository must be absolute"
        );
        assert!(wrong("\ngithub = 3").starts_with("2: unknown field `github`"), "{}", wrong("\ngithub = 3"));
        assert!(wrong("a = ").starts_with("1: "));
        let model = |more: &str| format!("[models.small]\nurl = 'http://x/v1'\nmodel = 'm'\n{more}");
        assert!(HostConfig::parse(&model("key = { env = 'K' }\nstructured = 'none'")).is_ok());
        assert_eq!(wrong(&model("temperature = 3.0")), " `temperature` of [models.small] is 3: use 0 to 2");
        assert!(wrong(&model("key = 'sk-1'")).starts_with("4: "), "a key itself does not stand here");
        assert_eq!(wrong("[workers]\nlease_s = 1"), " `lease_s` of [workers] is 1: use 2 to 3600");
    }
}
