//! A repository of an OCI registry.

mod login;
mod manifest;
mod session;

pub use session::PlainHttp;

use super::DistributionOptions;
use bytes::Bytes;
use lockstep_ports::{Artifact, DistributionError, Located, Place, Progress, Pushed, Reference};
use lockstep_types::Digest;
use oci_client::RegistryOperation;
use oci_client::manifest::{
    IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE,
    OCI_IMAGE_MEDIA_TYPE,
};
use reqwest::header::HeaderValue;
use session::{Session, deepest, is_missing, mismatch};
use std::time::Duration;
use tokio_stream::StreamExt as _;

/// Largest manifest that is used: one of ours has a kilobyte, and a signature.
const MANIFEST_MAX: u64 = 1 << 20;

/// How long a manifest may take. The client reads all of one before its size is known here, so this bounds what a
/// registry that sends without end can make us hold.
const MANIFEST_TIME: Duration = Duration::from_secs(20);

/// How much is handed to the connection at a time: progress is told in such steps.
const CHUNK: usize = 64 << 10;

/// Lists and older manifests are accepted too, to say what they are instead of that there is nothing.
const MANIFESTS: [&str; 4] = [
    OCI_IMAGE_MEDIA_TYPE,
    OCI_IMAGE_INDEX_MEDIA_TYPE,
    IMAGE_MANIFEST_MEDIA_TYPE,
    IMAGE_MANIFEST_LIST_MEDIA_TYPE,
];

type Result<T> = std::result::Result<T, DistributionError>;

pub(super) struct Registry {
    session: Session,
    place: Place,
    host: String,
    name: String,
}

impl Registry {
    /// Logs in to pull, or to push as well.
    pub(super) async fn open(
        place: &Place,
        options: &DistributionOptions,
        operation: RegistryOperation,
    ) -> Result<Self> {
        let (host, name) = match place {
            Place::Registry { host, name } => (host.clone(), name.clone()),
            Place::Folder(_) => (String::new(), String::new()),
        };
        let at = named(&host, &name, "");
        let session = Session::open(place, &host, &at, options, operation).await?;
        Ok(Self { session, place: place.clone(), host, name })
    }

    /// The client's name of what is under a tag or, as `sha256:DIGEST`, a digest.
    fn at(&self, tag: &str) -> oci_client::Reference {
        named(&self.host, &self.name, tag)
    }

    /// Blobs first, then the manifest that names them, then nothing: the tag moves with the manifest or not at all.
    pub(super) async fn push(
        &self,
        to: &Reference,
        artifact: &Artifact,
        move_tag: bool,
        progress: Progress,
    ) -> Result<Pushed> {
        let texts = manifest::write(artifact).map_err(|error| self.session.failed(&error.to_string()))?;
        let component = Digest::of(&artifact.component);
        let digest = Digest::of(&texts.manifest);
        let pinned = to.pinned(digest);
        // A manifest that is there has its blobs: registries refuse one without, and keep what one names.
        let name = to.tag.clone().unwrap_or_else(|| format!("sha256:{digest}"));
        let held = self.manifest(to, &name).await?.map(|bytes| Digest::of(&bytes));
        if held == Some(digest) {
            return Ok(Pushed { pinned, component, was_there: true, moved_from: None });
        }
        if let Some(holds) = held
            && !move_tag
        {
            return Err(DistributionError::TagTaken { reference: to.to_string(), holds });
        }
        self.send_blob(component, Bytes::copy_from_slice(&artifact.component), Some(progress)).await?;
        self.send_blob(Digest::of(&texts.config), texts.config.into(), None).await?;
        let kind = HeaderValue::from_static(OCI_IMAGE_MEDIA_TYPE);
        let client = &self.session.client;
        let put = client.push_manifest_raw(&self.at(&name), texts.manifest, kind).await;
        put.map_err(|error| self.session.explain("storing the manifest", error))?;
        let stored = client.fetch_manifest_digest(&self.at(&name), &self.session.auth).await;
        let stored = stored.map_err(|error| self.session.explain("looking at what was stored", error))?;
        match stored.strip_prefix("sha256:").and_then(|stored| stored.parse().ok()) {
            Some(found) if found != digest => Err(wrong(to, "the manifest", digest, found)),
            _ => Ok(Pushed { pinned, component, was_there: false, moved_from: held }),
        }
    }

    async fn send_blob(&self, digest: Digest, bytes: Bytes, progress: Option<Progress>) -> Result<()> {
        let (at, digest) = (self.at(""), format!("sha256:{digest}"));
        let is_there = self.session.client.blob_exists(&at, &digest).await;
        if is_there.map_err(|error| self.session.explain("looking for what is there", error))? {
            return Ok(());
        }
        let size = bytes.len() as u64;
        let mut rest = bytes;
        let chunks = std::iter::from_fn(move || {
            let chunk = rest.split_to(rest.len().min(CHUNK));
            if let Some(progress) = &progress {
                progress(size - rest.len() as u64, size);
            }
            (!chunk.is_empty()).then_some(Ok(chunk))
        });
        let chunks = tokio_stream::iter(chunks);
        let sent = self.session.client.push_blob_stream(&at, chunks, &digest, Some(size)).await;
        sent.map(drop).map_err(|error| self.session.explain("the upload", error))
    }

    /// The manifest under a tag or a digest.
    async fn manifest(&self, reference: &Reference, name: &str) -> Result<Option<Bytes>> {
        let at = self.at(name);
        let read = self.session.client.pull_manifest_raw(&at, &self.session.auth, &MANIFESTS);
        let Ok(read) = tokio::time::timeout(MANIFEST_TIME, read).await else {
            return Err(self.session.unreachable("its manifest does not arrive"));
        };
        let bytes = match read {
            Ok((bytes, _)) => bytes,
            Err(error) if is_missing(&error) => return Ok(None),
            Err(oci_client::errors::OciDistributionError::DigestError(error)) => {
                return Err(match mismatch(&error) {
                    Some((expected, found)) => wrong(reference, "the manifest", expected, found),
                    None => self.session.failed(&error.to_string()),
                });
            }
            Err(error) => return Err(self.session.explain("reading the manifest", error)),
        };
        super::fits("the manifest", &self.place, bytes.len() as u64, MANIFEST_MAX)?;
        Ok(Some(bytes))
    }

    pub(super) async fn locate(&self, at: &Reference) -> Result<Located> {
        let pinned = at.digest.map(|digest| format!("sha256:{digest}"));
        let name = pinned.as_deref().or(at.tag.as_deref()).unwrap_or_default();
        let Some(bytes) = self.manifest(at, name).await? else { return Err(self.missing(at).await) };
        let digest = Digest::of(&bytes);
        if let Some(expected) = at.digest.filter(|expected| *expected != digest) {
            return Err(wrong(at, "the manifest", expected, digest));
        }
        let contents = manifest::read(&bytes)
            .map_err(|reason| DistributionError::NotAComponent { reference: at.to_string(), reason })?;
        Ok(Located {
            pinned: at.pinned(digest),
            component: contents.component,
            size: contents.size,
            signature: contents.signature,
            label: contents.label,
        })
    }

    /// Whether nothing is there, or the tag that was given beside the digest means something else by now.
    async fn missing(&self, at: &Reference) -> DistributionError {
        if let (Some(tag), Some(_)) = (&at.tag, at.digest)
            && let Ok(Some(bytes)) = self.manifest(at, tag).await
        {
            return DistributionError::Moved { reference: at.to_string(), now: Digest::of(&bytes) };
        }
        DistributionError::NotFound { reference: at.to_string() }
    }

    pub(super) async fn pull(&self, located: &Located, progress: Progress) -> Result<Vec<u8>> {
        let (reference, claimed) = (&located.pinned, located.size);
        let digest = format!("sha256:{}", located.component);
        let mut stream = match self.session.client.pull_blob_stream(&self.at(""), digest.as_str()).await {
            Ok(stream) => stream,
            Err(error) if is_missing(&error) => {
                return Err(DistributionError::NotFound { reference: reference.to_string() });
            }
            Err(error) => return Err(self.session.explain("reading the component", error)),
        };
        let misfit =
            |found| DistributionError::WrongSize { reference: reference.to_string(), claimed, found };
        if let Some(size) = stream.content_length.filter(|size| *size > claimed) {
            return Err(misfit(size));
        }
        let mut bytes = Vec::new();
        while let Some(piece) = stream.next().await {
            let piece = piece.map_err(|error| self.cut_short(reference, &error))?;
            let size = bytes.len() as u64 + piece.len() as u64;
            if size > claimed {
                return Err(misfit(size));
            }
            bytes.extend_from_slice(&piece);
            progress(size, claimed);
        }
        if bytes.len() as u64 != claimed {
            return Err(misfit(bytes.len() as u64));
        }
        // The client has checked it; what comes out of here is checked here.
        let found = Digest::of(&bytes);
        if found != located.component {
            return Err(wrong(reference, "the component", located.component, found));
        }
        Ok(bytes)
    }

    fn cut_short(&self, reference: &Reference, error: &std::io::Error) -> DistributionError {
        let Some(inner) = error.get_ref() else { return self.session.unreachable(&error.to_string()) };
        match mismatch(inner) {
            Some((expected, found)) => wrong(reference, "the component", expected, found),
            None => match inner.downcast_ref::<reqwest::Error>() {
                Some(error) => self.session.broken(error),
                None => self.session.unreachable(&deepest(inner)),
            },
        }
    }
}

/// A digest is passed as a tag, too: the path is the same, and of a registry that does not say where it stored a manifest
/// the client expects that it was asked for a tag.
fn named(host: &str, name: &str, tag: &str) -> oci_client::Reference {
    oci_client::Reference::with_tag(host.to_owned(), name.to_owned(), tag.to_owned())
}

fn wrong(reference: &Reference, what: &'static str, expected: Digest, found: Digest) -> DistributionError {
    DistributionError::WrongDigest { reference: reference.to_string(), what, expected, found }
}
