//! What the step kinds that provision environments share: what a provider is told, and what it tells (SPEC
//! sections 11 and 13).
//!
//! It decides nothing: whether an environment is good enough is each step kind's own question.

#![warn(missing_docs)]

mod inputs;

pub use inputs::provision_inputs;

use lockstep_sdk::environments;
use lockstep_sdk::read_object;
use serde::{Deserialize, Serialize};

/// An environment as a step remembers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Environment {
    /// Its id at the provider.
    pub id: String,
    /// Where it stood at the last look.
    pub status: Status,
    /// Its address, once it has one.
    pub url: Option<String>,
    /// When it ends by itself, in milliseconds since the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
    /// Who provides it, where that was told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The JSON that `provision` told, which names it in a teardown.
    pub told: String,
}

/// Where an environment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It is being made.
    Provisioning,
    /// It can be used.
    Ready,
    /// It could not be made, or broke.
    Failed,
    /// Its time is over.
    Expired,
    /// It is gone.
    TornDown,
}

impl Status {
    /// `torn-down`
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Provisioning => "provisioning",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::TornDown => "torn-down",
        }
    }
}

impl From<environments::Status> for Status {
    fn from(status: environments::Status) -> Self {
        match status {
            environments::Status::Provisioning => Self::Provisioning,
            environments::Status::Ready => Self::Ready,
            environments::Status::Failed => Self::Failed,
            environments::Status::Expired => Self::Expired,
            environments::Status::TornDown => Self::TornDown,
        }
    }
}

/// What a provider tells of an environment.
#[derive(Deserialize)]
struct Told {
    id: String,
    status: Status,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    expires_at: Option<u64>,
    #[serde(default)]
    provider: Option<String>,
}

impl Environment {
    /// Reads the outcome of `provision`.
    ///
    /// # Errors
    /// What is wrong with it, in a few words.
    pub fn read(told: String) -> Result<Self, String> {
        let Told { id, status, url, expires_at, provider } = read_object(&told)?;
        Ok(Self { id, status, url, expires_at, provider, told })
    }

    /// Takes over what a later look saw. An address that was known stays known.
    pub fn see(&mut self, report: environments::Report) {
        self.status = report.status.into();
        self.url = report.url.or_else(|| self.url.take());
        self.expires_at = report.expires_at.or(self.expires_at);
    }
}
