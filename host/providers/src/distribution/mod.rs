//! Ships components through a folder or an OCI registry.
//!
//! A registry is spoken to by `oci-client`; what is here holds it to this host's limits of size, time and encryption.

mod folder;
mod registry;

pub use registry::PlainHttp;

use async_trait::async_trait;
use lockstep_ports::{
    Artifact, Distribution, DistributionError, Located, Place, Progress, Pushed, Reference,
};
use lockstep_ports::{SHIPPED_COMPONENT_MAX, SIGNATURE_MAX, Secret};
use oci_client::RegistryOperation;
use registry::Registry;
use std::path::PathBuf;
use std::time::Duration;

/// How components are shipped.
#[derive(Clone, Debug)]
pub struct DistributionOptions {
    /// Where HTTP may be spoken without TLS.
    pub plain_http: PlainHttp,
    /// Name and password for the registry, in place of what docker keeps.
    pub login: Option<(String, Secret)>,
    /// Docker's `config.json`, for what it keeps of the registry.
    pub docker_config: Option<PathBuf>,
    /// How long one push or pull may take.
    pub time: Duration,
}

/// One push or pull: the largest component over a line of a megabit a second.
const SHIP_TIME: Duration = Duration::from_secs(10 * 60);

impl Default for DistributionOptions {
    fn default() -> Self {
        Self { plain_http: PlainHttp::Loopback, login: None, docker_config: None, time: SHIP_TIME }
    }
}

/// Ships components through folders and OCI registries.
pub struct ComponentDistribution {
    options: DistributionOptions,
}

impl ComponentDistribution {
    /// What ships components with `options`. Nothing is opened or asked yet.
    #[must_use]
    pub const fn new(options: DistributionOptions) -> Self {
        Self { options }
    }

    /// Ends `work` at `place` when it has taken too long.
    async fn in_time<T>(
        &self,
        place: &Place,
        work: impl Future<Output = Result<T, DistributionError>> + Send,
    ) -> Result<T, DistributionError> {
        tokio::time::timeout(self.options.time, work).await.unwrap_or_else(|_| {
            let reason = format!("it took longer than {} s", self.options.time.as_secs());
            Err(DistributionError::Unreachable { place: place.to_string(), reason })
        })
    }
}

#[async_trait]
impl Distribution for ComponentDistribution {
    async fn push(
        &self,
        to: &Reference,
        artifact: &Artifact,
        move_tag: bool,
        progress: Progress,
    ) -> Result<Pushed, DistributionError> {
        if to.digest.is_some() {
            return Err(DistributionError::DigestGiven { reference: to.to_string() });
        }
        let signature = artifact.signature.as_deref().unwrap_or_default();
        fits("the component", &to.place, artifact.component.len() as u64, SHIPPED_COMPONENT_MAX)?;
        fits("the signature", &to.place, signature.len() as u64, SIGNATURE_MAX)?;
        self.in_time(&to.place, async {
            match &to.place {
                Place::Folder(_) => folder::push(to, artifact, move_tag).await,
                Place::Registry { .. } => {
                    Registry::open(&to.place, &self.options, RegistryOperation::Push)
                        .await?
                        .push(to, artifact, move_tag, progress)
                        .await
                }
            }
        })
        .await
    }

    async fn locate(&self, at: &Reference) -> Result<Located, DistributionError> {
        if at.digest.is_none() && at.tag.is_none() {
            return Err(DistributionError::Unspecific { reference: at.to_string() });
        }
        self.in_time(&at.place, async {
            match &at.place {
                Place::Folder(_) => folder::locate(at).await,
                Place::Registry { .. } => {
                    Registry::open(&at.place, &self.options, RegistryOperation::Pull).await?.locate(at).await
                }
            }
        })
        .await
    }

    async fn pull(&self, located: &Located, progress: Progress) -> Result<Vec<u8>, DistributionError> {
        let place = &located.pinned.place;
        fits("the component", place, located.size, SHIPPED_COMPONENT_MAX)?;
        self.in_time(place, async {
            match place {
                Place::Folder(_) => folder::pull(located).await,
                Place::Registry { .. } => {
                    let registry = Registry::open(place, &self.options, RegistryOperation::Pull).await?;
                    registry.pull(located, progress).await
                }
            }
        })
        .await
    }
}

fn fits(what: &'static str, place: &Place, size: u64, limit: u64) -> Result<(), DistributionError> {
    if size > limit {
        return Err(DistributionError::TooLarge { what, place: place.to_string(), size, limit });
    }
    Ok(())
}
