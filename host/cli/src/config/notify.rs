use super::SecretSource;
use lockstep_ports::Happening;
use serde::Deserialize;
use std::collections::BTreeSet;

/// Longest name: it becomes that of a file.
const NAME_MAX: usize = 64;

/// `[[notify]]`: an address that is told what happens in runs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NotifyConfig {
    /// By which its place is kept, and `lockstep doctor` shows it.
    pub(crate) name: String,
    pub(crate) url: Address,
    #[serde(default)]
    pub(crate) format: Format,
    /// Key of the signature of JSON messages.
    #[serde(default)]
    pub(crate) secret: Option<SecretSource>,
    /// What it is told of.
    #[serde(default = "usual")]
    pub(crate) on: BTreeSet<Happening>,
    /// Whether it may be spoken to without TLS beyond this machine.
    #[serde(default)]
    pub(crate) allow_plain: bool,
}

/// An address, which may be a secret itself.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Address {
    /// As it is.
    Plain(String),
    /// Where it is.
    Secret(SecretSource),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Format {
    /// For programs.
    #[default]
    Json,
    /// For Slack, and those who imitate it.
    Slack,
}

/// What somebody has to act on.
fn usual() -> BTreeSet<Happening> {
    [Happening::Blocked, Happening::Failed, Happening::Notice].into()
}

impl NotifyConfig {
    pub(super) fn check(all: &[Self]) -> Result<(), String> {
        let mut names = BTreeSet::new();
        for Self { name, format, secret, .. } in all {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
            if name.is_empty() || name.len() > NAME_MAX || !name.chars().all(plain) || name == "tracker" {
                return Err(format!(
                    " the name {name:?} of a notify must be 1 to {NAME_MAX} letters, digits, - and _, and not tracker"
                ));
            }
            if !names.insert(name) {
                return Err(format!(" two notify have the name {name}"));
            }
            if *format == Format::Slack && secret.is_some() {
                return Err(format!(
                    " the notify {name} is of format slack, which has no signature: leave secret out"
                ));
            }
        }
        Ok(())
    }
}
