//! How changes of the registry become rows. The committer adds them to a batch together with the entry of the audit log,
//! so that none is stored without the other.

use crate::committer::{Refused, json};
use crate::error::Failure;
use crate::keys;
use crate::staging::Staging;
use lockstep_ports::RegistryChange;
use lockstep_types::{Activation, AuditEntry, ComponentInfo, Digest, Signature};

/// A change, without the bytes of components: those lie in files.
pub(crate) enum RegistryRow {
    /// A row that is there from now on.
    Put(Vec<u8>, Vec<u8>),
    /// A row that goes.
    Remove(Vec<u8>),
    /// What is known of a component, unless that is known already.
    Add(Box<ComponentInfo>),
    /// A pointer that moves, and its history.
    Activate(Box<Activation>),
    /// A signature more.
    Sign(Digest, Signature),
}

impl RegistryRow {
    /// The rows of a change.
    pub(crate) fn of(change: RegistryChange) -> Result<Vec<Self>, serde_json::Error> {
        use keys::{of_digest, of_text};
        let put = |key, value: serde_json::Result<Vec<u8>>| Ok(vec![Self::Put(key, value?)]);
        match change {
            RegistryChange::Add { info, .. } => Ok(vec![Self::Add(info)]),
            RegistryChange::Remove(digest) => {
                let prefixes = [keys::COMPONENTS, keys::SIGNATURES];
                Ok(prefixes.map(|prefix| Self::Remove(of_digest(prefix, &digest))).into())
            }
            RegistryChange::Activate(activation) => Ok(vec![Self::Activate(Box::new(activation))]),
            RegistryChange::Grant(grant) => {
                put(of_text(keys::GRANTS, &grant.kind), serde_json::to_vec(&grant))
            }
            RegistryChange::Stop(stop) => {
                put(of_digest(keys::STOPS, &stop.digest), serde_json::to_vec(&stop))
            }
            RegistryChange::Resume(digest) => Ok(vec![Self::Remove(of_digest(keys::STOPS, &digest))]),
            RegistryChange::Canary(canary) => {
                put(of_text(keys::CANARIES, &canary.kind), serde_json::to_vec(&canary))
            }
            RegistryChange::EndCanary(kind) => Ok(vec![Self::Remove(of_text(keys::CANARIES, &kind))]),
            RegistryChange::Trust(trust) => put(keys::TRUST.to_vec(), serde_json::to_vec(&trust)),
            RegistryChange::Sign(digest, signature) => Ok(vec![Self::Sign(digest, signature)]),
        }
    }
}

/// Adds the rows of some changes to a batch, and the entry that tells of them.
pub(crate) fn stage(
    staging: &mut Staging<'_>,
    rows: &[RegistryRow],
    entry: &AuditEntry,
) -> Result<(), Refused> {
    for row in rows {
        match row {
            RegistryRow::Put(key, value) => staging.put(key.clone(), value.clone()),
            RegistryRow::Remove(key) => {
                if staging.contains(key)? {
                    staging.remove(key.clone());
                }
            }
            RegistryRow::Add(info) => {
                let key = keys::of_digest(keys::COMPONENTS, &info.digest);
                if !staging.contains(&key)? {
                    staging.put(key, json(info)?);
                }
            }
            RegistryRow::Activate(activation) => {
                let value = json(activation)?;
                let number = next_number(staging, &keys::history(&activation.kind))?;
                staging.put(keys::history_entry(&activation.kind, number), value.clone());
                staging.put(keys::of_text(keys::ACTIVE, &activation.kind), value);
            }
            RegistryRow::Sign(digest, signature) => sign(staging, digest, signature)?,
        }
    }
    let number = next_number(staging, keys::AUDIT)?;
    let entry = AuditEntry { number, ..entry.clone() };
    staging.put(keys::numbered(keys::AUDIT, number), json(&entry)?);
    Ok(())
}

/// Adds a signature to those of a component, in place of an older one by the same key.
fn sign(staging: &mut Staging<'_>, digest: &Digest, signature: &Signature) -> Result<(), Refused> {
    let key = keys::of_digest(keys::SIGNATURES, digest);
    let stored = staging.get(&key)?;
    // Signatures that cannot be read are worth nothing, and must not stand in the way of a new one.
    let stored = stored.and_then(|stored| serde_json::from_slice::<Vec<Signature>>(&stored).ok());
    let mut signatures = stored.unwrap_or_default();
    signatures.retain(|stored| stored.key != signature.key);
    signatures.push(signature.clone());
    staging.put(key, json(&signatures)?);
    Ok(())
}

/// The number of the next entry of a log, from 1.
fn next_number(staging: &Staging<'_>, prefix: &[u8]) -> Result<u64, Failure> {
    let last = staging.last_key(prefix)?;
    Ok(last.and_then(|key| keys::trailing_number(&key)).unwrap_or(0) + 1)
}
