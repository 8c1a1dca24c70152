//! `config.toml` of the data folder: what the host is wired to. It is the operator's word; no file is as good as an empty
//! one, and whatever is not wired answers that it is not configured.

mod github;
mod models;
mod notify;
mod release_health;
mod secret;
mod server;
mod telemetry;
mod tracker;
mod workers;

pub(crate) use github::GitHubConfig;
pub(crate) use models::ModelConfig;
pub(crate) use notify::{Address, Format, NotifyConfig};
pub(crate) use release_health::ReleaseHealthConfig;
pub(crate) use secret::SecretSource;
pub(crate) use server::{MetricsAccess, ServerConfig};
pub(crate) use telemetry::TelemetryConfig;
pub(crate) use tracker::TrackerConfig;
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
    /// How the host speaks to GitHub.
    pub(crate) github: Option<GitHubConfig>,
    /// The models that jobs name.
    pub(crate) models: BTreeMap<String, ModelConfig>,
    /// How workers are dealt with.
    pub(crate) workers: WorkersConfig,
    /// How the server is reached, and how much may be asked of it.
    pub(crate) server: ServerConfig,
    /// Where tickets go.
    pub(crate) tracker: Option<TrackerConfig>,
    /// What tells whether a release is well.
    #[serde(rename = "release-health")]
    pub(crate) release_health: Vec<ReleaseHealthConfig>,
    /// Who is told what happens.
    pub(crate) notify: Vec<NotifyConfig>,
    /// Where traces go.
    pub(crate) telemetry: TelemetryConfig,
}

/// A repository of this machine and what it is a clone of.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RepositoryConfig {
    /// Its folder, absolute.
    pub(crate) path: PathBuf,
    /// `OWNER/NAME` on GitHub.
    #[serde(default)]
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

    /// The sections that wire something.
    pub(crate) fn wired(&self) -> Vec<String> {
        let count = |name: &str, count: usize| (count > 0).then(|| format!("{count} {name}"));
        let one = |name: &str, is_there: bool| is_there.then(|| name.to_owned());
        let sections = [
            count("repository", self.repositories.len()),
            one("github", self.github.is_some()),
            one("tracker", self.tracker.is_some()),
            count("release-health", self.release_health.len()),
            count("notify", self.notify.len()),
            count("models", self.models.len()),
            one("telemetry", self.telemetry.otlp.is_some()),
        ];
        sections.into_iter().flatten().collect()
    }

    fn check(&self) -> Result<(), String> {
        self.workers.check()?;
        for (name, model) in &self.models {
            model.check(name)?;
        }
        if let Some(repository) = self.repositories.iter().find(|repository| !repository.path.is_absolute()) {
            return Err(format!(" the path {} of a repository must be absolute", repository.path.display()));
        }
        if let Some(name) = self.repositories.iter().find_map(|repository| repository.github.as_deref())
            && self.github.is_none()
        {
            return Err(format!(
                " {name} is on GitHub, and nothing says how to speak to it: add [github] with token = {{ env = \"GITHUB_TOKEN\" }}"
            ));
        }
        self.github.as_ref().map_or(Ok(()), GitHubConfig::check)?;
        self.server.check()?;
        self.tracker.as_ref().map_or(Ok(()), TrackerConfig::check)?;
        self.release_health.iter().try_for_each(ReleaseHealthConfig::check)?;
        NotifyConfig::check(&self.notify)?;
        self.telemetry.check()
    }
}

#[cfg(test)]
mod tests {
    use super::HostConfig;

    #[test]
    fn what_is_not_understood_is_named_with_its_line() {
        let wrong = |text: &str| HostConfig::parse(text).unwrap_err();
        assert!(HostConfig::parse("").unwrap().repositories.is_empty());
        let shop = "[[repository]]\npath = \"/srv/shop\"\ngithub = \"acme/shop\"\n";
        let one = HostConfig::parse(&format!("{shop}[github]\ntoken = {{ env = \"T\" }}")).unwrap();
        assert_eq!(one.repositories[0].github.as_deref(), Some("acme/shop"));
        assert_eq!(
            wrong("\n[[repository]]\npath = \"shop\""),
            " the path shop of a repository must be absolute"
        );
        assert!(wrong("\nforge = 3").starts_with("2: unknown field `forge`"), "{}", wrong("\nforge = 3"));
        assert!(wrong("a = ").starts_with("1: "));
        let model = |more: &str| format!("[models.small]\nurl = 'http://x/v1'\nmodel = 'm'\n{more}");
        assert!(HostConfig::parse(&model("key = { env = 'K' }\nstructured = 'none'")).is_ok());
        assert_eq!(wrong(&model("temperature = 3.0")), " `temperature` of [models.small] is 3: use 0 to 2");
        assert!(wrong(&model("key = 'sk-1'")).starts_with("4: "), "a key itself does not stand here");
        assert_eq!(wrong("[workers]\nlease_s = 1"), " `lease_s` of [workers] is 1: use 2 to 3600");
        assert!(
            wrong(shop).ends_with("add [github] with token = { env = \"GITHUB_TOKEN\" }"),
            "{}",
            wrong(shop)
        );
        for (text, reason) in [
            ("[github]", " [github] needs token or app, or webhook_secret"),
            (
                "[github]\ntoken = { env = \"T\" }\napp = { id = 1, installation = 2, key = { file = \"k\" } }",
                " [github] has a token and an app: leave one out",
            ),
        ] {
            assert_eq!(wrong(text), reason);
        }
        assert!(wrong("[github]\ntoken = \"ghp_x\"").starts_with("2: "));
        assert!(HostConfig::parse("[github]\nwebhook-secret = { file = \"hook\" }").is_ok());
    }

    #[test]
    fn what_is_outside_is_wired_by_its_own_section() {
        let text = r#"
            [server]
            origin = "https://lockstep.example.com"
            metrics = "open"
            [tracker]
            provider = "github"
            repository = "acme/shop"
            token = { env = "GITHUB_TOKEN" }
            [[release-health]]
            provider = "datadog"
            api_key = { env = "A" }
            app_key = { file = "/run/app" }
            monitors = [17]
            [[notify]]
            name = "team"
            url = { env = "SLACK_URL" }
            format = "slack"
            on = ["blocked", "failed"]
            [telemetry]
            otlp = "http://127.0.0.1:4318"
        "#;
        let config = HostConfig::parse(text).unwrap();
        assert!(config.tracker.is_some() && config.release_health.len() == 1 && config.notify.len() == 1);
        let wrong = |text: &str| HostConfig::parse(text).unwrap_err();
        let cases = [
            "[tracker]\nprovider = \"jira\"",
            "[tracker]\nprovider = \"github\"\nrepository = \"shop\"\ntoken = { env = \"T\" }",
            "[tracker]\nprovider = \"github\"\nrepository = \"a/b\"\ntoken = \"ghp_secret\"",
            "[[release-health]]\nprovider = \"datadog\"\napi_key = { env = \"A\" }\napp_key = { env = \"B\" }",
            "[[notify]]\nname = \"a b\"\nurl = \"https://a\"",
            "[[notify]]\nname = \"a\"\nurl = \"https://a\"\non = [\"burned\"]",
            "[server]\norigin = \"lockstep\"",
            "[telemetry]\nsample = 2",
        ];
        let told: String = cases.iter().map(|text| format!("{}\n", wrong(text))).collect();
        expect_test::expect![[r#"
            2: unknown variant `jira`, expected `github` or `linear`
             the repository "shop" of the tracker must be OWNER/NAME
            1: a secret is named as { file = "PATH" } or { env = "NAME" }, and never written here
             a release-health of datadog watches nothing: give it monitors, monitor_tags or slos
             the name "a b" of a notify must be 1 to 64 letters, digits, - and _, and not tracker
            4: unknown variant `burned`, expected one of `started`, `blocked`, `paused`, `done`, `failed`, `notice`
             `origin` of [server]: "lockstep" is no origin: write https://NAME, with :PORT if it is not 443
             the sample 2 of telemetry must be 0 to 1
        "#]].assert_eq(&told);
    }
}
