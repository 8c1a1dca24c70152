//! The components the binary carries.

use super::add::inspect;
use super::guard::asked_for;
use crate::runtime::{Runtime, RuntimeError};
use lockstep_types::{Activation, Digest};

/// Who activates the components the binary carries; a kind somebody else moved is left alone.
const STANDARD: &str = "lockstep";

/// A component the binary carries.
#[derive(Clone, Copy, Debug)]
pub struct StandardComponent<'a> {
    /// Name for messages.
    pub name: &'a str,
    /// Its bytes.
    pub bytes: &'a [u8],
}

impl Runtime {
    /// Adds the components the binary carries, and activates each for its kind where nobody else has moved the pointer.
    ///
    /// # Errors
    /// If one does not load or the store fails.
    pub async fn install(&self, standard: &[StandardComponent<'_>]) -> Result<(), RuntimeError> {
        let outside = &self.shared.outside;
        for component in standard {
            let digest = Digest::of(component.bytes);
            let info = match outside.components.info(&digest).await? {
                Some(info) => info,
                None => {
                    let info = inspect(outside, component.bytes).await;
                    let info = info.map_err(|source| RuntimeError::Standard {
                        name: component.name.to_owned(),
                        source,
                    })?;
                    outside.components.put(info.clone(), component.bytes.to_vec()).await?;
                    info
                }
            };
            let kind = &info.descriptor.kind;
            let history = outside.components.history(kind).await?;
            let ours = history.last().is_none_or(|last| last.by == STANDARD && last.digest != digest);
            if ours {
                let activation = Activation {
                    kind: kind.clone(),
                    digest,
                    grant: asked_for(&info),
                    at: outside.clock.now(),
                    by: STANDARD.to_owned(),
                    reason: format!("standard component {}", info.descriptor.version),
                };
                outside.components.activate(activation).await?;
            }
        }
        self.reload_kinds().await?;
        Ok(())
    }
}
