use anyhow::{Context, ensure};
use lockstep_ports::Secret;
use serde::Deserialize;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

/// Longest secret: a private key has a few kilobytes.
const SECRET_MAX: u64 = 64 * 1024;

/// Where a secret is: `{ file = "…" }` or `{ env = "…" }`. The configuration itself never holds one.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SecretSource {
    /// A file, taken without white space around it.
    File(PathBuf),
    /// A variable of the host's environment.
    Env(String),
}

impl SecretSource {
    /// The secret as it is now.
    ///
    /// # Errors
    /// It is not there, is empty, or is no text; the message names where it was looked for, and never what was found.
    pub(crate) fn read(&self) -> anyhow::Result<Secret> {
        let (text, place) = match self {
            Self::File(path) => {
                let mut text = String::new();
                let file = File::open(path).and_then(|file| file.take(SECRET_MAX).read_to_string(&mut text));
                file.with_context(|| format!("the secret in {} cannot be read", path.display()))?;
                (text, path.display().to_string())
            }
            Self::Env(name) => {
                let value = std::env::var(name);
                let value =
                    value.map_err(|_| anyhow::anyhow!("the variable {name} is not set to a text: set it"))?;
                (value, name.clone())
            }
        };
        let text = text.trim();
        ensure!(!text.is_empty(), "the secret in {place} is empty: put it there");
        Ok(Secret::new(text.to_owned()))
    }
}
