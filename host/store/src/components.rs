//! The component store port. The bytes of a component lie in a file of their own: they are large and never change, sled
//! would copy them about whenever it tidies its pages, and a file can be looked at with the tools of its makers.

use crate::committer::Write;
use crate::error::{Failure, Shared, component};
use crate::{SledStore, blocking, keys, values};
use async_trait::async_trait;
use lockstep_ports::{ComponentStore, ComponentStoreError};
use lockstep_types::{Activation, ComponentInfo, Digest};
use serde::de::DeserializeOwned;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Name of a file that is being written.
const UNFINISHED: &str = "tmp";
/// Longest name of a step kind: it becomes part of a key.
const KIND_BYTES_MAX: usize = 256;

#[async_trait]
impl ComponentStore for SledStore {
    async fn put(&self, info: ComponentInfo, bytes: Vec<u8>) -> Result<(), ComponentStoreError> {
        let (folder, digest) = (self.inner.components.clone(), info.digest);
        // The file first: what is known must never lead to a file that is not there.
        blocking(move || keep(&folder, &digest, &bytes))
            .await
            .map_err(|error| component("keep a component", error))?
            .map_err(|source| io_error("keep a component", source))?;
        let written = self.write(Write::Component(Box::new(info))).await;
        written.map_err(|error| component("keep a component", error)).map(drop)
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
        let key = keys::component(digest);
        let found = self.read(move |db| {
            let value = values::get(db, &key).map_err(|error| Failure::of_read("read", error))?;
            value.map(|bytes| decode("what is known of a component", &bytes)).transpose()
        });
        found.await.map_err(|error| component("look for a component", error))
    }

    async fn list(&self) -> Result<Vec<ComponentInfo>, ComponentStoreError> {
        self.all("list components", "what is known of a component", keys::COMPONENTS.to_vec()).await
    }

    async fn activate(&self, activation: Activation) -> Result<(), ComponentStoreError> {
        if activation.kind.len() > KIND_BYTES_MAX {
            let error = io::Error::other(format!("the name of a kind may have {KIND_BYTES_MAX} bytes"));
            return Err(io_error("activate a component", error));
        }
        let written = self.write(Write::Activation(Box::new(activation))).await;
        written.map_err(|error| component("activate a component", error)).map(drop)
    }

    async fn active(&self) -> Result<Vec<Activation>, ComponentStoreError> {
        self.all("list active components", "an activation", keys::ACTIVE.to_vec()).await
    }

    async fn history(&self, kind: &str) -> Result<Vec<Activation>, ComponentStoreError> {
        self.all("read the history of a kind", "an activation", keys::history(kind)).await
    }
}

impl SledStore {
    /// Every value whose key begins with `prefix`, by key.
    async fn all<T: DeserializeOwned + Send + 'static>(
        &self,
        operation: &'static str,
        what: &'static str,
        prefix: Vec<u8>,
    ) -> Result<Vec<T>, ComponentStoreError> {
        let found = self.read(move |db| {
            let mut found = Vec::new();
            for entry in db.scan_prefix(prefix) {
                let (key, head) = entry.map_err(|error| Failure::of_sled("read", error))?;
                let value = values::read(db, &key, &head).map_err(|error| Failure::of_read("read", error))?;
                found.push(decode(what, &value)?);
            }
            Ok(found)
        });
        found.await.map_err(|error| component(operation, error))
    }
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

/// Writes the file of a component unless it is there and whole. It appears under its name only when it is on the device.
fn keep(folder: &Path, digest: &Digest, bytes: &[u8]) -> io::Result<()> {
    /// Tells apart the unfinished files of puts that go on at the same time.
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    if Digest::of(bytes) != *digest {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("its bytes do not have the digest {digest}"),
        ));
    }
    let path = file_of(folder, digest);
    if fs::read(&path).is_ok_and(|stored| stored == bytes) {
        return Ok(());
    }
    let unfinished = folder.join(format!("{digest}-{}.{UNFINISHED}", NUMBER.fetch_add(1, Ordering::Relaxed)));
    let written = write_through(&unfinished, bytes).and_then(|()| fs::rename(&unfinished, &path));
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
