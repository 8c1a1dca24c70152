//! A repository of an OCI registry.

mod auth;
mod http;
mod manifest;

pub use http::PlainHttp;

use super::DistributionOptions;
use auth::Authority;
use http::{Ask, Session, Upload, digest_header};
use hyper::body::Bytes;
use hyper::header::{ACCEPT, CONTENT_TYPE};
use hyper::{Method, StatusCode};
use lockstep_ports::{Artifact, DistributionError, Located, Place, Progress, Pushed, Reference};
use lockstep_types::Digest;

/// Largest manifest that is read: one of ours has a kilobyte, and a signature.
const MANIFEST_MAX: u64 = 1 << 20;

/// Lists and older manifests are accepted too, to say what they are instead of that there is nothing.
const MANIFESTS: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json";

type Result<T> = std::result::Result<T, DistributionError>;

pub(super) struct Registry {
    session: Session,
    name: String,
}

impl Registry {
    /// `actions` are what a token has to allow: `pull`, or `pull,push`.
    pub(super) fn open(place: &Place, options: &DistributionOptions, actions: &str) -> Result<Self> {
        let (host, name) = match place {
            Place::Registry { host, name } => (host.as_str(), name.clone()),
            Place::Folder(_) => ("", String::new()),
        };
        let authority = match (&options.login, &options.docker_config) {
            (Some((user, password)), _) => Authority::of(user, password),
            (None, Some(config)) => Authority::from_docker(config, host),
            (None, None) => Authority::nobody(),
        };
        let scope = format!("repository:{name}:{actions}");
        Ok(Self { session: Session::new(place, host, options.plain_http, authority, scope)?, name })
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
        let ask = Ask::new(Method::PUT, format!("/v2/{}/manifests/{name}", self.name));
        let ask = ask.with(CONTENT_TYPE, manifest::MANIFEST).sending(Upload::of(texts.manifest.into(), None));
        let response = self.session.ask(ask).await?;
        if !response.status().is_success() {
            return Err(self.session.refusal("storing the manifest", response).await);
        }
        if let Some(stored) = digest_header(response.headers()).filter(|stored| *stored != digest) {
            let (what, expected, found) = ("the manifest", digest, stored);
            return Err(DistributionError::WrongDigest { reference: to.to_string(), what, expected, found });
        }
        Ok(Pushed { pinned, component, was_there: false, moved_from: held })
    }

    async fn send_blob(&self, digest: Digest, bytes: Bytes, progress: Option<Progress>) -> Result<()> {
        let head = Ask::new(Method::HEAD, format!("/v2/{}/blobs/sha256:{digest}", self.name));
        let response = self.session.ask(head).await?;
        match response.status() {
            StatusCode::OK => return Ok(()),
            StatusCode::NOT_FOUND => {}
            _ => return Err(self.session.refusal("looking for what is there", response).await),
        }
        let begin = format!("/v2/{}/blobs/uploads/", self.name);
        let response = self.session.ask(Ask::new(Method::POST, begin.as_str())).await?;
        if response.status() != StatusCode::ACCEPTED {
            return Err(self.session.refusal("beginning an upload", response).await);
        }
        let location = self.session.location(response.headers(), &begin)?;
        let mark = if location.contains('?') { '&' } else { '?' };
        let ask = Ask::new(Method::PUT, format!("{location}{mark}digest=sha256:{digest}"));
        let ask = ask.with(CONTENT_TYPE, "application/octet-stream").sending(Upload::of(bytes, progress));
        let response = self.session.ask(ask).await?;
        if !response.status().is_success() {
            return Err(self.session.refusal("the upload", response).await);
        }
        Ok(())
    }

    /// The manifest under a tag or a digest.
    async fn manifest(&self, reference: &Reference, name: &str) -> Result<Option<Vec<u8>>> {
        let ask =
            Ask::new(Method::GET, format!("/v2/{}/manifests/{name}", self.name)).with(ACCEPT, MANIFESTS);
        let response = self.session.ask(ask).await?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            _ => return Err(self.session.refusal("reading the manifest", response).await),
        }
        let announced = digest_header(response.headers());
        let bytes = self.session.body(response, MANIFEST_MAX, "the manifest", None).await?;
        let found = Digest::of(&bytes);
        match announced.filter(|expected| *expected != found) {
            Some(expected) => Err(wrong_manifest(reference, expected, found)),
            None => Ok(Some(bytes)),
        }
    }

    pub(super) async fn locate(&self, at: &Reference) -> Result<Located> {
        let pinned = at.digest.map(|digest| format!("sha256:{digest}"));
        let name = pinned.as_deref().or(at.tag.as_deref()).unwrap_or_default();
        let Some(bytes) = self.manifest(at, name).await? else { return Err(self.missing(at).await) };
        let digest = Digest::of(&bytes);
        if let Some(expected) = at.digest.filter(|expected| *expected != digest) {
            return Err(wrong_manifest(at, expected, digest));
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
        let reference = &located.pinned;
        let ask = Ask::new(Method::GET, format!("/v2/{}/blobs/sha256:{}", self.name, located.component));
        let response = self.session.ask(ask).await?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => {
                return Err(DistributionError::NotFound { reference: reference.to_string() });
            }
            _ => return Err(self.session.refusal("reading the component", response).await),
        }
        let claimed = located.size;
        let wrong = |found| DistributionError::WrongSize { reference: reference.to_string(), claimed, found };
        let bytes = match self.session.body(response, claimed, "the component", Some(&progress)).await {
            Err(DistributionError::TooLarge { size, .. }) => return Err(wrong(size)),
            other => other?,
        };
        if bytes.len() as u64 != claimed {
            return Err(wrong(bytes.len() as u64));
        }
        let (what, expected, found) = ("the component", located.component, Digest::of(&bytes));
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

fn wrong_manifest(reference: &Reference, expected: Digest, found: Digest) -> DistributionError {
    DistributionError::WrongDigest { reference: reference.to_string(), what: "the manifest", expected, found }
}
