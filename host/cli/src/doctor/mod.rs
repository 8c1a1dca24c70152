//! `lockstep doctor`: everything the host depends on, looked at once; what is wrong is told with what to do.

mod host;
mod machine;
mod outside;

use crate::config::HostConfig;
use crate::context::Context;
use serde::Serialize;

/// How something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// As it should be.
    Ok,
    /// Works, and should be looked at.
    Warning,
    /// Does not work.
    Failed,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    pub(crate) name: String,
    pub(crate) state: State,
    /// What was found, one line.
    pub(crate) found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

impl Check {
    fn ok(name: impl Into<String>, found: impl Into<String>) -> Self {
        Self { name: name.into(), state: State::Ok, found: found.into(), next: None }
    }

    fn warning(name: impl Into<String>, found: impl Into<String>, next: impl Into<String>) -> Self {
        Self { name: name.into(), state: State::Warning, found: found.into(), next: Some(next.into()) }
    }

    fn failed(name: impl Into<String>, found: impl Into<String>, next: impl Into<String>) -> Self {
        Self { name: name.into(), state: State::Failed, found: found.into(), next: Some(next.into()) }
    }
}

/// Looks at everything, the nearest first.
pub(crate) async fn examine(context: &Context) -> Vec<Check> {
    let folder = context.folder.path();
    let mut checks = machine::checks(folder);
    match HostConfig::read(folder) {
        Ok(config) => {
            let sections = config.wired();
            let found = if sections.is_empty() { "nothing is wired".to_owned() } else { sections.join(", ") };
            checks.push(Check::ok("config.toml", found));
            checks.extend(host::checks(context).await);
            checks.extend(outside::checks(&config, folder).await);
        }
        Err(error) => {
            let next = "correct the line; the host does not start before";
            checks.push(Check::failed("config.toml", format!("{error:#}"), next));
        }
    }
    checks
}
