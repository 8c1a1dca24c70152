//! The component store port. The bytes of a component lie in a file of their own: they are large and never change, and a
//! file can be looked at with the tools of its makers.

use crate::committer::Write;
use crate::error::{Failure, Shared, component};
use crate::index::Order;
use crate::registry::RegistryRow;
use crate::view::View;
use crate::{SledStore, blocking, keys};
use async_trait::async_trait;
use lockstep_ports::{ComponentStore, ComponentStoreError, RegistryChange};
use lockstep_types::{Activation, AuditEntry, ComponentInfo, Digest, DirSnapshot, Registry, Signature};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// What fails when a change does.
const CHANGE: &str = "change the registry of components";
/// Name of a file that is being written.
const UNFINISHED: &str = "tmp";
/// How the name of a directory's file ends.
const DIR: &str = ".dir";
/// Longest name of a step kind: it becomes part of a key.
const KIND_BYTES_MAX: usize = 256;

#[async_trait]
impl ComponentStore for SledStore {
    async fn change(
        &self,
        changes: Vec<RegistryChange>,
        entry: AuditEntry,
    ) -> Result<(), ComponentStoreError> {
        let mut rows = Vec::new();
        let mut removed = Vec::new();
        for change in changes {
            refuse_long_kind(&change)?;
            match &change {
                RegistryChange::Add { info, bytes } => {
                    let (folder, digest, bytes) = (self.inner.components.clone(), info.digest, bytes.clone());
                    // The file first: what is known must never lead to a file that is not there.
                    blocking(move || keep(&folder, &file_of(&folder, &digest), &digest, &bytes))
                        .await
                        .map_err(|error| component(CHANGE, error))?
                        .map_err(|source| io_error("keep a component", source))?;
                }
                RegistryChange::Remove(digest) => removed.push(file_of(&self.inner.components, digest)),
                _ => {}
            }
            let of_change = RegistryRow::of(change);
            rows.extend(of_change.map_err(|source| io_error(CHANGE, source.into()))?);
        }
        let written = self.write(Write::Registry { rows, entry: Box::new(entry) }).await;
        written.map_err(|error| component(CHANGE, error))?;
        // The file last, for the same reason. One that stays serves whoever adds the component again.
        drop(blocking(move || removed.iter().for_each(|file| drop(fs::remove_file(file)))).await);
        Ok(())
    }

    async fn bytes(&self, digest: &Digest) -> Result<Option<Vec<u8>>, ComponentStoreError> {
        if self.info(digest).await?.is_none() {
            return Ok(None);
        }
        let digest = *digest;
        let path = file_of(&self.inner.components, &digest);
        let read =
            blocking(move || fs::read(path).map(|bytes| (Digest::of(&bytes) == digest).then_some(bytes)))
                .await
                .map_err(|error| component("read a component", error))?;
        match read {
            Ok(Some(bytes)) => Ok(Some(bytes)),
            Ok(None) => Err(ComponentStoreError::Damaged { digest }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(ComponentStoreError::Damaged { digest })
            }
            Err(source) => Err(io_error("read a component", source)),
        }
    }

    async fn info(&self, digest: &Digest) -> Result<Option<ComponentInfo>, ComponentStoreError> {
        let key = keys::of_digest(keys::COMPONENTS, digest);
        let found = self.read(move |view| {
            let value = view.get(&key)?;
            value.map(|bytes| decode("what is known of a component", &bytes)).transpose()
        });
        found.await.map_err(|error| component("look for a component", error))
    }

    async fn list(&self) -> Result<Vec<ComponentInfo>, ComponentStoreError> {
        let found = self.read(|view| all(view, "what is known of a component", keys::COMPONENTS)).await;
        found.map_err(|error| component("list components", error))
    }

    async fn registry(&self) -> Result<Registry, ComponentStoreError> {
        let found = self.read(|view| {
            let trust = view.get(keys::TRUST)?;
            let trust = trust.map(|bytes| decode("whose signatures count", &bytes)).transpose()?;
            let mut signatures = BTreeMap::new();
            for (key, value) in scan::<Vec<Signature>>(view, "signatures", keys::SIGNATURES)? {
                let digest = key[keys::SIGNATURES.len()..].try_into().map(Digest::from_bytes);
                let digest = digest.map_err(|error: std::array::TryFromSliceError| {
                    Failure::Damaged("the key of signatures", Shared::new(error))
                })?;
                signatures.insert(digest, value);
            }
            Ok(Registry {
                active: all(view, "an activation", keys::ACTIVE)?,
                grants: all(view, "the grant of a kind", keys::GRANTS)?,
                stops: all(view, "a stop of a component", keys::STOPS)?,
                canaries: all(view, "a canary", keys::CANARIES)?,
                trust: trust.unwrap_or_default(),
                signatures,
            })
        });
        found.await.map_err(|error| component("read the registry", error))
    }

    async fn history(&self, kind: &str) -> Result<Vec<Activation>, ComponentStoreError> {
        let prefix = keys::history(kind);
        let found = self.read(move |view| all(view, "an activation", &prefix)).await;
        found.map_err(|error| component("read the history of a kind", error))
    }

    async fn audit(&self, last: usize) -> Result<Vec<AuditEntry>, ComponentStoreError> {
        let found = self.read(move |view| {
            let range = keys::AUDIT.to_vec()..keys::above(keys::AUDIT);
            let mut entries = view.entries(range, Order::Falling, last)?;
            entries.reverse();
            entries.iter().map(|(_, value)| decode("an entry of the audit log", value)).collect()
        });
        found.await.map_err(|error| component("read the audit log", error))
    }

    async fn keep_dir(&self, snapshot: DirSnapshot) -> Result<Digest, ComponentStoreError> {
        const KEEP: &str = "keep a granted directory";
        let folder = self.inner.components.clone();
        let kept = blocking(move || {
            let bytes = snapshot.encode();
            let digest = Digest::of(&bytes);
            keep(&folder, &dir_file(&folder, &digest), &digest, &bytes).map(|()| digest)
        });
        kept.await.map_err(|error| component(KEEP, error))?.map_err(|source| io_error(KEEP, source))
    }

    async fn dir(&self, digest: &Digest) -> Result<Option<DirSnapshot>, ComponentStoreError> {
        const READ: &str = "read a granted directory";
        let (digest, path) = (*digest, dir_file(&self.inner.components, digest));
        let read = blocking(move || {
            let bytes = fs::read(path)?;
            let is_whole = Digest::of(&bytes) == digest;
            io::Result::Ok(is_whole.then(|| DirSnapshot::decode(&bytes).ok()).flatten())
        });
        match read.await.map_err(|error| component(READ, error))? {
            Ok(Some(snapshot)) => Ok(Some(snapshot)),
            Ok(None) => Err(ComponentStoreError::DamagedDir { digest }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(io_error(READ, source)),
        }
    }

    async fn dirs(&self) -> Result<Vec<Digest>, ComponentStoreError> {
        const LIST: &str = "list the granted directories";
        let folder = self.inner.components.clone();
        let listed = blocking(move || {
            let mut found = Vec::new();
            for entry in fs::read_dir(folder)? {
                let name = entry?.file_name();
                let digest = name.to_str().and_then(|name| name.strip_suffix(DIR));
                found.extend(digest.and_then(|digest| digest.parse::<Digest>().ok()));
            }
            found.sort();
            Ok(found)
        });
        listed.await.map_err(|error| component(LIST, error))?.map_err(|source| io_error(LIST, source))
    }

    async fn forget_dir(&self, digest: &Digest) -> Result<(), ComponentStoreError> {
        const FORGET: &str = "remove a granted directory";
        let path = dir_file(&self.inner.components, digest);
        match blocking(move || fs::remove_file(path)).await.map_err(|error| component(FORGET, error))? {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(io_error(FORGET, source)),
            _ => Ok(()),
        }
    }
}

/// Every value whose key begins with `prefix`, with its key, in their order.
fn scan<T: DeserializeOwned>(
    view: &View,
    what: &'static str,
    prefix: &[u8],
) -> Result<Vec<(Vec<u8>, T)>, Failure> {
    view.all(prefix)?.into_iter().map(|(key, value)| Ok((key, decode(what, &value)?))).collect()
}

fn all<T: DeserializeOwned>(view: &View, what: &'static str, prefix: &[u8]) -> Result<Vec<T>, Failure> {
    Ok(scan(view, what, prefix)?.into_iter().map(|(_, value)| value).collect())
}

/// The name of a kind becomes part of a key.
fn refuse_long_kind(change: &RegistryChange) -> Result<(), ComponentStoreError> {
    let kind = match change {
        RegistryChange::Activate(activation) => &activation.kind,
        RegistryChange::Grant(grant) => &grant.kind,
        RegistryChange::Canary(canary) => &canary.kind,
        RegistryChange::EndCanary(kind) => kind,
        _ => return Ok(()),
    };
    if kind.len() <= KIND_BYTES_MAX {
        return Ok(());
    }
    let error = io::Error::other(format!("the name of a kind may have {KIND_BYTES_MAX} bytes"));
    Err(io_error(CHANGE, error))
}

/// Makes the folder of component files, and removes what a crash left unfinished in it.
pub(crate) fn prepare(folder: &Path) -> io::Result<()> {
    if !folder.exists() {
        fs::create_dir_all(folder)?;
        File::open(folder.parent().unwrap_or(folder))?.sync_all()?;
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == UNFINISHED) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn file_of(folder: &Path, digest: &Digest) -> PathBuf {
    folder.join(format!("{digest}.wasm"))
}

/// A granted directory lies beside the components that read it.
fn dir_file(folder: &Path, digest: &Digest) -> PathBuf {
    folder.join(format!("{digest}{DIR}"))
}

/// Writes a file unless it is there and whole. It appears under its name only when it is on the device.
fn keep(folder: &Path, path: &Path, digest: &Digest, bytes: &[u8]) -> io::Result<()> {
    /// Tells apart the unfinished files of puts that go on at the same time.
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    if Digest::of(bytes) != *digest {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("its bytes do not have the digest {digest}"),
        ));
    }
    if fs::read(path).is_ok_and(|stored| stored == bytes) {
        return Ok(());
    }
    let unfinished = folder.join(format!("{digest}-{}.{UNFINISHED}", NUMBER.fetch_add(1, Ordering::Relaxed)));
    let written = write_through(&unfinished, bytes).and_then(|()| fs::rename(&unfinished, path));
    if let Err(error) = written {
        // The error of the write is the one to tell; the next start removes what this leaves.
        drop(fs::remove_file(&unfinished));
        return Err(error);
    }
    File::open(folder)?.sync_all()
}

fn write_through(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn decode<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(bytes).map_err(|error| Failure::Damaged(what, Shared::new(error)))
}

fn io_error(operation: &'static str, source: io::Error) -> ComponentStoreError {
    ComponentStoreError::Io { operation, source: Box::new(source) }
}
