//! The files credentials are kept in.

use super::seal::{Key, SALT_BYTES, hex, random};
use crate::files::{create_private_dir, read_json, remove_if_there, write_json};
use crate::mask::SECRET_MIN;
use crate::text::as_line;
use lockstep_ports::{CredentialError, Secret};
use lockstep_types::{CREDENTIAL_NAME_MAX, Digest, RunId, Timestamp, is_credential_name};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Time of a lease (SPEC PC-5).
pub(super) const LEASE_MS: u64 = 12 * 60 * 60 * 1000;
/// Bytes of a credential: a private key fits, an archive does not.
const VALUE_MAX: usize = 16 << 10;
/// Characters of a password (SPEC PC-3).
const PASSWORD_CHARS: std::ops::RangeInclusive<usize> = 8..=256;
/// Credentials of one owner.
const OWNED_MAX: usize = 100;
/// Leases looked at in one sweep.
const LEASES_MAX: usize = 1_000_000;

/// The credentials folder: `key`, `owned/<owner>/<name>.json` and `leases/<run>.json`.
pub(super) struct Vault {
    folder: PathBuf,
}

/// A credential at rest.
#[derive(Serialize, Deserialize)]
struct Kept {
    owner: String,
    name: String,
    /// The value, sealed by the password's key if there is one, and then by the host's (SPEC PC-4).
    #[serde(with = "hex")]
    sealed: Vec<u8>,
    /// Set if there is a password.
    salt: Option<Salt>,
}

#[derive(Serialize, Deserialize)]
struct Salt(#[serde(with = "hex")] Vec<u8>);

/// What a run has leased.
#[derive(Serialize, Deserialize)]
struct Lease {
    run: RunId,
    expires_at: Timestamp,
    /// Values by name, sealed by the host's key together with the run and the end.
    #[serde(with = "hex")]
    sealed: Vec<u8>,
}

pub(super) type Values = BTreeMap<String, Zeroizing<String>>;

impl Vault {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn key_file(&self) -> PathBuf {
        self.folder.join("key")
    }

    fn owned(&self, owner: &str) -> PathBuf {
        self.folder.join("owned").join(Digest::of(owner.as_bytes()).to_string())
    }

    fn leases(&self) -> PathBuf {
        self.folder.join("leases")
    }

    fn lease_file(&self, run: &RunId) -> PathBuf {
        self.leases().join(format!("{}.json", run.as_str()))
    }

    fn failed(&self, source: io::Error) -> CredentialError {
        let hint = "see that this user may write there and that there is room".to_owned();
        CredentialError::Store { path: self.folder.display().to_string(), hint, source }
    }

    pub(super) fn set(
        &self,
        owner: &str,
        name: &str,
        value: &Secret,
        password: Option<&Secret>,
    ) -> Result<(), CredentialError> {
        check_name(name)?;
        check_value(name, value)?;
        if let Some(password) = password {
            check_password(password)?;
        }
        let others: Vec<String> = self.names(owner)?.into_iter().filter(|other| other != name).collect();
        if others.len() >= OWNED_MAX {
            let what = format!("{owner} has {OWNED_MAX} credentials");
            return Err(invalid(what, "remove one that is not used any more"));
        }
        // One password opens all of an owner's (SPEC PC-4), so it opens the first.
        if let Some(password) = password {
            let kept = others.iter().map(|other| self.kept(owner, other));
            let protected = kept.filter_map(Result::ok).find(|kept| kept.salt.is_some());
            if let Some(protected) = protected {
                self.open(&protected, Some(password))?;
            }
        }
        let failed = |source| self.failed(source);
        let key = Key::read_or_make(&self.key_file()).map_err(failed)?;
        let place = place_of(owner, name);
        let (inner, salt) = match password {
            None => (Zeroizing::new(value.expose().as_bytes().to_vec()), None),
            Some(password) => {
                let mut salt = vec![0; SALT_BYTES];
                random(&mut salt).map_err(failed)?;
                let sealed = Key::of_password(password, &salt)
                    .and_then(|key| key.seal(&place, value.expose().as_bytes()));
                (Zeroizing::new(sealed.map_err(failed)?), Some(Salt(salt)))
            }
        };
        let sealed = key.seal(&place, &inner).map_err(failed)?;
        let kept = Kept { owner: owner.to_owned(), name: name.to_owned(), sealed, salt };
        let folder = self.owned(owner);
        create_private_dir(&folder).map_err(failed)?;
        write_json(&folder.join(format!("{name}.json")), &kept).map_err(failed)
    }

    pub(super) fn names(&self, owner: &str) -> Result<Vec<String>, CredentialError> {
        let mut names = Vec::new();
        for path in files(&self.owned(owner), OWNED_MAX + 1).map_err(|source| self.failed(source))? {
            let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
            if is_credential_name(name) {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    pub(super) fn remove(&self, owner: &str, name: &str) -> Result<bool, CredentialError> {
        check_name(name)?;
        let path = self.owned(owner).join(format!("{name}.json"));
        let was_there = path.exists();
        remove_if_there(&path).map_err(|source| self.failed(source))?;
        Ok(was_there)
    }

    fn kept(&self, owner: &str, name: &str) -> Result<Kept, CredentialError> {
        check_name(name)?;
        let path = self.owned(owner).join(format!("{name}.json"));
        match read_json(&path) {
            Ok(Some(kept)) => Ok(kept),
            Ok(None) => {
                Err(CredentialError::Missing { owner: as_line(owner, "nobody"), name: name.to_owned() })
            }
            Err(error) if is_unreadable(&error) => Err(CredentialError::Damaged { name: name.to_owned() }),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// The host's key; that there is none is damage where something was sealed by it.
    fn key_for(&self, name: &str) -> Result<Key, CredentialError> {
        let damaged = || CredentialError::Damaged { name: name.to_owned() };
        match Key::read(&self.key_file()) {
            Ok(key) => key.ok_or_else(damaged),
            Err(error) if is_unreadable(&error) => Err(damaged()),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn open(&self, kept: &Kept, password: Option<&Secret>) -> Result<Zeroizing<String>, CredentialError> {
        let (owner, name) = (as_line(&kept.owner, "nobody"), kept.name.clone());
        let damaged = || CredentialError::Damaged { name: kept.name.clone() };
        let place = place_of(&kept.owner, &kept.name);
        let inner = self.key_for(&kept.name)?.open(&place, &kept.sealed).ok_or_else(damaged)?;
        let value = match (&kept.salt, password) {
            (None, _) => inner,
            (Some(_), None) => return Err(CredentialError::PasswordRequired { owner, name }),
            (Some(Salt(salt)), Some(password)) => {
                let key = Key::of_password(password, salt).map_err(|source| self.failed(source))?;
                key.open(&place, &inner).ok_or(CredentialError::WrongPassword { owner, name })?
            }
        };
        let value = std::str::from_utf8(&value).map_err(|_| damaged())?;
        Ok(Zeroizing::new(value.to_owned()))
    }

    pub(super) fn lease(
        &self,
        run: &RunId,
        owner: &str,
        names: &[String],
        password: Option<&Secret>,
        now: Timestamp,
    ) -> Result<(), CredentialError> {
        if names.is_empty() {
            return self.end(run);
        }
        self.keep_lease(run, &self.values(owner, names, password)?, now)
    }

    pub(super) fn values(
        &self,
        owner: &str,
        names: &[String],
        password: Option<&Secret>,
    ) -> Result<Values, CredentialError> {
        let mut values = Values::new();
        for name in names {
            values.insert(name.clone(), self.open(&self.kept(owner, name)?, password)?);
        }
        Ok(values)
    }

    fn keep_lease(&self, run: &RunId, values: &Values, now: Timestamp) -> Result<(), CredentialError> {
        let failed = |source| self.failed(source);
        let expires_at = now.plus_ms(LEASE_MS);
        let plain: BTreeMap<&str, &str> =
            values.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let text = serde_json::to_vec(&plain).map_err(|error| failed(error.into()))?;
        let text = Zeroizing::new(text);
        let key = Key::read_or_make(&self.key_file()).map_err(failed)?;
        let sealed = key.seal(&place_of_lease(run, expires_at), &text).map_err(failed)?;
        create_private_dir(&self.leases()).map_err(failed)?;
        let lease = Lease { run: run.clone(), expires_at, sealed };
        write_json(&self.lease_file(run), &lease).map_err(failed)
    }

    /// The lease of a run with its values, if it has one that is not over.
    fn live(
        &self,
        run: &RunId,
        name: &str,
        now: Timestamp,
    ) -> Result<Option<(Lease, Values)>, CredentialError> {
        let damaged = || CredentialError::Damaged { name: name.to_owned() };
        let lease: Lease = match read_json(&self.lease_file(run)) {
            Ok(Some(lease)) => lease,
            Ok(None) => return Ok(None),
            Err(error) if is_unreadable(&error) => return Err(damaged()),
            Err(error) => return Err(self.failed(error)),
        };
        if lease.expires_at <= now {
            return Ok(None);
        }
        let text = self.key_for(name)?.open(&place_of_lease(run, lease.expires_at), &lease.sealed);
        let text = text.ok_or_else(damaged)?;
        let values: BTreeMap<String, String> = serde_json::from_slice(&text).map_err(|_| damaged())?;
        let values = values.into_iter().map(|(name, value)| (name, Zeroizing::new(value))).collect();
        Ok(Some((lease, values)))
    }

    pub(super) fn give(&self, run: &RunId, name: &str, now: Timestamp) -> Result<Secret, CredentialError> {
        let value = self.live(run, name, now)?.and_then(|(_, mut values)| values.remove(name));
        let value =
            value.ok_or_else(|| CredentialError::NotLeased { run: run.clone(), name: name.to_owned() })?;
        Ok(Secret::new(value.as_str().to_owned()))
    }

    /// SPEC PC-6: with half of its time left or less, it has its full time again.
    pub(super) fn extend(&self, run: &RunId, now: Timestamp) -> Result<(), CredentialError> {
        match self.live(run, "of a lease", now)? {
            Some((lease, values)) if lease.expires_at.ms_since(now) <= LEASE_MS / 2 => {
                self.keep_lease(run, &values, now)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn end(&self, run: &RunId) -> Result<(), CredentialError> {
        remove_if_there(&self.lease_file(run)).map_err(|source| self.failed(source))
    }

    /// Deletes the leases that are over, and those nobody can read.
    pub(super) fn sweep(&self, now: Timestamp) -> Result<(), CredentialError> {
        for path in files(&self.leases(), LEASES_MAX).map_err(|source| self.failed(source))? {
            let is_live = match read_json::<Lease>(&path) {
                Ok(lease) => lease.is_none_or(|lease| lease.expires_at > now),
                Err(error) => !is_unreadable(&error),
            };
            if !is_live {
                remove_if_there(&path).map_err(|source| self.failed(source))?;
            }
        }
        Ok(())
    }
}

/// What is sealed is good for this place only: a record cannot be passed off as another's.
fn place_of(owner: &str, name: &str) -> String {
    serde_json::json!(["credential", owner, name]).to_string()
}

fn place_of_lease(run: &RunId, expires_at: Timestamp) -> String {
    serde_json::json!(["lease", run, expires_at]).to_string()
}

fn check_name(name: &str) -> Result<(), CredentialError> {
    if is_credential_name(name) {
        return Ok(());
    }
    let rule = format!("use 1 to {CREDENTIAL_NAME_MAX} lower-case letters, digits and -, a letter first");
    Err(invalid(format!("{:?} is not the name of a credential", as_line(name, "")), &rule))
}

fn check_value(name: &str, value: &Secret) -> Result<(), CredentialError> {
    let value = value.expose();
    if value.len() < SECRET_MIN || value.len() > VALUE_MAX || value.contains('\0') {
        let rule = format!("give {SECRET_MIN} to {VALUE_MAX} bytes of text");
        return Err(invalid(format!("the value of {name} cannot be kept"), &rule));
    }
    Ok(())
}

fn check_password(password: &Secret) -> Result<(), CredentialError> {
    let text = password.expose();
    if PASSWORD_CHARS.contains(&text.len()) && text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Ok(());
    }
    Err(invalid("that is not a password".to_owned(), "give 8 to 256 printable ASCII characters"))
}

fn invalid(what: String, rule: &str) -> CredentialError {
    CredentialError::Invalid { what, rule: rule.to_owned() }
}

/// Whether a file was read and is not what was written: one that was cut short ends where JSON does not.
fn is_unreadable(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
}

/// The records in a folder, which may not be there.
fn files(folder: &Path, max: usize) -> io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries.take(2 * max) {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            found.push(path);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
