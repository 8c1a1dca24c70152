use super::{Answer, RemoteService, WORK_TIME, encoded};
use async_trait::async_trait;
use hyper::Method;
use lockstep_ports::{ActivateRequest, ComponentService, ComponentView};
use lockstep_types::Activation;
use serde::Deserialize;

#[derive(Deserialize)]
struct Components {
    components: Vec<ComponentView>,
}

#[derive(Deserialize)]
struct History {
    activations: Vec<Activation>,
}

#[async_trait]
impl ComponentService for RemoteService {
    async fn add_component(&self, bytes: Vec<u8>) -> Answer<ComponentView> {
        let body = Some(("application/wasm", bytes));
        self.read(self.send(Method::POST, "/v1/components", body, WORK_TIME).await?)
    }

    async fn components(&self) -> Answer<Vec<ComponentView>> {
        Ok(self.get::<Components>("/v1/components").await?.components)
    }

    async fn activate(&self, request: ActivateRequest) -> Answer<Activation> {
        self.post("/v1/components/activations", &request, WORK_TIME).await
    }

    async fn activations(&self, kind: &str) -> Answer<Vec<Activation>> {
        let path = format!("/v1/components/activations/{}", encoded(kind));
        Ok(self.get::<History>(&path).await?.activations)
    }
}
