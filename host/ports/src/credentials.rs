use async_trait::async_trait;
use lockstep_types::RunId;
use std::fmt;
use zeroize::Zeroizing;

/// A text nobody may see: a key, a token, a password. It does not show in Debug, has no Display, cannot be serialised, and
/// its memory is cleared when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a text into keeping.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text, for the one who uses it. It must not end up in a message, a log or a record.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Why a credential cannot be had or kept. Display is one line for whoever asked, and names no secret.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The owner has none of this name (SPEC PC-3).
    #[error("{owner} has no credential {name}: set it with `lockstep credentials set {name}`")]
    Missing {
        /// Whose it would be.
        owner: String,
        /// Its name.
        name: String,
    },
    /// It is kept under a password, and none was given (SPEC PC-3).
    #[error("credential {name} of {owner} is kept under a password: give the password")]
    PasswordRequired {
        /// Whose it is.
        owner: String,
        /// Its name.
        name: String,
    },
    /// The password does not open it (SPEC PC-3).
    #[error("the password does not open credential {name} of {owner}: give the one it was set with")]
    WrongPassword {
        /// Whose it is.
        owner: String,
        /// Its name.
        name: String,
    },
    /// The run has no lease of it, or the lease is over (SPEC PC-5).
    #[error("run {run} has no lease of credential {name} any more: retry the run to lease it again")]
    NotLeased {
        /// The run.
        run: RunId,
        /// Its name.
        name: String,
    },
    /// A name, an owner, a password or a value that cannot be one.
    #[error("{what}: {rule}")]
    Invalid {
        /// What was given; never a secret.
        what: String,
        /// What it has to be.
        rule: String,
    },
    /// It was not written by this host's key, or somebody changed it.
    #[error("credential {name} cannot be decrypted: set it again with `lockstep credentials set {name}`")]
    Damaged {
        /// Its name.
        name: String,
    },
    /// The place they are kept in failed.
    #[error("the credentials in {path} cannot be read or written: {hint}")]
    Store {
        /// Where.
        path: String,
        /// What to do.
        hint: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl CredentialError {
    /// Whether the person who asked has to do something about a credential before asking again: the error class
    /// `credential-required`.
    #[must_use]
    pub fn is_credential_required(&self) -> bool {
        matches!(
            self,
            Self::Missing { .. }
                | Self::PasswordRequired { .. }
                | Self::WrongPassword { .. }
                | Self::NotLeased { .. }
                | Self::Damaged { .. }
        )
    }
}

/// The credentials people keep with the host, and their leases to runs (SPEC PC-3 to PC-7).
#[async_trait]
pub trait Credentials: Send + Sync {
    /// Keeps a credential of `owner` in place of an earlier one of that name. With a password nothing but that password
    /// opens it (SPEC PC-4).
    ///
    /// # Errors
    /// If the name or the value cannot be kept.
    async fn set(
        &self,
        owner: &str,
        name: &str,
        value: Secret,
        password: Option<Secret>,
    ) -> Result<(), CredentialError>;

    /// Names of the credentials of `owner`, sorted.
    ///
    /// # Errors
    /// If they cannot be read.
    async fn names(&self, owner: &str) -> Result<Vec<String>, CredentialError>;

    /// Forgets a credential; false if there was none. Leases of it stay until their runs end.
    ///
    /// # Errors
    /// If it cannot be removed.
    async fn remove(&self, owner: &str, name: &str) -> Result<bool, CredentialError>;

    /// Whether `lease` would succeed, for a caller that has something to do before.
    ///
    /// # Errors
    /// Those of `lease`.
    async fn check(
        &self,
        owner: &str,
        names: &[String],
        password: Option<Secret>,
    ) -> Result<(), CredentialError>;

    /// Leases credentials of `owner` to a run, in place of what it has leased before. To be called before the run is
    /// stored: an error leaves everything as it was (SPEC PC-5). No names: nothing is kept.
    ///
    /// # Errors
    /// If one of them is missing or cannot be opened.
    async fn lease(
        &self,
        run: &RunId,
        owner: &str,
        names: &[String],
        password: Option<Secret>,
    ) -> Result<(), CredentialError>;

    /// The value of a credential leased to a run.
    ///
    /// # Errors
    /// If the run has no live lease of it.
    async fn give(&self, run: &RunId, name: &str) -> Result<Secret, CredentialError>;

    /// A person has done something with a run: a lease with half of its time left or less is good for its full time
    /// again (SPEC PC-6). Failures are logged only.
    async fn extend(&self, run: &RunId);

    /// Deletes what a run has leased (SPEC PC-7). For a run that has ended or was replaced; failures are logged, and the
    /// lease ends with its time.
    async fn end(&self, run: &RunId);

    /// Deletes every lease whose time is over (SPEC PC-7).
    async fn sweep(&self);
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn a_secret_does_not_show() {
        assert_eq!(format!("{:?}", Some(Secret::new("hunter2".to_owned()))), "Some(Secret(..))");
    }
}
