//! The registry of components: which there are, which of them each kind points to, and what guards the pointers. One
//! file per subject.

mod activate;
mod add;
mod guard;
mod kinds;
mod migration;
mod repin;
mod standard;

pub(crate) use kinds::Kinds;
pub use standard::StandardComponent;

use crate::runtime::Runtime;
use crate::service::chain;
use async_trait::async_trait;
use lockstep_ports::{ActivateRequest, ComponentService, ComponentStoreError, ComponentView, ServiceError};
use lockstep_types::Activation;
use std::sync::Arc;

#[async_trait]
impl ComponentService for Runtime {
    async fn add_component(&self, bytes: Vec<u8>) -> Result<ComponentView, ServiceError> {
        self.add(bytes).await
    }

    async fn components(&self) -> Result<Vec<ComponentView>, ServiceError> {
        let mut views = Vec::new();
        for info in self.shared.outside.components.list().await.map_err(store)? {
            views.push(self.component_view(info).await?);
        }
        Ok(views)
    }

    async fn activate(&self, request: ActivateRequest) -> Result<Activation, ServiceError> {
        let runtime = self.clone();
        // As for `start`: a pointer that has moved is taken note of, even if the client is gone.
        let moved = tokio::spawn(async move { runtime.move_pointer(request).await });
        moved.await.unwrap_or_else(|error| Err(ServiceError::Internal(chain(&error))))
    }

    async fn activations(&self, kind: &str) -> Result<Vec<Activation>, ServiceError> {
        self.shared.outside.components.history(kind).await.map_err(store)
    }
}

impl Runtime {
    /// Takes note of what has changed in the store.
    async fn reload_kinds(&self) -> Result<(), ComponentStoreError> {
        let mut kinds = self.shared.kinds.write().await;
        *kinds = Arc::new(Kinds::load(&self.shared.outside).await?);
        Ok(())
    }
}

pub(crate) fn store(error: ComponentStoreError) -> ServiceError {
    ServiceError::Internal(chain(&error))
}
