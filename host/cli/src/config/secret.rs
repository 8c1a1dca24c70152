use anyhow::{Context, ensure};
use lockstep_ports::Secret;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

/// Longest secret: a private key has a few kilobytes.
const SECRET_MAX: u64 = 64 * 1024;

/// Where a secret is: `{ file = "…" }` or `{ env = "…" }`. The configuration itself never holds one.
#[derive(Debug)]
pub(crate) enum SecretSource {
    /// A file, taken without white space around it.
    File(PathBuf),
    /// A variable of the host's environment.
    Env(String),
}

impl<'de> Deserialize<'de> for SecretSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Place)
    }
}

/// Reads where a secret is. Whoever wrote the secret itself there is told so without it.
struct Place;

const EXPECTED: &str =
    "a secret is named as { file = \"PATH\" } or { env = \"NAME\" }, and never written here";

impl<'de> Visitor<'de> for Place {
    type Value = SecretSource;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<SecretSource, E> {
        Err(E::custom(EXPECTED))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SecretSource, A::Error> {
        let source = match map.next_key::<String>()?.as_deref() {
            Some("file") => SecretSource::File(map.next_value()?),
            Some("env") => SecretSource::Env(map.next_value()?),
            _ => return Err(de::Error::custom(EXPECTED)),
        };
        match map.next_key::<String>()? {
            None => Ok(source),
            Some(_) => Err(de::Error::custom(EXPECTED)),
        }
    }
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
