//! A folder of components: `DIGEST.wasm`, its signature `DIGEST.wasm.sig`, and `index.json` for whoever looks.
//!
//! A component's file appears whole or not at all and never changes, so readers take no lock. Writers take one, for the
//! index. A folder that lost its index still gives components by digest.

use crate::files;
use lockstep_ports::{Artifact, DistributionError, Label, Located, Place, Pushed, Reference};
use lockstep_ports::{SHIPPED_COMPONENT_MAX, SIGNATURE_MAX};
use lockstep_types::Digest;
use serde::{Deserialize, Serialize};
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

const INDEX: &str = "index.json";

/// Largest index that is read or written: some ten thousand components.
const INDEX_MAX: u64 = 8 << 20;

/// How often a lock somebody holds is tried, and how long is waited between: a push to a folder takes a second at most.
const LOCK_TRIES: u32 = 200;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// Everybody who may look into the folder may read what is shipped through it.
const SHARED: u32 = 0o644;

/// What the folder holds.
#[derive(Default, Serialize, Deserialize)]
struct Index {
    components: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    digest: Digest,
    kind: String,
    version: String,
    #[serde(default)]
    summary: String,
    size: u64,
    signed: bool,
    /// Names that mean this component; each stands at one component alone.
    #[serde(default)]
    tags: Vec<String>,
}

impl Index {
    fn tagged(&self, tag: &str) -> Option<&Entry> {
        self.components.iter().find(|entry| entry.tags.iter().any(|name| name == tag))
    }

    fn entry(&self, digest: &Digest) -> Option<&Entry> {
        self.components.iter().find(|entry| entry.digest == *digest)
    }
}

/// One folder, on a thread that may wait for the disk.
struct Folder {
    path: PathBuf,
}

pub(super) async fn push(
    to: &Reference,
    artifact: &Artifact,
    move_tag: bool,
) -> Result<Pushed, DistributionError> {
    let folder = Folder::of(to);
    let _lock = folder.lock(&to.place).await?;
    let (to, artifact) = (to.clone(), artifact.clone());
    blocking(move || folder.write(&to, &artifact, move_tag)).await
}

pub(super) async fn locate(at: &Reference) -> Result<Located, DistributionError> {
    let (folder, at) = (Folder::of(at), at.clone());
    blocking(move || folder.locate(&at)).await
}

pub(super) async fn pull(located: &Located) -> Result<Vec<u8>, DistributionError> {
    let (folder, located) = (Folder::of(&located.pinned), located.clone());
    blocking(move || folder.read(&located.pinned, &located.component)).await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DistributionError> + Send + 'static,
) -> Result<T, DistributionError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(lost) => Err(failed("use", Path::new("the folder"))(io::Error::other(lost))),
    }
}

fn failed(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DistributionError {
    let path = path.display().to_string();
    move |source| DistributionError::Io { operation, path, source }
}

impl Folder {
    fn of(reference: &Reference) -> Self {
        let path = match &reference.place {
            Place::Folder(path) => path.clone(),
            Place::Registry { .. } => PathBuf::new(),
        };
        Self { path }
    }

    /// Waits for other writers. The folder itself is locked: a file for it would belong to whoever pushed first.
    async fn lock(&self, place: &Place) -> Result<File, DistributionError> {
        std::fs::create_dir_all(&self.path).map_err(failed("create", &self.path))?;
        let folder = File::open(&self.path).map_err(failed("open", &self.path))?;
        for _ in 0..LOCK_TRIES {
            match folder.try_lock() {
                Ok(()) => return Ok(folder),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(LOCK_PAUSE).await,
                Err(TryLockError::Error(error)) => return Err(failed("lock", &self.path)(error)),
            }
        }
        Err(DistributionError::Busy { place: place.to_string() })
    }

    fn component(&self, digest: &Digest) -> PathBuf {
        self.path.join(format!("{digest}.wasm"))
    }

    fn signature(&self, digest: &Digest) -> PathBuf {
        self.path.join(format!("{digest}.wasm.sig"))
    }

    fn index(&self) -> Result<Index, DistributionError> {
        let path = self.path.join(INDEX);
        match files::read_bounded(&path, INDEX_MAX).map_err(failed("read", &path))? {
            Some(bytes) => {
                serde_json::from_slice(&bytes).map_err(|error| failed("read", &path)(io::Error::from(error)))
            }
            None => Ok(Index::default()),
        }
    }

    /// The files first, then the index that names them.
    fn write(
        &self,
        to: &Reference,
        artifact: &Artifact,
        move_tag: bool,
    ) -> Result<Pushed, DistributionError> {
        let digest = Digest::of(&artifact.component);
        let mut index = self.index()?;
        let held = to.tag.as_deref().and_then(|tag| index.tagged(tag)).map(|entry| entry.digest);
        let moved_from = held.filter(|held| *held != digest);
        if let Some(holds) = moved_from
            && !move_tag
        {
            return Err(DistributionError::TagTaken { reference: to.to_string(), holds });
        }
        let kept = self.keep(&self.component(&digest), &artifact.component, SHIPPED_COMPONENT_MAX)?;
        let signature = match &artifact.signature {
            Some(signature) => self.keep(&self.signature(&digest), signature, SIGNATURE_MAX)?,
            None => true,
        };
        let was_there =
            kept && signature && index.entry(&digest).is_some() && held == to.tag.as_ref().map(|_| digest);
        index.record(digest, artifact, self.signature(&digest).exists(), to.tag.as_deref());
        let path = self.path.join(INDEX);
        let text =
            serde_json::to_vec_pretty(&index).map_err(io::Error::from).map_err(failed("write", &path))?;
        super::fits("the index", &to.place, text.len() as u64, INDEX_MAX)?;
        files::write_durably_as(&path, &text, SHARED).map_err(failed("write", &path))?;
        Ok(Pushed { pinned: to.pinned(digest), component: digest, was_there, moved_from })
    }

    /// Whether the file was there; one that was damaged is written again.
    fn keep(&self, path: &Path, bytes: &[u8], max: u64) -> Result<bool, DistributionError> {
        if files::read_bounded(path, max).is_ok_and(|held| held.as_deref() == Some(bytes)) {
            return Ok(true);
        }
        files::write_durably_as(path, bytes, SHARED).map_err(failed("write", path))?;
        Ok(false)
    }

    fn locate(&self, at: &Reference) -> Result<Located, DistributionError> {
        let missing = || DistributionError::NotFound { reference: at.to_string() };
        let index = self.index();
        let tagged = match (&index, at.tag.as_deref()) {
            (Ok(index), Some(tag)) => index.tagged(tag).map(|entry| entry.digest),
            _ => None,
        };
        let component = match (at.digest, tagged) {
            (Some(digest), _) => digest,
            (None, Some(digest)) => digest,
            (None, None) => return Err(index.err().unwrap_or_else(missing)),
        };
        let path = self.component(&component);
        let size = match std::fs::symlink_metadata(&path) {
            Ok(about) => about.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(match tagged {
                    Some(now) if now != component => {
                        DistributionError::Moved { reference: at.to_string(), now }
                    }
                    _ => missing(),
                });
            }
            Err(error) => return Err(failed("read", &path)(error)),
        };
        let signature = self.signature(&component);
        let signature = files::read_bounded(&signature, SIGNATURE_MAX).map_err(failed("read", &signature))?;
        let entry = index.ok().and_then(|index| index.components.into_iter().find(|e| e.digest == component));
        let label = entry.map(|entry| Label {
            kind: entry.kind,
            version: entry.version,
            summary: entry.summary,
            ..Label::default()
        });
        let label = label.unwrap_or_default();
        Ok(Located { pinned: at.pinned(component), component, size, signature, label })
    }

    fn read(&self, reference: &Reference, digest: &Digest) -> Result<Vec<u8>, DistributionError> {
        let path = self.component(digest);
        let bytes = files::read_bounded(&path, SHIPPED_COMPONENT_MAX).map_err(failed("read", &path))?;
        let bytes = bytes.ok_or_else(|| DistributionError::NotFound { reference: reference.to_string() })?;
        let (what, expected, found) = ("the component", *digest, Digest::of(&bytes));
        if found != expected {
            return Err(DistributionError::WrongDigest {
                reference: reference.to_string(),
                what,
                expected,
                found,
            });
        }
        Ok(bytes)
    }
}

impl Index {
    fn record(&mut self, digest: Digest, artifact: &Artifact, signed: bool, tag: Option<&str>) {
        let mut tags = self.entry(&digest).map(|entry| entry.tags.clone()).unwrap_or_default();
        if let Some(tag) = tag {
            self.components.iter_mut().for_each(|entry| entry.tags.retain(|name| name != tag));
            tags.retain(|name| name != tag);
            tags.push(tag.to_owned());
            tags.sort();
        }
        self.components.retain(|entry| entry.digest != digest);
        let Label { kind, version, summary, .. } = artifact.label.clone();
        let size = artifact.component.len() as u64;
        self.components.push(Entry { digest, kind, version, summary, size, signed, tags });
        self.components.sort_by(|a, b| (&a.kind, &a.version, a.digest).cmp(&(&b.kind, &b.version, b.digest)));
    }
}
